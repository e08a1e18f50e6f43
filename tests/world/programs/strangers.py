# Python programs that know nothing of Weft: each asks HOST for "/" in its own way.
import asyncio, http.client, sys, urllib.request

host = sys.argv[1]


async def by_asyncio():
    reader, writer = await asyncio.open_connection(host, 80)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status = await reader.readline()
    await reader.read()
    writer.close()
    return status.decode().split()[1]


def by_http_client():
    # Two requests on one connection.
    connection = http.client.HTTPConnection(host, timeout=10)
    statuses = []
    for _ in range(2):
        connection.request("GET", "/")
        reply = connection.getresponse()
        reply.read()
        statuses.append(reply.status)
    return statuses


print("urllib", urllib.request.urlopen(f"http://{host}/", timeout=10).status)
print("http.client", *by_http_client())
print("asyncio", asyncio.run(by_asyncio()))
