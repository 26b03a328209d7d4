#!/usr/bin/env bash
# Configs, data, weights and results from untrusted sources: what their text and names may cause and what not, as
# docs/design.md says under "Untrusted files". COSTATE: the program to test. Ends with "N passed, N failed".
set -u
costate=$(realpath "${COSTATE:-build/costate}")
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/inside" && cd "$folder/inside" || exit 1
unset COSTATE_DATA
. "$root/tests/checks.sh"
says() { grep -qaF -- "$1" "$2"; }
if command -v gnuplot >/dev/null; then gnuplot=1; else gnuplot=; fi

# After each check, none of these may have happened: a command was executed (each of them would make INJECTED), a file was
# written outside, a control character or malformed UTF-8 was printed.
quiet_bytes() { # files
    ! LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$@" && cat "$@" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1
}
harmless() { # name of the check
    ok "$1: nothing runs" [ -z "$(find "$folder" -name 'INJECTED*')" ]
    ok "$1: nothing is written outside" [ "$(ls -A ..)" = inside ]
    ok "$1: a terminal has nothing to obey" quiet_bytes out err
    find "$folder" -name 'INJECTED*' -delete # so that the next check starts without it
}
refuse() { # message, arguments
    local message=$1 before
    shift
    before=$(find .. | sort)
    run "$@"
    ok "exit code of $*" [ "$code" -eq 2 ]
    ok "message of $*" says "$message" err
    ok "nothing is written by $*" [ "$before" = "$(find .. | sort)" ]
    harmless "$message"
}
esc=$'\x1b[31m' c1=$'\xc2\x9b31m' broken=$'\xff'

cat >config.json <<'END'
{ "name": "tiny", "seed": 3, "threads": 1,
  "data": {"type": "spirals", "train_size": 40, "validation_size": 0, "test_size": 20, "batch_size": 20},
  "model": {"type": "sequential", "layers": [
    {"type": "ode", "field": {"type": "linear", "out_features": 2}}, {"type": "linear", "out_features": 2}]},
  "optimizer": {"type": "adam", "lr": 0.01}, "epochs": 1, "trace_every": 1 }
END
touch out err

# ---- gnuplot: names and labels are text ----
names=('`touch INJECTED`' "'.system('touch INJECTED').'" "''; system 'touch INJECTED' #" '".system("touch INJECTED")."'
    '|touch INJECTED;' '$(touch INJECTED)' "a'b\"c\\d@e#f%g{h}_i^j&k~l<m>n" "it's @ARG0" 'é ü')
