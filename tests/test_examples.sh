#!/usr/bin/env bash
# The library as its users have it: the examples run; `make install` into a folder; programs in C and C++ compiled against
# what is there by pkg-config alone, with the shared library and with the static one.
# COSTATE: the program of the build to test. Ends with "N passed, N failed".
set -u
export LC_ALL=C # numbers have a point, messages are in English
cd "$(dirname "$0")/.." || exit 1
build=$(dirname "${COSTATE:-build/float/costate}")
variant=$(basename "$build")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=$folder/out
passed=0 failed=0

ok() { # name, condition as a command; what it and the commands before it printed is shown if it fails
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED: %s: %s\n' "$name" "$*" && sed 's/^/    /' "$out"; fi
}
finish() {
    printf '\n%d passed, %d failed%s\n' "$passed" "$failed" "${1-}"
    [ "$failed" -eq 0 ]
    exit
}
: >"$out"

# ---- the examples ----
less() { awk "BEGIN {exit !($1 < $2)}"; }
"$build/custom_model" >"$out" 2>&1
ok "custom_model" [ $? -eq 0 ]
ok "custom_model learns" less "$(awk '/^epoch 20 / {print $4}' "$out")" 0.05
ok "custom_model is accurate" less 98 "$(sed -n 's/.*accuracy \(.*\) %/\1/p' "$out")"
"$build/solve" >"$out" 2>&1
ok "solve agrees with the closed form" [ $? -eq 0 ]
ok "solve prints every time" [ "$(grep -cE '^ +[0-9]+ +[+-]0|^ +0 +[+]1' "$out")" -eq 11 ]

# ---- installation ----
case $variant in
float | double) ;;
*) finish ", 1 skipped" ;; # programs made without the variant's flags would not link
esac
# This script's make has nothing to do with one that may have called it.
make() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u SANITIZE -u COVERAGE -u NATIVE make -j1 -s "$@"; }
make install DESTDIR="$folder/root" PREFIX=/usr PRECISION="$variant" >"$out" 2>&1
ok "install" [ $? -eq 0 ]
lib=$folder/root/usr/lib include=$folder/root/usr/include/costate
ok "the program" "$folder/root/usr/bin/costate" --version >"$folder/version"
ok "... of this precision" grep -q "$variant precision" "$folder/version"
ok "headers" [ -f "$include/costate.h" -a -f "$include/core/module.h" ]
ok "no internal headers" [ -z "$(find "$include" -name '*_internal.h')" ]
names() { nm "$@" --defined-only --extern-only | awk 'NF == 3 && $3 !~ /^cst_/'; }
names -D "$lib/libcostate.so" >"$out"
ok "the shared library exports nothing but cst_*" [ ! -s "$out" ]
names "$lib/libcostate.a" >"$out"
ok "nor does the static one" [ ! -s "$out" ]
ok "the shared library exports something" [ "$(nm -D --defined-only "$lib/libcostate.so" | grep -c ' T cst_')" -gt 100 ]

# The same tree without the shared library: -lcostate is the static one there.
mkdir "$folder/static"
cp -r "$folder/root/usr" "$folder/static/usr"
rm "$folder"/static/usr/lib/libcostate.so*
cat >"$folder/program.cpp" <<'END'
#include <costate.h>
#include <cstdio>
int main()
{
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    cst_module *m = nullptr;
    cst_error error = {};
    const cst_shape x = cst_shape_1d(3);
    const cst_status status = cst_module_from_json(&cst_all_modules, "{\"type\": \"tanhh\"}", &x, &m, &error);
    std::printf("%s %s %zu %s\n", CST_VERSION, options.method->name, sizeof(real), error.message);
    return status == CST_ECONFIG ? 0 : 1;
}
END
flags() { PKG_CONFIG_SYSROOT_DIR=$1 PKG_CONFIG_PATH=$1/usr/lib/pkgconfig pkg-config "${@:2}" costate; }
compile() { # root, compiler, source, flags of pkg-config
    # shellcheck disable=SC2046 # lists of words
    $2 -Wall -Wextra -Werror "$3" $(flags "$1" "${@:4}") -o "$folder/program" >"$out" 2>&1 &&
        LD_LIBRARY_PATH=$1/usr/lib "$folder/program" >"$out" 2>&1
}
c="${CC:-cc} -std=c11"
ok "C, shared" compile "$folder/root" "$c" examples/custom_model.c --cflags --libs
ok "C, shared: it needs the library" grep -q 'libcostate.so.0' <<<"$(readelf -d "$folder/program")"
ok "C, static" compile "$folder/static" "$c" examples/custom_model.c --static --cflags --libs
ok "C, static: it does not" [ "$(readelf -d "$folder/program" | grep -c libcostate)" -eq 0 ]
# A machine that has the Fortran compiler links where others do not.
flags "$folder/static" --static --libs >"$out"
ok "C, static: nothing of Fortran is asked for" [ "$(grep -c gfortran "$out")" -eq 0 ]
# OpenBLAS from its archive too, where there is one: no constructor of ours may run before its own.
pc=$folder/static/usr/lib/pkgconfig/costate.pc
if [ -e "$(${CC:-cc} -print-file-name=libopenblas.a)" ]; then
    sed -i 's/-lopenblas/-l:libopenblas.a/' "$pc"
    ok "C, static, OpenBLAS too" compile "$folder/static" "$c" examples/custom_model.c --static --cflags --libs
    ok "C, static, OpenBLAS too: it needs none" [ "$(readelf -d "$folder/program" | grep -c -e openblas -e gfortran)" -eq 0 ]
    sed -i 's/-l:libopenblas.a/-lopenblas/' "$pc"
fi
if command -v "${CXX:-c++}" >/dev/null; then
    cpp="${CXX:-c++} -std=c++17"
    ok "C++, shared" compile "$folder/root" "$cpp" "$folder/program.cpp" --cflags --libs
    ok "C++: what it prints" grep -q "dopri5 $([ "$variant" = double ] && echo 8 || echo 4) .*the nearest is \"tanh\"" "$out"
    ok "C++, static" compile "$folder/static" "$cpp" "$folder/program.cpp" --static --cflags --libs
fi

make uninstall DESTDIR="$folder/root" PREFIX=/usr >"$out" 2>&1
ok "uninstall leaves no files" [ -z "$(find "$folder/root" ! -type d)" ]
finish
