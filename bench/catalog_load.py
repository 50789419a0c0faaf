"""Fills a catalog, and makes the requests that bench/steady_load sends.

    catalog_load.py fill URL TOKEN_FILE STORE_PATH PACKAGES VERSIONS ENVIRONMENTS
    catalog_load.py resolve|search PACKAGES COUNT >REQUESTS
"""

import http.client
import json
import random
import sys
import threading
from urllib.parse import quote, urlsplit

WORDS = "alpha beacon cedar delta ember falcon garnet harbor iris jasper kestrel lumen maple nimbus onyx prism".split()


def name(i):
    return f"{WORDS[i % 16]}-{WORDS[i // 16 % 16]}-{i}"


def in_threads(number, work):
    """Runs work(connection, i) for i below `number` on 8 connections."""
    lock, following = threading.Lock(), iter(range(number))

    def run():
        connection = http.client.HTTPConnection(host)
        while True:
            with lock:
                i = next(following, None)
            if i is None:
                return
            work(connection, i)

    threads = [threading.Thread(target=run) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def post(connection, path, document, headers):
    connection.request("POST", path, json.dumps(document), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status not in (200, 201):
        sys.exit(f"{path}: {answer.status} {body[:300]!r}")


def fill(token_file, store_path, packages, versions, environments):
    headers = {"Authorization": "Bearer " + open(token_file).read().strip()}

    def publish(connection, i):
        package = name(i // versions)
        post(connection, f"/api/v1/catalog/packages/{package}/builds",
             {"name": package, "version": f"1.{i % versions}.0", "system": "x86_64-linux", "outputs": {"out": store_path},
              "description": f"The {package} of the benchmark, which {WORDS[i % 16]} uses", "license": "MIT"}, headers)

    def push(connection, i):
        manifest = f'version = 1\n[install]\nweb.pkg-path = "{name(i % packages)}"\n'
        post(connection, f"/api/v1/environments/team{i % 100}/env{i}",
             {"manifest": manifest, "lock": {"lockfile-version": 1, "manifest": {"version": 1, "install": {"web": {"pkg-path": name(i % packages)}}},
                                             "packages": []}}, headers)

    in_threads(packages * versions, publish)
    in_threads(environments, push)


def write(requests):
    for request in requests:
        sys.stdout.buffer.write(b"%d\n" % len(request) + request)


def resolve(i, packages):
    some = random.Random(i).sample(range(packages), 20)
    descriptors = [{"install_id": f"i{j}", "attr_path": name(p), "version": "^1.2", "systems": ["x86_64-linux"]} for j, p in enumerate(some)]
    body = json.dumps({"items": [{"name": "toplevel", "descriptors": descriptors}]}).encode()
    return b"POST /api/v1/catalog/resolve HTTP/1.1\r\nHost: c\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def search(i, packages):
    # One package, those of a word, those of the beginning of one, all.
    term = random.Random(i).choice([name(i % packages), WORDS[i % 16], WORDS[i % 16][:3], "benchmark"])
    return f"GET /api/v1/catalog/search?page_size=50&search_term={quote(term)} HTTP/1.1\r\nHost: c\r\n\r\n".encode()


what, *rest = sys.argv[1:]
if what == "fill":
    url, token_file, store_path, *numbers = rest
    host = urlsplit(url).netloc
    fill(token_file, store_path, *map(int, numbers))
else:
    make, (packages, count) = {"resolve": resolve, "search": search}[what], map(int, rest)
    write(make(i, packages) for i in range(count))
