#!/usr/bin/env python3
"""Prints text files as C strings named after them: python3 embed_text.py FILE..., styles.json becomes styles_json"""
import os
import re
import sys

for path in sys.argv[1:]:
    with open(path, "rb") as f:
        data = f.read()
    name = re.sub(r"\W", "_", os.path.basename(path))
    print("extern const char %s[];" % name)
    print("const char %s[] = {%s0};" % (name, "".join("%d," % b for b in data)))
