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
# Of OpenBLAS costate calls matrix products alone: those need what its pkg-config file names but the Fortran runtime, which
# only its LAPACK does. Whoever links statically can therefore do so without a Fortran compiler.
blas=$(pkg-config --static --libs openblas | sed -E 's/ -l(gfortran|quadmath)\b//g; s/ +$//')
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
Libs.private: $blas -pthread
Requires.private: libcjson zlib
END
# Where the dynamic linker looks things up in a cache, it has to hear of the library.
if [ -z "$destdir" ] && [ "$(id -u)" -eq 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi
echo "installed costate $version ($precision) below $destdir$prefix"
