#!/usr/bin/env python3
"""Checks what the pages (*.md) lead to: a relative link names a file that is there, its anchor a heading of that page; a
path in backquotes, as in `src/nix/nar.h`, is there; and docs/README.md leads to every page of docs/. Prints each complaint;
1 if there are any."""
import os
import re
import subprocess
import sys
import urllib.parse

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:src|test|script|bench|deploy|docs|fuzz|workload|cmake)/[\w./-]+")


def files(*patterns):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if os.path.exists(name)]


def lines_of(page):
    """The page's lines with their numbers, without those of code blocks."""
    fence = None
    for number, line in enumerate(open(page), 1):
        if mark := re.match(r" *(```+|~~~+)", line):
            fence = None if fence == mark[1] else fence or mark[1]
        elif fence is None and not line.startswith("    "):
            yield number, line


def anchors(page):
    """The anchors that GitHub gives the page's headings."""
    found = {}
    for _, line in lines_of(page):
        if heading := re.match(r"#+ +(.*?) *$", line):
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
    return {slug if n == 0 else f"{slug}-{n}" for slug, last in found.items() for n in range(last + 1)}


def main():
    complaints, leads_to = [], {}
    pages = files("*.md")
    known = {page: anchors(page) for page in pages}
    for page in pages:
        leads_to[page] = set()
        for number, line in lines_of(page):
            where = f"{page}:{number}"
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, anchor = urllib.parse.unquote(target).partition("#")
                path = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
                leads_to[page].add(path)
                if not os.path.exists(path):
                    complaints.append(f"{where}: {target} leads nowhere: there is no {path}")
                elif anchor and anchor not in known.get(path, ()):
                    complaints.append(f"{where}: {path} has no heading #{anchor}")
            for code in re.findall(r"`([^`]*)`", line):
                for path in PATH.findall(code) if PATH.match(code) else ():
                    if path.startswith("src/lib"):
                        continue  # of Nix
                    name = path.rstrip("./")
                    placeholder = re.search(r"[A-Z]{4,}", name) or code[len(path):len(path) + 1] in ("*", "…", "{", "[")
                    if not placeholder and not os.path.exists(name):
                        complaints.append(f"{where}: there is no {name}")
    reached, todo = set(), ["docs/README.md"]
    while todo:
        page = todo.pop()
        if page in known and page not in reached:
            reached.add(page)
            todo += leads_to[page]
    complaints += [f"{page}: docs/README.md does not lead here" for page in pages if page.startswith("docs/") and page not in reached]
    print(*complaints, sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
