#!/bin/sh
# A script's last status is the status of the machine, of tools/run and (0 or not) of make; its output is all there is.
#
# usage: tests/system/exit_status.sh [BUILD]
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
BUILD=${1:-build/gcc}
TIMEOUT=60
export BUILD TIMEOUT
output=$(mktemp)
trap 'rm -f "$output" "$output.err"' EXIT

# expect STATUS COMMANDS: what tools/run says after the commands.
expect() {
	status=0
	printf '%s\n' "$2" | tools/run > "$output" || status=$?
	if [ "$status" != "$1" ]; then
		cat "$output"
		echo "status $status after '$2', not $1"
		exit 1
	fi
}

# says WORDS: the guest's output holds that line.
says() {
	grep -q "^$1" "$output" || { cat "$output" && echo "no line '$1'" && exit 1; }
}

expect 0 'echo one'
says one
expect 7 'exit 7'
expect 200 'exit 200'
expect 1 'false'
expect 0 'false
true'
expect 0 ''

echo 'echo the guest speaks' | make --no-print-directory run > "$output" 2> "$output.err"
says 'the guest speaks'
if grep -E '^  (CC|LD|NASM|ARCHIVE) |^make' "$output"; then
	echo "the build speaks on standard output"
	exit 1
fi
if echo false | make --no-print-directory run > "$output" 2>&1; then
	echo "make run hides the status of a failed command"
	exit 1
fi
