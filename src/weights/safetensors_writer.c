#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_file.h"
#include "weights/safetensors.h"

typedef struct Entry {
    const char *name;
    const Tensor *tensor;
    DType dtype; /* in the file */
} Entry;

struct SafetensorsWriter {
    Arena names;
    json_t *metadata;
    json_t *seen; /* names as keys */
    Entry *entries;
    int count, capacity;
};

static bool no_memory(SoraError *err)
{
    return error_set(err, SORA_ERROR_MEMORY, "safetensors: out of memory");
}

SafetensorsWriter *safetensors_writer_new(SoraError *err)
{
    SafetensorsWriter *w = calloc(1, sizeof *w);
    if (w == NULL || (w->metadata = json_object()) == NULL || (w->seen = json_object()) == NULL) {
        safetensors_writer_free(w);
        no_memory(err);
        return NULL;
    }
    arena_init(&w->names, 0);
    return w;
}

void safetensors_writer_free(SafetensorsWriter *w)
{
    if (w == NULL)
        return;
    json_decref(w->metadata);
    json_decref(w->seen);
    arena_deinit(&w->names);
    free(w->entries);
    free(w);
}

bool safetensors_writer_metadata(SafetensorsWriter *w, const char *key, const char *value, SoraError *err)
{
    if (json_object_set_new(w->metadata, key, json_string(value)) != 0)
        return error_set(err, SORA_ERROR_INPUT, "safetensors: metadata \"%.100s\" is not UTF-8", key);
    return true;
}

bool safetensors_writer_add(SafetensorsWriter *w, const char *name, const Tensor *tensor, SoraError *err)
{
    return safetensors_writer_add_as(w, name, tensor, tensor->dtype, err);
}

bool safetensors_writer_add_as(SafetensorsWriter *w, const char *name, const Tensor *tensor, DType dtype,
                               SoraError *err)
{
    if (dtype != tensor->dtype && (dtype != DTYPE_BF16 || tensor->dtype != DTYPE_F32))
        return error_set(err, SORA_ERROR_UNSUPPORTED,
                         "safetensors: tensor \"%.100s\" is %s and cannot be written as %s", name,
                         dtype_name(tensor->dtype), dtype_name(dtype));
    if (strcmp(name, "__metadata__") == 0 || json_object_get(w->seen, name) != NULL)
        return error_set(err, SORA_ERROR_INPUT, "safetensors: tensor \"%.100s\": the name is taken", name);
    if (json_object_set_new(w->seen, name, json_true()) != 0)
        return error_set(err, SORA_ERROR_INPUT, "safetensors: tensor \"%.100s\": the name is not UTF-8",
                         name);
    if (w->count == w->capacity) {
        int capacity = w->capacity ? 2 * w->capacity : 64;
        Entry *entries = realloc(w->entries, (size_t)capacity * sizeof *entries);
        if (entries == NULL)
            return no_memory(err);
        w->entries = entries;
        w->capacity = capacity;
    }
    char *copy = arena_strdup(&w->names, name);
    if (copy == NULL)
        return no_memory(err);
    w->entries[w->count++] = (Entry){copy, tensor, dtype};
    return true;
}

static json_t *describe(const Entry *entry, size_t at)
{
    const Tensor *t = entry->tensor;
    json_t *shape = json_array();
    for (int d = 0; d < t->ndim; d++)
        if (json_array_append_new(shape, json_integer(t->shape[d])) != 0) {
            json_decref(shape);
            return NULL;
        }
    size_t bytes = (size_t)tensor_numel(t) * dtype_size(entry->dtype);
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(entry->dtype), "shape", shape,
                     "data_offsets", (json_int_t)at, (json_int_t)(at + bytes));
}

/* Text for free(); NULL when out of memory. */
static char *make_header(const SafetensorsWriter *w)
{
    json_t *header = json_object();
    bool ok = header != NULL;
    if (ok && json_object_size(w->metadata) > 0)
        ok = json_object_set(header, "__metadata__", w->metadata) == 0;
    size_t at = 0;
    for (int i = 0; ok && i < w->count; i++) {
        const Entry *e = &w->entries[i];
        ok = json_object_set_new(header, e->name, describe(e, at)) == 0;
        at += (size_t)tensor_numel(e->tensor) * dtype_size(e->dtype);
    }
    char *text = ok ? json_text(header, JSON_COMPACT) : NULL;
    json_decref(header);
    return text;
}

static bool write_data(FILE *f, const Entry *entry)
{
    const Tensor *t = entry->tensor;
    size_t n = (size_t)tensor_numel(t);
    if (entry->dtype == t->dtype)
        return n == 0 || fwrite(t->data, dtype_size(t->dtype), n, f) == n;
    assert(t->dtype == DTYPE_F32 && entry->dtype == DTYPE_BF16); /* by safetensors_writer_add_as() */
    const float *data = t->data;
    uint16_t block[4096];
    size_t count = 0;
    for (size_t at = 0; at < n; at += count) {
        count = n - at < 4096 ? n - at : 4096;
        for (size_t i = 0; i < count; i++)
            block[i] = f32_to_bf16(data[at + i]);
        if (fwrite(block, sizeof block[0], count, f) != count)
            return false;
    }
    return true;
}

/* Padded with spaces, so that the data begins at a multiple of 64 bytes. */
bool safetensors_writer_header(const SafetensorsWriter *w, FILE *stream, SoraError *err)
{
    char *header = make_header(w);
    if (header == NULL)
        return no_memory(err);
    size_t text_size = strlen(header);
    uint64_t size = (8 + text_size + 63) / 64 * 64 - 8;
    bool ok = fwrite(&size, sizeof size, 1, stream) == 1 &&
              fprintf(stream, "%s%*s", header, (int)(size - text_size), "") == (int)size;
    free(header);
    return ok || error_set(err, SORA_ERROR_IO, "safetensors: cannot write: %s", strerror(errno));
}

bool safetensors_writer_save(SafetensorsWriter *w, const char *path, SoraError *err)
{
    FileWriter file;
    if (!file_writer_open(&file, path, err))
        return false;
    bool ok = safetensors_writer_header(w, file.stream, err);
    for (int i = 0; ok && i < w->count; i++)
        ok = write_data(file.stream, &w->entries[i]) ||
             error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (ok)
        return file_writer_commit(&file, err);
    file_writer_abort(&file);
    return false;
}
