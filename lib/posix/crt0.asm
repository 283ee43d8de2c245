; crt0: the first instructions of a program.
;
; Whoever starts the program (exec, spawn) leaves the stack in the form of the System V ABI:
;
;   rsp -> argc, argv[0] .. argv[argc-1], 0, envp[0] .., 0, auxv pairs .., 0 0
;
; SPDX-License-Identifier: BSD-2-Clause

bits 64
default rel

extern program_start

section .text

; Entered once, in user mode, by the kernel; rsp as above, all other registers unspecified.
; Leaves by program_start (start.c), which does not return.
global _start
_start:
	xor ebp, ebp		; the outermost frame
	mov rdi, rsp
	and rsp, -16		; as before any call
	call program_start
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
