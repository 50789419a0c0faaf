#!/usr/bin/env python3
"""An owner's signed metadata by python-tuf: the second implementation that the tests compare ours with.

    owner.py check DIRECTORY           reads every file of OWNER/repository as flox trust has made it: python-tuf takes it, keeps
                                       every member, and finds the signatures that its roles need
    owner.py covers PATTERN NAME       whether the pattern covers the name: yes or no
    owner.py time DIRECTORY            verifies the files of bench/verify_metadata, reading included; prints the median in microseconds
    owner.py make DIRECTORY [CHANGE…]  makes an owner: root.json, record.json and evidence.json as a catalog would send it, all
                                       signed by python-tuf; with CHANGE one thing of it is wrong
"""
import glob
import hashlib
import json
import os
import re
import statistics
import sys
import time
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (DelegatedRole, Delegations, MetaFile, Metadata, Role, Root, TargetFile, Targets, Timestamp)
from tuf.api.serialization.json import JSONSerializer

SPEC = "1.0.31"


def signer(name):
    """A key that is the same in every run."""
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


def signed(content, *signers, serializer=JSONSerializer(compact=False)):
    metadata = Metadata(content)
    for one in signers:
        metadata.sign(one, append=True)
    return metadata.to_bytes(serializer).decode() + "\n"


def role(*signers, threshold=1):
    return Role([one.public_key.keyid for one in signers], threshold)


