/* The published models as lists of names and shapes (../shared/fixtures/wan_keys.tsv and wan_keys_map.tsv),
 * and files with all of their tensors and no data to speak of: the bytes are a hole. */
#ifndef SORA_TESTS_REAL_MODELS_H
#define SORA_TESTS_REAL_MODELS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensor/tensor.h"
#include "unit/weight_bytes.h"
#include "weights/gguf.h"

enum { MAX_ROWS = 10000, KEY = 128 };

typedef struct Row {
    char model[48], key[KEY], other[KEY]; /* other: the name in diffusers or transformers */
    Tensor shape;
} Row;

typedef struct Rows {
    Row *rows;
    int count;
} Rows;

static inline Tensor parse_shape(const char *text)
{
    Tensor t = {.dtype = DTYPE_BF16};
    if (strcmp(text, "scalar") == 0)
        return t;
    while (*text != 0) {
        char *end;
        t.shape[t.ndim++] = strtoll(text, &end, 10);
        text = *end == 'x' ? end + 1 : end;
    }
    return t;
}

/* columns: model, key, [other,] shape. False: there is no such file. */
static inline bool read_rows(Rows *out, const char *name, bool has_other)
{
    char path[512], line[512];
    const char *dir = getenv("SORA_FIXTURES");
    snprintf(path, sizeof path, "%s/../%s", dir != NULL ? dir : "../shared/fixtures/wan", name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    *out = (Rows){calloc(MAX_ROWS, sizeof(Row)), 0};
    while (fgets(line, sizeof line, f) != NULL && out->count < MAX_ROWS) {
        Row *r = &out->rows[out->count];
        char shape[64] = "";
        bool ok = has_other ? sscanf(line, "%47[^\t]\t%127[^\t]\t%127[^\t]\t%63[^\t\n]", r->model, r->key,
                                     r->other, shape) == 4
                            : sscanf(line, "%47[^\t]\t%127[^\t]\t%63[^\t\n]", r->model, r->key, shape) == 3;
        if (!ok || strcmp(r->model, "model") == 0)
            continue;
        r->other[strcspn(r->other, " ")] = 0; /* "shared.weight (= ...)" */
        r->shape = parse_shape(shape);
        out->count++;
    }
    fclose(f);
    return true;
}

/* key with the number after "blocks." as 0, and that number. */
static inline int first_block(const char *key, char out[KEY])
{
    int block = 0, at = 0;
    if (sscanf(key, "blocks.%d.%n", &block, &at) == 1 && at > 0)
        snprintf(out, KEY, "blocks.0.%s", key + at);
    else
        snprintf(out, KEY, "%s", key);
    return block;
}

/* The other name of a key, from the map's rows of its first block; map_model: whose rows to use. False: none.
 */
static inline bool other_name(const Rows *map, const char *map_model, const char *key, char out[KEY])
{
    char first[KEY];
    int block = first_block(key, first);
    for (int i = 0; i < map->count; i++) {
        const Row *r = &map->rows[i];
        if (strcmp(r->model, map_model) != 0 || strcmp(r->key, first) != 0)
            continue;
        const char *zero = strncmp(key, "blocks.", 7) == 0 ? strstr(r->other, ".0.") : NULL;
        if (zero == NULL)
            snprintf(out, KEY, "%s", r->other);
        else
            snprintf(out, KEY, "%.*s.%d.%s", (int)(zero - r->other), r->other, block, zero + 3);
        return true;
    }
    return false;
}

/* A file to be: names in the file and types. */
typedef struct FakeTensor {
    char name[2 * KEY];
    Tensor tensor;
} FakeTensor;

typedef struct FakeFile {
    FakeTensor *tensors;
    int count;
    int part, parts; /* of split GGUF, part from 0; parts 0: not split */
} FakeFile;

static inline void fake_add(FakeFile *f, const char *prefix, const char *name, DType dtype,
                            const Tensor *shape)
{
    if (f->count % 512 == 0)
        f->tensors = realloc(f->tensors, ((size_t)f->count + 512) * sizeof *f->tensors);
    FakeTensor *t = &f->tensors[f->count++];
    snprintf(t->name, sizeof t->name, "%s%s", prefix, name);
    t->tensor = *shape;
    t->tensor.dtype = dtype;
}

static inline void fake_free(FakeFile *f)
{
    free(f->tensors);
    *f = (FakeFile){0};
}

static inline bool write_sparse(const char *path, const Bytes *head, size_t hole)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    bool ok = fd >= 0 && write(fd, head->data, head->size) == (ssize_t)head->size &&
              ftruncate(fd, (off_t)(head->size + hole)) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static inline bool fake_safetensors(const FakeFile *f, const char *path)
{
    Bytes b = {0};
    size_t at = 0;
    char text[1024], shape[128];
    put_int(&b, 0, 8);
    for (int i = 0; i < f->count; i++) {
        const FakeTensor *t = &f->tensors[i];
        size_t size = tensor_bytes(&t->tensor);
        snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                 i ? "," : "{", t->name, dtype_name(t->tensor.dtype),
                 tensor_shape_text(&t->tensor, shape, sizeof shape), at, at + size);
        put_str(&b, text);
        at += size;
    }
    put_str(&b, "}");
    while (b.size % 64 != 0)
        put_str(&b, " ");
    uint64_t size = b.size - 8;
    memcpy(b.data, &size, 8);
    bool ok = write_sparse(path, &b, at);
    free_bytes(&b);
    return ok;
}

/* Five dimensions are written as they are, as some writers do. */
static inline bool fake_gguf(const FakeFile *f, const char *path)
{
    Bytes b = {0};
    size_t at = 0;
    put_str(&b, "GGUF");
    put_int(&b, 3, 4);
    put_int(&b, (uint64_t)f->count, 8);
    put_int(&b, f->parts > 0 ? 2 : 0, 8);
    for (int i = 0; i < 2 && f->parts > 0; i++) {
        put_text(&b, i == 0 ? "split.no" : "split.count");
        put_int(&b, 2, 4); /* 16 bits */
        put_int(&b, (uint64_t)(i == 0 ? f->part : f->parts), 2);
    }
    for (int i = 0; i < f->count; i++) {
        const Tensor *t = &f->tensors[i].tensor;
        put_text(&b, f->tensors[i].name);
        put_int(&b, (uint64_t)t->ndim, 4);
        for (int d = t->ndim - 1; d >= 0; d--)
            put_int(&b, (uint64_t)t->shape[d], 8);
        put_int(&b, (uint64_t)gguf_type_id(t->dtype), 4);
        put_int(&b, at, 8);
        at += (tensor_bytes(t) + 31) / 32 * 32;
    }
    while (b.size % 32 != 0)
        put_zeros(&b, 1);
    bool ok = write_sparse(path, &b, at);
    free_bytes(&b);
    return ok;
}

#endif
