#!/usr/bin/env python3
"""A service account's token as Kubernetes' API server signs it (ES256), on standard output. openssl signs."""
import argparse
import base64
import json
import subprocess
import time


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(der):
    """The two numbers of a DER signature, 32 bytes each (RFC 7518, 3.4)."""
    numbers, at = b"", 2
    for _ in range(2):
        size = der[at + 1]
        numbers += der[at + 2:at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + size
    return numbers


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("key", "namespace", "pod", "uid", "account"):
        parser.add_argument("--" + option, required=True)
    options = parser.parse_args()
    claims = {"exp": int(time.time()) + 3600, "iss": "https://kubernetes.default.svc",
              "sub": f"system:serviceaccount:{options.namespace}:{options.account}",
              "kubernetes.io": {"namespace": options.namespace, "pod": {"name": options.pod, "uid": options.uid},
                                "serviceaccount": {"name": options.account, "uid": "1"}}}
    signed = text(json.dumps({"alg": "ES256", "kid": "test"}).encode()) + "." + text(json.dumps(claims).encode())
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", options.key], input=signed.encode(), capture_output=True, check=True).stdout
    print(signed + "." + text(raw(der)), end="")


main()
