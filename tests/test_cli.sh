#!/usr/bin/env bash
# The program as its users call it: every command, every kind of error with its exit code, interruption and resumption.
# COSTATE: the program to test. Ends with "N passed, N failed".
set -u
costate=$(realpath "${COSTATE:-build/costate}")
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
unset COSTATE_DATA
. "$root/tests/checks.sh"
says() { grep -qF -- "$1" "$2"; }
# A command that must be refused with a message on stderr, exit code 2, and nothing written.
refuse() { # message, arguments
    local message=$1 before
    shift
    before=$(find . | sort)
    run "$@"
    ok "exit code of $*" [ "$code" -eq 2 ]
    ok "message of $*" says "$message" err
    ok "nothing is written by $*" [ "$before" = "$(find . | sort)" ]
}
tested() { number "$1" <(grep '^test ' out); } # a number that eval prints about the test split
same() { cmp -s "$1" "$2"; }

cat >config.json <<'END'
{ "name": "tiny", "seed": 3,
  "data": {"type": "spirals", "train_size": 200, "validation_size": 50, "test_size": 50, "batch_size": 20},
  "model": {"type": "sequential", "layers": [
    {"type": "linear", "out_features": 4}, {"type": "dropout", "p": 0.1},
    {"type": "ode", "field": {"type": "sequential", "layers": [
      {"type": "concat_time"}, {"type": "linear", "out_features": 8}, {"type": "tanh"}, {"type": "linear", "out_features": 4}]}},
    {"type": "linear", "out_features": 2}]},
  "optimizer": {"type": "adam", "lr": 0.01}, "epochs": 3 }
END
touch out err

# ---- help ----
run --version
ok "version" says "costate $(sed -n 's/^#define CST_VERSION "\(.*\)"/\1/p' "$root/core/version.h"), " out
ok "version: precision" grep -qE '^costate .*, (double|float) precision$' out
ok "version: compiler" grep -qE '^compiler: (gcc|clang) [0-9]' out
ok "version: level" grep -qE '^level: .' out
ok "version: BLAS and its kernels" grep -qE '^BLAS: OpenBLAS [0-9.]+ .*[A-Z]' out
ok "exit code of version" [ "$code" -eq 0 ]
cp out version
run version
ok "version as a command" cmp -s version out
rm version
refuse 'usage: costate version. Run' version now
refuse 'version: unknown option --all; this command has no options' version --all
run help
ok "help" says "costate train" out
run help train
ok "help of a command" says "--resume" out
run train --help
ok "a command's own help" says "--resume" out
for command in $("$costate" help | sed -n '/costate help/q; s/^  costate \([a-z]*\) .*/\1/p'); do
    run help "$command"
    ok "help of $command has an example" says "Example: costate $command" out
done
run
ok "no command is an error" [ "$code" -eq 2 ]
refuse 'unknown command "trian"; the nearest is "train"' trian config.json
refuse 'unknown option --rezume; the nearest is --resume' train config.json --rezume
refuse '--out expects a value' train config.json --out
refuse '--quiet takes no value' train config.json --quiet=1
refuse 'usage: costate train' train
refuse '--out expects a value' train config.json --out ''
refuse '--out expects a value' compare config.json --out ''
refuse '--repeats: expected an integer from 1 to 10000, got "x"' compare config.json --repeats x
refuse '--vary: ' compare config.json --vary seed
refuse '--split: expected train, validation or test' eval run --split all

# ---- list, check ----
run list
for name in conv2d concat_squash_conv2d ode fashion_mnist bce_with_logits rmsprop plateau tsit5 seminorm; do
    ok "list has $name" says "$name" out
done
run list conv2d
ok "list of a name" says "out_channels" out
run list solver
ok "list of a section" says "first_step" out
refuse 'the nearest is "conv2d"' list conv2s
run list --schema
ok "a schema" says '"$schema": "https://json-schema.org/draft/2020-12/schema"' out
ok "... has what the tables have" says '"#/$defs/module.conv2d"' out
run list --markdown
ok "docs/config.md is what make docs writes" same out "$root/docs/config.md"
refuse 'list: expected only one of a name, --schema and --markdown' list ode --schema
run check config.json
ok "check" says "config.json is valid" out
ok "check prints defaults" says '"eval_batch_size": 256' out
ok "check prints shapes" says "(4)" out
run check config.json --gradients
for method in 'checkpointed, states' 'checkpointed, stages' backsolve interpolating differences; do
    ok "gradients of $method" says "$method" out
