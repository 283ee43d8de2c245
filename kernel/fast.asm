; The short paths of messages (ipc_fast.c), in assembly.
;
; What ipc_fast.c says in C is done here without storing what need not be stored: a sender's words
; stay in the registers in which the receiver wants them, and a thread that waits keeps only what it
; will want back.  Measured by T1: 265 instructions, 400 by the C.
;
; The rule is that of ipc_fast.c: everything is asked first; `.generic` finds all registers as they
; were at the entry and nothing else changed, and takes the way of entry.asm.  A page that a cure
; clears or copies may be written by then; it is written again.
;
; Labels that nothing jumps to, `.entered` and `.leave`, are for profiles (tests/bench/profile): what
; lies before and behind them is entry and exit.
;
; Registers, all three:
;   rbp   the thread that entered          r14   the thread that will run
;   rbx   the port                         r15   the space of that thread (from MAY_RUN on)
;   rdx r10 r8 r9 r12 r13   the words, never touched by what both share
;   rax rcx r11             scratch
;
; Processors without FSGSBASE, and test builds that watch the C code, enter by entry.asm alone.
;
; SPDX-License-Identifier: BSD-2-Clause

%include "offsets.inc"
%include "registers.inc"

default rel
bits 64

extern counters
extern exception_refuse_quickly
extern fast_counters
extern flush_epoch
extern frame_count
extern frame_refs_limit
extern ipc_fast_change
extern ipc_fast_window
extern ipc_needs
extern pcid_generation
extern handle_epoch
extern sched_ready_priorities
extern sched_tick

extern syscall_generic
extern trap_generic
extern trap_in_kernel

global fast_syscall_entry
global fast_page_fault

section .text

; In:  di = handle.  Out: rbx = its port, r11 = the handle, which was found live in this epoch
; (handle_get_quickly) and has the right.
%macro PORT_OF_HANDLE 1
	movzx ecx, di
	cmp ecx, HANDLE_SLOTS
	jae .generic
	mov r11, [rbp + THREAD_SPACE]
	mov rax, [handle_epoch]
	cmp [r11 + SPACE_LOOKED_AT + rcx * 8], rax
	jne .generic
	lea ecx, [rcx + rcx * 2]
	lea r11, [r11 + SPACE_HANDLES + rcx * 8]
	test byte [r11 + HANDLE_RIGHTS], %1
	jz .generic
	mov ebx, [r11 + HANDLE_PFN]
	mov rax, LAYOUT_DIRECT_MAP
	shl rbx, PAGE_SHIFT
	add rbx, rax
%endmacro

; Out: r14 = who waits at the port, cl = the priority it runs with for the sender.
%macro RECEIVER 0
	lea rax, [rbx + PORT_RECEIVERS]
	mov r14, [rax]
	cmp r14, rax
	je .generic
	sub r14, THREAD_LINK
	movzx ecx, byte [rbp + THREAD_EFFECTIVE]
	movzx eax, byte [r14 + THREAD_PRIORITY]
	cmp ecx, eax
	cmovb ecx, eax
	RIP_IS_PLAIN
%endmacro

; r14 stands where user code may stand.
%macro RIP_IS_PLAIN 0
	mov rax, [r14 + REGISTERS_RIP]
	shr rax, 47
	jnz .generic
%endmacro

; In:  r14, cl = its priority.  Out: r15 = its space.  Nobody as important is ready, or the time slice goes on (RIVALS);
; its tables can be loaded as they are.
%macro MAY_RUN 0
	mov rax, [sched_ready_priorities]
	shr rax, cl
	jnz .rivals
.may_run:
	mov r15, [r14 + THREAD_SPACE]
	mov rax, [pcid_generation]
	cmp [r15 + SPACE_CR3_GENERATION], rax
	jne .generic
%endmacro

; What MAY_RUN leaves to a place out of the way: others are ready.  None of them may be more important than r14, nor may
; the slice be over in which %1 works.
%macro RIVALS 1
.rivals:
	dec rax
	jnz .generic
	mov eax, [%1 + THREAD_SLICE]
	cmp eax, [sched_tick]
	je .may_run
	jmp .generic
%endmacro

