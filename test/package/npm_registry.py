#!/usr/bin/env python3
"""Packages of npm and a registry of them on loopback, for the tests of `flox import npm`.

  npm_registry.py pack DIRECTORY NAME VERSION [PATH=TEXT | PATH<FILE]… [--json JSON]   a tarball; JSON is more of package.json
  npm_registry.py serve DIRECTORY      serves them; the port goes to DIRECTORY/port
                                       DIRECTORY/lies: tarballs that have another hash than is said
"""
import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.parse

import loopback_index


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
    def answer(path, port):
        path = urllib.parse.unquote(path).lstrip("/")
        if path.startswith("tarballs/"):
            if found := loopback_index.file_of(directory, path):
                return found
        versions = {}
        lies = loopback_index.listed(directory, "lies")
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
                "tarball": f"http://127.0.0.1:{port}/tarballs/{urllib.parse.quote(tarball)}",
                "integrity": "sha512-" + digest})
        if not versions:
            return None
        document = {"name": path, "dist-tags": {"latest": sorted(versions)[-1]}, "versions": versions}
        return "application/vnd.npm.install-v1+json", json.dumps(document).encode()

    loopback_index.serve(directory, answer)


if __name__ == "__main__":
    {"pack": pack, "serve": serve}[sys.argv[1]](*sys.argv[2:])
