#!/usr/bin/env python3
"""A binary cache in a directory over HTTP that says what it gave, for tests of who asks it.

  counting_cache.py DIRECTORY ADDRESS:PORT LOG [BYTES_A_SECOND]

Each answer's body becomes a line "BYTES PATH" in LOG. BYTES_A_SECOND are all answers' together; 0: no limit.
"""
import http.server
import io
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
        body = open(file, "rb") if os.path.isfile(file) else io.BytesIO()
        size = body.seek(0, os.SEEK_END)
        first, last = 0, size - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if size and wanted:
            first, last = int(wanted[1]), min(int(wanted[2]), last)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200 if os.path.isfile(file) else 404)
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        sent = 0
        try:
            body.seek(first)
            while sent < last + 1 - first:
                piece = body.read(min(PIECE, last + 1 - first - sent))
                wait_for_turn(len(piece))
                self.wfile.write(piece)
                sent += len(piece)
        finally:
            body.close()
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
