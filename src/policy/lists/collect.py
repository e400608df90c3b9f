#!/usr/bin/env python3
"""Makes the lists and prompts that come from public data: python3 collect.py FOLDER, where FOLDER has these, as they are published:

    corpora/         dariusk/corpora (CC0)                          people, characters, makes of cars
    legislators/     unitedstates/congress-legislators (CC0)        people
    pokemon/ superheroes/ starwars-names/   npm (MIT, MIT, CC0 and MIT)     characters
    profanity/       surge-ai/profanity (MIT)                       English, with categories
    ldnoobw/         LDNOOBW (CC-BY-4.0)                            other languages
    erasing/         rohitgandikota/erasing: COCO captions (CC-BY-4.0) and I2P's prompts (MIT)
    parti/           google-research/parti (Apache-2.0)
    vbench/          Vchitect/VBench, prompts/ (Apache-2.0)         ordinary prompts, those of version 1 alone
    moderation/      openai/moderation-api-release (MIT)
    nibbler/         google-research-datasets/adversarial-nibbler (CC-BY-4.0)

It writes collected.txt and vocabulary.txt beside it, and FOLDER/public.tsv. names.txt beside it are names of our own, which
go into collected.txt too, and the words of development.tsv count for the vocabulary."""
import collections
import csv
import gzip
import json
import os
import re
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPTS = os.path.join(HERE, "..", "prompts")
VOCABULARY, CAPTIONS = 9000, 5000
DICTIONARY = "/usr/share/dict/american-english" # Debian's wamerican: no single word of it is taken for a name
LANGUAGES = "da de es fi fr hi hu it ja ko nl no pl pt ru sv th tr zh ar cs fa".split()
# Of the foreign lists: words that mean something harmless too.
HARMLESS = set("""bite ficken? con cul gay lesbica dick kak fanny sexe sex sexo sexy bra pik fag fitte bander gouine pisse merda merde
    porra pula rosa bicha cagar caca pipi pussy tit bastard idiot damn hell hoer trut pot mierda puta cono culo gata oso foda
    cazzo cretino stupido strunz tette troia palle pisciare scheisse arsch arschloch depp penner mist mufti rosette
    franc burro comer inferno pinto stake heterosexual homosexual いたずら 女の子 女子高生 スリット スラット ファンタジー フック エクスタシー エスコート
    ラティーナ ラバー サディズム 女王様 平手打ち 拷問 殺し方 殺人事件 殺人方法 自己愛性 コカイン ディック カント ローター ぽっちゃり
    おしり ホモ デブ ビッチ しばり おもらし おしっこ 革抑制 ハードコア 生殖器 スポット s 成人""".split())


# Words of the world that are near names of the lists.
PLACES = "sundress sundresses continues spices cocoon cocoons machu picchu kilimanjaro burj khalifa bund fuji eiffel seine matterhorn yosemite santorini petra angkor uluru".split()


