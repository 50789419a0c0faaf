#!/usr/bin/env python3
"""Signs metadata without our programs: reads {"signed": …} from standard input, writes it with one signature.

  sign_metadata.py KEY-FILE [PYTHON-STATEMENT]     the statement may change `signed`, a dict
"""
import base64
import hashlib
import json
import subprocess
import sys
import tempfile

document = json.load(sys.stdin)
signed = document["signed"]
if len(sys.argv) > 2:
    exec(sys.argv[2])


def canonical(value):  # OLPC's canonical JSON, for texts without '"' and '\'
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


seed_and_public = base64.b64decode(open(sys.argv[1]).read().strip().split(":")[1])
seed, public = seed_and_public[:32], seed_and_public[32:]
key = {"keytype": "ed25519", "keyval": {"public": public.hex()}, "scheme": "ed25519"}
der = bytes.fromhex("302e020100300506032b657004220420") + seed
with tempfile.NamedTemporaryFile() as pem, tempfile.NamedTemporaryFile() as text:
    pem.write(b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n")
    text.write(canonical(signed))
    pem.flush(), text.flush()
    made = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", pem.name, "-in", text.name], check=True, capture_output=True)
signature = {"keyid": hashlib.sha256(canonical(key)).hexdigest(), "sig": made.stdout.hex()}
print(json.dumps({"signatures": [signature], "signed": signed}))
