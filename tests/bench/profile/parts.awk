# Sums "owner symbol count" up by what the instructions are for, for one of `parts` operations of the row:
# row <tab> program <tab> entry <tab> exit <tab> short paths <tab> rest of the kernel <tab> pager <tab> other servers.
#
# SPDX-License-Identifier: BSD-2-Clause

# Entry and exit of fast.asm end and begin at labels made for this; entry.asm is entry and exit alone.
function kernel_part(symbol) {
	if (symbol ~ /\.leave(_fault)?$/ || symbol ~ /^(sched_resume|sched_resume_next|sched_resume_thread|interrupt_return)$/)
		return "exit"
	if (symbol ~ /^(fast_syscall_entry|fast_call|fast_reply_receive|fast_page_fault|syscall_entry|syscall_generic)$/ ||
	    symbol ~ /^(call_generic|trap_generic|vector_)/)
		return "entry"
	return symbol ~ /^(fast_|\.\.@|ipc_fast_|plain_)/ ? "short" : "rest"
}

{ sum[$1 == "kernel" ? kernel_part($2) : $1 == "pager" ? "pager" : $1 ~ /^(bench|kernelbench|tiny)$/ ? "program" : "servers"] += $3 }

END {
	count = split("program entry exit short rest pager servers", names, " ")
	line = row
	for (i = 1; i <= count; i++)
		line = line sprintf("\t%.0f", sum[names[i]] / parts)
	print line
}
