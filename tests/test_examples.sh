#!/usr/bin/env bash
# The examples run and reach what they claim. COSTATE: the program of the build to test. Ends with "N passed, N failed".
set -u
export LC_ALL=C # numbers have a point, messages are in English
cd "$(dirname "$0")/.." || exit 1
build=$(dirname "${COSTATE:-build/float/costate}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=$folder/out
passed=0 failed=0

ok() { # name, condition as a command; on failure, prints the output of it and of the commands before it
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED: %s: %s\n' "$name" "$*" && sed 's/^/    /' "$out"; fi
}
: >"$out"

less() { awk "BEGIN {exit !($1 < $2)}"; }
"$build/custom_model" >"$out" 2>&1
ok "custom_model" [ $? -eq 0 ]
ok "custom_model learns" less "$(awk '/^epoch 20 / {print $4}' "$out")" 0.05
ok "custom_model is accurate" less 98 "$(sed -n 's/.*accuracy \(.*\) %/\1/p' "$out")"
"$build/solve" >"$out" 2>&1
ok "solve agrees with the closed form" [ $? -eq 0 ]
ok "solve prints every time" [ "$(grep -cE '^ +[0-9]+ +[+-]0|^ +0 +[+]1' "$out")" -eq 11 ]

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
