#!/usr/bin/env bash
# Continuous normalizing flows of points in the plane: what `make flows` shows. One or two minutes on two cores.
set -eu
out=${1-runs/flows}
densities=${2-pinwheel checkerboard}
cat <<'END2'

A continuous normalizing flow takes points to a normal distribution along a field, t = 0 to 1, and knows what that does to their
density: log p(x) = log N(z(1)) + int div f dt. It learns the density of points alone, and backwards it makes new ones.
What it has learnt is drawn: samples.png has data, samples and density side by side, flow.png samples on their way.
END2
start=$SECONDS
for density in $densities; do
    echo
    [ -s "$out/$density/summary.json" ] || build/costate train "configs/cnf_$density.json" --out "$out/$density" --resume
    build/costate sample "$out/$density"
done
cat <<END2

done in $((SECONDS - start)) s; the pictures are $out/*/samples.png and flow.png. Digits, under both norms of the adjoint, take
five minutes, for which MNIST's files have to be there (docs/data.md):
  build/costate compare configs/cnf_mnist_quick.json --vary model...norm=default,seminorm --out runs/mnist
  build/costate sample runs/mnist/norm-seminorm/seed-0
END2
