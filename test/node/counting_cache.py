#!/usr/bin/env python3
"""A binary cache in a directory over HTTP that says what it gave, for tests of who asks it.

  counting_cache.py DIRECTORY ADDRESS:PORT LOG [BYTES_A_SECOND]

Each answer's body becomes a line "BYTES PATH" in LOG. BYTES_A_SECOND are all answers' together; 0: no limit.
"""
import http.server
import os
import re
import sys
import threading
import time

directory, address, log_name = sys.argv[1:4]
rate = float(sys.argv[4]) if len(sys.argv) > 4 else 0
lock = threading.Lock()
free_at = 0.0
PIECE = 64 << 10


def wait_for_turn(size):
    global free_at
    if not rate:
        return
    with lock:
        turn = max(free_at, time.monotonic())
        free_at = turn + size / rate
    time.sleep(max(0, turn - time.monotonic()))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and its body are two packets

    def do_GET(self):
        file = os.path.join(directory, os.path.normpath(self.path).lstrip("/"))
        body = open(file, "rb").read() if os.path.isfile(file) else None
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if body is not None and wanted:
            first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            body = body[first : last + 1]
        else:
            self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        sent = 0
        try:
            for start in range(0, len(body or b""), PIECE):
                piece = body[start : start + PIECE]
                wait_for_turn(len(piece))
                self.wfile.write(piece)
                sent += len(piece)
        finally:
            with lock, open(log_name, "a") as log:
                log.write("%d %s\n" % (sent, self.path))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


host, port = address.rsplit(":", 1)
open(log_name, "a").close()
Server((host, int(port)), Handler).serve_forever()
