#!/bin/sh
# When the root task dies nobody can go on: the machine says so and ends with status 2.
#
# usage: tests/system/root_task_death.sh [BUILD]
#
# An ordinary program stands in for init; it expects what a pager would have given it.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
BUILD=${1:-build/gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tools/mkarchive "$work/boot.cpio" "$BUILD" "servers/init=$BUILD/root/bin/crash"

status=0
BUILD=$BUILD ARCHIVE=$work/boot.cpio TIMEOUT=60 tools/run < /dev/null > "$work/output" || status=$?
for wanted in 'panic: the root task died of exception 14' 'current thread: frame [0-9a-f]* init' '^  rip '; do
	if ! grep -q -- "$wanted" "$work/output"; then
		cat "$work/output"
		echo "no '$wanted' in the report"
		exit 1
	fi
done
[ $status = 2 ] || { echo "status $status, not 2"; exit 1; }
