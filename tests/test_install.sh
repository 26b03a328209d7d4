#!/usr/bin/env bash
# The library as its users have it: both precisions installed side by side; programs in C and C++ that pkg-config alone
# compiles and links, with the shared library and with the static one; and mixing the two precisions, which must fail.
# COSTATE: the program of the build to test. The other precision takes part where its build is up to date.
# Ends with "N passed, N failed".
set -u
export LC_ALL=C # numbers have a point, messages are in English
cd "$(dirname "$0")/.." || exit 1
variant=$(basename "$(dirname "${COSTATE:-build/float/costate}")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=$folder/out root=$folder/root
lib=$root/usr/lib include=$root/usr/include/costate program=$folder/program
cc="${CC:-cc} -std=c11" cpp="${CXX:-c++} -std=c++17"
has_cpp=$(if command -v "${CXX:-c++}" >/dev/null; then echo true; else echo false; fi)
passed=0 failed=0 skipped=0

ok() { # name, condition as a command; on failure, prints the output of it and of the commands before it
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED: %s: %s\n' "$name" "$*" && sed 's/^/    /' "$out"; fi
}
skip() {
    echo "skipped: $*"
    skipped=$((skipped + 1))
}
finish() {
    printf '\n%d passed, %d failed%s\n' "$passed" "$failed" "$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
    [ "$failed" -eq 0 ]
    exit
}
# The make of this script inherits nothing from a make that called it.
make() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u SANITIZE -u COVERAGE -u NATIVE make -j1 -s "$@"; }
name_of() { if [ "$1" = double ]; then echo costate-double; else echo costate; fi; }
built() { make -q PRECISION="$1" "build/$1/costate" "build/$1/lib$(name_of "$1")".{a,so} 2>/dev/null; }

# pkg-config's flags for a name. With --static the library is taken from its archive.
flags() {
    PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$lib/pkgconfig pkg-config "$@" |
        if [[ " $* " == *" --static "* ]]; then sed -E 's/-l(costate\S*)/-l:lib\1.a/'; else cat; fi
}
# shellcheck disable=SC2046,SC2086 # lists of words
compile() { # compiler with flags, source, the package of the headers, the package of the library, --static or nothing
    $1 -O2 -Wall -Wextra -Werror "$2" $(flags --cflags "$3") $(flags --libs "${@:4}") -o "$program" >"$out" 2>&1
}
# shellcheck disable=SC2120 # called by name with an argument
run() { LD_LIBRARY_PATH=${1:-$lib} timeout 60 "$program" >"$out" 2>&1; } # a solver of the wrong precision may never end
run_beside() { LD_PRELOAD=$1 run; } # a library to preload
compile_and_run() { compile "$@" && run; }
needed() { readelf -d "$program" | grep -c "NEEDED.*$1"; }
fails_with() { # text that it prints, command
    ! "${@:2}" && grep -qF -e "$1" "$out"
}

case $variant in
float | double) ;;
*) skip "programs made without the flags of the variant $variant would not link" && finish ;;
esac
precisions=()
for precision in float double; do
    [ "$precision" = "$variant" ] || built "$precision" && precisions+=("$precision")
done

cat >"$folder/program.cpp" <<'END'
#include <costate.h>
#include <cstdio>
class real; // users' names are free
int main()
{
    cst_solve_options options;
    cst_solve_options_init(&options, CST_PROFILE_COSTATE);
    cst_module *m = nullptr;
    cst_error error = {};
    const cst_shape x = cst_shape_1d(3);
    const cst_status status = cst_module_from_json(&cst_all_modules, "{\"type\": \"tanhh\"}", &x, &m, &error);
    std::printf("%s %s %zu %s\n", CST_VERSION, options.method->name, sizeof(cst_real), error.message);
    return status == CST_ECONFIG ? 0 : 1;
}
END

