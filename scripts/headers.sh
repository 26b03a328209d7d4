#!/usr/bin/env bash
# headers.sh FOLDER: replaces the folder by the public headers: costate.h and every header that it includes. Called by
# make.
set -eu
rm -rf "$1"
mkdir -p "$1"
# shellcheck disable=SC1003,SC2046 # a backslash is meant; a list of words is wanted
cp --parents $(${CC:-cc} -MM -I. costate.h | tr -s ' \\' '\n' | grep '\.h$' | sort -u) "$1"
