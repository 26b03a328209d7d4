#!/usr/bin/env bash
# bench.sh BUILD: runs the benchmarks in the folder BUILD: matrix products per set of OpenBLAS kernels, layers and
# iterations on all threads and on one. Prints tables and writes build/bench-*.json. Called by `make bench`.
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
