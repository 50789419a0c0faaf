#!/usr/bin/env python3
"""Advice to a user is a full sentence: it begins with a capital letter (or with what is put in, or a quoted name) and ends with
a full stop. Looks at the literals that Error, ExitError, StatusError, problem, with_advice and fail_usage are given as
advice. Prints each complaint; 1 if there are any. Unit tests may say what they like."""
import re
import subprocess
import sys

CALL = re.compile(r"(?<!\w)(?:(Error|ExitError)|(StatusError)|(problem)|\.(with_advice)|(fail_usage))\(")
ARGUMENTS_BEFORE = {"Error": 2, "ExitError": 2, "StatusError": 3, "problem": 3, "with_advice": 0, "fail_usage": 1}
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'|[(\[{]|[)\]}]|,|[^"\'()\[\]{},]+|\'')


def arguments(text, at):
    """The arguments of the call whose parenthesis opens before `at`."""
    found, current, depth = [], "", 0
    while at < len(text):
        token = TOKEN.match(text, at)
        if not token:
            break
        word, at = token[0], token.end()
        if word in "([{":
            depth += 1
        elif word in ")]}":
            if depth == 0:
                return found + [current]
            depth -= 1
        if word == "," and depth == 0:
            found.append(current)
            current = ""
        else:
            current += word
    return found


def main():
    complaints = []
    sources = subprocess.run(["git", "ls-files", "src", "workload"], capture_output=True, text=True, check=True).stdout.split()
    for source in sources:
        if not source.endswith((".cc", ".h")) or source.endswith("_test.cc"):
            continue
        text = open(source).read()
        for call in CALL.finditer(text):
            name = next(group for group in call.groups() if group)
            given = arguments(text, call.end())
            if len(given) <= ARGUMENTS_BEFORE[name]:
                continue
            joined = re.sub(r'"\s*\n\s*"', "", given[ARGUMENTS_BEFORE[name]])
            literal = STRING.match(joined.strip().removeprefix("fmt::format("))
            if not literal or not literal[1]:
                continue
            advice = literal[1]
            if not (re.match(r"[A-Z'{]", advice) and advice.rstrip().endswith((".", "?"))):
                line = text.count("\n", 0, call.start()) + 1
                complaints.append(f"{source}:{line}: advice is a full sentence: {advice[:90]}")
    print(*complaints, sep="\n", end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
