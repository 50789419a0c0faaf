#!/usr/bin/env python3
"""The node's protocols of today against those of an earlier release (*.proto beside this file).

  earlier_protocol.py check [FILE…]        whether programs that know the earlier ones understand today's messages: prints what
                                           differs; exit code 1 if anything does. FILE: instead of those beside this file
  earlier_protocol.py between SOCKET FLOXD  listens at SOCKET and passes calls on to floxd's socket and back, without the fields
                                           that the earlier protocol does not know, in both directions: to a shim it is a floxd
                                           of that release, and to floxd the shim
"""
import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import ttrpc_client  # noqa: E402

EARLIER = os.path.dirname(os.path.abspath(__file__))
TODAY = os.path.join(ttrpc_client.SOURCES, "protocol")


def messages_of(path):
    """{message: {number: (name, type, whether it is repeated)}} and {method: (request, response)}, by full names."""
    with open(path) as file:
        text = re.sub(r"//.*", "", file.read())
    package = re.search(r"^package ([\w.]+);", text, re.M)[1]
    messages = {}
    for name, body in re.findall(r"^message (\w+) \{(.*?)\}", text, re.M | re.S):
        messages[f"{package}.{name}"] = {
            int(number): (field, kind, bool(repeated))
            for repeated, kind, field, number in re.findall(r"(repeated )?([\w.]+) (\w+) = (\d+);", body)
        }
    methods = {}
    for service, body in re.findall(r"^service (\w+) \{(.*?)\}", text, re.M | re.S):
        for method, request, response in re.findall(r"rpc (\w+)\(([\w.]+)\) returns \(([\w.]+)\)", body):
            methods[f"{package}.{service}/{method}"] = (f"{package}.{request}", f"{package}.{response}")
    return messages, methods


def check(files):
    differences = []
    for path in files or [os.path.join(EARLIER, name) for name in sorted(os.listdir(EARLIER)) if name.endswith(".proto")]:
        earlier, earlier_methods = messages_of(path)
        today, today_methods = messages_of(os.path.join(TODAY, os.path.basename(path)))
        if not earlier or not earlier_methods:
            differences.append(f"{path} has no messages or no methods")
        for method, types in earlier_methods.items():
            if today_methods.get(method) != types:
                differences.append(f"{method} is gone, or takes or gives something else")
        for message, fields in earlier.items():
            for number, field in fields.items():
                if today.get(message, {}).get(number) != field:
                    differences.append(f"{message}: field {number}, {field[0]}, is now {today.get(message, {}).get(number)}")
    for difference in differences:
        print(difference)
    return 1 if differences else 0


def without_unknown(message, known):
    return b"".join(ttrpc_client.field(number, value) for number, value in ttrpc_client.decode(message) if number in known)


def exactly(stream, size):
    data = b""
    while len(data) < size:
        piece = stream.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def frames(stream):
    while header := exactly(stream, 10):
        payload = exactly(stream, int.from_bytes(header[:4], "big"))
        if payload is None:
            return
        yield int.from_bytes(header[4:8], "big"), header[8], header[9], payload


def serve(client, floxd_path, messages, methods):
    floxd = socket.socket(socket.AF_UNIX)
    floxd.connect(floxd_path)
    responses = {}

    def answers():
        for stream, kind, flags, payload in frames(floxd):
            fields = dict(ttrpc_client.decode(payload))
            if 2 in fields:
                fields[2] = without_unknown(fields[2], messages[responses[stream]])
            answer = b"".join(ttrpc_client.field(number, value) for number, value in fields.items())
            client.sendall(ttrpc_client.frame(stream, answer, kind, flags))
        client.close()

    threading.Thread(target=answers, daemon=True).start()
    for stream, kind, flags, payload in frames(client):
        fields = ttrpc_client.decode(payload)
        named = dict(fields)
        method = f"{named[1].decode()}/{named[2].decode()}"
        request, responses[stream] = methods[method]
        stripped = b"".join(
            ttrpc_client.field(number, without_unknown(value, messages[request]) if number == 3 else value) for number, value in fields)
        floxd.sendall(ttrpc_client.frame(stream, stripped, kind, flags))
    floxd.shutdown(socket.SHUT_RDWR)


def between(path, floxd_path):
    messages, methods = messages_of(os.path.join(EARLIER, "node.proto"))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    os.chmod(path, 0o600)
    listening.listen(64)
    while True:
        client, _ = listening.accept()
        threading.Thread(target=serve, args=(client, floxd_path, messages, methods), daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "check":
        sys.exit(check(sys.argv[2:]))
    between(*sys.argv[2:4])
