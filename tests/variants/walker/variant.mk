# VARIANT=walker: a kernel that, in place of starting a root task, compares the processor's page walks
# with a model of them.  Needs no boot archive.
# SPDX-License-Identifier: BSD-2-Clause
KERNEL_OBJECTS += $(call objects,kernel,tests/variants/walker/walker.c tests/variants/walker/walk_model.c \
	tests/variants/walker/access.asm)
KERNEL_LINK_FLAGS := --wrap=root_load
