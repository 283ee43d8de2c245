# The lines of the benchmark as rows: name, instructions, entries, CR3 loads, flushing ones, flushes, least, most, left.
# Adds T7 and T10 (the largest size), their slopes, T9 (the largest), T23 and T25.
#
# usage: awk -f rows.awk LOG...         (LOG of QEMU first; logs whose names end in bochs.log, small.log, large.log are
#                                        those of other machines)
#
# SPDX-License-Identifier: BSD-2-Clause
function row(name, text) {
	if (!(name in rows))
		order[++count] = name
	rows[name] = text
}

# From the smallest size to the largest one; what becomes less has the slope 0.
function grow(id,    size, least, most, low, high, slope) {
	for (name in rows) {
		if (name !~ "^" id "\\.[0-9]+MiB$")
			continue
		size = substr(name, length(id) + 2) + 0
		if (!least || size < least) least = size
		if (size > most) most = size
	}
	if (!most)
		return
	row(id, rows[id "." most "MiB"])
	delete rows[id "." most "MiB"]
	if (least == most || id == "T9")
		return
	split(rows[id], high, "\t")
	split(rows[id "." least "MiB"], low, "\t")
	slope = (high[1] - low[1]) / (most - least)
	row(id ".slope", sprintf("%.2f\t-\t-\t-\t-\t-\t-\t-", slope > 0 ? slope : 0))
}

FILENAME ~ /bochs\.log$/ {
	# Of a series the first few may flush: that is the warm-up.
	if ($1 == "BENCH" && $2 ~ /^T([1-6]|1\.server|[23]\.kernel)$/ && $6 > flushing) flushing = $6
	bochs = 1
	next
}
FILENAME ~ /(small|large)\.log$/ {
	if ($1 == "VALUE" && $2 == "frames") ram[FILENAME ~ /small/] = $3
	if ($1 == "VALUE" && $2 == "free") free[FILENAME ~ /small/] = $3
	next
}
$1 == "BENCH" { row($2, $3 "\t" $4 "\t" $5 "\t" $6 "\t" $7 "\t" $8 "\t" $9 "\t" $10) }
$1 == "VALUE" && $2 !~ /^(frames|free)$/ { row($2, $3 "\t-\t-\t-\t-\t-\t-\t-") }
$1 == "SKIP" { name = $2; sub(/^SKIP [^ ]* /, ""); row(name, "!" $0 "\t-\t-\t-\t-\t-\t-\t-") }

END {
	grow("T7"); grow("T9"); grow("T10")
	if (ram[0] > ram[1])
		row("T23", sprintf("%.1f\t-\t-\t-\t-\t-\t-\t-", 4096 * (1 - (free[0] - free[1]) / (ram[0] - ram[1]))))
	if (bochs)
		row("T25", flushing + 0 "\t-\t-\t-\t-\t-\t-\t-")
	for (i = 1; i <= count; i++)
		if (order[i] in rows)
			print order[i] "\t" rows[order[i]]
}
