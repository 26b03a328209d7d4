#!/usr/bin/env bash
# exports.sh PRECISION INCLUDE OBJECTS...: prints the linker's version script for the shared library made of the
# objects. The library exports the names that the public headers in INCLUDE declare. The version has the precision in
# its name, so that the dynamic linker cannot bind a program of one precision to the library of the other. Called by
# make.
set -euo pipefail
export LC_ALL=C # comm needs both lists in the same order
precision=$1 include=$2
shift 2
define=()
[ "$precision" = double ] && define=(-DCST_DOUBLE)
named=$(${CC:-cc} -E -P "${define[@]}" -I"$include" "$include/costate.h" | grep -oE '\bcst_[a-zA-Z0-9_]+' | sort -u)
defined=$(nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u)
echo "COSTATE_${precision^^}_0 {"
echo "global:"
comm -12 <(echo "$named") <(echo "$defined") | sed 's/.*/    &;/'
echo "local: *;"
echo "};"
