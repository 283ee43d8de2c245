/*
 * Constants for the assembly files: field offsets, selectors, vectors, page-table bits, layout.
 *
 * Compiled to assembly text, never linked.  Each line leaves a string "-> NAME value" in it, which
 * tools/offsets.sh turns into a line for NASM.  So no offset is written by hand.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "entry.h"
#include "fault.h"
#include "ipc.h"
#include "percpu.h"
#include "thread.h"
#include <faultline/call.h>
#include <faultline/fault.h>
#include <faultline/frame.h>
#include <faultline/layout.h>
#include <machine/cpu.h>
#include <machine/selectors.h>

#define CONSTANT(name, value) \
	__asm__ volatile(".ascii \"-> " #name " %0\"" : : "i"((int64_t)(value)))
#define VALUE(name) \
	__asm__ volatile(".ascii \"-> " #name " %0\"" : : "i"((int64_t)(name)))
#define THREAD(NAME, field) CONSTANT(THREAD_##NAME, offsetof(struct thread, field))
#define REGISTER(NAME, field) CONSTANT(REGISTERS_##NAME, offsetof(struct registers, field))

void offsets_registers(void);
void offsets_objects(void);
void offsets_fast(void);
void offsets_machine(void);
void offsets_vectors(void);

void offsets_registers(void)
{
	REGISTER(R15, r15);
	REGISTER(R14, r14);
	REGISTER(R13, r13);
	REGISTER(R12, r12);
	REGISTER(RBP, rbp);
	REGISTER(RBX, rbx);
	REGISTER(R11, r11);
	REGISTER(R10, r10);
	REGISTER(R9, r9);
	REGISTER(R8, r8);
	REGISTER(RCX, rcx);
	REGISTER(RDX, rdx);
	REGISTER(RSI, rsi);
	REGISTER(RDI, rdi);
	REGISTER(RAX, rax);
	REGISTER(VECTOR, vector);
	REGISTER(ERROR, error);
	REGISTER(RIP, rip);
	REGISTER(CS, cs);
	REGISTER(RFLAGS, rflags);
	REGISTER(RSP, rsp);
	REGISTER(SS, ss);
	CONSTANT(REGISTERS_SIZE, sizeof(struct registers));
}

void offsets_objects(void)
{
	CONSTANT(PERCPU_SELF, offsetof(struct percpu, self));
	CONSTANT(PERCPU_KERNEL_STACK, offsetof(struct percpu, kernel_stack));
	CONSTANT(PERCPU_USER_STACK, offsetof(struct percpu, user_stack));
	CONSTANT(PERCPU_CURRENT, offsetof(struct percpu, current));
	CONSTANT(PERCPU_SPACE, offsetof(struct percpu, space));
	CONSTANT(PERCPU_FPU_OWNER, offsetof(struct percpu, fpu_owner));
	CONSTANT(PERCPU_KERNEL_CR3, offsetof(struct percpu, kernel_cr3));
	CONSTANT(PERCPU_TSS, offsetof(struct percpu, tss));
	CONSTANT(PERCPU_TSS_RSP0, offsetof(struct percpu, tss) + offsetof(struct tss, rsp0));
	CONSTANT(PERCPU_FPU_BLOCKED, offsetof(struct percpu, fpu_blocked));
	CONSTANT(THREAD_REGISTERS, offsetof(struct thread, registers));
	THREAD(FS_BASE, fs_base);
	THREAD(GS_BASE, gs_base);
	THREAD(SPACE, space);
	THREAD(LINK, link);
	THREAD(STATE, state);
	THREAD(WAIT, wait);
	THREAD(PRIORITY, priority);
	THREAD(EFFECTIVE, effective);
	THREAD(REPLY_SLOT, reply_slot);
	THREAD(PORT, port);
	THREAD(BADGE, badge);
	THREAD(TOKEN, token);
	THREAD(FAULT_ADDRESS, fault_address);
	THREAD(FAULT_PORT, fault_port);
	THREAD(SLICE, slice);
	THREAD(RECEIVE_PORT, receive_port);
	THREAD(RECEIVE_REQUEST, receive_request);
	THREAD(RECEIVE_LOOKED_AT, receive_looked_at);
	VALUE(THREAD_FPU_OFFSET);
	VALUE(THREAD_READY);
	VALUE(THREAD_SERVED);
	VALUE(THREAD_RECEIVING);
	VALUE(WAIT_CALL);
	VALUE(WAIT_FAULT);
	CONSTANT(SPACE_TOP, offsetof(struct space, top));
	CONSTANT(SPACE_FLAGS, offsetof(struct space, flags));
	CONSTANT(SPACE_POOL, offsetof(struct space, pool));
	CONSTANT(SPACE_CR3, offsetof(struct space, cr3));
	CONSTANT(SPACE_CR3_GENERATION, offsetof(struct space, cr3_generation));
	CONSTANT(SPACE_LOOKED_AT, offsetof(struct space, looked_at));
	CONSTANT(SPACE_HANDLES, offsetof(struct space, handles));
	VALUE(SPACE_FPU_NONE);
	CONSTANT(HANDLE_PFN, offsetof(struct handle, pfn));
	CONSTANT(HANDLE_RIGHTS, offsetof(struct handle, rights));
	CONSTANT(HANDLE_BADGE, offsetof(struct handle, badge));
	CONSTANT(REF_PFN, offsetof(struct object_ref, pfn));
	CONSTANT(REF_BADGE, offsetof(struct object_ref, badge));
	CONSTANT(REF_LOOKED_AT, offsetof(struct object_ref, looked_at));
	CONSTANT(PORT_NOTIFICATION, offsetof(struct port, notification));
	CONSTANT(PORT_QUEUED, offsetof(struct port, queued_priorities));
	CONSTANT(PORT_SERVED, offsetof(struct port, served));
	CONSTANT(PORT_CANCELS, offsetof(struct port, cancels));
	CONSTANT(PORT_RECEIVERS, offsetof(struct port, receivers));
	_Static_assert(sizeof(struct handle) == 24, "as PORT_OF_HANDLE has it");
	_Static_assert(offsetof(struct thread, wait) == offsetof(struct thread, state) + 1,
		"as HAND_OVER stores both");
}

#define COUNTER(NAME, field) CONSTANT(COUNTERS_##NAME, offsetof(struct info_counters, field))

void offsets_fast(void)
{
	COUNTER(CR3_LOADS, cr3_loads);
	COUNTER(OPERATIONS, operations);
	CONSTANT(FAST_CALLS, offsetof(struct fast_counters, calls));
	CONSTANT(FAST_REPLIES, offsetof(struct fast_counters, replies));
	CONSTANT(FAST_FAULTS, offsetof(struct fast_counters, faults));
	CONSTANT(FAST_CLEARED, offsetof(struct fast_counters, cleared));
	CONSTANT(FAST_COPIED, offsetof(struct fast_counters, copied));
	VALUE(CALL_CALL);
	VALUE(HANDLE_SLOTS);
	VALUE(RIGHT_SEND);
	VALUE(RIGHT_RECEIVE);
	VALUE(TAG_BYTES_SHIFT);
	VALUE(TAG_OPS_SHIFT);
	VALUE(RR_SLOT_SHIFT);
	VALUE(TOKEN_NEXT);
	VALUE(FAULT_BITS);
	VALUE(FAULT_REFUSE);
	CONSTANT(FAULT_AT_LEAF, 1u << FAULT_LEVEL_SHIFT | LAYOUT_LEVELS << FAULT_LEVELS_SHIFT);
	CONSTANT(FAULT_TAG, LABEL_FAULT | TAG_KERNEL);
	CONSTANT(WALK_FRAME_MASK, ((1ull << FRAME_NUMBER_BITS) - 1) << PAGE_SHIFT);
	CONSTANT(OP_FORM, 0xffu | OP_HEAD_RARE);
	CONSTANT(ENTRY_FORM, ~ENTRY_LEAF | PTE_P);
	VALUE(OP_SET);
	VALUE(OP_ZERO);
	VALUE(OP_COPY_FRAME);
	VALUE(OP_PFN_SHIFT);
	VALUE(OP_INDEX_SHIFT);
	VALUE(OP_COUNT_SHIFT);
	CONSTANT(FRAME_REFS, offsetof(struct frame, refs));
	CONSTANT(FRAME_LIVE, offsetof(struct frame, live));
	CONSTANT(FRAME_TYPE, offsetof(struct frame, type));
	CONSTANT(FRAME_FLAGS, offsetof(struct frame, flags));
	CONSTANT(FRAME_POOL, offsetof(struct frame, pool));
	CONSTANT(FRAME_EPOCH, offsetof(struct frame, epoch));
	VALUE(FRAME_NONE);
	VALUE(FRAME_DATA);
	VALUE(FRAME_ZERO);
	VALUE(FRAME_L1);
	VALUE(FRAME_DIRTY);
	VALUE(FRAME_BLANK);
	VALUE(LAYOUT_FRAME_TABLE);
	VALUE(PTE_D);
	VALUE(CR0_TS);
	CONSTANT(FRAME_SHIFT, 4);
	_Static_assert(sizeof(struct frame) == 1 << 4, "FRAME_SHIFT");
}

void offsets_machine(void)
{
	VALUE(SELECTOR_KERNEL_CODE);
	VALUE(SELECTOR_KERNEL_DATA);
	VALUE(SELECTOR_USER_CODE);
	VALUE(SELECTOR_USER_DATA);
	VALUE(SELECTOR_TSS);
	CONSTANT(PANIC_STACK_END, (STACK_PANIC + 1) * sizeof(struct kernel_stack));
	CONSTANT(KERNEL_STACK_TOP, sizeof(struct kernel_stack)); /* of the first stack */
	VALUE(PAGE_SIZE);
	VALUE(PAGE_SHIFT);
	VALUE(TABLE_ENTRIES);
	VALUE(PTE_P);
	VALUE(PTE_W);
	VALUE(PTE_U);
	VALUE(PTE_PS);
	VALUE(PTE_NX);
	VALUE(LAYOUT_DIRECT_MAP);
	VALUE(LAYOUT_DIRECT_FIRST_SLOT);
	VALUE(LAYOUT_KERNEL_SLOT);
	VALUE(LAYOUT_KERNEL);
	VALUE(LAYOUT_USER_END);
}

void offsets_vectors(void)
{
	VALUE(CALL_REPLY_RECEIVE);
	VALUE(VECTOR_DIVIDE);
	VALUE(VECTOR_DEBUG);
	VALUE(VECTOR_NMI);
	VALUE(VECTOR_BREAKPOINT);
	VALUE(VECTOR_OVERFLOW);
	VALUE(VECTOR_BOUND);
	VALUE(VECTOR_INVALID_OPCODE);
	VALUE(VECTOR_NO_FPU);
	VALUE(VECTOR_DOUBLE_FAULT);
	VALUE(VECTOR_INVALID_TSS);
	VALUE(VECTOR_NO_SEGMENT);
	VALUE(VECTOR_STACK);
	VALUE(VECTOR_PROTECTION);
	VALUE(VECTOR_PAGE_FAULT);
	VALUE(VECTOR_FPU);
	VALUE(VECTOR_ALIGNMENT);
	VALUE(VECTOR_MACHINE_CHECK);
	VALUE(VECTOR_SIMD);
	VALUE(VECTOR_IRQ);
	VALUE(VECTOR_TIMER);
	VALUE(VECTOR_SYSCALL);
	VALUE(VECTOR_FOREIGN_CALL);
}
