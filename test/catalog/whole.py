"""Whether what a catalog shows is whole: of each record all paths, of each path all that it refers to, of each NAR its bytes.
Reads lines "URL NAME…" (packages), and answers each with "whole" and how many builds there are, or with what is wrong."""

import hashlib
import json
import sys
import urllib.error
import urllib.request

ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def base32(digest):
    number = int.from_bytes(digest, "little")
    return "".join(ALPHABET[number >> 5 * i & 31] for i in reversed(range(52)))


def check_path(url, digest, needed_by):
    text = get(f"{url}/cache/{digest}.narinfo")
    assert text is not None, f"{needed_by} needs {digest}, which is not there"
    lines = dict(line.split(": ", 1) for line in text.decode().splitlines() if not line.startswith("Sig"))
    nar = get(f"{url}/cache/{lines['URL']}")
    assert nar is not None, f"{digest}: no {lines['URL']}"
    name = lines["URL"].split("/")[1].split(".")[0]
    assert name == base32(hashlib.sha256(nar).digest()), f"{digest}: its NAR is damaged"
    for reference in lines["References"].split():
        if reference[:32] != digest:
            check_path(url, reference[:32], digest)


def check_package(url, name):
    answer = get(f"{url}/api/v1/catalog/packages/{name}")
    builds = json.loads(answer)["items"] if answer else []
    for build in builds:
        for path in build["outputs"].values():
            check_path(url, path[11:43], f"{name} {build['version']}")
    return len(builds)


for line in sys.stdin:
    address, *packages = line.split()
    try:
        answer = f"whole {sum(check_package(address, package) for package in packages)}"
    except Exception as error:
        answer = f"{type(error).__name__}: {error}".replace("\n", " ")
    print(answer, flush=True)
