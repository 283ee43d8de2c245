; One access of any kind, with the page fault that it may cause as its result.
;
; SPDX-License-Identifier: BSD-2-Clause

%include "offsets.inc"

default rel
bits 64

global walker_access
global walker_page_fault
global walker_breakpoint
global walker_user_code

ACCESS_WRITE equ 1
ACCESS_FETCH equ 2
ACCESS_USER  equ 4
ACCESS_AC    equ 8
RFLAGS_FIXED equ 2
RFLAGS_AC_BIT equ 1 << 18

section .bss
return_stack: resq 1

section .text

; C: uint64_t walker_access(uint64_t address, uint64_t kind, uint64_t user_code)
; kind: ACCESS_*; user_code: where the page walker_user_code is mapped for user mode.
; Returns the error code of the page fault, or WALKER_NO_FAULT (all ones).
; What is fetched at the address must be a breakpoint.
walker_access:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [return_stack], rsp
	test sil, ACCESS_USER
	jnz .user
	test sil, ACCESS_FETCH
	jnz .fetch
	test sil, ACCESS_AC
	jz .data
	push RFLAGS_FIXED | RFLAGS_AC_BIT
	popfq
.data:
	mov al, 0xcc
	test sil, ACCESS_WRITE
	jnz .write
	mov al, [rdi]
	jmp done
.write:
	mov [rdi], al
	jmp done
.fetch:
	jmp rdi
.user:
	mov rcx, rdi
	test sil, ACCESS_FETCH
	jnz .enter
	mov rcx, rdx
	test sil, ACCESS_WRITE
	jz .enter
	add rcx, user_write - walker_user_code
.enter:
	push SELECTOR_USER_DATA
	push 0
	push RFLAGS_FIXED
	push SELECTOR_USER_CODE
	push rcx
	iretq

; Gates: the access ended.
walker_page_fault:
	mov rax, [rsp]
	jmp leave_access
walker_breakpoint:
done:
	mov rax, -1
leave_access:
	mov rsp, [return_stack]
	push RFLAGS_FIXED
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; What user mode runs, in a page of its own.
align 4096
walker_user_code:
	mov al, [rdi]
	int3
user_write:
	mov al, 0xcc
	mov [rdi], al
	int3
align 4096
