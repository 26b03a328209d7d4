#!/usr/bin/env bash
# exports.sh PRECISION INCLUDE OBJECTS...: prints the version script of the shared library that is made of the objects.
# It exports what the public headers in INCLUDE declare. The version's name has the precision in it, so that the dynamic
# linker never takes a symbol of one precision's library for that of the other's.
set -euo pipefail
export LC_ALL=C # comm wants both lists in the same order
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
