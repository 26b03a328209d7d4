#!/usr/bin/env bash
# kernel_sets.sh [SET ...]: the tests whose figures come out of matrix products, once with each set of OpenBLAS's kernels that
# this processor can run (default: all of these, and the set that OpenBLAS chooses). Conformance and golden cases in double
# precision, learner, allocations and trained figures in both, the program in single. The bits of a result may differ from set
# to set; whether it is within a test's tolerance may not. Called by `make test-kernels`.
# MAKE: the make program. GOLDEN: folders of reference cases. Ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
both="test_learner test_alloc_failure test_trainer test_best test_sample test_densities"
double="test_conformance test_golden $both"
for precision in double float; do
    tests=$both
    [ "$precision" = double ] && tests=$double
    "${MAKE:-make}" -s build-tests PRECISION=$precision TESTS="$tests"
done

case $(uname -m) in
x86_64) known="Sandybridge:avx Haswell:avx2,fma Zen:avx2,fma SkylakeX:avx512f,avx512dq,avx512bw,avx512vl
    Cooperlake:avx512f,avx512dq,avx512bw,avx512vl,avx512_bf16" ;;
aarch64) known="ARMV8:asimd NEOVERSEN1:asimd,asimddp,atomics" ;;
*) known= ;;
esac
flags=" $(sed -nE 's/^(flags|Features)[[:space:]]*: //p' /proc/cpuinfo | head -n 1) "
lacks() { # flags: the first one that the processor has not
    local flag
    for flag in ${1//,/ }; do [[ $flags == *" $flag "* ]] || { echo "$flag" && return; }; done
}
# Another name for what is not set at all, which is what users have.
default=$(env -u OPENBLAS_CORETYPE build/float/costate --version)
sets=()
for entry in ${known:-none:}; do
    name=${entry%%:*}
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    missing=$(lacks "${entry#*:}")
    if [[ $default == *" $name "* ]]; then
        echo "$name: what OpenBLAS chooses by itself, run without a choice"
    elif [ -n "$missing" ]; then
        echo "$name: skipped, the processor has no $missing"
    elif [[ $(OPENBLAS_CORETYPE=$name build/float/costate --version 2>&1) != *" $name "* ]]; then
        echo "$name: skipped, this OpenBLAS has no such kernels"
    else
        sets+=("$name")
    fi
done
echo

unset OPENBLAS_CORETYPE
programs=()
add() {
    local test
    for test in $double; do programs+=("build/double/$test"); done
    for test in $both; do programs+=("build/float/$test"); done
    programs+=(tests/test_cli.sh)
}
[ $# -eq 0 ] && add
for name in "${sets[@]}"; do programs+=("OPENBLAS_CORETYPE=$name") && add; done
COSTATE=build/float/costate GOLDEN=${GOLDEN-../shared/golden} tests/run.sh "${programs[@]}"
