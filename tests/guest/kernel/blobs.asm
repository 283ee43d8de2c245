; What the programs of the kernel tests cannot say in C.
;
; Entered as C functions (System V: rdi, rsi; rsp + 8 a multiple of 16), in the tests' own space or
; in a sub's.  The image is linked below 2 GiB, so absolute addresses are used where no
; register is left.
;
; SPDX-License-Identifier: BSD-2-Clause

bits 64
default abs

extern shared_page

THREAD_CALL equ 5
THREAD_SELF_STOP equ 2

section .text

%macro FUNCTION 1
global %1
align 16
%1:
%endmacro

; End of a program: stop the thread; started again, it stops again.
%macro STOP 0
%%again:
	mov eax, THREAD_CALL
	mov edi, THREAD_SELF_STOP
	syscall
	jmp %%again
%endmacro

%macro SAVE_CALLEE 0
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
%endmacro
%macro RESTORE_CALLEE 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
%endmacro

; void raw_call(struct call_registers *registers)
FUNCTION raw_call
	SAVE_CALLEE
	mov rbp, rdi
	mov rax, [rbp]
	mov rdi, [rbp + 8]
	mov rsi, [rbp + 16]
	mov rdx, [rbp + 24]
	mov r10, [rbp + 32]
	mov r8, [rbp + 40]
	mov r9, [rbp + 48]
	mov r12, [rbp + 56]
	mov r13, [rbp + 64]
	mov rbx, [rbp + 72]
	mov r14, [rbp + 80]
	mov r15, [rbp + 88]
	syscall
	mov [rbp], rax
	mov [rbp + 8], rdi
	mov [rbp + 16], rsi
	mov [rbp + 24], rdx
	mov [rbp + 32], r10
	mov [rbp + 40], r8
	mov [rbp + 48], r9
	mov [rbp + 56], r12
	mov [rbp + 64], r13
	mov [rbp + 72], rbx
	mov [rbp + 80], r14
	mov [rbp + 88], r15
	RESTORE_CALLEE
	ret

; uint64_t wild_call(const uint64_t values[17]): every register from the list, the stack pointer and
; flags too, then `syscall`.  The first word of shared_page keeps the stack pointer meanwhile.
FUNCTION wild_call
	SAVE_CALLEE
	pushfq
	mov [shared_page], rsp
	push qword [rdi + 128]
	popfq
	mov rax, [rdi]
	mov rbx, [rdi + 8]
	mov rcx, [rdi + 16]
	mov rdx, [rdi + 24]
	mov rsi, [rdi + 32]
	mov rbp, [rdi + 40]
	mov r8, [rdi + 48]
	mov r9, [rdi + 56]
	mov r10, [rdi + 64]
	mov r11, [rdi + 72]
	mov r12, [rdi + 80]
	mov r13, [rdi + 88]
	mov r14, [rdi + 96]
	mov r15, [rdi + 104]
	mov rsp, [rdi + 112]
	mov rdi, [rdi + 120]
	syscall
	mov rsp, [shared_page]
	popfq
	RESTORE_CALLEE
	ret

; void program_keeps_registers(uint64_t *result): all registers that `syscall` keeps, over
; CALL_YIELD.
; result[0] = 1 when they were kept, 2 when not.
FUNCTION program_keeps_registers
	mov rbp, rdi
	mov rbx, 0x1111
	mov rdx, 0x2222
	mov rsi, 0x3333
	mov rdi, 0x4444
	mov r8, 0x5555
	mov r9, 0x6666
	mov r10, 0x7777
	mov r12, 0x8888
	mov r13, 0x9999
	mov r14, 0xaaaa
	mov r15, 0xbbbb
	push rsp
	mov eax, 6
	syscall
	mov ecx, 2
	cmp rsp, [rsp]
	pop r11
	jae .changed                            ; rsp is 8 below what was pushed
	cmp rbx, 0x1111
	jne .changed
	cmp rdx, 0x2222
	jne .changed
	cmp rsi, 0x3333
	jne .changed
	cmp rdi, 0x4444
	jne .changed
	cmp r8, 0x5555
	jne .changed
	cmp r9, 0x6666
	jne .changed
	cmp r10, 0x7777
	jne .changed
	cmp r12, 0x8888
	jne .changed
	cmp r13, 0x9999
	jne .changed
	cmp r14, 0xaaaa
	jne .changed
	cmp r15, 0xbbbb
	jne .changed
	mov ecx, 1
