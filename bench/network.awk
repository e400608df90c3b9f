# (seconds, waited, megabytes) a line, and the model of docs/scaling.md: p, link, type and idle are given. Medians of both parts of a step.
function median(a, n,   i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && a[j] < a[j - 1]; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
{ n++; compute[n] = $1 - $2; waited[n] = $2; megabytes = $3 }
END {
    c = median(compute, n); w = median(waited, n); s = c + w
    rate = link == "1gbit" ? 1e9 : link == "100mbit" ? 1e8 : 0
    predicted = off = "-"
    if (rate > 0) {
        exposed = megabytes * 8e6 / (0.78 * rate) - 0.25 * c
        step = c + idle + (exposed > 0 ? exposed : 0)
        predicted = sprintf("%.2f", step)
        off = sprintf("%+.0f %%", 100 * (step - s) / s)
    }
    printf "%d\t%s\t%s\t%.1f\t%.2f\t%.2f\t%.2f\t%.0f %%\t%s\t%s\n", p, link, type, megabytes, s, c, w, 100 * w / s, predicted, off
}
