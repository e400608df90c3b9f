#!/usr/bin/env python3
"""Writes tables.c: the HTML entities of the WHATWG list (Python's html.entities) and the upper halves of
the single-byte encodings that mojibake comes from. Run it in this folder: python3 tables.py > tables.c"""
import html.entities

PAGES = ["cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac_roman", "cp437"]


def page(encoding):
    """Code points of bytes 0x80 to 0xff; a byte without a character stands for itself, as in Latin-1."""
    chars = bytes(range(0x80, 0x100)).decode(encoding, errors="replace")
    return [0x80 + i if c == "\ufffd" else ord(c) for i, c in enumerate(chars)]


def rows(items, per_line):
    for i in range(0, len(items), per_line):
        print("    " + " ".join(items[i : i + per_line]))


def packed(items, width):
    line = "   "
    for item in items:
        if len(line) + 1 + len(item) > width:
            print(line)
            line = "   "
        line += " " + item
    print(line)


def entity(name):
    text = html.entities.html5[name + ";"]
    second = ord(text[1]) if len(text) > 1 else 0
    return '{"%s", 0x%x, 0x%x, %d},' % (name, ord(text[0]), second, name in html.entities.html5)


names = sorted(n[:-1] for n in html.entities.html5 if n.endswith(";"))
print("/* Written by tables.py. */")
print('#include "text/tables.h"\n')
print("const HtmlEntity HTML_ENTITIES[] = {")
packed([entity(n) for n in names], 118)
print("};\n\nconst int HTML_ENTITY_COUNT = sizeof HTML_ENTITIES / sizeof *HTML_ENTITIES;\n")
print("const uint16_t CODE_PAGES[CODE_PAGE_COUNT][128] = {")
for p in PAGES:
    print("    { /* %s */" % p)
    rows(["0x%04x," % c for c in page(p)], 16)
    print("    },")
print("};")
