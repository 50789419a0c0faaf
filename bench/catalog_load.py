"""Fills a catalog, and asks it at a steady rate.

    catalog_load.py fill URL TOKEN_FILE STORE_PATH PACKAGES VERSIONS ENVIRONMENTS
    catalog_load.py resolve|search URL PACKAGES SECONDS

A request is sent when its time has come, whether those before are answered or not, and its time counts from then: a
server that stalls is seen in all that waits.
"""

import http.client
import json
import random
import sys
import threading
import time
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


def steadily(rate, seconds, request):
    """request(connection, i), `rate` times a second; prints how long they took."""
    took, begin = [], time.monotonic() + 0.2

    def ask(connection, i):
        due = begin + i / rate
        time.sleep(max(0.0, due - time.monotonic()))
        request(connection, i)
        took.append(time.monotonic() - due)

    in_threads(int(rate * seconds), ask)
    took.sort()
    at = [1000 * took[min(len(took) - 1, int(len(took) * share))] for share in (0.5, 0.99, 1)]
    print("  {} requests: median {:.1f} ms, 99 % {:.1f} ms, slowest {:.1f} ms".format(len(took), *at))


def resolve(packages, seconds):
    def request(connection, i):
        some = random.Random(i).sample(range(packages), 20)
        descriptors = [{"install_id": f"i{j}", "attr_path": name(p), "version": "^1.2", "systems": ["x86_64-linux"]} for j, p in enumerate(some)]
        post(connection, "/api/v1/catalog/resolve", {"items": [{"name": "toplevel", "descriptors": descriptors}]}, {})

    steadily(200, seconds, request)


def search(packages, seconds):
    def request(connection, i):
        term = random.Random(i).choice([name(i % packages), WORDS[i % 16], WORDS[i % 16][:3], "benchmark"])
        connection.request("GET", f"/api/v1/catalog/search?page_size=50&search_term={quote(term)}")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"search: {answer.status}")

    steadily(100, seconds, request)


what, url, *rest = sys.argv[1:]
host = urlsplit(url).netloc
if what == "fill":
    fill(rest[0], rest[1], *map(int, rest[2:]))
else:
    {"resolve": resolve, "search": search}[what](int(rest[0]), float(rest[1]))
