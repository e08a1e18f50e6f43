"""Calls a server by grpcio in every way there is, and prints what came of it, as client.mjs does. Knows nothing of Weft.
    python3 client.py TARGET    prints one JSON object"""
import json, queue, sys, time
import grpc

channel = grpc.insecure_channel(
    sys.argv[1], options=[("grpc.max_receive_message_length", 8_000_000), ("grpc.enable_retries", 0)]
)
META = (("x-in", "a"),)


def binary(metadata):
    return next((value.hex() for key, value in metadata if key == "x-trailing-bin"), None)


def call(method, message=b"", **options):
    return channel.unary_unary(f"/weft.Interop/{method}").with_call(message, metadata=META, **options)


def code(method, **options):
    try:
        call(method, **options)
        return 0
    except grpc.RpcError as error:
        return error.code().value[0]


def slow_calls():
    """How many calls of Slow the server has seen cancelled, and how many it has begun."""
    return [int(one) for one in call("Cancelled")[0].split(b" of ")]


results = {}
reply, done = call("Unary", b"hello")
initial = dict(done.initial_metadata()).get("x-initial")
results["unary"] = [done.code().value[0], reply.decode(), initial, binary(done.trailing_metadata())]
big = b"x" * 3_000_000
results["large"] = call("Unary", big)[0] == big
reply, done = channel.stream_unary("/weft.Interop/Collect").with_call(
    (bytes(10_000) for _ in range(20)), metadata=META
)
results["collect"] = [reply.decode(), binary(done.trailing_metadata())]
stream = channel.unary_stream("/weft.Interop/Count")(b"100", metadata=META)
seen = [int(one) for one in stream]
results["count"] = [stream.code().value[0], len(seen), seen == list(range(100)), binary(stream.trailing_metadata())]

# Each message waits for the echo of the one before.
outgoing = queue.Queue()
outgoing.put(b"\0")
stream = channel.stream_stream("/weft.Interop/Chat")(iter(outgoing.get, None), metadata=META)
rounds = 0
for _ in stream:
    rounds += 1
    outgoing.put(bytes([rounds]) if rounds < 20 else None)
results["chat"] = [stream.code().value[0], rounds, binary(stream.trailing_metadata())]

try:
    call("Fail")
except grpc.RpcError as error:
    results["fail"] = [error.code().value[0], error.details()]
results["unknown"] = code("Nothing")
results["deadline"] = code("Slow", timeout=0.3)
_, begun_before = slow_calls()
slow = channel.unary_unary("/weft.Interop/Slow").future(b"", metadata=META)
for _ in range(500):
    _, begun = slow_calls()
    if begun > begun_before:
        break
    time.sleep(0.02)
slow.cancel()
try:
    slow.result()
except grpc.FutureCancelledError:
    results["cancel"] = slow.code().value[0]
# The server hears of each that had reached it, in its own time.
for _ in range(500):
    cancelled, begun = slow_calls()
    results["cancelled"] = cancelled == begun
    if results["cancelled"]:
        break
    time.sleep(0.02)
print(json.dumps(results))
