#!/usr/bin/env bash
# compare_torch.sh [threads [rounds [NAME]]]: the workloads of bench_iterations with costate and with torchdiffeq, in
# turns on this machine, from the same weights and batch. Only workloads whose name begins with NAME are measured. It
# needs Python with torch and torchdiffeq; PYTHON is the interpreter (default: python3).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} threads=${1:-$(nproc)} rounds=${2:-3} name=${3-}
if ! "$python" -c 'import torch, torchdiffeq' 2>/dev/null; then
    echo "skipped: $python has no torch or no torchdiffeq. Install them (python3 -m pip install torch torchdiffeq) or set PYTHON"
    exit 0
fi
make -s build/float/bench_iterations >/dev/null
# In each round costate writes weights and batches, then torchdiffeq reads them.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=$threads MKL_NUM_THREADS=$threads
for i in $(seq "$rounds"); do
    echo "round $i of $rounds"
    build/float/bench_iterations "$threads" "$folder/costate-$i.json" "$folder" "$name" >/dev/null
    "$python" bench/torch_iterations.py "$folder" "$threads" "$folder/torch-$i.json"
done
# The table: medians over the rounds, and the ratio to torchdiffeq.
"$python" - "$folder" "$rounds" <<'END'
import json, pathlib, statistics, sys

folder, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2])


def table(who):
    """Rows by name, with the median over the rounds of each time."""
    runs = [json.loads((folder / f"{who}-{i + 1}.json").read_text()) for i in range(rounds)]
    rows = {}
    for rows_of_a_run in zip(*runs):
        row = dict(rows_of_a_run[0])
        for key in ("iteration_ms", "forward_ms", "backward_ms"):
            row[key] = statistics.median(r[key] for r in rows_of_a_run)
        rows[row["name"]] = row
    return rows


ours, theirs = table("costate"), table("torch")
print(f"{'':20} {'iteration':>10} {'nfe':>5} {'nfe b':>6} {'ms/nfe':>9} {'ms/nfe b':>9}   of torchdiffeq: iteration, nfe, nfe b"
      f"   loss, |gradient|")
for name, row in list(theirs.items()) + list(ours.items()):
    other = theirs[name.split()[0]]
    per = [r["forward_ms"] / r["forward_nfe"] for r in (row, other)]
    per_b = [r["backward_ms"] / r["backward_nfe"] for r in (row, other)]
    label = name if row is not other else name + " with torchdiffeq"
    print(f"{label:20} {row['iteration_ms']:10.3f} {row['forward_nfe']:5.0f} {row['backward_nfe']:6.0f} {per[0]:9.4f}"
          f" {per_b[0]:9.4f}   {row['iteration_ms'] / other['iteration_ms']:9.3f} {per[0] / per[1]:6.3f} {per_b[0] / per_b[1]:6.3f}"
          f"   {row['loss']:.7f} {row['gradient']:.7f}")
END
