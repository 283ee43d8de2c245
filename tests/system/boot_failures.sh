#!/bin/sh
# The n-th asking for frames during boot is refused, for all n: the machine boots on, or ends with a clear
# last line and a status that is not 0.  Never a hang, a crash, or a status 0 without having run the program.
#
# usage: tests/system/boot_failures.sh [BUILD]
#
#   frame    the root task's own frames: servers' ports, the pager's program and tables
#   once     the pager's, from its start to the end of the first program
#   onward   the same from its first message on, and from the n-th on none is free any more
#
# init and pager are the real ones with a few lines more, the other servers have smaller tables (their pages are
# askings of one kind), and the archive holds what is needed and no more.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/gcc}
TIMEOUT=30
MEM=32
export TIMEOUT MEM
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags='-std=c17 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -mgeneral-regs-only
	-fno-tree-loop-distribute-patterns -fcf-protection=none -Iinclude -Ilib'
mkdir -p "$work/root/servers" "$work/root/bin" "$work/root/etc"
cp "$build/root/bin/true" "$work/root/bin/true"
sed 's,^spawn.*,spawn /bin/true,' servers/init/boot.script > "$work/root/etc/boot"
cp "$build/kernel.elf" "$work"

# behind FILE LINE CODE: a copy of FILE, with CODE behind the one line that begins with LINE.
behind() {
	awk -v line="$2" -v code="$3" '{ print } index($0, line) == 1 { print code; found++ }
		END { exit found != 1 }' "$1" > "$1.new"
	mv "$1.new" "$1"
}

# link SERVER: compiles what is in $work/SERVER.
link() {
	for source in "$work/$1"/*.c; do
		# shellcheck disable=SC2086 # a list of words
		gcc $flags -c "$source" -o "${source%.c}.o"
	done
	ld -nostdlib -static -u _start --build-id=none -z noexecstack -z max-page-size=4096 \
		-T "$build/lib/server/server.ld" -o "$work/root/servers/$1" "$work/$1"/*.o "$build/libserver.a"
}

# smaller SERVER FILE NAME VALUE: another value for a #define in its header.
smaller() {
	[ -d "$work/$1" ] || cp -r "servers/$1" "$work/$1"
	sed -i "s/^#define $3[[:space:]].*/#define $3 $4/" "$work/$1/$2"
	grep -q "^#define $3 $4\$" "$work/$1/$2"
}
smaller proc process.h PROCESS_MAX 64u
smaller files directory.h DIRECTORY_FILES_MAX 32u
smaller files directory.h DIRECTORY_NAME_BYTES 0x400u
smaller time sleepers.h SLEEPERS_MAX 64u
cp -r servers/console "$work/console"
for name in proc files time console; do
	link $name
done

# ---- init: the words failframe=N, failonce=N, failonward=N of the command line ----
cp -r servers/init "$work/init"
cat > "$work/init/failure.h" <<'END'
#include <stdbool.h>
#include <stdint.h>
uint64_t failure_number(const char *word);
bool failure_is_now(void);
void failure_arm_pager(void);
END
cat > "$work/init/failure.c" <<'END'
#include "failure.h"
#include "init.h"
#include "slots.h"
#include <call.h>
#include <faultline/protocol/pager.h>
#include <server/print.h>
#include <server/request.h>
#include <server/string.h>

uint64_t failure_number(const char *word)
{
	size_t length = strlen(word);
	uint64_t number = 0;

	for (const char *at = init_boot->command_line; *at; at++)
		if (strncmp(at, word, length) == 0)
			for (at += length; *at >= '0' && *at <= '9'; at++)
				number = number * 10 + (uint64_t)(*at - '0');
	return number;
}

bool failure_is_now(void)
{
	static uint64_t asked;

	if (++asked != failure_number("failframe="))
		return false;
	server_log("test: refused");
	return true;
}

void failure_arm_pager(void)
{
	struct message message = {
		.tag = tag_make(PAGER_TRAP_TEST, 0),
		.w = { PAGER_HOOK_FAIL_ONWARD, failure_number("failonward=") },
	};

	if (message.w[1] != 0)
		init_must(request_call(SLOT_PAGER, &message), "test hook");
}
END
sed -i '1i #include "failure.h"' "$work/init/frames.c" "$work/init/main.c" "$work/init/pager.c"
sed -i '/^status_t frames_take(/,/^{/ s/^{/{ if (failure_is_now()) return ST_NO_MEMORY;/
	/^uint32_t frames_take_largest(/,/^{/ s/^{/{ if (failure_is_now()) return 0;/' "$work/init/frames.c"
[ "$(grep -c failure_is_now "$work/init/frames.c")" = 2 ]
behind "$work/init/main.c" '	pager_start();' 'failure_arm_pager();'
behind "$work/init/pager.c" '	pager_boot.space_frame = ' \
	'pager_boot.space_frame = (uint32_t)failure_number("failonce=");'
link init

# ---- the pager says when it refuses; it takes n for its start from a word that it has no use for ----
cp -r servers/pager "$work/pager"
sed -i '1i #include <server/print.h>' "$work/pager/frame_pool.c"
behind "$work/pager/frame_pool.c" '	frame_pool.failed++;' 'server_log("test: refused");'
behind "$work/pager/frame_pool.c" '	frame_pool_class = FRAMES_PAGER;' 'frame_pool.fail_at = boot->space_frame;'
flags="$flags -iquote servers/pager"
link pager
(cd "$work/root" && find . -type f | sed 's,^\./,,') > "$work/archive.list"
tools/mkarchive "$work/boot.cpio" "$work"

# trial KIND N: the machine with this word; its verdict goes to $work/N.
trial() {
	status=0
	BUILD=$work ARCHIVE=$work/boot.cpio APPEND="fail$1=$2" tools/run < /dev/null > "$work/output.$2" 2> "$work/errors.$2" ||
		status=$?
	last=$(tr -d '\r' < "$work/output.$2" | tail -n 1)
	verdict=wrong
	if ! grep -q 'test: refused' "$work/output.$2"; then
		[ $status != 0 ] || verdict=end
	elif [ $status = 0 ]; then
		verdict=on
	elif [ $status = 137 ] && grep -q 'true (process .*signal 9' "$work/output.$2" &&
		grep -q 'out of memory' "$work/output.$2"; then
		verdict=killed # the program, with a report
	elif [ $status = 1 ] && echo "$last" | grep -q 'memory'; then
		verdict=refused
	elif [ $status = 1 ] && echo "$last" | grep -q 'is essential: the machine ends' &&
		grep -q 'pager: panic: cannot start: .*memory\|server .* failed at .*: out of memory' "$work/output.$2"; then
		verdict=refused # while it started, with a report
	fi
	echo "$verdict status $status, last line: $last" > "$work/verdict.$2"
}

passed=0
failed=0
# all KIND: for n = 1, 2, ... until so many are not asked for; two machines at a time.
all() {
	n=1
	rm -f "$work"/verdict.*
	while ! grep -q '^end\|^wrong' "$work"/verdict.* 2> /dev/null; do
		trial "$1" $n &
		trial "$1" $((n + 1))
		wait
		n=$((n + 2))
	done
	count=$(cat "$work"/verdict.* | cut -d ' ' -f 1 | sort | uniq -c | tr -s ' \n' ' ')
	if grep '^wrong' "$work"/verdict.*; then
		echo "FAIL boot_$1:$count"
		failed=$((failed + 1))
	else
		echo "ok boot_$1:$count"
		passed=$((passed + 1))
	fi
}
for kind in ${KINDS:-frame once onward}; do
	all "$kind"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
