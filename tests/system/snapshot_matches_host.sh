#!/bin/sh
# The main job gives the same output on Faultline as on this machine: the default text, and a second one.
#
# usage: [FILE=text] tests/system/snapshot_matches_host.sh
#
# programs/snapshot is compiled for this machine from the same sources (but for the report).  Compared is all that it
# prints to standard output, byte by byte; on Faultline that is everything from its first line on but the lines of the
# pager's report.  Without FILE the second text is this project's own source.  Outputs stay in build/host.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build/gcc}
output=build/host
program=$output/snapshot
second=${FILE:-}
unset FILE
mkdir -p $output

gcc -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o $program \
	programs/snapshot/main.c programs/snapshot/index.c programs/snapshot/text.c programs/snapshot/host/*.c

# guest_part FILE: what snapshot printed to standard output, out of all that the machine printed.
guest_part() {
	tr -d '\r' < "$1" | sed -n '/^text: /,/^snapshot: /p' | sed '/^pager: /d'
}

# compare NAME TEXT COMMAND GENERATIONS: TEXT on this machine, COMMAND on Faultline.
compare() {
	name=$1
	text=$2
	status=0
	"$program" "$text" $4 > "$output/$name.host"
	echo "$3" | TIMEOUT=${TIMEOUT:-120} tools/run > "$output/$name.console" || status=$?
	guest_part "$output/$name.console" > "$output/$name.guest"
	if [ "$status" != 0 ]; then
		echo "snapshot of the $name text ended with status $status:"
		tail -n 20 "$output/$name.console"
		exit 1
	fi
	if ! cmp "$output/$name.host" "$output/$name.guest"; then
		diff "$output/$name.host" "$output/$name.guest" | head -n 20
		exit 1
	fi
	echo "the $name text: $(wc -l < "$output/$name.host") lines are the same"
	grep '^pager: ' "$output/$name.console" || true
}

compare default "$build/root/text/default.txt" 'snapshot text/default.txt 6' 6
if [ -z "$second" ]; then
	second=$output/source.txt
	find kernel servers lib include -name '*.[ch]' | LC_ALL=C sort | xargs cat > "$second"
fi
FILE=$second
export FILE
compare second "$second" 'snapshot text/input.txt 3' 3
