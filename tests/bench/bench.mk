# The benchmark (docs/performance.md).  Its programs are not in the boot archive of the system: they get
# an archive of their own.
#
# SPDX-License-Identifier: BSD-2-Clause
.PHONY: bench bench-build bench-limits bench-growth bench-whole bench-docs bench-profile bench-breakdown

BENCH_SOURCES := $(wildcard tests/bench/*.c)
BENCH_PROGRAMS := bench tiny growth whole whole_snapshot
BENCH_COMMON := $(filter-out tests/bench/tiny.c,$(wildcard tests/bench/*.c))
BENCH_SYSTEM := $(wildcard tests/bench/faultline/*)

$(eval $(call program,bench,$(BENCH_COMMON) $(BENCH_SYSTEM)))
$(eval $(call program,growth,tests/bench/growth/growth.c tests/bench/series.c $(BENCH_SYSTEM)))
$(eval $(call program,whole,$(wildcard tests/bench/whole/*.c) tests/bench/series.c $(BENCH_SYSTEM)))
$(eval $(call program,whole_snapshot,$(addprefix programs/snapshot/,main.c index.c text.c host/report_host.c)))
$(eval $(call program,tiny,tests/bench/tiny.c))
$(eval $(call server,kernelbench,tests/bench/kernel/main.c \
	$(addprefix tests/guest/kernel/,harness.c spaces.c coverage.c blobs.asm)))

bench-build: $(BUILD)/kernel.elf $(BUILD)/boot.cpio $(BENCH_PROGRAMS:%=$(ROOT)/bin/%) $(ROOT)/servers/kernelbench $(BUILD)/bench.list build/bench/data build/console-relay

$(BUILD)/bench.list: tests/bench/bench.mk
	@mkdir -p $(@D) && echo $(BENCH_PROGRAMS) > $@

build/bench/data:
	@mkdir -p $(@D)
	$(Q)head -c 4194304 /dev/zero | tr '\0' 'b' > $@

export LINUX

bench: ## Measure every operation (LINUX=1: on Linux, too): a table, build/bench.json, build/bench.svg
	@tools/setup build $(if $(LINUX),bench) && $(MAKE) bench-build </dev/null >&2 && tests/bench/run

bench-limits: ## Record what operations take now as the limits that tests/system/bench.sh holds
	@tools/setup && $(MAKE) bench-build </dev/null >&2 && tests/bench/limits record

bench-growth: ## How costs grow with size, regions, processes; the pager's worst time between two receives
	@tools/setup && $(MAKE) bench-build </dev/null >&2 && tests/bench/growth/run

bench-whole: ## Whole programs (LINUX=1: on Linux, too): instructions of the whole run
	@tools/setup build $(if $(LINUX),bench) && $(MAKE) bench-build </dev/null >&2 && tests/bench/whole/run

bench-docs: ## Put the last measurements into docs/performance.md
	@tests/bench/document

bench-profile: ## Where the instructions of a row go, e.g. ROW=T2 (BY=lines: by source line)
	@tools/setup && $(MAKE) bench-build </dev/null >&2 && tests/bench/profile/run $(ROW) $(BY)

bench-breakdown: ## Where the instructions of each operation go: program, entry, exit, kernel, pager, servers
	@tools/setup && $(MAKE) bench-build </dev/null >&2 && tests/bench/profile/breakdown
