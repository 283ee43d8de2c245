; Entry and exits of the self-upcall (upcall.c).
;
; iretq would be the natural way back, and ring 3 may use it; but QEMU's software CPU reads its frame
; with the kernel's rights, which SMAP forbids.  So the last step is a jump through a word that only
; FS reaches.
;
; SPDX-License-Identifier: BSD-2-Clause

bits 64
default rel

extern guarded_fail
extern upcall_handle

UPCALL_REGISTERS equ 5 * 8		; in struct upcall; upcall.c asserts these
REGISTERS_RSP equ 20 * 8		; in struct registers
THREAD_CONTROL_RESUME equ 8		; in struct thread_control: the word for the jump

section .text

; Entered by the kernel when the thread raised an exception: rdi = the message page, which begins
; with struct upcall, rsp = the end of that page, all other registers as the exception left them.
;
; Leaves in one of two ways, as upcall_handle decides:
;   true   to guarded_fail with the stack of the guarded function; the registers that C calls keep
;          are still those of the exception
;   false  to the instruction that raised the exception, with all registers.  The pops follow the
;          order of struct registers:
;            rdx r10 r8 r9 r12 r13 r14 r15 rbx rbp rsi rdi rax r11 rcx, vector error,
;            rip cs rflags rsp ss
global upcall_entry
upcall_entry:
	cld
	push rdi
	sub rsp, 8			; aligned as before any call
	call upcall_handle
	add rsp, 8
	pop rdi
	test al, al
	jz .raise_again
	mov rsp, [rdi + UPCALL_REGISTERS + REGISTERS_RSP]
	jmp guarded_fail

.raise_again:
	lea rsp, [rdi + UPCALL_REGISTERS]
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

section .note.GNU-stack noalloc noexec nowrite progbits
