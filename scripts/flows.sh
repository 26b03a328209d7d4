#!/usr/bin/env bash
# flows.sh [FOLDER [DENSITIES]]: continuous normalizing flows of points in the plane. Called by `make flows`. One or two
# minutes on two cores.
set -eu
out=${1-runs/flows}
densities=${2-pinwheel checkerboard}
cat <<'END2'

A continuous normalizing flow moves points along a vector field f from t = 0 to 1 such that they become normally distributed, and
keeps track of their density: log p(x) = log N(z(1)) + int div f dt. It learns a density from points alone; run backwards, it makes
new points. samples.png shows data, samples and density side by side, flow.png the paths of samples.
END2
start=$SECONDS
# A density that has been trained before is only drawn.
for density in $densities; do
    echo
    [ -s "$out/$density/summary.json" ] || build/costate train "configs/cnf_$density.json" --out "$out/$density" --resume
    build/costate sample "$out/$density"
done
cat <<END2

done in $((SECONDS - start)) s. The pictures are $out/*/samples.png and flow.png. The same with digits, under two adjoint norms,
takes five minutes and needs the files of MNIST (docs/data.md):
  build/costate compare configs/cnf_mnist_quick.json --vary model...norm=default,seminorm --out runs/mnist
  build/costate sample runs/mnist/norm-seminorm/seed-0
END2
