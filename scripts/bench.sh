#!/usr/bin/env bash
# bench.sh BUILD: the benchmarks on all threads and on one, as tables and as build/bench-*.json.
set -eu
for n in $(nproc) 1; do
    for what in layers iterations; do
        "$1/bench_$what" "$n" "build/bench-$what-$n.json"
        echo
    done
done
