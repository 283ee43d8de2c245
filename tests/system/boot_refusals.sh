#!/bin/sh
# A machine that cannot work says why in one clear line, as the last one, and stops with status 1.
#
# usage: tests/system/boot_refusals.sh [BUILD]
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
BUILD=${1:-build/gcc}
TIMEOUT=30
export BUILD TIMEOUT
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# refuses NAME WORDS VARIABLE=VALUE...: boots so, and wants WORDS in the last line.
refuses() {
	name=$1
	words=$2
	shift 2
	status=0
	env "$@" tools/run < /dev/null > "$work/output" 2> "$work/errors" || status=$?
	if [ $status = 1 ] && tail -n 1 "$work/output" | grep -q "$words"; then
		echo "ok $name"
		passed=$((passed + 1))
	else
		echo "FAIL $name status $status, last line: $(tail -n 1 "$work/output")"
		failed=$((failed + 1))
	fi
}

bytes=$(wc -c < "$BUILD/boot.cpio")
head -c $((bytes / 2)) "$BUILD/boot.cpio" > "$work/half"
head -c 5000 Makefile > "$work/text"
{ head -c 54 "$BUILD/boot.cpio" && printf 'FFFFFFFF' && tail -c +63 "$BUILD/boot.cpio"; } > "$work/huge"

refuses no_archive 'no boot archive' ARCHIVE=none
refuses archive_cut_in_half 'archive is damaged' ARCHIVE="$work/half"
refuses archive_that_is_a_text 'archive is damaged' ARCHIVE="$work/text"
refuses archive_with_a_huge_file 'archive is damaged' ARCHIVE="$work/huge"
refuses memory_of_4_mib 'too little memory' MEM=4
refuses memory_of_16_mib 'too little memory' MEM=16
refuses cpu_without_nx 'NX' CPU=qemu64,-nx
refuses cpu_without_long_mode '64-bit mode' CPU=qemu32
echo "$passed passed, $failed failed"
[ $failed = 0 ]
