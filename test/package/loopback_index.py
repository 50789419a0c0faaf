"""A server of an index of packages on loopback, for npm_registry.py and python_index.py."""
import http.server
import os


def listed(directory, file):
    """The words of a file of the directory, which need not be there."""
    path = os.path.join(directory, file)
    return open(path).read().split() if os.path.exists(path) else []


def serve(directory, answer):
    """Answers GET with answer(path, port): the content's type and the content, or None for 404. The port goes to DIRECTORY/port."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            found = answer(self.path, self.server.server_address[1])
            kind, body = found or ("text/plain", b"there is no such thing")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(os.path.join(directory, "port.new"), "w") as port:
        port.write(str(server.server_address[1]))
    os.rename(os.path.join(directory, "port.new"), os.path.join(directory, "port"))
    server.serve_forever()


def file_of(directory, name):
    """The answer with a file of the directory, if it is there."""
    path = os.path.join(directory, os.path.basename(name))
    return ("application/octet-stream", open(path, "rb").read()) if os.path.exists(path) else None
