#!/usr/bin/env bash
# An ODE-Net on Fashion-MNIST under two norms of its adjoint: what `make demo` shows. A few minutes on two cores.
set -eu
out=${1-runs/demo}
cat <<END

An ODE-Net (a convolutional vector field, integrated from t = 0 to 1 by dopri5) learns Fashion-MNIST twice. Its backward
pass solves the adjoint equations, and the two runs differ only in the norm that judges the errors of that solve:
  default   counts every block of the adjoint's state, the gradient of the parameters included
  seminorm  leaves the parameters' gradient out, since it is only an integral (Kidger, Chen, Lyons, ICML 2021)
Watch the backward NFE, the number of evaluations of the field and its VJP: the second number of "nfe".
14,000 of the 60,000 images, three epochs; the whole is
  build/costate compare configs/fashion_odenet.json --vary model...norm=default,seminorm
END
start=$SECONDS
build/costate compare configs/fashion_odenet.json --set data.train_size=14000 --vary model...norm=default,seminorm \
    --out "$out" --plot
echo "done in $((SECONDS - start)) s. Each run's folder has its config, weights, metrics and log; look at $out/comparison.png"