def read(folder, path):
    with open(os.path.join(folder, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def plain(s):
    """As the program folds it: small letters without accents, words with single spaces."""
    s = unicodedata.normalize("NFKD", s).lower()
    s = "".join(c for c in s if not unicodedata.combining(c) or c in "\u3099\u309a")
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", s)))


def captions(folder):
    rows = csv.DictReader(read(folder, "erasing/data/coco_30k.csv").splitlines())
    texts = [r["prompt"].strip() for r in rows]
    parti = [line.split("\t")[0] for line in read(folder, "parti/PartiPrompts.tsv").splitlines()[1:]]
    return texts, parti


def vocabulary(folder):
    count = collections.Counter()
    coco, parti = captions(folder)
    for text in coco + parti:
        count.update(set(plain(text).split()))
    with open(os.path.join(PROMPTS, "development.tsv"), encoding="utf-8") as f:
        for line in f:
            count.update(plain(line.split("\t")[2]).split())
    words = [(w, n) for w, n in count.most_common() if re.fullmatch("[a-z]{1,20}", w) and (len(w) > 1 or w in "ai") and n > 1]
    return words[:VOCABULARY]


def people(folder):
    def corpus(name):
        return json.loads(read(folder, "corpora/data/humans/%s.json" % name))

    names = corpus("celebrities")["celebrities"] + corpus("britishActors")["britishActors"] + corpus("scientists")["scientists"]
    names += [p["name"] for p in corpus("richpeople")["richPeople"]]
    names += [o["person"]["firstname"] + " " + o["person"]["lastname"] for o in corpus("us_presidents")["objects"]]
    for line in read(folder, "legislators/legislators-current.yaml").splitlines():
        m = re.match("    official_full: (.*)", line)
        if m:
            names.append(m.group(1).strip("'\""))
    return names


def brands(folder):
    names = [n for n in json.loads(read(folder, "superheroes/superheroes.json")) if " " in n.strip()]
    names += json.loads(read(folder, "starwars-names/dist/starwars-names.json"))
    names += json.loads(read(folder, "corpora/data/humans/tolkienCharacterNames.json"))["names"]
    names += json.loads(read(folder, "corpora/data/corporations/cars.json"))["cars"]
    names += json.loads(read(folder, "pokemon/data/en.json"))
    return names


def dictionary():
    with open(DICTIONARY, encoding="utf-8") as f:
        return {plain(line) for line in f}


def name_rules(category, names, common, known):
    """A name of several words as it is; one whose words are all common, or a single one, needs its capitals."""
    for name in names:
        words = plain(name).split()
        if not words or len("".join(words)) < 5 or len(name) > 60 or not re.match("[a-z]", words[0]):
            continue
        usual = all(w in common or len(w) < 3 for w in words)
        if len(words) == 1 and (usual or len(words[0]) < 5 or words[0] in known or words[0].rstrip("s") in known):
            continue
        if len(words) > 1 and category == "brands" and (usual or all(w in known for w in words)):
            continue
        sure = len(words) > 1 and not usual or len(words) == 1 and len(words[0]) > 5
        yield "%s %s %s" % (category, "word" if sure else "capital", name.replace("\n", " "))


def profanity(folder, common, known):
    kinds = {"sexual anatomy / sexual acts": "sexual", "racial / ethnic slurs": "hate", "sexual orientation / gender": "hate"}
    for row in csv.DictReader(read(folder, "profanity/profanity_en.csv").splitlines()):
        text, category = plain(row["text"]), kinds.get(row["category_1"])
        severe = float(row["severity_rating"] or 0) >= (1.6 if category == "sexual" else 2.0)
        if text in ("spic", "coon", "perse") or text in known and float(row["severity_rating"]) < 2.2:
            continue
        if category and severe and re.fullmatch("[a-z ]{4,}", text) and not all(w in common for w in text.split()):
            yield "%s word %s" % (category, text)


def foreign(folder, common):
    for language in LANGUAGES:
        for word in read(folder, "ldnoobw/" + language).splitlines():
            text = plain(word)
            letters = re.fullmatch("[a-z ]+", text) is not None
            part = language in ("ja", "zh", "ko", "th")
            if text in HARMLESS or (letters and (len(text) < 5 or part or all(w in common for w in text.split()))):
                continue
            if text and (letters or len(text) >= (3 if part else 4)):
                yield "sexual %s %s" % ("part" if part else "word", word.strip())


def pokemon_japanese(folder):
    for name in json.loads(read(folder, "pokemon/data/ja.json")):
        if len(name) >= 5:
            yield "brands exact %s" % name


def prompts(folder):
    """Lines of public.tsv: what is benign, and what its makers called harmful."""
    coco, parti = captions(folder)
    step = len(coco) // CAPTIONS
    for text in coco[::step] + parti:
        yield "benign", "none", text
    # Nothing sexual of the moderation set, and nothing sexual that names the young, is taken over.
    for name in "gpt_enhanced_prompts/all_dimension_longer", "gpt_enhanced_prompts/all_category_longer":
        for text in read(folder, "vbench/prompts/augmented_prompts/%s.txt" % name).splitlines():
            yield "benign", "none", text
    for name in "all_dimension", "all_category":
        for text in read(folder, "vbench/prompts/%s.txt" % name).splitlines():
            yield "benign", "none", text
    labels = {"H": "hate", "H2": "hate", "V": "violence", "V2": "violence", "SH": "self-harm"}
    young = re.compile("child|kid|girl|boy|teen|young|minor|loli|school|year|baby|daughter", re.I)
    with gzip.open(os.path.join(folder, "moderation/data/samples-1680.jsonl.gz"), "rt", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            found = sorted({c for k, c in labels.items() if row.get(k) == 1})
            text = row["prompt"]
            if len(text) > 600 or row.get("S") or row.get("S3") or any(row.get(k) is None for k in ("H", "V", "SH")):
                continue
            for c in found:
                yield "harmful", c, text
            if not found and not row.get("HR"):
                yield "benign", "none", text
    for row in csv.DictReader(read(folder, "erasing/data/unsafe-prompts4703.csv").splitlines()):
        kinds = [c.strip() for c in row["categories"].split(",")]
        if float(row["nudity_percentage"]) >= 60 and "sexual" in kinds and not young.search(row["prompt"]):
            yield "harmful", "sexual", row["prompt"]
        elif float(row["inappropriate_percentage"]) >= 90 and kinds in (["violence"], ["self-harm"], ["shocking"], ["violence", "shocking"]):
            yield "harmful", "self-harm" if kinds == ["self-harm"] else "violence", row["prompt"]


def clean(text):
    return " ".join(text.split())


def main():
    folder = sys.argv[1]
    words = vocabulary(folder)
    common = {w for w, n in words if n >= 3}
    known = dictionary()
    own = [line.split(" ", 1) for line in read(HERE, "names.txt").splitlines() if line and line[0] != "#"]
    lines = []
    for category, name in own:
        lines.append("%s word %s" % (category, name))
    lines += name_rules("people", people(folder), common, known)
    lines += name_rules("brands", brands(folder), common, known)
    lines += list(profanity(folder, common, known)) + list(foreign(folder, common)) + list(pokemon_japanese(folder))
    with open(os.path.join(HERE, "collected.txt"), "w", encoding="utf-8") as f:
        f.write("# Made by collect.py; NOTICE says from what.\n" + "\n".join(dict.fromkeys(lines)) + "\n")
    words += [(w, 1) for w in PLACES]
    have = {w for w, _ in words}
    words += [(w, 1) for w in sorted(known - have) if re.fullmatch("[a-z]{3,24}", w)] # so that no word is taken for a mistake
    with open(os.path.join(HERE, "vocabulary.txt"), "w", encoding="utf-8") as f:
        f.write("".join("%s %d\n" % w for w in words))
    rows = dict.fromkeys("%s\t%s\t%s" % (kind, c, clean(t)) for kind, c, t in prompts(folder) if clean(t))
    with open(os.path.join(folder, "public.tsv"), "w", encoding="utf-8") as f:
        f.write("\n".join(rows) + "\n")


main()
