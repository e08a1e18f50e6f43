# A raw TCP server that speaks first, and then says everything back. PORT
import socket, sys, threading

server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)


def serve(connection):
    with connection:
        connection.sendall(b"220 at your service\r\n")
        while data := connection.recv(65536):
            connection.sendall(data)


while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
