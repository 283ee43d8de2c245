# What one does with a built system: run, test, debug, check, clean.
#
# SPDX-License-Identifier: BSD-2-Clause

# The options of `make run` and `make bochs`, for tools/run and tools/run-bochs.
export BOOT MEM CPU ICOUNT FILE TIMEOUT APPEND

iso: $(BUILD)/faultline.iso ## Make an ISO image that GRUB boots (BIOS)
$(BUILD)/faultline.iso: $(BUILD)/kernel.elf $(BUILD)/boot.cpio tools/mkiso
	$(call say,ISO,$@)
	$(Q)tools/mkiso $@ $(BUILD)/kernel.elf $(BUILD)/boot.cpio

setup: ## Install the packages that are missing
	@tools/setup

# Packages first, then the build in a make of its own, which finds them; the terminal or the
# script on standard input is for the guest alone.
run: ## Boot in QEMU: a shell, or the commands on standard input
	@tools/setup && $(MAKE) all </dev/null >&2 && tools/run

bochs: ## The same from the ISO image in Bochs
	@tools/setup && $(MAKE) all build/console-relay </dev/null >&2 && tools/run-bochs

gdb: ## Boot in QEMU stopped, with gdb attached
	@tools/setup build debug && $(MAKE) all </dev/null >&2 && tools/gdb

test: ## Run all tests
	@tools/setup && tools/test

host-test: ## Run the tests that need no machine
	@tools/setup && tools/test host

lint: ## Run clang-tidy, cppcheck and sparse
	@tools/setup build lint && $(MAKE) CC=clang lint-sources </dev/null

.PHONY: lint-sources
lint-sources: $(LIBC_READY)
	@KERNEL_FLAGS='$(KERNEL_FLAGS)' SERVER_FLAGS='$(SERVER_FLAGS)' PROGRAM_FLAGS='$(PROGRAM_FLAGS)' tools/lint

build/console-relay: tools/console-relay.c
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)gcc $(WARNINGS) -O2 -D_GNU_SOURCE $< -o $@

clean: ## Remove what was built, but keep the C library
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name newlib -exec rm -rf {} +; fi

distclean: ## Remove all of build/
	@rm -rf build

help: ## This list
	@echo "make TARGET [CC=gcc|clang] [V=1] [PICOLIBC=prefix]"
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile tools/targets.mk tests/*/*.mk | expand -t 14 | sed 's/^/  /'
	@echo "Options of run and bochs: MEM=256 CPU=max ICOUNT=1 FILE=text TIMEOUT=seconds APPEND='words for the kernel'"
