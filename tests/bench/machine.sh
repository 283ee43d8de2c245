# How the benchmark's programs are run on Faultline.  Read by scripts that have changed to the project's
# folder and set $bench, a folder for what is left behind.
#
# SPDX-License-Identifier: BSD-2-Clause

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

# faultline_run NAME COMMAND...: runs a program; everything that the machine says goes to $bench/NAME.log.
# Environment: EMULATOR (tools/run), ICOUNT, MEM, TIMEOUT.
faultline_run() {
	bench_name=$1
	shift
	faultline_archive "$bench/$bench_name.cpio" "$@"
	bench_status=0
	ARCHIVE=$bench/$bench_name.cpio CPU=$bench_cpu TIMEOUT=${TIMEOUT:-600} "${EMULATOR:-tools/run}" \
		< /dev/null > "$bench/$bench_name.raw" 2>&1 || bench_status=$?
	tr -d '\r' < "$bench/$bench_name.raw" > "$bench/$bench_name.log"
	rm -f "$bench/$bench_name.raw" "$bench/$bench_name.cpio" "$bench/$bench_name.cpio.boot"
	[ $bench_status -eq 0 ] && grep -q '^BENCH-END' "$bench/$bench_name.log" && return
	tail -n 20 "$bench/$bench_name.log" >&2
	echo "$0: '$*' did not finish on Faultline (status $bench_status); $bench/$bench_name.log" >&2
	return 1
}
