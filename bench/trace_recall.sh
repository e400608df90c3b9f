#!/bin/sh
# What `sora trace` finds of changed copies, and whether it takes others for copies.
#
#     bench/trace_recall.sh [--full] [SORA]      SORA: the program, build/sora by default
#
# Clips are Emoji Stage's (`sora stage fetch` first): half of them anything, a quarter dogs on a meadow, a quarter
# one dog that walks left over a meadow by day, where only the landscape and the moment differ. Of the first clips
# eight copies each are made with ffmpeg, without metadata. The index holds these clips and as many others as are
# asked for besides, which it does not hold. --full: 200 clips, 1,000 others in the index, 1,000 others outside.
set -e
clips=16 others=80
if [ "$1" = --full ]; then
    clips=200 others=1000
    shift
fi
sora=$(realpath "${1:-build/sora}")
export SORA_TRACE_INDEX=trace.sqlite
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-trace-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# make_clips FOLDER SEED COUNT
make_clips() {
    "$sora" stage export "$1/any" --seed "$2" --count $(($3 / 2)) >/dev/null
    "$sora" stage export "$1/dogs" --seed "$2" --first 10000 --count $(($3 / 4)) --noun dog --place meadow >/dev/null
    "$sora" stage export "$1/same" --seed "$2" --first 20000 --count $(($3 / 4)) --noun dog --place meadow \
        --action walk --direction left --time day --weather clear --camera static --subjects 1 --other nobody \
        --colour native >/dev/null
}

# copies CLIP NUMBER FOLDER: where it is cut, and by how much it is scaled and brightened, goes by the number.
copies() {
    case $(($2 % 5)) in
    0) cut=0:0 ;;
    1) cut=iw*0.1:0 ;;
    2) cut=0:ih*0.1 ;;
    3) cut=iw*0.1:ih*0.1 ;;
    *) cut=iw*0.05:ih*0.05 ;;
    esac
    case $(($2 % 3)) in
    0) size=72:72 rate=8 light=brightness=0.1:contrast=1.2 ;;
    1) size=320:240 rate=10 light=brightness=-0.1 ;;
    *) size=96:128 rate=30 light=gamma=1.3 ;;
    esac
    cut="crop=iw*0.9:ih*0.9:$cut"
    x264="-map_metadata -1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p"
    ffmpeg -nostdin -v error -y -threads 1 -i "$1" \
        $x264 -crf 36 "$3/encoded.mp4" \
        -vf "scale=$size" $x264 -crf 26 "$3/scaled.mp4" \
        -vf "$cut,scale=trunc(iw/2)*2:trunc(ih/2)*2" $x264 -crf 26 "$3/cropped.mp4" \
        -vf hflip $x264 -crf 26 "$3/mirrored.mp4" \
        -vf "eq=$light" $x264 -crf 26 "$3/brightness.mp4" \
        -vf "fps=$rate" $x264 -crf 26 "$3/rate.mp4" \
        -ss 0.3 -t 0.8 $x264 -crf 26 "$3/trimmed.mp4" \
        -vf "$cut,hflip,eq=$light,scale=160:160" -map_metadata -1 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 \
        -crf 40 -b:v 0 "$3/all-of-it.webm"
}

make_clips own 21 $clips
make_clips indexed 22 $others
make_clips outside 23 $others
"$sora" trace --add own/*/*.mp4 indexed/*/*.mp4 | sed 's/: generation / /' >ids
number=0
for clip in own/*/*.mp4; do
    folder=copy/${clip#own/}
    mkdir -p "$folder"
    copies "$clip" $number "$folder"
    number=$((number + 1))
done
# The exit code says that something was not found; what was, is counted below.
"$sora" trace copy/*/*/* >copies || [ $? = 1 ]
"$sora" trace outside/*/*.mp4 >outsiders || [ $? = 1 ]

awk '
    FILENAME == "ids" { id["copy" substr($1, 4)] = $2; next }
    {
        path = $1; sub(/:$/, "", path)
        if (FILENAME == "outsiders") {
            if (!(path in asked)) outside++
            asked[path] = 1
            if ($2 == "generation" && !(path in taken)) { taken[path] = 1; false_matches++ }
            next
        }
        clip = path; sub(/\/[^\/]*$/, "", clip)
        change = path; sub(/.*\//, "", change); sub(/\..*/, "", change)
        if (!(path in asked)) { asked[path] = 1; total[change]++; all++ }
        if ($2 != "generation") next
        if ($3 == id[clip]) { right[change]++; found++ } else { wrong[change]++; wrongs++ }
    }
    END {
        print "change        copies  found     %   also found wrongly"
        for (change in total)
            printf "%-12s %7d %6d %5.1f %6d\n", change, total[change], right[change], 100 * right[change] / total[change], wrong[change] | "sort"
        close("sort")
        printf "%-12s %7d %6d %5.1f %6d\n", "together", all, found, 100 * found / all, wrongs
        printf "of %d others outside the index %d are taken for copies\n", outside, false_matches
    }' ids copies outsiders
