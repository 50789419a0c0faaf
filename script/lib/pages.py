#!/usr/bin/env python3
"""Runs the commands of pages: every block "```sh", in the order of the pages, in one shell. A block "```text" behind one
is what it prints: each of its lines must come, in this order; "…" stands for any text. A block that is not run has the
reason in front of it: "<!-- not run: REASON -->".

  pages.py PAGE… -- COMMAND…   COMMAND reads a script's name as its last argument: bash, or what enters somewhere first

Says how many blocks were run and how many were not, with the reasons. Ends with 1 and the block's output if one fails."""
import os
import re
import subprocess
import sys
import tempfile

MARK = "@@ block"


class Block:
    def __init__(self, page, line, reason):
        self.page, self.line, self.reason, self.text, self.expected = page, line, reason, "", []


def blocks_of(page):
    """The page's blocks "sh". Throws SystemExit where the page is not as the format says."""
    blocks, reason, last, lines = [], None, None, open(page).read().split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if found := re.fullmatch(r"<!-- not run: (.+) -->", line):
            reason = found[1]
            if at + 1 == len(lines) or lines[at + 1] != "```sh":
                sys.exit(f"{page}:{at + 1}: a reason without a block ```sh behind it")
        elif line in ("```sh", "```text"):
            end = lines.index("```", at)
            body = lines[at + 1:end]
            if line == "```sh":
                last = Block(page, at + 1, reason)
                last.text, reason = "\n".join(body), None
                blocks.append(last)
            elif last is None or last.expected:
                sys.exit(f"{page}:{at + 1}: output without a block ```sh before it")
            else:
                last.expected = [text for text in body if text]
            at = end
        elif line.startswith("```"):
            at = lines.index("```", at + 1)
        at += 1
    return blocks


def missing_line(expected, output):
    """The first expected line that the output does not have behind the one before."""
    at = 0
    for line in expected:
        pattern = "^" + ".*".join(re.escape(part) for part in line.split("…")) + "$"
        found = re.compile(pattern, re.M).search(output, at)
        if not found:
            return line
        at = found.end()
    return None


def main():
    split = sys.argv.index("--")
    pages, command = sys.argv[1:split], sys.argv[split + 1:]
    blocks = [block for page in pages for block in blocks_of(page)]
    run = [block for block in blocks if not block.reason]
    for block in blocks:
        if block.reason:
            print(f"not run: {block.page}:{block.line}: {block.reason}")
    with tempfile.TemporaryDirectory(prefix="flox-pages-") as directory:
        os.chmod(directory, 0o755)
        script, output = f"{directory}/script", f"{directory}/output"
        with open(script, "w") as file:
            file.write("set -e -o pipefail\n")
            for number, block in enumerate(run):
                file.write(f"echo '{MARK} {number}'\n{block.text}\n")
            file.write(f"echo '{MARK} {len(run)}'\n")
        with open(output, "w") as file:
            code = subprocess.run([*command, script], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT).returncode
        said = open(output, errors="replace").read()
    parts = re.split(rf"^{MARK} \d+\n", said, flags=re.M)[1:]
    for number, block in enumerate(run):
        part = parts[number] if number < len(parts) else ""
        where = f"{block.page}:{block.line}"
        if number + 1 >= len(parts):
            sys.exit(f"{where}: the block failed (exit code {code}). It printed:\n{part}")
        if (line := missing_line(block.expected, part)) is not None:
            sys.exit(f"{where}: the block did not print '{line}', but:\n{part}")
    print(f"{len(run)} blocks were run, {len(blocks) - len(run)} were not: {', '.join(pages)}")


if __name__ == "__main__":
    main()