run train "$root/configs/cnf_moons.json" --set data.train_size=40 --set data.test_size=20 --set epochs=1 --set 'model.layers[0].field.hidden=[4]' --out flow --quiet
ok "a flow" [ "$code" -eq 0 ]
run train config.json --out run --quiet
ok "a run" [ "$code" -eq 0 ]
if [ "$gnuplot" ]; then
    for name in "${names[0]}" "${names[1]}"; do
        quoted=$(printf '%s' "$name" | sed 's/[\\"]/\\&/g')
        run compare config.json --set "name=\"$quoted\"" --vary optimizer.lr=0.1 --plot
        ok "a comparison called $name" [ "$code" -eq 0 -a -s "runs/$name-compare/comparison.png" -a -s "runs/$name-compare/comparison-steps.svg" ]
        harmless "a comparison called $name"
    done
    for name in "${names[@]}" -e '< touch INJECTED' "x$esc" "x$broken" $'x\nsystem "touch INJECTED"\n'; do
        mkdir ./-place && cp -r -- run "-place/$name"
        run plot -- "-place/$name"
        ok "plot of a folder called $name" [ "$code" -eq 0 -a -s "-place/$name/plot.png" ]
        (cd ./-place && "$costate" plot --out="$name" -- "$name" >../out 2>../err)
        ok "plot by the name of $name" [ -s "-place/$name.png" -a -s "-place/$name.svg" ]
        # Newlines in a path that the user gave are printed.
        tr -d '\n' <out >out.flat && mv out.flat out
        harmless "a folder called $name"
        rm -rf ./-place
    done
    # gnuplot's macros: if it miscounts quotes, it expands @GPVAL_PWD to the name of its folder, unquoted.
    trap="x'.system('touch INJECTED').'"
    mkdir "$trap" && cp -r run "$trap/run" && cp -r run "$trap/a'@GPVAL_PWD"
    (cd "$trap" && "$costate" plot run "a'@GPVAL_PWD" >../out 2>../err)
    ok "plot in a folder whose name a macro would run" [ -s "$trap/plot.png" -a -s "$trap/plot.svg" ]
    ok "... with the run's name as it is" says "<text>a'@GPVAL_PWD" "$trap/plot.svg"
    harmless "a macro"
    rm -r "$trap"
    for name in "${names[0]}" "${names[1]}" $'x\nsystem "touch INJECTED"\n'; do
        cp -r flow "$name-flow"
        run sample "$name-flow" --n 10
        ok "pictures of samples in $name" [ "$code" -eq 0 -a -s "$name-flow/flow.png" ]
        tr -d '\n' <out >out.flat && mv out.flat out
        harmless "samples in $name"
        rm -r "$name-flow"
    done
    run compare config.json --vary optimizer.lr=0.1,0.2 --out res --quiet
    index() { printf '{"variants": [{"label": "%s", "runs": ["lr-0.1/seed-3"]}]}' "$1" >res/comparison.json; }
    for label in "${names[@]}" '<script>alert(1)</script>' ']]>' 'esc'; do
        quoted=$(printf '%s' "$label" | sed 's/[\\"]/\\&/g')
        [ "$label" = esc ] && quoted='x\u001b[31m\u009b\n\u0007'
        index "$quoted"
        run plot res
        ok "plot with the label $label" [ "$code" -eq 0 -a -s res/plot.png -a ! -s err ]
        harmless "the label $label"
        ok "the label $label in SVG" quiet_bytes <(tr -d '\t' <res/plot.svg)
        ok "no markup in SVG by the label $label" [ "$(grep -c '<script\|\]\]>' res/plot.svg)" -eq 0 ]
        ok "no control character in the script" quiet_bytes res/plot.gp
        rm res/plot*
    done
    index '\uffff\ufffe'
    run plot res
    ok "what XML forbids is shown" says '<text>\uffff\ufffe</text>' res/plot.svg
    index '`touch INJECTED` _a^{b} & <i>'
    run plot res
    ok "a label is shown as it is" says '<text>`touch INJECTED` _a^{b} &amp; &lt;i></text>' res/plot.svg
    cp -r run traced && sed -i "2,\$s/^\([0-9]*\),[^,]*,/\1,\`touch INJECTED\`$esc,/" traced/trace.csv
    run plot traced
    ok "steps of a block with a name like that" [ "$code" -eq 0 -a -s traced/plot-steps.png ]
    harmless "a block's name"
    for step in inf nan -inf 1e999; do
        rm -r traced && cp -r run traced && sed -i "3s/^\(\([^,]*,\)\{6\}\)[^,]*/\1$step/" traced/trace.csv
        run plot traced
        ok "a step of size $step" says 'traced/trace.csv: line 3: expected a row of 10 fields' err
    done
    sed -i "2s/^[0-9]*/$esc/" traced/trace.csv
    run plot traced
    ok "a damaged trace" says 'traced/trace.csv: line 2: expected a row of 10 fields' err
    harmless "a damaged trace"
fi

# ---- names for folders ----
for name in ../tiny /tmp/tiny a/b .. . .tiny -tiny '' '\u001b[31m' '\u009b31m' 'a\nb' "$(printf 'x%.0s' {1..201})"; do
    message="name: expected a name for a folder (1 to 200 bytes without '/' or control characters, not beginning with '.' or '-'), got \"${name:0:50}"
    refuse "config.json: $message" train config.json --set "name=\"$name\""
    [ "$name" = ../tiny ] || [ "$name" = '\u001b[31m' ] || continue
    refuse "config.json: $message" data config.json --set "name=\"$name\""
    refuse "config.json: $message" compare config.json --vary epochs=1 --set "name=\"$name\""
    refuse "$message" compare config.json --vary "name=\"good\",\"$name\"" --out two
done
run compare config.json --vary 'data.test_size=20' --vary 'name="a|b, \"c\" <i>","../x"' --out table
ok "a name among variants is refused as well" [ "$code" -eq 2 -a ! -e table ]
run compare config.json --vary 'name="a|b, \"c\" <i>_`x`",".x-"' --out table --quiet
ok "... whichever it is" [ "$code" -eq 2 -a ! -e table ]
run compare config.json --vary 'name="a|b, \"c\" <i>_`x`","x.."' --out table --quiet
ok "other names make folders of letters, digits and signs" [ "$(ls -d table/*/ | tr '\n' ' ')" = 'table/name-a-b-c-i-_-x/ table/name-x/ ' -o "$(ls -d table/*/ | tr '\n' ' ')" = 'table/name-a-b-c-i-_-x/ table/name-x../ ' ]
ok "a label is a cell of comparison.md" says '| name="a\|b, \\"c\\" \<i\>\_\`x\`"' table/comparison.md
ok "... which has as many as the others" [ "$(sed 's/\\|//g; s/[^|]//g' table/comparison.md | sort -u | wc -l)" -eq 1 ]
ok "... and a field of comparison.csv" says '"name=""a|b, \""c\"" <i>_`x`""",1,0,' table/comparison.csv
refuse "not beginning with '.' or '-'), got the label" compare config.json --vary "optimizer.lr=0.1,$(printf '0%.0s' {1..200}).1" --out long
harmless "folders of variants"

