#!/bin/sh
# Programs whose n-th asking for frames is refused, for all n: tests/guest/failure.c.
#
# usage: tests/system/failure.sh [BUILD]
#
# The process server is the real one with a line more, which passes the pager's test hooks on for programs.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$build/kernel.elf" "$build/boot.cpio" "$build/archive.list" "$work"
cp -r "$build/root" "$work/root"
flags='-std=c17 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -mgeneral-regs-only
	-fno-tree-loop-distribute-patterns -fcf-protection=none -Iinclude -Ilib'

mkdir "$work/proc"
cp servers/proc/*.[ch] "$work/proc"
awk '{ print } /struct message request = .* tag_make\(\(uint32_t\)message->w\[0\], 0\)/ {
	print "if (message->w[0] == PAGER_TRAP_TEST) {"
	print "request.w[0] = message->w[1]; request.w[1] = message->w[2];"
	print "return pass_on(message, &request); }"
	found++
} END { exit found != 1 }' servers/proc/main.c > "$work/proc/main.c"
for source in "$work"/proc/*.c; do
	# shellcheck disable=SC2086 # a list of words
	gcc $flags -c "$source" -o "${source%.c}.o"
done
ld -nostdlib -static -u _start --build-id=none -z noexecstack -z max-page-size=4096 \
	-T "$build/lib/server/server.ld" -o "$work/root/servers/proc" "$work"/proc/*.o "$build/libserver.a"

status=0
BUILD=$work ICOUNT=1 MEM=64 TIMEOUT=280 tools/run 'tests -f' > "$work/output" 2> "$work/errors" || status=$?
tr -d '\r' < "$work/output" > "$work/text"
# Reports of processes that were killed are no concern of the reader, unless a test failed.
if [ $status = 0 ]; then
	grep -E '^ok |^  .* trials, |passed, ' "$work/text"
else
	tail -n 60 "$work/text" "$work/errors"
fi
exit $status
