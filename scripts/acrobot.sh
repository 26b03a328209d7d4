#!/usr/bin/env bash
# SymODEN on the double pendulum, small: what `make acrobot` shows. Under six minutes on two cores.
set -eu
out=${1-runs/acrobot_quick}
cat <<END2

A network that knows what a Hamiltonian is (SymODEN) learns the double pendulum from windows of eight points, 0.05 apart.
Seven intervals lie between them, and torchdiffeq solves the adjoint equations of each from scratch:
  default, seminorm   two evaluations to choose a first step, then twelve for two steps: 7 x 14 = 98
  {"slices": "8z"}    the norm that the paper's published code has, sized by mistake (docs/results.md): 7 x 8 = 56
  checkpointed        the exact gradient of the steps that were taken: about as many as the forward pass
and costate's own profile solves them as one, warm: no first step to be chosen, one step an interval.
END2
start=$SECONDS
build/costate compare configs/acrobot_quick.json --out "$out/torchdiffeq" --plot --vary \
    'model.gradient={"norm":"default"},{"norm":"seminorm"},{"norm":{"slices":"8z"}},{"method":"checkpointed","store":"stages"}'
build/costate compare configs/acrobot_quick.json --set model.solver.profile=costate --out "$out/costate" \
    --vary 'model.gradient={"norm":"seminorm"},{"method":"checkpointed","store":"stages"}'
build/costate control "$out/torchdiffeq/gradient-method-checkpointed-store-stages/seed-0" --out "$out/control" || true
echo "done in $((SECONDS - start)) s. Figures 4 and 5 are in $out/torchdiffeq/comparison-steps.png, 2 and 3 in $out/control"
