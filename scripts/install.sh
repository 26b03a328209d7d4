#!/usr/bin/env bash
# install.sh DESTDIR PREFIX VERSION PRECISION BUILD FOLDERS: called by `make install`; BUILD has what was built.
# install.sh --remove DESTDIR PREFIX: by `make uninstall`.
set -eu
remove=
[ "$1" = --remove ] && remove=1 && shift
destdir=$1 prefix=$2
include=$destdir$prefix/include/costate lib=$destdir$prefix/lib program=$destdir$prefix/bin/costate
if [ -n "$remove" ]; then
    rm -rf "$include" "$lib"/libcostate.{a,so,so.0} "$lib/pkgconfig/costate.pc" "$program"
    exit
fi
version=$3 precision=$4 build=$5 folders=$6
install -d "$include" "$lib/pkgconfig"
install -D -m 755 "$build/costate" "$program"
install -m 644 "$build/libcostate.a" "$lib/libcostate.a"
install -m 755 "$build/libcostate.so" "$lib/libcostate.so.0"
ln -sf libcostate.so.0 "$lib/libcostate.so"
# shellcheck disable=SC2086 # a list of words
scripts/header.sh "$version" $folders >"$include/costate.h"
sed -n 's/^#include "\(.*\)"/\1/p' "$include/costate.h" | while read -r header; do
    install -D -m 644 "$header" "$include/$header"
done
define=
[ "$precision" = double ] && define=" -DCST_DOUBLE"
cat >"$lib/pkgconfig/costate.pc" <<END
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: costate
Description: neural ordinary differential equations in C
Version: $version
Cflags: -I\${includedir}/costate$define
Libs: -L\${libdir} -lcostate -lm
Libs.private: -pthread
Requires.private: openblas libcjson zlib
END
echo "installed costate $version ($precision) below $destdir$prefix"
