#!/usr/bin/env python3
"""An OpenID Connect issuer that lies: hostile_issuer.py FILE. Prints its URL. FILE has the lie to tell now, which is read with each
request; the names of the lies stand in test/catalog/hostile_issuer.sh."""
import base64
import http.server
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

lie_file = pathlib.Path(sys.argv[1])
nonce = ""


def encode(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def reply(self, body, status=200, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def configuration(self, lie):
        document = {
            "issuer": issuer,
            "authorization_endpoint": issuer + "/authorize",
            "token_endpoint": issuer + "/token",
            "device_authorization_endpoint": issuer + "/device",
            "jwks_uri": issuer + "/keys",
            "code_challenge_methods_supported": ["S256"],
        }
        if lie == "other-configuration":
            document["issuer"] = "https://other.example"
        elif lie == "no-pkce":
            document["code_challenge_methods_supported"] = ["plain"]
        elif lie == "plain-endpoint":
            document["token_endpoint"] = "http://192.0.2.1/token"
        elif lie == "login-endpoint":
            document["token_endpoint"] = issuer.replace("//", "//user:password@") + "/token"
        elif lie == "no-grants":
            del document["device_authorization_endpoint"], document["authorization_endpoint"]
        elif lie == "promised-iss":
            document["authorization_response_iss_parameter_supported"] = True
        return document

    def do_GET(self):
        global nonce
        lie, url = lie_file.read_text().strip(), urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/.well-known/openid-configuration":
            if lie == "redirects":
                return self.reply(b"", 302, Location=self.path)
            if lie == "elsewhere":
                return self.reply(b"", 302, Location=issuer.replace("127.0.0.1", "localhost") + "/other")
            if lie == "huge-configuration":
                return self.reply(b"[" + b"1," * 1_000_000 + b"1]")
            if lie == "deep-configuration":
                return self.reply(b"[" * 10_000)
            return self.reply(self.configuration(lie))
        if url.path == "/other":
            return self.reply(self.configuration(""))
        if url.path == "/keys":
            return self.reply({"keys": []})
        if url.path == "/authorize":
            nonce = query["nonce"]
            answer = {"state": query["state"], "code": "code", "iss": issuer}
            if lie == "other-state":
                # Twice with a state that is not this login's; then the user has enough.
                handler = query["redirect_uri"]
                for state in ("", "A" * 43):
                    try:
                        urllib.request.urlopen(handler + "?" + urllib.parse.urlencode({"state": state, "code": "code"}))
                    except urllib.error.HTTPError as error:
                        assert error.code == 400, error
                answer = {"state": query["state"], "error": "access_denied"}
            elif lie == "other-iss":
                answer["iss"] = "https://other.example"
            elif lie == "promised-iss":
                del answer["iss"]
            elif lie == "no-code":
                del answer["code"]
            return self.reply(b"", 302, Location=query["redirect_uri"] + "?" + urllib.parse.urlencode(answer))
        self.reply(b"", 404)

    def do_POST(self):
        lie = lie_file.read_text().strip()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/device":
            document = {"device_code": "d", "user_code": "AB-CD", "verification_uri": issuer + "/page", "interval": 1, "expires_in": 600}
            if lie == "page":
                document["verification_uri"] = "javascript:alert(1)"
            elif lie == "code-escapes":
                document.update(user_code="\x1b]0;owned\x07AB", expires_in=-5)
            return self.reply(document)
        claims = {"iss": issuer, "aud": ["flox"], "sub": "ada", "nonce": nonce, "exp": 4_000_000_000, "email": "ada@example.com", "email_verified": True}
        if lie == "other-nonce":
            claims["nonce"] = "A" * 43
        elif lie == "no-nonce":
            del claims["nonce"]
        elif lie == "other-issuer":
            claims["iss"] = "https://other.example"
        elif lie == "other-audience":
            claims["aud"] = "other"
        token = ".".join((encode({"alg": "ES256", "kid": "x"}), encode(claims), "AAAA"))
        if lie == "code-escapes":
            return self.reply({"error": "authorization_pending"}, 400)
        if lie == "escapes":
            return self.reply({"error": "\x1b]0;owned\x07", "error_description": "\x1b[31m" + "x" * 2_000}, 400)
        if lie == "token-redirects":
            return self.reply(b"", 307, Location=self.path)
        if lie == "huge-token":
            return self.reply({"id_token": token, "padding": "x" * 1_000_000})
        if lie == "long-token":
            return self.reply({"id_token": token + "A" * 20_000})
        if lie == "no-token":
            return self.reply({"access_token": "x"})
        if lie == "broken-token":
            return self.reply({"id_token": "a.b"})
        if lie == "list":
            return self.reply([1])
        self.reply({"id_token": token})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
issuer = f"http://127.0.0.1:{server.server_address[1]}"
print(issuer, flush=True)
server.serve_forever()
