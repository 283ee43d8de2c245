# The table for people: rows beside goals and the figures of others.
#
# usage: awk -f table.awk goals.tsv reference.tsv rows.tsv
#
# SPDX-License-Identifier: BSD-2-Clause
BEGIN { FS = "\t" }

function number(text) { return text ~ /^[0-9.]+$/ }

# As whole as it can be: 1234, 34.6, 5.12
function shown(text) {
	if (!number(text)) return "-"
	if (text > 0 && text < 0.1) return sprintf("%.3f", text)
	return sprintf(text >= 1000 || text == int(text) ? "%d" : text >= 100 ? "%.0f" : text >= 10 ? "%.1f" : "%.2f", text + (text >= 100 ? 0.5 * (text != int(text)) : 0))
}

function ratio(mine, theirs) { return number(mine) && number(theirs) && theirs > 0 ? sprintf("%.3f", mine / theirs) : "-" }

# A goal is a number, or a part of what Linux takes.
function limit(text, linux) {
	if (text !~ /^x/) return text
	return number(linux) ? substr(text, 2) * linux : "-"
}

function verdict(mine, goal, stretch) {
	if (!number(mine)) return "absent"
	if (!number(goal)) return ""
	if (mine > goal + (goal == 0 ? 0.005 : 0)) return "no"
	return number(stretch) && mine <= stretch + (stretch == 0 ? 0.005 : 0) ? "STRETCH" : "yes"
}

/^#/ { if (FILENAME ~ /reference/ && /^# run: /) said = substr($0, 8); next }
FILENAME ~ /goals/ { order[++count] = $1; goal[$1] = $2; stretch[$1] = $3; sel4[$1] = $4; what[$1] = $5; next }
FILENAME ~ /reference/ && /^T24/ { mine[$1] = $2; next }
FILENAME ~ /reference/ { tuned[$1] = $2; stock[$1] = $3; next }
{ mine[$1] = $2; entries[$1] = $3; cr3[$1] = $4; flushes[$1] = $6; left[$1] = $9 }

END {
	print "Linux: " (said ? said : "not measured")
	line = "%-16s %9s %7s %6s %6s  %8s %8s %-8s %10s %10s %6s %9s  %s\n"
	printf line, "", "insns", "entries", "CR3", "flush", "goal", "stretch", "met", "Linux", "stock", "ratio", "seL4", ""
	for (i = 1; i <= count; i++) {
		id = order[i]
		if (!(id in mine)) mine[id] = "!not run"
		g = limit(goal[id], tuned[id]); s = limit(stretch[id], tuned[id])
		mark = verdict(mine[id], g, s)
		if (mark == "yes" || mark == "STRETCH") met++
		if (mark != "") wanted++
		if (mark == "STRETCH") far++
		text = what[id]
		if (mine[id] ~ /^!/) { text = text " (" substr(mine[id], 2) ")"; mine[id] = "-" }
		if (number(left[id]) && left[id] >= 1) text = text " (and " shown(left[id]) " later)"
		printf line, id, shown(mine[id]), shown(entries[id]), shown(cr3[id]), shown(flushes[id]), shown(g), shown(s), mark,
			shown(tuned[id]), shown(stock[id]), ratio(mine[id], tuned[id]), shown(sel4[id]), text
	}
	print "Linux by other ways: T1 by pipe " shown(tuned["T1.pipe"]) ", by futex " shown(tuned["T1.futex"]) \
		"; with a pager in user space (userfaultfd) T2 " shown(tuned["T2.uffd"]) ", T3 " shown(tuned["T3.uffd"])
	printf "%d of %d rows with a goal meet it, %d the stretch figure, too\n", met, wanted, far
}
