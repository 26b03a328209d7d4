# What the tests of the program share. $costate is the program, the folder at hand a temporary one.
passed=0 failed=0

ok() { # name, condition as a command
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED: %s: %s\n' "$name" "$*" && sed 's/^/    /' out err; fi
}
run() { # arguments; leaves code, out and err
    "$costate" "$@" >out 2>err </dev/null
    code=$?
}