# ---- the terminal: only the program controls it ----
bad() { # text that must be printed, file, arguments
    local shown=$1
    shift
    run "$@"
    ok "$* is refused" [ "$code" -eq 2 ]
    ok "$* is shown escaped" says "$shown" err
    harmless "$*"
}
for text in "$esc|\\x1b[31m" "$c1|\\u009b31m" "$broken|\\xff" $'\r\b|\\r\\x08' $'\n|\\n'; do
    raw=${text%|*} shown=${text##*|}
    bad "none$shown: cannot open" check "none$raw"
    bad "none$shown/config.json: cannot open" eval "none$raw"
    bad "none$shown" plot "none$raw"
    bad "unknown command \"x$shown\"" "x$raw"
    bad "unknown option --x$shown" train config.json "--x$raw"
    bad "got \"x$shown\"" eval run --split "x$raw"
    bad "unknown name \"x$shown\"" list "x$raw"
    bad "x$shown" train config.json --set "x$raw"
    bad 'config.json: ' train config.json --set "x$raw=1"
    bad "x$shown" compare config.json --vary "x$raw"
done
sed "s/\"epochs\"/\"epo\\\\u001b[31m\"/" config.json >bad.json
bad 'epo' check bad.json
sed "s/\"adam\"/\"a\\\\u001b[31m\\\\u009b\\\\n\"/" config.json >bad.json
bad 'got "a\u001b[31m\u009b\n"' check bad.json
printf '{"a": %s}' "$c1" >bad.json
bad "got '\\u009b'" check bad.json
printf 'a%s,b\n1,2\n3,4\n' "$esc" >table.csv
csv() { run check config.json --set "data={\"type\": \"csv\", \"train\": \"table.csv\", \"target\": \"$1\"}" --set loss=mse; }
csv nothing
ok "a column's name" [ "$code" -eq 2 ]
harmless "a column's name"
printf 'a,b\n1,x%s\n3,4\n' "$esc$c1$broken" >table.csv
csv a
ok "a cell" [ "$code" -eq 2 ]
harmless "a cell"
printf '@problemName x%s\n@classLabel true a%s b\n@data\n1,2:c%s\n' "$esc" "$esc" "$esc" >bad.ts
run check config.json --set 'data={"type": "ts", "train": "bad.ts"}'
ok "a class of a .ts file" [ "$code" -eq 2 ]
harmless "a class of a .ts file"
mkdir -p "images/train/a$esc" "images/train/b$broken" "images/test/other$esc" && echo x >"images/train/a$esc/1$esc.png" && echo x >"images/train/b$broken/1.png" && echo x >"images/test/other$esc/1.png"
run check config.json --set 'data={"type": "images", "path": "images"}'
ok "a class's folder" [ "$code" -eq 2 ]
harmless "a class's folder"
run check config.json --set 'data={"type": "wav", "path": "images"}'
ok "a sound's file" [ "$code" -eq 2 ]
harmless "a sound's file"
printf "\x93NUMPY\x01\x00\x30\x00{'descr': '<f4%s', 'shape': (1,)}               \n" "$esc" >bad.npy
run check config.json --set 'data={"type": "npy", "train_x": "bad.npy", "train_y": "bad.npy"}'
ok "an array's header" [ "$code" -eq 2 ]
harmless "an array's header"
run train config.json --out weights --quiet
header='{"x\u001b[31m\u009b":{"dtype":"F9\u001b[m","shape":[1],"data_offsets":[0,4]}}'
{ printf "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0%s\\0\\0\\0\\0" "$header"; } >weights/model.safetensors
run eval weights
ok "a tensor's name" [ "$code" -eq 2 ]
harmless "a tensor's name"
mkdir "at$esc"
run train config.json --out "at$esc/run$c1"
ok "a folder's name" says 'the run is in at\x1b[31m/run\u009b31m' out
harmless "a folder's name"
ok "other letters are shown as they are" [ "$("$costate" check 'nöne 漢 \x1b.json' 2>&1)" = 'costate: nöne 漢 \x1b.json: cannot open: No such file or directory' ]
"$costate" train config.json --out "at$esc/new" --quiet
cp -r "at$esc/new" "at$esc/links" && rm "at$esc/links/"{trace.csv,summary.json} && ln -s ../../config.json "at$esc/links/trace.csv"
run train config.json --out "at$esc/links" --resume --set epochs=2
ok "a message in the log" says 'at\x1b[31m/links/trace.csv: ' err
harmless "a message in the log"
ok "... where it is" says 'at\x1b[31m/links/trace.csv: is a symbolic link' "at$esc/links/log.txt"
ok "the log is as harmless" quiet_bytes "at$esc/links/log.txt" "at$esc/new/log.txt"
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    script -qec "'$costate' train config.json --set data.train_size=4000 --set epochs=2 --out 'at$esc/terminal'" /dev/null >out 2>err </dev/null
    ok "a terminal shows the folder's name" says 'the run is in at\x1b[31m/terminal' out
    sed -i 's/\r\x1b\[K//g; s/\r$//' out
    ok "... and hears from the program itself only" quiet_bytes out
else
    echo "no pseudo-terminal (script): what a terminal shows is not looked at"
    skipped=1
fi

# ---- links in a run's folder, and folders in a comparison ----
mkdir outside && echo kept >outside/file
for file in config.json metrics.csv summary.json model.safetensors checkpoint.safetensors log.txt trace.csv; do
    run train config.json --out linked --quiet
    rm linked/summary.json
    [ -s "linked/$file" ] && cp "linked/$file" "outside/$file" || echo kept >"outside/$file"
    ln -sf "../outside/$file" "linked/$file"
    before=$(cat "outside/$file" | cksum)
    run train config.json --out linked --resume --set epochs=2
    ok "$file through a link is not written to" [ "$before" = "$(cat "outside/$file" | cksum)" ]
    case $file in
    log.txt | trace.csv)
        ok "$file as a link is refused" [ "$code" -eq 1 ]
        ok "... which is said" says "linked/$file: is a symbolic link; refusing to write through it" err
        ok "... and leaves the run as it was" grep -q '"epochs": 1' linked/config.json
        ;;
    *) ok "$file as a link is replaced" [ "$code" -eq 0 -a ! -L "linked/$file" ] ;;
    esac
    rm -r linked
