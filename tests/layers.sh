#!/bin/sh
# Checks who includes whom in src/ against the table of the design, and that every unit test is built. Usage: layers.sh [ROOT]
cd "${1:-$(dirname "$0")/..}" || exit 1

# folder: what it may include, besides itself. <sora.h> is the public header.
allowed() {
    case $1 in
    base) echo "sora.h" ;;
    tensor | text | media | store) echo "base" ;;
    cpu | cuda) echo "base tensor sora.h" ;; # for SoraPrecision
    weights) echo "base tensor" ;;
    model) echo "base tensor weights" ;;
    sample) echo "base tensor model" ;;
    stage) echo "base media" ;;
    policy) echo "base text" ;;
    screen) echo "base tensor cpu weights media model engine policy credentials sora.h" ;; # engine: where models are
    engine) echo "base tensor cpu cuda weights text media store model sample sora.h" ;;
    studio) echo "base tensor cpu cuda weights text media store model sample stage engine sora.h" ;;
    team) echo "base tensor" ;;
    adapt) echo "base team tensor weights media model sample engine train sora.h" ;;
    train) echo "base team tensor weights text media model sample stage" ;;
    bench) echo "base tensor cpu cuda weights model engine sora.h" ;;
    credentials) echo "base sora.h" ;;
    trace) echo "base media sora.h" ;;
    deliver) echo "base media credentials trace engine sora.h" ;; # engine: frames that need not stay in memory
    serve) echo "base text store policy screen media sora.h" ;;
    cli) echo "base store serve policy screen credentials trace deliver media team train adapt stage bench sora.h cpu" ;; # cpu: the trainer is given its backend
    *) return 1 ;;
    esac
}

wrong=0
for folder in src/*/; do
    folder=$(basename "$folder")
    if ! may=$(allowed "$folder"); then
        echo "src/$folder is not in the table of tests/layers.sh"
        wrong=$((wrong + 1))
        continue
    fi
    for file in $(find "src/$folder" -name '*.[ch]' -o -name '*.cu'); do
        for include in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]\([^">]*\)[">].*/\1/p' "$file"); do
            case $include in
            sora.h) used=sora.h ;;
            */*)
                used=${include%%/*}
                [ -d "src/$used" ] || continue # a library's
                ;;
            *)
                [ -f "src/$folder/$include" ] || continue # a library's
                echo "$file: write \"$folder/$include\""
                wrong=$((wrong + 1))
                continue
                ;;
            esac
            [ "$used" = "$folder" ] && continue
            case $file:$include in # these commands look inside
            src/cli/cmd_inspect.c:engine/inspect.h) continue ;;
            src/cli/cmd_convert.c:weights/convert.h | src/cli/cmd_convert.c:weights/lora.h | src/cli/cmd_convert.c:weights/tfjs.h) continue ;;
            src/cli/scorer.c:engine/model_path.h) continue ;;
            esac
            case " $may " in
            *" $used "*) ;;
            *)
                echo "$file: src/$folder may not include $include"
                wrong=$((wrong + 1))
                ;;
            esac
        done
    done
done
# Files of src/tensor call only what comes before them: graph.c, the ops, accumulate.c, gradients.c, backward.c.
calls_none() {
    for file in src/tensor/$1; do
        if grep -En "\\b($2)\\(" "$file"; then
            echo "$file: calls what comes after it"
            wrong=$((wrong + 1))
        fi
    done
}
ops=$(sed -n 's/^[A-Za-z].*[ *]\(op_[a-z_0-9]*\)(.*/\1/p' src/tensor/ops.h | paste -sd'|')
calls_none 'graph.c' "$ops|gradient_of|graph_accumulate|graph_leaf_gradient|graph_backward"
calls_none 'ops*.c' 'gradient_of|graph_accumulate|graph_leaf_gradient|graph_backward'
calls_none 'accumulate.c' 'gradient_of|graph_backward'
calls_none 'gradients.c' 'graph_backward'
# A test that meson does not know would never run.
for file in tests/unit/*_test.c; do
    name=$(basename "$file" _test.c)
    if ! grep -q "^  '$name',$" tests/meson.build; then
        echo "$file is not in tests/meson.build"
        wrong=$((wrong + 1))
    fi
done
[ "$wrong" = 0 ] || echo "$wrong things are wrong"
[ "$wrong" = 0 ]