def keys(*signers):
    return {one.public_key.keyid: one.public_key for one in signers}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def merkle(hashes):
    """RFC 9162, section 2.1.1."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + merkle(hashes[:k]) + merkle(hashes[k:])).digest()


def proof(hashes, index):
    """RFC 9162, section 2.1.3.1."""
    if len(hashes) == 1:
        return []
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    if index < k:
        return proof(hashes[:k], index) + [merkle(hashes[k:])]
    return proof(hashes[k:], index - k) + [merkle(hashes[:k])]


class Owner:
    """Everything that a catalog serves of an owner with the package hello, made by python-tuf."""

    def __init__(self, now, owner="acme"):
        self.owner, self.now = owner, now
        self.root_keys, self.targets_key = [signer("root-1")], signer("targets-1")
        self.online, self.alice = signer("catalog-1"), signer("alice-1")
        self.record = {"name": "hello", "version": "2.12", "system": "x86_64-linux", "variant": "",
                       "outputs": {"out": "/nix/store/i9pmrzmpshapij2kin22pff6fc2adavx-hello-2.12"}}
        self.expires = self.name_expires = now + timedelta(days=365)
        self.stamp_expires = now + timedelta(days=1)
        self.paths, self.signers, self.threshold = ["packages/*", "environments/*"], None, 1
        self.versions = {"root": 1, "targets": 1, "timestamp": 7, "name": 3}
        self.keys_of_role = None
        self.others = ["environments/web", "packages/bash", "packages/openssl", "packages/web"]

    def fields(self, **more):
        return {"owner": self.owner, **more}

    def root(self, *also_by):
        content = Root(self.versions["root"], SPEC, self.expires,
                       keys(*self.root_keys, self.targets_key, self.online),
                       {"root": role(*self.root_keys, threshold=len(self.root_keys)), "targets": role(self.targets_key),
                        "snapshot": role(self.online), "timestamp": role(self.online)}, True, self.fields())
        return signed(content, *self.root_keys, *also_by)

    def targets(self):
        members = self.keys_of_role or [self.alice]
        delegated = DelegatedRole("publishers", [one.public_key.keyid for one in members], self.threshold, False, self.paths)
        delegations = Delegations(keys(*members), {"publishers": delegated})
        return signed(Targets(self.versions["targets"], SPEC, self.expires, {}, delegations, self.fields()), self.targets_key)

    def name_file(self):
        canonical = encode_canonical(self.record).encode()
        target = TargetFile.from_data("2.12/x86_64-linux/any", canonical, ["sha256"])
        target.unrecognized_fields["custom"] = {"outputs": self.record["outputs"]}
        content = Targets(self.versions["name"], SPEC, self.name_expires, {target.path: target}, None,
                          self.fields(name="packages/hello"))
        return signed(content, *(self.signers or [self.alice]))

    def evidence(self):
        name_file = self.name_file()
        leaves = sorted([{"name": "packages/hello", "version": self.versions["name"], "sha256": sha256(name_file)}] +
                        [{"name": name, "version": 1, "sha256": sha256(name)} for name in self.others],
                        key=lambda leaf: leaf["name"])
        hashes = [hashlib.sha256(b"\0" + encode_canonical(leaf).encode()).digest() for leaf in leaves]
        index = [leaf["name"] for leaf in leaves].index("packages/hello")
        stamp = Timestamp(self.versions["timestamp"], SPEC, self.stamp_expires, MetaFile(self.versions["timestamp"]),
                          self.fields(root_version=self.versions["root"], targets_version=self.versions["targets"],
                                      merkle_root=merkle(hashes).hex(), merkle_leaves=len(leaves)))
        return {"owner": self.owner, "roots": [], "targets": self.targets(), "timestamp": signed(stamp, self.online),
                "proof": json.dumps({"leaf": leaves[index], "index": index,
                                     "hashes": [one.hex() for one in proof(hashes, index)]}),
                "name_file": name_file}


def make(directory, changes):
    now = datetime.now(timezone.utc).replace(microsecond=0)
    owner = Owner(now)
    first_root = owner.root()
    for change in changes:
        if change == "expired-timestamp":
            owner.stamp_expires = now - timedelta(seconds=1)
        elif change == "expired-name":
            owner.name_expires = now - timedelta(seconds=1)
        elif change == "newer":
            owner.versions.update(timestamp=8, name=4)
        elif change == "threshold":
            owner.keys_of_role, owner.threshold = [owner.alice, signer("bob-1")], 2
        elif change == "threshold-met":
            owner.keys_of_role, owner.threshold = [owner.alice, signer("bob-1")], 2
            owner.signers = owner.keys_of_role
        elif change == "outside-pattern":
            owner.paths = ["packages/web-*"]
        elif change == "revoked":
            owner.keys_of_role = [signer("alice-2")]
            owner.versions.update(targets=2, timestamp=8)
        elif change == "rotated-root":
            old = owner.root_keys[0]
            owner.root_keys, owner.versions["root"] = [signer("root-2")], 2
            owner.versions["timestamp"] = 8
            next_root = owner.root(old)
        elif change == "broken-chain":
            owner.root_keys, owner.versions["root"] = [signer("root-2")], 2
            owner.versions["timestamp"] = 8
            next_root = owner.root()
        else:
            sys.exit(f"owner.py: no change {change}")
    os.makedirs(directory, exist_ok=True)
    evidence = owner.evidence()
    if owner.versions["root"] > 1:
        evidence["roots"] = [next_root]
    for name, content in (("root.json", first_root), ("record.json", json.dumps(owner.record)),
                          ("evidence.json", json.dumps(evidence))):
        with open(os.path.join(directory, name), "w") as file:
            file.write(content)


def version_in(path):
    return int(re.match(r"\d+", os.path.basename(path))[0])


def check(directory):
    """Every file, in the order of the versions."""
    roots = sorted(glob.glob(os.path.join(directory, "*.root.json")), key=version_in)
    newest = None
    for path in roots:
        text = open(path, "rb").read()
        metadata = Metadata[Root].from_bytes(text)
        assert metadata.to_dict() == json.loads(text), f"{path}: python-tuf would write it differently"
        assert metadata.signed.version == version_in(path), path
        for one in ([metadata, newest] if newest else [metadata]):
            one.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
        newest = metadata
    targets = max(glob.glob(os.path.join(directory, "*.targets.json")), key=version_in)
    text = open(targets, "rb").read()
    metadata = Metadata[Targets].from_bytes(text)
    assert metadata.to_dict() == json.loads(text), f"{targets}: python-tuf would write it differently"
    newest.signed.verify_delegate("targets", metadata.signed_bytes, metadata.signatures)
    for keys_of in (newest.signed.keys, metadata.signed.delegations.keys):
        for keyid, key in keys_of.items():
            canonical = encode_canonical({"keytype": key.keytype, "scheme": key.scheme, "keyval": key.keyval})
            assert keyid == sha256(canonical), keyid
    print(f"{len(roots)} roots, targets {metadata.signed.version}, roles "
          + " ".join(f"{name}={one.threshold}/{len(one.keyids)}:{','.join(one.paths)}"
                     for name, one in metadata.signed.delegations.roles.items()))


def measure(directory):
    texts = [open(os.path.join(directory, name), "rb").read()
             for name in ("1.root.json", "1.targets.json", "timestamp.json", "name.json")]
    times = []
    for _ in range(200):
        start = time.perf_counter()
        root, targets, stamp, name = (Metadata.from_bytes(text) for text in texts)
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
        root.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
        root.signed.verify_delegate("timestamp", stamp.signed_bytes, stamp.signatures)
        targets.signed.verify_delegate("publishers", name.signed_bytes, name.signatures)
        times.append((time.perf_counter() - start) * 1e6)
    print(round(statistics.median(times)))


def main():
    command, *arguments = sys.argv[1:]
    if command == "check":
        check(arguments[0])
    elif command == "covers":
        print("yes" if DelegatedRole("r", [], 1, False, [arguments[0]]).is_delegated_path(arguments[1]) else "no")
    elif command == "time":
        measure(arguments[0])
    elif command == "make":
        make(arguments[0], arguments[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
