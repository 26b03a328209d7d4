#!/usr/bin/env bash
# levels.sh OBJECT SOURCE COMPILER FLAGS...: compiles a source once per instruction set of x86-64 ("level") and links the results
# into one object. When the program is loaded, the loader chooses one version of each exported function (GNU indirect
# functions). Called by make.
#
# Such a source may export functions only, because exported data would exist once per level.
set -eu
object=$1 source=$2 stem=${1%.o}
shift 2
compiler=()
declare -A flags=([baseline]="" [avx2]="-mavx2 -mfma -mbmi -mbmi2")
flags[avx512]="${flags[avx2]} -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl -mtune=skylake-avx512 -mprefer-vector-width=512"

# Compile once per level; there, every exported name gets the prefix level_LEVEL_.
for level in baseline avx2 avx512; do
    # shellcheck disable=SC2086 # a list of words
    "$@" ${flags[$level]} -DCST_LEVEL="\"$level\"" -MMD -MP -MF "$stem.d" -MT "$object" -c "$source" -o "$stem-$level.o"
    if nm -g --defined-only "$stem-$level.o" | grep -v ' T '; then
        echo "$source exports data, but a source that is compiled per level may export only functions" >&2
        exit 1
    fi
    nm -g --defined-only "$stem-$level.o" | awk -v level="$level" '{ print $3, "level_" level "_" $3 }' >"$stem-$level.names"
    objcopy --redefine-syms="$stem-$level.names" "$stem-$level.o"
done

supports() { # a C condition: the processor has all instructions that the flags of a level allow
    sed -E 's/-m(tune|prefer)[^ ]*//g; s/ *-m([a-z0-9]+) */__builtin_cpu_supports("\1") \&\& /g; s/ && $//' <<<"${flags[$1]}"
}
# Generate and compile the functions that choose.
{
    echo "typedef void function(void);"
    while read -r name _; do
        echo "extern function level_baseline_$name, level_avx2_$name, level_avx512_$name;"
        echo "static function *choose_$name(void)"
        echo "{"
        echo "    __builtin_cpu_init();"
        echo "    if ($(supports avx512)) return level_avx512_$name;"
        echo "    if ($(supports avx2)) return level_avx2_$name;"
        echo "    return level_baseline_$name;"
        echo "}"
        echo "void $name(void) __attribute__((ifunc(\"choose_$name\")));"
    done <"$stem-baseline.names"
} >"$stem-choose.c"
# Compile the choice without the sanitizers and profilers in FLAGS, because it runs before the program is relocated.
while [[ $1 != -* ]]; do compiler+=("$1") && shift; done
"${compiler[@]}" -O2 -fPIC -c "$stem-choose.c" -o "$stem-choose.o"
# Rename the object when it is complete: make would take an incomplete one for finished.
ld -r -o "$stem-levels.o" "$stem"-{choose,baseline,avx2,avx512}.o
objcopy --wildcard --localize-symbol='level_*' "$stem-levels.o"
mv "$stem-levels.o" "$object"
