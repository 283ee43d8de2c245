; Programs of test_lessons.c: traps that are delayed over an instruction, returns to any address.
;
; `mov ss` holds back traps until after the next instruction.  If that one enters the kernel, a processor
; may deliver the trap there.  Each program runs with single step on, does so, and stops.
;
; SPDX-License-Identifier: BSD-2-Clause

bits 64
default abs

THREAD_CALL equ 5
THREAD_SELF_STOP equ 2
YIELD_CALL equ 6

section .text

%macro FUNCTION 1
global %1
align 16
%1:
%endmacro

%macro STOP 0
%%again:
	mov eax, THREAD_CALL
	mov edi, THREAD_SELF_STOP
	syscall
	jmp %%again
%endmacro

; Name, the instruction behind `mov ss`.
%macro DELAYED 2+
FUNCTION %1
	mov ecx, ss
	pushfq
	or qword [rsp], 0x100
	mov eax, YIELD_CALL
	popfq
	mov ss, ecx
	%2
	nop
	STOP
%endmacro

DELAYED program_delayed_syscall, syscall
DELAYED program_delayed_breakpoint, int3
DELAYED program_delayed_gate, int 0x80
DELAYED program_delayed_undefined, ud2
DELAYED program_delayed_trap, int1

; void program_return_to(uint64_t address): `ret`, `iretq` and a far return to any address.
FUNCTION program_return_to
	push rdi
	ret
FUNCTION program_interrupt_return_to
	mov eax, ss
	push rax
	lea rcx, [rsp + 8]
	push rcx
	pushfq
	mov eax, cs
	push rax
	push rdi
	iretq
