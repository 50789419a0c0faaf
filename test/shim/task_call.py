#!/usr/bin/python3 -IS
"""One or more calls of containerd's Task service on a shim's socket, without containerd.

  task_call.py SOCKET METHOD name=value…     prints "ok 1=… 3=…" (the answer's fields by number) or "CODE: message"
  task_call.py SOCKET cycle id=ID count=N    N times Exec, Start, Kill and Delete of a process that sleeps
  task_call.py SOCKET garbage seed=N         frames that are malformed in every way, on many connections
  task_call.py SOCKET vanish METHOD name=…   sends the call and closes the connection without reading

Fields: id exec_id bundle checkpoint stdin stdout stderr terminal signal all width height path now spec (a JSON file) resources
(JSON); binary=OCI-RUNTIME; options=TYPE of options that nobody understands; raw=HEX instead of a message;
service=containerd.task.v3.Task for the other version; timeout=MILLISECONDS.
"""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import ttrpc_client  # noqa: E402
from ttrpc_client import field, frame  # noqa: E402

METHODS = ttrpc_client.Protocol("shim/protocol/task.proto", "shim/protocol/task_v2.proto").methods
SERVICE = METHODS["State"].service
TYPES = {"spec": "types.containerd.io/opencontainers/runtime-spec/1/Process",
         "resources": "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"}


def any_of(kind, value):
    return field(1, kind) + field(2, value)


def encode(method, arguments):
    if "raw" in arguments:
        return bytes.fromhex(arguments["raw"])
    known, out = METHODS.get(method), b""
    for name, value in arguments.items():
        if name == "binary":
            out += field(known.number("options"), any_of("containerd.runc.v1.Options", field(6, value)))
        elif name == "options":
            out += field(known.number("options"), any_of(value, "?"))
        elif name in TYPES:
            body = open(value).read() if name == "spec" else value
            out += field(known.number(name), any_of(TYPES[name], body))
        else:
            out += known.field(name, value)
    return out


class Client(ttrpc_client.Client):
    def ask(self, method, arguments):
        arguments = dict(arguments)
        service = arguments.pop("service", SERVICE)
        timeout = int(arguments.pop("timeout", 0))
        self.send(service, method, encode(method, arguments), timeout)

    def call(self, method, arguments):
        """(code's name or None, message or the answer's fields)"""
        self.ask(method, arguments)
        return self.answer()


def shown(value):
    if isinstance(value, int):
        return str(value)
    if value and all(32 <= byte < 127 for byte in value):
        return value.decode()
    return "0x" + value.hex()


def cycle(path, arguments):
    client = Client(path)
    for i in range(int(arguments["count"])):
        name = {"id": arguments["id"], "exec_id": f"c{i}"}
        for method, more in (("Exec", {"spec": arguments["spec"]}), ("Start", {}), ("Kill", {"signal": "9"}), ("Wait", {}),
                             ("Delete", {})):
            code, answer = client.call(method, {**name, **more})
            if code:
                sys.exit(f"{method} of c{i}: {code}: {answer}")
    print(f"ok {arguments['count']} cycles")


def garbage(path, arguments):
    """Nothing here may disturb the other connections."""
    rng = random.Random(int(arguments["seed"]))
    good = field(1, SERVICE) + field(2, "Connect") + field(3, field(1, "x"))
    for _ in range(300):
        client = Client(path)
        try:
            for _ in range(rng.randrange(1, 6)):
                body = bytearray(good)
                for _ in range(rng.randrange(4)):
                    body[rng.randrange(len(body))] = rng.randrange(256)
                length = rng.choice([len(body), len(body) + rng.randrange(100), 4 << 20, 0xFFFFFFFF, 0, rng.randrange(1 << 32)])
                header = frame(rng.choice([0, 1, 2, 3, 5, 0xFFFFFFFF]), b"", rng.randrange(256) % 5, rng.randrange(256) % 9, length)
                client.socket.sendall(header[:rng.choice([10, 10, 10, rng.randrange(10)])] + bytes(body))
        except OSError:
            pass  # it may hang up on us
        client.socket.close()
    print("ok")


def main():
    path, method = sys.argv[1:3]
    words = sys.argv[3:]
    vanish = method == "vanish"
    if vanish:
        method, words = words[0], words[1:]
    arguments = dict(word.split("=", 1) for word in words)
    if method == "cycle":
        return cycle(path, arguments)
    if method == "garbage":
        return garbage(path, arguments)
    client = Client(path)
    if vanish:
        return client.ask(method, arguments)
    code, answer = client.call(method, arguments)
    print(f"{code}: {answer}" if code else " ".join(["ok"] + [f"{number}={shown(value)}" for number, value in answer]))


main()
