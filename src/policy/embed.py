#!/usr/bin/env python3
"""Prints the files as C arrays for policy/rules.h: python3 embed.py FILE..."""
import os
import sys

print('#include "policy/rules.h"\n')
for i, path in enumerate(sys.argv[1:]):
    with open(path, "rb") as f:
        data = f.read()
    print("static const unsigned char list_%d[] = {%s0};" % (i, "".join("%d," % b for b in data)))
print("\nconst RuleList RULE_LISTS[] = {")
for i, path in enumerate(sys.argv[1:]):
    print('    {"%s", (const char *)list_%d, sizeof list_%d - 1},' % (os.path.basename(path), i, i))
print("    {0, 0, 0},\n};")
