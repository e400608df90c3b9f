#!/bin/sh
# bench/scaling.sh [STEPS] [OUT]: quality against compute, as Sora's report shows it at 1x, 4x and 32x, with numbers. Trains a small nano for
# STEPS, 4 STEPS and 32 STEPS steps (default 40), each a whole run with its own learning rate, or takes what is in OUT already, so a
# run that was stopped goes on. OUT gets scaling.tsv, scaling.svg with the fitted power law, and sheet-N.png: the same prompts and
# seeds. SIZE (128x128), DIM (128), LAYERS (3), BATCH (16), QUICK (24): prompts of sora score; LISTEN (48): held-out clips of the loss.
# Needs python3 and the art of Emoji Stage.
steps=${1:-40} out=${2:-train-out/scaling}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
sora=build/sora
mkdir -p "$out" || exit 1
config() { # steps
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
printf 'factor\tsteps\tsamples\tTFLOP\tloss\tright\tasked\n' >"$out/scaling.tsv.new"
for factor in 1 4 32; do
    n=$((steps * factor)) run=$out/$factor
    config $n >"$out/$factor.json"
    if [ ! -f "$run/done" ]; then
        mkdir -p "$run"
        [ $factor = 1 ] || [ -d "$run/latents" ] || cp -r "$out/1/latents" "$run/" # the same clips
        $sora train transformer "$out/$factor.json" --out "$run" --resume ${THREADS:+--threads $THREADS} || exit 1
        touch "$run/done"
    fi
    # Operations of the transformer's steps alone: clips are encoded once for all three.
    flops=$($sora train transformer "$out/$factor.json" --out "$out/dry" --dry-run | sed -n 's/.* \([0-9.]*\) GFLOP each.*/\1/p')
    # The held-out loss where something acts, over all noise levels.
    loss=$($sora train listen "$out/$factor.json" "$run/model" --out "$out/listen" --clips "${LISTEN:-48}" 2>/dev/null |
        awk '/^loss/ { for (i = NF; i > NF - 4; i--) s += $i; printf "%.4f", s / 4 }')
    $sora score "$run/model" --quick "${QUICK:-24}" --no-real --cache "$out/cache" --json >"$run/score.json" || exit 1
    answers=$(python3 - "$run/score.json" <<'END'
import json, sys
right = json.load(open(sys.argv[1]))['made']['right']
kinds = [right[k]['all'] for k in ('thing', 'colour', 'count', 'place', 'time', 'weather', 'action', 'direction')]
print('%d\t%d' % (sum(k['right'] for k in kinds), sum(k['asked'] for k in kinds)))
END
    )
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' $factor $n $((n * ${BATCH:-16})) "$(awk "BEGIN { print $n * $flops / 1e3 }")" "$loss" "$answers" >>"$out/scaling.tsv.new"
    [ -f "$out/sheet-$factor.png" ] || {
        printf 'a dog walks left across a sunny meadow\na red car drives to the right on a city street\na balloon floats up\n' >"$out/prompts.txt"
        $sora sheet -m "$run/model" --prompts "$out/prompts.txt" --seeds 2 --columns 3 --no-credentials "$out/sheet-$factor.png" || exit 1
    }
done
mv "$out/scaling.tsv.new" "$out/scaling.tsv"
python3 bench/scaling.py "$out/scaling.tsv" "$out/scaling.svg" && cat "$out/scaling.tsv"
