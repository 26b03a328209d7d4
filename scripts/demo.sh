#!/usr/bin/env bash
# demo.sh [FOLDER]: an ODE-Net on Fashion-MNIST under two adjoint norms. Called by `make demo`. A few minutes on two
# cores.
set -eu
out=${1-runs/demo}
cat <<END

An ODE-Net (a convolutional vector field, integrated from t = 0 to 1 by dopri5) learns Fashion-MNIST twice. Its backward
pass solves the adjoint equations. The two runs differ only in the norm that measures the error of that solve:
  default   all parts of the adjoint's state count, the gradient of the parameters included
  seminorm  the gradient of the parameters does not count, since it is only an integral (Kidger, Chen, Lyons, ICML 2021)
Watch the backward NFE, the number of evaluations of the field and its VJP: the second number after "nfe".
This demo trains on 14,000 of the 60,000 images for three epochs. The full comparison is
  build/costate compare configs/fashion_odenet.json --vary model...norm=default,seminorm
END
start=$SECONDS
build/costate compare configs/fashion_odenet.json --set data.train_size=14000 --vary model...norm=default,seminorm \
    --out "$out" --plot
echo "done in $((SECONDS - start)) s. Each run has a folder with its config, weights, metrics and log. The curves are in $out/comparison.png"
