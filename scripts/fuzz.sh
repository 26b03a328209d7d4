#!/usr/bin/env bash
# fuzz.sh SECONDS PROGRAM...: runs each fuzz target for SECONDS, one after the other, from its seeds and the inputs that
# earlier runs have kept in build/fuzz/TARGET. Prints one line per target. A finding is shown with its report, and makes
# the script fail.
set -u
seconds=$1 failed=0
shift
export OPENBLAS_NUM_THREADS=1 ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
for program in "$@"; do
    name=$(basename "$program")
    corpus=build/fuzz/$name log=build/fuzz/$name.log
    mkdir -p "$corpus"
    # An allocation that is too large returns NULL and is not a finding; using too much memory is one.
    if "$program" -max_total_time="$seconds" -timeout=20 -malloc_limit_mb=4096 -rss_limit_mb=3000 -max_len=16384 \
        -artifact_prefix="build/fuzz/$name-" -print_final_stats=1 "$corpus" >"$log" 2>&1; then
        printf '%-20s %9d runs, %4d inputs kept, no findings\n' "$name" \
            "$(sed -n 's/^stat::number_of_executed_units: //p' "$log")" "$(find "$corpus" -type f | wc -l)"
    else
        tail -n 60 "$log" | tr -cd '\11\12\40-\176'
        printf '%-20s FAILED: the input is in build/fuzz, the whole report in %s\n' "$name" "$log"
        failed=1
    fi
done
exit $failed
