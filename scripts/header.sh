#!/usr/bin/env bash
# header.sh VERSION FOLDERS: <costate.h>, which includes every public header, on the standard output.
set -eu
echo "/* Everything of costate $1. */"
shift
for folder in "$@"; do
    for header in "$folder"/*.h; do
        [[ -f $header && $header != *_internal.h ]] && echo "#include \"$header\""
    done
done
