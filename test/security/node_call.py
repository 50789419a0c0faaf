#!/usr/bin/env python3
"""One call of floxd's services (src/protocol/node.proto) on a socket, by whoever is asked to make it.

  node_call.py SOCKET METHOD FIELD=VALUE…    prints "ok FIELD=VALUE …" or "CODE: message"

A value @FILE is the file's content. raw=@FILE sends those bytes instead of a message. Fields of the two services by
their names in node.proto; env and args may be repeated. Usable as a module: Client, encode.
"""
import socket
import struct
import sys

CODES = {1: "Canceled", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound", 6: "AlreadyExists",
         7: "PermissionDenied", 8: "ResourceExhausted", 9: "FailedPrecondition", 12: "Unimplemented", 13: "Internal",
         14: "Unavailable"}
NODE, POD = "flox.node.v1.Node", "flox.pod.v1.Pod"
# METHOD: service, request fields, answer fields
METHODS = {
    "Prepare": (NODE, {"container_id": 1, "pod_id": 2, "pod_namespace": 3, "pod_name": 4, "container_name": 5,
                       "environment": 6, "activate_mode": 7, "args": 8, "env": 9, "cwd": 10, "uid": 11, "gid": 12,
                       "store_view": 13},
                {1: "store_directory", 2: "runtime_path", 3: "pod_socket_directory", 4: "profile", 5: "env", 6: "args"}),
    "Release": (NODE, {"container_id": 1}, {}),
    "DefaultEnvironment": (POD, {}, {1: "environment"}),
    "Resolve": (POD, {"install_id": 1, "descriptor_json": 2, "system": 3}, {1: "package_json"}),
    "Realise": (POD, {"lock_json": 1, "system": 2, "mode": 3}, {1: "profile"}),
}
NUMBERS = {"uid", "gid"}


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def decode(data):
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
    """A message from [(name, value)]."""
    out = b""
    for name, value in arguments:
        if name == "raw":
            return value if isinstance(value, bytes) else value.encode()
        number = METHODS[method][1][name]
        out += varint(number << 3) + varint(int(value)) if name in NUMBERS else field(number, value)
    return out


class Client:
    def __init__(self, path, timeout=300):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.stream = 1

    def send(self, service, method, payload):
        request = field(1, service) + field(2, method) + field(3, payload)
        self.socket.sendall(struct.pack(">IIBB", len(request), self.stream, 1, 0) + request)
        self.stream += 2

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("floxd closed the connection")
            data += piece
        return data

    def call(self, method, arguments):
        """(code's name or None, message or {field: value})"""
        service, _, names = METHODS[method]
        self.send(service, method, encode(method, arguments))
        length = struct.unpack(">IIBB", self.receive(10))[0]
        response = dict(decode(self.receive(length)))
        status = dict(decode(response.get(1, b"")))
        if status.get(1, 0):
            return CODES.get(status[1], str(status[1])), status.get(2, b"").decode(errors="replace")
        answer = {}
        for number, value in decode(response.get(2, b"")):
            answer.setdefault(names.get(number, str(number)), []).append(value.decode(errors="replace"))
        return None, answer


def main():
    path, method = sys.argv[1:3]
    arguments = []
    for word in sys.argv[3:]:
        name, value = word.split("=", 1)
        if value.startswith("@"):
            with open(value[1:], "rb") as file:
                value = file.read()
        arguments.append((name, value))
    try:
        code, answer = Client(path).call(method, arguments)
    except (OSError, ConnectionError) as error:
        print(f"Closed: {error}")
        return
    print(f"{code}: {answer}" if code else " ".join(["ok"] + [f"{k}={v}" for k, vs in answer.items() for v in vs]))


if __name__ == "__main__":
    main()
