#!/usr/bin/env python3
"""Types a line at a real interactive shell and prints the words that it has after TAB, one a line.

  typed_line.py LOAD TYPED -- SHELL…    LOAD is run first; TYPED is what is typed before TAB"""
import os
import pty
import select
import sys
import time

DEADLINE = 60  # seconds, for a machine that is busy


def main():
    load, typed = sys.argv[1], sys.argv[2]
    shell = sys.argv[sys.argv.index("--") + 1:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", PS1="", LC_ALL="C.UTF-8")
        os.execvp(shell[0], shell)
    seen = b""
    end = time.monotonic() + DEADLINE

    def wait_for(text, start):
        nonlocal seen
        while text not in seen[start:]:
            if time.monotonic() > end:
                sys.exit(f"waited for {text!r}: {seen.decode(errors='replace')}")
            if select.select([terminal], [], [], 1)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError:
                    sys.exit(f"the shell has ended: {seen.decode(errors='replace')}")
        return seen.index(text, start) + len(text)

    # What is echoed has the quotes, what is printed has not.
    os.write(terminal, f"{load}; echo lo''aded\r".encode())
    at = wait_for(b"loaded", 0)
    os.write(terminal, typed.encode() + b"\t")
    # The line becomes the arguments of printf: Ctrl-A goes to its beginning, Ctrl-E to its end.
    os.write(terminal, b"\x01printf '<%s>\\n' \x05; echo do''ne\r")
    done = wait_for(b"done", at)
    said = seen[at:done].decode(errors="replace").replace("\r", "")
    words = [line[1:-1] for line in said.split("\n") if line.startswith("<") and line.endswith(">")]
    print("\n".join(words))
    os.close(terminal)
    os.waitpid(pid, 0)


main()
