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

# archive NAME PAIR...: the boot archive with these files in place of its own (tools/mkarchive).
archive() {
	name=$1
	shift
	tools/mkarchive "$work/$name" "$BUILD" "$@"
}
archive text_as_root servers/init=Makefile
: > "$work/archive.list"
mkdir "$work/root"
tools/mkarchive "$work/no_root" "$work" etc/boot=servers/init/boot.script
printf '.globl _start\n_start: jmp _start\n' | gcc -c -x assembler - -o "$work/high.o"
ld -nostdlib -static --build-id=none -z max-page-size=4096 -Ttext=0x7ff000000000 -o "$work/high" "$work/high.o"
archive high_root servers/init="$work/high"

refuses no_archive 'no boot archive' ARCHIVE=none
refuses archive_cut_in_half 'archive is damaged' ARCHIVE="$work/half"
refuses archive_that_is_a_text 'archive is damaged' ARCHIVE="$work/text"
refuses archive_with_a_huge_file 'archive is damaged' ARCHIVE="$work/huge"
refuses memory_of_4_mib 'too little memory' MEM=4
refuses memory_of_16_mib 'too little memory' MEM=16
refuses archive_without_a_root_task 'holds no root task' ARCHIVE="$work/no_root"
refuses root_task_that_is_a_text 'no program that can be loaded' ARCHIVE="$work/text_as_root"
refuses root_task_over_what_the_kernel_maps 'must lie below' ARCHIVE="$work/high_root"
refuses cpu_without_local_apic 'no local APIC' CPU=qemu64,-apic
refuses cpu_without_global_pages 'no global pages' CPU=qemu64,-pge
refuses cpu_without_syscall 'SYSCALL' CPU=qemu64,-syscall
refuses cpu_without_nx 'NX' CPU=qemu64,-nx
refuses cpu_without_long_mode '64-bit mode' CPU=qemu32
echo "$passed passed, $failed failed"
[ $failed = 0 ]
