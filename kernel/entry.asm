; Entry and exit: from user mode into the kernel and back.
;
; The kernel has one stack per processor and keeps no state on it: every entry stores the user's
; registers in the current thread (its struct registers is what TSS.rsp0 points behind) and calls a
; C function, which returns the thread to run next, or NULL for none.  Interrupts are off in the
; kernel, except in the idle loop.
;
; GS points to struct percpu while the kernel runs; swapgs is done exactly when the privilege
; level changes.  Vectors with a stack of their own (IST: double fault, NMI, machine check, debug)
; can interrupt anything, also these lines before swapgs, so they trust nothing but their frame.
;
; SPDX-License-Identifier: BSD-2-Clause

%include "offsets.inc"
%include "registers.inc"

%define RFLAGS_KERNEL 2

default rel
bits 64

extern ipc_fast_call
extern ipc_fast_fault
extern ipc_fast_reply_receive
extern kernel_enter_call
extern kernel_enter_trap
extern kernel_enter_idle_interrupt
extern kernel_trap_in_kernel
extern kernel_stacks

global syscall_entry
global syscall_generic
global trap_generic
global trap_in_kernel
global vector_entries
global sched_resume

section .text

; `syscall` of user mode.
; in:    rcx = return address, r11 = rflags, rsp = the user's; IF, DF, TF, AC clear; CPL 0
; stack: none yet; the registers go into the current thread.  CS, SS and the error code there never
;        are anything but a user's; rcx and r11 are not stored, they are destroyed by `syscall`
; out:   to sched_resume with the next thread
%macro SAVE_CALL 0
	add rsp, REGISTERS_R11
	PUSH_CALL
	mov rdi, rsp
	mov [rdi + REGISTERS_RIP], rcx
	mov rcx, [gs:PERCPU_USER_STACK]
	mov [rdi + REGISTERS_RFLAGS], r11
	mov [rdi + REGISTERS_RSP], rcx
	mov dword [rdi + REGISTERS_VECTOR], VECTOR_SYSCALL
	mov rsp, [gs:PERCPU_KERNEL_STACK]
%endmacro

align 16
syscall_entry:
	swapgs
	mov [gs:PERCPU_USER_STACK], rsp
	mov rsp, [gs:PERCPU_CURRENT]
	SAVE_CALL
	cmp rax, CALL_REPLY_RECEIVE
	ja call_generic
	je .reply_receive
	call ipc_fast_call
	test rax, rax
	jnz sched_resume_thread
	mov rdi, [gs:PERCPU_CURRENT]
	jmp call_generic
.reply_receive:
	call ipc_fast_reply_receive
	test rax, rax
	jnz sched_resume_thread
	mov rdi, [gs:PERCPU_CURRENT]
	jmp call_generic

; The same, when it is clear that it is no message for a short path (fast.asm).
; in:    as above, behind swapgs; rsp = the thread, whose own is in percpu
align 16
syscall_generic:
	SAVE_CALL
call_generic:
	xor ebp, ebp
	call kernel_enter_call

; Run a thread, or wait for an interrupt.
; in:    rax = struct thread (already switched to: CR3, TSS, FS base, FPU), or 0 for idle
; `sysret` where the thread came by `syscall`, else `iretq`.  (sched_next() lets no thread go whose
; rip is not canonical: either return would fault in ring 0.)
sched_resume_next:
	test rax, rax
	jz idle
sched_resume_thread:
	mov rsp, rax
	cmp dword [rsp + REGISTERS_VECTOR], VECTOR_SYSCALL
	jne interrupt_return
	POP_CALL
	mov rcx, [rsp + REGISTERS_RIP - REGISTERS_R11]
	mov r11, [rsp + REGISTERS_RFLAGS - REGISTERS_R11]
	mov rsp, [rsp + REGISTERS_RSP - REGISTERS_R11]
	swapgs
	o64 sysret
interrupt_return:
	POP_CALL
	pop r11
	pop rcx
	add rsp, 16
	swapgs
	iretq

