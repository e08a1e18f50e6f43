# A raw TCP server that speaks first, and then says everything back. PORT [HOST]
import socket, sys, threading

server = socket.create_server((sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1", int(sys.argv[1])), backlog=64)


def serve(connection):
    with connection:
        connection.sendall(b"220 at your service\r\n")
        while data := connection.recv(65536):
            connection.sendall(data)


while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
