#!/usr/bin/env python3
"""Prints a file as the C string MEANINGS: python3 embed.py FILE"""
import sys

print('#include "text/meanings.h"\n\nconst char MEANINGS[] = {')
data = open(sys.argv[1], "rb").read() + b"\0"
for i in range(0, len(data), 32):
    print("".join("%d," % (b - 256 if b > 127 else b) for b in data[i : i + 32]))
print("};")
