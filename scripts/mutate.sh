#!/usr/bin/env bash
# Break the sources on purpose, one line at a time, and demand that a test fails each time. Called by `make mutate`.
# tests/mutants.txt lists the mutants and says how they are written. Each one is applied to a copy of the tree, its file is
# compiled, and its tests run until one of them fails, which kills it; a test that does not end in time fails, too.
# MUTANTS: a pattern (grep -E) that selects by file and description. JOBS: mutants at once (default: the number of processors).
# LIMIT: seconds that a test may run (default: 120). Exits with 1 if a mutant survived, is stale or does not compile.
set -um # -m: each background job leads a process group of its own, which can be stopped as a whole
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL # the builds below do not depend on the make that called
list=tests/mutants.txt
variant=build/double-native
flags="-O1 -g0" # they compile in half the time
jobs=${JOBS:-$(nproc)} limit=${LIMIT:-120}
folder=$(mktemp -d)
stop() {
    exec 2>/dev/null # the shell tells of every job that is stopped
    for job in $(jobs -p); do kill -TERM -- "-$job"; done
    wait
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Read the list: one entry per mutant in each array.
files=() descriptions=() olds=() news=() tests=()
while IFS= read -r line; do
    case $line in
    '' | '#'*) ;;
    '- '*) olds+=("${line#- }") ;;
    '+' | '+ '*) line=${line#+} && news+=("${line# }") ;;
    '= '*) tests+=("${line#= }") ;;
    *.c': '*) files+=("${line%%: *}") && descriptions+=("${line#*: }") ;;
    *) echo "$list: expected a mutant, found \"$line\"" >&2 && exit 1 ;;
    esac
done <"$list"
for n in ${#olds[@]} ${#news[@]} ${#tests[@]}; do
    [ "$n" -eq ${#files[@]} ] || { echo "$list: a mutant lacks one of its four lines" >&2 && exit 1; }
done

# Select mutants, and check that each old text occurs exactly once in its file before anything is built.
chosen=() stale=0
for i in "${!files[@]}"; do
    grep -qE -- "${MUTANTS-}" <<<"${files[i]}: ${descriptions[i]}" || continue
    chosen+=("$i")
    [ "$(grep -oF -- "${olds[i]}" "${files[i]}" | wc -l)" -eq 1 ] && continue
    printf 'stale: %s: %s\n       expected exactly once in the file: %s\n' "${files[i]}" "${descriptions[i]}" "${olds[i]}" >&2
    stale=1
done
[ $stale -eq 0 ] || exit 1
[ ${#chosen[@]} -gt 0 ] || { echo "no mutant matches \"${MUTANTS-}\"" >&2 && exit 1; }
[ "$jobs" -le ${#chosen[@]} ] || jobs=${#chosen[@]}

build() { # copy, processes, "test_name:argument" ...: compile and link the tests
    local copy=$1 processes=$2 && shift 2
    # shellcheck disable=SC2046 # a list of words
    make -C "$copy" -s -j"$processes" PRECISION=double NATIVE=1 CFLAGS="$flags" $(printf "$variant/%s\n" "${@%%:*}" | sort -u)
}

run() { # copy, "test_name:argument" ...: run the tests up to the first that fails
    local test
    cd "$1" && shift || return
    ulimit -c 0 -v 8000000 # KiB: some mutants allocate without end
    for test in "$@"; do
        # shellcheck disable=SC2046
        timeout --foreground -k 5 "$limit" "$variant/${test%%:*}" $(cut -s -d: -f2 <<<"$test") </dev/null ||
            { echo "$test" && return 1; } # the log's last line
    done
}

# The first copy: all chosen tests are built in it, and must pass, JOBS of them at once. The others are copies of that one.
prepare() {
    local words
    read -ra words <<<"$(for i in "${chosen[@]}"; do echo "${tests[i]}"; done | tr ' ' '\n' | sort -u | tr '\n' ' ')"
    echo "building the ${#words[@]} tests of ${#chosen[@]} mutants"
    mkdir "$folder/0" && tar --exclude=./build --exclude=./.git -cf - . | tar -xf - -C "$folder/0" || return
    build "$folder/0" "$(nproc)" "${words[@]}" >"$folder/0.log" 2>&1 || { tail -20 "$folder/0.log" && return 1; }
    local parts=() part failed=0
    for ((j = 0; j < jobs; j++)); do
        for ((part = j; part < ${#words[@]}; part += jobs)); do (run "$folder/0" "${words[part]}") || exit; done >"$folder/$j.log" 2>&1 &
        parts+=($!)
    done
    for ((j = 0; j < jobs; j++)); do wait "${parts[j]}" || { tail -20 "$folder/$j.log" && failed=1; }; done
    [ $failed -eq 0 ] || { echo "the tests have to pass without a mutant" && return 1; }
    for ((j = 1; j < jobs; j++)); do cp -a "$folder/0" "$folder/$j"; done
}

try() { # copy, mutant: prints "killed" and by which test, "survived" or "broken"
    local source=$1/${files[$2]} object=$1/$variant/${files[$2]%.c}.o words result
    read -ra words <<<"${tests[$2]}"
    cp -p "$source" "$1/saved.c" && cp -p "$object" "$1/saved.o"
    OLD=${olds[$2]} NEW=${news[$2]} awk '
        { at = index($0, ENVIRON["OLD"]) }
        at { $0 = substr($0, 1, at - 1) ENVIRON["NEW"] substr($0, at + length(ENVIRON["OLD"])) }
        { print }' "$1/saved.c" >"$source"
    if ! build "$1" 1 "${words[@]}" >"$1.log" 2>&1; then
        result=broken
    elif (run "$1" "${words[@]}") >"$1.log" 2>&1; then
        result=survived
    else
        result="killed $(tail -n 1 "$1.log")"
    fi
    # The object is put back as well: it need not be compiled again. The libraries have the mutant's.
    mv "$1/saved.c" "$source" && mv "$1/saved.o" "$object"
    rm -f "$1/$variant"/*.a
    echo "$result"
}

work() { # number of the worker: every so-many-th mutant
    local k i start result by ms
    for ((k = $1; k < ${#chosen[@]}; k += jobs)); do
        i=${chosen[k]} start=${EPOCHREALTIME/[.,]/}
        read -r result by < <(try "$folder/$1" "$i")
        ms=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
        printf '%-8s %3d.%d s  %s: %s%s\n' "$result" $((ms / 1000)) $((ms % 1000 / 100)) "${files[i]}" "${descriptions[i]}" "${by:+ [$by]}"
        [ "$result" = broken ] && grep -m 3 'error' "$folder/$1.log"
        echo "$i $result" >>"$folder/results"
    done
}

prepare &
wait $! || exit 1
for ((j = 0; j < jobs; j++)); do work "$j" & done
wait

count() { grep -c " $1$" "$folder/results"; }
for result in broken survived; do
    [ "$(count $result)" -gt 0 ] && printf '\n%s:\n' "$result"
    sort -n "$folder/results" | sed -n "s/ $result$//p" | while read -r i; do
        printf '%s: %s\n- %s\n+ %s\n= %s\n' "${files[i]}" "${descriptions[i]}" "${olds[i]}" "${news[i]}" "${tests[i]}"
    done
done
[ "$(count broken)" -eq 0 ] || printf '\n%d did not compile\n' "$(count broken)"
printf '\n%d mutants, %d killed, %d survived\n' ${#chosen[@]} "$(count killed)" "$(count survived)"
[ "$(count killed)" -eq ${#chosen[@]} ]