.changed:
	mov [rbp], rcx
	STOP

; void program_vectors(uint64_t *count, uint64_t pattern): keeps the pattern in xmm0..15, MXCSR and
; the x87 control word, and looks at them forever.  count[0] = turns, count[1] = turns that saw
; another value.
FUNCTION program_vectors
	push rsi
	mov eax, esi
	and eax, 0x6000                         ; rounding: two bits of the pattern
	or eax, 0x1f80
	push rax
	ldmxcsr [rsp]
	mov eax, esi
	and eax, 0xc00
	or eax, 0x37f
	mov [rsp + 4], eax
	fldcw [rsp + 4]
	movq xmm0, rsi
	punpcklqdq xmm0, xmm0
%assign n 1
%rep 15
	movdqa xmm %+ n, xmm0
%assign n n + 1
%endrep
.turn:
	sub rsp, 16
	xor ecx, ecx
%assign n 0
%rep 16
	movdqu [rsp], xmm %+ n
	mov rax, [rsp]
	xor rax, rsi
	or rcx, rax
	mov rax, [rsp + 8]
	xor rax, rsi
	or rcx, rax
%assign n n + 1
%endrep
	stmxcsr [rsp]
	fnstcw [rsp + 4]
	mov eax, [rsp]
	and eax, ~0x3f                          ; exception flags
	xor eax, [rsp + 16]
	or rcx, rax
	movzx eax, word [rsp + 4]
	xor ax, [rsp + 20]
	or rcx, rax
	add rsp, 16
	test rcx, rcx
	jz .same
	inc qword [rdi + 8]
.same:
	inc qword [rdi]
	jmp .turn

; The same with the sixteen 256-bit registers.
FUNCTION program_wide_vectors
	push rsi
	vmovddup xmm0, [rsp]
	vinsertf128 ymm0, ymm0, xmm0, 1
%assign n 1
%rep 15
	vmovaps ymm %+ n, ymm0
%assign n n + 1
%endrep
.turn:
	sub rsp, 32
	xor ecx, ecx
%assign n 0
%rep 16
	vmovups [rsp], ymm %+ n
%assign part 0
%rep 4
	mov rax, [rsp + part * 8]
	xor rax, rsi
	or rcx, rax
%assign part part + 1
%endrep
%assign n n + 1
%endrep
	add rsp, 32
	test rcx, rcx
	jz .same
	inc qword [rdi + 8]
.same:
	inc qword [rdi]
	jmp .turn

; void program_red_zone(uint64_t *count): 128 bytes below the stack pointer belong to the program.
; count[0] = turns, count[1] = turns that found another value.
FUNCTION program_red_zone
	mov rsi, 0x5a5a1234abcd9876
.turn:
%assign n 1
%rep 16
	mov [rsp - n * 8], rsi
%assign n n + 1
%endrep
	mov ecx, 2000
.wait:
	dec ecx
	jnz .wait
%assign n 1
%rep 16
	mov rax, [rsp - n * 8]
	xor rax, rsi
	or rcx, rax
%assign n n + 1
%endrep
	test rcx, rcx
	jz .same
	inc qword [rdi + 8]
.same:
	inc qword [rdi]
	jmp .turn

