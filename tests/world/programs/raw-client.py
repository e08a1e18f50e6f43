# A raw TCP client: prints the greeting of HOST PORT, sends a megabyte, counts what comes back, ends its side, and waits for the other's end.
import socket, sys, threading

with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as connection:
    print(connection.recv(100).decode().strip())
    sent = 1_000_000

    def send():
        connection.sendall(b"x" * sent)
        connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=send).start()
    received = 0
    while data := connection.recv(65536):
        received += len(data)
    print("all back" if received == sent else f"{received} of {sent} back")
