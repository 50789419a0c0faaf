#!/usr/bin/env python3
"""A proxy in front of a catalog that holds each exchange against the API's OpenAPI document.

  proxy.py DOCUMENT CATALOG_URL PORT_FILE REPORT

REPORT is written anew after each exchange: {"seen": {"METHOD PATH": [status…]}, "wrong": [line…]}. An answer is wrong if its
status, a header, its media type or its body is none that the document has; so is a request that the catalog took, and that the
document does not allow.
"""
import http.client
import http.server
import json
import os
import re
import sys
import threading
import urllib.parse

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

document_file, catalog, port_file, report_file = sys.argv[1:]
document = json.load(open(document_file))
registry = Registry().with_resource("urn:api", Resource.from_contents(document, default_specification=DRAFT202012))
catalog = urllib.parse.urlsplit(catalog)
lock = threading.Lock()
seen, wrong = {}, []


def pointer(*parts):
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def resolved(value, place):
    """What stands behind a reference, and where it stands."""
    while "$ref" in value:
        place = value["$ref"][2:]
        value = document
        for part in place.split("/"):
            value = value[part.replace("~1", "/").replace("~0", "~")]
    return value, place


def complaints(place, instance):
    """What the schema at a place of the document has against it."""
    validator = Draft202012Validator({"$ref": "urn:api#/" + place}, registry=registry)
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in validator.iter_errors(instance)]


def templates():
    for path, item in document["paths"].items():
        expression = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", path))
        yield path.count("{"), -len(path), path, re.compile(expression), item


ORDERED = sorted(templates(), key=lambda one: one[:2])


def operation_of(method, path):
    for _, _, template, expression, item in ORDERED:
        if expression.fullmatch(path) and method.lower() in item:
            return template, item[method.lower()]
    return None, None


def check_body(place, contents, media_type, body):
    media_type = media_type.split(";")[0].strip()
    if media_type not in contents:
        yield f"its media type is '{media_type}', which is none of {sorted(contents)}"
    elif media_type.endswith("json"):
        try:
            yield from complaints(f"{place}/content/{pointer(media_type)}/schema", json.loads(body))
        except ValueError as error:
            yield f"it is no JSON: {error}"
    elif media_type == "application/x-www-form-urlencoded":
        yield from complaints(f"{place}/content/{pointer(media_type)}/schema", dict(urllib.parse.parse_qsl(body.decode())))


def check_answer(place, operation, status, headers, body, method):
    key = str(status) if str(status) in operation["responses"] else "default"
    if key == "default" and status < 400:
        yield f"the document has no answer {status}"
        return
    answer, where = resolved(operation["responses"][key], f"{place}/responses/{key}")
    for name, header in answer.get("headers", {}).items():
        description, at = resolved(header, f"{where}/headers/{pointer(name)}")
        if name in headers:
            yield from (f"{name}: {headers[name]}: {line}" for line in complaints(at + "/schema", headers[name]))
        elif description.get("required"):
            yield f"the header {name} is missing"
    if status in (429, 503, 507) and "Retry-After" not in headers:
        yield "the header Retry-After is missing"
    if method == "HEAD" or status == 304:
        if body:
            yield "it has content"
    elif "content" in answer:
        yield from check_body(where, answer["content"], headers.get("Content-Type", ""), body)
    elif body:
        yield "it has content, and the document has none"


def check_request(place, operation, query, headers, body):
    names = {resolved(one, "")[0]["name"]: resolved(one, "") for one in operation.get("parameters", [])}
    for name, text in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if name not in names:
            yield f"the query's '{name}' is not in the document"
            continue
        parameter, _ = names[name]
        value = int(text) if parameter["schema"].get("type") == "integer" and text.isdigit() else text
        yield from (f"{name}: {e.message}" for e in Draft202012Validator(parameter["schema"], registry=registry).iter_errors(value))
    if "requestBody" in operation and body:
        contents = operation["requestBody"]["content"]
        # curl -d says that it sends a form.
        said = headers.get("Content-Type", "").split(";")[0]
        media_type = said if said in contents else next(iter(contents))
        yield from check_body(place + "/requestBody", contents, media_type, body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def exchange(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(catalog.hostname, catalog.port, timeout=120)
        fields = {name: text for name, text in self.headers.items() if name.lower() not in ("expect", "connection")}
        connection.request(self.command, self.path, body=body or None, headers=fields)
        answer = connection.getresponse()
        content = answer.read()
        path, _, query = self.path.partition("?")
        self.look(urllib.parse.unquote(path), query, body, answer, content)
        self.send_response_only(answer.status)
        for name, text in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, text)
        if answer.status != 304:
            self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def look(self, path, query, body, answer, content):
        template, operation = operation_of("GET" if self.command == "HEAD" else self.command, path)
        if operation is None:
            # What is not in the document is not there, or nobody may know whether it is.
            problems = [] if answer.status in (400, 403, 404) else ["it is not in the document"]
        else:
            place = pointer("paths", template, "get" if self.command == "HEAD" else self.command.lower())
            problems = list(check_answer(place, operation, answer.status, answer.headers, content, self.command))
            if answer.status < 300:
                problems += [f"the request was taken: {line}" for line in check_request(place, operation, query, self.headers, body)]
        with lock:
            seen.setdefault(f"{self.command} {template}", set()).add(answer.status)
            wrong.extend(f"{self.command} {self.path} {answer.status}: {line}" for line in problems)
            with open(report_file + ".new", "w") as report:
                json.dump({"seen": {key: sorted(value) for key, value in seen.items()}, "wrong": wrong}, report)
            os.rename(report_file + ".new", report_file)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = exchange


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(port_file + ".new", port_file)
server.serve_forever()
