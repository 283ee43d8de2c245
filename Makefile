# Faultline: kernel, servers, C library, programs, boot archive.
#
#   sources -> build/<compiler>/objects/{kernel,server,program}/**.o -> kernel.elf, servers/*, programs/*
#           -> root/ (stripped) -> boot.cpio -> faultline.iso
#
# Sources are found by wildcard.  The C library is built once into build/newlib, for all compilers.
# Progress goes to standard error, so that `make run` leaves standard output to the guest.
#
# SPDX-License-Identifier: BSD-2-Clause

ifeq ($(origin CC),default)
CC := gcc
endif
COMPILER := $(notdir $(firstword $(CC)))
BUILD := build/$(COMPILER)$(if $(PICOLIBC),-picolibc)$(VARIANT:%=-%)
NEWLIB := build/newlib
MAKEFLAGS += -r --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2) >&2
export BUILD

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all kernel archive iso run bochs gdb test host-test host-binaries lint clean distclean help setup

all: kernel archive ## Build everything that boots (default)

# ---- flags ----
TARGET := $(if $(findstring clang,$(CC)),--target=x86_64-unknown-elf,-fno-tree-loop-distribute-patterns)
OWN_HEADERS := $(shell $(CC) -print-file-name=include 2>/dev/null)
WARNINGS := -std=c17 -Wall -Wextra -Wconversion -Wshadow -Werror
CODE := -O2 -g -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -MMD -MP
FREESTANDING := -ffreestanding -nostdinc -isystem $(OWN_HEADERS) -mgeneral-regs-only -fno-omit-frame-pointer
KERNEL_FLAGS := $(WARNINGS) $(CODE) $(TARGET) $(FREESTANDING) -mno-red-zone -mcmodel=kernel -Iinclude -Ikernel
SERVER_FLAGS := $(WARNINGS) $(CODE) $(TARGET) $(FREESTANDING) -Iinclude -Ilib
# gcc believes that it compiles for Linux; the C library's headers must not.
HOSTED := $(if $(findstring clang,$(CC)),,-U__linux__ -U__linux -Ulinux -U__gnu_linux__ -U__unix__ -U__unix -Uunix)
ifdef PICOLIBC
LIBC_HEADERS := $(PICOLIBC)/include
LIBC_LIBS := $(wildcard $(PICOLIBC)/lib/libc.a $(PICOLIBC)/lib/libm.a)
LIBC_READY :=
else
LIBC_HEADERS := $(NEWLIB)/x86_64-elf/include
LIBC_LIBS := $(NEWLIB)/x86_64-elf/lib/libc.a $(NEWLIB)/x86_64-elf/lib/libm.a
LIBC_READY := $(NEWLIB)/done
endif
PROGRAM_FLAGS := $(WARNINGS) $(CODE) $(TARGET) $(HOSTED) -nostdinc -isystem $(LIBC_HEADERS) \
	-isystem $(OWN_HEADERS) -ffunction-sections -fdata-sections -D_GNU_SOURCE -D__DYNAMIC_REENT__ \
	-Ilib/posix/include -Iinclude -Ilib -Ilib/posix
COMPILER_LIB := $(shell gcc -print-libgcc-file-name 2>/dev/null) # 128-bit shifts and the like
LINK := ld -nostdlib -static --build-id=none -z noexecstack -z max-page-size=4096
HOST := build/host
HOST_CHECKS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
HOST_FLAGS := $(WARNINGS) -g $(HOST_CHECKS) -MMD -MP \
	-Itests/host -Iinclude -iquote kernel -Ilib -Iservers/pager

# ---- sources ----
objects = $(patsubst %,$(BUILD)/objects/$(1)/%.o,$(2))
KERNEL_OBJECTS := $(call objects,kernel,$(wildcard kernel/*.c kernel/*.asm boot/*.asm lib/format/*.c))
SERVERS := $(sort $(patsubst servers/%/,%,$(dir $(wildcard servers/*/*.c))))
SERVER_LIBRARY := $(call objects,server,$(wildcard lib/*.c lib/server/*.c lib/server/*.asm lib/format/*.c))
PROGRAMS := $(sort $(basename $(notdir $(wildcard programs/*.c))) \
	$(patsubst programs/%/,%,$(dir $(wildcard programs/*/*.c))))
