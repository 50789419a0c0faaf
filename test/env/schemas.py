#!/usr/bin/env python3
"""The schemas of docs/formats/ against flox itself: what they refuse it refuses, and what they accept it accepts.

    schemas.py environments DIRECTORY   every environment below it (corpus.py) is as both schemas say
    schemas.py verdicts DIRECTORY       manifests that are right and manifests with one fault each: flox and the schema agree

Needs tomllib (Python 3.11) and jsonschema."""
import json
import pathlib
import re
import subprocess
import sys
import tomllib

import jsonschema

FORMATS = pathlib.Path(__file__).parents[2] / "docs/formats"

# Without the first line, which is the schema version.
RIGHT = [
    "", "description = 'x'", "minimum-cli-version = '1.2.3'", "minimum-cli-version = { version = '1', reason = 'x' }",
    "[install]\na = { pkg-path = 'a.b', version = '^1', priority = 0, pkg-group = 'g', systems = ['x86_64-linux'], outputs = 'all' }",
    "[install]\n'ünï'.store-path = '/nix/store/x'\nb = { flake = 'github:a/b', outputs = ['out'] }",
    "[vars]\n'A B' = ''\n[hook]\non-activate = ''\non-deactivate = ''",
    "[profile]\ncommon = ''\nbash = ''\nzsh = ''\nfish = ''\ntcsh = ''\n[profile.deactivate]\ncommon = ''\ntcsh = ''",
    "[services]\nauto-start = true\na.command = 'x'\nb = { command = 'x', depends-on.a.condition = 'process_started' }",
    "[services.a]\ncommand = 'x'\nis-daemon = true\nshutdown.command = 'y'\nvars.A = ''\nsystems = []\nsystemd.unit.X = 1",
    "[services.a]\ncommand = 'x'\nshutdown = { signal = 2, timeout-seconds = 3 }", "[services.a]\ncommand = 'x'\nis-daemon = true",
    "[build.a]\ncommand = 'x'\nversion.file = 'V'\nlicense = ['MIT']\nsandbox = 'pure'\nsandbox-allow = ['/x']\nruntime-packages = []",
    "[build.a]\ncommand = 'x'\nversion = '1'\nlicense = 'MIT'\ndescription = 'x'", "[build.a]\ncommand = 'x'\nversion.command = 'date'",
    "[options]\nsystems = []\nallow = { unfree = true, broken = false, licenses = ['MIT'] }\nsemver.allow-pre-releases = true\n"
    "cuda-detection = false\nactivate = { mode = 'run', upgrade-notifications = true }\nstability = 'stable'",
    "[pkg-groups.a]\nstability = 'stable'", "[include]\nenvironments = []",
    "[containerize.config]\nuser = 'x'\nexposed-ports = ['80']\ncmd = []\nvolumes = []\nworking-dir = '/'\nlabels.a = ''\nstop-signal = 'x'",
    "[plugins]\nanything = [{ at = 1 }]",
]
WRONG = [
    "version = 1", "instal = {}", "description = 1", "minimum-cli-version = 1", "minimum-cli-version.version = 1",
    "minimum-cli-version.reasons = 'x'", "install = []", "[[install]]", "[install]\na = 'a'", "[install]\na = {}",
    "[install]\na.version = '1'", "[install]\na = { pkg-path = 'a', flake = 'f' }", "[install]\na.pkg_path = 'a'",
    "[install]\na.pkg-path = 1", "[install]\na = { pkg-path = 'a', version = 2024-11-28 }",
    "[install]\na = { pkg-path = 'a', version = 1.5 }", "[install]\na = { pkg-path = 'a', priority = -1 }",
    "[install]\na = { pkg-path = 'a', priority = 1000001 }", "[install]\na = { pkg-path = 'a', priority = '5' }",
    "[install]\na = { pkg-path = 'a', priority = 1.5 }",
    "[install]\na = { pkg-path = 'a', systems = 'x86_64-linux' }", "[install]\na = { pkg-path = 'a', systems = [1] }",
    "[install]\na = { pkg-path = 'a', outputs = 'some' }", "[install]\na = { pkg-path = 'a', outputs = [1] }",
    "[install]\na = { pkg-path = 'a', outputs = 1 }", "[install]\n\"a\\nb\".pkg-path = 'a'", "[install]\na.pkg-path = \"a\\u0007\"",
    f"[install]\n{'x' * 256}.pkg-path = 'a'", "[vars]\nA = 1", "[vars]\n'A=B' = ''", "[vars]\n'' = ''", "vars = 1",
    "[hook]\non-activat = ''", "[hook]\non-activate = []", "[profile]\nbsah = ''", "[profile]\nbash = 1",
    "[profile.deactivate]\ndeactivate = ''", "[profile]\ndeactivate = ''", "[services]\nauto-start = 'yes'", "[services.a]",
    "[services.a]\ncommand = 1", "[services.a]\ncommand = 'x'\ncomand = 'y'", "[services]\n'a/b'.command = 'x'",
    "[services]\n'.a'.command = 'x'", "[services]\n'a '.command = 'x'", f"[services]\n{'x' * 65}.command = 'x'",
    "[services.a]\ncommand = 'x'\nis-daemon = 1",
    "[services.a]\ncommand = 'x'\nshutdown = {}", "[services.a]\ncommand = 'x'\nshutdown.signal = 32",
    "[services.a]\ncommand = 'x'\nshutdown = { signal = 1, command = 'y' }", "[services.a]\ncommand = 'x'\nshutdown.timeout-seconds = 0",
    "[services.a]\ncommand = 'x'\ndepends-on.b = 'started'", "[services.a]\ncommand = 'x'\ndepends-on.b.condition = 'started'",
    "[services.a]\ncommand = 'x'\nsystemd.Unit = {}", "[services.a]\ncommand = 'x'\nvars.A = 1", "[build.a]", "[build.a]\ncommand = 1",
    "[build.a]\ncommand = 'x'\nversion = 1.5", "[build.a]\ncommand = 'x'\nversion = {}", "[build.a]\ncommand = 'x'\nversion.fil = 'x'",
    "[build.a]\ncommand = 'x'\nversion = { file = 'x', command = 'y' }", "[build.a]\ncommand = 'x'\nsandbox = 'strong'",
    "[build.a]\ncommand = 'x'\nlicense = 1", "[build.a]\ncommand = 'x'\nlicense = [1]", "[build.a]\ncommand = 'x'\nruntime-packages = 'a'",
    "[options]\nsystem = []", "[options]\nsystems = 'x'", "[options]\nallow.unfree = 'yes'", "[options]\nallow.license = []",
    "[options]\nsemver.allow-pre-releases = 1", "[options]\nactivate.mode = 'prod'", "[options]\ncuda-detection = 'no'",
    "[options]\nstability = 1", "[pkg-groups]\na = 'stable'", "[pkg-groups.a]\nstabilty = 'stable'", "[include]\nenvironment = []",
    "[include]\nenvironments = ['../x']", "[include]\nenvironments = [{}]", "[include]\nenvironments = [{ dir = 'a', remote = 'b/c' }]",
    "[include]\nenvironments = [{ dir = '' }]", "[include]\nenvironments = [{ dir = 'a', generation = 1 }]",
    "[include]\nenvironments = [{ remote = 'a/b', generation = 0 }]", "[containerize]\nconfg = {}", "[containerize.config]\nuser = 1",
    "[containerize.config]\nvolume = []", "[containerize.config]\ncmd = 'x'", "[containerize.config]\nlabels.a = 1", "plugins = 1",
]
SCHEMA_VERSIONS = {"1.10.0": True, "1.19.0": True, "1.9.0": False, "2.0.0": False, "1": False, "1.10": False}


