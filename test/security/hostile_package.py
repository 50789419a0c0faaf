#!/usr/bin/env python3
"""A package author who writes what he likes: packs, signs and puts a path into a directory that is a binary cache.

No program of ours takes part, so that nothing of what ours refuse is missing. Prints the store path.

  hostile_package.py --cache DIR --key FILE --name NAME (--tree DIR | --nar FILE) [OPTION…]

  --reference PATH     a reference; may be repeated
  --path PATH          the store path to claim; otherwise its digest is of the content
  --field "Name: X"    replaces a line of the narinfo (or removes it: "Name:"); after signing
  --xz                 compress
"""
import argparse
import base64
import hashlib
import lzma
import os
import pathlib
import stat
import struct
import subprocess
import tempfile

ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"


def base32(data):
    out = ""
    for n in range((len(data) * 8 - 1) // 5, -1, -1):
        byte, shift = n * 5 // 8, n * 5 % 8
        value = data[byte] >> shift
        if byte + 1 < len(data):
            value |= data[byte + 1] << (8 - shift)
        out += ALPHABET[value & 31]
    return out


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(value)) + value + b"\0" * (-len(value) % 8)


def node(path):
    status = os.lstat(path)
    out = text("(") + text("type")
    if stat.S_ISLNK(status.st_mode):
        out += text("symlink") + text("target") + text(os.readlink(os.fsencode(path)))
    elif stat.S_ISDIR(status.st_mode):
        out += text("directory")
        for name in sorted(os.listdir(os.fsencode(path))):
            out += text("entry") + text("(") + text("name") + text(name) + text("node")
            out += node(os.path.join(os.fsencode(path), name)) + text(")")
    else:
        out += text("regular")
        if status.st_mode & 0o100:
            out += text("executable") + text("")
        with open(path, "rb") as file:
            out += text("contents") + text(file.read())
    return out + text(")")


def sign(message, key_file):
    name, secret = pathlib.Path(key_file).read_text().strip().split(":")
    seed = base64.b64decode(secret)[:32]
    with tempfile.TemporaryDirectory() as directory:
        key, data = os.path.join(directory, "key"), os.path.join(directory, "message")
        pathlib.Path(key).write_bytes(bytes.fromhex("302e020100300506032b657004220420") + seed)
        pathlib.Path(data).write_bytes(message.encode())
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key, "-in", data],
                                   check=True, capture_output=True).stdout
    return name + ":" + base64.b64encode(signature).decode()


def main():
    parser = argparse.ArgumentParser()
    for option in ("cache", "key", "name", "tree", "nar", "path"):
        parser.add_argument("--" + option)
    parser.add_argument("--reference", action="append", default=[])
    parser.add_argument("--field", action="append", default=[])
    parser.add_argument("--xz", action="store_true")
    options = parser.parse_args()
    nar = pathlib.Path(options.nar).read_bytes() if options.nar else text("nix-archive-1") + node(options.tree)
    nar_hash = base32(hashlib.sha256(nar).digest())
    path = options.path or "/nix/store/" + base32(hashlib.sha256(options.name.encode() + nar).digest()[:20]) + "-" + options.name
    references = sorted(set(options.reference))
    fingerprint = f"1;{path};sha256:{nar_hash};{len(nar)};{','.join(references)}"
    packed = lzma.compress(nar) if options.xz else nar
    file_hash = base32(hashlib.sha256(packed).digest())
    url = f"nar/{file_hash}.nar" + (".xz" if options.xz else "")
    lines = [f"StorePath: {path}", f"URL: {url}", f"Compression: {'xz' if options.xz else 'none'}",
             f"FileHash: sha256:{file_hash}", f"FileSize: {len(packed)}", f"NarHash: sha256:{nar_hash}",
             f"NarSize: {len(nar)}", "References: " + " ".join(os.path.basename(r) for r in references),
             "Sig: " + sign(fingerprint, options.key)]
    for field in options.field:
        name = field.split(":", 1)[0] + ":"
        lines = [line for line in lines if not line.startswith(name)] + ([field] if field != name else [])
    cache = pathlib.Path(options.cache)
    (cache / "nar").mkdir(parents=True, exist_ok=True)
    (cache / "nix-cache-info").write_text("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 20\n")
    (cache / url).write_bytes(packed)
    digest = os.path.basename(path).split("-", 1)[0]
    (cache / (digest + ".narinfo")).write_text("\n".join(lines) + "\n")
    print(path)


main()
