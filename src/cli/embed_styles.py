#!/usr/bin/env python3
"""Prints a text file as a C string for cli/styles.c: python3 embed_styles.py FILE"""
import sys

with open(sys.argv[1], "rb") as f:
    data = f.read()
print("extern const char styles_json[];")
print("const char styles_json[] = {%s0};" % "".join("%d," % b for b in data))
