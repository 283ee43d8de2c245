# Host tests of the kernel's messages, objects and scheduling, on a simulated machine.
# SPDX-License-Identifier: BSD-2-Clause
KERNEL_MESSAGE_NAMES := ipc ipc_fast ipc_window handle fault exception object object_ops sched switch call batch_call check record info_calls \
	device_calls irq block batch
KERNEL_MACHINE := $(KERNEL_MESSAGE_NAMES:%=kernel/%.c) $(wildcard kernel/frame*.c kernel/pool*.c kernel/table*.c) \
	tests/host/kernel_machine.c

HOST_TESTS += message
message_SOURCES := tests/host/message_test.c $(KERNEL_MACHINE)
HOST_TESTS += message_property
message_property_SOURCES := $(wildcard tests/host/message_model*.c) tests/host/message_property_test.c \
	$(KERNEL_MACHINE)
HOST_TESTS += kernel_check
kernel_check_SOURCES := tests/host/kernel_check_test.c $(KERNEL_MACHINE)
