# What tools/run and tools/run-bochs share: the commands, the archive, the verdict.
#
# A machine is interactive when standard input is a terminal.  Otherwise the lines of standard
# input (or the arguments, one line each) become the file etc/script in a copy of the boot archive:
# the guest's shell runs it and ends the machine with the status of the last command.
#
# The kernel says how the machine ended by a line "FAULTLINE-EXIT status" on port 0xe9.  Without
# that line the machine crashed, or was stopped from outside.
#
# Read by a script that has changed to the project's folder.  Environment: BUILD, BOOT, FILE, ARCHIVE.
#
# SPDX-License-Identifier: BSD-2-Clause

build=${BUILD:-build/gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

STATUS_TIMEOUT=124
STATUS_KILLED=137
STATUS_CRASH=125

# machine_prepare [COMMAND]...: sets $interactive (yes or no) and $archive.
machine_prepare() {
	for needed in "$build/kernel.elf" "${ARCHIVE:-$build/boot.cpio}"; do
		if [ ! -f "$needed" ] && [ "$needed" != none ]; then
			echo "$0: $needed is missing: run make first" >&2
			exit 2
		fi
	done
	interactive=no
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@" > "$work/script"
	elif [ -t 0 ]; then
		interactive=yes
	else
		cat > "$work/script"
	fi
	set --
	[ $interactive = yes ] || set -- "etc/script=$work/script"
	[ -z "${BOOT:-}" ] || set -- "$@" "etc/boot=$BOOT"
	[ -z "${FILE:-}" ] || set -- "$@" "text/input.txt=$FILE"
	archive=${ARCHIVE:-$build/boot.cpio}
	if [ $# -gt 0 ] && [ -z "${ARCHIVE:-}" ]; then
		archive=$work/boot.cpio
		tools/mkarchive "$archive" "$build" "$@"
	fi
}

# machine_verdict FILE EMULATOR_STATUS: leaves with the guest's status, as FILE, written by port 0xe9, tells it.
machine_verdict() {
	guest=$(tr -d '\r\0' < "$1" | sed -n 's/.*FAULTLINE-EXIT 0*\([0-9][0-9]*\).*/\1/p' | tail -n 1)
	if [ -n "$guest" ]; then
		exit $((guest & 255))
	fi
	if [ -n "${TIMEOUT:-}" ] && { [ "$2" = $STATUS_TIMEOUT ] || [ "$2" = $STATUS_KILLED ]; }; then
		echo "$0: no end after $TIMEOUT seconds: stopped" >&2
		exit $STATUS_TIMEOUT
	fi
	if [ $interactive = yes ] && [ "$2" = 0 ]; then
		exit 0 # the user stopped the emulator
	fi
	echo "$0: the machine ended without a word (emulator status $2): a crash" >&2
	exit $STATUS_CRASH
}
