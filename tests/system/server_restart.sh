#!/bin/sh
# Servers that fail are reported and restarted, their clients go on; one that fails for ever, or an
# essential one, ends the machine with a line that says so.
#
# usage: tests/system/server_restart.sh [BUILD]
#
# Each failing server is the real one with a line more, which makes it fail at a certain request.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/gcc}
TIMEOUT=60
export TIMEOUT
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$build/kernel.elf" "$build/boot.cpio" "$build/archive.list" "$work"
cp -r "$build/root" "$work/root"
flags='-std=c17 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -mgeneral-regs-only
	-fno-tree-loop-distribute-patterns -fcf-protection=none -Iinclude -Ilib'

# failing SERVER 'LINE' 'CODE': servers/SERVER fails in main.c where CODE comes behind LINE.
failing() {
	mkdir -p "$work/$1"
	cp "servers/$1"/*.[ch] "$work/$1"
	awk -v line="$2" -v code="$3" '{ print } index($0, line) { print code; found = 1 }
		END { exit !found }' "servers/$1/main.c" > "$work/$1/main.c"
	for source in "$work/$1"/*.c; do
		# shellcheck disable=SC2086 # a list of words
		gcc $flags -c "$source" -o "${source%.c}.o"
	done
	ld -nostdlib -static -u _start --build-id=none -z noexecstack -z max-page-size=4096 \
		-T "$build/lib/server/server.ld" -o "$work/root/servers/$1" "$work/$1"/*.o "$build/libserver.a"
}

# expect STATUS COMMAND...: the machine runs the commands and ends so; its output is in $work/output.
expect() {
	wanted=$1
	shift
	status=0
	BUILD=$work tools/run "$@" < /dev/null > "$work/output" || status=$?
	tr -d '\r' < "$work/output" > "$work/text"
	if [ "$status" != "$wanted" ]; then
		cat "$work/text"
		echo "status $status, wanted $wanted"
		exit 1
	fi
}

# says TEXT: the output has such a line.
says() {
	if ! grep -q "$1" "$work/text"; then
		cat "$work/text"
		echo "missing: $1"
		exit 1
	fi
}

failing files 'directory_find(MESSAGE_PAGE' \
	'if (TAG_BYTES(message->tag) == 7 && memcmp(MESSAGE_PAGE, "fail-me", 7) == 0) server_panic("asked to");'
failing console 'memcpy(text, MESSAGE_PAGE, bytes);' \
	'if (bytes > 7 && memcmp(text, "fail-me", 7) == 0) *(volatile int *)8 = 1;'
failing time 'uint64_t time = now(), duration' \
	'if (duration / 1000000000 == 7) __asm__ volatile("divl %0" : : "r"(0) : "rax", "rdx");'

expect 3 'cat fail-me' 'cat etc/boot' 'echo fail-me' 'echo the console is back' 'sleep 7' 'sleep 1 && echo slept' 'exit 3'
says '^files: panic: asked to'
says '^init: server files failed at .*: invalid instruction'
says '^init: restarting server files'
says '^server proc essential'
says '^init: server console failed at .*: write of address 0x8: null page'
says '^the console is back'
says '^init: server time failed at .*: divide error'
says '^slept'

expect 1 'cat fail-me; cat fail-me; cat fail-me; cat fail-me; cat fail-me; cat fail-me; cat fail-me' 'exit 3'
says '^init: server files failed 6 times in 10 seconds: giving up'

failing proc 'const struct process *process = process_first_from(message->w[0]);' 'server_panic("asked to");'
expect 1 ps 'exit 3'
says '^init: proc is essential: the machine ends'
