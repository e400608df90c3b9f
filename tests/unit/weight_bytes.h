/* Weight files made byte by byte, for tests: what no writer of ours would write. */
#ifndef SORA_TESTS_WEIGHT_BYTES_H
#define SORA_TESTS_WEIGHT_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct Bytes {
    uint8_t *data;
    size_t size, capacity;
} Bytes;

static inline void put(Bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->data = realloc(b->data, b->capacity);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void put_int(Bytes *b, uint64_t v, int bytes)
{
    put(b, &v, (size_t)bytes);
}

static inline void put_str(Bytes *b, const char *text)
{
    put(b, text, strlen(text));
}

static inline void put_zeros(Bytes *b, size_t size)
{
    while (size-- > 0)
        put_int(b, 0, 1);
}

/* GGUF: length, then bytes. */
static inline void put_text(Bytes *b, const char *text)
{
    put_int(b, strlen(text), 8);
    put_str(b, text);
}

static inline void free_bytes(Bytes *b)
{
    free(b->data);
    *b = (Bytes){0};
}

/* A zip file: entries one by one, then the directory. */
typedef struct ZipBytes {
    Bytes file, directory;
    int count;
    int method; /* 0: stored */
    bool zip64; /* the directory's numbers are in an extra field */
} ZipBytes;

static inline void zip_add(ZipBytes *z, const char *name, const void *data, size_t size)
{
    uint64_t at = z->file.size;
    put(&z->file, "PK\3\4", 4);
    put_zeros(&z->file, 14);
    put_int(&z->file, size, 4);
    put_int(&z->file, size, 4);
    put_int(&z->file, strlen(name), 2);
    put_int(&z->file, 3, 2); /* an extra field to step over */
    put_str(&z->file, name);
    put_str(&z->file, "xyz");
    put(&z->file, data, size);
    Bytes *d = &z->directory;
    put(d, "PK\1\2", 4);
    put_zeros(d, 6);
    put_int(d, (uint64_t)z->method, 2);
    put_zeros(d, 8);
    put_int(d, z->zip64 ? 0xffffffff : size, 4);
    put_int(d, z->zip64 ? 0xffffffff : size, 4);
    put_int(d, strlen(name), 2);
    put_int(d, z->zip64 ? 28 : 0, 2);
    put_zeros(d, 10);
    put_int(d, z->zip64 ? 0xffffffff : at, 4);
    put_str(d, name);
    if (z->zip64) {
        put_int(d, 1, 2);
        put_int(d, 24, 2);
        put_int(d, size, 8);
        put_int(d, size, 8);
        put_int(d, at, 8);
    }
    z->count++;
}

static inline void zip_finish(ZipBytes *z)
{
    uint64_t at = z->file.size, size = z->directory.size, count = (uint64_t)z->count;
    put(&z->file, z->directory.data, z->directory.size);
    if (z->zip64) {
        uint64_t end = z->file.size;
        put(&z->file, "PK\6\6", 4);
        put_int(&z->file, 44, 8);
        put_zeros(&z->file, 12);
        put_int(&z->file, count, 8);
        put_int(&z->file, count, 8);
        put_int(&z->file, size, 8);
        put_int(&z->file, at, 8);
        put(&z->file, "PK\6\7", 4);
        put_zeros(&z->file, 4);
        put_int(&z->file, end, 8);
        put_int(&z->file, 1, 4);
    }
    put(&z->file, "PK\5\6", 4);
    put_zeros(&z->file, 4);
    put_int(&z->file, z->zip64 ? 0xffff : count, 2);
    put_int(&z->file, z->zip64 ? 0xffff : count, 2);
    put_int(&z->file, z->zip64 ? 0xffffffff : size, 4);
    put_int(&z->file, z->zip64 ? 0xffffffff : at, 4);
    put_int(&z->file, 0, 2);
    free_bytes(&z->directory);
}

#endif
