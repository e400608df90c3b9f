"""scaling.py IN.tsv OUT.svg: loss and share of right answers against operations, with power laws fitted by least squares of logarithms."""
import csv
import math
import sys

rows = list(csv.DictReader(open(sys.argv[1]), delimiter='\t'))
x = [float(r['TFLOP']) for r in rows]
series = [('wrong answers', [1 - float(r['right']) / float(r['asked']) for r in rows], '#2050c0')]
if all(r['loss'] != '-' for r in rows):
    series.insert(0, ('held-out loss', [float(r['loss']) for r in rows], '#c03020'))
WIDTH, HEIGHT, LEFT, BOTTOM = 560, 300, 60, 40


def fit(xs, ys):
    """log y = log a - b log x"""
    u, v = [math.log(a) for a in xs], [math.log(max(b, 1e-6)) for b in ys]
    mu, mv = sum(u) / len(u), sum(v) / len(v)
    b = -sum((p - mu) * (q - mv) for p, q in zip(u, v)) / sum((p - mu) ** 2 for p in u)
    return math.exp(mv + b * mu), b


values = [y for _, ys, _ in series for y in ys]
low, high = math.log(min(values) * 0.8), math.log(max(values) * 1.2)
first, last = math.log(min(x) * 0.7), math.log(max(x) * 1.4)
px = lambda a: LEFT + (math.log(a) - first) / (last - first) * (WIDTH - LEFT - 20)
py = lambda b: HEIGHT - BOTTOM - (math.log(b) - low) / (high - low) * (HEIGHT - BOTTOM - 20)
out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
       f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
       f'<path d="M{LEFT} 20V{HEIGHT - BOTTOM}H{WIDTH - 20}" fill="none" stroke="#888"/>']
for a in x:
    out.append(f'<text x="{px(a):.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{a:.3g} TFLOP</text>')
for i, (name, ys, colour) in enumerate(series):
    a, b = fit(x, ys)
    line = ' '.join(f'{px(c):.1f},{py(a * c ** -b):.1f}' for c in (min(x), max(x)))
    out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-dasharray="4 3"/>')
    for c, d in zip(x, ys):
        out.append(f'<circle cx="{px(c):.1f}" cy="{py(max(d, 1e-6)):.1f}" r="4" fill="{colour}"/>'
                   f'<text x="{px(c) + 7:.0f}" y="{py(max(d, 1e-6)) - 6:.0f}" fill="{colour}">{d:.3f}</text>')
    out.append(f'<text x="{WIDTH - 24}" y="{30 + 16 * i}" text-anchor="end" fill="{colour}">{name}: {a:.3g} TFLOP^-{b:.3f}</text>')
    print(f'{name}: {a:.4g} * TFLOP^-{b:.3f}')
out.append('</svg>')
open(sys.argv[2], 'w').write('\n'.join(out) + '\n')
