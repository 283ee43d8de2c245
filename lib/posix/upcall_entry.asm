; Entry and exit of the self-upcall (upcall.c).
;
; SPDX-License-Identifier: BSD-2-Clause

bits 64
default rel

extern upcall_handle

section .text

; Entered by the kernel when the thread raised an exception: rdi = the message page, which begins
; with struct upcall, rsp = the end of that page.  upcall_handle returns the address of struct
; registers, whose order is that of the pops (upcall.c asserts it).
;
;   rax -> r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rcx rdx rsi rdi rax, vector error,
;          rip cs rflags rsp ss
;
; Leaves by iretq, which stays in ring 3.
global upcall_entry
upcall_entry:
	cld
	call upcall_handle
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
	add rsp, 16		; vector and error
	iretq

section .note.GNU-stack noalloc noexec nowrite progbits