; C: _Noreturn void sched_resume(struct thread *next): leave the kernel (boot, first time).
align 16
sched_resume:
	mov rax, rdi
	mov rsp, [gs:PERCPU_KERNEL_STACK]
	jmp sched_resume_next

; Nothing to run: wait on the kernel stack with interrupts on.  An interrupt that comes here
; does not return to these lines (kernel_mode below).
idle:
	mov rsp, [gs:PERCPU_KERNEL_STACK]
	sti
	hlt
	cli
	jmp idle

; All vectors without a stack of their own.
; stack, from user mode: current thread's struct registers: ss rsp rflags cs rip error vector
;        from the kernel: the kernel stack, the same words
align 16
vector_common:
	test byte [rsp + 24], 3
	jz trap_in_kernel
	swapgs
vector_from_user:
	PUSH_GENERAL
	mov rdi, rsp
	mov rsp, [gs:PERCPU_KERNEL_STACK]
trap_generic: ; rdi = the thread
	push RFLAGS_KERNEL ; the user's DF and AC (which would switch SMAP off) are not the kernel's
	popfq
	xor ebp, ebp
	call kernel_enter_trap
	jmp sched_resume_next
trap_in_kernel:
	cld
	cmp qword [rsp], 32
	jb trap_broken
	cmp qword [gs:PERCPU_CURRENT], 0
	jne trap_broken
	mov rdi, [rsp]
	mov rsp, [gs:PERCPU_KERNEL_STACK]
	call kernel_enter_idle_interrupt
	jmp sched_resume_next
trap_broken:
	PUSH_GENERAL
	mov rdi, rsp
	mov rsp, kernel_stacks + PANIC_STACK_END ; the stack in use may be a thread's registers
	call kernel_trap_in_kernel
	ud2

; Page faults take a short way if they can.
; stack: as vector_common
align 16
vector_page_fault:
	test byte [rsp + 24], 3
	jz trap_in_kernel
	swapgs
	PUSH_GENERAL
	mov rdi, rsp
	mov rsp, [gs:PERCPU_KERNEL_STACK]
	push RFLAGS_KERNEL
	popfq
	mov rsi, cr2
	call ipc_fast_fault
	test rax, rax
	jnz sched_resume_thread
	mov rdi, [gs:PERCPU_CURRENT]
	jmp trap_generic

; Vectors on a stack of their own: double fault, NMI, machine check, debug.
; From user mode the frame is moved into the current thread, then as vector_common.  From kernel
; mode NMI and debug return at once (a debug trap can be delayed into the first instruction of an
; entry by `mov ss`); the others end in a panic.
align 16
vector_own_stack:
	test byte [rsp + 24], 3
	jz .kernel_mode
	swapgs
	push rax
	push rcx
	mov rax, [gs:PERCPU_TSS_RSP0]
%assign word 0
%rep 7
	mov rcx, [rsp + 16 + word * 8]
	mov [rax - 56 + word * 8], rcx
%assign word word + 1
%endrep
	lea rcx, [rax - 56]
	mov rax, [rsp + 8]
	xchg rcx, [rsp]
	pop rsp
	jmp vector_from_user
.kernel_mode:
	cmp qword [rsp], VECTOR_NMI
	je .ignore
	cmp qword [rsp], VECTOR_DEBUG
	je .ignore
	cld
	jmp trap_broken
.ignore:
	add rsp, 16
	iretq

; One stub per vector: makes the frames with and without an error code equal.
%assign vector 0
%rep 256
vector_stub_ %+ vector:
  %if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
  %else
	push 0
  %endif
	push vector
  %if vector == 1 || vector == 2 || vector == 8 || vector == 18
	jmp vector_own_stack
  %elif vector == 14
	jmp vector_page_fault
  %else
	jmp vector_common
  %endif
  %assign vector vector + 1
%endrep

section .rodata
align 8
vector_entries:
%assign vector 0
%rep 256
	dq vector_stub_ %+ vector
  %assign vector vector + 1
%endrep
