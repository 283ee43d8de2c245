; Entry and exit: from user mode into the kernel and back.
;
; The kernel has one stack per processor and keeps no state on it: every entry stores the user's
; registers in the current thread (its struct registers is what TSS.rsp0 and percpu.registers_end
; point behind) and calls a C function, which returns the thread to run next, or NULL for none.
; Interrupts are off in the kernel, except in the idle loop.
;
; GS points to struct percpu while the kernel runs; swapgs is done exactly when the privilege
; level changes.  Vectors with a stack of their own (IST: double fault, NMI, machine check, debug)
; can interrupt anything, also these lines before swapgs, so they trust nothing but their frame.
;
; SPDX-License-Identifier: BSD-2-Clause

%include "offsets.inc"

%define RFLAGS_KERNEL 2

default rel
bits 64

extern kernel_enter_call
extern kernel_enter_trap
extern kernel_enter_idle_interrupt
extern kernel_trap_in_kernel
extern kernel_stacks

global syscall_entry
global vector_entries
global sched_resume

section .text

; The rest of struct registers below vector and error: rax first, r15 last.
%macro PUSH_GENERAL 0
	push rax
	push rdi
	push rsi
	push rdx
	push rcx
	push r8
	push r9
	push r10
	push r11
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
%endmacro

; `syscall` of user mode.
; in:    rcx = return address, r11 = rflags, rsp = the user's; IF, DF, TF, AC clear; CPL 0
; stack: none yet; the registers go into the current thread
; out:   to sched_resume with the next thread
align 16
syscall_entry:
	swapgs
	mov [gs:PERCPU_USER_STACK], rsp
	mov rsp, [gs:PERCPU_REGISTERS_END]
	push SELECTOR_USER_DATA
	push qword [gs:PERCPU_USER_STACK]
	push r11
	push SELECTOR_USER_CODE
	push rcx
	push 0
	push VECTOR_SYSCALL
	PUSH_GENERAL
	mov rdi, rsp
	mov rsp, [gs:PERCPU_KERNEL_STACK]
	xor ebp, ebp
	call kernel_enter_call

; Run a thread, or wait for an interrupt.
; in:    rax = struct thread (already switched to: CR3, TSS, FS base, FPU), or 0 for idle
; `sysret` where the thread came by `syscall` and its address is in the lower half (a
; non-canonical rip would fault in ring 0), else `iretq`.
sched_resume_next:
	test rax, rax
	jz idle
	mov rsp, rax
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	pop r11
	pop r10
	pop r9
	pop r8
	pop rcx
	pop rdx
	pop rsi
	pop rdi
	pop rax
	cmp dword [rsp], VECTOR_SYSCALL
	jne .interrupt_return
	mov rcx, [rsp + 16]
	shr rcx, 47
	jnz .interrupt_return_rcx
	mov rcx, [rsp + 16]
	mov r11, [rsp + 32]
	mov rsp, [rsp + 40]
	swapgs
	o64 sysret
.interrupt_return_rcx:
	mov rcx, [rsp + 16]
.interrupt_return:
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
	jz .kernel_mode
	swapgs
.from_user:
	PUSH_GENERAL
	mov rdi, rsp
	mov rsp, [gs:PERCPU_KERNEL_STACK]
	push RFLAGS_KERNEL ; the user's DF and AC (which would switch SMAP off) are not the kernel's
	popfq
	xor ebp, ebp
	call kernel_enter_trap
	jmp sched_resume_next
.kernel_mode:
	cld
	cmp qword [rsp], 32
	jb .broken
	cmp qword [gs:PERCPU_CURRENT], 0
	jne .broken
	mov rdi, [rsp]
	mov rsp, [gs:PERCPU_KERNEL_STACK]
	call kernel_enter_idle_interrupt
	jmp sched_resume_next
.broken:
	PUSH_GENERAL
	mov rdi, rsp
	mov rsp, kernel_stacks + PANIC_STACK_END ; the stack in use may be a thread's registers
	call kernel_trap_in_kernel
	ud2

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
	mov rax, [gs:PERCPU_REGISTERS_END]
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
	jmp vector_common.from_user
.kernel_mode:
	cmp qword [rsp], VECTOR_NMI
	je .ignore
	cmp qword [rsp], VECTOR_DEBUG
	je .ignore
	cld
	jmp vector_common.broken
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
