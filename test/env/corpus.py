#!/usr/bin/env python3
"""Writes environments as people have them in their repositories: manifests of every schema version and layout, and locks in
the form that Flox gives them (its order of members, four systems, what it adds and leaves out). The content is our own; the
shapes are those of public repositories.

    corpus.py DIRECTORY [PATH]    DIRECTORY/NAME/.flox/…; with PATH every package of this machine's system has this store path,
                                  so that the environments can be activated

The same every time."""
import hashlib
import json
import pathlib
import platform
import sys
import tomllib

SYSTEMS = ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"]
HERE = platform.machine() + "-linux"
DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"

RULE = "## " + "-" * 66 + "\n"
TEMPLATE_HEAD = f"""## Install Packages {'-' * 50}
##  $ flox install gum  <- puts a package in [install] section below
##  $ flox search gum   <- search for a package
{RULE}[install]
"""
TEMPLATE_TAIL = f"""# gum.pkg-path = "gum"
# gum.version = "^0.14.5"


## Environment Variables {'-' * 45}
{RULE}[vars]
# INTRO_MESSAGE = "It's gettin' Flox in here"


## Activation Hook {'-' * 51}
{RULE}[hook]
# on-activate = '''
#   # -> Set variables, create files and directories
# '''


[profile]
# common = '''
#   gum style $INTRO_MESSAGE
# '''
## bash = ...


[services]
# myservice.command = "python3 -m http.server"


[include]
# environments = [
#     {{ dir = "../common" }}
# ]


[build]
# [build.myproject]
# command = \"\"\"
#   mkdir -p $out/bin
# \"\"\"


[options]
# systems = [
#   "aarch64-darwin",
# ]
# cuda-detection = false
"""

HOOK = """[hook]
on-activate = '''
  # everything in the cache
  export VENV="$FLOX_ENV_CACHE/venv"
  if [ ! -d "$VENV" ]; then
    echo "⚡ making $VENV"
    mkdir -p "$VENV" || \\
      echo "failed"
  fi
  cat >/dev/null <<'END'
[install]
END
'''
"""
PROFILE = """[profile]
common = \"\"\"
  alias ll="ls -l"
  echo 'a tab:\\t "quoted" \\\\ end'
\"\"\"
fish = '''
source "$VENV/bin/activate.fish"
'''
"""
OPTIONS = """[options]
systems = ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"]
"""
MULTI_LINE_OPTIONS = """[options]
systems = [
  "aarch64-darwin",
  "aarch64-linux", # servers
  # "x86_64-darwin",
  "x86_64-linux",
]
allow.licenses = []
allow.unfree = true
semver.allow-pre-releases = false
"""
SERVICES = """[services]
web.command = "python3 -m http.server $PORT"
[services.db]
command = '''
  postgres -D "$PGDATA"
'''
is-daemon = true
shutdown.command = "pg_ctl stop"
vars.PGPORT = "5433"
systems = ["x86_64-linux"]
"""
BUILD = """[build.tool]
command = '''
  mkdir -p $out/bin
  cp tool.sh $out/bin/tool
'''
version.file = "VERSION"
description = "A tool"
runtime-packages = ["git"]
sandbox = "off"

[build.other]
command = "make install PREFIX=$out"
version = "1.2.3"
"""
DEPENDS_ON = """[services.db]
command = "postgres"
shutdown = { signal = 2, timeout-seconds = 30 }
[services.migrate]
command = "migrate"
depends-on.db = { condition = "process_started" }
[services.web]
command = "serve"
[services.web.depends-on.migrate]
condition = "process_completed_successfully"
"""
CONTAINERIZE = """[containerize.config]
user = "65534:65534"
exposed-ports = ["8080/tcp"]
cmd = ["serve", "--port", "8080"]
labels = { "org.example.team" = "platform" }
"""
SYSTEMD = """[services.web.systemd.unit]
after = ["network.target"]
description = "The web"
[services.web.systemd.service]
restart = "OnFailure"
restart_sec = 5
private_tmp = true
limit_nofile = { soft = 1024, hard = 4096 }
"""
VARS = """[vars]
PORT = "8080"
DATA = "$FLOX_ENV_CACHE/data"
DATA_ROOT = "${DATA}/root"
EMPTY = ""
"""


