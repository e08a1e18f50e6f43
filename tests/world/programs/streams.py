# Strangers for raw bytes and datagrams. `serve-all TCPPORT UDPPORT`: a TCP server that answers with all it got, once the other end is
# done, and a UDP server that answers in capitals. `say HOST PORT TEXT`: ends its own side, prints all that comes back. `ask HOST PORT
# TEXT`: one datagram, and its answer.
import socket, sys, threading, time

what, *args = sys.argv[1:]
if what == "serve-all":
    tcp = socket.create_server(("127.0.0.1", int(args[0])), backlog=64)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", int(args[1])))

    def serve(connection):
        with connection:
            got = b""
            while data := connection.recv(65536):
                got += data
            connection.sendall(got)

    def accept():
        while True:
            threading.Thread(target=serve, args=(tcp.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print("serving", flush=True)
    while True:
        datagram, sender = udp.recvfrom(65536)
        udp.sendto(datagram.upper(), sender)
elif what == "say":
    with socket.create_connection((args[0], int(args[1])), 10) as connection:
        connection.settimeout(10)
        connection.sendall(args[2].encode().decode("unicode_escape").encode("latin1"))
        # Envoy cuts who is done before its listener filters are.
        time.sleep(0.2)
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while data := connection.recv(65536):
            got += data
        print(got.decode("latin1"))
else:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(args[2].encode(), (args[0], int(args[1])))
        print(client.recv(65536).decode())
