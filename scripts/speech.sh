#!/usr/bin/env bash
# speech.sh [FOLDER]: neural CDEs on a part of Speech Commands. Called by `make speech`. Less than ten minutes on two
# cores.
set -eu
out=${1-runs/speech}
cat <<'END'

Neural CDEs learn ten spoken words from cepstral coefficients: 10,000 of 30,769 clips, every third of 98 frames, a state of 40
numbers. The field jumps at every frame, where the solver must restart, so steps are short at any tolerance. On such data the
paper's saving is largest. The two runs differ in the norm that measures the error of the adjoint:
  default   the gradient of the parameters counts
  seminorm  the gradient of the parameters does not count: it is only an integral (Kidger, Chen, Lyons, ICML 2021)
END
start=$SECONDS
build/costate compare configs/speech_commands_quick.json --vary model...norm=default,seminorm --out "$out" --plot
echo "done in $((SECONDS - start)) s. The paper's figure 1 is $out/comparison.png"
