#!/usr/bin/env bash
# Neural CDEs on Speech Commands, small: what `make speech` shows. Under ten minutes on two cores.
set -eu
out=${1-runs/speech}
cat <<'END'

Neural CDEs learn ten spoken words from cepstral coefficients: 10,000 of 30,769 clips, every third of 98 frames, a state of 40
numbers. The field jumps at every frame, so that the solver begins anew there and steps are short whatever the tolerance:
where the paper's saving is largest. The two runs differ in the norm that judges the adjoint's errors:
  default   counts the gradient of the field's parameters
  seminorm  leaves it out: it is only an integral (Kidger, Chen, Lyons, ICML 2021)
END
start=$SECONDS
build/costate compare configs/speech_commands_quick.json --vary model...norm=default,seminorm --out "$out" --plot
echo "done in $((SECONDS - start)) s. Figure 1 is $out/comparison.png"