done
run check config.json --gradients --set 'model.layers[2].solver={"max_num_steps": 1, "max_step": 0.1}'
ok "a solve that fails is no mistake in the config" [ "$code" -eq 1 ]
ok "... and is told" says 'max_num_steps exceeded' err
refuse 'no ODE block' check config.json --gradients --set 'model={"type": "linear", "out_features": 2}'

# ---- errors in configs ----
bad() { # message, sed expression on the config
    sed "$2" config.json >bad.json
    refuse "bad.json: $1" train bad.json --out bad
}
bad 'epochz: unknown key; the nearest known one is "epochs"' 's/"epochs"/"epochz"/'
renamed() { # place, new name, settings
    local place=$1 now=$2
    shift 2
    refuse "config.json: $place: unknown key; it is called \"$now\" now" check config.json "$@"
}
renamed checkpoint_every save_every --set checkpoint_every=2
renamed schedule.every check_every --set 'schedule={"type": "plateau", "every": 2}'
renamed 'model.layers[2].gradient.checkpoints' kept_steps --set 'model.layers[2].gradient={"checkpoints": 9}'
renamed data.average downsample --set 'data={"type": "mnist", "average": 2}'
renamed data.every stride --set 'data={"type": "ts", "train": "x.ts", "every": 2}'
renamed data.drop missing_rate --set 'data={"type": "ts", "train": "x.ts", "drop": 0.5}'
renamed data.hop hop_length --set 'data={"type": "wav", "path": "x", "hop": 80}'
refuse 'config.json: monitor: "val_loss" is called "validation_loss" now' check config.json --set monitor=val_loss
bad 'epochs: expected an integer from 1 to 1000000000, got "3"' 's/"epochs": 3/"epochs": "3"/'
bad 'model.layers[1].p: expected' 's/"p": 0.1/"p": 1.5/'
bad 'model.layers[0].out_features: expected an integer from 1 to 1000000000, got -4' 's/"out_features": 4/"out_features": -4/'
bad 'model.layers[0]' 's/"out_features": 4}, {"type": "dropout/"out_features": 1e15}, {"type": "dropout/'
bad 'model.layers[2]' 's/{"type": "linear", "out_features": 4}\]}/{"type": "linear", "out_features": 5}]}/'
bad 'model: expected 2 outputs, one per class, got rows of shape (3)' 's/"out_features": 2}/"out_features": 3}/'
bad 'optimizer.type: expected the name of an optimizer (the nearest is "adam")' 's/"adam"/"adan"/'
ode() { # message, members of the ODE block
    bad "model.layers[2].$1" "s/\"type\": \"ode\"/&, $2/"
}
ode 'solver: expected min_step <= max_step' '"solver": {"min_step": 1, "max_step": 0.1}'
ode 'gradient: expected tolerances of at least 0, one of them above' '"gradient": {"rtol": 0, "atol": 0}'
ode 'gradient.norm: expected a block with a weight above 0' '"gradient": {"norm": {"norm": "seminorm", "z": 0, "a_z": 0}}'
bad 'name: expected a name for a folder' 's/"tiny"/"..\/tiny"/'
for text in '{"a": NaN}' '{"name": "x"} x' '{"name": "x", "name": "y"}' '[1]' '' '{"a": 1e999}' "$(printf '[%.0s' {1..100})"; do
    printf '%s' "$text" >bad.json
    refuse 'bad.json' train bad.json --out bad
done
head -c 300 /dev/urandom >bad.json
refuse 'bad.json' train bad.json --out bad
refuse 'missing.json: cannot open' train missing.json
refuse 'cannot set "model.layerz.x": model has no "layerz"; the nearest key is "layers"' train config.json --set model.layerz.x=1
refuse '--set: expected PATH=VALUE' train config.json --set model
refuse '"normal" does not exist anywhere' train config.json --set ...normal=1
refuse '--threads: expected a number' train config.json --threads many
refuse 'threads: expected an integer from 0 to 64, got 65' train config.json --threads 65
refuse 'config.json: data: no data found: tried nowhere' train config.json --set 'data={"type": "images", "path": "nowhere"}' --out bad
refuse 'nowhere' check config.json --set 'data={"type": "mnist", "path": "nowhere"}'
rm -f bad.json

