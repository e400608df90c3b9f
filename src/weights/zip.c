/* Source: PKWARE's APPNOTE.TXT 6.3.10. Numbers are little-endian and not aligned. */
#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_SIZE = 22, /* of the end record, without its comment of at most 65,535 bytes */
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    CENTRAL_SIZE = 46, /* of an entry of the directory, without name, extra fields and comment */
    LOCAL_SIZE = 30,   /* of the header before an entry's data, likewise */
    MAX_ENTRIES = 1 << 20,
};

typedef struct Bytes {
    const uint8_t *data;
    size_t size;
    const char *path;
    SoraError *err;
} Bytes;

static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static bool within(const Bytes *b, uint64_t at, uint64_t size)
{
    return at <= b->size && size <= b->size - at;
}

static bool has_mark(const Bytes *b, uint64_t at, uint64_t size, const char mark[4])
{
    return within(b, at, size) && memcmp(b->data + at, mark, 4) == 0;
}

/* Where the directory begins, its bytes and entries. */
typedef struct Directory {
    uint64_t at, size, count;
} Directory;

static bool find_directory(const Bytes *b, Directory *d)
{
    size_t end = b->size - END_SIZE, lowest = end > 65535 ? end - 65535 : 0;
    if (b->size < END_SIZE)
        return message_bad(b->path, b->err, "%zu bytes are no zip file", b->size);
    while (!has_mark(b, end, END_SIZE, "PK\5\6")) {
        if (end == lowest)
            return message_bad(b->path, b->err, "no end of a zip directory: truncated?");
        end--;
    }
    const uint8_t *p = b->data + end;
    *d = (Directory){number(p + 16, 4), number(p + 12, 4), number(p + 10, 2)};
    if (end >= LOCATOR_SIZE && has_mark(b, end - LOCATOR_SIZE, LOCATOR_SIZE, "PK\6\7")) {
        uint64_t at = number(b->data + end - LOCATOR_SIZE + 8, 8);
        if (!has_mark(b, at, END64_SIZE, "PK\6\6"))
            return message_bad(b->path, b->err, "the zip64 end record is not where it should be");
        p = b->data + at;
        *d = (Directory){number(p + 48, 8), number(p + 40, 8), number(p + 32, 8)};
    }
    if (!within(b, d->at, d->size) || d->count > d->size / CENTRAL_SIZE || d->count > MAX_ENTRIES)
        return message_bad(b->path, b->err, "a zip directory of %llu entries at byte %llu does not fit",
                           (unsigned long long)d->count, (unsigned long long)d->at);
    return true;
}

/* What 32 bits could not hold is in the extra field 1, in this order, if the short form says ffffffff. */
static bool read_zip64(const uint8_t *extra, size_t size, uint64_t *values[3])
{
    while (size >= 4) {
        uint64_t id = number(extra, 2), bytes = number(extra + 2, 2);
        extra += 4;
        size -= 4;
        if (bytes > size)
            return false;
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*values[i] != 0xffffffff)
                continue;
            if (bytes < 8)
                return false;
            *values[i] = number(extra, 8);
            extra += 8;
            size -= 8;
            bytes -= 8;
        }
        extra += bytes;
        size -= bytes;
    }
    return true;
}

/* p: an entry of the directory with room bytes after it; *used: the bytes that it takes. */
static bool read_entry(const Bytes *b, const uint8_t *p, size_t room, size_t *used, Arena *memory,
                       ZipEntry *entry)
{
    char buf[SHOWN_SIZE];
    if (room < CENTRAL_SIZE || memcmp(p, "PK\1\2", 4) != 0)
        return message_bad(b->path, b->err, "damaged zip directory");
    size_t name_size = number(p + 28, 2), extra_size = number(p + 30, 2), comment = number(p + 32, 2);
    *used = CENTRAL_SIZE + name_size + extra_size + comment;
    if (room < *used)
        return message_bad(b->path, b->err, "damaged zip directory");
    const char *name = (const char *)p + CENTRAL_SIZE;
    message_shown_bytes(name, name_size, buf);
    uint64_t full = number(p + 24, 4), packed = number(p + 20, 4), at = number(p + 42, 4);
    if (!read_zip64(p + CENTRAL_SIZE + name_size, extra_size, (uint64_t *[]){&full, &packed, &at}))
        return message_bad(b->path, b->err, "entry \"%s\": damaged zip64 sizes", buf);
    if (number(p + 8, 2) & 1)
        return message_bad(b->path, b->err, "entry \"%s\" is encrypted", buf);
    if (number(p + 10, 2) != 0 || full != packed)
        return message_bad(b->path, b->err, "entry \"%s\" is compressed, expected it stored", buf);
    if (memchr(name, 0, name_size) != NULL)
        return message_bad(b->path, b->err, "entry \"%s\": a zero byte in the name", buf);
    if (!has_mark(b, at, LOCAL_SIZE, "PK\3\4"))
        return message_bad(b->path, b->err, "entry \"%s\" is not where the directory says", buf);
    uint64_t data = at + LOCAL_SIZE + number(b->data + at + 26, 2) + number(b->data + at + 28, 2);
    if (!within(b, data, full))
        return message_bad(b->path, b->err, "entry \"%s\" of %llu bytes ends after the file: truncated?", buf,
                           (unsigned long long)full);
    char *copy = arena_alloc(memory, name_size + 1);
    if (copy == NULL)
        return message_no_memory(b->path, b->err);
    memcpy(copy, name, name_size);
    copy[name_size] = 0;
    *entry = (ZipEntry){copy, b->data + data, (size_t)full};
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const ZipEntry *)a)->name, ((const ZipEntry *)b)->name);
}

bool zip_read(Zip *z, Arena *memory, const uint8_t *bytes, size_t size, const char *path, SoraError *err)
{
    Bytes b = {bytes, size, path, err};
    Directory d = {0};
    *z = (Zip){0};
    if (!find_directory(&b, &d))
        return false;
    z->entries = arena_alloc(memory, ((size_t)d.count + 1) * sizeof *z->entries);
    if (z->entries == NULL)
        return message_no_memory(path, err);
    for (size_t at = 0, used = 0; z->count < (int)d.count; z->count++, at += used)
        if (!read_entry(&b, bytes + d.at + at, (size_t)d.size - at, &used, memory, &z->entries[z->count]))
            return false;
    qsort(z->entries, (size_t)z->count, sizeof *z->entries, compare);
    for (int i = 1; i < z->count; i++)
        if (compare(&z->entries[i - 1], &z->entries[i]) == 0) {
            char buf[SHOWN_SIZE];
            return message_bad(path, err, "entry \"%s\" is there twice",
                               message_shown(z->entries[i].name, buf));
        }
    return true;
}

const ZipEntry *zip_find(const Zip *z, const char *name)
{
    ZipEntry key = {.name = name};
    return z->count ? bsearch(&key, z->entries, (size_t)z->count, sizeof *z->entries, compare) : NULL;
}
