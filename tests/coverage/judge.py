#!/usr/bin/env python3
"""Judges what gcovr found: figures per file, branches not taken with their reasons, enough or not.

usage: judge.py FOLDER REASONS PERCENT

FOLDER/branches.json is what `gcovr --json` wrote.  Writes FOLDER/table.md and FOLDER/untaken.txt.
REASONS has sections "# NAME: why", and below each the lines of source it explains, one each:

    FILE: TEXT            TEXT is a part of the line, FILE its path; "FILE:" is the whole file

The last line says the percentages; the status is 1 when one of them is below PERCENT.

SPDX-License-Identifier: BSD-2-Clause
"""
import json
import os
import sys

PARTS = "kernel/", "servers/pager/"
UNEXPLAINED = "no reason known"


class File:
    """The counts of one file: branches and lines, taken and in all; the lines with untaken ones."""

    def __init__(self, entry):
        self.name = entry["file"]
        counted = [line for line in entry["lines"] if not line.get("gcovr/noncode")]
        branches = [branch for line in counted for branch in line["branches"]]
        self.branches = sum(branch["count"] > 0 for branch in branches), len(branches)
        self.lines = sum(line["count"] > 0 for line in counted), len(counted)
        self.untaken = [(line["line_number"], sum(b["count"] == 0 for b in line["branches"]),
                         len(line["branches"])) for line in counted
                        if any(b["count"] == 0 for b in line["branches"])]


def read_reasons(path):
    """Returns a list of [file, text, name of the reason, used]."""
    reasons, name = [], None
    with open(path, encoding="utf-8") as source:
        for line in source:
            line = line.rstrip("\n")
            if line.startswith("# "):
                name = line[2:].split(":")[0]
            elif line and not line.startswith("#"):
                file, text = line.split(":", 1)
                reasons.append([file, text.strip(), name, False])
    return reasons


def reason_for(reasons, file, text):
    """The name of the reason why branches of this line are not taken."""
    for reason in reasons:
        if reason[0] == file and reason[1] in text:
            reason[3] = True
            return reason[2]
    return UNEXPLAINED


def write_untaken(path, files, reasons):
    """Lists the lines with branches not taken, by reason; returns how many branches have none."""
    groups = {}
    for file in files:
        with open(file.name, encoding="utf-8") as source:
            text = source.read().splitlines()
        for number, untaken, of in file.untaken:
            line = text[number - 1].strip()
            group = groups.setdefault(reason_for(reasons, file.name, line), [])
            group.append((untaken, f"  {file.name}:{number}: {untaken} of {of}: {line}\n"))
    with open(path, "w", encoding="utf-8") as target:
        for name, lines in sorted(groups.items()):
            target.write(f"{name}: {sum(untaken for untaken, _ in lines)} branches\n")
            target.writelines(line for _, line in lines)
    return sum(untaken for untaken, _ in groups.get(UNEXPLAINED, []))


def percent(pair):
    """As gcovr says it: one digit, rounded down, so that 90.0 is not less than 90."""
    return 1000 * pair[0] // pair[1] / 10 if pair[1] else 100.0


def total(files, what):
    """The sum of a pair of counts over files."""
    pairs = [getattr(file, what) for file in files]
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)


def row(name, branches, lines):
    """A row of the table."""
    cells = [f"{pair[0]} of {pair[1]} | {percent(pair)}" for pair in (branches, lines)]
    return f"| {name} | {cells[0]} | {cells[1]} |\n"


def write_table(path, files):
    """Figures per file, for docs/coverage.md."""
    with open(path, "w", encoding="utf-8") as target:
        target.write("| File | Branches | % | Lines | % |\n|---|---|---|---|---|\n")
        for part in PARTS:
            inside = [file for file in files if file.name.startswith(part)]
            target.writelines(row(f"`{file.name}`", file.branches, file.lines) for file in inside)
            target.write(row(f"**{part} in all**", total(inside, "branches"), total(inside, "lines")))


def main():
    """Reads, writes, judges."""
    folder, reasons, enough = sys.argv[1], read_reasons(sys.argv[2]), float(sys.argv[3])
    with open(os.path.join(folder, "branches.json"), encoding="utf-8") as source:
        files = [File(entry) for entry in json.load(source)["files"]]
    files = sorted((file for file in files if file.name.startswith(PARTS)), key=lambda file: file.name)
    write_table(os.path.join(folder, "table.md"), files)
    unexplained = write_untaken(os.path.join(folder, "untaken.txt"), files, reasons)
    with open(os.path.join(folder, "table.md"), encoding="utf-8") as table:
        print(table.read(), end="")
    for file, text, name, used in reasons:
        if not used:
            print(f"all taken, though {name!r} explains it: {file}: {text}")
    found = [percent(total([file for file in files if file.name.startswith(part)], "branches"))
             for part in PARTS]
    verdict = "enough" if min(found) >= enough else f"too little, {enough:g} % are wanted"
    print(f"{unexplained} branches were not taken and have no reason ({folder}/untaken.txt)")
    print(f"coverage: {found[0]} % of the branches of {PARTS[0]}, {found[1]} % of {PARTS[1]}: {verdict}")
    sys.exit(min(found) < enough)


if __name__ == "__main__":
    main()