# ---- the user's own data: the configs of docs/data.md ----
awk '/^```json$/ { file = ""; inside = 1; next } /^```/ { inside = 0 } !inside { next }
    file == "" { split($0, part, "\""); file = "doc-" part[4] ".json" } { print > file }' "$root/docs/data.md"
awk 'BEGIN { print "id,length,width,species"
    for (i = 0; i < 120; i++) print i "," i % 3 + (i % 7) / 10 "," 2 - i % 5 / 10 "," (i % 3 == 0 ? "setosa" : i % 3 == 1 ? "\"versicolor\"" : "virginica")
}' >flowers.csv
npy() { # file, type, shape; the numbers on stdin
    { printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': $3, }" && cat; } >"$1"
}
mkdir pendulum
x='' y=''
for ((i = 0; i < 64; i++)); do
    x+=$(printf '\\x%02x\\x00\\x%02x\\x00' $((i % 8)) $((i / 8)))
    if [ $((i % 8)) -gt 3 ]; then y+='\x00\x00\x80\x3f'; else y+='\x00\x00\x00\x00'; fi
done
printf "$x" | npy pendulum/x.npy '<i2' '(64, 2)'
printf "$y" | npy pendulum/y.npy '<f4' '(64,)'
run train doc-flowers.json --out flowers --quiet
ok "a CSV file is learnt" [ "$code" -eq 0 ]
run eval flowers
ok "... its classes are told" less 89.9 "$(tested accuracy)"
run train doc-pendulum.json --out pendulum-run
ok "NumPy arrays are learnt" [ "$code" -eq 0 ]
ok "... by a regression" less "$(number 'test loss' out)" 0.1
printf '5,x,1,setosa\n' >>flowers.csv
refuse 'flowers.csv: line 122, column "length": expected a number, got "x"' check doc-flowers.json
awk '/"data"/ { sub(/{"type".*}/, "{\"type\": \"mass_spring\", \"trajectories\": 40, \"points\": 16, \"window\": 4}") } { print }' doc-motions.json >springs.json
run data springs.json --out motions --set data.batch_size=16
ok "simulated data are written" [ "$code" -eq 0 ]
ok "... with their shapes" grep -qE '^motions/train_trajectories.npy +f[48] +\(28, 16, 2\)$' out
ok "... all of them" [ "$(ls motions | wc -l)" -eq 9 ]
refuse 'motions/train_x.npy: this folder already contains data' data springs.json --out motions
refuse 'springs.json: data.window: expected at most 16' data springs.json --out other --set data.window=17
refuse 'usage: costate data' data
run data springs.json --out flowers.csv/none
ok "a folder that cannot be: exit code 1" [ "$code" -eq 1 ]
ok "a folder that cannot be: message" says 'flowers.csv' err
run data springs.json --set seed=1 --set model=1
ok "a model that is none" [ "$code" -eq 2 ]
run data springs.json --set model.type=none
ok "data without a good model, in a folder of their own" [ "$code" -eq 0 -a -s data/motions/test_y.npy ]
run train doc-motions.json --out motions-run --quiet
ok "trajectories are learnt" [ "$code" -eq 0 ]
run train springs.json --out springs-run --quiet
ok "... as the simulated ones" [ "$code" -eq 0 ]
run train doc-motions.json --out again --quiet --set data.validation_file=validation_trajectories.npy --set data.test_file=test_trajectories.npy --set data.batch_size=64
ok "written data are the data" same again/model.safetensors springs-run/model.safetensors
run data springs.json --out again --set data='{"type": "npy", "path": "motions", "train_x": "train_x.npy", "train_y": "train_y.npy", "test_x": "test_x.npy", "test_y": "test_y.npy", "validation_x": "validation_x.npy", "validation_y": "validation_y.npy"}'
ok "written data can be written again" [ "$code" -eq 0 ]
for file in train_x train_y validation_x validation_y test_x test_y; do ok "$file is the same" same again/$file.npy motions/$file.npy; done
rm -r doc-motions.json springs.json motions motions-run springs-run again data
rm -r doc-flowers.json doc-pendulum.json flowers flowers.csv pendulum pendulum-run

# Series of two classes, ramps up and ramps down, of different lengths.
mkdir letters sequences
for part in TRAIN TEST; do
    awk 'BEGIN { print "@classLabel true a b\n@data"; for (i = 0; i < 60; i++) {
        for (d = 0; d < 2; d++) { for (k = 0; k < 4 + i % 3; k++)
            printf "%s%s", k ? "," : "", (i + k) % 5 == 0 ? "?" : (i % 2 ? -k : k) + i % 7 / 10; printf ":" }
        print i % 2 ? "a" : "b" } }' >letters/letters_$part.ts
