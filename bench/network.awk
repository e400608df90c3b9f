# (seconds, waited, megabytes) a line, and the model of docs/scaling.md: p, link, type and, of the case without a limit, whole (its step) and
# computed are given. Medians of both parts of a step. head: what of a step's computing is done before sending can begin; best: what of a
# link's rate is of use.
function median(a, n,   i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && a[j] < a[j - 1]; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
{ n++; compute[n] = $1 - $2; step[n] = $1; megabytes = $3 }
END {
    c = median(compute, n); s = median(step, n)
    rate = link == "1gbit" ? 1e9 : link == "100mbit" ? 1e8 : 0
    predicted = off = "-"
    if (rate > 0) {
        least = head * computed + megabytes * 8e6 / (best * rate)
        predicted = least > whole ? least : whole
        off = sprintf("%+.0f %%", 100 * (predicted - s) / s)
        predicted = sprintf("%.2f", predicted)
    }
    printf "%d\t%s\t%s\t%.1f\t%.3f\t%.3f\t%.3f\t%.0f %%\t%s\t%s\n", p, link, type, megabytes, s, c, s - c, 100 * (s - c) / s, predicted, off
}
