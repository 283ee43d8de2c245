# How the benchmark's programs are run on Faultline.  Read by scripts that have changed to the project's
# folder and set $bench, a folder for what is left behind.
#
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2154

build=${BUILD:-build/gcc}

# The processor of both systems: with ERMS, Linux would clear pages byte by byte, which counts one each.
bench_cpu=max,-erms

# faultline_archive ARCHIVE COMMAND...: a boot archive whose machine runs this program alone.
faultline_archive() {
	bench_archive=$1
	shift
	{ cat tests/bench/boot.script && echo "spawn $*"; } > "$bench_archive.boot"
	set -- "etc/boot=$bench_archive.boot" bench/data=build/bench/data
	for program in $(cat "$build/bench.list"); do
		set -- "$@" "bin/$program=$build/root/bin/$program"
	done
	tools/mkarchive "$bench_archive" "$build" "$@"
}

# machine_log NAME ARCHIVE: boots the archive; what the machine says goes to $bench/NAME.log.
# Environment: EMULATOR (tools/run), ICOUNT, MEM, TIMEOUT.
machine_log() {
	bench_status=0
	ARCHIVE=$2 CPU=$bench_cpu TIMEOUT=${TIMEOUT:-600} "${EMULATOR:-tools/run}" \
		< /dev/null > "$bench/$1.raw" 2>&1 || bench_status=$?
	tr -d '\r' < "$bench/$1.raw" > "$bench/$1.log"
	rm -f "$bench/$1.raw" "$2" "$2.boot"
	[ $bench_status -eq 0 ] && grep -q '^BENCH-END' "$bench/$1.log" && return
	tail -n 20 "$bench/$1.log" >&2
	echo "$0: '$1' did not finish on Faultline (status $bench_status); $bench/$1.log" >&2
	return 1
}

# faultline_run NAME COMMAND...: runs a program.
faultline_run() {
	bench_name=$1
	shift
	faultline_archive "$bench/$bench_name.cpio" "$@"
	machine_log "$bench_name" "$bench/$bench_name.cpio"
}

# kernelbench_run NAME: runs kernelbench, without any other server.
kernelbench_run() {
	tools/mkarchive "$bench/$1.cpio" "$build" etc/boot=tests/bench/kernel/boot.script \
		servers/kernelbench="$build/root/servers/kernelbench"
	machine_log "$1" "$bench/$1.cpio"
}
