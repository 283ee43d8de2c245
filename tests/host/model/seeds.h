/*
 * Histories that failed once:
 *
 *	{ variant, seed, steps, the steps that matter or NULL, what it found },
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
{ PLENTY, 1, 5000,
	"access@1,message@5",
	"a message page showed what its frame held before: the pager did not clear it" },
{ LIMITED, 1, 5000,
	"access@258,access@271,map@324,fork@347,access@358,fork@385",
	"fork, refused half way, had taken W and did not flush the parent" },
{ SCARCE, 2, 5000,
	"access@314,fork@315,map@316,map@317,break@318,create@325,fork@330,"
	"map@331,access@336,access@339,map@340,fork@342,object-create@344,"
	"fork@351,access@355,map@363,slice@366,object-write@367,fork@368,"
	"access@375,fork@400,advise@405,map@407,map@412,access@413,destroy@415,"
	"access@416,slice@417,access@419,access@427,access@429,access@430,"
	"map@433,fork@434,access@436,access@441,access@444,access@445,"
	"object-write@447,fork@454,outside@455,message@458,access@461,access@462,"
	"access@464,access@465,destroy@466,map-file@470,map@473,map@481,"
	"access@489,fork@492,access@495,slice@505,access@506,access@508,"
	"access@509,access@532,access@533,outside@534,map@542,fork@544,"
	"access@1135,access@1136,access@1137,object-write@1143,access@1163,"
	"access@1167,message@1168,object-write@1170,access@1171",
	"PAGER_SETTLE was never answered when the faults that waited were all refused" },