def manifests():
    """Name to text."""
    found = {}
    one, ten = 'version = 1\n\n', 'schema-version = "1.10.0"\n\n'
    go = 'go.pkg-path = "go"\ngo.version = "^1.24"\n'
    tools = 'git.pkg-path = "git"\nripgrep.pkg-path = "ripgrep"\njq.pkg-path = "jq"\n'
    groups = 'cargo.pkg-path = "cargo"\ncargo.pkg-group = "rust"\nrustc.pkg-path = "rustc"\nrustc.pkg-group = "rust"\n' \
             'libiconv.pkg-path = "libiconv"\nlibiconv.systems = ["aarch64-darwin", "x86_64-darwin"]\n'
    inline = 'nodejs = { pkg-path = "nodejs", version = "~20.9" }\npnpm = {pkg-path="pnpm",priority=3}\n'
    lists = 'gcc.pkg-path = "gcc"\ngcc.systems = [\n  "aarch64-linux",\n  "x86_64-linux",\n]\nclang.pkg-path = "clang"\n' \
            'clang.systems = ["aarch64-darwin"]\n'
    quoted = '"python3.12".pkg-path = "python312"\n\'node js\'.pkg-path = \'nodejs\'\n'
    outputs = 'openssl.pkg-path = "openssl"\nopenssl.outputs = ["out", "dev"]\nzlib.pkg-path = "zlib"\nzlib.outputs = "all"\n'
    stored = 'mine.store-path = "/nix/store/' + digits("mine") + '-mine-1.0"\nmine.systems = ["' + HERE + '"]\n'
    tables = '[install.git]\npkg-path = "git"\n\n[install.make]\npkg-path = "gnumake"\npriority = 6\n'

    for version, head in (("v1", one), ("v110", ten)):
        found[f"template-{version}"] = head + TEMPLATE_HEAD + go + TEMPLATE_TAIL
        found[f"template-empty-{version}"] = head + TEMPLATE_HEAD + TEMPLATE_TAIL
        found[f"tools-{version}"] = head + "[install]\n" + tools
        found[f"systems-{version}"] = head + "[install]\n" + tools + "\n" + OPTIONS
        found[f"many-lines-{version}"] = head + "[install]\n" + go + "\n" + MULTI_LINE_OPTIONS
        found[f"hook-{version}"] = head + "[install]\n" + tools + "\n" + HOOK + "\n" + PROFILE + "\n" + OPTIONS
        found[f"groups-{version}"] = head + "[install]\n" + groups + "\n" + OPTIONS
        found[f"inline-{version}"] = head + "[install]\n" + inline + "[vars]\nA = 'b'\n"
        found[f"lists-{version}"] = head + "[install]\n" + lists
        found[f"quoted-{version}"] = head + '["install"]\n' + quoted + "\n[vars]\n"
        found[f"services-{version}"] = head + VARS + "\n[install]\n" + tools + "\n" + SERVICES
        found[f"build-{version}"] = head + "[install]\n" + tools + "\n" + BUILD + "\n[options]\n"
        found[f"tables-{version}"] = head + tables + "\n" + OPTIONS
        found[f"no-install-{version}"] = head + VARS + "\n" + HOOK
        found[f"crlf-{version}"] = (head + "[install]\n" + tools + "\n" + OPTIONS).replace("\n", "\r\n")
        found[f"no-end-{version}"] = (head + OPTIONS + "\n[install]\n" + go).removesuffix("\n")
        found[f"indented-{version}"] = head + "  [ install ]  # packages\n  " + go.replace("\n", "\n  ").rstrip(" ") + "\n" + VARS
        found[f"store-path-{version}"] = head + "[install]\n" + stored + go
        found[f"compact-{version}"] = head.strip() + "\ninstall.git.pkg-path='git'\ninstall.jq={pkg-path='jq'}\n[options]\n"
        found[f"inline-all-{version}"] = head.strip() + '\ninstall = { git.pkg-path = "git", jq = { pkg-path = "jq" } }\n' + VARS
        found[f"include-{version}"] = head + "[install]\n" + go + '\n[include]\nenvironments = [\n  { dir = "../common" },\n' \
            '  { remote = "acme/base", name = "base" },\n]\n' + OPTIONS
        found[f"include-only-{version}"] = head + '[include]\nenvironments = [{ dir = "common" }]\n'
        found[f"flake-{version}"] = head + "[install]\n" + 'tool.flake = "github:acme/tool#default"\ntool.priority = 4\n' + tools
        found[f"darwin-{version}"] = head + "[install]\n" + tools + '[options]\nsystems = ["aarch64-darwin"]\n'
        found[f"bom-{version}"] = "\ufeff" + head + "[install]\n" + tools
        found[f"fish-{version}"] = head + "[install]\n" + tools + "\n" + PROFILE + "\n[profile.deactivate]\nbash = 'unalias ll'\n"
    later = {"1.11.0": 'minimum-cli-version = "1.11.0"\n', "1.12.0": "", "1.13.0": "", "1.14.0": "", "1.15.0": "", "1.16.0": "",
             "1.17.0": 'description = "What the \\"team\\" needs"\n', "1.18.0": "", "1.19.0": ""}
    for schema, extra in later.items():
        head = f'schema-version = "{schema}"\n{extra}\n'
        name = schema.replace(".", "")
        found[f"schema-{name}"] = head + TEMPLATE_HEAD + outputs + TEMPLATE_TAIL
        found[f"outputs-{name}"] = head + "[install]\n" + outputs + go + "\n" + OPTIONS
    found["auto-start"] = 'schema-version = "1.12.0"\n[install]\n' + tools + "[services]\nauto-start = true\nweb.command = 'serve'\n"
    found["sandbox"] = 'schema-version = "1.13.0"\n[install]\n' + tools + BUILD.replace('"off"', '"warn"\nsandbox-allow = ["/tmp"]')
    found["enforce"] = 'schema-version = "1.13.0"\n[install]\n' + tools + BUILD.replace('"off"', '"enforce"\nsandbox-allow = [\n  "~/.npm/**",  # caches\n  "/etc/hosts",\n]')
    found["services-blank"] = one + "[install]\n" + tools + "[services]\n\"with blank\".command = 'sleep infinity'\n[services.\"and more\"]\ncommand = 'true'\nsystems = []\n"
    found["plugins"] = 'schema-version = "1.14.0"\n[install]\n' + tools + "[plugins.floxmcp]\nport = 8080\nsince = 2026-01-02\n"
    found["deactivate"] = 'schema-version = "1.15.0"\n[install]\n' + tools + "[hook]\non-deactivate = 'echo bye'\n"
    found["reason"] = 'schema-version = "1.11.0"\nminimum-cli-version = { version = "1.11.0", reason = "outputs" }\n[install]\n' + tools
    found["depends-on"] = 'schema-version = "1.16.0"\n[install]\n' + tools + DEPENDS_ON
    found["notifications"] = 'schema-version = "1.18.0"\n[install]\n' + tools + "[options.activate]\nupgrade-notifications = false\nmode = 'run'\n"
    found["stability"] = 'schema-version = "1.19.0"\n[install]\n' + groups + "[pkg-groups.rust]\nstability = 'staging'\n[pkg-groups.\"v1.2\"]\n[options]\nstability = 'stable'\n"
    # Layouts that formatters and people leave.
    found["tabs"] = one + "[install]\n\tgit.pkg-path\t=\t'git'\t# tab\n\n\t[ vars ]\n\tA\t=\t'b'\n"
    found["quoted-tables"] = one + "[install.\"node.js\"]\npkg-path = 'nodejs'\n['install'.'ünï']\n\"pkg-path\" = \"uni\"\n"
    found["only-comments"] = "# nothing yet\n\n" + one + "# [install]\n# git.pkg-path = \"git\"\n"
    found["dotted-root"] = "version = 1\nhook.on-activate = 'true'\nvars.A = \"it's\"\noptions.systems = ['x86_64-linux', 'aarch64-linux',]\ninstall.git.pkg-path = 'git'\n"
    found["options-first"] = one + MULTI_LINE_OPTIONS + "\n[options.activate]\nmode = \"run\"\n\n[install]\n" + go
    found["empty-tables"] = one + "[install]\n[vars]\n[hook]\n[profile]\n[services]\n[include]\nenvironments = []\n[build]\n[options]\nallow = {}\n"
    found["escapes"] = one + "[install]\n" + tools + '[vars]\nA = "\\u00e9 \\"q\\" \\\\ \\t"\nB = \'C:\\path\'\nC = """\\\n    one \\\n    line"""\nD = \'\'\'it\'s\'\'\'\n'
    found["crlf-strings"] = (ten + "[install]\n" + tools + HOOK).replace("\n", "\r\n")
    found["comments-everywhere"] = "# a\n" + one + "[install] # b\n# c\n" + go.replace("\n", " # d\n") + "# e\n\n\n# f\n[options] # g\nsystems = [ # h\n  # i\n  \"x86_64-linux\" # j\n  , \"aarch64-linux\" ] # k\n# l"
    found["services-tables"] = ten + "[install]\n" + tools + "[services.web]\ncommand = 'serve'\n[services.web.vars]\nPORT = '1'\n[services.web.shutdown]\ncommand = 'stop'\n"
    found["build-inline"] = ten + "[install]\n" + tools + "[build]\ntool = { command = 'make', version = { command = 'git describe' }, license = ['MIT'], runtime-packages = [] }\n"
    found["late-install"] = ten + HOOK + PROFILE + VARS + "\n\n\n[install]\n\n" + tools + "\n\n"
    found["systemd"] = ten + "[install]\n" + tools + SERVICES + SYSTEMD
    # What other programs write: indented tables in single quotes, sorted members; lists with tabs.
    found["indented-tables"] = one + "[hook]\n  on-activate = ''\n\n[install]\n  [install.curl]\n    pkg-group = 'net'\n    pkg-path = 'curl'\n" \
        "    systems = ['aarch64-linux', '" + HERE + "']\n\n  [install.jq]\n    pkg-path = 'jq'\n    priority = 7\n\n[options]\n"
    found["tab-lists"] = one + "[install]\ngit.pkg-path = \"git\"\ngit.systems = [\n\t\"aarch64-darwin\",\n\t\"" + HERE + "\",\n]\njq.pkg-path = \"jq\"\n"
    found["services-only"] = one + "[services]\n# a.command = \"b\"\n\n[services.db]\ncommand = \"postgres -D $PGDATA -k $PGDATA\"\n" \
        "is-daemon = true\nshutdown.command = \"pg_ctl stop\"\n\n## Include ---\n[include]\n# environments = []\n"
    found["daemon-alone"] = ten + "[install]\n" + tools + "[services.db]\ncommand = \"postgres -D $PGDATA\"\nis-daemon = true\n"
    found["containerize"] = ten + "[install]\n" + tools + CONTAINERIZE
    return found


