#!/usr/bin/env python3
"""Asks a catalog as many clients do, until a file appears: keep-alive connections and new ones, small answers and transfers that
take a while. Nothing is asked twice: whatever is not answered as it should be is a failure.

    catalog_load.py URL AUTHORITY PATHS STOP RESULT

PATHS is a JSON document: the narinfo and the NAR to fetch, the NAR's SHA-256, and what to resolve. RESULT gets, for each kind of
client, how many requests were answered, by how many connections, and the failures; it is written anew after every few requests.
"""
import hashlib
import http.client
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

url, authority, paths, stop, result = sys.argv[1:]
place = urllib.parse.urlsplit(url)
paths = json.load(open(paths))
context = ssl.create_default_context(cafile=authority)
clients, lock = {}, threading.Lock()


class Client:
    """One connection after another."""

    def __init__(self, kind, keep):
        self.kind, self.keep, self.connection = kind, keep, None
        with lock:
            self.counts = clients.setdefault(kind, {"answered": 0, "connections": 0, "failures": []})

    def ask(self, method, path, body=None, pause=0.0):
        began = time.time()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(place.hostname, place.port, timeout=60, context=context)
                self.connection.connect()
                with lock:
                    self.counts["connections"] += 1
            self.connection.request(method, path, body=body, headers={} if self.keep else {"Connection": "close"})
            response = self.connection.getresponse()
            content = b""
            while piece := response.read(16384):
                content += piece
                time.sleep(pause)
            if response.will_close or not self.keep:
                self.drop()
            return response.status, content
        except (OSError, http.client.HTTPException) as error:
            self.drop()
            raise RuntimeError(f"{method} {path} after {time.time() - began:.2f} s: {error!r}") from error

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def run(kind, keep, pause, ask):
    client = Client(kind, keep)
    while not os.path.exists(stop):
        failure = None
        try:
            failure = ask(client)
        except RuntimeError as error:
            failure = str(error)
        with lock:
            if failure:
                client.counts["failures"].append(f"{time.strftime('%T')} {failure}")
            else:
                client.counts["answered"] += 1
        time.sleep(pause)


def resolve(client):
    status, content = client.ask("POST", "/api/v1/catalog/resolve", json.dumps(paths["resolve"]))
    if status != 200 or not json.loads(content)["items"][0]["page"]["complete"]:
        return f"resolve: {status} {content[:200]}"
    return None


def narinfo(client):
    status, content = client.ask("GET", paths["narinfo"])
    return None if status == 200 and content.startswith(b"StorePath: ") else f"narinfo: {status} {content[:200]}"


def nar(pause):
    def fetch(client):
        status, content = client.ask("GET", paths["nar"], pause=pause)
        if status != 200 or hashlib.sha256(content).hexdigest() != paths["nar_sha256"]:
            return f"NAR: {status}, {len(content)} bytes"
        return None

    return fetch


def report():
    with lock:
        text = json.dumps(clients, indent=1)
    with open(result + ".new", "w") as file:
        file.write(text)
    os.replace(result + ".new", result)


kinds = [
    ("resolve, kept alive", True, 0.05, resolve),
    ("resolve, new connections", False, 0.1, resolve),
    ("narinfo, kept alive", True, 0.02, narinfo),
    ("narinfo, kept alive, seldom", True, 1.0, narinfo),
    ("narinfo, new connections", False, 0.05, narinfo),
    ("NAR", True, 0.2, nar(0)),
    ("NAR, slow reader", True, 0.1, nar(0.05)),
]
threads = [threading.Thread(target=run, args=kind) for kind in kinds]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    report()
    time.sleep(0.3)
report()
