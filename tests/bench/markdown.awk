# The table for the documents: rows beside goals and the figures of others, in Markdown.
#
# usage: awk -f markdown.awk goals.tsv reference.tsv rows.tsv
#
# SPDX-License-Identifier: BSD-2-Clause
BEGIN { FS = "\t" }
function number(text) { return text ~ /^[0-9.]+$/ }
function grouped(value,    text) {
	for (value = int(value + 0.5); value >= 1000; value = int(value / 1000))
		text = sprintf(",%03d", value % 1000) text
	return value text
}
function shown(text) {
	if (!number(text)) return "-"
	if (text >= 100 || text == int(text)) return grouped(text)
	return sprintf(text >= 10 ? "%.1f" : text >= 0.1 ? "%.2f" : "%.3f", text)
}
function ratio(mine, theirs) {
	if (!number(mine) || !number(theirs) || theirs == 0) return "-"
	return sprintf("%.3f", mine / theirs)
}
function limit(text, linux) { return text !~ /^x/ ? text : number(linux) ? substr(text, 2) * linux : "-" }
function is_met(mine, goal) { return number(mine) && number(goal) && mine <= goal + (goal == 0 ? 0.005 : 0) }

/^#/ { next }
FILENAME ~ /goals/ { order[++count] = $1; goal[$1] = $2; stretch[$1] = $3; sel4[$1] = $4; what[$1] = $5; next }
FILENAME ~ /reference/ && /^T24/ { mine[$1] = $2; next }
FILENAME ~ /reference/ { tuned[$1] = $2; stock[$1] = $3; next }
{ mine[$1] = $2; entries[$1] = $3; cr3[$1] = $4; flushes[$1] = $6 }

END {
	print "| row | operation | instructions | entries | CR3 | flushes | goal | stretch | met | Linux | stock | ours / Linux | seL4 |"
	print "|---|---|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|"
	for (i = 1; i <= count; i++) {
		id = order[i]; g = limit(goal[id], tuned[id]); s = limit(stretch[id], tuned[id])
		text = what[id]; sub(/^ +/, "", text)
		if (mine[id] ~ /^!/) text = text " (" substr(mine[id], 2) ")"
		met = !number(g) ? "" : is_met(mine[id], s) ? "stretch" : is_met(mine[id], g) ? "yes" : number(mine[id]) ? "no" : "absent"
		printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", id, text, shown(mine[id]), shown(entries[id]), shown(cr3[id]),
			shown(flushes[id]), shown(g), shown(s), met, shown(tuned[id]), shown(stock[id]),
			ratio(mine[id], tuned[id]), shown(sel4[id])
	}
}
