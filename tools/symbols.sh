#!/bin/sh
# Turns `nm -n` output into the kernel's table of function names (kernel/symbols.h).
#
# usage: nm -n KERNEL | tools/symbols.sh > symbols.c
#
# The kernel is linked twice, because the table holds addresses that only a link can tell:
#   1. tools/symbols.sh < /dev/null > build/symbols.0.c     an empty table; compile; link -> kernel.0
#   2. nm -n kernel.0 | tools/symbols.sh > build/symbols.1.c  the real table; compile; link -> kernel
# Functions do not move between the links: the table is read-only data, which lies behind all text.
# Compile it with the kernel's flags (it includes kernel/symbols.h by -Ikernel).
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
awk '
BEGIN {
	print "/* Made by tools/symbols.sh. */"
	print "#include \"symbols.h\""
	print ""
	print "const struct symbol symbol_table[] = {"
}
# Functions of the higher half; not local labels of assembly, nor bounds of sections.
$2 ~ /^[tT]$/ && $1 ~ /^ffffffff[89a-f]/ && $3 !~ /[.]/ && $3 !~ /^(vector_stub_[0-9]+|(text|kernel)_(start|end))$/ {
	printf "\t{ 0x%sull, \"%s\" },\n", $1, $3
	count++
}
END {
	if (!count)
		print "\t{ 0, \"\" },"
	print "};"
	print ""
	printf "const uint32_t symbol_count = %d;\n", count
}'
