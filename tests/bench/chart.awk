# The rows as a chart (SVG): for each operation a bar of ours, and marks for the goal and for others, on a logarithmic scale.
#
# usage: awk -f chart.awk goals.tsv reference.tsv rows.tsv
#
# SPDX-License-Identifier: BSD-2-Clause
BEGIN {
	FS = "\t"
	left = 300; width = 620; height = 46; top = 70
	least = 1; decades = 9
	color["ours"] = "#2563a8"; color["goal"] = "#2f8f4e"; color["Linux"] = "#d97a1f"; color["seL4"] = "#8a5fb0"
}
function number(text) { return text ~ /^[0-9.]+$/ }
function place(value) { return left + width * (value < least ? 0 : log(value / least) / log(10) / decades) }
function escaped(text) { gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); return text }
function label(value,    text) {
	if (value < 1000) return value + 0
	for (value = int(value); value >= 1000; value = int(value / 1000))
		text = sprintf(",%03d", value % 1000) text
	return value text
}
function bar(y, thick, value, name) {
	if (!number(value)) return
	printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left, y, place(value) - left + 1, thick, color[name]
	printf "<text x=\"%.1f\" y=\"%d\" font-size=\"9\">%s</text>\n", place(value) + 4, y + thick, label(value)
}
/^#/ { next }
FILENAME ~ /goals/ { if ($1 !~ /\./ && $1 !~ /^T2[345]$/) order[++count] = $1; goal[$1] = $2; sel4[$1] = $4; what[$1] = $5; next }
FILENAME ~ /reference/ { tuned[$1] = $2; next }
{ mine[$1] = $2 }
END {
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", left + width + 70, top + count * height + 20
	print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
	print "<text x=\"10\" y=\"20\" font-size=\"15\">Instructions for one operation (logarithmic)</text>"
	split("ours goal Linux seL4", names, " ")
	for (i = 1; i <= 4; i++)
		printf "<rect x=\"%d\" y=\"30\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"41\">%s</text>\n", 10 + i * 90 - 90, color[names[i]], 27 + i * 90 - 90, names[i]
	for (d = 0; d <= decades; d++) {
		x = place(10 ^ d)
		printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ccc\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" font-size=\"10\">%d</text>\n", x, top - 6, x, top + count * height, x, top - 10, 10 ^ d
	}
	for (i = 1; i <= count; i++) {
		id = order[i]; y = top + (i - 1) * height
		g = goal[id] ~ /^x/ ? substr(goal[id], 2) * tuned[id] : goal[id]
		printf "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s</text><text x=\"44\" y=\"%d\" font-size=\"10\">%s</text>\n", y + 16, id, y + 16, escaped(substr(what[id], 1, 52))
		bar(y + 2, 11, mine[id], "ours")
		bar(y + 14, 7, g, "goal")
		bar(y + 23, 7, tuned[id], "Linux")
		bar(y + 32, 7, sel4[id], "seL4")
	}
	print "</svg>"
}
