#!/usr/bin/env python3
"""Runs a command with a terminal of so many columns as its standard error, and prints what it wrote there.

  on_terminal.py COLUMNS COMMAND…    ends with the command's code"""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

columns, command = int(sys.argv[1]), sys.argv[2:]
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
before = termios.tcgetattr(theirs)
process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=theirs)
keep = os.dup(theirs)  # so that what was written can be read after the command's end
os.close(theirs)
written = b""
os.set_blocking(ours, False)
while True:
    ended = process.poll() is not None
    try:
        while data := os.read(ours, 65536):
            written += data
    except BlockingIOError:
        pass
    if ended:
        break
    try:
        process.wait(0.02)
    except subprocess.TimeoutExpired:
        pass
assert termios.tcgetattr(keep) == before, "the terminal's modes have changed"
sys.stdout.buffer.write(written)
sys.exit(process.returncode)