LIBC_GLUE := lib/posix/$(if $(PICOLIBC),picolibc,newlib)
PROGRAM_LIBRARY := $(call objects,program,$(wildcard lib/posix/*.c lib/posix/*.asm $(LIBC_GLUE)/*.c))

# ---- VARIANT=name: a build for tests with other flags or more sources, all beside this one ----
ifdef VARIANT
include tests/variants/$(VARIANT)/variant.mk
endif

# ---- compiling ----
# Called by entry.asm only, which has nothing in registers that it wants back: no need to save any.
ifeq ($(CC)$(VARIANT),gcc)
$(BUILD)/objects/kernel/kernel/ipc_fast.c.o: KERNEL_FLAGS += -fomit-frame-pointer -ffixed-rbp \
	$(foreach register,rbx r12 r13 r14 r15,-fcall-used-$(register))
endif
$(BUILD)/objects/kernel/%.c.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_FLAGS) -c $< -o $@
$(BUILD)/objects/kernel/%.asm.o: %.asm $(BUILD)/offsets.inc Makefile
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)nasm -f elf64 -g -F dwarf -I$(BUILD)/ -I$(<D)/ -MD $(@:.o=.d) -MT $@ -o $@ $<
$(BUILD)/objects/server/%.c.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SERVER_FLAGS) -I$(<D) -c $< -o $@
$(BUILD)/objects/server/%.asm.o $(BUILD)/objects/program/%.asm.o: %.asm $(BUILD)/offsets.inc Makefile
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)nasm -f elf64 -g -F dwarf -I$(BUILD)/ -I$(<D)/ -MD $(@:.o=.d) -MT $@ -o $@ $<
$(BUILD)/objects/program/%.c.o: %.c $(LIBC_READY) Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(PROGRAM_FLAGS) -I$(<D) -c $< -o $@
$(BUILD)/%.ld: %.ld include/faultline/layout.h Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -D__ASSEMBLER__ -Iinclude $< -o $@
$(BUILD)/offsets.inc: tools/offsets.sh tools/offsets.c \
		$(wildcard include/faultline/*.h kernel/*.h kernel/machine/*.h) Makefile
	$(call say,OFFSETS,$@)
	@mkdir -p $(@D)
	$(Q)tools/offsets.sh $@ $(CC) $(filter-out -MMD -MP,$(KERNEL_FLAGS))
$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(NEWLIB)/done: tools/build-newlib
	$(Q)tools/build-newlib $(NEWLIB) >&2

# ---- kernel: linked with an empty table of its functions, listed, linked again with the real one ----
kernel: $(BUILD)/kernel.elf ## Build the kernel alone
KERNEL_LINK = $(LINK) $(KERNEL_LINK_FLAGS) -T $(BUILD)/boot/kernel.ld -o $@ $(filter %.o,$^) $(KERNEL_LIBS)
$(BUILD)/kernel.0: $(KERNEL_OBJECTS) $(BUILD)/symbols.0.o $(BUILD)/boot/kernel.ld
	$(Q)$(KERNEL_LINK)
$(BUILD)/kernel.elf: $(KERNEL_OBJECTS) $(BUILD)/symbols.1.o $(BUILD)/boot/kernel.ld
	$(call say,LD,$@)
	$(Q)$(KERNEL_LINK)
$(BUILD)/symbols.0.c: tools/symbols.sh
	@mkdir -p $(@D)
	$(Q)tools/symbols.sh </dev/null >$@
$(BUILD)/symbols.1.c: $(BUILD)/kernel.0 tools/symbols.sh
	$(Q)nm -n $< | tools/symbols.sh >$@
$(BUILD)/symbols.%.o: $(BUILD)/symbols.%.c kernel/symbols.h
	$(Q)$(CC) $(KERNEL_FLAGS) -c $< -o $@

# ---- servers and programs ----
$(BUILD)/libserver.a: $(SERVER_LIBRARY)
$(BUILD)/libposix.a: $(PROGRAM_LIBRARY)

define server # name, sources
$(BUILD)/servers/$(1): $$(call objects,server,$(2)) $(BUILD)/libserver.a $(BUILD)/lib/server/server.ld
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(LINK) --require-defined=_start -T $(BUILD)/lib/server/server.ld -o $$@ $$(filter %.o %.a,$$^)
endef
define program # name, sources
$(BUILD)/programs/$(1): $$(call objects,program,$(2)) $(BUILD)/libposix.a $(BUILD)/lib/posix/program.ld $(LIBC_READY)
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(LINK) --require-defined=_start --gc-sections -T $(BUILD)/lib/posix/program.ld -o $$@ $$(filter %.o,$$^) \
		--whole-archive $(BUILD)/libposix.a --no-whole-archive --start-group $(LIBC_LIBS) $(COMPILER_LIB) --end-group
endef
$(foreach name,$(SERVERS),$(eval $(call server,$(name),$(wildcard servers/$(name)/*.c servers/$(name)/*.asm))))
$(foreach name,$(PROGRAMS),$(eval $(call program,$(name),\
	$(wildcard programs/$(name).c programs/$(name)/*.c programs/$(name)/*.asm))))
# The tests' own: programs tests and oracle, and the server kerneltests.
PROGRAMS += tests oracle
SERVERS += kerneltests
$(eval $(call program,tests,$(wildcard tests/guest/*.c tests/guest/*.asm)))
$(eval $(call program,oracle,$(wildcard tests/oracle/*.c)))
$(eval $(call server,kerneltests,$(wildcard tests/guest/kernel/*.c tests/guest/kernel/*.asm)))

# ---- boot archive: what the machine finds; debug information stays outside ----
ROOT := $(BUILD)/root
ROOT_NAMES := $(SERVERS:%=servers/%) $(PROGRAMS:%=bin/%) text/default.txt etc/boot
archive: $(BUILD)/boot.cpio ## Build the boot archive alone
$(BUILD)/boot.cpio: $(ROOT_NAMES:%=$(ROOT)/%) $(BUILD)/damaged tools/mkarchive Makefile
	$(call say,ARCHIVE,$@)
	$(Q)(printf '%s\n' $(ROOT_NAMES) && cd $(ROOT) && ls damaged/*) > $(BUILD)/archive.list
	$(Q)tools/mkarchive $@ $(BUILD)
$(ROOT)/servers/%: $(BUILD)/servers/%
	@mkdir -p $(@D)
	$(Q)strip -o $@ $<
$(ROOT)/bin/%: $(BUILD)/programs/%
	@mkdir -p $(@D)
	$(Q)strip -o $@ $<
$(ROOT)/etc/boot: servers/init/boot.script
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/damaged: tests/guest/mkdamaged
	$(Q)rm -rf $(ROOT)/damaged && tests/guest/mkdamaged $(ROOT)/damaged && touch $@
$(ROOT)/text/default.txt: tools/mktext
	$(call say,TEXT,$@)
	@mkdir -p $(@D)
	$(Q)tools/mktext $@

# ---- host tests: tests/*/*.mk add names to HOST_TESTS and define <name>_SOURCES; also other tests' rules ----
include $(wildcard tests/*/*.mk)
define host_test # name
$(HOST)/$(1): $$(patsubst %,$(HOST)/objects/%.o,$$($(1)_SOURCES))
	$$(call say,HOSTLD,$$@)
	$$(Q)gcc $(HOST_CHECKS) -o $$@ $$^
endef
$(foreach name,$(HOST_TESTS),$(eval $(call host_test,$(name))))
$(HOST)/objects/%.c.o: %.c Makefile
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)gcc $(HOST_FLAGS) -c $< -o $@
host-binaries: $(HOST_TESTS:%=$(HOST)/%)
	@mkdir -p $(HOST) && printf '%s\n' $(HOST_TESTS) > $(HOST)/list

include tools/targets.mk
-include $(shell find $(BUILD) $(HOST) -name '*.d' 2>/dev/null)
