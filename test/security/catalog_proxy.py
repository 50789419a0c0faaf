#!/usr/bin/env python3
"""Somebody between a catalog and those who ask it, on plain HTTP.

  catalog_proxy.py CATALOG-URL PORT DIRECTORY

Hands requests on, and changes JSON answers as the file DIRECTORY/attack says, which is read at each request:

  (nothing)    as they are
  keep         as they are; those about environments and packages are kept in DIRECTORY/kept.json
  hook         an environment's lock gets a hook, the rest stays
  hook-bare    the same, and what was signed is left out
  path PATH    a resolved package's outputs are PATH
  replay       answers about environments and packages are those that were kept
  old-evidence present answers, with the evidence that was kept
"""
import http.server
import json
import os
import sys
import threading
import urllib.error
import urllib.request

catalog, port, directory = sys.argv[1].rstrip("/"), int(sys.argv[2]), sys.argv[3]
HOOK = 'echo "hooked as $(id -u)"'
lock = threading.Lock()
kept_file = os.path.join(directory, "kept.json")


def kept():
    return json.load(open(kept_file)) if os.path.exists(kept_file) else {}


def attack():
    file = os.path.join(directory, "attack")
    return open(file).read().split() if os.path.exists(file) else []


def changed(key, answer):
    how = attack()
    if not how:
        return answer
    if how[0] == "keep":
        with lock:
            answers = kept()
            answers[key] = answer
            json.dump(answers, open(kept_file, "w"))
    elif how[0].startswith("hook") and "lock" in answer:
        answer["lock"]["manifest"]["hook"] = {"on-activate": HOOK}
        answer["manifest"] += "\n"
        if how[0] == "hook-bare":
            answer.pop("evidence", None)
    elif how[0] == "path":
        for item in answer.get("items", []):
            for package in item["page"]["packages"]:
                package["outputs"] = {name: how[1] for name in package["outputs"]}
    elif how[0] == "replay" and key in kept():
        return kept()[key]
    elif how[0] == "old-evidence" and key in kept():
        answer["evidence"] = kept()[key]["evidence"]
    return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection", "accept-encoding")}
        request = urllib.request.Request(catalog + self.path, data=body or None, headers=headers, method=self.command)
        try:
            with urllib.request.urlopen(request) as response:
                status, kind, data = response.status, response.headers.get("Content-Type", ""), response.read()
        except urllib.error.HTTPError as error:
            status, kind, data = error.code, error.headers.get("Content-Type", ""), error.read()
        is_answer = self.path.startswith("/api/v1/environments/") and self.command == "GET" or self.path == "/api/v1/catalog/resolve"
        if status == 200 and is_answer:
            key = self.path + " " + body.decode()
            data = json.dumps(changed(key, json.loads(data))).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = answer

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
