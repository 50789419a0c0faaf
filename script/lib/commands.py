#!/usr/bin/env python3
"""Checks the commands that the pages (*.md) show, in code blocks and in backquotes: each subcommand and long option of our
programs is one that docs/reference/cli.md has, which is generated from the programs' help. Prints each complaint; 1 if
there are any."""
import os
import re
import subprocess
import sys

REFERENCE = "docs/reference/cli.md"
OPTION = re.compile(r"--[a-z][a-z0-9-]*")


def reference():
    """Each command, as the tuple of its words, to its help; its aliases, too."""
    helps = {}
    for title, body in re.findall(r"^#{2,4} ([a-z][^\n]*)\n\n```text\n(.*?)\n```$", open(REFERENCE).read(), re.M | re.S):
        words = tuple(title.split())
        helps[words] = body
        for line in helps.get(words[:-1], "").splitlines():
            names = re.match(r"  ((?:[\w-]+, )*[\w-]+)(?:  |$)", line)
            if names and words[-1] in (all_names := names[1].split(", ")):
                helps.update({(*words[:-1], name): body for name in all_names})
    return helps


def shown(page):
    """The commands of a page with their lines: what stands in code blocks and in backquotes."""
    fence, number, waiting = None, 0, ""
    for number, line in enumerate(open(page), 1):
        line = line.rstrip("\n")
        if mark := re.match(r" *(```+)(.*)", line):
            fence = None if fence is not None else mark[2]
        elif fence in ("sh", "bash") or (fence is None and line.startswith("    ")):
            waiting += line.strip()
            if waiting.endswith("\\"):
                waiting = waiting[:-1]
                continue
            yield number, waiting
            waiting = ""
        elif fence is None:
            for code in re.findall(r"`([^`]+)`", line):
                yield number, code


def main():
    helps, complaints = reference(), []
    programs = {words[0] for words in helps}
    pages = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True, text=True, check=True).stdout.split()
    for page in pages:
        if page == REFERENCE or not os.path.exists(page):
            continue
        for number, line in shown(page):
            for command in re.split(r"&&|\|\||[|;()]| #|\$\(", line):
                words = [word.strip("[]`'\"") for word in command.split()]
                while words and re.fullmatch(r"(\w+=\S*|sudo|until|then|do|if|script/cluster|node|\d+)", words[0]):
                    words.pop(0)
                if not words or words[0] not in programs or "…" in words[0]:
                    continue
                name, rest = (words[0],), words[1:]
                while rest and (*name, rest[0]) in helps:
                    name, rest = (*name, rest[0]), rest[1:]
                group = re.search(r"^(Subcommands|Commands):", helps[name], re.M | re.I)
                if group and rest and re.fullmatch(r"[a-z][a-z-]+", rest[0]) and name[0] != "ticket-processor":
                    complaints.append(f"{page}:{number}: {' '.join(name)} has no command {rest[0]}")
                told = " ".join(helps[name[:n]] for n in range(1, len(name) + 1))
                for word in rest:
                    if word == "--":
                        break
                    if (option := OPTION.match(word)) and not re.search(re.escape(option[0]) + r"(?![\w-])", told):
                        complaints.append(f"{page}:{number}: {' '.join(name)} has no option {option[0]}")
    print(*complaints, sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
