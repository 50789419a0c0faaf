"""A small Hugging Face Hub for tests: serves DIRECTORY/ORG/NAME/… in the Hub's protocol, with faults on request.

    fake_hub.py DIRECTORY PORT_FILE LOG FAULTS

Files over 1000 bytes are "large": named by SHA-256 and redirected to another address, as the Hub does; others by git's SHA-1.
A model in DIRECTORY/MOVED (lines "OLD NEW") is redirected to its new name. LOG gets a line a request: METHOD PATH RANGE STATUS.
FAULTS is read at every request, lines of KIND PATTERN ARGUMENT TIMES; each is applied to its first TIMES requests whose
path has PATTERN:
    status P 503 2      that status              cut P 5000 1       the connection ends after so many bytes of the body
    corrupt P 0 1       one byte is changed      norange P 0 9      Range is ignored
    slow P 50000 9      so many bytes a second   token P SECRET 9   401 without "Authorization: Bearer SECRET"
"""
import hashlib
import http.server
import json
import pathlib
import sys
import threading
import time
import urllib.parse

root, port_file, log_file, faults_file = (pathlib.Path(argument) for argument in sys.argv[1:5])
used, lock = {}, threading.Lock()


def fault(kind, path):
    """The argument of the fault that applies now, or None."""
    for line in faults_file.read_text().splitlines() if faults_file.exists() else ():
        name, pattern, argument, times = line.split()
        if name == kind and pattern in path:
            with lock:
                key = (faults_file.stat().st_mtime_ns, line)  # a new file counts anew
                if used.get(key, 0) < int(times):
                    used[key] = used.get(key, 0) + 1
                    return argument
    return None


def large(content):
    return len(content) > 1000


def etag(content):
    return hashlib.sha256(content).hexdigest() if large(content) else hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def commit_of(model):
    return hashlib.sha1(json.dumps(sorted((str(f.relative_to(model)), f.stat().st_size, f.stat().st_mtime) for f in model.rglob("*") if f.is_file())).encode()).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, status):
        with lock, open(log_file, "a") as log:
            print(self.command, self.path, self.headers.get("Range", "-"), status, file=log)

    def answer(self, status, body=b"", headers=()):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(body)

    def send_body(self, body):
        cut, slow = fault("cut", self.path), fault("slow", self.path)
        if cut is not None:
            self.wfile.write(body[:int(cut)])
            self.close_connection = True
        elif slow is not None:
            step = max(1, int(slow) // 20)
            for at in range(0, len(body), step):
                self.wfile.write(body[at:at + step])
                time.sleep(0.05)
        else:
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path).strip("/")
        if (status := fault("status", self.path)) is not None:
            return self.answer(int(status), b"fault", [("Retry-After", "1")] if status == "429" else [])
        secret = fault("token", self.path)
        if secret is not None and self.headers.get("Authorization") != f"Bearer {secret}":
            return self.answer(401, b"{}", [("X-Error-Message", "Access to this model is restricted")])
        if path.startswith("cdn/"):
            if self.headers.get("Authorization"):  # the Hub's token is nobody else's business
                return self.answer(400, b"a token was sent along")
            return self.content((root / path[4:]).read_bytes())
        moved = dict(line.split() for line in (root / "MOVED").read_text().splitlines()) if (root / "MOVED").exists() else {}
        for old, new in moved.items():
            for prefix, rest in (("api/models/", "/revision/"), ("", "/resolve/")):
                if path.startswith(f"{prefix}{old}{rest}"):
                    query = f"?{url.query}" if url.query else ""
                    return self.answer(307, b"", [("Location", "/" + path.replace(old, new, 1) + query)])
        if path.startswith("api/models/"):
            name, _, revision = path[len("api/models/"):].partition("/revision/")
            model = root / name
            if not model.is_dir() or revision not in ("main", commit_of(model)):
                return self.answer(404, b"{}", [("X-Error-Message", "Repository not found")])
            files = []
            for file in sorted(f for f in model.rglob("*") if f.is_file()):
                content = file.read_bytes()
                entry = {"rfilename": str(file.relative_to(model)), "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
                if large(content):
                    entry["lfs"] = {"sha256": etag(content), "size": len(content), "pointerSize": 134}
                else:
                    entry["blobId"] = etag(content)
                files.append(entry)
            return self.answer(200, json.dumps({"id": name, "sha": commit_of(model), "siblings": files}).encode(), [("Content-Type", "application/json")])
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        target = root / name / file
        if not target.is_file() or revision not in ("main", commit_of(root / name)):
            return self.answer(404, b"Entry not found")
        content = target.read_bytes()
        headers = [("X-Repo-Commit", commit_of(root / name)), ("ETag", f'"{etag(content)}"')]
        if large(content):
            headers += [("X-Linked-ETag", f'"{etag(content)}"'), ("X-Linked-Size", str(len(content)))]
            # Another host, as far as a client can tell.
            return self.answer(302, b"", [*headers, ("Location", f"http://localhost:{self.server.server_address[1]}/cdn/{name}/{file}")])
        return self.content(content, headers)

    def content(self, content, headers=()):
        if fault("corrupt", self.path) is not None:
            content = content[:-1] + bytes([content[-1] ^ 1])
        wanted = self.headers.get("Range")
        if wanted is None or fault("norange", self.path) is not None:
            return self.answer(200, content, headers)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(content) - 1), len(content) - 1)
        if start >= len(content):
            return self.answer(416)
        self.answer(206, content[start:end + 1], [*headers, ("Content-Range", f"bytes {start}-{end}/{len(content)}")])


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.handle_error = lambda *_: None  # clients that go away are what the tests are about
port_file.with_suffix(".new").write_text(str(server.server_address[1]))
port_file.with_suffix(".new").rename(port_file)
server.serve_forever()