done
run train doc-letters.json --out letters-run --quiet
ok "series in .ts files are learnt" [ "$code" -eq 0 ]
run eval letters-run
ok "... with gaps and ends" less 89.9 "$(tested accuracy)"
awk 'BEGIN { print "patient,hour,pulse,temperature,note,well"; for (i = 0; i < 48; i++) for (k = 0; k < 4 + i % 2; k++) {
    well = (i + k) % 4 < 2; print "p" i "," k + i % 3 / 10 "," (k % 2 ? "" : 60 + i % 5) "," (well ? 36 : 39) ",x," (k % 3 == 1 ? "" : well ? "yes" : "no") }
}' >patients.csv
run train doc-patients.json --out patients-run --quiet
ok "series in CSV files are learnt" [ "$code" -eq 0 ]
run eval patients-run
ok "... at each time that has a class" less 89.9 "$(tested accuracy)"
x='' y=''
for ((i = 0; i < 64 * 5; i++)); do # the target is -1 where x is -1, 1 where it is 1, and missing at each series' third time
    if [ $((i * i % 7)) -lt 3 ]; then x+='\xff' one='\x00\x00\x80\xbf'; else x+='\x01' one='\x00\x00\x80\x3f'; fi
    if [ $((i % 5)) -eq 2 ]; then one='\x00\x00\xc0\x7f'; fi
    y+=$one
done
printf "$x" | npy sequences/x.npy '|i1' '(64, 5)'
printf "$y" | npy sequences/y.npy '<f4' '(64, 5, 1)'
run train doc-sequences.json --out sequences-run
ok "series in NumPy arrays are learnt" [ "$code" -eq 0 ]
ok "... with a target at each time" less "$(number 'test loss' out)" 0.4
run check doc-sequences.json
ok "... which check says" grep -q 'rows of (5, 2), 1 targets at each of 5 times' out
rm -r letters letters-run patients.csv patients-run sequences sequences-run
wav() { # file, period in samples: 400 samples of 8 bits, 8000 per second
    { printf 'RIFF\xb4\x01\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x90\x01\x00\x00' &&
        printf "$(awk -v p="$2" 'BEGIN { for (i = 0; i < 400; i++) printf "\\x%02x", 128 + 100 * sin(6.283185 * i / p) }')"; } >"$1"
}
mkdir -p words/yes words/no words/maybe
for ((i = 0; i < 20; i++)); do wav words/yes/$i.wav $((4 + i % 5)) && wav words/no/$i.WAV $((20 + i)); done
sound=(--set data.samples=400 --set data.n_fft=40 --set data.hop_length=20 --set data.n_mels=8 --set data.n_mfcc=4
    --set 'model.layers[0].field.layers[2].out_features=80' --set data.batch_size=10 --set epochs=10 --quiet)
mv "$(grep -l '"wav"' doc*.json)" words.json
run train words.json --out words-run "${sound[@]}"
ok "sound is learnt" [ "$code" -eq 0 ]
run eval words-run
ok "... its classes are told" less 89.9 "$(tested accuracy)"
ok "... from one file the next time" [ "$(ls words-features | wc -l)" -eq 1 ]
wav words/yes/none.wav 4
printf 'RIFX' | dd of=words/yes/none.wav conv=notrunc status=none
refuse 'words/yes/none.wav: byte 0: expected "RIFF" of a WAV file, found "RIFX"' check words.json
rm -r words words.json words-run words-features
rm -f doc-*.json

