# costate: see `make help`. Variables: CC, CFLAGS (added to the project's), PRECISION=float|double, NATIVE=1,
# SANITIZE=address,undefined, WERROR=1, V=1 (show the commands), GOLDEN="DIR ...", TESTS="test_core ...", PREFIX, DESTDIR.
PRECISION ?= float
PREFIX ?= /usr/local
GOLDEN ?= ../shared/golden
jobs := $(if $(filter 0,$(MAKELEVEL)),$(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc)))
MAKEFLAGS += --no-builtin-rules --no-print-directory $(jobs)
quiet = $(if $(V),,@echo "  $(1)";)

FOLDERS := core formats layers ode adjoint models datasets train analysis
PACKAGES := openblas libcjson zlib
comma := ,
variant := $(PRECISION)$(if $(SANITIZE),-$(firstword $(subst $(comma), ,$(SANITIZE))))$(if $(COVERAGE),-coverage)$(if $(NATIVE),-native)$(if \
    $(filter-out cc gcc,$(CC)),-$(notdir $(CC)))
out := build/$(variant)
lib := $(out)/libcostate$(if $(filter double,$(PRECISION)),-double)
native := $(NATIVE)$(SANITIZE)$(COVERAGE)# for this machine alone; otherwise for all of its architecture, the hot loops once per level

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wdouble-promotion -Wstrict-prototypes -Wmissing-prototypes \
            -Wcast-qual -Wundef -Wvla -Wno-missing-field-initializers $(if $(WERROR),-Werror)
