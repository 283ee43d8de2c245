/*
 * Faults and exceptions in words.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "server/report.h"

#include "server/print.h"

/* The name of an exception. */
const char *vector_text(uint64_t vector)
{
	switch (vector) {
	case VECTOR_DIVIDE:
		return "divide error";
	case VECTOR_DEBUG:
		return "debug exception";
	case VECTOR_BREAKPOINT:
		return "breakpoint";
	case VECTOR_OVERFLOW:
		return "overflow";
	case VECTOR_BOUND:
		return "bound range exceeded";
	case VECTOR_INVALID_OPCODE:
		return "invalid instruction";
	case VECTOR_NO_FPU:
		return "floating point not available";
	case VECTOR_NO_SEGMENT:
		return "segment not present";
	case VECTOR_STACK:
		return "stack segment fault";
	case VECTOR_PROTECTION:
		return "protection violation (privileged instruction or malformed address)";
	case VECTOR_PAGE_FAULT:
		return "page fault";
	case VECTOR_FPU:
		return "floating-point error";
	case VECTOR_ALIGNMENT:
		return "alignment check";
	case VECTOR_MACHINE_CHECK:
		return "machine check";
	case VECTOR_SIMD:
		return "SIMD floating-point error";
	case VECTOR_FOREIGN_CALL:
		return "system call with an unknown number";
	default:
		return "unexpected exception";
	}
}

/* The kind of access that a page fault's error code names. */
const char *access_text(uint64_t error)
{
	if (error & FAULT_FETCH)
		return "execute";
	return error & FAULT_WRITE ? "write" : "read";
}

/* The pager's reason. */
const char *reason_text(uint64_t reason)
{
	switch (reason) {
	case REASON_NULL:
		return "null page, nothing is ever mapped there";
	case REASON_NO_REGION:
		return "nothing is mapped there";
	case REASON_GUARD:
		return "guard area";
	case REASON_STACK_LIMIT:
		return "the stack is at its limit";
	case REASON_PROTECTION:
		return "the region does not allow it";
	case REASON_PAST_END:
		return "beyond the end of the file";
	case REASON_NO_MEMORY:
		return "out of memory";
	case REASON_KERNEL:
		return "not an address of user programs";
	case REASON_MALFORMED:
		return "damaged page table";
	default:
		return "no reason given";
	}
}

/* See the header. */
void attempt_text(char *buffer, size_t capacity, uint64_t vector, uint64_t error, uint64_t address)
{
	if (vector == VECTOR_PAGE_FAULT)
		print_text(buffer, capacity, "%s of address 0x%lx", access_text(error), address);
	else if (error != 0)
		print_text(buffer, capacity, "%s, error code 0x%lx", vector_text(vector), error);
	else
		print_text(buffer, capacity, "%s", vector_text(vector));
}

/* See the header. */
void region_text(char *buffer, size_t capacity, const struct pager_region *region)
{
	print_text(buffer, capacity, "0x%lx-0x%lx %c%c%c %s%s%.16s", region->start, region->end,
		region->protection & MAP_READ ? 'r' : '-',
		region->protection & MAP_WRITE ? 'w' : '-',
		region->protection & MAP_EXEC ? 'x' : '-',
		region->protection & MAP_SHARED ? "shared" : "private",
		region->name[0] != '\0' ? " " : "", region->name);
}

/* See the header. */
_Bool registers_line(char *buffer, size_t capacity, const struct registers *r, unsigned index)
{
	switch (index) {
	case 0:
		print_text(buffer, capacity, "rip %016lx  rsp %016lx  rbp %016lx  rflags %08lx",
			r->rip, r->rsp, r->rbp, r->rflags);
		return 1;
	case 1:
		print_text(buffer, capacity, "rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx",
			r->rax, r->rbx, r->rcx, r->rdx);
		return 1;
	case 2:
		print_text(buffer, capacity, "rsi %016lx  rdi %016lx  r8  %016lx  r9  %016lx",
			r->rsi, r->rdi, r->r8, r->r9);
		return 1;
	case 3:
		print_text(buffer, capacity, "r10 %016lx  r11 %016lx  r12 %016lx  r13 %016lx",
			r->r10, r->r11, r->r12, r->r13);
		return 1;
	case 4:
		print_text(buffer, capacity, "r14 %016lx  r15 %016lx", r->r14, r->r15);
		return 1;
	default:
		return 0;
	}
}
