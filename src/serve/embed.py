"""Prints C with the files of a folder and other FILEs, as they are and compressed, and the schemas: embed.py FOLDER SCHEMAS FILE..."""
import gzip, hashlib, os, sys

folder, schemas, others = sys.argv[1], sys.argv[2], sys.argv[3:]
print('#include "serve/web.h"\n')


def array(name, data):
    print(f"static const unsigned char {name}[] = {{")
    for at in range(0, len(data), 24):
        print("".join(f"{b}," for b in data[at:at + 24]))
    print("};")


entries = []


def add(short, path):
    data = open(path, "rb").read()
    if not data:
        return
    packed = gzip.compress(data, 9, mtime=0)
    i = len(entries)
    array(f"data_{i}", data)
    small = len(packed) < len(data)
    if small:
        array(f"gzip_{i}", packed)
    etag = hashlib.sha256(data).hexdigest()[:16]
    entries.append(f'    {{"{short}", "\\"{etag}\\"", data_{i}, {f"gzip_{i}" if small else "NULL"}, sizeof data_{i},'
                   f' {f"sizeof gzip_{i}" if small else "0"}}},')


for root, dirs, names in sorted(os.walk(folder)):
    dirs[:] = sorted(d for d in dirs if not d.startswith("."))
    for name in sorted(names):
        path = os.path.join(root, name)
        if not name.startswith("."):
            add("/" + os.path.relpath(path, folder).replace(os.sep, "/"), path)
for path in others:
    add("/" + os.path.basename(path), path)
print("const WebFile WEB_FILES[] = {")
print("\n".join(entries))
print("    {NULL, NULL, NULL, NULL, 0, 0},\n};")
text = open(schemas).read()
print("const char WEB_SCHEMAS[] = {")
for at in range(0, len(text.encode()), 24):
    print("".join(f"{b}," for b in text.encode()[at:at + 24]))
print("0};")
