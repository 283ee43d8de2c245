#!/bin/sh
# The ISO image boots by GRUB (Multiboot2) in QEMU and in Bochs to a shell that runs programs.
#
# usage: tests/system/boot_iso.sh [BUILD]
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
BUILD=${1:-build/gcc}
TIMEOUT=120
export BUILD TIMEOUT
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# boots HOW COMMAND...: runs a machine that must say Multiboot2 and run a program.
boots() {
	how=$1
	shift
	status=0
	"$@" 'echo a program speaks' 'exit 3' < /dev/null > "$output" || status=$?
	if [ $status != 3 ] || ! grep -q '^a program speaks' "$output" || ! grep -q Multiboot2 "$output"; then
		cat "$output"
		echo "$how: status $status"
		exit 1
	fi
}
boots QEMU env ISO=1 tools/run
boots Bochs tools/run-bochs
