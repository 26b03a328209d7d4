#!/usr/bin/env bash
# gradients.sh [FOLDER]: the distance of each gradient method from the exact gradient of the steps taken, and its cost,
# over tolerances. Makes the tables and the picture of docs/results.md. A few minutes on two cores.
set -eu
cd "$(dirname "$0")/.."
out=${1-runs/gradients}
make -s build/double/costate PRECISION=double >/dev/null
mkdir -p "$out"
for config in spiral fashion_odenet mnist_odenet; do
    : >"$out/$config.dat"
    tolerances="1e-2 1e-3 1e-4 1e-5 1e-6 1e-7 1e-8"
    [ $config = mnist_odenet ] && tolerances="1e-2 1e-3 1e-4 1e-5 1e-6" # a field of relus: below that it takes too many steps
    for tolerance in $tolerances; do
        build/double/costate check "configs/$config.json" --gradients --set data.batch_size=64 --set "...solver={\"rtol\": $tolerance, \"atol\": $tolerance}" \
            --set "...gradient={}" | awk -v t=$tolerance '
            /^  (checkpointed|backsolve|interpolating)/ { sub(/, /, "-"); print t, $1, $2, $5, $6, $7 }' >>"$out/$config.dat"
    done
    {
        echo "| tolerance | method | distance | forward NFE | backward NFE | ms |"
        echo "|---|---|---:|---:|---:|---:|"
        awk '{ printf "| %s | %s | %s | %s | %s | %s |\n", $1, $2, $3 == "0.00e+00" ? "0" : $3, $4, $5, $6 }' "$out/$config.dat"
    } >"$out/$config.md"
done
# The picture, and the tables once more.
{
    echo "set terminal pngcairo size 1500,420 font 'sans,10' background rgb 'white'; set output 'gradients.png'"
    echo "set logscale xy; set format xy '10^{%T}'; set xlabel 'rtol = atol'; set ylabel 'distance from the exact gradient'"
    echo "set grid; set key bottom right; set multiplot layout 1,3; set xrange [1e-8:1e-2] reverse"
    for config in spiral fashion_odenet mnist_odenet; do
        echo "set title '$config' noenhanced"
        echo "plot '< grep backsolve $config.dat' using 1:3 with linespoints title 'backsolve', \\"
        echo "     '< grep interpolating $config.dat' using 1:3 with linespoints title 'interpolating', x title 'the tolerance' dashtype 2 linecolor rgb 'gray'"
    done
} >"$out/gradients.gp"
(cd "$out" && gnuplot gradients.gp) # only file names of this script: the name of FOLDER must not be run as a command
cat "$out"/{spiral,fashion_odenet,mnist_odenet}.md
