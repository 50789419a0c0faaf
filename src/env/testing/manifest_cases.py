#!/usr/bin/env python3
"""Manifests in every layout that TOML allows, made from a seed, and what an edit of them must give by tomllib.

    manifest_cases.py generate SEED COUNT    one JSON object a line: id, operation, text, …
    manifest_cases.py check < LINES          the same with "after" (the edited text); prints complaints, 1 if there are any
"""
import json
import random
import sys
import tomllib

IDS = ["web", "python3", "go_1_22", "rust-analyzer", "a.b", "with space", "quo\"te", "ünï", "install", "vars"]
SYSTEMS = ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"]
TRAPS = ["[install]", "x.pkg-path = \"x\"", "[ install ]", "web.pkg-path = 'evil'", "[install.web]", "# [install]"]


def key(name, chance):
    if name.replace("-", "").replace("_", "").isalnum() and name.isascii() and chance.random() < 0.8:
        return name
    if "'" not in name and chance.random() < 0.5:
        return "'" + name + "'"
    return json.dumps(name, ensure_ascii=False)


def string(text, chance):
    return "'" + text + "'" if chance.random() < 0.3 else json.dumps(text)


def fields(chance):
    """What an entry says: key to TOML text."""
    result = {"pkg-path": string(chance.choice(["web", "nodePackages.npm", "acme/web"]), chance)}
    if chance.random() < 0.4:
        result["version"] = string(chance.choice(["^2", "1.2", ">=1, <3"]), chance)
    if chance.random() < 0.3:
        result["priority"] = str(chance.randint(1, 9))
    if chance.random() < 0.3:
        result["pkg-group"] = string("tools", chance)
    if chance.random() < 0.4:
        systems = chance.sample(SYSTEMS, chance.randint(1, 3))
        if chance.random() < 0.5:
            result["systems"] = "[" + ", ".join(f'"{s}"' for s in systems) + "]"
        else:
            result["systems"] = "[\n" + "".join(f'    "{s}", # [install]\n' for s in systems) + "  ]"
    items = list(result.items())
    chance.shuffle(items)
    return dict(items)


def spaced(chance, text="="):
    return chance.choice([" ", "", "  "]) + text + chance.choice([" ", "", "\t"])


def entry_lines(prefix, name, entry, chance):
    """Statements of one entry: inline or dotted."""
    indent = chance.choice(["", "", "  ", "\t"])
    comment = chance.choice(["", "", "  # mine", " # 'x' = \"[install]\""])
    if chance.random() < 0.4:
        flat = {k: v.replace("\n", " ").replace("# [install]", "") for k, v in entry.items()}
        inner = ", ".join(f"{k}{spaced(chance)}{v}" for k, v in flat.items())
        return [f"{indent}{prefix}{name}{spaced(chance)}{{ {inner} }}{comment}\n"]
    return [f"{indent}{prefix}{name}.{k}{spaced(chance)}{v}{comment}\n" for k, v in entry.items()]


def other_sections(chance):
    trap = "\n".join(chance.sample(TRAPS, 3))
    choices = [
        "[vars]\nA = \"[install]\" # c\nB = '${A:-x}'\n",
        f"[hook]\non-activate = '''\n{trap}\n'''\n",
        f"[hook]\non-activate = \"\"\"\\\n  {trap.replace(chr(34), chr(39))}\n\\\"\\\"\\\"\n\"\"\"\n",
        "[options]\nsystems = [\n  \"x86_64-linux\", # one\n  # none\n]\nallow.licenses = []\n",
        "[include]\nenvironments = [\n  { dir = \"../common\" },\n]\n",
        "[services]\nweb.command = \"serve\"\n[services.db]\ncommand = '[install]'\nvars.A = 'b'\n",
        "[build.web]\ncommand = '''\n[install]\nmake\n'''\nversion = \"1\"\n\n[build.other]\ncommand = \"make\"\n",
        "[profile]\n## bash = ...\ncommon = 'echo \"[install]\"'\n",
    ]
    heads = set()
    picked = []
    for section in chance.sample(choices, chance.randint(0, 5)):
        head = section.split("]")[0].split(".")[0]
        if head not in heads:
            heads.add(head)
            picked.append(chance.choice(["", "\n", "\n\n# comment [install]\n", "  # x\n"]) + section)
    return picked