def digits(text):
    value = int.from_bytes(hashlib.sha256(text.encode()).digest()[:20], "big")
    return "".join(DIGITS[value >> (5 * i) & 31] for i in range(32))


def package(install_id, entry, system):
    if "store-path" in entry:
        return {"install_id": install_id, "store_path": entry["store-path"], "system": system,
                "priority": entry.get("priority", 5)}
    if "flake" in entry:
        name = f"{install_id}-0.3"
        return {"install_id": install_id, "locked-url": "github:acme/tool/" + "4" * 40, "flake-description": None,
                "locked-flake-attr-path": f"packages.{system}.default", "derivation": f"/nix/store/{digits(name)}-{name}.drv",
                "outputs": {"out": f"/nix/store/{digits(name + system)}-{name}"}, "outputs-to-install": ["out"],
                "requested-outputs-to-install": None, "package-system": system, "system": system, "name": name,
                "pname": install_id, "version": "0.3", "description": None, "licenses": ["MIT"], "broken": False,
                "unfree": False, "priority": entry.get("priority", 5)}
    path = entry["pkg-path"]
    name = f"{path}-{len(path)}.2"
    outputs = {"man": f"/nix/store/{digits(name + system + 'man')}-{name}-man",
               "out": f"/nix/store/{digits(name + system)}-{name}"}
    return {"attr_path": path, "broken": False, "derivation": f"/nix/store/{digits(name + 'drv' + system)}-{name}.drv",
            "description": f"The {path} – a package", "install_id": install_id, "license": "MIT",
            "locked_url": "https://example.org/nixpkgs?rev=" + "b" * 40, "name": name, "pname": path, "rev": "b" * 40,
            "rev_count": 964859, "rev_date": "2026-03-18T08:17:15Z", "scrape_date": "2026-03-20T00:40:27.764025Z",
            "stabilities": ["staging", "unstable"], "unfree": False, "version": f"{len(path)}.2",
            "outputs_to_install": ["out", "out"] if path == "git" else ["man", "out"], "outputs": outputs, "system": system,
            "group": entry.get("pkg-group", "toplevel"), "priority": entry.get("priority", 5)}


