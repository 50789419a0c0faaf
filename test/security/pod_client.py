#!/usr/bin/env python3
"""What a hostile pod does on floxd's pod socket, one story a command (run it with as_pod of support.sh).

  pod_client.py SOCKET announce COUNT BYTES   COUNT connections that announce a frame of BYTES and send none of it;
                                              prints how many are open, and keeps them until its input ends
  pod_client.py SOCKET locks COUNT BYTES      COUNT different locks of about BYTES each, realised; prints
                                              "ok N", then "CODE N" and a message for each code
  pod_client.py SOCKET burst COUNT METHOD     COUNT calls at once on as many connections; prints the codes' counts
  pod_client.py SOCKET silent                 connects and sends nothing; prints what it is told until it is cut off
  pod_client.py SOCKET half                   half a header; prints "cut off" when the connection is closed
  pod_client.py SOCKET deaf COUNT             COUNT calls, reading no answer; prints how many could be sent
  pod_client.py SOCKET garbled COUNT          COUNT calls whose texts are not UTF-8; prints the last answer
  pod_client.py SOCKET held PID-FILE          connects, writes its number, lives on in a child that holds the connection
                                              while the number is free again; asks Realise when its input ends
  pod_client.py SOCKET twice                  asks DefaultEnvironment, and once more on the same connection when its
                                              input ends
"""
import json
import os
import random
import socket
import sys
import time
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from node_call import METHODS, Client, encode  # noqa: E402
from ttrpc_client import field, frame, status_of  # noqa: E402

SYSTEM = os.uname().machine + "-linux"


class Patient(Client):
    """A server that refuses us says why before it closes the connection."""

    def send(self, service, method, payload):
        try:
            super().send(service, method, payload)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def ask(self, method, arguments=()):
        try:
            return self.call(method, arguments)
        except (ConnectionError, OSError) as error:
            return "Closed", str(error)


def lock(text):
    return json.dumps({"lockfile-version": 1, "manifest": {"schema-version": "1.10.0", "vars": {"TEXT": text}}, "packages": []})


def realise(path, text):
    return Patient(path).ask("Realise", [("lock_json", text), ("system", SYSTEM), ("mode", "run")])


def shown(answer):
    code, rest = answer
    return f"{code}: {rest}" if code else "ok " + " ".join(v for values in rest.values() for v in values)


def announce(path, count, size):
    connections = []
    for _ in range(int(count)):
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        try:
            client.send(frame(1, b"", length=int(size)))
            connections.append(client)
        except OSError:
            client.close()
    print(len(connections), flush=True)
    sys.stdin.read()


def locks(path, count, size):
    codes, messages = Counter(), {}
    for number in range(int(count)):
        text = random.Random(number).randbytes(int(size) // 2 - 200).hex()
        code, answer = realise(path, lock(f"{number} {text}"))
        codes[code or "ok"] += 1
        if code:
            messages[code] = answer.splitlines()[0]
    for code, number in codes.items():
        print(code, number, messages.get(code, ""))


def burst(path, count, method):
    clients, codes, messages = [], Counter(), {}
    arguments = {"Resolve": [("install_id", "hello"), ("descriptor_json", '{"pkg-path": "hello"}'), ("system", SYSTEM)]}
    for _ in range(int(count)):
        client = Patient(path)
        client.send(METHODS[method].service, method, encode(method, arguments.get(method, [])))
        clients.append(client)
    print("sent", flush=True)
    for client in clients:
        try:
            code, message = status_of(client.receive())
            code = code or "ok"
            messages[code] = message.split("\n")[0]
        except (ConnectionError, OSError):
            code = "Closed"
        codes[code] += 1
    for code, number in codes.items():
        print(code, number, messages.get(code, ""))


def silent(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(path)
    said = b""
    while piece := client.recv(4096):
        said += piece
    print(said.decode(errors="replace"))


def half(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(120)
    client.connect(path)
    client.send(b"\0\0\1")
    print("cut off" if client.recv(100) == b"" else "answered")


def deaf(path, count):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.settimeout(2)
    payload = field(1, METHODS["Resolve"].service) + field(2, "No" * 20000)
    sent = 0
    try:
        for number in range(int(count)):
            client.sendall(frame(2 * number + 1, payload))
            sent += 1
    except OSError:
        pass
    print(sent)


def garbled(path, count):
    client = Patient(path)
    for number in range(int(count)):
        client.send(METHODS["Realise"].service, b"\xff" if number % 2 else "Realise", field(1, b"\xff"))
        code, message = status_of(client.receive())
    print(code or "ok", message)


def held(path, pid_file):
    if os.fork() > 0:  # what as_pod has started stays, and waits for the child below
        os.wait()
        return
    # This process connects and ends; its child holds the connection.
    client = Patient(path)
    ready, told = os.pipe()
    if os.fork() > 0:
        os.close(told)
        os.read(ready, 1)
        os._exit(0)
    with open(pid_file + ".new", "w") as file:
        file.write(f"{os.getppid()} {os.getpid()}")
    os.rename(pid_file + ".new", pid_file)
    os.write(told, b"x")
    while not os.path.exists(pid_file + ".go"):
        time.sleep(0.05)
    answer = client.ask("Realise", [("lock_json", lock("whose?")), ("system", SYSTEM), ("mode", "run")])
    with open(pid_file + ".answer.new", "w") as file:
        file.write(shown(answer))
    os.rename(pid_file + ".answer.new", pid_file + ".answer")


def twice(path):
    client = Patient(path)
    print(shown(client.ask("DefaultEnvironment")), flush=True)
    sys.stdin.read()
    print(shown(client.ask("DefaultEnvironment")), flush=True)


STORIES = {f.__name__: f for f in (announce, locks, burst, silent, half, deaf, garbled, held, twice)}

if __name__ == "__main__":
    STORIES[sys.argv[2]](sys.argv[1], *sys.argv[3:])
