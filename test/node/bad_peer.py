#!/usr/bin/env python3
"""A peer that says it has everything and then does what MODE says (docs/formats/peers.md), for tests of who asks it.

  bad_peer.py ADDRESS:PORT LOG MODE

  other     other bytes, as many as were asked for        endless   bytes without end
  stall     the head, and nothing more                    drip      a byte now and then
  die       a NAR that breaks off
  promise   "I am fetching it", with progress, for ever   garbage   answers that mean nothing
  mute      takes connections and never answers           elsewhere a redirect to $BAD_PEER_ELSEWHERE
  another   the NAR of another path, whole                narinfo   a narinfo without end, and no NAR
Each request becomes a line "METHOD PATH" in LOG.
"""
import http.server
import os
import sys
import threading
import time

address, log_name, mode = sys.argv[1:4]
lock = threading.Lock()


def nar_text(text):
    return len(text).to_bytes(8, "little") + text + b"\0" * (-len(text) % 8)


HEAD = b"".join(nar_text(t) for t in (b"nix-archive-1", b"(", b"type", b"regular", b"contents")) + (150_000).to_bytes(8, "little")
progress = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def begin(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with lock, open(log_name, "a") as log:
            log.write("%s %s\n" % (self.command, self.path))
        if mode == "mute":
            time.sleep(3600)
        return body

    def answer(self, body, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_POST(self):
        global progress
        asked = len(self.begin().splitlines())
        progress += 1
        if mode == "garbage":
            return self.answer(b"\0" * 100)
        letter = b"f" if mode == "promise" else b"h"
        self.answer(b"%016x %016x\n" % (0xBAD, progress) + letter * asked + b"\n")

    def do_GET(self):
        self.begin()
        self.close_connection = True
        if mode == "another":
            self.answer(HEAD + b"a" * 150_000 + nar_text(b")"))
        elif mode == "narinfo" and not self.path.endswith(".narinfo"):
            self.send_error(404)
        elif mode == "narinfo":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"StorePath: /nix/store/" + self.path[1:33].encode() + b"-a\nReferences:")
            while True:
                self.wfile.write(b" " + b"r" * 65535)
        elif mode == "elsewhere":
            self.send_response(302)
            self.send_header("Location", os.environ["BAD_PEER_ELSEWHERE"])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif mode == "die":
            self.answer(HEAD + b"d" * 50_000, len(HEAD) + 150_000)
        elif mode == "endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"e" * 65536)
        elif mode == "other":
            self.answer(b"o" * 200_000)
        elif mode == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "100000000")
            self.end_headers()
            while True:
                self.wfile.write(b"d")
                time.sleep(0.2)
        else:
            self.answer(b"", 1000)
            time.sleep(3600)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients go away


host, port = address.rsplit(":", 1)
open(log_name, "a").close()
Server((host, int(port)), Handler).serve_forever()
