# Strangers that speak UDP. `serve HOST PORT…`: answers in capitals. `ask HOST PORT PORT`: asks as programs do, and tells what came of it.
# `refused HOST PORT…`: is it refused as it is sent? `steady HOST PORT REPORT`: asks again and again, and tells when that turns out otherwise.
import json, os, select, socket, sys, time

what, host, *more = sys.argv[1:]
ports = [int(port) for port in more if port.isdigit()]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
anywhere = "::" if ":" in host else "0.0.0.0"


def opened():
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.settimeout(5)
    return one


if what == "serve":
    servers = []
    for port in ports:
        server = opened()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.bind((host, port))
        servers.append(server)
    print("serving", flush=True)
    while True:
        for server in select.select(servers, [], [])[0]:
            datagram, sender = server.recvfrom(65536)
            server.sendto(datagram.upper(), sender)
elif what == "ask":
    one = opened()
    for port, text in zip(ports, (b"first", b"second")):
        one.sendto(text, (host, port))
    answers = sorted((sender[1], datagram.decode(), sender[0]) for datagram, sender in (one.recvfrom(100), one.recvfrom(100)))
    assert all(sender == host for _, _, sender in answers), answers
    print("one socket, two servers: " + ", ".join(f"{port} {text}" for port, text, _ in answers))

    connected = opened()
    connected.connect((host, ports[0]))
    connected.send(b"hello")
    print("connected:", connected.recv(100).decode())

    # As NTP does: the same port on both ends, on every address.
    same = opened()
    same.bind((anywhere, ports[0]))
    same.sendto(b"again", (host, ports[0]))
    print("bound to the same port:", same.recv(100).decode())

    answered = 0
    for number in range(1000):
        connected.send(b"%d" % number)
        if number % 20 == 19:
            for _ in range(20):
                connected.recv(100)
                answered += 1
    print(f"1000 asked, {answered} answered")

    connected.send(b"x" * 60000)
    print("large:", len(connected.recv(65536)))

    nobody = opened()
    nobody.settimeout(0.3)
    nobody.connect((host, 9))
    nobody.send(b"hello")
    try:
        print(nobody.recv(100))
    except (TimeoutError, ConnectionRefusedError):
        print("nobody there: no answer")
elif what == "refused":
    for port in ports:
        try:
            opened().sendto(b"away", (host, port))
            print("sent")
        except PermissionError:
            print("refused")
elif what == "steady":
    with open(more[1] + ".part", "w") as file:
        json.dump({"pid": os.getpid(), "env": dict(os.environ)}, file)
    os.rename(more[1] + ".part", more[1])
    one, before = opened(), None
    one.settimeout(0.2)
    while True:
        try:
            one.sendto(b"hello", (host, ports[0]))
            now = one.recv(100).decode()
        except PermissionError:
            now = "refused"
        except TimeoutError:
            now = "silent"
        if now != before:
            print(now, flush=True)
        before = now
        time.sleep(0.02)
