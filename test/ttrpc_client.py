"""ttrpc and protobuf for the tests' own clients, without a library: a module for test/LAYER/*.py.

A Protocol knows the methods of .proto files (below src/) and their messages' fields; a Client calls them on a socket.
"""
import os
import re
import socket
import struct

CODES = {1: "Canceled", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound", 6: "AlreadyExists",
         7: "PermissionDenied", 8: "ResourceExhausted", 9: "FailedPrecondition", 12: "Unimplemented", 13: "Internal",
         14: "Unavailable"}
SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src")


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field of a message: an int, a text or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


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


def frame(stream, payload, kind=1, flags=0, length=None):
    """A frame, a request's unless told otherwise; `length` is what it says of itself."""
    return struct.pack(">IIBB", len(payload) if length is None else length, stream, kind, flags) + payload


def status_of(response):
    """(code's name or None, message) of a Response, as it came."""
    status = dict(decode(dict(decode(response)).get(1, b"")))
    code = status.get(1, 0)
    return CODES.get(code, str(code)) if code else None, status.get(2, b"").decode(errors="replace")


class Method:
    def __init__(self, service, name, request, response):
        self.service, self.name = service, name
        self.request = request  # {field: (number, type)}
        self.response = {number: name for name, (number, _) in response.items()}

    def number(self, name):
        return self.request[name][0]

    def field(self, name, value):
        """A field by its name; text becomes what its type is."""
        number, kind = self.request[name]
        return field(number, int(value) if kind in ("bool", "int32", "int64", "uint32", "uint64") else value)


class Protocol:
    """The methods of the services in .proto files whose messages are in these files, too."""

    def __init__(self, *files):
        texts = [re.sub(r"//.*", "", open(os.path.join(SOURCES, name)).read()) for name in files]
        messages = {}
        for text in texts:
            for name, body in re.findall(r"^message (\w+) \{(.*?)\}", text, re.M | re.S):
                fields = re.findall(r"(?:repeated )?([\w.<>, ]+?) (\w+) = (\d+);", body)
                messages[name] = {field: (int(number), kind.strip()) for kind, field, number in fields}
        self.methods = {}
        for text in texts:
            package = re.search(r"^package ([\w.]+);", text, re.M)[1]
            for service, body in re.findall(r"^service (\w+) \{(.*?)\}", text, re.M | re.S):
                for name, request, response in re.findall(r"rpc (\w+)\(([\w.]+)\) returns \(([\w.]+)\)", body):
                    self.methods[name] = Method(f"{package}.{service}", name, messages[request.split(".")[-1]],
                                                messages[response.split(".")[-1]])


class Client:
    def __init__(self, path, timeout=300):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.stream = 1

    def send(self, service, method, payload, timeout=0):
        """A request; the timeout is in milliseconds, 0 for none."""
        request = field(1, service) + field(2, method) + field(3, payload)
        if timeout:
            request += field(4, timeout * 1_000_000)
        self.socket.sendall(frame(self.stream, request))
        self.stream += 2

    def receive(self):
        """The next Response, undecoded."""
        return self.exactly(struct.unpack(">IIBB", self.exactly(10))[0])

    def exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the server closed the connection")
            data += piece
        return data

    def answer(self):
        """(code's name or None, message or the answer's [(number, value)])"""
        response = self.receive()
        code, message = status_of(response)
        return (code, message) if code else (None, decode(dict(decode(response)).get(2, b"")))
