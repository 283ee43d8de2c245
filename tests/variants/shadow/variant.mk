# VARIANT=shadow: user mode runs on shadow tables that behave as an unlimited TLB (docs/shadow-tlb.md).
# SPDX-License-Identifier: BSD-2-Clause
SHADOW := tests/variants/shadow
# Identifiers are few, so that they are used again often.
KERNEL_FLAGS += -include $(SHADOW)/cpu.h -DPCID_LAST=$(or $(SHADOW_PCID_LAST),23u) -DENTRIES_IN_ASSEMBLY=0
SERVER_FLAGS += -DTIME_FACTOR=1000u
KERNEL_OBJECTS += $(call objects,kernel,$(wildcard $(SHADOW)/*.c))
SHADOW_WRAPPED := memory_init machine_shutdown call_debug kernel_enter_call kernel_enter_trap \
	kernel_enter_idle_interrupt ipc_fast_call ipc_fast_reply_receive ipc_fast_fault frame_retype frame_make_quiet frame_op_lend table_op_set table_op_fill \
	table_op_copy table_op_move table_op_split table_op_clear table_op_protect table_op_harvest
KERNEL_LINK_FLAGS += $(SHADOW_WRAPPED:%=--wrap=%)
