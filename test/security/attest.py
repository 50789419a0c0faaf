#!/usr/bin/env python3
"""Makes an attestation as anybody can: attest.py KEY-FILE STORE-PATH SHA256-HEX [--keyid NAME] [--builder URI] prints the
envelope. attest.py --verify PEM ENVELOPE checks one with openssl, as somebody else's implementation of DSSE, and prints the
statement."""
import argparse
import base64
import json
import subprocess
import sys
import tempfile

TYPE = "application/vnd.in-toto+json"


def signed_bytes(payload):
    return b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)


def openssl(*arguments, **files):
    with tempfile.TemporaryDirectory() as directory:
        for name, content in files.items():
            with open(f"{directory}/{name}", "wb") as file:
                file.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-rawin", *arguments], cwd=directory, check=True, capture_output=True).stdout


def sign(key_file, message):
    name, secret = open(key_file).read().strip().split(":", 1)
    der = bytes.fromhex("302e020100300506032b657004220420") + base64.b64decode(secret)[:32]  # RFC 8410, section 7
    pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n"
    return name, openssl("-sign", "-inkey", "key", "-in", "text", key=pem, text=message)


def verify(pem, envelope):
    document = json.load(open(envelope))
    assert document["payloadType"] == TYPE, document["payloadType"]
    payload = base64.b64decode(document["payload"], validate=True)
    signature = base64.b64decode(document["signatures"][0]["sig"], validate=True)
    openssl("-verify", "-pubin", "-inkey", "key", "-in", "text", "-sigfile", "signature",
            key=open(pem, "rb").read(), text=signed_bytes(payload), signature=signature)
    print(payload.decode())


def main():
    if sys.argv[1] == "--verify":
        return verify(*sys.argv[2:])
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("path")
    parser.add_argument("sha256")
    parser.add_argument("--keyid")
    parser.add_argument("--builder", default="urn:test")
    options = parser.parse_args()
    statement = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
                 "subject": [{"name": options.path, "digest": {"sha256": options.sha256}}],
                 "predicate": {"buildDefinition": {"buildType": "urn:test"}, "runDetails": {"builder": {"id": options.builder}}}}
    payload = json.dumps(statement).encode()
    name, signature = sign(options.key, signed_bytes(payload))
    print(json.dumps({"payloadType": TYPE, "payload": base64.b64encode(payload).decode(),
                      "signatures": [{"keyid": options.keyid or name, "sig": base64.b64encode(signature).decode()}]}))


if __name__ == "__main__":
    main()
