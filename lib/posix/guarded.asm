; Copies that survive a bad pointer.
;
; Between guarded_begin and guarded_end every instruction may fault: none has anything on the
; stack.  When one does, the upcall (upcall.c) lets it resume at guarded_fail instead, and the
; function returns -1 to its caller.  Registers are those of the C calling convention.
;
; SPDX-License-Identifier: BSD-2-Clause

bits 64
default rel

section .text

global guarded_begin
global guarded_end
global guarded_fail
global guarded_copy
global guarded_copy_string

guarded_begin:

; int64_t guarded_copy(void *to, const void *from, uint64_t bytes)
; Returns 0, or -1 when a byte could not be read or written (some may have been copied).
guarded_copy:
	mov rcx, rdx
	rep movsb
	xor eax, eax
	ret

; int64_t guarded_copy_string(char *to, const char *from, uint64_t limit) Copies up to and with the
; NUL, at most limit bytes.  Returns the bytes copied with the NUL, limit + 1 when there is no NUL
; among them, or -1.
guarded_copy_string:
	xor ecx, ecx
.next:
	cmp rcx, rdx
	jae .long
	mov al, [rsi + rcx]
	mov [rdi + rcx], al
	inc rcx
	test al, al
	jnz .next
	mov rax, rcx
	ret
.long:
	lea rax, [rdx + 1]
	ret

guarded_end:

; Resumed here by the upcall; the stack is that of the function's entry.
guarded_fail:
	mov rax, -1
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
