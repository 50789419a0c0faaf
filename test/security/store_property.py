#!/usr/bin/env python3
"""Hostile calls of the pod's methods, from a seed: each is one line of what it was and how floxd answered.

  store_property.py SOCKET SYSTEM COUNT SEED PATH…    PATHs are store paths that a lock may name: packages, profiles

Ends with an error if floxd does not answer a plain call after any of them. What the store looks like afterwards is the
caller's to verify: it is told when (a line on stdout after each call, an empty line on stdin goes on).
"""
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from node_call import Client  # noqa: E402

WORDS = ["", ".", "..", "/", "../../x", "a/b", "/etc/passwd", "activate.d", "manifest.lock", "bash", "common", "x" * 300, "\u0000", "\n",
         "\u00fc", "$(id)", "`id`", "$A$A", "${B}", "-", "--help", "/nix/store/../../etc", "/nix/store/.links"]


class Hostile:
    def __init__(self, rng, system, paths):
        self.rng, self.system, self.paths = rng, system, paths

    def word(self):
        return self.rng.choice(WORDS)

    def path(self):
        real = self.rng.choice(self.paths)
        return self.rng.choice([real, real, real, real, real + "/activate.d", real.replace("/nix/store/", "/nix/store/../"), self.word(),
                                "/nix/store/11111111111111111111111111111111-absent", real.lower() + "x"])

    def value(self, depth=0):
        kind = self.rng.randrange(9 if depth < 5 else 6)
        if kind == 0:
            return self.word()
        if kind == 1:
            return self.rng.choice([0, -1, 1 << 63, 1e308, -0.0, None, True])
        if kind == 2:
            return self.path()
        if kind < 6:
            return {"out": self.path()}
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.rng.randrange(4))]
        return {self.word(): self.value(depth + 1) for _ in range(self.rng.randrange(4))}

    def package(self, number):
        package = {"install_id": f"p{number}", "attr_path": "p", "version": "1", "system": self.system, "priority": 5,
                   "outputs": {"out": self.path()}}
        for _ in range(self.rng.choice([0, 0, 0, 1, 2])):
            package[self.rng.choice(list(package) + ["store_path", "outputs_to_install", "group"])] = self.value()
        return package

    def manifest(self):
        manifest = {"schema-version": "1.10.0"}
        for key in ("vars", "hook", "profile", "options", "install", "build"):
            if self.rng.random() < 0.4:
                manifest[key] = {self.word(): self.word() for _ in range(self.rng.randrange(4))} if self.rng.random() < 0.8 else self.value()
        if self.rng.random() < 0.3:
            manifest["profile"] = {self.rng.choice(["bash", "common", "zsh"]): "touch /owned-by-profile"}
        if self.rng.random() < 0.3:
            manifest["hook"] = {"on-activate": "touch /owned-by-hook"}
        return manifest

    def lock(self):
        packages = [self.package(i) for i in range(self.rng.randrange(1, 5))]
        lock = {"lockfile-version": 1, "manifest": self.manifest(), "packages": packages}
        if self.rng.random() < 0.1:
            lock[self.rng.choice(list(lock))] = self.value()
        text = json.dumps(lock)
        kind = self.rng.randrange(20)
        if kind == 0:
            return text[:self.rng.randrange(len(text))]
        if kind == 1:
            return text.replace('"1.10.0"', "[" * 5000 + "]" * 5000)
        if kind == 2:
            return "[" * 100_000
        if kind == 3:
            data = bytearray(text.encode())
            for _ in range(5):
                data[self.rng.randrange(len(data))] = self.rng.randrange(256)
            return bytes(data)
        if kind == 4:
            return text.replace('"1.10.0"', "[" + ",".join(["[[[[[[0]]]]]]"] * 15_000) + "]")
        return text

    def call(self):
        mode = self.rng.choice(["run", "dev"] * 5 + [self.word()])
        system = self.rng.choice([self.system] * 11 + [self.word()])
        kind = self.rng.randrange(10)
        if kind == 0:
            return "Resolve", [("install_id", self.word()), ("descriptor_json", json.dumps(self.value())), ("system", system)]
        if kind == 1:
            return "Resolve", [("install_id", self.word()), ("descriptor_json", json.dumps({"pkg-path": self.word(), "version": self.word()})), ("system", system)]
        if kind == 2:
            return self.rng.choice(["Resolve", "Realise", "DefaultEnvironment"]), [("raw", self.rng.randbytes(self.rng.randrange(200)))]
        return "Realise", [("lock_json", self.lock()), ("system", system), ("mode", mode)]


def main():
    socket, system, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    hostile = Hostile(random.Random(seed), system, sys.argv[5:])
    answered = 0
    for number in range(1, count + 1):
        method, arguments = hostile.call()
        try:
            code, answer = Client(socket).call(method, arguments)
            said = f"{code}: {answer}" if code else f"ok {answer}"
            answered += code is None
        except (ConnectionError, TimeoutError) as error:
            said = f"closed: {error}"
        print(f"{number} {method} {said[:300]!r}", file=sys.stderr)
        code, answer = Client(socket).call("DefaultEnvironment", [])
        if code:
            sys.exit(f"after call {number} of seed {seed} floxd answers {code}: {answer}")
        print("called", flush=True)
        sys.stdin.readline()
    if answered == 0:
        sys.exit("every call was refused: nothing was tried that reaches the store")


main()
