"""A server of gRPC as grpcio makes one; what it does is what server.mjs does. Knows nothing of Weft.
    python3 server.py NAME PORT REPORT"""
import json, os, sys, threading
from concurrent import futures
import grpc

name, port, report = sys.argv[1:]
begun = cancelled = 0
lock = threading.Lock()
TRAILING = (("x-trailing-bin", b"\x00\xff"),)


def unary(request, context):
    given = ",".join(value for key, value in context.invocation_metadata() if key == "x-in")
    context.send_initial_metadata((("x-initial", f"{name} {given}"),))
    context.set_trailing_metadata(TRAILING)
    return request


def collect(requests, context):
    sizes = [len(one) for one in requests]
    context.set_trailing_metadata(TRAILING)
    return f"{len(sizes)} {sum(sizes)}".encode()


def count(request, context):
    for n in range(int(request)):
        yield str(n).encode()
    context.set_trailing_metadata(TRAILING)


def chat(requests, context):
    for one in requests:
        yield one
    context.set_trailing_metadata(TRAILING)


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "öre 100 %")


def slow(request, context):
    global begun, cancelled
    with lock:
        begun += 1
    ended = threading.Event()
    # False: the call was over before this began.
    if context.add_callback(ended.set):
        ended.wait(60)
    with lock:
        cancelled += 1
    return b"late"


def how_many(request, context):
    with lock:
        return f"{cancelled} of {begun}".encode()


class Interop(grpc.GenericRpcHandler):
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Cancelled": grpc.unary_unary_rpc_method_handler(how_many),
    }

    def service(self, details):
        service, method = details.method[1:].split("/")
        return self.handlers.get(method) if service == "weft.Interop" else None


server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", 8_000_000)])
server.add_generic_rpc_handlers((Interop(),))
assert server.add_insecure_port(f"127.0.0.1:{port}") == int(port)
server.start()
with open(f"{report}.new", "w") as file:
    json.dump({"pid": os.getpid(), "env": dict(os.environ)}, file)
os.rename(f"{report}.new", report)
server.wait_for_termination()