# ---- each precision, with the other one's files present ---------------------------------------------------------------
test_precision() { # its name
    local precision=$1 name size pc
    name=$(name_of "$precision")
    size=$([ "$precision" = double ] && echo 8 || echo 4)
    pc=$lib/pkgconfig/$name.pc
    make install DESTDIR="$root" PREFIX=/usr PRECISION="$precision" >"$out" 2>&1
    ok "$precision: install" [ $? -eq 0 ]
    "$root/usr/bin/$name" --version >"$out" 2>&1
    ok "$precision: the program" grep -q "$precision precision" "$out"
    diff -r "$folder/include" "$include" >"$out" 2>&1
    ok "$precision: the public headers and no others" [ $? -eq 0 ]
    # A relative DESTDIR starts at the folder in which make runs.
    make install DESTDIR="$(realpath --relative-to=. "$folder")/relative" PREFIX=/usr PRECISION="$precision" >"$out" 2>&1 &&
        diff -r "$folder/include" "$folder/relative/usr/include/costate" >"$out" 2>&1
    ok "$precision: a relative DESTDIR" [ $? -eq 0 ]

    nm -D --defined-only "$lib/lib$name.so" | awk '{ sub("@.*", "", $3); print $3 }' >"$folder/exported"
    define=$([ "$precision" = double ] && echo -DCST_DOUBLE)
    ${CC:-cc} -E -P ${define:+"$define"} -I"$include" "$include/costate.h" | grep -oE 'cst_\w+' | sort -u >"$folder/named"
    grep -vxFf "$folder/named" "$folder/exported" | grep -v '^COSTATE_' >"$out"
    ok "$precision: the shared library exports nothing but what headers declare" [ ! -s "$out" ]
    ok "$precision: the shared library exports something" [ "$(wc -l <"$folder/exported")" -gt 100 ]
    nm "$lib/lib$name.a" --defined-only --extern-only | awk 'NF == 3 && $3 !~ /^cst_/' >"$out"
    ok "$precision: the static library has no names but cst_*" [ ! -s "$out" ]

    ok "$precision: C, shared" compile_and_run "$cc" examples/custom_model.c "$name" "$name"
    ok "$precision: C, shared: it needs the library" [ "$(needed "lib$name.so.0")" -eq 1 ]
    ok "$precision: C, static" compile_and_run "$cc" examples/custom_model.c "$name" "$name" --static
    ok "$precision: C, static: it does not need it" [ "$(needed libcostate)" -eq 0 ]
    # A machine with a Fortran compiler could link what others cannot.
    flags --static --libs "$name" >"$out"
    ok "$precision: C, static: nothing of Fortran is asked for" [ "$(grep -c gfortran "$out")" -eq 0 ]
    # OpenBLAS from its archive too, if it exists: no constructor of libcostate may run before its own.
    if [ -e "$(${CC:-cc} -print-file-name=libopenblas.a)" ]; then
        sed -i 's/-lopenblas/-l:libopenblas.a/' "$pc"
        ok "$precision: C, static, OpenBLAS too" compile_and_run "$cc" examples/custom_model.c "$name" "$name" --static
        ok "$precision: C, static, OpenBLAS too: it needs none" [ "$(needed openblas)" -eq 0 ]
        sed -i 's/-l:libopenblas.a/-lopenblas/' "$pc"
    fi
    $has_cpp || return
    ok "$precision: C++, shared" compile_and_run "$cpp" "$folder/program.cpp" "$name" "$name"
    ok "$precision: C++: what it prints" grep -q "dopri5 $size .*the nearest is \"tanh\"" "$out"
    ok "$precision: C++, static" compile_and_run "$cpp" "$folder/program.cpp" "$name" "$name" --static
}
scripts/headers.sh "$folder/include"
for precision in "${precisions[@]}"; do test_precision "$precision"; done

# ---- a program of one precision and the library of the other -----------------------------------------------------
test_mixed() { # the program's precision, the library's
    local mine other missing="undefined reference to \`cst_precision_is_$1'"
    mine=$(name_of "$1") other=$(name_of "$2")
    ok "$1 program, $2 library, shared" fails_with "$missing" compile "$cc" examples/solve.c "$mine" "$other"
    ok "$1 program, $2 library, static" fails_with "$missing" compile "$cc" examples/solve.c "$mine" "$other" --static
    ok "$1 program, $2 library, without unused sections" fails_with "$missing" \
        compile "$cc -fdata-sections -ffunction-sections -Wl,--gc-sections" examples/solve.c "$mine" "$other"
    if $has_cpp; then
        ok "$1 program in C++, $2 library, shared" fails_with "$missing" compile "$cpp" "$folder/program.cpp" "$mine" "$other"
        ok "$1 program in C++, $2 library, static" fails_with "$missing" compile "$cpp" "$folder/program.cpp" "$mine" "$other" --static
    fi

    # The other library's file under the name of the one that the program was linked with.
    mkdir "$folder/$1"
    cp "$lib/lib$other.so.0" "$folder/$1/lib$mine.so.0"
    ok "$1 program" compile_and_run "$cc" examples/solve.c "$mine" "$mine"
    ok "$1 program, $2 library in its place" fails_with "version \`COSTATE_${1^^}_0' not found" run "$folder/$1"
    # Both in one process: each caller finds its own.
    ok "$1 program, both libraries" run_beside "$lib/lib$other.so.0"
}
if [ ${#precisions[@]} -eq 2 ]; then
    test_mixed float double
    test_mixed double float
else
    skip "programs of one precision with the library of the other: there is no up-to-date build of both"
fi

# ---- removal -----------------------------------------------------------------------------------------------------
for precision in "${precisions[@]}"; do
    name=$(name_of "$precision")
    make uninstall DESTDIR="$root" PREFIX=/usr PRECISION="$precision" >"$out" 2>&1
    find "$root" ! -type d \( -name "$name" -o -name "$name.pc" -o -name "lib$name.*" \) >>"$out"
    ok "$precision: uninstall" [ ! -s "$out" ]
    [ "$precision" = "${precisions[-1]}" ] ||
        ok "uninstall leaves the other precision" compile_and_run "$cc" examples/solve.c costate-double costate-double
done
find "$root" ! -type d >"$out"
ok "uninstall leaves no files" [ ! -s "$out" ]
finish
