#!/bin/sh
# The page tables as the pager reads them agree with QEMU's own walk, at four points of a program
# that touches, protects, forks and unmaps (tests/oracle).
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"; kill $machine 2>/dev/null || true' EXIT

QEMU_EXTRA="-qmp unix:$work/qmp,server=on,wait=off" TIMEOUT=200 tools/run oracle > "$work/output" 2>&1 < /dev/null &
machine=$!
status=0
python3 tests/oracle/compare.py "$work/output" "$work/qmp" || status=$?
[ $status = 0 ] || { tail -n 5 "$work/output"; exit $status; }
wait $machine
