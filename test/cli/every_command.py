#!/usr/bin/env python3
"""Tries every command of flox that changes something, as its help says (src/cli/effects.cc), by what command_trial.py does; and
looks at the others whether they change nothing.

  every_command.py AT_CALL DIRECTORY [COMMAND…]   only these commands, as "config" or "store gc"

DIRECTORY/test.sources names a repository of Debian packages (every_command.sh). Three points of each command are tried, spread
over all; FLOX_TEST_EXHAUSTIVE=1 tries all of them."""
import os
import queue
import re
import subprocess
import sys
import threading
import time
import traceback

from command_trial import Failure, Trial, World
from import_sources import ImportSources
from reading_commands import run_reading
from writing_commands import ELSEWHERE, cases, make_base

PROJECT = os.environ["PROJECT"]


def declared():
    """Each command of flox with what it changes, by its help."""
    found = {}

    def look(words):
        help_text = subprocess.run(["flox", *words, "--help"], capture_output=True, text=True, check=True).stdout
        if words and (changes := re.search(r"(?m)^Changes(: | )(.*)\.$", help_text)):
            found[" ".join(words)] = "" if changes[2] == "nothing" else changes[2]
        inside = False
        for line in help_text.splitlines():
            inside = line == "Subcommands:" or (inside and line.startswith(" "))
            if inside and (name := re.match(r"  ([a-z][a-z-]*)", line)) and [*words, name[1]] != ["kube"]:  # another program
                look([*words, name[1]])

    look([])
    return found


def check_list(all_cases, commands):
    if len(commands) < 80:
        raise Failure(f"only {len(commands)} commands say what they change")
    tried = {case.command for case in all_cases}
    complaints = [f"flox {name} changes something ({changes}), and nobody tries what happens if it is ended: add a case to writing_commands.py"
                  for name, changes in commands.items() if changes and name not in tried and name not in ELSEWHERE]
    complaints += [f"flox {name} has a case, and says that it changes nothing" for name in tried if not commands.get(name, "hidden")]
    for name, (test, _) in ELSEWHERE.items():
        if name not in commands and name != "kube":  # whose help is another program's
            complaints.append(f"there is no flox {name}")
        if test and not os.path.exists(os.path.join(PROJECT, test)):
            complaints.append(f"flox {name}: there is no {test}")
    if complaints:
        raise Failure("\n".join(complaints))


def main():
    at_call, directory, only = sys.argv[1], sys.argv[2], sys.argv[3:]
    points = 0 if os.environ.get("FLOX_TEST_EXHAUSTIVE") == "1" else 3
    all_cases = cases()
    commands = declared()
    check_list(all_cases, commands)
    wanted = [case for case in all_cases if not only or case.command in only]
    waiting = queue.Queue()
    for case in wanted:
        if not case.alone:
            waiting.put(case)
    failures, total = [], {"runs": 0, "ended": 0}
    lock = threading.Lock()

    others_may_begin = threading.Event()

    def run_case(world, case):
        trial, began, failure = Trial(world, case, points), time.monotonic(), None
        try:
            trial.run()
        except Failure as error:
            failure = f"flox {' '.join(case.words)}: {error}" if case.words[0] not in str(error) else str(error)
        except Exception as error:
            failure = f"flox {' '.join(case.words)}: {traceback.format_exc()}"
        with lock:
            total["runs"] += trial.runs
            total["ended"] += trial.ended
            print(f"{'✘' if failure else '✔'} flox {' '.join(case.words)}: {trial.runs} runs, {time.monotonic() - began:.1f} s", flush=True)
            if failure:
                failures.append(failure)
                print(f"  {failure}", flush=True)

    def work(number):
        world = worlds[number]
        if number != 0:
            others_may_begin.wait()
        make_base(world)
        world.save("base")
        if number == 0:
            for case in wanted:
                if case.alone:
                    run_case(world, case)
            others_may_begin.set()
        while True:
            try:
                run_case(world, waiting.get_nowait())
            except queue.Empty:
                break

    def guarded(number):
        try:
            work(number)
        except Exception:  # of the test itself
            failures.append(traceback.format_exc())
        finally:
            others_may_begin.set()
            worlds[number].stop_catalog()

    sources = ImportSources(directory)
    if not only:
        world = World(os.path.join(directory, "reading"), at_call)
        make_base(world)
        complaints, runs = run_reading(world, commands)
        print(f"{'✘' if complaints else '✔'} commands that change nothing: {runs} runs", *complaints, sep="\n  ", flush=True)
        failures += complaints

    worlds = [World(os.path.join(directory, str(number)), at_call, sources.places) for number in range(int(os.environ.get("WORKERS", "2")))]
    workers = [threading.Thread(target=guarded, args=(number,)) for number in range(len(worlds))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sources.end()
    print(f"{total['runs']} runs, of which {total['ended']} were ended by what was done to them")
    if not failures and total["ended"] * 3 < total["runs"]:
        failures.append("too few runs were ended")
    print(*failures, sep="\n", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
