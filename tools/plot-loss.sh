#!/bin/sh
# tools/plot-loss.sh LOG.tsv [TITLE] > loss.svg: the loss over the steps of a training log.
[ $# -ge 1 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
awk -F '\t' -v title="${2:-$1}" '
NR > 1 && $2 > 0 { n++; step[n] = $1; loss[n] = $2; if (n == 1 || $2 < low) low = $2; if ($2 > high) high = $2 }
END {
    if (n < 2) exit 1
    w = 640; h = 300; left = 60; top = 30; bottom = 40; right = 20
    if (high > 3 * loss[n]) high = 3 * loss[n] # the first steps would hide the rest
    low *= 0.95
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", w, h
    printf "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text x=\"%d\" y=\"18\">%s</text>\n", left, title
    for (i = 0; i <= 4; i++) {
        y = top + (h - top - bottom) * i / 4; v = high - (high - low) * i / 4
        printf "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3f</text>\n", left, y, w - right, left - 6, y + 4, v
        x = left + (w - left - right) * i / 4
        printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", x, h - 18, step[n] * i / 4
    }
    printf "<path fill=\"none\" stroke=\"#2060c0\" d=\""
    for (i = 1; i <= n; i++) {
        v = loss[i] > high ? high : loss[i]
        printf "%s%.1f %.1f", i == 1 ? "M" : "L", left + (w - left - right) * step[i] / step[n], top + (h - top - bottom) * (high - v) / (high - low)
    }
    print "\"/>\n</svg>"
}' "$1"