def manifest(chance):
    """The text, the ids in it, and for each id the whole lines that are its own."""
    ids = chance.sample(IDS, chance.randint(0, 5))
    entries = {name: fields(chance) for name in ids}
    own = {name: [] for name in ids}
    root = [chance.choice(["version = 1\n", "schema-version = \"1.10.0\"\n", "# top\n\nversion=1 # v\n"])]
    install = []
    style = chance.choice(["header", "header", "header", "inline", "root", "tables", "mixed"])
    head = chance.choice(["install", "install", "'install'", "\"install\""])
    if style == "inline":
        flat = []
        for name in ids:
            inner = ", ".join(f"{k} = {v}".replace("\n", " ").replace("# [install]", "") for k, v in entries[name].items())
            flat.append(f"{key(name, chance)} = {{ {inner} }}")
        root.append(f"{head} = {{ {', '.join(flat)} }}\n" if flat else f"{head} = {chance.choice(['{}', '{ }'])}\n")
    elif style == "root":
        for name in ids:
            lines = entry_lines(head + ".", key(name, chance), entries[name], chance)
            own[name] += lines
            root += lines
    else:
        tables = ids if style == "tables" else ids[: len(ids) // 2] if style == "mixed" else []
        if style != "tables":
            space = chance.choice(["", " "])
            install.append(f"{chance.choice(['', '', '  '])}[{space}{head}{space}]{chance.choice(['', ' # packages'])}\n")
            for name in ids:
                if name in tables:
                    continue
                if chance.random() < 0.3:
                    install.append(chance.choice(["\n", "# about it\n", "  # old.pkg-path = \"old\"\n"]))
                lines = entry_lines("", key(name, chance), entries[name], chance)
                own[name] += lines
                install += lines
            if chance.random() < 0.3:
                install.append("# gum.pkg-path = \"gum\"\n\n")
        for name in tables:
            lines = [f"[{head}.{key(name, chance)}]\n"] + [f"{k} = {v}\n" for k, v in entries[name].items()]
            own[name] += lines
            install += ["\n"] + lines if chance.random() < 0.7 else lines
    sections = other_sections(chance)
    at = chance.randint(0, len(sections))
    text = "".join(root) + "".join(sections[:at]) + "".join(install) + "".join(sections[at:])
    if chance.random() < 0.2:
        text = text.removesuffix("\n")
    return text, ids, own if style != "inline" else {}


def generate(seed, count):
    chance = random.Random(seed)
    for number in range(count):
        text, ids, own = manifest(chance)
        if tomllib.loads(text) is None:
            raise SystemExit("no text")
        operation = chance.choice(["install", "install", "uninstall"]) if ids else "install"
        name = chance.choice(ids) if operation == "uninstall" or (ids and chance.random() < 0.5) else chance.choice(IDS)
        case = {"operation": operation, "id": name, "new": name not in ids}
        if operation == "install":
            case["pkg-path"] = chance.choice(["web", "acme/o'ther", "x\"y"])
            if chance.random() < 0.5:
                case["version"] = chance.choice(["3", "^1.0", ">=2, <'3'"])
            if chance.random() < 0.3:
                case["systems"] = chance.sample(SYSTEMS, 2)
        if own:
            mine = "".join(own.get(name, []))
            block = mine if mine in text else mine.removesuffix("\n")  # the last line has no end
            rest = text.replace(block, "", 1)
            case["kept"] = [line.strip() for line in rest.split("\n") if line.strip()]
        if chance.random() < 0.2:
            text = text.replace("\n", "\r\n")
        case["text"] = "\ufeff" + text if chance.random() < 0.05 else text
        print(json.dumps(case))


def wanted(case):
    document = tomllib.loads(case["text"].removeprefix("\ufeff"))
    if case["operation"] == "uninstall":
        del document["install"][case["id"]]
        return document
    entry = document.setdefault("install", {}).setdefault(case["id"], {})
    entry["pkg-path"] = case["pkg-path"]
    entry.pop("version", None)
    for member in ("version", "systems"):
        if member in case:
            entry[member] = case[member]
    return document


def is_subsequence(lines, text):
    rest = iter(line.strip() for line in text.removeprefix("\ufeff").split("\n"))
    return all(any(line == other for other in rest) for line in lines)


def complaint(case):
    before, after = case["text"], case["after"]
    expected, found = wanted(case), tomllib.loads(after.removeprefix("\ufeff"))
    if not expected.get("install"):
        expected.pop("install", None)
        if not found.get("install"):
            found.pop("install", None)
    if found != expected:
        return f"says {found}, not {expected}"
    if "kept" in case and not is_subsequence(case["kept"], after):
        return "lost lines of others"
    if ("\r\n" in before) and "\n" in after.replace("\r\n", ""):
        return "mixes line ends"
    if case["operation"] == "install" and case["new"]:
        same = 0
        while same < len(before) and before[same] == after[same]:
            same += 1
        if not after.endswith(before[same:]):
            return "changed more than it added"
        if case["undone"] != before:
            return "cannot be taken back"
    return None


def check():
    failed = 0
    for line in sys.stdin:
        case = json.loads(line)
        if why := complaint(case):
            failed += 1
            print(f"{why}\n--- {case['operation']} {case['id']}\n{case['text']}\n--- gave\n{case['after']}")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        generate(int(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(check())
