#!/usr/bin/env bash
# check.sh format|includes|headers|public|sizes|lint: the checks of `make check` and `make lint`. Prints each violation,
# and exits with 1 if there is one.
set -u
library="core formats layers ode adjoint models datasets train analysis"
files() { find "$@" -name '*.[ch]' -o -name '*.inc' 2>/dev/null | sort; }
status=0
wrong() {
    echo "$*" >&2
    status=1
}

# The folders that a folder may include.
allowed() {
    case $1 in
    core) echo core ;;
    formats | layers | ode) echo core "$1" ;;
    adjoint) echo core layers ode adjoint ;;
    models) echo core layers ode adjoint models ;;
    datasets) echo core formats ode datasets ;;
    train) echo core formats layers ode adjoint models datasets train ;;
    analysis) echo core formats layers ode adjoint models datasets train analysis ;;
    cli) echo core formats layers ode adjoint models datasets train analysis cli ;;
    esac
}

includes() { # "file header" for every include of a project header
    grep -HoE '^#include "[^"]+"' "$@" /dev/null | sed -E 's/:#include "(.*)"/ \1/'
}

check_includes() {
    local folder file header from
    for folder in $library cli; do
        while read -r file header; do
            [ -f "$header" ] || wrong "$file: includes $header, which does not exist (paths of includes start at the root of the repository)"
            from=${header%%/*}
            case " $(allowed "$folder") " in
            *" $from "*) ;;
            *) wrong "$file: $folder must not include $from ($header)" ;;
            esac
        done < <(includes $(files "$folder"))
    done
    # The solver works on flat vectors and a callback; it must not depend on modules.
    grep -nE '#include "core/(module|registry)\.h"' $(files ode) /dev/null && wrong "ode must not include headers of modules"
    # Each foreign interface is wrapped by one file.
    local door
    for door in "cblas.h core/blas.c" "cJSON.h core/config" "pthread.h core/parallel.c"; do
        for file in $(grep -lE "#include <([a-z]+/)?${door% *}>" $(files $library cli) /dev/null); do
            [[ $file == ${door#* }* ]] || wrong "$file: only ${door#* } may include <${door% *}>"
        done
    done
    local macro
    for macro in STB_IMAGE_IMPLEMENTATION STB_IMAGE_WRITE_IMPLEMENTATION; do
        [ "$(grep -lE "^#define $macro" $(files $library cli) /dev/null | wc -l)" -le 1 ] ||
            wrong "$macro is defined in more than one file"
    done
    # tsort fails if includes form a cycle.
    includes $(find $library cli -name '*.h' 2>/dev/null) | tsort >/dev/null || wrong "headers include each other in a cycle"
    # File names are unique, except registry.[ch]: several folders have a registry.
    local twice
    twice=$(find $library cli tests bench -name '*.[ch]' -printf '%f\n' 2>/dev/null | grep -v '^registry\.' | sort | uniq -d)
    [ -z "$twice" ] || wrong "file names that are not unique: $twice"
    grep -nE '\b(exit|abort|printf|puts|putchar) *\(' $(find $library -name '*.c') /dev/null && wrong "the library must neither print nor exit"
    # Only output.c prints, since it escapes control characters.
    grep -nE '\b(v?f?printf|f?puts|f?putc|putchar|fwrite|perror) *\(' $(find cli -name '*.c' ! -name output.c) /dev/null &&
        wrong "only cli/output.c may print"
    grep -nE '\b(system|popen|exec[vl]p?e?)\(|/bin/sh' $(find $library cli -name '*.c') /dev/null && wrong "no file may run a shell"
    grep -nE '\b(posix_spawnp?|fork)\(' $(find $library cli -name '*.c' ! -name gnuplot.c) /dev/null && wrong "only analysis/gnuplot.c may start programs"
    grep -nE '\b(open|fopen|freopen|gzopen)\(' $(find $library cli -name '*.c' ! -name file.c) /dev/null && wrong "only core/file.c may open files"
}

check_headers() { # each header compiles on its own, in C and in C++
    local header
    for header in $(find $library -name '*.h' | sort); do
        ${CC:-gcc} -std=c11 -D_POSIX_C_SOURCE=200809L -I. -DCST_INTERNAL -Wall -Wextra -Werror -fsyntax-only -x c "$header" || wrong "$header: does not compile on its own in C"
        ${CXX:-g++} -std=c++17 -I. -DCST_INTERNAL -Wall -Wextra -Werror -fsyntax-only -x c++ "$header" || wrong "$header: does not compile on its own in C++"
    done
}

check_public() { # installed headers compile without the rest of the tree, and so do the examples with them
    local include file
    include=$(mktemp -d)
    scripts/headers.sh "$include"
    for file in $(cd "$include" && find . -name '*.h' | sort); do
        ${CC:-gcc} -std=c11 -I"$include" -Wall -Wextra -Werror -fsyntax-only -x c "$include/$file" || wrong "$file: does not compile on its own in C"
        ${CXX:-g++} -std=c++17 -I"$include" -Wall -Wextra -Werror -fsyntax-only -x c++ "$include/$file" || wrong "$file: does not compile on its own in C++"
    done
    for file in examples/*.c; do
        ${CC:-gcc} -std=c11 -I"$include" -Wall -Wextra -Werror -fsyntax-only "$file" || wrong "$file: does not compile with <costate.h> alone"
    done
    rm -r "$include"
}

check_format() {
    clang-format --dry-run -Werror costate.h $(files $library cli tests bench examples fuzz) || wrong "some files are not formatted: run make format"
}

# Functions that may be longer or have more parameters, "file function: reason".
size_exceptions() {
    cat <<'END'
core/blas.c cst_gemm: the arguments of BLAS's gemm
core/small_gemm.c cst_small_gemm: the arguments of BLAS's gemm
core/small_gemm.c multiply_blocks: sizes, pointers and strides of a kernel, all in registers
core/small_gemm.c multiply_dots: sizes, pointers and strides of a kernel, all in registers
layers/im2col_columns.c add_masked_3: restrict pointers of a kernel, of which a struct would lose the qualifier
END
}

# Lines per file: sources 400 (tests and benchmarks 450), headers 150. Per function: 50 lines from its first line to its
# closing brace, and 7 parameters.
check_sizes() {
    local found
    found=$(awk -v exceptions="$(size_exceptions)" '
        BEGIN {
            n = split(exceptions, lines, "\n")
            for (i = 1; i <= n; i++) excepted[substr(lines[i], 1, index(lines[i], ":") - 1)]
        }
        function parameters(text, depth, n, i, c) { # commas between the outermost brackets, and one
            n = 1
            for (i = index(text, "("); i <= length(text); i++) {
                c = substr(text, i, 1)
                depth += (c == "(") - (c == ")")
                if (depth == 0) break
                n += depth == 1 && c == ","
            }
            return n
        }
        function report(what) { if (!((FILENAME " " name) in excepted)) print FILENAME ":" first ": " name " has " what }
        FNR == 1 { # of a file
            inside = 0
            limit = FILENAME ~ /\.h$/ ? 150 : FILENAME ~ /^(tests|bench)\// ? 450 : 400
        }
        FNR == limit + 1 { print FILENAME ": more than " limit " lines" }
        !inside && /^[A-Za-z_]/ { # a definition begins
            first = FNR
            head = ""
        }
        !inside { head = head $0 }
        /^\{/ { # its body begins
            inside = 1
            name = head
            sub(/\(.*/, "", name)
            sub(/.*[ *]/, "", name)
            if (parameters(head) > 7) report(parameters(head) " parameters, more than 7")
        }
        /^\}/ && inside {
            if (FNR - first >= 50) report(FNR - first + 1 " lines, more than 50")
            inside = 0
        }' $(files $library cli tests bench examples fuzz))
    [ -z "$found" ] || wrong "$found"
}

check_lint() { # PACKAGES: compiler flags of the packages
    # shellcheck disable=SC2046,SC2086 # lists of words
    clang-tidy --quiet $(grep -LE 'STB_IMAGE(_WRITE)?_IMPLEMENTATION' $(find $library cli -name '*.c' | sort)) -- -std=c11 \
        -D_POSIX_C_SOURCE=200809L -fopenmp-simd -I. -DCST_INTERNAL $PACKAGES || status=1
    # shellcheck disable=SC2086
    cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,portability \
        --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -I. -DCST_INTERNAL $library cli || status=1
}

"check_$1"
exit $status
