# The curves as charts (SVG), a panel for each kind of operation and what it grows with; both scales logarithmic.
#
# usage: awk -f chart.awk growth.tsv
#
# SPDX-License-Identifier: BSD-2-Clause
BEGIN {
	FS = "\t"
	split("#2563a8 #d97a1f #2f8f4e #8a5fb0 #b03a48", colors, " ")
	columns = 3; wide = 320; high = 230; margin = 46
}
function digits(value) { return log(value < 1 ? 1 : value) / log(10) }
function short(value) { return value >= 1e6 ? value / 1e6 "M" : value >= 1000 ? value / 1000 "k" : value }
{
	# fork.resident-MiB and exit.resident-MiB share a panel.
	panel = $1; sub(/^[a-z]*\./, "", panel)
	if ($1 ~ /^memory/) panel = "MiB mapped: frames in use"
	if ($1 ~ /^message\.(handles|threads)/) panel = "messages: handles, threads"
	curve = $1
	if (!(panel in number)) { number[panel] = ++panels; title[panels] = panel }
	if (!(curve in belongs)) { belongs[curve] = number[panel]; names[++curves] = curve }
	n = ++points[curve]; x[curve, n] = $2; y[curve, n] = $3
	p = number[panel]
	if ($2 > most_x[p]) most_x[p] = $2
	if ($3 > most_y[p]) most_y[p] = $3
}
function place_x(p, value) { return ox + margin + (wide - margin - 12) * (scale_x ? digits(value) / scale_x : 0) }
function place_y(p, value) { return oy + high - 30 - (high - 78) * (scale_y ? digits(value) / scale_y : 0) }
END {
	rows = int((panels + columns - 1) / columns)
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"10\">\n", columns * wide + 10, rows * high + 34
	print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
	print "<text x=\"10\" y=\"20\" font-size=\"15\">Instructions for one operation, as the machine fills up (both scales logarithmic)</text>"
	for (p = 1; p <= panels; p++) {
		ox = ((p - 1) % columns) * wide; oy = int((p - 1) / columns) * high + 30
		scale_x = int(digits(most_x[p]) + 0.999); scale_y = int(digits(most_y[p]) + 0.999)
		if (scale_x < 1) scale_x = 1
		if (scale_y < 1) scale_y = 1
		printf "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", ox + margin, oy + 14, title[p]
		for (d = 0; d <= scale_y; d++)
			printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", ox + margin, ox + wide - 12, place_y(p, 10 ^ d), place_y(p, 10 ^ d), ox + margin - 4, place_y(p, 10 ^ d) + 3, short(10 ^ d)
		for (d = 0; d <= scale_x; d++)
			printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", place_x(p, 10 ^ d), oy + high - 16, short(10 ^ d)
		shown = 0
		for (c = 1; c <= curves; c++) {
			curve = names[c]
			if (belongs[curve] != p) continue
			color = colors[shown % 5 + 1]; line = ""
			for (n = 1; n <= points[curve]; n++) {
				line = line sprintf("%.1f,%.1f ", place_x(p, x[curve, n]), place_y(p, y[curve, n]))
				printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", place_x(p, x[curve, n]), place_y(p, y[curve, n]), color
			}
			printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", line, color
			label = curve; sub(/\.(resident-MiB|sparse-GiB|regions|shared-pages|private-MiB|processes)$/, "", label); sub(/^memory\./, "", label); sub(/-MiB$/, "", label)
			printf "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", ox + margin + (shown % 3) * 92, oy + 28 + int(shown / 3) * 11, color, label
			shown++
		}
	}
	print "</svg>"
}
