#!/usr/bin/env python3
"""Packages of npm and a registry of them on loopback, for the tests of `flox import npm`.

  npm_registry.py pack DIRECTORY NAME VERSION [PATH=TEXT | PATH<FILE]… [--json JSON]   a tarball; JSON is more of package.json
  npm_registry.py serve DIRECTORY      serves them; the port goes to DIRECTORY/port
                                       DIRECTORY/lies: tarballs that have another hash than is said
"""
import base64
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import urllib.parse


def flat(name):
    return name.replace("/", "+")


def pack(directory, name, version, *rest):
    manifest, files, rest = {"name": name, "version": version}, {}, list(rest)
    while rest:
        one = rest.pop(0)
        if one == "--json":
            manifest.update(json.loads(rest.pop(0)))
        elif "=" in one.split("<")[0]:
            path, text = one.split("=", 1)
            files[path] = text.encode()
        else:
            path, source = one.split("<", 1)
            files[path] = open(source, "rb").read()
    files.setdefault("package.json", json.dumps(manifest).encode())
    with tarfile.open(os.path.join(directory, f"{flat(name)}-{version}.tgz"), "w:gz") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo("package/" + path)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    with open(os.path.join(directory, f"{flat(name)}-{version}.json"), "w") as said:
        json.dump({"name": name, "version": version, "said": manifest}, said)


def serve(directory):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, status, kind, body):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            path = urllib.parse.unquote(self.path).lstrip("/")
            if path.startswith("tarballs/"):
                file = os.path.join(directory, os.path.basename(path))
                if os.path.exists(file):
                    return self.answer(200, "application/octet-stream", open(file, "rb").read())
            versions = {}
            lies = os.path.join(directory, "lies")
            lies = open(lies).read().split() if os.path.exists(lies) else []
            for file in sorted(os.listdir(directory)):
                if not file.endswith(".json"):
                    continue
                said = json.load(open(os.path.join(directory, file)))
                if said["name"] != path:
                    continue
                tarball = file[:-5] + ".tgz"
                content = b"something else" if tarball in lies else open(os.path.join(directory, tarball), "rb").read()
                digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
                versions[said["version"]] = dict(said["said"], dist={
                    "tarball": f"http://127.0.0.1:{self.server.server_address[1]}/tarballs/{urllib.parse.quote(tarball)}",
                    "integrity": "sha512-" + digest})
            if versions:
                document = {"name": path, "dist-tags": {"latest": sorted(versions)[-1]}, "versions": versions}
                return self.answer(200, "application/vnd.npm.install-v1+json", json.dumps(document).encode())
            return self.answer(404, "text/plain", b"there is no such thing")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(os.path.join(directory, "port.new"), "w") as port:
        port.write(str(server.server_address[1]))
    os.rename(os.path.join(directory, "port.new"), os.path.join(directory, "port"))
    server.serve_forever()


if __name__ == "__main__":
    {"pack": pack, "serve": serve}[sys.argv[1]](*sys.argv[2:])