done
run train config.json --out linked --quiet
rm linked/summary.json
sleep 0 & dead=$!
wait "$dead"
ln -s ../outside/file "linked/config.json.tmp$dead-0"
mkdir "linked/metrics.csv.tmp$dead-0"
run train config.json --out linked --resume --set epochs=2
ok "of what a dead process has left a link goes" [ ! -e "linked/config.json.tmp$dead-0" -a "$(cat outside/file)" = kept ]
ok "... and a folder stays" [ -d "linked/metrics.csv.tmp$dead-0" ]
if [ "$gnuplot" ]; then
    for file in plot.png plot.svg plot.gp plot-steps.png; do ln -s ../outside/file "linked/$file"; done
    run plot linked
    ok "pictures are not written through links" [ "$code" -eq 0 -a "$(cat outside/file)" = kept -a ! -L linked/plot.png ]
fi
mkdir -p cmp/epochs-1 cmp/epochs-2 && ln -s ../../outside cmp/epochs-1/seed-3 && rmdir cmp/epochs-2 && ln -s ../outside cmp/epochs-2
before=$(find outside | sort)
run compare config.json --vary epochs=1,2 --out cmp --quiet
ok "no run is made in a linked folder" [ "$code" -eq 1 -a "$before" = "$(find outside | sort)" ]
ok "... which is said" says 'cmp/epochs-1/seed-3: expected a folder, got a symbolic link; no run is written through it' err
ok "... of a variant's as well" says 'cmp/epochs-2: expected a folder, got a symbolic link; no run is written through it' err
for run in ../outside /etc a/../../outside ..; do
    printf '{"variants": [{"label": "x", "runs": ["%s"]}]}' "$run" >cmp/comparison.json
    refuse "variants[0].runs[0]: expected the name of a folder below the comparison's, got \"$run\"" plot cmp
done