; Its FPU registers are in place, or not allowed.
%macro FPU_IS_READY 0
	test byte [r15 + SPACE_FLAGS], SPACE_FPU_NONE
	jnz %%ready
	cmp [gs:PERCPU_FPU_OWNER], r14
	jne .generic
%%ready:
%endmacro

; Takes r14 out of the list that its link is in.  (The link of who runs says nothing.)
%macro UNLINK 0
	mov rax, [r14 + THREAD_LINK]
	mov rcx, [r14 + THREAD_LINK + 8]
	mov [rcx], rax
	mov [rax + 8], rcx
%endmacro

; Appends rbp to a list of the port.
%macro APPEND 1
	lea rcx, [rbx + %1]
	mov rax, [rcx + 8]
	lea r11, [rbp + THREAD_LINK]
	mov [r11], rcx
	mov [r11 + 8], rax
	mov [rax], r11
	mov [rcx + 8], r11
%endmacro

; The sender (rbp) waits, served; the receiver (r14, cl) is who runs.  In: rdi = badge.  Out: rbx =
; token.
%macro HAND_OVER 1
	mov [r14 + THREAD_EFFECTIVE], cl
	mov word [rbp + THREAD_STATE], THREAD_SERVED | %1 << 8
	mov [rbp + THREAD_PORT], rbx
	mov [rbp + THREAD_BADGE], rdi
	UNLINK
	APPEND PORT_SERVED
	mov ebx, TOKEN_NEXT
	add rbx, [rbp + THREAD_TOKEN]
	mov [rbp + THREAD_TOKEN], rbx
	mov byte [r14 + THREAD_STATE], THREAD_READY
	mov eax, [rbp + THREAD_SLICE]
	mov [r14 + THREAD_SLICE], eax
%endmacro

; No FPU from here on (r15 may not have it), if it was allowed.
%macro BLOCK_FPU 0
	cmp dword [gs:PERCPU_FPU_BLOCKED], 0
	jne %%done
	mov dword [gs:PERCPU_FPU_BLOCKED], SPACE_FPU_NONE
	mov rax, cr0
	or rax, CR0_TS
	mov cr0, rax
%%done:
%endmacro

; As r15 says.
%macro SET_FPU 0
	test byte [r15 + SPACE_FLAGS], SPACE_FPU_NONE
	jz %%allow
	BLOCK_FPU
	jmp %%done
%%allow:
	cmp dword [gs:PERCPU_FPU_BLOCKED], 0
	je %%done
	mov dword [gs:PERCPU_FPU_BLOCKED], 0
	clts
%%done:
%endmacro

; From rbp to r14, with the space r15: switch_directly().  %1: SET_FPU, or what is known to do.
%macro SWITCH 1
	rdfsbase rax
	mov [rbp + THREAD_FS_BASE], rax
	mov rax, [r14 + THREAD_GS_BASE]
	swapgs
	rdgsbase rcx
	wrgsbase rax
	swapgs
	mov [rbp + THREAD_GS_BASE], rcx
	mov rax, [r14 + THREAD_FS_BASE]
	wrfsbase rax
	mov [gs:PERCPU_CURRENT], r14
	%1
	cmp [gs:PERCPU_SPACE], r15
	je %%space_done
	mov [gs:PERCPU_SPACE], r15
	mov rax, [r15 + SPACE_CR3]
	mov cr3, rax
	inc qword [counters + COUNTERS_CR3_LOADS]
	test rax, rax
	js %%space_done
	inc dword [flush_epoch]
%%space_done:
	lea rax, [r14 + REGISTERS_SIZE]
	mov [gs:PERCPU_TSS_RSP0], rax
%endmacro

; A syscall that keeps the words in registers: the rest goes into the thread.
; In: rsp = the thread.  Out: rbp = the thread, rsp = the kernel's stack.
%macro SAVE 0
	mov [rsp + REGISTERS_RIP], rcx
	mov [rsp + REGISTERS_RFLAGS], r11
	mov [rsp + REGISTERS_RBP], rbp
	mov [rsp + REGISTERS_RBX], rbx
	mov [rsp + REGISTERS_R14], r14
	mov [rsp + REGISTERS_R15], r15
	mov rbp, rsp
	mov rcx, [gs:PERCPU_USER_STACK]
	mov [rbp + REGISTERS_RSP], rcx
	mov dword [rbp + REGISTERS_VECTOR], VECTOR_SYSCALL
	mov rsp, [gs:PERCPU_KERNEL_STACK]
