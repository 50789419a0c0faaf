#!/usr/bin/env python3
"""HTTP servers for tests of clients: on each ADDRESS:PORT the files of a directory, or whatever rules.json says.

  http_server.py DIRECTORY ADDRESS:PORT[,tls]…

rules.json in DIRECTORY, read at each request, gives for "ADDRESS:PORT PATH" or " PATH" (of any address; without the
query) an object: status, headers (object), body (text), repeat (of the body), endless (true: headers without end).
Each request becomes a line of JSON in requests.log: {"server": …, "path": …, "headers": {…}}. tls.crt and tls.key in
DIRECTORY are the certificate. Writes the file "ready" once it listens everywhere.
"""
import http.server
import json
import os
import ssl
import sys
import threading

directory = sys.argv[1]
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path, _, _ = self.path.partition("?")
        name = "%s:%d" % self.server.server_address[:2]
        with lock, open(os.path.join(directory, "requests.log"), "a") as log:
            headers = {key.lower(): value for key, value in self.headers.items()}
            log.write(json.dumps({"server": name, "method": self.command, "path": self.path, "headers": headers}) + "\n")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        rules = {}
        if os.path.exists(os.path.join(directory, "rules.json")):
            with open(os.path.join(directory, "rules.json")) as text:
                rules = json.load(text)
        rule = rules.get(name + " " + path, rules.get(" " + path))
        if rule is None:
            file = os.path.join(directory, path.lstrip("/"))
            body = open(file, "rb").read() if os.path.isfile(file) else None
            rule = {"status": 200 if body is not None else 404}
            body = body or b""
        else:
            body = rule.get("body", "").encode() * rule.get("repeat", 1)
        self.send_response(rule.get("status", 200))
        for key, value in rule.get("headers", {}).items():
            self.send_header(key, value)
        if rule.get("endless"):
            self.flush_headers()
            for number in range(100000):
                self.wfile.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = answer

    def handle(self):
        try:
            super().handle()
        except OSError:  # the client hung up, as it should
            pass

    def log_message(self, *arguments):
        pass


for place in sys.argv[2:]:
    address, _, tls = place.partition(",")
    host, _, port = address.rpartition(":")
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(directory, "tls.crt"), os.path.join(directory, "tls.key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
open(os.path.join(directory, "ready"), "w").close()
threading.Event().wait()
