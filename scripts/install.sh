#!/usr/bin/env bash
# install.sh DESTDIR PREFIX PRECISION BUILD: called by `make install`; BUILD has what was built.
# install.sh --remove DESTDIR PREFIX PRECISION: by `make uninstall`.
# A library of floats and one of doubles are installed side by side: only the headers are the same files.
set -eu
remove=
[ "$1" = --remove ] && remove=1 && shift
destdir=$1 prefix=$2 precision=$3
name=costate define=
[ "$precision" = double ] && name=costate-double define=" -DCST_DOUBLE"
include=$destdir$prefix/include/costate lib=$destdir$prefix/lib program=$destdir$prefix/bin/$name
if [ -n "$remove" ]; then
    rm -f "$lib/lib$name".{a,so,so.0} "$lib/pkgconfig/$name.pc" "$program"
    # The last precision to go takes the headers with it.
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
rm -rf "$include" # an earlier version may have had others
(cd "$build/include" && find . -name '*.h' -exec install -D -m 644 {} "$include/{}" \;)
# Of OpenBLAS costate calls matrix products alone: those need what its pkg-config file names but the Fortran runtime, which
# only its LAPACK does. Whoever links statically can therefore do so without a Fortran compiler.
blas=$(pkg-config --static --libs openblas | sed -E 's/ -l(gfortran|quadmath)\b//g; s/ +$//')
cat >"$lib/pkgconfig/$name.pc" <<END
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: $name
Description: neural ordinary differential equations in C, of numbers of type $precision
Version: $version
Cflags: -I\${includedir}/costate$define
Libs: -L\${libdir} -l$name -lm
Libs.private: $blas -pthread
Requires.private: libcjson zlib
END
# Where the dynamic linker looks things up in a cache, it has to hear of the library.
if [ -z "$destdir" ] && [ "$(id -u)" -eq 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi
echo "installed $name $version below $destdir$prefix"
