#!/usr/bin/env python3
"""One call of floxd's services (src/protocol/) on a socket, by whoever is asked to make it.

  node_call.py SOCKET METHOD FIELD=VALUE…    prints "ok FIELD=VALUE …" or "CODE: message"

A value @FILE is the file's content. raw=@FILE sends those bytes instead of a message. Fields of the services by
their names in node.proto, pod.proto, prefetch.proto and status.proto; env and args may be repeated. Usable as a module: Client, encode.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import ttrpc_client  # noqa: E402

METHODS = ttrpc_client.Protocol("protocol/node.proto", "protocol/pod.proto", "protocol/prefetch.proto", "protocol/status.proto").methods


def encode(method, arguments):
    """A message from [(name, value)]."""
    out = b""
    for name, value in arguments:
        if name == "raw":
            return value if isinstance(value, bytes) else value.encode()
        out += METHODS[method].field(name, value)
    return out


class Client(ttrpc_client.Client):
    def call(self, method, arguments):
        """(code's name or None, message or {field: [value]})"""
        self.send(METHODS[method].service, method, encode(method, arguments))
        code, answer = self.answer()
        if code:
            return code, answer
        names, fields = METHODS[method].response, {}
        for number, value in answer:
            text = str(value) if isinstance(value, int) else value.decode(errors="replace")
            fields.setdefault(names.get(number, str(number)), []).append(text)
        return None, fields


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
