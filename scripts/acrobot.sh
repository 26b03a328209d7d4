#!/usr/bin/env bash
# acrobot.sh [FOLDER]: SymODEN on the double pendulum, smaller than in the paper. Called by `make acrobot`. Less than
# six minutes on two cores.
set -eu
out=${1-runs/acrobot_quick}
cat <<END2

SymODEN, a network with the structure of a Hamiltonian system, learns the double pendulum from windows of eight points, 0.05
apart. In the backward pass, torchdiffeq solves the adjoint equations on each of the seven intervals from scratch. The number
of evaluations depends on the gradient:
  default, seminorm   2 evaluations choose a first step, then 12 make two steps: 7 x 14 = 98
  {"slices": "8z"}    the norm of the paper's published code, whose size is wrong there (docs/results.md): 7 x 8 = 56
  checkpointed        the exact gradient of the steps that were taken: about as many as the forward pass
costate's own profile solves all intervals in one go and keeps the step size: one step per interval, and no first step to choose.
END2
start=$SECONDS
# Two profiles, each with several gradients. Then control with the model of one run: not to get upright is no failure
# here.
build/costate compare configs/acrobot_quick.json --out "$out/torchdiffeq" --plot --vary \
    'model.gradient={"norm":"default"},{"norm":"seminorm"},{"norm":{"slices":"8z"}},{"method":"checkpointed","store":"stages"}'
build/costate compare configs/acrobot_quick.json --set model.solver.profile=costate --out "$out/costate" \
    --vary 'model.gradient={"norm":"seminorm"},{"method":"checkpointed","store":"stages"}'
build/costate control "$out/torchdiffeq/gradient-method-checkpointed-store-stages/seed-0" --out "$out/control" || true
echo "done in $((SECONDS - start)) s. The paper's figures 4 and 5 are in $out/torchdiffeq/comparison-steps.png, figures 2 and 3 in $out/control"
