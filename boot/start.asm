; The first instructions: from a boot loader's 32-bit mode to kernel_main in the higher half.
;
; Two ways in, one file: QEMU's -kernel and other PVH loaders find the entry in the ELF note, GRUB
; finds the Multiboot2 header.  There is no Multiboot1 header: QEMU would look at it first and
; refuse a 64-bit file.  Both enter in 32-bit protected mode, paging off, interrupts off, with a
; pointer to the loader's tables in ebx.
;
; These sections run and lie at their physical address.  The boot page tables map the first 4 GiB
; three times: where they are, in the direct map, and (the first GiB) at the kernel's address.
; memory_init replaces them; nothing here is used after that.
;
; SPDX-License-Identifier: BSD-2-Clause

%include "offsets.inc"

PVH_NOTE_TYPE equ 18                    ; XEN_ELFNOTE_PHYS32_ENTRY
PVH_MAGIC equ 0x336ec578                ; what hvm_start_info begins with
MULTIBOOT2_HEADER_MAGIC equ 0xe85250d6
MULTIBOOT2_TAG_ALIGN equ 6              ; modules on page boundaries

COM1 equ 0x3f8
DEBUG_PORT equ 0xe9
QEMU_EXIT_PORT equ 0xf4
BOCHS_SHUTDOWN_PORT equ 0x8900

EFLAGS_ID equ 1 << 21
CPUID_TSC equ 1 << 4                    ; leaf 1, edx
CPUID_NX equ 1 << 20                    ; leaf 80000001, edx
CPUID_LONG_MODE equ 1 << 29
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8
EFER_NXE equ 1 << 11
CR0_PE equ 1 << 0
CR0_WP equ 1 << 16
CR0_PG equ 1 << 31
CR4_PAE equ 1 << 5

BOOT_GIB equ 4                          ; how much the boot tables map
LARGE_PAGE equ 1 << 21

section .note.pvh note alloc noexec nowrite align=4
	dd 4, 4, PVH_NOTE_TYPE
	db "Xen", 0
	dd pvh_entry

section .multiboot2 progbits alloc noexec nowrite align=8
header:
	dd MULTIBOOT2_HEADER_MAGIC, 0, header_end - header
	dd -(MULTIBOOT2_HEADER_MAGIC + header_end - header)
	dw MULTIBOOT2_TAG_ALIGN, 0
	dd 8
	dw 0, 0                         ; end of the tags
	dd 8
header_end:

section .boot.text progbits alloc exec nowrite align=16
bits 32

extern kernel_main
extern kernel_stacks
global multiboot2_entry

; Entered by a PVH loader.  ebx = physical address of hvm_start_info.
pvh_entry:
	mov eax, PVH_MAGIC

; Entered by GRUB.  eax = Multiboot2's magic, ebx = physical address of its information.
multiboot2_entry:
	cli
	cld
	mov esp, boot_stack_top
	mov [boot_magic], eax
	mov [boot_tables], ebx
	call check_cpu
	rdtsc
	mov [boot_tsc], eax
	mov [boot_tsc + 4], edx
	call make_tables

	mov eax, boot_top
	mov cr3, eax
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, cr0
	or eax, CR0_PG | CR0_WP | CR0_PE
	mov cr0, eax
	lgdt [boot_gdt_pointer]
	jmp SELECTOR_KERNEL_CODE:long_mode

; Stops with a message when the CPU lacks what the kernel cannot do without.  Clobbers all but esp.
check_cpu:
	pushfd
	pop eax
	mov ecx, eax
	xor eax, EFLAGS_ID
	push eax
	popfd
	pushfd
	pop eax
	xor eax, ecx
	mov esi, no_long_mode
	test eax, EFLAGS_ID
	jz stop
	mov eax, 1
	cpuid
	test edx, CPUID_TSC
	jz stop
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb stop
	mov eax, 0x80000001
	cpuid
	test edx, CPUID_LONG_MODE
	jz stop
	mov esi, no_execute_disable
	test edx, CPUID_NX
	jz stop
	ret

