"""A server in front of moto's S3, for tests: s3_proxy.py PORT_OF_MOTO PORT_FILE LOG [careless]. Appends a line of JSON for each request
to LOG: its method, path and headers. careless: it takes the conditions out of requests, as servers without them do."""
import http.client, http.server, json, sys

moto, port_file, log, *careless = sys.argv[1:]


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with open(log, "a") as out:
            out.write(json.dumps({"method": self.command, "path": self.path, "headers": headers}) + "\n")
        if careless:
            headers = {name: value for name, value in headers.items() if name not in ("if-match", "if-none-match")}
        to = http.client.HTTPConnection("127.0.0.1", int(moto))
        to.request(self.command, self.path, body, headers)
        answer = to.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() in ("etag", "content-type", "last-modified"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
open(port_file, "w").write(f"{server.server_port}\n")
server.serve_forever()
