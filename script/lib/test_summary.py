"""Sums up CTest's JUnit files: test_summary.py FIRST [AGAIN].

Says which tests took longest, what was skipped and why, which tests failed, and which passed only when they ran again, alone;
of those two the end of what they said the first time, which stands far above.
The last line is "N passed, N failed, N skipped"; the exit code is 1 if a test failed.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree


def read(path):
    """The test cases of a file by name: status (run, fail, notrun, disabled), the output's lines, and seconds."""
    if not os.path.exists(path):
        return {}
    cases = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        output = (case.findtext("system-out") or "").strip().splitlines()
        cases[case.get("name")] = (case.get("status"), output, float(case.get("time") or 0))
    return cases


first = read(sys.argv[1])
again = read(sys.argv[2]) if len(sys.argv) > 2 else {}
passed = [name for name, (status, *_) in first.items() if status == "run"]
skipped = [(name, output[-1] if output else "") for name, (status, output, _) in first.items() if status in ("notrun", "disabled")]
flaky = [name for name, (status, *_) in again.items() if status == "run"]
failed = [name for name, (status, *_) in first.items() if status == "fail" and name not in flaky]

for name in failed + flaky:
    print(f"{name} said, when it failed:")
    for line in first[name][1][-12:]:
        print(f"    {line[:300]}")
if len(first) > 100:
    slowest = sorted(first, key=lambda name: -first[name][2])[:40]
    print("slowest, in seconds: " + ", ".join(f"{name} {first[name][2]:.0f}" for name in slowest))
for name, reason in skipped:
    print(f"skipped: {name}: {reason}")
for name in failed:
    print(f"failed: {name}")
for name in flaky:
    print(f"flaky: {name} failed first and passed when it ran again, alone")
print(f"{len(passed) + len(flaky)} passed, {len(failed)} failed, {len(skipped)} skipped")
sys.exit(1 if failed else 0)
