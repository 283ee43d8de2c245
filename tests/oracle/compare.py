#!/usr/bin/env python3
"""Compare a guest's own view of its page tables with the emulator's walk of them.

usage: compare.py OUTPUT QMP_SOCKET

OUTPUT grows while the guest program `oracle` runs.  At each "WALK name" line the machine is stopped
and `info tlb` is asked for: it walks the tables from CR3.  Every page of the user half must be
in both views, with the same frame and the same W, U and NX.  Prints a line for each point.

SPDX-License-Identifier: BSD-2-Clause
"""
import json
import re
import socket
import sys
import time

POINTS = ['start', 'touched', 'child', 'parent']
USER_END = 1 << 47
TIMEOUT_SECONDS = 120
FRAME = 0x000ffffffffff000
W, U, NX = 1 << 1, 1 << 2, 1 << 63


class Qmp:
    def __init__(self, path):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        self.stream = connection.makefile('rw')
        self.stream.readline()
        self.command('qmp_capabilities')

    def command(self, name, **arguments):
        self.stream.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if 'return' in answer:
                return answer['return']
            if 'error' in answer:
                raise RuntimeError(answer['error']['desc'])

    def monitor(self, line):
        return self.command('human-monitor-command', **{'command-line': line})


def guest_view(text, point):
    """{address: (frame, flags)} of the pages between POINT and WALK."""
    part = text.split('POINT %s\n' % point)[1].split('WALK %s\n' % point)[0]
    view = {}
    for address, entry in re.findall(r'^PAGE ([0-9a-f]+) ([0-9a-f]+)$', part, re.M):
        entry = int(entry, 16)
        view[int(address, 16)] = (entry & FRAME, entry & (W | U | NX))
    return view


def emulator_view(qmp):
    """The same from lines like `0000000000400000: 00000000006ec000 X-PDACTUW`, read by letter."""
    view = {}
    for line in qmp.monitor('info tlb').replace('\r', '').splitlines():
        match = re.match(r'([0-9a-f]{16}): ([0-9a-f]{16}) (\S+)', line)
        if not match or int(match.group(1), 16) >= USER_END:
            continue
        flags = match.group(3)
        view[int(match.group(1), 16)] = (int(match.group(2), 16) & FRAME,
                                         (W if 'W' in flags else 0) | (U if 'U' in flags else 0) |
                                         (NX if 'X' in flags else 0))
    return view


def wait_for(path, text):
    end = time.time() + TIMEOUT_SECONDS
    while time.time() < end:
        with open(path, encoding='ascii', errors='replace') as output:
            content = output.read().replace('\r', '')
        if text in content:
            return content
        time.sleep(0.02)
    sys.exit('compare.py: no "%s" in %s after %d seconds' % (text.strip(), path, TIMEOUT_SECONDS))


def differences(ours, theirs):
    for address in sorted(set(ours) | set(theirs)):
        if ours.get(address) != theirs.get(address):
            yield '  %x: guest %s, emulator %s' % (address, ours.get(address), theirs.get(address))


def main(output, qmp_socket):
    wait_for(output, 'POINT')
    qmp = Qmp(qmp_socket)
    failed = False
    for point in POINTS:
        content = wait_for(output, 'WALK %s\n' % point)
        qmp.command('stop')
        theirs = emulator_view(qmp)
        qmp.command('cont')
        ours = guest_view(content, point)
        wrong = list(differences(ours, theirs))
        failed = failed or bool(wrong) or not ours
        print('%s: %d pages, %d differ' % (point, len(ours), len(wrong)))
        print('\n'.join(wrong[:10]))
    sys.exit(1 if failed else 0)


main(*sys.argv[1:])
