#!/bin/sh
# Writes the constants that assembly shares with C, as NASM %define lines.
#
# usage: tools/offsets.sh OUTPUT COMPILER FLAG...
#   tools/offsets.sh build/offsets.inc gcc -std=c17 -ffreestanding -Iinclude -Ikernel
#
# The flags are those of the kernel.  tools/offsets.c is compiled to assembly text, in which it leaves
# strings "-> NAME value".  OUTPUT appears complete or not at all.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu
if [ $# -lt 2 ]; then
	echo "usage: $0 OUTPUT COMPILER FLAG..." >&2
	exit 2
fi
output=$1
shift
source=$(dirname "$0")/offsets.c
trap 'rm -f "$output.s" "$output.new"' EXIT
"$@" -g0 -S -o "$output.s" "$source"
{
	echo "; Made by tools/offsets.sh from tools/offsets.c"
	sed -n 's/^[^"]*"-> \([A-Z0-9_]*\) \$\{0,1\}\(-\{0,1\}[0-9]*\)".*/%define \1 \2/p' "$output.s"
} > "$output.new"
if ! grep -q '^%define REGISTERS_SIZE ' "$output.new"; then
	echo "$0: no constants found in the compiler's output" >&2
	exit 1
fi
mv "$output.new" "$output"
