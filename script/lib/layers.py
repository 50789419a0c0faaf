#!/usr/bin/env python3
"""Compares the includes of src/ with the table of rooms in docs/architecture.md: every folder has a row, uses only what
its row says and what stands above it, and a row says nothing that no file uses. Prints each complaint; 1 if there are any.
Unit tests, and what stands in a folder `testing` for them (fakes, helpers), may use what they like; nothing else uses that."""
import os
import re
import subprocess
import sys

PAGE = "docs/architecture.md"
ROW = re.compile(r"^\| `([a-z_/]+)` \| .* \|([^|]*)\|$")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)


def rooms():
    """The table's rows in their order: room to the rooms and layers that it may use."""
    table = {}
    for line in open(PAGE):
        if (row := ROW.match(line)) and os.path.isdir("src/" + row[1]):
            table[row[1]] = re.findall(r"`([a-z_/]+)`", row[2])
    return table


def covers(entry, room):
    return room == entry or room.startswith(entry + "/")


def beside_its_subject(test):
    """FILE_test.cc stands beside FILE; format_pages_test.cc holds a layer to docs/formats/."""
    subject = test.removesuffix("_test.cc")
    return subject.endswith("/format_pages") or any(os.path.exists(subject + end) for end in (".h", ".cc", ".proto"))


def main():
    complaints, table, seen = [], rooms(), set()
    for place, (room, uses) in enumerate(table.items()):
        above = list(table)[:place]
        for entry in uses:
            if not any(covers(entry, other) for other in above):
                complaints.append(f"{PAGE}: {room} uses {entry}, which does not stand above it")
    for layer in sorted({room.split("/")[0] for room in table if "/" in room}):
        if not os.path.exists(f"src/{layer}/README.md"):
            complaints.append(f"src/{layer}: a layer with rooms has a README.md that says what may live in them")
    sources = subprocess.run(["git", "ls-files", "src"], capture_output=True, text=True, check=True).stdout.split()
    for source in sources:
        if not source.endswith((".cc", ".h")):
            continue
        room = os.path.dirname(source)[len("src/"):]
        if os.path.basename(room) == "testing":
            continue
        if room not in table:
            complaints.append(f"{source}: {PAGE} has no row for {room}")
            continue
        if source.endswith("_test.cc"):
            if not beside_its_subject(source):
                complaints.append(f"{source}: there is no {source.replace('_test.cc', '.h')} that it tests")
            continue
        text = open(source).read()
        for include in INCLUDE.finditer(text):
            other = os.path.dirname(include[1])
            if os.path.basename(other) == "testing":
                line = text.count("\n", 0, include.start()) + 1
                complaints.append(f"{source}:{line}: {include[1]} is for tests only")
                continue
            if other == room or other not in table:
                continue
            entry = next((entry for entry in table[room] if covers(entry, other)), None)
            if entry:
                seen.add((room, entry))
            else:
                line = text.count("\n", 0, include.start()) + 1
                complaints.append(f"{source}:{line}: {room} must not include {other} ({PAGE})")
    for room, uses in table.items():
        complaints += [f"{PAGE}: {room} does not use {entry}" for entry in uses if (room, entry) not in seen]
    print(*sorted(set(complaints)), sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
