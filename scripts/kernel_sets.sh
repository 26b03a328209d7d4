#!/usr/bin/env bash
# kernel_sets.sh [SET ...]: runs the tests whose results depend on matrix products once per set of OpenBLAS kernels that
# this processor supports (default: all sets): conformance and golden cases in double precision; learner, allocations
# and trained models in both; the program in single precision. The bits of a result may differ between sets; its test
# must pass with each. Called by `make test-kernels`.
# kernel_sets.sh --list: prints only the names of the sets. Sets that cannot be run are reported on the standard error.
# MAKE: the make program. GOLDEN: folders of reference cases. Ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
case $(uname -m) in
x86_64) known="Sandybridge:avx Haswell:avx2,fma Zen:avx2,fma SkylakeX:avx512f,avx512dq,avx512bw,avx512vl
    Cooperlake:avx512f,avx512dq,avx512bw,avx512vl,avx512_bf16" ;;
aarch64) known="ARMV8:asimd NEOVERSEN1:asimd,asimddp,atomics" ;;
*) known= ;;
esac
flags=" $(sed -nE 's/^(flags|Features)[[:space:]]*: //p' /proc/cpuinfo | head -n 1) "
first_missing() { # flags, separated by commas: prints the first one that the processor does not have
    local flag
    for flag in ${1//,/ }; do [[ $flags == *" $flag "* ]] || { echo "$flag" && return; }; done
}
list=
[ "${1-}" = --list ] && list=1 && shift
"${MAKE:-make}" -s build/float/costate >/dev/null
sets=()
for entry in $known; do
    name=${entry%%:*}
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    missing=$(first_missing "${entry#*:}")
    if [ -n "$missing" ]; then
        echo "$name: skipped: the processor has no $missing" >&2
    elif [[ $(OPENBLAS_CORETYPE=$name build/float/costate --version 2>&1) != *" $name "* ]]; then
        echo "$name: skipped: this OpenBLAS does not have these kernels" >&2
    else
        sets+=("$name")
    fi
done
[ -z "$list" ] || { printf '%s\n' "${sets[@]}" && exit; }

both="test_learner test_learner_memory test_alloc_failure test_small_gemm test_trainer test_best test_sample test_densities"
double="test_conformance test_golden $both"
"${MAKE:-make}" -s build-tests PRECISION=double TESTS="$double" >/dev/null
"${MAKE:-make}" -s build-tests PRECISION=float TESTS="$both" >/dev/null
programs=()
for name in "${sets[@]}"; do
    programs+=("OPENBLAS_CORETYPE=$name")
    for test in $double; do programs+=("build/double/$test"); done
    for test in $both; do programs+=("build/float/$test"); done
    programs+=(tests/test_cli.sh)
done
COSTATE=build/float/costate GOLDEN=${GOLDEN-../shared/golden} tests/run.sh "${programs[@]}"
