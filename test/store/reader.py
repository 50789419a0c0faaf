#!/usr/bin/env python3
"""Reads files of a mount at random and compares every byte with the originals, by read(2), by mmap(2) and by running programs,
until a file STOP is there; three times at least.

  reader.py MOUNTED ORIGINAL STOP SEED    prints how many reads were right; ends with 1 and says what was wrong otherwise

What was read is dropped from the page cache, so that the next one asks the mount's server again.
"""
import mmap
import os
import random
import subprocess
import sys

mounted, original, stop, seed = sys.argv[1:]
random.seed(int(seed))
names = []
for top, _, files in os.walk(original):
    names += [os.path.relpath(os.path.join(top, name), original) for name in files]
names.sort()
reads = 0


def piece(fd, size, offset):
    parts = []
    while size:
        part = os.pread(fd, size, offset)
        if not part:
            break
        parts.append(part)
        size, offset = size - len(part), offset + len(part)
    return b"".join(parts)


while reads < 3 or not os.path.exists(stop):
    name = random.choice(names)
    if name.endswith(".sh"):
        done = subprocess.run([os.path.join(mounted, name)], capture_output=True)
        if done.returncode != 7 or done.stdout != b"ran\n":
            sys.exit(f"{name} ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")
        reads += 1
        continue
    fd, right = os.open(os.path.join(mounted, name), os.O_RDONLY), os.open(os.path.join(original, name), os.O_RDONLY)
    size = os.fstat(right).st_size
    if os.fstat(fd).st_size != size:
        sys.exit(f"{name} has {os.fstat(fd).st_size} bytes instead of {size}")
    offset = random.randrange(size)
    length = min(size - offset, random.randrange(1, 400_000))
    if random.random() < 0.3:
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as mapped:
            got = mapped[offset : offset + length]
    else:
        got = piece(fd, length, offset)
    wanted = piece(right, length, offset)
    if got != wanted:
        at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
        sys.exit(f"{name}: byte {offset + at} of {offset} + {length} is wrong: {got[at:at + 16]!r} instead of {wanted[at:at + 16]!r}")
    reads += 1
    if random.random() < 0.7:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    os.close(right)
print(reads)