; void program_bases(uint64_t *count, uint64_t base): sets its FS base, then looks at it (through a
; word at the base, which holds the base) forever.
FUNCTION program_bases
	mov r12, rdi
	mov r13, rsi
	mov eax, THREAD_CALL
	xor edi, edi
	syscall
	mov [r12 + 16], rax
	mov [fs:0], r13
.turn:
	mov rax, [fs:0]
	cmp rax, r13
	je .same
	inc qword [r12 + 8]
.same:
	inc qword [r12]
	jmp .turn

; The same with the GS base, by wrgsbase.
FUNCTION program_gs_bases
	wrgsbase rsi
	mov [gs:0], rsi
.turn:
	rdgsbase rax
	cmp rax, rsi
	jne .changed
	mov rax, [gs:0]
	cmp rax, rsi
	je .same
.changed:
	inc qword [rdi + 8]
.same:
	inc qword [rdi]
	jmp .turn

; ---- exceptions: NAME is where the program starts, NAME_at the address that the message has to
; show ----

%macro EXCEPTION 1
global %1
global %1_at
align 16
%1:
%endmacro

EXCEPTION program_divide
	xor edx, edx
	xor ecx, ecx
program_divide_at:
	div ecx
	STOP

EXCEPTION program_single_step
	pushfq
	or qword [rsp], 0x100
	popfq
	nop
program_single_step_at:
	nop
	STOP

EXCEPTION program_icebp
	db 0xf1
program_icebp_at:
	STOP

EXCEPTION program_breakpoint
	int3
program_breakpoint_at:
	STOP

EXCEPTION program_invalid_opcode
program_invalid_opcode_at:
	ud2
	STOP

EXCEPTION program_privileged
program_privileged_at:
	hlt
	STOP

EXCEPTION program_read_control
program_read_control_at:
	mov rax, cr3
	STOP

EXCEPTION program_port_output
	mov edx, 0x3f8
	mov al, 'x'
program_port_output_at:
	out dx, al
	STOP

EXCEPTION program_interrupts_off
program_interrupts_off_at:
	cli
	STOP

EXCEPTION program_interrupt_gate
program_interrupt_gate_at:
	int 0x80
	STOP

EXCEPTION program_interrupt_14
program_interrupt_14_at:
	int 14
	STOP

EXCEPTION program_overflow_gate
program_overflow_gate_at:
	int 4
	STOP

EXCEPTION program_bad_segment
	mov eax, 0x28
program_bad_segment_at:
	mov ds, ax
	STOP

EXCEPTION program_far_return
	push 0x08
	push program_far_return
program_far_return_at:
	retfq
	STOP

EXCEPTION program_non_canonical
	mov rax, 0x0000800000000000
program_non_canonical_at:
	mov rax, [rax]
	STOP

EXCEPTION program_stack
	mov rsp, 0x0000800000001000
program_stack_at:
	push rax
	STOP

EXCEPTION program_alignment
	pushfq
	or qword [rsp], 0x40000
	popfq
	lea rax, [rsp - 63]
program_alignment_at:
	mov ecx, [rax]
	STOP

EXCEPTION program_x87
	fninit
	push 0x37b                              ; zero divide unmasked
	fldcw [rsp]
	fld1
	fldz
	fdivp st1, st0
program_x87_at:
	fwait
	STOP

EXCEPTION program_simd
	push 0x1d80                             ; zero divide unmasked
	ldmxcsr [rsp]
	xorps xmm0, xmm0
	pcmpeqd xmm1, xmm1
	psrld xmm1, 25
	pslld xmm1, 23                          ; 1.0
program_simd_at:
	divps xmm1, xmm0
	STOP

; The next instruction is a trap's handler whose first instruction was delayed: `mov ss` holds a
; pending single step back until after `syscall`.
EXCEPTION program_step_into_kernel
	mov ecx, ss
	pushfq
	or qword [rsp], 0x100
	mov eax, 6
	popfq
	mov ss, ecx
	syscall
program_step_into_kernel_at:
	nop
	STOP

