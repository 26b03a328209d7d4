#!/usr/bin/env bash
# Run test programs, one per processor at a time. Prints one line per program, and the whole output of those that fail.
# The last line is "N passed, N failed" (and ", N skipped"); exits 1 if any failed, crashed, or ran no test at all.
# An argument VARIABLE=VALUE sets the variable for the programs after it, and is printed.
# GOLDEN: folders of reference cases for test_golden, which is skipped if none exists. RUNNER: a command that runs the programs.
set -u
export LC_ALL=C # numbers have a point
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
golden=()
for folder in ${GOLDEN-}; do [ -d "$folder" ] && golden+=("$folder"); done

run_one() { # program, log: writes the exit code beside the log
    local arguments=() start=$EPOCHREALTIME code
    if [ "$(basename "$1")" = test_golden ]; then
        if [ ${#golden[@]} -eq 0 ]; then
            printf 'no reference cases in %s\n0 passed, 0 failed, 1 skipped\n' "${GOLDEN:-GOLDEN, which is empty}" >"$2"
            echo 0 0 >"$2.code"
            return
        fi
        arguments=("${golden[@]}")
    fi
    # shellcheck disable=SC2086 # a list of words
    ${RUNNER-} "$1" "${arguments[@]}" >"$2" 2>&1 </dev/null
    code=$?
    echo "$code $(((${EPOCHREALTIME/./} - ${start/./}) / 1000))" >"$2.code"
}

count() { # log, cmocka's word, the plain word: the sum over all closing lines
    sed -nE "s/^\[ +$2 +\] ([0-9]+) test\(s\).*/\1/p; /^[0-9]+ passed, [0-9]+ failed/s/.*\b([0-9]+) $3.*/\1/p" "$1" |
        awk '{n += $1} END {print n + 0}'
}

i=0
for program in "$@"; do
    if [[ $program == *=* ]]; then export "${program?}" && continue; fi
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    run_one "$program" "$logs/$i" &
    i=$((i + 1))
done
wait

passed=0 failed=0 skipped=0 i=0
for program in "$@"; do
    if [[ $program == *=* ]]; then printf '%s\n' "$program" && continue; fi
    log=$logs/$i
    read -r code ms <"$log.code"
    p=$(count "$log" PASSED passed) f=$(count "$log" FAILED failed) s=$(count "$log" SKIPPED skipped)
    note=
    [ "$code" -ne 0 ] && [ "$f" -eq 0 ] && f=1 note=" (exit code $code)"
    [ "$code" -eq 0 ] && [ $((p + f + s)) -eq 0 ] && f=1 note=" (ran no test)"
    [ "$s" -gt 0 ] && note="$note, $s skipped"
    [ "$f" -gt 0 ] && cat "$log"
    printf '%-42s %4d passed, %d failed%s  [%d.%d s]\n' "${program#build/}" "$p" "$f" "$note" $((ms / 1000)) $((ms % 1000 / 100))
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s)) i=$((i + 1))
done
[ $((passed + failed)) -eq 0 ] && failed=1
echo
if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
[ "$failed" -eq 0 ]
