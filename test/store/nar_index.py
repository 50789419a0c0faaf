#!/usr/bin/env python3
"""Reads NARs in frames by what docs/formats/nar-index.md says, and by nothing else: no line of this is ours to share.

    nar_index.py CACHE DIGEST KEY TREE     CACHE: a directory; KEY: NAME:BASE64; TREE: what the path must be

Checks the signature and the index, unpacks every frame by itself, compares each file with the tree, cuts each file again,
and prints how many frames, files and chunks there are."""
import base64
import hashlib
import os
import subprocess
import sys

DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"


def base32(data):
    number = int.from_bytes(data, "little")
    return "".join(DIGITS[number >> 5 * i & 31] for i in reversed(range((len(data) * 8 + 4) // 5)))


def unzstd(data):
    return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout


def narinfo(cache, digest):
    fields = {}
    for line in open(os.path.join(cache, digest + ".narinfo"), encoding="utf-8"):
        key, _, value = line.rstrip("\n").partition(": ")
        fields.setdefault(key, []).append(value)
    return {key: values[0] for key, values in fields.items()}


def require_signature(info, key):
    name, _, public = key.partition(":")
    message = f"flox-nar-index-1;{info['StorePath']};{info['NarHash']};{info['NarSize']};{info['FloxIndex']}"
    for signature in info["FloxIndexSig"].split(" "):
        signer, _, text = signature.partition(":")
        if signer != name:
            continue
        work = os.environ["WORK"]
        # The key in the form that openssl reads (RFC 8410).
        der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(public)
        for file, data in (("key.der", der), ("message", message.encode()), ("signature", base64.b64decode(text))):
            with open(os.path.join(work, file), "wb") as out:
                out.write(data)
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", work + "/key.der", "-rawin",
                        "-in", work + "/message", "-sigfile", work + "/signature"], check=True, stdout=subprocess.DEVNULL)
        return
    sys.exit("no signature of " + name)


class Index:
    def __init__(self, data):
        self.data, self.at = data, 0
        assert self.take(8) == b"floxidx1"
        self.nar_hash, self.file_hash = self.take(32), self.take(32)
        self.nar_size, self.file_size = self.number(), self.number()
        self.frames = [(self.number(), self.number()) for _ in range(self.number())]
        self.files = []  # (path, size, executable, offset, chunk sizes), in the NAR's order
        self.links, self.directories = {}, []
        offset = self.node("", 24)  # after the magic
        assert offset == self.nar_size, (offset, self.nar_size)
        self.hashes = [self.take(32) for file in self.files for _ in file[4]]
        assert self.at == len(data)

    def take(self, size):
        taken = self.data[self.at:self.at + size]
        assert len(taken) == size
        self.at += size
        return taken

    def number(self):
        result = shift = 0
        while True:
            byte = self.take(1)[0]
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def node(self, path, offset):
        """What the node has in the NAR, from this offset on; the offset after it (docs/formats/nar.md)."""
        def text(size):
            return 8 + (size + 7) // 8 * 8
        kind = self.take(1)[0]
        offset += text(1) + text(4)  # ( type
        if kind in (1, 2):
            size = self.number()
            offset += text(7) + (text(10) + text(0) if kind == 2 else 0) + text(8) + 8  # regular [executable ""] contents
            sizes = []
            while sum(sizes) < size:
                sizes.append(self.number())
            assert sum(sizes) == size
            self.files.append((path, size, kind == 2, offset, sizes))
            offset += (size + 7) // 8 * 8
        elif kind == 3:
            target = self.take(self.number())
            self.links[path] = target.decode()
            offset += text(7) + text(6) + text(len(target))  # symlink target
        else:
            assert kind == 4
            self.directories.append(path)
            offset += text(9)  # directory
            while length := self.number():
                name = self.take(length)
                offset += text(5) + text(1) + text(4) + text(length) + text(4)  # entry ( name NAME node
                offset = self.node(os.path.join(path, name.decode()), offset) + text(1)
        return offset + text(1)  # )


GEAR = [int.from_bytes(hashlib.sha256(bytes([byte])).digest()[:8], "little") for byte in range(256)]


def cut(data):
    sizes, start = [], 0
    while start < len(data):
        most, end, h = min(len(data), start + 262144), 0, 0
        for at in range(start + 16384, most):
            h = (2 * h + GEAR[data[at]]) % 2**64
            if h >> (46 if at - start + 1 <= 65536 else 50) == 0:
                end = at + 1
                break
        end = end or most
        sizes.append(end - start)
        start = end
    return sizes


def main(cache, digest, key, tree):
    info = narinfo(cache, digest)
    require_signature(info, key)
    name = info["FloxIndex"].removeprefix("sha256:")
    packed = open(os.path.join(cache, "nar", name + ".index.zst"), "rb").read()
    assert base32(hashlib.sha256(packed).digest()) == name
    index = Index(unzstd(packed))
    file = open(os.path.join(cache, info["URL"]), "rb").read()
    assert len(file) == index.file_size and hashlib.sha256(file).digest() == index.file_hash
    assert "sha256:" + base32(index.nar_hash) == info["NarHash"] and index.nar_size == int(info["NarSize"])
    nar, at, borders = b"", 0, [0]
    for size, unpacked in index.frames:
        part = unzstd(file[at:at + size])
        assert len(part) == unpacked
        nar, at = nar + part, at + size
        borders.append(len(nar))
    assert at == len(file) and hashlib.sha256(nar).digest() == index.nar_hash
    hashes = iter(index.hashes)
    for path, size, executable, offset, sizes in index.files:
        where = os.path.join(tree, path) if path else tree
        data = nar[offset:offset + size]
        assert open(where, "rb").read() == data, path
        assert bool(os.stat(where).st_mode & 0o100) == executable, path
        assert cut(data) == sizes, path
        for part in sizes:
            assert hashlib.sha256(nar[offset:offset + part]).digest() == next(hashes), path
            assert not any(offset < border < offset + part for border in borders), path
            offset += part
    for path, target in index.links.items():
        assert os.readlink(os.path.join(tree, path)) == target, path
    found = [os.path.relpath(os.path.join(where, name), tree) for where, directories, files in os.walk(tree)
             for name in directories + files]
    assert sorted(found) == sorted([file[0] for file in index.files] + list(index.links) + index.directories[1:])
    print(len(index.frames), len(index.files), len(index.hashes))


main(*sys.argv[1:])