# ---- train, eval, plot ----
run train config.json --out a --threads 2
ok "train" [ "$code" -eq 0 ]
for file in config.json metrics.csv log.txt checkpoint.safetensors model.safetensors summary.json; do ok "a run has $file" [ -s "a/$file" ]; done
ok "metrics have a row per epoch" [ "$(wc -l <a/metrics.csv)" -eq 4 ]
ok "the summary has seed and version" grep -q '"seed": 3' a/summary.json
ok "progress tells both NFE" grep -qE 'nfe [0-9.]+ \+ [0-9.]+' out
refuse 'this folder already has files' train config.json --out a
run train config.json --out b --threads 2 --quiet
ok "quiet" [ ! -s out ]
ok "same seed, same bits" same a/model.safetensors b/model.safetensors
run train config.json --out c --threads 2 --quiet --set seed=4
ok "another seed, other bits" [ "$(cmp -s a/model.safetensors c/model.safetensors; echo $?)" -eq 1 ]
run eval a
ok "eval" grep -q '^test .*accuracy' out
run eval a --split validation
ok "eval of one split" grep -q '^validation .*50 rows' out
refuse 'nowhere/config.json: cannot open' eval nowhere
run train config.json --out traced --set trace_every=4 --quiet
ok "a trace has iterations and passes" [ "$(cut -d, -f1,3 traced/trace.csv | sort -u | grep -cE '^(0|4|8|12|16|20|24|28),(for|back)ward$')" -eq 16 ]
cp traced/config.json before.json
mv traced/trace.csv trace && echo 'no trace' >traced/trace.csv
run train config.json --out traced --set trace_every=4 --quiet --resume --set epochs=4
ok "a trace that cannot be gone on with" [ "$code" -eq 1 ]
ok "... is told" says 'traced/trace.csv: line 1: expected' err
ok "... and leaves the run as it was" [ -s traced/summary.json -a "$(cmp -s before.json traced/config.json; echo $?)" -eq 0 ]
mv trace traced/trace.csv
if command -v gnuplot >/dev/null; then
    run plot traced
    ok "steps are drawn" [ -s traced/plot-steps.png ]
    ok "gnuplot has nothing to say about steps" [ ! -s err ]
    run train config.json --out fixed --set trace_every=4 --set epochs=1 --set 'model.layers[2].solver={"method": "rk4"}' --quiet
    run plot fixed
    ok "... nor about steps of one size" [ "$code" -eq 0 -a -s fixed/plot-steps.svg -a ! -s err ]
    run plot a
    ok "plot" [ "$code" -eq 0 ]
    ok "plot is a PNG" [ "$(head -c 4 a/plot.png | tail -c 3)" = PNG ]
    ok "plot is an SVG" grep -q '</svg>' a/plot.svg
    ok "gnuplot has nothing to say" [ ! -s err ]
    mkdir lost && sed '2,$s/[^,]*//g' a/metrics.csv >lost/metrics.csv
    run plot lost
    ok "a run without a finite value has no plot" [ "$code" -eq 1 -a ! -e lost/plot.gp ]
    ok "... which is said" says 'nothing to draw: no value is finite' err
    run plot a b --out both
    ok "plot of two" [ -s both.png ]
fi
refuse 'expected a run or a comparison' plot nowhere

# ---- interruption: SIGINT, then --resume, has the result of an uninterrupted run ----
long=(config.json --set epochs=40 --set data.train_size=2000 --threads 2)
run train "${long[@]}" --out whole --quiet
ok "an uninterrupted run" [ "$code" -eq 0 ]
# In the background a shell ignores SIGINT for its children: SIGTERM does the same.
"$costate" train "${long[@]}" --out parts >out 2>err &
while [ ! -s parts/checkpoint.safetensors ] && kill -0 $! 2>/dev/null; do sleep 0.02; done
kill -TERM $!
wait $!
ok "interrupted: exit code 1" [ $? -eq 1 ]
ok "interrupted: says how to resume" says "to resume it, add --resume --out parts to its train command" err
ok "interrupted: not finished" [ ! -e parts/summary.json ]
refuse 'its config has another "seed"' train "${long[@]}" --set seed=9 --out parts --resume
run train "${long[@]}" --out parts --resume
ok "resumed" [ "$code" -eq 0 ]
ok "resumed equals uninterrupted" same whole/model.safetensors parts/model.safetensors
ok "resumed metrics equal uninterrupted ones" [ "$(cut -d, -f1-17 whole/metrics.csv)" = "$(cut -d, -f1-17 parts/metrics.csv)" ]
run train "${long[@]}" --out new --resume --set epochs=1
ok "--resume where there is nothing begins" [ -s new/summary.json ]

