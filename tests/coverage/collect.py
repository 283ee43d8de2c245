#!/usr/bin/env python3
"""Makes count files (.gcda) of what kernels of VARIANT=gcov sent (tests/variants/gcov/dump.c).

usage: collect.py STREAMS FOLDER

STREAMS is a folder with one file for each run of a machine.  The counts of all runs are added up;
FOLDER gets the sums, each file with the slashes of its path as '#' and beside a link to its .gcno.
A machine that was stopped from outside sent nothing, or a part: what is whole counts.

A count file is a head of four words, then records: tag, length in bytes (negative: so many bytes
of zeros, left out), data.  Counters of branches are 64-bit numbers; they alone differ between runs
of the same program.

SPDX-License-Identifier: BSD-2-Clause
"""
import os
import struct
import sys

HEAD_BYTES = 16
TAG_COUNTERS = 0x01A10000


def count_files(stream):
    """Yields (name, bytes) for each count file that is whole, which is when something follows it."""
    name, parts, place = None, [], 0
    while place < len(stream):
        kind = stream[place:place + 1]
        if kind == b"F" or kind == b"E":
            if name is not None:
                yield name, b"".join(parts)
            end = stream.find(b"\0", place)
            if kind == b"E" or end < 0:
                return
            name, parts, place = stream[place + 1:end].decode(), [], end + 1
        elif kind == b"D":
            if place + 5 > len(stream):
                return
            (length,) = struct.unpack_from("<I", stream, place + 1)
            place += 5
            parts.append(stream[place:place + length])
            place += length
        else:
            raise ValueError(f"no record at {place}")


def records(data):
    """Splits a count file into its head and a list of [tag, length, bytes]; zeros are filled in."""
    found, place = [], HEAD_BYTES
    while place + 8 <= len(data):
        tag, length = struct.unpack_from("<Ii", data, place)
        place += 8
        stored = max(length, 0)
        body = data[place:place + stored] + bytes(abs(length) - stored)
        found.append([tag, abs(length), body])
        place += stored
    return data[:HEAD_BYTES], found


def add(sum_of, other):
    """Adds the counters of one list of records to another's."""
    for mine, theirs in zip(sum_of, other, strict=True):
        if mine[:2] != theirs[:2]:
            raise ValueError("counts of another program")
        if mine[0] == TAG_COUNTERS:
            form = f"<{mine[1] // 8}Q"
            pairs = zip(struct.unpack(form, mine[2]), struct.unpack(form, theirs[2]))
            mine[2] = struct.pack(form, *(a + b for a, b in pairs))


def main():
    """Reads the streams, writes the folder."""
    sums, runs = {}, 0
    for entry in sorted(os.listdir(sys.argv[1])):
        with open(os.path.join(sys.argv[1], entry), "rb") as source:
            stream = source.read()
        runs += stream != b""
        for name, data in count_files(stream):
            head, counted = records(data)
            if name in sums:
                add(sums[name][1], counted)
            else:
                sums[name] = head, counted
    for name, (head, counted) in sums.items():
        path = os.path.join(sys.argv[2], name.lstrip("/").replace("/", "#"))
        with open(path, "wb") as target:
            target.write(head + b"".join(struct.pack("<II", tag, length) + body
                                         for tag, length, body in counted))
        os.symlink(name[:-len(".gcda")] + ".gcno", path[:-len(".gcda")] + ".gcno")
    print(f"{runs} runs of a machine", file=sys.stderr)


if __name__ == "__main__":
    main()
