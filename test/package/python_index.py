#!/usr/bin/env python3
"""Wheels and an index of them on loopback, for the tests of `flox import pypi`.

  python_index.py wheel FILE NAME VERSION [PATH=TEXT | PATH<FILE]… [--requires TEXT]… [--entry TEXT]…
  python_index.py serve DIRECTORY      serves DIRECTORY/*.whl; the port goes to DIRECTORY/port
                                       DIRECTORY/yanked, DIRECTORY/lies: names of files that are taken back, or have another hash
"""
import hashlib
import json
import os
import re
import sys
import zipfile

import loopback_index


def wheel(file, name, version, *rest):
    entries, requires, points = {}, [], []
    rest = list(rest)
    while rest:
        one = rest.pop(0)
        if one == "--requires":
            requires.append(rest.pop(0))
        elif one == "--entry":
            points.append(rest.pop(0))
        elif "=" in one:
            path, text = one.split("=", 1)
            entries[path] = text.encode()
        else:
            path, source = one.split("<", 1)
            entries[path] = open(source, "rb").read()
    info = f"{name}-{version}.dist-info/"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: of {name}\nLicense-Expression: MIT\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    entries.setdefault(info + "METADATA", metadata.encode())
    entries.setdefault(info + "WHEEL", b"Wheel-Version: 1.0\nTag: py3-none-any\n")
    if points:
        entries[info + "entry_points.txt"] = ("[console_scripts]\n" + "\n".join(points) + "\n").encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in entries.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16 if ".data/scripts/" in path else 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def serve(directory):
    def answer(path, _):
        parts = path.strip("/").split("/")
        if len(parts) != 2:
            return None
        if parts[0] == "files":
            return loopback_index.file_of(directory, parts[1])
        if parts[0] != "simple":
            return None
        files = []
        for file in sorted(os.listdir(directory)):
            if not file.endswith((".whl", ".tar.gz")) or normalized(file.split("-")[0]) != parts[1]:
                continue
            digest = hashlib.sha256(open(os.path.join(directory, file), "rb").read()).hexdigest()
            if file in loopback_index.listed(directory, "lies"):
                digest = hashlib.sha256(b"something else").hexdigest()
            files.append({"filename": file, "url": f"../../files/{file}", "hashes": {"sha256": digest},
                          "yanked": file in loopback_index.listed(directory, "yanked")})
        if not files:
            return None
        page = {"meta": {"api-version": "1.1"}, "name": parts[1], "files": files}
        return "application/vnd.pypi.simple.v1+json", json.dumps(page).encode()

    loopback_index.serve(directory, answer)


if __name__ == "__main__":
    {"wheel": wheel, "serve": serve}[sys.argv[1]](*sys.argv[2:])