%endmacro

; Back to where nothing had happened, and on in entry.asm.
%macro GENERIC_SYSCALL 1
	mov rcx, [rbp + REGISTERS_RIP]
	mov r11, [rbp + REGISTERS_RFLAGS]
	mov rbx, [rbp + REGISTERS_RBX]
	mov r14, [rbp + REGISTERS_R14]
	mov r15, [rbp + REGISTERS_R15]
	mov eax, %1
	mov rsp, rbp
	mov rbp, [rsp + REGISTERS_RBP]
	jmp syscall_generic
%endmacro

; To r14, which came by `syscall`: all that is not in registers yet, but rbx, rdi, r14, r15.
%macro RETURN_TO_CALL 0
	mov rbp, [r14 + REGISTERS_RBP]
	mov rcx, [r14 + REGISTERS_RIP]
	mov r11, [r14 + REGISTERS_RFLAGS]
	mov rsp, [r14 + REGISTERS_RSP]
	xor eax, eax
%endmacro

; `syscall` of user mode: see entry.asm.
align 16
fast_syscall_entry:
	swapgs
	mov [gs:PERCPU_USER_STACK], rsp
	mov rsp, [gs:PERCPU_CURRENT]
	cmp rax, CALL_REPLY_RECEIVE
	je fast_reply_receive
	ja syscall_generic

; CALL: rdi = handle | receive slot << 16, rsi = tag, words.
fast_call:
	SAVE
.entered:
	mov rax, rsi
	shr rax, TAG_BYTES_SHIFT
	jnz .generic
	PORT_OF_HANDLE RIGHT_SEND
	RECEIVER
	MAY_RUN
	FPU_IS_READY
	mov eax, edi
	shr eax, RR_SLOT_SHIFT
	movzx eax, al
	mov [rbp + THREAD_REPLY_SLOT], ax
	mov [rbp + REGISTERS_RDI], rdi ; the caller's again after the reply
	mov rdi, [r11 + HANDLE_BADGE]
	HAND_OVER WAIT_CALL
	inc qword [fast_counters + FAST_CALLS]
	SWITCH SET_FPU
.leave:
	RETURN_TO_CALL
	mov r15, [r14 + REGISTERS_R15]
	mov r14, [r14 + REGISTERS_R14]
	swapgs
	o64 sysret
	RIVALS rbp
.generic:
	GENERIC_SYSCALL CALL_CALL

; The entry for the address rdx in the table rax, and that it is a link with all rights needed.
; In: rax = the table (physical), r15 = the direct map, rsi and rdi as in ipc_needs.
; Out: %2 = the entry, rax = the table it names.
%macro WALK 2
	mov rcx, rdx
	shr rcx, PAGE_SHIFT + 9 * (%1 - 1) - 3
	and ecx, 0xff8
	add rax, r15
	mov %2, [rax + rcx]
	mov rcx, %2
	and rcx, rdi
	cmp rcx, rsi
	jne .generic
	mov rax, %2
	and rax, r11
%endmacro

; Page fault.  stack: ss rsp rflags cs rip error, in the current thread when it comes from user mode.
align 16
fast_page_fault:
	push VECTOR_PAGE_FAULT
	test byte [rsp + 24], 3
	jz trap_in_kernel
	swapgs
	PUSH_GENERAL
	mov rbp, rsp
	mov rsp, [gs:PERCPU_KERNEL_STACK]
