"""A registry that serves one OCI layout, over TLS on port 443 of the loopback: registry.py LAYOUT CERTIFICATE KEY

It answers for every host: "HOST/NAME:TAG" is the index's entry of that full name. For network namespaces of tests.
"""
import hashlib
import http.server
import json
import pathlib
import re
import ssl
import sys

layout, certificate, key = map(pathlib.Path, sys.argv[1:])
PATH = re.compile(r"^/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/?]+)(\?.*)?$")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes | None, kind: str) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body or b"")))
        if body:
            self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())
        self.end_headers()
        if body and self.command == "GET":
            self.wfile.write(body)

    def find(self, name: str, kind: str, reference: str) -> tuple[bytes | None, str]:
        if kind == "manifests" and ":" not in reference:
            wanted = f"{self.headers['Host']}/{name}:{reference}"
            entries = json.loads((layout / "index.json").read_text())["manifests"]
            digests = [e["digest"] for e in entries if e["annotations"]["io.containerd.image.name"] == wanted]
            if not digests:
                return None, "text/plain"
            reference = digests[0]
        blob = layout / "blobs" / "sha256" / reference.removeprefix("sha256:")
        body = blob.read_bytes() if blob.is_file() else None
        if kind == "manifests" and body:
            return body, json.loads(body)["mediaType"]
        return body, "application/octet-stream"

    def do_GET(self) -> None:
        if self.path == "/v2/":
            return self.answer(b"{}", "application/json")
        match = PATH.match(self.path)
        self.answer(*self.find(*match.group("name", "kind", "reference")) if match else (None, "text/plain"))

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
