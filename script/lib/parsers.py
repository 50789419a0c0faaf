#!/usr/bin/env python3
"""Compares the readers of texts with the fuzz targets. A header of src/ or workload/ that declares a reader (a function
named parse…, decode…, read_…, load_… or from_json and the like, of a text) says in one of these ways who fuzzes it:

    #pragma once  // Fuzzed by fuzz/narinfo.cc.
    #pragma once  // Not fuzzed: the reason.

A target that a header names exists and reaches the header by its includes, every target is named by a header, and what is
fuzzed is called by a program: a reader that only tests and targets call is none. Prints each complaint; 1 if there are any."""
import os
import re
import subprocess
import sys

MARK = re.compile(r"^#pragma once  // (?:Fuzzed by ((?:fuzz/\w+\.cc(?:, | and )?)+)\.|(Not fuzzed): \S.*)$", re.M)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
TYPE = re.compile(r"^\s*(?:struct|class) (\w+)[^;]*\{")
TEXT = r"(?:std::string_view|const std::string&|std::string|const char\*|(?:const )?(?:nlohmann::)?(?:ordered_)?json&?|const YamlNode&|const v1::\w+&)"
READER = re.compile(
    r"^(\s*)(?:inline |static |constexpr |\[\[nodiscard\]\] )*[\w:<>,&* ]+?\b"
    r"(parse\w*|decode\w*|read_\w+|load_\w+|from_(?:json|hex|base\d+|base_name|message))\(" + TEXT + r" (\w+)")


def sources(pattern):
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *pattern],
                            capture_output=True, text=True, check=True).stdout.split()
    return {file: re.sub(r"^\s*//.*", "", open(file).read(), flags=re.M)
            for file in listed if os.path.exists(file)}


def is_name(line, function, parameter):
    """Whether a text is the name of a file to read, and not what is read."""
    return function.startswith(("read_", "load_")) and (
        parameter == "path" or "const std::string& " + parameter in line and parameter in ("file", "name", "directory"))


def readers_of(text):
    """What a header declares: ("NarInfo", "parse") for a member, ("", "parse_hash") for a function."""
    found, inside = set(), ""
    for line in text.splitlines():
        if match := TYPE.match(line):
            inside = match[1]
        elif line.startswith("}"):
            inside = ""
        if (match := READER.match(line)) and not is_name(line, match[2], match[3]):
            found.add((inside if match[1] else "", match[2]))
    return found


def reach(target, files):
    """The headers that a target includes, and those that they and their sources include."""
    seen, open_files = set(), [target]
    while open_files:
        for name in INCLUDE.findall(files[open_files.pop()]):
            header = next((root + name for root in ("src/", "workload/", "fuzz/") if root + name in files), None)
            if header and header not in seen:
                seen.add(header)
                open_files += [file for file in (header, header[:-2] + ".cc") if file in files]
    return seen


def is_of_programs(file):
    name = os.path.basename(file)
    return not (file.startswith("fuzz/") or "/testing/" in file or name.endswith("_test.cc"))


def main():
    complaints, named = [], {}
    files = sources(["src/*.h", "src/*.cc", "workload/*.h", "workload/*.cc", "fuzz/*.cc", "fuzz/*.h"])
    targets = {file for file in files if re.fullmatch(r"fuzz/\w+\.cc", file) and file not in ("fuzz/fuzzer.cc", "fuzz/replay.cc")}
    for header, text in files.items():
        if not header.endswith(".h") or not is_of_programs(header):
            continue
        readers, marks = readers_of(text), list(MARK.finditer(text))
        if readers and not marks:
            wanted = ", ".join(sorted(name for _, name in readers))
            complaints.append(f"{header}: says neither '#pragma once  // Fuzzed by fuzz/….cc.' nor '… // Not fuzzed: …' of {wanted}")
        for target in (target for mark in marks for target in re.findall(r"fuzz/\w+\.cc", mark[1] or "")):
            if target not in targets:
                complaints.append(f"{header}: there is no {target}")
            else:
                named.setdefault(target, []).append(header)
        if not any(mark[1] for mark in marks):
            continue
        own = files.get(header[:-2] + ".cc", "")
        others = "".join(content for file, content in files.items()
                         if is_of_programs(file) and file not in (header, header[:-2] + ".cc"))
        for kind, name in sorted(readers):
            full = rf"{kind}(?:<\w+>)?::{name}" if kind else name  # a template's member is called with its type
            # In its own source it stands once more than it is called: where it is defined.
            definitions = sum(other == name for _, other in readers)
            if not re.search(rf"\b{full}\b", others) and len(re.findall(rf"\b{name}\(", own)) <= definitions:
                complaints.append(f"{header}: no program calls {kind}{'::' if kind else ''}{name}")
    for target in sorted(targets):
        if target not in named:
            complaints.append(f"{target}: no header says that it is fuzzed by this")
            continue
        reached = reach(target, files)
        complaints += [f"{header}: {target} does not include it" for header in named[target] if header not in reached]
    print(*sorted(complaints), sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
