#!/usr/bin/env python3
"""Prints the files as C arrays for policy/rules.h: python3 embed.py VOCABULARY CLASSIFIER DEVELOPMENT TEST LIST..."""
import os
import sys

print('#include "policy/rules.h"\n')
for i, path in enumerate(sys.argv[1:]):
    with open(path, "rb") as f:
        data = f.read()
    print("static const unsigned char file_%d[] = {%s0};" % (i, "".join("%d," % b for b in data)))


def entry(i):
    return '{"%s", (const char *)file_%d, sizeof file_%d - 1}' % (os.path.basename(sys.argv[i + 1]), i, i)


print("const RuleList POLICY_VOCABULARY = %s;" % entry(0))
print("const RuleList POLICY_CLASSIFIER = %s;" % entry(1))
print("const RuleList POLICY_PROMPTS[2] = {%s, %s};" % (entry(2), entry(3)))
print("const RuleList RULE_LISTS[] = {")
for i in range(4, len(sys.argv) - 1):
    print("    %s," % entry(i))
print("    {0, 0, 0},\n};")
