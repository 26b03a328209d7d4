# Functions that tests of the program share. $costate is the program; the current folder is a temporary one.
passed=0 failed=0
export LC_ALL=C # numbers have a point, messages are in English

ok() { # name, condition as a command
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED: %s: %s\n' "$name" "$*" && sed 's/^/    /' out err; fi
}
run() { # arguments; leaves code, out and err
    "$costate" "$@" >out 2>err </dev/null
    code=$?
}
number() { # text, file: prints the first number after the text and a blank, or nothing if there is none
    awk -v text="$1 " '(at = index($0, text)) { split(substr($0, at + length(text)), rest, /[^-+.0-9eE]/); print rest[1]; exit }' "$2"
}
compare() { # two numbers, condition on a and b; false if either is not a number
    awk -v a="$1" -v b="$2" 'BEGIN { number = "^[-+]?[0-9]+[.]?[0-9]*([eE][-+]?[0-9]+)?$"; exit !(a ~ number && b ~ number && ('"$3"')) }'
}
less() { compare "$1" "$2" 'a + 0 < b + 0'; }
near() { compare "$1" "$2" "a - b <= $3 && b - a <= $3"; } # two numbers, the largest difference
