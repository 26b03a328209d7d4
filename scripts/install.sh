#!/usr/bin/env bash
# install.sh DESTDIR PREFIX VERSION PRECISION FOLDERS: called by `make install`.
set -eu
destdir=$1 prefix=$2 version=$3 precision=$4 folders=$5
include=$destdir$prefix/include/costate lib=$destdir$prefix/lib
install -d "$include" "$lib/pkgconfig" "$destdir$prefix/bin"
install -m 755 build/costate "$destdir$prefix/bin/costate"
install -m 644 build/libcostate.a "$lib/libcostate.a"
install -m 755 build/libcostate.so "$lib/libcostate.so.0"
ln -sf libcostate.so.0 "$lib/libcostate.so"
{
    echo "/* Everything of costate $version. */"
    for folder in $folders; do
        for header in "$folder"/*.h; do
            [ -f "$header" ] || continue
            install -D -m 644 "$header" "$include/$header"
            echo "#include \"$header\""
        done
    done
} >"$include/costate.h"
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
Libs: -L\${libdir} -lcostate
Libs.private: -pthread -lm
Requires.private: openblas libcjson zlib
END
echo "installed costate $version ($precision) below $destdir$prefix"
