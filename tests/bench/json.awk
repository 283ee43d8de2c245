# The rows as JSON: {"T1": {"insns": n, "entries": n, "cr3": n, "flushes": n, "linux": n}, ...}
#
# usage: awk -f json.awk goals.tsv reference.tsv rows.tsv
#
# SPDX-License-Identifier: BSD-2-Clause
BEGIN { FS = "\t"; print "{" }
function number(text) { return text ~ /^[0-9.-]+$/ && text != "-" ? text + 0 : "null" }
/^#/ { next }
FILENAME ~ /reference/ && /^T24/ { kept[++wall] = $1; ratio[$1] = $2; next }
FILENAME ~ /goals/ { goal[$1] = $2; stretch[$1] = $3; sel4[$1] = $4; next }
FILENAME ~ /reference/ { tuned[$1] = $2; stock[$1] = $3; next }
{
	goal_now = goal[$1] ~ /^x/ ? substr(goal[$1], 2) * tuned[$1] : goal[$1]
	stretch_now = stretch[$1] ~ /^x/ ? substr(stretch[$1], 2) * tuned[$1] : stretch[$1]
	printf "%s  \"%s\": {\"insns\": %s, \"entries\": %s, \"cr3\": %s, \"cr3_flushing\": %s, \"flushes\": %s, \"later\": %s, \"goal\": %s, \"stretch\": %s, \"linux\": %s, \"linux_stock\": %s, \"sel4\": %s}",
		separator, $1, number($2), number($3), number($4), number($5), number($6), number($9), number(goal_now),
		number(stretch_now), number(tuned[$1]), number(stock[$1]), number(sel4[$1])
	separator = ",\n"
}
END {
	for (i = 1; i <= wall; i++)
		printf "%s  \"%s\": {\"insns\": null, \"wall_ratio\": %s, \"goal\": %s, \"stretch\": %s}", separator, kept[i], ratio[kept[i]],
			goal[kept[i]], stretch[kept[i]]
	print "\n}"
}