; The far end: flags that a program may set, over kernel entries.  rdi = result:
; result[0] = 1 when direction, nested task and alignment flag were still set after CALL_YIELD.
FUNCTION program_flags
	pushfq
	or qword [rsp], 0x44400
	popfq
	mov eax, 6
	mov r12, rdi
	syscall
	pushfq
	pop rax
	and eax, 0x44400
	xor ecx, ecx
	cmp eax, 0x44400
	sete cl
	pushfq
	and qword [rsp], ~0x44400
	popfq
	mov [r12], rcx
	STOP

; An exception handler of a self-upcall: rdi = struct upcall.  Keeps the first five words and rip
; and rsp of the registers in shared words (rsi of the program = where), then stops.
; shared_page + 8 holds the address to write to.
FUNCTION upcall_handler
	mov rsi, [shared_page + 8]
	mov [rsi], rdi
	mov [rsi + 8], rsp
%assign n 0
%rep 5
	mov rax, [rdi + n * 8]
	mov [rsi + 16 + n * 8], rax
%assign n n + 1
%endrep
	mov rax, [rdi + 40 + 17 * 8]            ; registers.rip
	mov [rsi + 56], rax
	mov rax, [rdi + 40 + 20 * 8]            ; registers.rsp
	mov [rsi + 64], rax
	mov rax, [rdi + 40 + 8 * 8]             ; registers.rbx
	mov [rsi + 72], rax
	STOP

; Takes the upcall: rdi = entry, rsi = stack top, shared_page + 24 its argument; registers it,
; then an invalid opcode with a known rbx.
EXCEPTION program_takes_upcall
	mov rdx, rsi
	mov r10, [shared_page + 24]
	mov rsi, rdi
	mov eax, THREAD_CALL
	mov edi, 1
	syscall
	mov rbx, 0x123456789abcdef0
program_takes_upcall_at:
	ud2
	STOP

; A foreign call number in eax = edi.
EXCEPTION program_foreign_call
	mov eax, edi
	syscall
program_foreign_call_at:
	mov qword [shared_page + 16], 1
	STOP

; A call that uses no stack: rdi = handle, rsi = counters; counts its status there, then stops.
FUNCTION blob_call_and_stop
	mov rbx, rsi
	mov esi, 1
	xor eax, eax
	syscall
	inc qword [rbx + rax * 8]
	STOP

; Code that is copied to the last bytes below the canonical hole, or elsewhere: no address in it.
global blob_syscall
global blob_syscall_bytes
blob_syscall:
	syscall
.end:
align 8
blob_syscall_bytes:
	dq blob_syscall.end - blob_syscall

; void program_read_fs(uint64_t *result): result[0] = the word at the FS base.
FUNCTION program_read_fs
	mov rax, [fs:0]
	mov [rdi], rax
	STOP

; void program_takes_vectors(uint64_t *result): result[0] = the low half of xmm7, which then
; changes.
FUNCTION program_takes_vectors
	movq rax, xmm7
	mov [rdi], rax
	pcmpeqd xmm7, xmm7
	movdqa xmm0, xmm7
	STOP

; void program_vectors_over_call(uint64_t *result, uint64_t pattern): sets xmm3 and, to the
; private page, the FS base (whose first word becomes that address); calls handle 1; then, with n
; = word 0 of the answer,
; result[n] = xmm3 and result[n + 2] = the word at the FS base.
FUNCTION program_vectors_over_call
	mov r14, rdi
	movq xmm3, rsi
	mov eax, THREAD_CALL
	xor edi, edi
	mov rsi, [shared_page + 32]
	syscall
	mov rsi, [shared_page + 32]
	mov [fs:0], rsi
	xor eax, eax
	mov edi, 1
	mov esi, 1
	syscall
	movq rax, xmm3
	mov [r14 + rdx * 8], rax
	mov rax, [fs:0]
	mov [r14 + rdx * 8 + 16], rax
	STOP