def as_json(value):
    if isinstance(value, dict):
        return {key: as_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def locked_manifest(document):
    """In Flox's form: [install] sorted, empty tables written, others left out."""
    result = {key: document[key] for key in ("version", "schema-version", "minimum-cli-version", "description") if key in document}
    if "install" in document:
        result["install"] = dict(sorted(document["install"].items()))
    for table in ("pkg-groups", "vars", "hook", "profile", "services", "build", "include", "containerize", "plugins", "options"):
        value = document.get(table, {})
        if value or table in ("hook", "profile", "options"):
            result[table] = as_json(value)
    return result


def packages_of(manifest):
    systems = manifest.get("options", {}).get("systems", SYSTEMS)
    return [package(install_id, entry, system) for install_id, entry in sorted(manifest.get("install", {}).items())
            for system in sorted(entry.get("systems", systems))]


def lock(text, odd, path):
    document = tomllib.loads(text.removeprefix("\ufeff"))
    manifest = locked_manifest(document)
    result = {"lockfile-version": 1, "manifest": manifest, "packages": packages_of(manifest)}
    if document.get("include", {}).get("environments"):
        common = {"schema-version": "1.10.0", "install": {"curl": {"pkg-path": "curl"}, "go": {"pkg-path": "go_old"}},
                  "hook": {"on-activate": "echo common\n"}}
        merged = dict(manifest, install=dict(sorted({**common["install"], **manifest.get("install", {})}.items())))
        merged["hook"] = {"on-activate": "echo common\n"}
        merged.pop("include")
        overriding = [{"warning": {"Overriding": ["install", "go"]}, "higher_priority_name": "Current manifest"}]
        included = [{"manifest": common if number == 0 else {"schema-version": "1.10.0"},
                     "name": descriptor.get("name", "common"), "descriptor": descriptor}
                    for number, descriptor in enumerate(document["include"]["environments"])]
        result = {"lockfile-version": 1, "manifest": merged, "packages": packages_of(merged),
                  "compose": {"composer": manifest, "include": included,
                              "warnings": overriding if "go" in manifest.get("install", {}) else []}}
    if path:
        with_path(result["packages"], path)
    if odd % 6 == 1:  # what catalogs leave empty
        for number, entry in enumerate(result["packages"]):
            if "attr_path" in entry:
                entry.update({"description": None, "license": None, "unfree": None, "broken": [None, True, False][number % 3],
                              "stabilities": None, "cache_uri": None, "outputs_to_install": None, "rev_count": None})
    if odd % 5 == 4:
        result["x-later-member"] = {"kept": [1, {"as": None}, 2.5]}
        for entry in result["packages"]:
            entry["x-unknown"] = True
    # Most are Flox's; some people reformat everything that is JSON.
    layout = {"indent": "\t"} if odd % 17 == 3 else {"indent": 4} if odd % 13 == 5 else {"indent": 2}
    return json.dumps(result, ensure_ascii=False, **layout) + ("" if odd % 7 == 6 else "\n")


def with_path(packages, path):
    for entry in packages:
        if entry["system"] == HERE and "store_path" not in entry:
            entry["outputs"] = dict.fromkeys(entry["outputs"], path)


def write(directory, path):
    for number, (name, text) in enumerate(manifests().items()):
        files = directory / name / ".flox"
        (files / "env").mkdir(parents=True)
        (files / "env.json").write_text(json.dumps({"name": name, "version": 1}, indent=2))
        (files / ".gitignore").write_text("run/\ncache/\nlib/\nlog/\n!env/\n")
        (files / "env/manifest.toml").write_bytes(text.encode())
        (files / "env/manifest.lock").write_bytes(lock(text, number, path).encode())


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
