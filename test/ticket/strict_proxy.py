"""Stands between the programs and moto's server, which checks no signature and never fails.

    strict_proxy.py PORT UPSTREAM_PORT CONFIG LOG        (of moto's environment, for botocore)

Every request must be signed as botocore, boto3's signer, signs it: path encoded as boto3 encodes it, the same headers
signed, body hashed. CONFIG, a JSON file that is read anew for each request, says who may sign, whose credentials have
expired, and what goes wrong:

    {"keys": {"ACCESS KEY": ["SECRET", "SESSION TOKEN"]}, "expired": ["ACCESS KEY"],
     "rate": 0.3, "faults": ["500", "503", "throttle", "slow", "truncate", "reset"]}

GET /credentials answers as a container's credentials endpoint does, with the content of CONFIG.credentials. LOG gets a line
a request: SERVICE METHOD-OR-OPERATION STATUS WHAT.
"""

import hashlib
import http.client
import http.server
import json
import random
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT, UPSTREAM, CONFIG, LOG = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$"
)
dice = random.Random(42)
lock = threading.Lock()


class Refused(Exception):
    def __init__(self, status, code, message):
        self.status, self.code, self.message = status, code, message


def verify(method, target, headers, body, config):
    """The service that the request is signed for; raises Refused."""
    found = AUTHORIZATION.match(headers.get("Authorization", ""))
    if not found:
        raise Refused(403, "MissingAuthenticationTokenException", "no signature of version 4")
    key, day, region, service, names, signature = found.groups()
    if key in config.get("expired", []):
        raise Refused(400, "ExpiredTokenException" if service != "s3" else "ExpiredToken", "the token has expired")
    if key not in config["keys"]:
        raise Refused(403, "InvalidClientTokenId", f"nobody has the key {key}")
    secret, token = config["keys"][key]
    if (headers.get("X-Amz-Security-Token") or "") != token:
        raise Refused(403, "InvalidClientTokenId", "the session token is not that of the key")
    names = names.split(";")
    needed = {"host", "x-amz-date"} | {n.lower() for n in headers if n.lower().startswith("x-amz-")}
    if service == "s3":
        needed.add("x-amz-content-sha256")
        if headers.get("X-Amz-Content-Sha256") != hashlib.sha256(body).hexdigest():
            raise Refused(400, "XAmzContentSHA256Mismatch", "the hash is not that of the body")
    if not needed <= set(names):
        raise Refused(403, "AccessDenied", f"not signed: {sorted(needed - set(names))}")

    path, _, query = target.partition("?")
    as_boto = urllib.parse.quote(urllib.parse.unquote_to_bytes(path), safe="/-._~")
    if path != as_boto:
        raise Refused(400, "InvalidURI", f"boto3 would ask for {as_boto}")
    request = AWSRequest(method=method, url=f"http://{headers['Host']}{path}" + (f"?{query}" if query else ""), data=body)
    for name in names:
        if name != "host":
            request.headers[name] = headers[name]
    request.context["timestamp"] = headers["X-Amz-Date"]
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    signer = kind(Credentials(key, secret, token or None), service, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if expected != signature or not headers["X-Amz-Date"].startswith(day):
        raise Refused(403, "SignatureDoesNotMatch", "the signature does not match\n" + signer.canonical_request(request))
    return service


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with open(CONFIG) as file:
            config = json.load(file)
        operation = self.headers.get("X-Amz-Target", self.command).rpartition(".")[2]
        if self.path == "/credentials":
            return self.answer(200, [("Content-Type", "application/json")], json.dumps(config["credentials"]).encode(), "-", "credentials")
        service = "?"
        try:
            service = verify(self.command, self.path, self.headers, body, config)
            with lock:
                fault = dice.choice(config["faults"]) if dice.random() < config.get("rate", 0) else None
            if fault in ("500", "503"):
                raise Refused(int(fault), "InternalFailure" if fault == "500" else "ServiceUnavailable", "injected")
            if fault == "throttle":
                raise Refused(*((503, "SlowDown") if service == "s3" else (400, "ThrottlingException")), "injected")
            if fault == "slow":
                time.sleep(0.3)
            if fault == "reset":
                self.note(service, operation, 0, fault)
                # Whether the request had an effect, the client cannot know.
                self.upstream(body)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return None
            status, headers, content = self.upstream(body)
            self.answer(status, headers, content, service, operation, truncate=fault == "truncate")
        except Refused as refused:
            content = (
                f"<Error><Code>{refused.code}</Code><Message>{refused.message}</Message></Error>"
                if service == "s3" or "X-Amz-Target" not in self.headers
                else json.dumps({"__type": f"com.amazonaws#{refused.code}", "message": refused.message})
            )
            if refused.code == "SignatureDoesNotMatch" or refused.code == "InvalidURI":
                print(refused.message, file=sys.stderr, flush=True)
            self.answer(refused.status, [], content.encode(), service, operation, refused.code)

    def upstream(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        headers = [(n, v) for n, v in response.getheaders() if n.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server")]
        return response.status, headers, response.read()

    def answer(self, status, headers, content, service, operation, what="-", truncate=False):
        if truncate and len(content) > 1 and self.command != "HEAD":
            what = "truncate"
        self.note(service, operation, status, what)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if what == "truncate":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(content)

    def note(self, *parts):
        with lock, open(LOG, "a") as file:
            print(*parts, file=file)

    def log_message(self, *_):
        pass

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that went away, or a connection that was cut on purpose


Server(("127.0.0.1", PORT), Handler).serve_forever()
