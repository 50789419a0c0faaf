#!/usr/bin/env python3
"""Compares how our programs read files of secrets with how botocore and curl read them.

    secret_files.py PROBE DIRECTORY    PROBE: secret_files_probe"""
import base64
import http.server
import json
import os
import pathlib
import random
import subprocess
import sys
import threading

import botocore.exceptions
from botocore.configloader import load_config, raw_config_parse
from botocore.credentials import ConfigProvider, SharedCredentialProvider

PROBE, WORK = sys.argv[1], pathlib.Path(sys.argv[2])


def ask(kind, cases):
    done = subprocess.run([PROBE, kind], input="".join(json.dumps(case) + "\n" for case in cases), capture_output=True,
                          text=True, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases), done.stderr
    return answers


def compare(what, cases, expected, answers):
    wrong = 0
    for case, theirs, ours in zip(cases, expected, answers):
        ours = "error" if ours and "error" in ours else ours
        if isinstance(ours, dict) and isinstance(theirs, dict):
            ours = {key: ours[key] for key in theirs}
        if ours != theirs and not (theirs is None and ours == "error" and what == "botocore"):
            wrong += 1
            if wrong <= 5:
                print(f"{what}: {case}\n  theirs: {theirs}\n  ours:   {ours}", file=sys.stderr)
    kinds = {str(None if answer is None else "error" if answer == "error" else "login") for answer in expected}
    print(f"{what}: {len(cases)} files, {wrong} read otherwise")
    if len(cases) > 100 and kinds != ({"None", "login", "error"} if what == "botocore" else {"None", "login"}):
        sys.exit(f"{what}: the cases have only these outcomes: {kinds}")
    return wrong


# --- AWS

AWS_TEXTS = [
    "[default] # mine\naws_access_key_id = A\naws_secret_access_key = S\n",
    "[default]\n    aws_access_key_id = A\n    aws_secret_access_key = S\n",
    "[default]\nAWS_ACCESS_KEY_ID = A\nAWS_SECRET_ACCESS_KEY = S # no comment\n",
    "[default]\naws_access_key_id: A\naws_secret_access_key: S=T/U+:\naws_session_token=T\n",
    "[work]\r\naws_access_key_id=A\r\naws_secret_access_key=S\r\naws_security_token=T\r\n",
    "[profile work]\naws_access_key_id=A\naws_secret_access_key=S\n",
    "[default]\naws_access_key_id = A\n  aws_secret_access_key = S\n",
    "[DEFAULT]\naws_access_key_id = A\naws_secret_access_key = S\n[default]\nregion = r\n[work]\n",
    "[default]\ns3 =\n    max_concurrent_requests = 20\naws_access_key_id = A\naws_secret_access_key = S\n",
    "[default]\naws_access_key_id = A\naws_access_key_id = B\naws_secret_access_key = S\n",
    "; c\n\n[default] ; c\n# c\naws_access_key_id =   A  \n\t\n   # c\naws_secret_access_key =S\n",
    "\ufeff[default]\naws_access_key_id = A\naws_secret_access_key = S\n",
    "aws_access_key_id = A\n[default]\n",
    "[default]\naws_access_key_id\n",
    "[default]\naws_access_key_id = A\n",
    "",
]
NAMES = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "region", "s3", "output"]


def aws_text(choice):
    lines = []
    for _ in range(choice.choice([1, 1, 2, 3])):
        indent = choice.choice(["", "", "", "  ", "\t"])
        name = choice.choice(["default", "default", "work", "profile work", "profile default", 'profile "work"', "DEFAULT", "x"])
        lines.append(choice.choice(["", "", "", " "]) + f"[{name}]" + choice.choice(["", "", " # c", "   ", " ; [x", " c"]))
        for setting in choice.sample(NAMES, choice.randint(0, 5)):
            if choice.random() < 0.15:
                lines.append(choice.choice(["", "  ", "# c", "  ; c = d", "\t# [x]"]))
            setting = choice.choice([setting, setting, setting.upper(), setting.title()])
            mark = choice.choice(["=", " = ", ":", " :  ", "=  "])
            value = choice.choice(["AKIA1", "a/b+c==", "s # c", "a:b", "", '"q"', "é", "[x]", "x;y"])
            lines.append(choice.choice([indent] * 9 + ["      "]) + setting + mark + value + choice.choice(["", "", " "]))
            if choice.random() < 0.06:
                lines.append(choice.choice(["    more = 1", "      a", "junk", "  junk: 1", "= 1", " [y]", "[default]"]))
    return choice.choice(["\n", "\n", "\n", "\r\n", "\r"]).join(lines) + choice.choice(["\n", "\n", ""])


