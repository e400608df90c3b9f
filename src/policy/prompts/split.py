#!/usr/bin/env python3
"""Splits prompts into development.tsv and test.tsv by groups of near-duplicates, so that no prompt of one has a twin in the other.

    python3 split.py SEEN.tsv NEW.tsv

Lines: "harmful" or "benign", the category, the text, with tabs between. Two prompts are near-duplicates when they share at least
half of all words (of all pairs of characters, in Japanese) that either has, words of grammar not counted. A group that has a
prompt of SEEN.tsv, whose prompts were looked at while lists were written, is for development; of the others every second one, by a
hash of its first text, is for the test."""
import hashlib
import re
import sys

STOP = set("a an the of in on at to and with by for from is are as into over up his her its their it through for".split())


def words(text):
    if re.search("[\u3040-\u30ff\u4e00-\u9fff]", text):
        return frozenset(text[i:i + 2] for i in range(len(text) - 1))
    found = [w[:-1] if len(w) > 3 and w.endswith("s") else w for w in re.findall("[^\\W_]+", text.lower())]
    return frozenset(w for w in found if w not in STOP) or frozenset(found)


def main():
    lines = []
    for n, path in enumerate(sys.argv[1:]):
        with open(path, encoding="utf-8") as f:
            lines += [(line.rstrip("\n"), n == 0) for line in f if line.strip()]
    sets = [words(line.split("\t")[2]) for line, _ in lines]
    group = list(range(len(lines)))

    def root(i):
        while group[i] != i:
            i = group[i]
        return i

    for i in range(len(lines)):
        for k in range(i):
            if 2 * len(sets[i] & sets[k]) >= len(sets[i] | sets[k]):
                a, b = root(i), root(k)
                group[max(a, b)] = min(a, b)
    seen = {root(i) for i, (_, old) in enumerate(lines) if old}
    out = {"development.tsv": [], "test.tsv": []}
    for i, (line, _) in enumerate(lines):
        r = root(i)
        text = lines[r][0].split("\t")[2]
        test = r not in seen and hashlib.sha256(text.encode()).digest()[0] % 2 == 0
        out["test.tsv" if test else "development.tsv"].append(line)
    for name, part in out.items():
        with open(name, "w", encoding="utf-8") as f:
            f.write("\n".join(sorted(set(part))) + "\n")


main()
