# VARIANT=ubsan: kernel and servers stop with a report at the first undefined behaviour.
# SPDX-License-Identifier: BSD-2-Clause
UBSAN := -fsanitize=undefined -fno-sanitize-recover=undefined
KERNEL_FLAGS += $(UBSAN) -D'UNDEFINED(...)=panic(__VA_ARGS__)' -D'UNDEFINED_HEADER="log.h"'
SERVER_FLAGS += $(UBSAN) -D'UNDEFINED(...)=server_panic(__VA_ARGS__)' -D'UNDEFINED_HEADER="server/print.h"'
KERNEL_OBJECTS += $(call objects,kernel,tests/variants/ubsan/runtime.c)
SERVER_LIBRARY += $(call objects,server,tests/variants/ubsan/runtime.c)
KERNEL_FLAGS += -DENTRIES_IN_ASSEMBLY=0