# ---- pipes without a writer, and devices: the program does not wait for them ----
waits() { # arguments
    timeout 60 "$costate" "$@" >out 2>err
    code=$?
    ok "$* does not wait" [ "$code" -ne 124 ]
}
mkdir piped && cp run/* piped
for file in metrics.csv trace.csv comparison.json model.safetensors checkpoint.safetensors config.json; do
    [ -e "piped/$file" ] && mv "piped/$file" kept
    mkfifo "piped/$file"
    [ "$gnuplot" ] && waits plot piped
    waits eval piped
    [ "$file" = model.safetensors ] && ok "weights are no pipe" says 'piped/model.safetensors: cannot open: not a regular file' err
    rm -f piped/summary.json
    waits train config.json --resume --out piped --set epochs=2
    rm -rf piped kept && mkdir piped && cp run/* piped
done
mkdir -p pipes/train/a pipes/train/b && mkfifo pipes/x.npy pipes/x.csv pipes/x.ts pipes/train/a/1.png pipes/train/b/1.png pipes/train/a/1.wav pipes/train/b/1.wav
for data in '"csv", "train": "pipes/x.csv", "target": "y"' '"npy", "train_x": "pipes/x.npy", "train_y": "pipes/x.npy"' '"ts", "train": "pipes/x.ts"' \
    '"images", "path": "pipes"' '"wav", "path": "pipes"'; do
    waits check config.json --set "data={\"type\": $data}"
    ok "... and refuses data $data" [ "$code" -eq 2 ]
done
ln -sf /dev/zero pipes/x.ts
waits check config.json --set 'data={"type": "ts", "train": "pipes/x.ts"}'
ok "a device is no file" says 'pipes/x.ts: cannot open: neither a regular file nor a pipe' err
waits check <(sleep 0.2; cat config.json)
ok "a pipe with a config is" [ "$code" -eq 0 ]

# ---- the only effects that each file may have: docs/design.md ----
# A config reads the files that it names, also through links in data, and changes no data. check does not allocate the memory
# of a model.
mkdir -p sounds/a sounds/b
printf 'x,y\n1,2\n3,4\n' >outside/table.csv
{ printf 'RIFF\xb4\x01\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x90\x01\x00\x00' &&
    printf '\x10\xf0\x20\xe0%.0s' {1..100}; } >outside/sound
cp outside/sound sounds/a/1.wav && ln -s ../../outside/sound sounds/b/1.wav
state() { find .. \( -type f -exec cksum {} + \) -o -print | sort; }
before=$(state)
run check config.json --set "data={\"type\": \"csv\", \"train\": \"$PWD/outside/table.csv\", \"target\": \"y\"}" --set 'model={"type": "linear", "out_features": 2}'
ok "a table anywhere is read" [ "$code" -eq 0 ]
sound='"type": "wav", "path": "sounds", "n_fft": 40, "hop_length": 20, "n_mels": 8, "n_mfcc": 4'
run check config.json --set "data={$sound}"
ok "a linked sound is read" says 'model' err
run eval run
ok "weights are read" [ "$code" -eq 0 ]
run check config.json --set 'model={"type": "sequential", "layers": [{"type": "linear", "out_features": 1000000000}, {"type": "linear", "out_features": 2}]}'
ok "the memory for a model is told, not taken" grep -qE 'parameters, gradient, optimizer +[0-9]{5}' out
run check config.json --set 'model={"type": "linear", "out_features": 1000000000000}'
ok "what no model can have is refused" [ "$code" -eq 2 ]
rm -f out err && touch out err
ok "... and nothing is written by any" [ "$(state | grep -av '/\(out\|err\)$')" = "$(grep -av '/\(out\|err\)$' <<<"$before")" ]
before=$(find .. | sort)
run check config.json --set "data={$sound, \"cache\": \"cache\"}"
ok "a cache is its folder and a file of features" [ "$(find .. | sort | comm -13 <(echo "$before") - | sed 's/-[0-9a-f]\{16\}\./-N./' | tr '\n' ' ')" = '../inside/cache ../inside/cache/mfcc-N.npy ' ]
before=$(find .. | sort)
run train config.json --out runs/mine --quiet
ok "a run writes its folder alone" [ "$(find .. | sort | comm -13 <(echo "$before") - | grep -av '^../inside/runs')" = '' ]
mkdir real && ln -s real way
run train config.json --out way/run --quiet
ok "links on the way to a run's folder are followed" [ "$code" -eq 0 -a -s real/run/model.safetensors ]
if [ "$gnuplot" ]; then
    echo "system 'touch INJECTED'" | tee run/plot.gp >run/plot-steps.gp
    run plot run
    ok "somebody's script is not run, but replaced" says 'set multiplot' run/plot.gp
    harmless "somebody's script"
fi

echo
echo "$passed passed, $failed failed${skipped:+, $skipped skipped}"
[ "$failed" -eq 0 ]
