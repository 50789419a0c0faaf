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
import random
import socket
import struct
import sys

CODES = {1: "Canceled", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound", 6: "AlreadyExists",
         7: "PermissionDenied", 8: "ResourceExhausted", 9: "FailedPrecondition", 12: "Unimplemented", 13: "Internal",
         14: "Unavailable"}
PROCESS = {"id": 1, "exec_id": 2}
FIELDS = {
    "Create": {"id": 1, "bundle": 2, "terminal": 4, "stdin": 5, "stdout": 6, "stderr": 7, "checkpoint": 8,
               "binary": 10, "options": 10},
    "Exec": {"id": 1, "exec_id": 2, "terminal": 3, "stdin": 4, "stdout": 5, "stderr": 6, "spec": 7},
    "Kill": {**PROCESS, "signal": 3, "all": 4},
    "ResizePty": {**PROCESS, "width": 3, "height": 4},
    "CloseIO": {**PROCESS, "stdin": 3},
    "Checkpoint": {"id": 1, "path": 2},
    "Update": {"id": 1, "resources": 2},
    "Shutdown": {"id": 1, "now": 2},
}
NUMBERS = {"terminal", "signal", "all", "width", "height", "now"}
TYPES = {"spec": "types.containerd.io/opencontainers/runtime-spec/1/Process",
         "resources": "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"}


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def text(number, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(field, value):
    return varint(field << 3) + varint(value)


def decode(data):
    """[(number, value)] of a message: ints and bytes."""
    fields, at = [], 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = read()
        if key & 7 == 0:
            fields.append((key >> 3, read()))
        else:
            size = read()
            fields.append((key >> 3, data[at:at + size]))
            at += size
    return fields


def encode(method, arguments):
    if "raw" in arguments:
        return bytes.fromhex(arguments["raw"])
    out = b""
    for name, value in arguments.items():
        field = FIELDS.get(method, PROCESS)[name]
        if name in NUMBERS or (method, name) == ("CloseIO", "stdin"):
            out += number(field, int(value))
        elif name == "binary":
            out += text(field, text(1, "containerd.runc.v1.Options") + text(2, text(6, value)))
        elif name == "options":
            out += text(field, text(1, value) + text(2, "?"))
        elif name in TYPES:
            body = open(value).read() if name == "spec" else value
            out += text(field, text(1, TYPES[name]) + text(2, body))
        else:
            out += text(field, value)
    return out


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.stream = 1

    def send(self, method, arguments):
        arguments = dict(arguments)
        service = arguments.pop("service", "containerd.task.v2.Task")
        timeout = int(arguments.pop("timeout", 0)) * 1000000
        request = text(1, service) + text(2, method) + text(3, encode(method, arguments))
        if timeout:
            request += number(4, timeout)
        self.socket.sendall(struct.pack(">IIBB", len(request), self.stream, 1, 0) + request)
        self.stream += 2

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the shim closed the connection")
            data += piece
        return data

    def call(self, method, arguments):
        """(code's name or None, message or the answer's fields)"""
        self.send(method, arguments)
        length = struct.unpack(">IIBB", self.receive(10))[0]
        response = dict(decode(self.receive(length)))
        status = dict(decode(response.get(1, b"")))
        if status.get(1, 0):
            return CODES.get(status[1], str(status[1])), status.get(2, b"").decode()
        return None, decode(response.get(2, b""))


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
    good = text(1, "containerd.task.v2.Task") + text(2, "Connect") + text(3, text(1, "x"))
    for _ in range(300):
        client = Client(path)
        try:
            for _ in range(rng.randrange(1, 6)):
                body = bytearray(good)
                for _ in range(rng.randrange(4)):
                    body[rng.randrange(len(body))] = rng.randrange(256)
                length = rng.choice([len(body), len(body) + rng.randrange(100), 4 << 20, 0xFFFFFFFF, 0, rng.randrange(1 << 32)])
                header = struct.pack(">IIBB", length, rng.choice([0, 1, 2, 3, 5, 0xFFFFFFFF]), rng.randrange(256) % 5,
                                     rng.randrange(256) % 9)
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
        return client.send(method, arguments)
    code, answer = client.call(method, arguments)
    print(f"{code}: {answer}" if code else " ".join(["ok"] + [f"{field}={shown(value)}" for field, value in answer]))


main()