.entered:
	mov rdx, cr2
	mov rax, [handle_epoch]
	cmp [rbp + THREAD_FAULT_PORT + REF_LOOKED_AT], rax
	jne .generic
	mov ebx, [rbp + THREAD_FAULT_PORT + REF_PFN]
	mov r15, LAYOUT_DIRECT_MAP
	shl rbx, PAGE_SHIFT
	add rbx, r15
	test rdx, rdx
	js .generic ; the kernel's half (hardware gives no others)
	mov r10d, [rbp + REGISTERS_ERROR]
	and r10d, FAULT_BITS
	mov ecx, r10d
	shl ecx, 4
	mov rsi, [abs ipc_needs + rcx]
	mov rdi, [abs ipc_needs + rcx + 8]
	mov r11, WALK_FRAME_MASK
	mov rax, [rbp + THREAD_SPACE]
	mov eax, [rax + SPACE_TOP]
	shl rax, PAGE_SHIFT
	WALK 4, r9
	WALK 3, r12
	WALK 2, r13
	mov rcx, rdx
	shr rcx, PAGE_SHIFT - 3
	and ecx, 0xff8
	add rax, r15
	mov r8, [rax + rcx]
	and rdi, r8
	cmp rdi, rsi
	je .generic ; cured meanwhile
	RECEIVER
	MAY_RUN
	test byte [r15 + SPACE_FLAGS], SPACE_FPU_NONE
	jz .generic
	mov [rbp + THREAD_FAULT_ADDRESS], rdx
	or r10d, FAULT_AT_LEAF
	mov rdi, [rbp + THREAD_FAULT_PORT + REF_BADGE]
	HAND_OVER WAIT_FAULT
	inc qword [fast_counters + FAST_FAULTS]
	SWITCH BLOCK_FPU
	mov r15, [rbp + REGISTERS_RIP]
.leave:
	RETURN_TO_CALL
	mov r14, r8
	mov r8, r15
	xor r15d, r15d
	mov rsi, FAULT_TAG
	swapgs
	o64 sysret
	RIVALS rbp
.generic:
	mov rdi, rbp
	jmp trap_generic

; The frame rcx is DATA of the pool r11w.  In: r15 = the frame table.
%macro PLAIN_DATA 0
	cmp ecx, [frame_count]
	jae .generic
	shl rcx, FRAME_SHIFT
	add rcx, r15
	cmp byte [rcx + FRAME_TYPE], FRAME_DATA
	jne .generic
	cmp [rcx + FRAME_POOL], r11w
	jne .generic
%endmacro

; plain_set(): the operation %1 (head), %2 (a), %3 (b); %4: where to go if it is another one.  In: r11w =
; the pool, r15 = the frame table.
; rax = the entry, rdi = the frame of the table, rcx = the frame of the page, r11d = its references.
%macro PLAIN_SET 4
	mov rax, OP_FORM
	and rax, %1
	cmp rax, OP_SET
	jne %4
	mov rdi, %1
	shr rdi, OP_PFN_SHIFT
	cmp edi, [frame_count]
	jae .generic
	mov rax, %1
	shr rax, OP_INDEX_SHIFT - 3
	and eax, 0xff8
	mov rcx, rdi
	shl rcx, PAGE_SHIFT
	add rax, rcx
	mov rcx, LAYOUT_DIRECT_MAP
	add rax, rcx
	shl rdi, FRAME_SHIFT
	add rdi, r15
	cmp byte [rdi + FRAME_TYPE], FRAME_L1
	jne .generic
	cmp [rdi + FRAME_POOL], r11w
	jne .generic
	cmp [rax], %3 ; not before: what is no table may be no memory
	jne .generic
	mov rcx, ENTRY_FORM
	and rcx, %2
	cmp rcx, PTE_P
	jne .generic
	mov rcx, %2
	shl rcx, 1 ; without NX
	shr rcx, PAGE_SHIFT + 1
	cmp ecx, [frame_count]
	jae .generic
	shl rcx, FRAME_SHIFT
	add rcx, r15
	cmp byte [rcx + FRAME_TYPE], FRAME_DATA
	jne %%zero
	cmp [rcx + FRAME_POOL], r11w
	jne .generic
	mov r11d, [rcx + FRAME_REFS]
	cmp r11d, [frame_refs_limit]
	jae .generic
	test r11d, r11d
	jnz %%counted
	mov r11d, [rcx + FRAME_EPOCH]
	cmp r11d, [flush_epoch]
	je .generic ; it may be remembered from its last use
	xor r11d, r11d
%%counted:
	test %3, PTE_P
	jnz %%over
	inc r11d
	mov [rcx + FRAME_REFS], r11d
%%absent:
	cmp %3, 1 ; was it 0?
	adc word [rdi + FRAME_LIVE], 0
	mov [rax], %2
	jmp %%done
%%zero:
	cmp byte [rcx + FRAME_TYPE], FRAME_ZERO
	jne .generic
	test %2, PTE_W
	jnz .generic
	test %3, PTE_P
	jnz .generic
	jmp %%absent
