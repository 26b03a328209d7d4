#!/usr/bin/env bash
# headers.sh FOLDER: fills the folder with the public headers, which are costate.h and all that it includes.
set -eu
rm -rf "$1"
mkdir -p "$1"
# shellcheck disable=SC1003,SC2046 # a backslash; a list of words
cp --parents $(${CC:-cc} -MM -I. costate.h | tr -s ' \\' '\n' | grep '\.h$' | sort -u) "$1"