def botocore_reads(credentials, config, profile):
    """The keys, or None if there are none that could be used (half a pair, an empty one, one of several lines: we say which);
    "error" for a file that is malformed, and for a profile that is in neither."""
    try:
        sections = raw_config_parse(credentials)
        profiles = load_config(config)["profiles"]
        if profile != "default" and profile not in sections and profile not in profiles:
            return "error"
        found = SharedCredentialProvider(credentials, profile).load() or ConfigProvider(config, profile).load()
    except botocore.exceptions.ConfigParseError:
        return "error"
    except botocore.exceptions.PartialCredentialsError:
        return None
    if found is None:
        return None
    keys = {"id": found.access_key, "secret": found.secret_key, "token": found.token or ""}
    if isinstance(found.token, dict):  # settings of a setting, which nobody sends
        del keys["token"]
    usable = all(isinstance(value, str) and "\n" not in value for value in keys.values())
    return keys if usable and keys["id"] and keys["secret"] else None


def aws(count):
    choice = random.Random(1)
    texts = [(text, "") for text in AWS_TEXTS] + [("", text) for text in AWS_TEXTS]
    texts += [(aws_text(choice), choice.choice(["", aws_text(choice)])) for _ in range(count)]
    cases, shown, expected = [], [], []
    for number, (credentials, config) in enumerate(texts):
        for profile in ("default", "work"):
            files = [WORK / f"{number}.{kind}" for kind in ("credentials", "config")]
            for file, text in zip(files, (credentials, config)):
                file.write_text(text, newline="")
                file.chmod(0o600)
            case = {"credentials": str(files[0]), "config": str(files[1]), "profile": profile}
            cases.append(case)
            shown.append({"credentials": credentials, "config": config, "profile": profile})
            expected.append(botocore_reads(**case))
    return compare("botocore", shown, expected, ask("aws", cases))


# --- netrc

HOST = "127.0.0.1"
NETRC_TEXTS = [
    "machine a.example login a password b\nmachine HOST login u password p\nmachine c.example login c password d\n",
    "machine HOST\nmachine c.example login c password d\n",
    "machine HOST password p",
    "machine a.example password x\nmachine HOST login u password p\n",
    "machine HOST password p\nmachine HOST login v password q\n",
    "machine HOST\n\tlogin u\n\tpassword p\n\taccount x\nmacdef init\ncd /\nput x\n\ndefault login d password e\n",
    "default login d password e\n",
    "machine HOST login u\ndefault login d password e\n",
    "machine HOST login \"u x\" password \"a\\\"b\\\\\"\n",
    "# machine HOST login n password n\nmachine HOST login u # c\n password p\n",
]


def netrc_text(choice):
    """Without what curl has wrong in the version at hand: values of other hosts' entries, and of "account", that are keywords,
    a macro that belongs to an entry, an entry of another login than the one asked for, and one without a login or a password
    that others follow."""
    lines = ["macdef m\nmachine HOST login n password n\n"] if choice.random() < 0.1 else []
    for _ in range(choice.randint(1, 4)):
        host = choice.choice(["HOST", "HOST", "a.example", "b.example"])
        words = ["default"] if choice.random() < 0.1 else [choice.choice(["machine", "machine", "Machine"]), host]
        pairs = [("login", choice.choice(["u", "v", '"u v"', "machine", "password"])),
                 ("password", choice.choice(["p", "q", '"p q"', "p#q", 'a"b', "login", '"\\"x\\\\"']))]
        if words[0] != "default" and host != "HOST":
            pairs = choice.sample([("login", "a"), ("password", '"b c"')], choice.randint(0, 2))
        if choice.random() < 0.2:
            pairs.append(("account", "x"))
        choice.shuffle(pairs)
        for keyword, value in pairs:
            words += [choice.choice([keyword, keyword, keyword.upper()]), value]
        lines.append("".join(word + choice.choice([" ", " ", "  ", "\t"] + (["\n", "\n  "] if i % 2 else [])) for i, word in
                             enumerate(words)).rstrip() + choice.choice(["", "", " # c machine HOST"]))
        if choice.random() < 0.1:
            lines.append("# machine HOST login n password n")
    return "\n".join(lines).replace("HOST", HOST) + choice.choice(["\n", ""])


class Seen(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = {}

    def do_GET(self):
        self.asked[self.path] = self.headers.get("Authorization")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def curl_sends(server, number, text):
    file = WORK / "netrc"
    file.write_text(text, newline="")
    subprocess.run(["curl", "-sS", "-q", "--noproxy", "*", "--netrc-file", file, f"http://{HOST}:{server.server_port}/{number}"],
                   check=True)
    sent = Seen.asked[f"/{number}"]
    if sent is None:
        return None
    login, _, password = base64.b64decode(sent.removeprefix("Basic ")).decode().partition(":")
    return {"login": login, "password": password} if login or password else None


def netrc(count):
    choice = random.Random(2)
    texts = [text.replace("HOST", HOST) for text in NETRC_TEXTS] + [netrc_text(choice) for _ in range(count)]
    with http.server.ThreadingHTTPServer((HOST, 0), Seen) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        expected = [curl_sends(server, number, text) for number, text in enumerate(texts)]
        server.shutdown()
    cases = [{"text": text, "host": HOST, "user": ""} for text in texts]
    return compare("curl", cases, expected, ask("netrc", cases))


if aws(3000) + netrc(400):
    sys.exit("files are read otherwise than by the tools that they belong to")