def validator(name):
    schema = json.loads((FORMATS / name).read_text())
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    return kind(schema)


def complaints(schema, document):
    return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in schema.iter_errors(document)]


def environments(directory):
    manifests, locks = validator("manifest.schema.json"), validator("lockfile.schema.json")
    wrong = []
    for file in sorted(directory.glob("*/.flox/env/manifest.*")):
        text = file.read_bytes().decode("utf-8-sig")
        found = complaints(manifests, tomllib.loads(text)) if file.suffix == ".toml" else complaints(locks, json.loads(text))
        wrong += [f"{file}: {complaint}" for complaint in found]
    return wrong


def verdicts(directory):
    schema = validator("manifest.schema.json")
    head = "schema-version = '1.19.0'\n"
    cases = [(head + text, True) for text in RIGHT] + [(head + text, False) for text in WRONG]
    cases += [(f"schema-version = '{version}'", right) for version, right in SCHEMA_VERSIONS.items()]
    cases += [("version = 1", True), ("version = 2", False), ("", False), ("schema-version = 1", False)]
    wrong = []
    (directory / ".flox/env").mkdir(parents=True)
    (directory / ".flox/env.json").write_text('{"name": "verdicts", "version": 1}\n')
    for text, right in cases:
        (directory / ".flox/env/manifest.toml").write_text(text)
        # Of a manifest that is read it says that there is no such package.
        said = subprocess.run(["flox", "uninstall", "-d", str(directory), "nothing"], capture_output=True, text=True).stderr
        accepted = "'nothing' is not installed" in said
        if not accepted and not re.search(r"manifest\.toml:\d+:\d+: ", said):
            wrong.append(f"refused without its place: {text!r}: {said}")
        if accepted != right:
            wrong.append(f"flox {'accepts' if accepted else 'refuses'} {text!r}: {said}")
        found = complaints(schema, tomllib.loads(text))
        if (not found) != right:
            wrong.append(f"the schema {'refuses' if found else 'accepts'} {text!r}: {found}")
    return wrong


if __name__ == "__main__":
    problems = {"environments": environments, "verdicts": verdicts}[sys.argv[1]](pathlib.Path(sys.argv[2]))
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
