#!/usr/bin/env python3
"""Finds the text of foreign exceptions on its way to people: in a handler or a function that takes
anything but flox::Error, what() gives names of
classes and functions of C++; message_of() and to_error() (base/foreign_error.h) put it into words. Prints each place; 1 if there are
any. Unit tests, and base/foreign_error itself, may."""
import re
import subprocess
import sys

HANDLER = re.compile(r"catch \(const ((?:\w+::)*\w+)& (\w+)\) \{")
FUNCTION = re.compile(r"const (std::exception)& (\w+)(?:,[^(){};]*)?\)(?: const)?(?: noexcept)? \{")
OURS = re.compile(r"(^|::)(Error|StatusError)$")
FOREIGN_NAMESPACES = ("CLI::", "YAML::", "toml::", "boost::", "nlohmann::", "json::")


def is_ours(kind):
    return bool(OURS.search(kind)) and not kind.startswith(FOREIGN_NAMESPACES)


def block(text, start):
    """What stands between the brace before `start` and the one that closes it."""
    depth, at = 1, start
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[start:at]


def main():
    complaints = []
    sources = subprocess.run(["git", "ls-files", "src", "workload"], capture_output=True, text=True, check=True).stdout.split()
    for source in sources:
        if not source.endswith((".cc", ".h")) or source.endswith("_test.cc") or source.startswith("src/base/foreign_error."):
            continue
        text = open(source).read()
        for handler in [*HANDLER.finditer(text), *FUNCTION.finditer(text)]:
            kind, name = handler.groups()
            if is_ours(kind):
                continue
            body = block(text, handler.end())
            for use in re.finditer(rf"\b{name}\.what\(\)", body):
                line = text.count("\n", 0, handler.end() + use.start()) + 1
                complaints.append(f"{source}:{line}: the text of a {kind} is for programmers: use message_of({name})")
    complaints = sorted(set(complaints))
    print(*complaints, sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
