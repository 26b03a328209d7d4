#!/usr/bin/env bash
# A full disk: training ends with a clear message and exit code 1, existing files stay as they are, and the run can be resumed
# once there is space. The disk is a small tmpfs in its own mount namespace; skipped if the system does not allow one.
# COSTATE: the program to test. Ends with "N passed, N failed".
set -u
costate=$(realpath "${COSTATE:-build/float/costate}") checks=$(realpath "$(dirname "$0")/checks.sh")
if [ -z "${IN_NAMESPACE-}" ]; then
    for options in -rm -m; do
        if unshare $options true 2>/dev/null; then IN_NAMESPACE=1 COSTATE=$costate exec unshare $options "$0"; fi
    done
    printf 'no mount namespace: %s\n0 passed, 0 failed, 1 skipped\n' "$(unshare -m true 2>&1)"
    exit
fi
folder=$(mktemp -d)
trap 'umount "$folder/disk" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder" || exit 1
mkdir disk
if ! mount -t tmpfs -o size=1m tmpfs disk 2>err; then
    printf 'no tmpfs: %s\n0 passed, 0 failed, 1 skipped\n' "$(cat err)"
    exit
fi
. "$checks"
no_leftovers() { [ -z "$(find "$1" -name '*.tmp*')" ]; }

# Weights of 17 kB or 34 kB, checkpoints of four times as much.
cat >config.json <<'END'
{ "name": "tiny", "threads": 1,
  "data": {"type": "spirals", "train_size": 40, "validation_size": 20, "test_size": 20, "batch_size": 20},
  "model": {"type": "sequential", "layers": [{"type": "linear", "out_features": 64},
    {"type": "ode", "field": {"type": "sequential", "layers": [{"type": "linear", "out_features": 64}, {"type": "tanh"}]}},
    {"type": "linear", "out_features": 2}]},
  "epochs": 4 }
END
touch out err
run train config.json --out reference --quiet
ok "a run with room" [ "$code" -eq 0 ]

# ---- no space at all ----
head -c 1100000 /dev/zero >disk/filler 2>/dev/null
run train config.json --out disk/new --quiet
ok "nothing fits: exit code" [ "$code" -eq 1 ]
ok "nothing fits: message" grep -q '^costate: disk/new.*No space left on device' err
rm -rf disk/new disk/filler

# ---- an unfinished run resumed with too little space, a little more each time ----
run train config.json --out disk/run --quiet --set epochs=2
ok "two epochs" [ "$code" -eq 0 ]
cp -r disk/run before
head -c 1100000 /dev/zero >disk/filler 2>/dev/null
size=$(stat -c %s disk/filler)
failures=0 free=0 kept=0
for ((free = 0; free < 600; free += 8)); do
    truncate -s $((size - 1024 * free)) disk/filler
    run train config.json --out disk/run --quiet --resume
    [ "$code" -eq 0 ] && break
    failures=$((failures + 1))
    ok "$free kB free: exit code" [ "$code" -eq 1 ]
    ok "$free kB free: message" grep -q '^costate: disk/run/.*: cannot write: No space left on device$' err
    ok "$free kB free: no leftovers" no_leftovers disk/run
    cmp -s before/checkpoint.safetensors disk/run/checkpoint.safetensors && kept=$((kept + 1))
    run eval disk/run
    ok "$free kB free: the weights can be read" [ "$code" -eq 0 ]
    cp -r disk/run copy
    run train config.json --out copy --quiet --resume
    ok "$free kB free: resumes in a copy of the folder" [ "$code" -eq 0 ]
    ok "$free kB free: ... to the same end" cmp -s reference/model.safetensors copy/model.safetensors
    rm -rf copy
done
ok "room enough at last" [ "$code" -eq 0 ]
ok "several failures before" [ "$failures" -ge 5 ]
ok "most of which left the checkpoint as it was" [ "$kept" -ge 4 ]
ok "the same end in the end" cmp -s reference/model.safetensors disk/run/model.safetensors

# ---- a pipe or a device that accepts no output ----
"$costate" list >/dev/full 2>err
ok "a full standard output" [ $? -eq 1 ]

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
