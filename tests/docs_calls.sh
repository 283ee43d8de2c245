#!/bin/sh
# Compares docs/calls.md with the source.  Status 0: they agree.
#
#   1. every call of CALL_LIST and every operation of the OP_ enumeration has a heading with its number, and
#      there is no other
#   2. every status that a handler can return has a row below that heading: what the handler's function names, and
#      what functions named in it do that return a status_t (or, in its own file, are static), and so on.
#      `never STATUS` in a row says, with the reason, that the handler cannot return it after all
#   3. every row (but those marked untested) is in tests/guest/kernel/coverage.h, and the other way round: so
#      that a test has to produce it
#
# usage: tests/docs_calls.sh [-v]     -v: also print what each handler can return
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
document=docs/calls.md

# complain TEXT FILE: every line of the file is something missing.
complain() {
	[ -s "$2" ] || return 0
	sed "s|^|$document: $1: |" "$2"
	failed=1
}

# ---- names and numbers ----
sed -n 's/^[[:space:]]*X(\([A-Z_]*\), \([0-9]*\), \(call_[a-z_]*\)).*/CALL_\1 \2 \3/p' include/faultline/call.h > "$work/calls"
awk '
	{ text = text $0 "\n" }
	END {
		while (begin = index(text, "/*")) {
			rest = substr(text, begin + 2)
			text = substr(text, 1, begin - 1) substr(rest, index(rest, "*/") + 2)
		}
		text = substr(text, match(text, /OP_NOP,/))
		while (match(text, /OP_[A-Z_]+/)) {
			name = substr(text, RSTART, RLENGTH)
			if (name == "OP_COUNT")
				exit
			print name, number++
			text = substr(text, RSTART + RLENGTH)
		}
	}' include/faultline/op.h > "$work/operations"
if ! [ -s "$work/calls" ] || ! [ -s "$work/operations" ]; then
	echo "no calls or operations found in include/faultline"
	exit 1
fi
{ cut -d' ' -f1,2 "$work/calls"; cat "$work/operations"; } | sort > "$work/names"
sed -n -e 's/^## \([A-Z_]*\) (\([0-9]*\))$/CALL_\1 \2/p' -e 's/^### \(OP_[A-Z_]*\) (\([0-9]*\))$/\1 \2/p' "$document" |
	sort > "$work/headings"
comm -23 "$work/names" "$work/headings" > "$work/missing"
comm -13 "$work/names" "$work/headings" > "$work/surplus"
complain "no heading for" "$work/missing"
complain "heading of something that does not exist" "$work/surplus"

# ---- rows of the document: NAME STATUS, with the marks untested and never ----
awk '
	/^# / { name = "" }
	/^## [A-Z_]+ \([0-9]+\)$/ { name = "CALL_" $2 }
	/^### OP_[A-Z_]+ \([0-9]+\)$/ { name = $2 }
	name && /^\| [A-Z_]+ \|/ { print name, $2, "tested" }
	name && /^\| [A-Z_]+ \(untested\) \|/ { print name, $2, "untested" }
	name && /^\| never [A-Z_]+ \|/ { print name, $3, "never" }
' "$document" | sort -u > "$work/rows"

# ---- rows of coverage.h ----
awk '
	/define COVERAGE_CALLS/ { prefix = "CALL_" }
	/define COVERAGE_OPERATIONS/ { prefix = "OP_" }
	prefix { while (match($0, /X\([A-Z_]+, [A-Z_]+\)/)) {
		split(substr($0, RSTART + 2, RLENGTH - 3), part, /, /)
		print prefix part[1], part[2]
		$0 = substr($0, RSTART + RLENGTH)
	} }' tests/guest/kernel/coverage.h | sort -u > "$work/covered"
sed -n 's/ tested$//p' "$work/rows" | sort -u > "$work/tested"
comm -23 "$work/tested" "$work/covered" > "$work/missing"
comm -13 "$work/tested" "$work/covered" > "$work/surplus"
complain "not in tests/guest/kernel/coverage.h" "$work/missing"
complain "in tests/guest/kernel/coverage.h, but no row" "$work/surplus"

