#!/bin/sh
# Quality against compute, as Sora's report shows it at 1x, 4x and 32x, with numbers.
#
#   bench/scaling.sh [STEPS] [OUT]
#     trains a small nano for STEPS, 4 STEPS and 32 STEPS steps (default 40), each a whole run with its own learning rate, or takes what is
#     in OUT already, so a run that was stopped goes on. SIZE (128x128), DIM (128), LAYERS (3), BATCH (16).
#   bench/scaling.sh --config CONFIG OUT STEPS=MODEL STEPS=MODEL [...]
#     takes models that are there: those of one run, whose training configuration CONFIG is, after so many steps.
#
# OUT gets scaling.tsv, scaling.svg with the fitted power law, and sheet.png: the same prompts and seeds of each, from left to right. QUICK
# (24): prompts of sora score; LISTEN (48): held-out clips of the loss, 0: without it; SEEDS (2): rows of each prompt; THREADS; CACHE: a
# folder of sora score --cache. Needs python3, ffmpeg and the art of Emoji Stage.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
config= out= models=
case $1 in
--config)
    [ $# -ge 5 ] || usage
    config=$2 out=$3
    shift 3
    for model; do
        case $model in
        *[0-9]=?*) models="$models $model" ;;
        *) usage ;;
        esac
        [ -f "${model#*=}/model.json" ] || { echo "bench/scaling.sh: ${model#*=}: no model folder" >&2; exit 3; }
    done
    ;;
-*) usage ;;
*) steps=${1:-40} out=${2:-train-out/scaling} ;;
esac
here=$(pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
# What the caller named is seen from where the caller is.
absolute() {
    case $1 in /*) echo "$1" ;; *) echo "$here/$1" ;; esac
}
[ -z "$config" ] || { config=$(absolute "$config") out=$(absolute "$out"); }
sora=build/sora
mkdir -p "$out" || exit 1
small() { # steps: the configuration of a small run
    python3 - "$1" "${SIZE:-128x128}" "${DIM:-128}" "${LAYERS:-3}" "${BATCH:-16}" <<'END'
import json, sys
steps, size, dim, layers, batch = sys.argv[1:]
steps, dim, layers, batch = int(steps), int(dim), int(layers), int(batch)
c = json.load(open('models/nano/train/nano.json'))
c['init'] = {'text_encoder': 'models/nano'}  # it has learnt to read; what is compared is what the transformer learns
c['codec'] = 'models/nano/vae'
width, height = map(int, size.split('x'))
c['manifest']['defaults'].update(width=width, height=height, frames=9)
c['transformer'].update(dim=dim, ffn_dim=4 * dim, num_layers=layers)
c['buckets'] = [{'size': size, 'frames': 9, 'batch': batch, 'shift': 2, 'shard_clips': 256, 'shards': 4}]
c.update(first_shards=4, checkpoint_every=1000000, preview_every=0, log_every=max(1, steps // 20))
c['optimizer'].update(steps=steps, warmup=max(5, steps // 20), cooldown=0, final_ratio=0.02)
c['optimizer']['ema'] = 1 - 5 / max(50, steps)
json.dump(c, sys.stdout, indent=1)
END
}
printf 'factor\tsteps\tTFLOP\tloss\tright\tasked\n' >"$out/scaling.tsv.new"
first=
sheets=
measure() { # steps model configuration
    # Operations of the transformer's steps alone: clips are encoded once for all.
    flops=$($sora train transformer "$3" --out "$out/dry" --dry-run | sed -n 's/.* \([0-9.]*\) GFLOP each.*/\1/p')
    [ -n "$flops" ] || { echo "bench/scaling.sh: $3: no number of operations" >&2; exit 1; }
    first=${first:-$1}
    loss=-
    # The held-out loss where something acts, over all noise levels.
    [ "${LISTEN:-48}" = 0 ] ||
        loss=$($sora train listen "$3" "$2" --out "$out/listen" --clips "${LISTEN:-48}" ${THREADS:+--threads $THREADS} 2>/dev/null |
            awk '/^loss/ { for (i = NF; i > NF - 4; i--) s += $i; printf "%.4f", s / 4 }')
    $sora score "$2" --quick "${QUICK:-24}" --no-real --cache "${CACHE:-$out/cache}" ${THREADS:+--threads $THREADS} --json >"$out/score-$1.json" || exit 1
    answers=$(python3 - "$out/score-$1.json" <<'END'
import json, sys
right = json.load(open(sys.argv[1]))['made']['right']
kinds = [right[k]['all'] for k in ('thing', 'colour', 'count', 'place', 'time', 'weather', 'action', 'direction')]
print('%d\t%d' % (sum(k['right'] for k in kinds), sum(k['asked'] for k in kinds)))
END
    )
    awk -v n="$1" -v f="$first" -v g="$flops" -v rest="$loss	$answers" 'BEGIN { printf "%.3g\t%d\t%.6g\t%s\n", n / f, n, n * g / 1e3, rest }' >>"$out/scaling.tsv.new"
    [ -f "$out/sheet-$1.png" ] || {
        printf 'a dog walks left across a sunny meadow\na red car drives to the right on a city street\na balloon floats up\n' >"$out/prompts.txt"
        $sora sheet -m "$2" --prompts "$out/prompts.txt" --seeds "${SEEDS:-2}" --columns 3 --no-credentials ${THREADS:+--threads $THREADS} "$out/sheet-$1.png" || exit 1
    }
    sheets="$sheets $1"
}
if [ -n "$config" ]; then
    for model in $models; do
        measure "${model%%=*}" "$(absolute "${model#*=}")" "$config"
    done
else
    for factor in 1 4 32; do
        n=$((steps * factor)) run=$out/$factor
        small $n >"$out/$factor.json"
        if [ ! -f "$run/done" ]; then
            mkdir -p "$run"
            [ $factor = 1 ] || [ -d "$run/latents" ] || cp -r "$out/1/latents" "$run/" # the same clips
            $sora train transformer "$out/$factor.json" --out "$run" --resume ${THREADS:+--threads $THREADS} || exit 1
            touch "$run/done"
        fi
        measure $n "$run/model" "$out/$factor.json"
    done
fi
mv "$out/scaling.tsv.new" "$out/scaling.tsv"
python3 bench/scaling.py "$out/scaling.tsv" "$out/scaling.svg" || exit 1
set --
for n in $sheets; do set -- "$@" -i "$out/sheet-$n.png"; done
ffmpeg -nostdin -loglevel error -y "$@" -filter_complex "hstack=inputs=$(($# / 2))" "$out/sheet.png" || exit 1
cat "$out/scaling.tsv"