package_cflags := $(subst -I,-isystem ,$(shell pkg-config --cflags $(PACKAGES) stb cmocka 2>/dev/null))
package_libs := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm
all_cflags = -std=c11 -D_POSIX_C_SOURCE=200809L $(optimize) -g -fPIC -pthread -fopenmp-simd -fno-math-errno -fno-trapping-math -ffp-contract=$(contract) $(or $(headers),-I. -DCST_INTERNAL) \
    $(if $(native),-march=native -DCST_LEVEL='"native"') $(if $(filter double,$(PRECISION)),-DCST_DOUBLE) \
    $(if $(SANITIZE),-O1 -Wno-pass-failed -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
    $(if $(COVERAGE),-O1 --coverage) $(WARNINGS) $(package_cflags) $(CFLAGS)

objects = $(patsubst %.c,$(out)/%.o,$(sort $(wildcard $(1))))
lib_objects := $(call objects,$(FOLDERS:=/*.c))
support_objects := $(filter-out $(out)/tests/test_%,$(call objects,tests/*.c)) $(call objects,$(addprefix cli/,catalog.c reference.c schema.c))
tests := $(patsubst tests/%.c,$(out)/%,$(sort $(wildcard tests/test_*.c)))
chosen := $(if $(TESTS),$(addprefix $(out)/,$(TESTS)),$(tests))
quick := $(if $(SLOW),$(chosen),$(filter-out $(out)/test_slow_%,$(chosen)))
examples := $(patsubst examples/%.c,$(out)/%,$(wildcard examples/*.c))
installed := $(out)/costate $(lib).a $(lib).so
programs := $(out)/costate $(patsubst bench/%.c,$(out)/%,$(wildcard bench/*.c)) $(examples)
contract := off
optimize := -O3
$(out)/layers/%.o $(out)/core/small_gemm.o: contract := fast # elsewhere every operation rounds: see ode/combine.c
$(out)/core/small_gemm.o: optimize := -O2 # its loops are vectors already, and -O3 makes three of each
$(out)/bench/bench_gemm.o: all_cflags += $(shell pkg-config --exists libxsmm 2>/dev/null && echo -DWITH_LIBXSMM) # only where it is installed
$(out)/bench_gemm: package_libs += $(shell pkg-config --exists libxsmm 2>/dev/null && echo -lxsmm)
$(out)/tests/%.o: all_cflags += -fno-tree-vectorize # with it, gcc 12 for aarch64 fails on fmax over floats

all: $(installed:$(out)/%=build/%) ## build the program and the libraries

# stb counts on wrapping, on NULL + 0 and on copying nothing from there; what leads out of an array is still found.
$(out)/formats/image.o: all_cflags += $(if $(SANITIZE),-fno-sanitize=pointer-overflow$(comma)shift$(comma)signed-integer-overflow$(comma)nonnull-attribute)

hot := core/level core/module_shard core/small_gemm $(addprefix layers/,activations avg_pool2d concat_squash conv2d im2col im2col_columns linear max_pool2d normalize normalize_jvp_vjp vmath winograd winograd_tiles) \
    ode/combine ode/solve_step ode/solve $(addprefix adjoint/,backsolve checkpointed forward_solve gradient trajectory) $(addprefix models/,cde_field cnf_field gru_cell symoden_row)
compile = $(CC) $(all_cflags) -MMD -MP -c $< -o $@
$(if $(native),,$(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),$(hot:%=$(out)/%.o))): compile = scripts/levels.sh $@ $< $(CC) $(all_cflags)
$(out)/%.o: %.c Makefile scripts/levels.sh
	@mkdir -p $(@D)
	$(call quiet,cc $@)$(compile)
$(lib).a: $(lib_objects)
$(out)/libsupport.a: $(support_objects)
$(out)/lib%.a:
	@rm -f $@
	$(call quiet,ar $@)$(AR) rcs $@ $^
$(lib).so: $(lib_objects) $(out)/include/costate.h scripts/exports.sh
	@CC="$(CC)" scripts/exports.sh $(PRECISION) $(out)/include $(filter %.o,$^) >$(out)/costate.map
	$(link) -shared -Wl,-soname,$(@F).0 -Wl,--version-script=$(out)/costate.map

link = $(call quiet,ld $@)$(CC) $(all_cflags) -o $@ $(filter %.o %.a,$^) $(LDFLAGS) $(package_libs)
$(out)/costate: $(call objects,cli/*.c) $(lib).a
	$(link)
$(out)/test_%: $(out)/tests/test_%.o $(out)/libsupport.a $(lib).a
	$(link) -lcmocka
$(out)/%: $(out)/bench/%.o $(lib).a
	$(link)
$(out)/%: $(out)/examples/%.o $(lib).a
	$(link)
$(out)/fuzz_%: $(out)/fuzz/fuzz_%.o $(lib).a
	$(link) -fsanitize=fuzzer

$(call objects,examples/*.c): headers = -I$(out)/include# as their readers have them
$(call objects,examples/*.c): $(out)/include/costate.h
$(out)/include/costate.h: costate.h scripts/headers.sh $(wildcard $(FOLDERS:=/*.h))
	@CC="$(CC)" scripts/headers.sh $(@D)

$(installed:$(out)/%=build/%): build/%: $(out)/% always
	@cmp -s $< $@ || cp $< $@
build-tests: $(quick) $(examples) $(installed)
everything: $(lib_objects) $(chosen) $(programs) $(lib).so
setup: ## install the system packages that are missing (Debian)
	@scripts/setup.sh

test: setup ## build and run the tests, in double and in float
test-slow: setup ## all tests, the slow ones included
test-kernels: setup ## tests of results once with each set of OpenBLAS's kernels that this processor can run
double: ## build everything in double precision and run the tests
asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
tsan: ## the threads under ThreadSanitizer
coverage: ## lines that the tests reach, by file
test test-slow test-kernels double asan tsan coverage:
	@MAKE="$(MAKE)" scripts/test.sh $@

runs ?= $(variant)
scripts := $(if $(SLOW),$(wildcard tests/test_*.sh),$(filter-out tests/test_slow_%,$(wildcard tests/test_*.sh)))
run-tests:
	@GOLDEN="$(GOLDEN)" COSTATE="build/$(lastword $(runs))/costate" tests/run.sh $(foreach \
	    v,$(runs),$(patsubst $(out)/%,build/$(v)/%,$(quick))) $(if $(TESTS),,$(scripts))

golden: ## compare with the reference cases below GOLDEN="DIR ..."
	@$(MAKE) build/double/test_golden PRECISION=double && build/double/test_golden $(GOLDEN)
mutate: ## put small mistakes into a copy of the sources and demand that tests fail, MUTANTS=pattern to choose
	@MUTANTS="$(MUTANTS)" scripts/mutate.sh
SECONDS ?= 60
fuzzers := $(patsubst fuzz/%.c,$(out)/%,$(wildcard fuzz/fuzz_*.c))
fuzz: ## feed every reader of files with damaged ones, SECONDS=60 each, under clang's sanitizers
	@$(MAKE) build-fuzz CC=clang PRECISION=double SANITIZE=fuzzer-no-link,address,undefined
build-fuzz: $(fuzzers)
	@scripts/fuzz.sh $(SECONDS) $^

check: check-format check-includes check-headers check-public check-sizes ## formatting, include rules, headers, sizes
lint: check-lint ## clang-tidy and cppcheck
check-%:
	@PACKAGES="$(package_cflags)" scripts/check.sh $*

docs: ## write docs/config.md from the program's tables
	@$(MAKE) $(out)/costate
	$(out)/costate list --markdown >$(out)/config.md && cp $(out)/config.md docs/config.md
format: ## format all sources
	clang-format -i costate.h $$(find $(FOLDERS) cli tests $(wildcard bench examples fuzz) -name '*.[ch]' -o -name '*.inc')
bench: ## time products, layers and training iterations beside their limits, as tables and as build/bench-*.json
	@$(MAKE) $(out)/bench_gemm $(out)/bench_layers $(out)/bench_iterations && scripts/bench.sh $(out)

demo: setup ## train an ODE-Net on Fashion-MNIST under two adjoint norms and compare them
speech: setup ## train neural CDEs on Speech Commands under two adjoint norms and compare them
acrobot: setup ## train SymODEN on the double pendulum under several adjoints, compare them, and bring it upright
flows: setup ## train continuous normalizing flows on points in the plane and draw what they have learnt
demo speech acrobot flows:
	@$(MAKE) all && scripts/$@.sh

install: $(installed) $(out)/include/costate.h ## headers, libraries, program and pkg-config file below PREFIX
	@scripts/install.sh "$(DESTDIR)" "$(PREFIX)" "$(PRECISION)" "$(out)"
uninstall: ## remove those of this PRECISION
	@scripts/install.sh --remove "$(DESTDIR)" "$(PREFIX)" "$(PRECISION)"
clean: ## remove build/
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

.PHONY: all always build-tests everything setup test test-slow test-kernels run-tests golden mutate double asan tsan fuzz build-fuzz \
    coverage check lint docs format bench demo speech acrobot flows install uninstall clean help
.SECONDARY:
-include $(shell find $(out) -name '*.d' 2>/dev/null)