; Fills the boot page tables, which the loader cleared with the rest of the bss.
make_tables:
	mov eax, boot_gigabytes + PTE_P + PTE_W
	mov [boot_top], eax
	mov [boot_top + LAYOUT_DIRECT_FIRST_SLOT * 8], eax
	mov dword [boot_top + LAYOUT_KERNEL_SLOT * 8], boot_kernel + PTE_P + PTE_W
	mov dword [boot_kernel + ((LAYOUT_KERNEL >> 30) & 511) * 8], boot_pages + PTE_P + PTE_W
	mov edi, boot_gigabytes
	mov eax, boot_pages + PTE_P + PTE_W
	mov edx, PAGE_SIZE
	mov ecx, BOOT_GIB
	call fill_entries
	mov edi, boot_pages
	mov eax, PTE_P + PTE_W + PTE_PS
	mov edx, LARGE_PAGE
	mov ecx, BOOT_GIB * TABLE_ENTRIES

; ecx entries from edi on: eax, eax + edx, ...
fill_entries:
	mov [edi], eax
	add eax, edx
	add edi, 8
	dec ecx
	jnz fill_entries
	ret

; The end before long mode: the text at esi to the serial port, then a failure status to whatever
; emulator listens.  Does not return.
stop:
	mov edx, COM1 + 1               ; no interrupts, 115200 baud, 8N1
	mov al, 0
	out dx, al
	mov edx, COM1 + 3
	mov al, 0x80
	out dx, al
	mov edx, COM1
	mov al, 1
	out dx, al
	inc edx
	mov al, 0
	out dx, al
	mov edx, COM1 + 3
	mov al, 3
	out dx, al
.next:
	lodsb
	test al, al
	jz .written
	out DEBUG_PORT, al
	mov bl, al
	mov bh, 0x20                    ; room for a byte
	call wait_serial
	mov edx, COM1
	mov al, bl
	out dx, al
	jmp .next
.written:
	mov bh, 0x40                    ; everything is sent
	call wait_serial
	mov esi, exit_line
	mov ecx, exit_line_end - exit_line
	mov edx, DEBUG_PORT
	rep outsb
	mov edx, QEMU_EXIT_PORT
	mov eax, 1
	out dx, eax
	mov esi, bochs_word
	mov ecx, bochs_word_end - bochs_word
	mov edx, BOCHS_SHUTDOWN_PORT
	rep outsb
.halt:
	hlt
	jmp .halt

; Waits (not for ever: there may be no port) until the line status has the bit in bh.
wait_serial:
	mov ecx, 1 << 20
	mov edx, COM1 + 5
.again:
	in al, dx
	test al, bh
	jnz .ready
	dec ecx
	jnz .again
.ready:
	ret

bits 64
; Long mode, still at low addresses.
long_mode:
	mov eax, SELECTOR_KERNEL_DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov rsp, kernel_stacks + KERNEL_STACK_TOP
	xor ebp, ebp
	mov edi, [boot_magic]
	mov esi, [boot_tables]
	mov rdx, [boot_tsc]
	mov rax, kernel_main
	call rax
	ud2                             ; kernel_main does not return

section .boot.data progbits alloc noexec write align=16
boot_gdt:
	dq 0
	dq 0x00af9b000000ffff           ; SELECTOR_KERNEL_CODE
	dq 0x00cf93000000ffff           ; SELECTOR_KERNEL_DATA
boot_gdt_pointer:
	dw $ - boot_gdt - 1
	dd boot_gdt
	dw 0
boot_tsc:
	dq 0
boot_magic:
	dd 0
boot_tables:
	dd 0
no_long_mode:
	db "faultline: this CPU has no 64-bit mode; use an x86-64 CPU (QEMU: -cpu max)", 13, 10, 0
no_execute_disable:
	db "faultline: this CPU has no execute-disable bit (NX), or the firmware hides it; "
	db "use a CPU with NX (QEMU: -cpu max)", 13, 10, 0
exit_line:
	db "FAULTLINE-EXIT 1", 10
exit_line_end:
bochs_word:
	db "Shutdown"
bochs_word_end:

section .boot.bss nobits alloc noexec write align=4096
boot_top:
	resb PAGE_SIZE
boot_kernel:
	resb PAGE_SIZE
boot_gigabytes:
	resb PAGE_SIZE
boot_pages:
	resb BOOT_GIB * PAGE_SIZE
	resb 512
boot_stack_top:
