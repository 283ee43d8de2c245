#!/usr/bin/env python3
"""Makes count files (.gcda) of what kernels of VARIANT=gcov sent (tests/variants/gcov/dump.c).

usage: collect.py STREAM FOLDER

The stream holds one run of the machine after the other; a name that comes again begins the next
run.  The files of run N go to FOLDER/N, with the slashes of their paths as '#', each beside a link to its
.gcno: counts of several runs stay apart, and whoever reports adds them up.

SPDX-License-Identifier: BSD-2-Clause
"""
import os
import struct
import sys


def records(stream):
    """Yields (name, bytes) for each count file in the stream."""
    name, parts, place = None, [], 0
    while place < len(stream):
        kind = stream[place:place + 1]
        if kind == b"F":
            if name is not None:
                yield name, b"".join(parts)
            end = stream.index(b"\0", place)
            name, parts, place = stream[place + 1:end].decode(), [], end + 1
        elif kind == b"D":
            (length,) = struct.unpack_from("<I", stream, place + 1)
            place += 5
            parts.append(stream[place:place + length])
            place += length
        else:
            raise ValueError(f"no record at {place}")
    if name is not None:
        yield name, b"".join(parts)


def main():
    """Reads the stream, writes the folders."""
    with open(sys.argv[1], "rb") as source:
        stream = source.read()
    run, seen = 0, set()
    for name, data in records(stream):
        if name in seen:
            run, seen = run + 1, set()
        seen.add(name)
        folder = os.path.join(sys.argv[2], str(run))
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name.lstrip("/").replace("/", "#"))
        with open(path, "wb") as target:
            target.write(data)
        notes = path[:-len(".gcda")] + ".gcno"
        if not os.path.exists(notes):
            os.symlink(name[:-len(".gcda")] + ".gcno", notes)
    print(f"{run + 1} runs of the machine", file=sys.stderr)


if __name__ == "__main__":
    main()
