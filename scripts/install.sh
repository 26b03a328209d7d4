#!/usr/bin/env bash
# install.sh DESTDIR PREFIX PRECISION BUILD: installs the files of the folder BUILD. Called by `make install`.
# install.sh --remove DESTDIR PREFIX PRECISION: removes them. Called by `make uninstall`.
# The libraries of both precisions can be installed side by side: they share only the headers.
set -eu
remove=
[ "$1" = --remove ] && remove=1 && shift
destdir=$1 prefix=$2 precision=$3
name=costate define=
[ "$precision" = double ] && name=costate-double define=" -DCST_DOUBLE"
include=$destdir$prefix/include/costate lib=$destdir$prefix/lib program=$destdir$prefix/bin/$name
if [ -n "$remove" ]; then
    rm -f "$lib/lib$name".{a,so,so.0} "$lib/pkgconfig/$name.pc" "$program"
    # The headers are removed with the last precision.
    [ -e "$lib/pkgconfig/costate.pc" ] || [ -e "$lib/pkgconfig/costate-double.pc" ] || rm -rf "$include"
    exit
fi
build=$4
version=$(sed -n 's/^#define CST_VERSION "\(.*\)"/\1/p' core/version.h)
install -d "$lib/pkgconfig"
install -D -m 755 "$build/costate" "$program"
install -m 644 "$build/lib$name.a" "$lib/lib$name.a"
install -m 755 "$build/lib$name.so" "$lib/lib$name.so.0"
ln -sf "lib$name.so.0" "$lib/lib$name.so"
rm -rf "$include" # an earlier version may have had other headers
find "$build/include" -name '*.h' -printf '%P\n' | while read -r header; do
    install -D -m 644 "$build/include/$header" "$include/$header"
done
# costate uses only matrix products of OpenBLAS. They need the libraries of its pkg-config file except the Fortran
# runtime, which only LAPACK uses. Without it, programs can be linked statically on a machine without a Fortran
# compiler.
blas=$(pkg-config --static --libs openblas | sed -E 's/ -l(gfortran|quadmath)\b//g; s/ +$//')
cat >"$lib/pkgconfig/$name.pc" <<END
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: $name
Description: neural ordinary differential equations in C, in $precision precision
Version: $version
Cflags: -I\${includedir}/costate$define
Libs: -L\${libdir} -l$name -lm
Libs.private: $blas -pthread
Requires.private: libcjson zlib
END
# The dynamic linker may use a cache, which must be updated.
if [ -z "$destdir" ] && [ "$(id -u)" -eq 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi
echo "installed $name $version below $destdir$prefix"
