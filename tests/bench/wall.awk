# T24: medians by the wall clock, ours as a part of those of Linux, as rows.  (The counter then runs with the host's clock, at
# the same pace for both.)
#
# usage: awk -f wall.awk LINUX-LOG OUR-LOG...
#
# SPDX-License-Identifier: BSD-2-Clause
$1 != "BENCH" { next }
FILENAME == ARGV[1] { linux[$2] = $3; next }
{ mine[$2] = $3 }
function row(name, ours, theirs) {
	if ((ours in mine) && (theirs in linux))
		printf "T24.%s\t%.4f\t-\t-\t-\t-\t-\t-\t-\n", name, mine[ours] / linux[theirs]
}
END { row("T1", "T1", "T1"); row("T2", "T2", "T2.uffd"); row("T5", "T5", "T5"); row("fork", "T7.64MiB", "T7.64MiB") }
