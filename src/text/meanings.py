#!/usr/bin/env python3
"""Writes meanings.txt from WordNet 3.0 (Debian's wordnet-base): what can be seen and done, as a tree.

A line that begins with a number is a meaning: its depth below the root, then the words for it; it comes after what it is a kind
of. A number behind a word says which of its meanings it is; without one, the first. "-" stands between nouns and verbs, "=" gives the plain form of a word, ">" the
English for a Japanese one of Emoji Stage's lexicon. Run it in this folder: python3 meanings.py > meanings.txt"""
import re

FOLDER = "/usr/share/wordnet/"
# Of WordNet's lexicographer files: what others are kinds of, animals, things, parts of bodies, food, places, objects, people, phenomena, plants, substances;
# verbs of the body, consumption, contact, creation, motion, perception, weather.
NOUNS = {3, 5, 6, 8, 13, 15, 17, 18, 19, 20, 27}
VERBS = {29, 34, 35, 36, 38, 39, 43}
COLOUR = "04956594"  # the noun whose kinds are colours
MAX_SENSE = 4        # rarer senses of a word are left out
WORD = re.compile(r"[a-z]+(-[a-z]+)?(_[a-z]+)?")


class Meaning:
    def __init__(self, kind, offset, file, words, parent):
        self.kind, self.offset, self.file, self.words, self.parent = kind, offset, file, words, parent
        self.below, self.wanted = [], False


def read(name, kind):
    meanings = {}
    for line in open(FOLDER + "data." + name):
        if line.startswith("  "):
            continue
        f = line.split(" | ")[0].split()
        count = int(f[3], 16)
        words = [f[4 + 2 * i] for i in range(count)]
        at, parent = 4 + 2 * count, None
        for i in range(int(f[at])):
            symbol, offset, pos = f[at + 1 + 4 * i : at + 4 + 4 * i]
            if symbol in ("@", "@i") and pos == kind and parent is None:
                parent = offset
        meanings[f[0]] = Meaning(kind, f[0], int(f[1]), words, parent)
    for m in meanings.values():
        if m.parent in meanings:
            meanings[m.parent].below.append(m)
    return meanings


def senses(name):
    """{word: {offset: number}}"""
    found = {}
    for line in open(FOLDER + "index." + name):
        if not line.startswith("  "):
            f = line.split()
            found[f[0]] = {offset: i + 1 for i, offset in enumerate(f[-int(f[2]) :])}
    return found


def want(m):
    """Those with words that are wanted, and what they are kinds of."""
    m.wanted = bool(m.text)
    for b in m.below:
        m.wanted = want(b) or m.wanted
    return m.wanted


def colour(m, all_meanings):
    while m is not None:
        if m.offset == COLOUR:
            return True
        m = all_meanings.get(m.parent)
    return False


def show(m, depth):
    print(depth, *m.text)
    for b in sorted((b for b in m.below if b.wanted), key=lambda b: b.offset):
        show(b, depth + 1)


def show_forms():
    for name in ("noun", "verb"):
        for line in open(FOLDER + name + ".exc"):
            f = line.split()
            if len(f) > 1 and WORD.fullmatch(f[0]) and WORD.fullmatch(f[1]) and "_" not in f[0]:
                print("=", f[0], f[1])


def show_japanese():
    lexicon = open("../stage/lexicon.c").read()
    rows = re.findall(r'\{"[0-9a-f-]+",\s*"([^"]+)",\s*(?:NULL|"[^"]*"),\s*"([^"]+)",(.*?)\},', lexicon, re.S)
    seen = set()
    for english, japanese, rest in rows:
        last = (re.findall(r'"([^"]*)"', rest) or [""])[-1]
        for w in [japanese] + last.split("|"):
            if re.fullmatch("[\u3005-\u9fff]+", w) and len(w.encode()) < 60 and w not in seen:
                seen.add(w)
                print(">", w, english.replace(" ", "_"))


def show_meanings(name, kind, files):
    meanings, numbers = read(name, kind), senses(name)
    for m in meanings.values():
        m.text = []
        if m.file not in files and not (m.file == 7 and colour(m, meanings)):
            continue
        for w in m.words:
            n = numbers.get(w, {}).get(m.offset, MAX_SENSE + 1)
            if WORD.fullmatch(w) and n <= MAX_SENSE:
                m.text.append(w if n == 1 else f"{w}:{n}")
    for r in sorted((m for m in meanings.values() if m.parent not in meanings), key=lambda r: r.offset):
        if want(r):
            show(r, 0)


show_forms()
show_japanese()
show_meanings("noun", "n", NOUNS)
print("-")
show_meanings("verb", "v", VERBS)