# ---- handlers: of calls by CALL_LIST, of operations by the two tables of the kernel ----
{
	awk '{ print $1, $3 }' "$work/calls"
	sed -n 's/^[[:space:]]*\[\(OP_[A-Z_]*\)\( - OP_OF_OBJECTS\)*\] = { \([a-z_]*\),.*/\1 \3/p' \
		kernel/batch.c kernel/object_ops.c
} > "$work/handlers"
cut -d' ' -f1 "$work/handlers" | sort > "$work/handled"
cut -d' ' -f1 "$work/names" | sort > "$work/all"
comm -13 "$work/handled" "$work/all" > "$work/missing"
complain "no handler found in the kernel for" "$work/missing"

# ---- what each handler can return ----
# A function begins with a line at the left margin that ends in ")" (or goes on) before a line "{".
# The interpreter of operations is a border: CALL handlers pass on what operations return.
awk -v border=batch_run '
	FNR == 1 { current = ""; head = "" }
	/^[a-z_].*\(/ && !/;[[:space:]]*$/ && !/^#/ { head = $0; head_file = FILENAME; next_is_body = 1; if (/\{[[:space:]]*$/) start() ; next }
	head != "" && current == "" && /^[[:space:]]+[^{]*\)[[:space:]]*$/ { next }
	/^\{/ && head != "" { start(); next }
	/^\}/ { current = ""; head = ""; next }
	current != "" { body[current] = body[current] " " $0 }
	# `head` is the first line of a definition; its body begins.
	function start(   name, before, is_static) {
		name = head
		gsub(/__attribute__\(\([a-z_]*\)\) ?/, "", name)
		sub(/\(.*/, "", name)
		before = name
		sub(/.*[ *]/, "", name)
		if (before ~ /^(typedef|struct [a-z_]+ \{|enum)/) { head = ""; return }
		is_static = before ~ /(^| )static( |$)/ && head_file ~ /\.c$/
		current = is_static ? head_file ":" name : name
		returns_status[current] = before ~ /status_t/
		file_of[current] = head_file
		defined[current] = 1
		head = ""
	}
	END {
		while ((getline line < handlers) > 0) {
			split(line, part, " ")
			delete seen
			delete found
			walk(resolve(part[2], ""), 1)
			for (status in found) print part[1], status
		}
	}
	function resolve(name, file) {
		if ((file ":" name) in defined) return file ":" name
		if (name in defined) return name
		for (key in defined) if (file == "" && key ~ (":" name "$")) return key
		return ""
	}
	function walk(key, top,    text, name, callee) {
		if (key == "" || key in seen) return
		seen[key] = 1
		if (key ~ (border "$")) return
		text = body[key]
		while (match(text, /[A-Za-z_][A-Za-z_0-9]*/)) {
			name = substr(text, RSTART, RLENGTH)
			text = substr(text, RSTART + RLENGTH)
			if (name ~ /^ST_[A-Z_]+$/) found[substr(name, 4)] = 1
			else {
				callee = resolve(name, file_of[key])
				if (callee != "" && (returns_status[callee] || callee ~ /:/)) {
					# walk() overwrites text: keep it on a stack
					stack[++depth] = text
					walk(callee, 0)
					text = stack[depth--]
				}
			}
		}
	}
' handlers="$work/handlers" kernel/*.c kernel/*.h | sort -u > "$work/returned"
[ "$(cut -d' ' -f1 "$work/returned" | sort -u | wc -l)" -gt 40 ] || { echo "handlers could not be read"; exit 1; }
[ "${1:-}" != -v ] || cat "$work/returned"
cut -d' ' -f1,2 "$work/rows" | sort -u > "$work/known"
comm -23 "$work/returned" "$work/known" > "$work/missing"
complain "no row for a status that the source can return" "$work/missing"

if [ $failed = 0 ]; then
	echo "docs/calls.md: $(wc -l < "$work/names") calls and operations, $(wc -l < "$work/tested") statuses, all as in the source"
fi
exit $failed