# ---- compare ----
run compare config.json --vary model...norm=default,seminorm --vary '...solver.method=dopri5,tsit5' --repeats 2 --out cmp --plot
ok "compare" [ "$code" -eq 0 ]
ok "compare prints a table" says "norm=seminorm, method=tsit5" out
ok "compare writes CSV" [ "$(wc -l <cmp/comparison.csv)" -eq 5 ]
ok "compare writes Markdown" [ "$(wc -l <cmp/comparison.md)" -eq 6 ]
ok "a run per seed" [ -s cmp/norm-default-method-dopri5/seed-4/summary.json ]
before=$(cat cmp/*/*/metrics.csv | cksum)
run compare config.json --vary model...norm=default,seminorm --vary '...solver.method=dopri5,tsit5' --repeats 2 --out cmp
ok "runs that are done are not done again" [ "$before" = "$(cat cmp/*/*/metrics.csv | cksum)" ]
ok "nothing but the table the second time" [ "$(grep -c '^epoch' out)" -eq 0 ]
refuse 'seed: expected' compare config.json --set seed=3.5 --out other
run compare config.json --vary 'model...solver={"max_num_steps":1},{"rtol":1e-2}' --out some
ok "a run that fails does not stop the others" says "1 of 1 failed" out
ok "... but is told" [ "$code" -eq 1 ]
run compare config.json --set 'model.layers[1]={"type": "leaky_relu"}' --set epochs=1 --vary model.layers[1].negative_slope=-0.1,0.1 --out signs --quiet
ok "values that differ in their sign" [ -s signs/negative_slope--0.1/seed-3/summary.json -a -s signs/negative_slope-0.1/seed-3/summary.json ]
rm signs/comparison.csv && mkdir signs/comparison.csv
run compare config.json --set 'model.layers[1]={"type": "leaky_relu"}' --set epochs=1 --vary model.layers[1].negative_slope=-0.1,0.1 --out signs --quiet
ok "a table that cannot be written: exit code" [ "$code" -eq 1 ]
ok "... why" says 'signs/comparison.csv: ' err
ok "... is not said to be there" [ ! -s out ]

# The paper's count: ten times the evaluations of epochs 1, 11 and the last.
run train config.json --set epochs=13 --out thirteen
counted=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["epoch"] ~ /^(1|11|13)$/ { sum += 10 * $at["backward_nfe"] * ($at["iterations"] + $at["skipped"]) }
    END { printf "%.0f", sum }' thirteen/metrics.csv)
ok "nfe_paper" [ "$counted" = "$(sed -n 's/.*"nfe_paper": \([0-9]*\).*/\1/p' thirteen/summary.json)" ]

# ---- control ----
run train "$root/configs/acrobot_quick.json" --set data.trajectories=4 --set epochs=1 --out acrobot --quiet
run control acrobot --steps 3 --out controlled
ok "a pendulum that hangs still" [ "$code" -eq 1 ]
ok "... is said to" says "not upright at the end, t = 0.15: the smallest angle from upright was " out
ok "... how far it was" less 1 "$(number 'the smallest angle from upright was' out)"
ok "its course is there" [ "$(wc -l <controlled/control.csv)" -eq 5 ]
refuse 'expected a model with a symoden field' control whole
refuse 'expected two numbers, Q1,Q2, got "1"' control acrobot --start 1


