#!/bin/sh
# Machines of other kinds boot to a shell that runs a program, and use what they have: processors that
# lack what the kernel could do without, memory above 4 GiB, no banner.
#
# usage: tests/system/boot_machines.sh [BUILD]
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
BUILD=${1:-build/gcc}
TIMEOUT=60
export BUILD TIMEOUT
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# boots NAME WANTED UNWANTED VARIABLE=VALUE...: the output has a line with WANTED and none with UNWANTED.
boots() {
	name=$1
	wanted=$2
	unwanted=$3
	shift 3
	status=0
	env "$@" tools/run 'echo a program speaks' 'exit 3' < /dev/null > "$work/output" 2> "$work/errors" || status=$?
	if [ $status = 3 ] && grep -q '^a program speaks' "$work/output" && grep -Eq "$wanted" "$work/output" &&
		! grep -Eq "$unwanted" "$work/output"; then
		echo "ok $name"
		passed=$((passed + 1))
	else
		echo "FAIL $name status $status, last line: $(tail -n 1 "$work/output")"
		failed=$((failed + 1))
	fi
}

used='features used:.*'
boots cpu_without_xsave 'FPU state: 512 bytes' "${used}XSAVE" CPU=max,-xsave
boots cpu_without_avx 'FPU state: 576 bytes' 'FPU state: 832' CPU=max,-avx
boots cpu_without_xsaveopt "${used}XSAVE" "${used}XSAVEOPT" CPU=max,-xsaveopt
boots cpu_without_smep_and_smap "${used}XSAVE" "${used}(SMEP|SMAP|UMIP|FSGSBASE)" CPU=max,-smep,-smap,-umip,-fsgsbase
boots cpu_without_large_direct_pages "${used}SMEP" "${used}GIB_PAGES" CPU=max,-pdpe1gb
boots cpu_without_new_leaves 'features used: NX' "${used}SMEP" CPU=qemu64,level=1
boots cpu_without_leaf_13 "${used}SMEP" "${used}XSAVE" CPU=max,level=7
boots cpu_without_machine_check 'features used: NX' 'no CPU' CPU=qemu64,-mce
boots cpu_without_a_name 'CPU: unknown CPU' 'CPU: QEMU' CPU=qemu64,xlevel=0x80000001
boots cpu_with_a_name_behind_spaces 'CPU: of no name,' 'CPU: QEMU' CPU='qemu64,model-id=   of no name'
boots memory_above_4_gib '^    0001[0-9a-f]{8} - .* RAM' 'too little' MEM=4096
boots memory_of_40_mib 'free memory' 'too little' MEM=40
boots without_a_banner '^a program speaks' 'page-table levels' APPEND=quiet
echo "$passed passed, $failed failed"
[ $failed = 0 ]
