#!/bin/sh
# A panic says what, who, with which registers, where by name, and what the last messages were; the
# machine then ends with status 2.
#
# usage: tests/system/panic_report.sh [BUILD]
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
BUILD=${1:-build/gcc} BOOT=tests/guest/kernel/boot.script APPEND=test=panic TIMEOUT=60
export BUILD BOOT APPEND TIMEOUT
output=$(mktemp)
trap 'rm -f "$output"' EXIT

status=0
tools/run < /dev/null > "$output" || status=$?
for wanted in 'panic: asked for by a test' 'kerneltests' '^  rip ' ' call_debug+0x' ' kernel_enter_call+0x' 'messages'; do
	if ! grep -q -- "$wanted" "$output"; then
		cat "$output"
		echo "no '$wanted' in the report"
		exit 1
	fi
done
[ $status = 2 ] || { echo "status $status, not 2"; exit 1; }