# ---- sample ----
run train "$root/configs/cnf_moons.json" --set data.train_size=512 --set data.test_size=300 --set epochs=1 --out moons --quiet
ok "a flow is learnt" [ "$code" -eq 0 ]
bits=$(number '"test_bits_per_dim":' moons/summary.json) nats=$(number '"test_loss":' moons/summary.json)
ok "its summary has bits per dimension, half of the nats over log 2" near "$bits" "$(awk -v nats="$nats" 'BEGIN { printf "%.17g", nats / 2 / log(2) }')" 1e-8
run eval moons
ok "eval tells the same" says "$(printf '%.4f bits/dim' "$bits")" out
mkdir -p flows/epochs-1 && cp -r moons flows/epochs-1/seed-0
run compare moons/config.json --vary epochs=1 --out flows
ok "compare has them in its table" says "$(printf '%.4f' "$bits")" out
ok "... by name" says 'test bits/dim' out
if command -v gnuplot >/dev/null; then
    run sample moons --out drawn
    ok "samples of a flow" [ "$code" -eq 0 ]
    for file in samples.npy samples.png samples.svg flow.png flow.svg test_logp.npy; do ok "... has $file" [ -s "drawn/$file" ]; done
    ok "... says so" says 'written: drawn/flow.png' out
    ok "... and gnuplot nothing" [ ! -s err ]
    ok "... and of how many rows the likelihoods are" says ' over 300 rows' out
    mean=$(number 'test: mean log-likelihood' out)
    run eval moons
    ok "its likelihoods have the mean that eval tells" near "$(tested loss)" "$(awk -v mean="$mean" 'BEGIN { printf "%.17g", -mean }')" 1e-4
    run sample moons --n 10 --seed 3 --split none --out a10
    run sample moons --n 10 --seed 3 --split train --out b10
    ok "the same seed, the same samples" same a10/samples.npy b10/samples.npy
    ok "likelihoods of no split" [ ! -e a10/test_logp.npy -a -s b10/train_logp.npy ]
    run sample moons --n 10 --split none --out c10
    ok "another seed, others" [ "$(cmp -s a10/samples.npy c10/samples.npy; echo $?)" -eq 1 ]
fi
path=$PATH
PATH=/nonexistent
run sample moons --n 10 --out bare
PATH=$path
ok "without gnuplot all but pictures" [ "$code" -eq 0 -a -s bare/samples.npy -a -s bare/test_logp.npy -a ! -e bare/samples.png ]
ok "... which is said" says 'no pictures: gnuplot is not installed' err
mkdir half && cp moons/config.json half && touch half/checkpoint.safetensors
run sample half
ok "a run that has not ended is told" says 'half: the run has not ended; to resume it, add --resume --out half to its train command' err
refuse 'expected a model of type flow' sample whole --out none
refuse 'the data have no validation split' sample moons --split validation --out none
refuse '--split: expected train, validation, test or none, got "all"' sample moons --split all
refuse '--n: expected an integer from 1 to 10000000, got "0"' sample moons --n 0
refuse '--seed: expected an integer' sample moons --seed x --out none
refuse 'nowhere/config.json: cannot open' sample nowhere
run sample moons --out config.json/none
ok "a folder that cannot be: exit code 1" [ "$code" -eq 1 ]
ok "... is told before anything is drawn" says 'config.json' err

refuse '--out expects a value' control acrobot --out ''
refuse '--out expects a value' train config.json --out=
refuse 'seed: cannot be varied' compare config.json --vary seed=0,1 --out seeds
mkdir -p taken && : >taken/test_y.npy
refuse 'taken/test_y.npy: this folder already contains data' data config.json --out taken

# Two processes at once share the runs.
both=(compare config.json --vary model...norm=default,seminorm --repeats 3 --out shared)
"$costate" "${both[@]}" >one 2>&1 & first=$!
"$costate" "${both[@]}" >two 2>&1 && wait "$first"
ok "two processes make one comparison" [ $? -eq 0 ]
ok "each run is made once" [ "$(cat one two | grep -c '^weights of epoch')" -eq 6 ]
ok "both print the same table" [ "$(grep seminorm one | tail -1)" = "$(grep seminorm two | tail -1)" ]
# Runs so short that one process ends them while the other one looks for work.
lost=0
for i in $(seq 15); do
    both=(compare config.json --set 'model={"type": "linear", "out_features": 2}' --set epochs=1 --vary optimizer.lr=1e-3,2e-3
        --repeats 6 --out "short$i" --quiet)
    "$costate" "${both[@]}" >one 2>&1 & first=$!
    "$costate" "${both[@]}" >two 2>&1 && wait "$first" || lost=$((lost + 1))
done
ok "no run is lost between two processes" [ "$lost" -eq 0 ]
flock whole "$costate" train "${long[@]}" --out whole --resume >out 2>err
ok "a run has one process" [ $? -eq 1 -a "$(grep -c 'another process is using' err)" -eq 1 ]

for config in "$root"/configs/*.json "$root"/configs/paper/*.json; do
    run check "$config"
    ok "$config" [ "$code" -eq 0 -o "$(grep -c 'no data found' err)" -eq 1 ]
done

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