%%over:
	mov rdi, %3
	shl rdi, 1
	shr rdi, PAGE_SHIFT + 1
	shl rdi, FRAME_SHIFT
	add rdi, r15 ; the frame of the page before
	cmp rdi, rcx
	je %%same
	cmp dword [rdi + FRAME_REFS], 1
	je .generic ; its last reference must be reported
	inc r11d
	mov [rcx + FRAME_REFS], r11d
	mov rcx, %2
	xchg [rax], rcx
	cmp byte [rdi + FRAME_TYPE], FRAME_ZERO
	je %%done
	cmp byte [rdi + FRAME_TYPE], FRAME_NONE
	je %%done
	dec dword [rdi + FRAME_REFS]
	test cl, PTE_D
	jz %%done
	or byte [rdi + FRAME_FLAGS], FRAME_DIRTY
	jmp %%done
%%same:
	mov rdi, %2
	xchg [rax], rdi
	mov rax, %2
	not rax
	and rax, rdi
	test al, PTE_D
	jz %%done
	or byte [rcx + FRAME_FLAGS], FRAME_DIRTY
%%done:
%endmacro

; The page of PLAIN_DATA's operation: %1 = its frame number (clobbered); out: its address.
%macro PAGE_ADDRESS 1
	shl %1, PAGE_SHIFT
	mov rax, LAYOUT_DIRECT_MAP
	add %1, rax
%endmacro

; Who was answered (r14) runs, the server (rbp) waits at its port.
%macro WAKE_AND_WAIT 0
	UNLINK
	mov byte [r14 + THREAD_STATE], THREAD_READY
	mov al, [rbp + THREAD_PRIORITY]
	mov [rbp + THREAD_EFFECTIVE], al
	mov qword [rbp + REGISTERS_RAX], 0 ; OK, once something comes
	mov byte [rbp + THREAD_STATE], THREAD_RECEIVING
	mov [rbp + THREAD_PORT], rbx
	APPEND PORT_RECEIVERS
	inc qword [fast_counters + FAST_REPLIES]
	SWITCH SET_FPU
%endmacro

; The first operation goes to memory for C, and what C may clobber outlives it.
%macro KEEP_OPERATION 0
	mov [rbp + REGISTERS_RDX], rdx
	mov [rbp + REGISTERS_R10], r10
	mov [rbp + REGISTERS_R8], r8
	push rsi
	push r9
%endmacro

; Behind KEEP_OPERATION: the function %1 does it or says no.
%macro DECIDE_IN_C 1
	call %1
	pop r9
	pop rsi
	mov rdx, [rbp + REGISTERS_RDX]
	mov r10, [rbp + REGISTERS_R10]
	mov r8, [rbp + REGISTERS_R8]
	test al, al
	jz .generic
%endmacro

; REPLY_RECEIVE: rdi = handle | receive slot << 16 | flags, rsi = tag, rbx = token, words.
align 16
fast_reply_receive:
	SAVE
.entered:
	cmp [rbp + THREAD_RECEIVE_REQUEST], rdi ; the same as before, a reply and a receive?
	jne .other
	mov rax, [handle_epoch]
	cmp [rbp + THREAD_RECEIVE_LOOKED_AT], rax
	jne .other
	mov rbx, [rbp + THREAD_RECEIVE_PORT]
	lea rax, [rbx + PORT_SERVED]
	mov r14, [rax + 8] ; who is answered: mostly the one served last
	cmp r14, rax
	je .generic
	sub r14, THREAD_LINK
	mov rax, [rbp + REGISTERS_RBX]
	cmp [r14 + THREAD_TOKEN], rax
	jne .generic
	movzx ecx, byte [r14 + THREAD_EFFECTIVE]
	MAY_RUN
	FPU_IS_READY
	mov rax, [rbx + PORT_NOTIFICATION]
	or rax, [rbx + PORT_QUEUED]
	jnz .generic
	lea rax, [rbx + PORT_CANCELS]
	cmp [rax], rax
	jne .generic
	cmp byte [r14 + THREAD_WAIT], WAIT_CALL
	jne .fault
	RIP_IS_PLAIN
	mov rax, rsi
	shr rax, TAG_BYTES_SHIFT
	jnz .change
.answer:
	WAKE_AND_WAIT
