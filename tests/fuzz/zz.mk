# Rules of the fuzz targets: objects of each apart, since flags may differ.  Coverage guides by the
# product's code alone: files below tests/, and the checks of its rules, are not instrumented for it.
#
# SPDX-License-Identifier: BSD-2-Clause
define fuzz_target # name
build/fuzz/objects/$(1)/%.c.o: %.c Makefile
	$$(call say,FUZZCC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(FUZZ_CC) -fsanitize=$$(if $$(filter $$(FUZZ_UNGUIDED),$$<),,fuzzer-no-link,)address,undefined \
		$$(or $$($(1)_fuzz_FLAGS),$$(FUZZ_FLAGS)) -c $$< -o $$@
endef
$(foreach name,$(FUZZ_TARGETS),$(eval $(call fuzz_target,$(name))))

fuzz-binaries: $(FUZZ_TARGETS:%=build/fuzz/%)

.SECONDEXPANSION:
$(FUZZ_TARGETS:%=build/fuzz/%): build/fuzz/%: \
		$$(addprefix build/fuzz/objects/$$*/,$$(addsuffix .o,tests/fuzz/fuzz.c $$($$*_fuzz_SOURCES)))
	$(call say,FUZZLD,$@)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^

-include $(shell find build/fuzz -name '*.d' 2>/dev/null)
