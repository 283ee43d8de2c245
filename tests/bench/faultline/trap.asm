; The handler of T15: makes the page of a forbidden write writable and resumes (system.c).
;
; SPDX-License-Identifier: BSD-2-Clause

bits 64
default rel

UPCALL_ADDRESS equ 2 * 8		; in struct upcall (fault.h)
UPCALL_REGISTERS equ 5 * 8
THREAD_CONTROL_RESUME equ 8		; in struct thread_control (posix.h): the word for the jump
CALL_CALL equ 0
CALL_THREAD equ 5
THREAD_SELF_UPCALL equ 1
SLOT_PAGER equ 2
PAGER_MPROTECT equ 0x102
READ_WRITE equ 3
PAGE_BYTES equ 4096

section .text

; Entered by the kernel when the thread raised an exception: rdi = the message page, which begins
; with struct upcall, rsp = the end of that page.  All registers are in struct upcall, so all may be
; used.  Leaves to the instruction that raised the exception, with all registers.
global trap_entry
trap_entry:
	mov rbp, rdi
	mov rdx, [rdi + UPCALL_ADDRESS]
	and rdx, -PAGE_BYTES
	mov r10d, PAGE_BYTES
	mov r8d, READ_WRITE
	mov esi, PAGER_MPROTECT
	mov edi, SLOT_PAGER
	mov eax, CALL_CALL
	syscall
	or eax, esi			; the kernel's status, the pager's
	jnz .refused
	lea rsp, [rbp + UPCALL_REGISTERS]
	pop rdx
	pop r10
	pop r8
	pop r9
	pop r12
	pop r13
	pop r14
	pop r15
	pop rbx
	pop rbp
	pop rsi
	pop rdi
	pop rax
	pop r11
	pop rcx
	add rsp, 16			; vector and error
	pop qword [fs:THREAD_CONTROL_RESUME]
	add rsp, 8			; cs
	popfq
	pop rsp
	jmp [fs:THREAD_CONTROL_RESUME]

; Without a handler this ends the program, with a report.
.refused:
	xor esi, esi
	mov edi, THREAD_SELF_UPCALL
	mov eax, CALL_THREAD
	syscall
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