.leave:
	RETURN_TO_CALL
	mov rbx, [r14 + REGISTERS_RBX]
	mov rdi, [r14 + REGISTERS_RDI]
	mov r15, [r14 + REGISTERS_R15]
	mov r14, [r14 + REGISTERS_R14]
	swapgs
	o64 sysret
.change: ; a reply to a call that is one operation, and brings no words: in C
	cmp rax, 1 << (TAG_OPS_SHIFT - TAG_BYTES_SHIFT)
	jne .generic
	KEEP_OPERATION
	mov rax, [rbp + THREAD_SPACE]
	movzx edi, word [rax + SPACE_POOL]
	lea rsi, [rbp + REGISTERS_RDX]
	mov rdx, r15
	DECIDE_IN_C ipc_fast_change
	mov esi, esi ; the label
	xor edx, edx
	xor r10d, r10d
	xor r8d, r8d
	xor r9d, r9d
	xor r12d, r12d
	xor r13d, r13d
	jmp .answer
.fault:
	cmp byte [r14 + THREAD_WAIT], WAIT_FAULT
	jne .generic
	mov r11, [rbp + THREAD_SPACE]
	movzx r11d, word [r11 + SPACE_POOL]
	test r11d, r11d
	jz .generic
	mov r15, LAYOUT_FRAME_TABLE
	mov rax, 1 << TAG_OPS_SHIFT
	cmp rsi, rax
	je .one
	add rax, rax
	cmp rsi, rax
	jne .no_operations
	mov rcx, rdx
	shr rcx, OP_PFN_SHIFT
	mov rdi, rcx
	PLAIN_DATA
	mov rax, rdx
	shl rax, 64 - OP_PFN_SHIFT ; all of the head but the frame
	mov rcx, (OP_ZERO | 1 << OP_COUNT_SHIFT) << (64 - OP_PFN_SHIFT)
	cmp rax, rcx
	jne .copy
	mov rax, r10
	or rax, r8
	jnz .generic
	PAGE_ADDRESS rdi
	xor eax, eax
	mov ecx, PAGE_SIZE / 8
	rep stosq
	inc qword [fast_counters + FAST_CLEARED]
.second:
	PLAIN_SET r9, r12, r13, .generic
	jmp .cured
.copy:
	mov rcx, OP_COPY_FRAME << (64 - OP_PFN_SHIFT)
	cmp rax, rcx
	jne .generic
	test r8, r8
	jnz .generic
	mov ecx, r10d
	cmp rcx, r10
	jne .generic
	mov rsi, rdi
	mov rdi, r10
	PLAIN_DATA
	and byte [rcx + FRAME_FLAGS], ~FRAME_BLANK & 0xff
	PAGE_ADDRESS rdi
	PAGE_ADDRESS rsi
	mov ecx, PAGE_SIZE / 8
	rep movsq
	mov rsi, 2 << TAG_OPS_SHIFT ; as it was
	inc qword [fast_counters + FAST_COPIED]
	jmp .second
.one:
	PLAIN_SET rdx, r10, r8, .window
	inc qword [counters + COUNTERS_OPERATIONS]
.cured:
	mov r15, [r14 + THREAD_SPACE]
	WAKE_AND_WAIT
.leave_fault:
	mov rsp, r14
	POP_CALL
	pop r11
	pop rcx
	add rsp, 16
	swapgs
	iretq
.window: ; one operation for several pages: in C
	KEEP_OPERATION
	mov edi, r11d
	lea rsi, [rbp + REGISTERS_RDX]
	DECIDE_IN_C ipc_fast_window
	inc qword [counters + COUNTERS_OPERATIONS]
	jmp .cured
.no_operations:
	test rsi, rsi
	jz .cured
	cmp rsi, FAULT_REFUSE
	jne .generic
	push rdx ; refused: the thread goes on in its own handler, in C
	push r10
	push r8
	push r9
	mov rdi, r14
	mov rsi, rdx
	mov rdx, r10
	call exception_refuse_quickly
	pop r9
	pop r8
	pop r10
	pop rdx
	mov esi, FAULT_REFUSE
	test al, al
	jnz .cured
.generic:
	mov rdi, [rbp + THREAD_RECEIVE_REQUEST]
.other:
	GENERIC_SYSCALL CALL_REPLY_RECEIVE
	RIVALS r14
