#!/usr/bin/env bash
# bench.sh BUILD: the benchmarks on all threads and on one, and products with each set of OpenBLAS's kernels, as tables and as
# build/bench-*.json.
set -eu
for set in $(scripts/kernel_sets.sh --list); do
    OPENBLAS_CORETYPE=$set "$1/bench_gemm" "build/bench-gemm-$set.json"
    echo
done
for n in $(nproc) 1; do
    for what in layers iterations; do
        "$1/bench_$what" "$n" "build/bench-$what-$n.json"
        echo
    done
done
