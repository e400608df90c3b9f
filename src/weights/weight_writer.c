#include "weights/weight_writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/file.h"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"
#include "weights/message.h"
#include "weights/safetensors.h"

enum { MAX_TEXTS = 16 };

struct WeightWriter {
    Arena memory;
    const char *path;
    WeightFormat format;
    FileWriter file;
    GgufText texts[MAX_TEXTS];
    int text_count;
    const char **names;
    Tensor *tensors;
    int count, capacity;
    int current; /* whose bytes come next */
    size_t left; /* of them */
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcasecmp(text + n - m, end) == 0;
}

WeightWriter *weight_writer_new(const char *path, SoraError *err)
{
    bool gguf = ends_with(path, ".gguf");
    if (!gguf && !ends_with(path, ".safetensors")) {
        message_bad(path, err, "expected a name that ends in .safetensors or .gguf");
        return NULL;
    }
    WeightWriter *w = calloc(1, sizeof *w);
    if (w == NULL) {
        message_no_memory(path, err);
        return NULL;
    }
    arena_init(&w->memory, 1 << 16);
    w->format = gguf ? WEIGHT_GGUF : WEIGHT_SAFETENSORS;
    if ((w->path = arena_strdup(&w->memory, path)) != NULL)
        return w;
    message_no_memory(path, err);
    weight_writer_free(w);
    return NULL;
}

void weight_writer_free(WeightWriter *w)
{
    if (w == NULL)
        return;
    file_writer_abort(&w->file);
    free(w->names);
    free(w->tensors);
    arena_deinit(&w->memory);
    free(w);
}

WeightFormat weight_writer_format(const WeightWriter *w)
{
    return w->format;
}

bool weight_writer_takes(const WeightWriter *w, DType dtype)
{
    return w->format == WEIGHT_GGUF ? gguf_type_id(dtype) >= 0 : dtype_block(dtype) == 1;
}

bool weight_writer_metadata(WeightWriter *w, const char *key, const char *value, SoraError *err)
{
    assert(w->text_count < MAX_TEXTS);
    GgufText t = {arena_strdup(&w->memory, key), arena_strdup(&w->memory, value)};
    if (t.key == NULL || t.value == NULL)
        return message_no_memory(w->path, err);
    w->texts[w->text_count++] = t;
    return true;
}

bool weight_writer_add(WeightWriter *w, const char *name, DType dtype, int ndim, const int64_t *shape,
                       SoraError *err)
{
    if (w->count == w->capacity) {
        int capacity = w->capacity ? 2 * w->capacity : 256;
        const char **names = realloc(w->names, (size_t)capacity * sizeof *names);
        w->names = names != NULL ? names : w->names;
        Tensor *tensors = realloc(w->tensors, (size_t)capacity * sizeof *tensors);
        w->tensors = tensors != NULL ? tensors : w->tensors;
        if (names == NULL || tensors == NULL)
            return message_no_memory(w->path, err);
        w->capacity = capacity;
    }
    w->names[w->count] = arena_strdup(&w->memory, name);
    w->tensors[w->count] = tensor_over(NULL, dtype, ndim, shape);
    return w->names[w->count++] != NULL || message_no_memory(w->path, err);
}

static bool write_safetensors_header(WeightWriter *w, SoraError *err)
{
    SafetensorsWriter *s = safetensors_writer_new(err);
    bool ok = s != NULL;
    for (int i = 0; i < w->text_count && ok; i++)
        ok = safetensors_writer_metadata(s, w->texts[i].key, w->texts[i].value, err);
    for (int i = 0; i < w->count && ok; i++)
        ok = safetensors_writer_add(s, w->names[i], &w->tensors[i], err);
    ok = ok && safetensors_writer_header(s, w->file.stream, err);
    safetensors_writer_free(s);
    return ok;
}

static bool cannot_write(const WeightWriter *w, SoraError *err)
{
    return error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", message_path_end(w->path), strerror(errno));
}

/* To the next tensor that has bytes. */
static void step_over_empty(WeightWriter *w)
{
    while (w->current < w->count && (w->left = tensor_bytes(&w->tensors[w->current])) == 0)
        w->current++;
}

bool weight_writer_begin(WeightWriter *w, SoraError *err)
{
    GgufHeader h = {w->texts, w->text_count, w->names, w->tensors, w->count};
    if (!file_writer_open(&w->file, w->path, err))
        return false;
    step_over_empty(w);
    return w->format == WEIGHT_GGUF ? gguf_write_header(&h, w->file.stream) || cannot_write(w, err)
                                    : write_safetensors_header(w, err);
}

bool weight_writer_write(WeightWriter *w, const void *bytes, size_t size, SoraError *err)
{
    static const char ZEROS[GGUF_ALIGNMENT];
    assert(w->current < w->count && size <= w->left);
    if (size > 0 && fwrite(bytes, 1, size, w->file.stream) != size)
        return cannot_write(w, err);
    w->left -= size;
    if (w->left > 0)
        return true;
    size_t total = tensor_bytes(&w->tensors[w->current]), over = total % GGUF_ALIGNMENT;
    if (w->format == WEIGHT_GGUF && over > 0 &&
        fwrite(ZEROS, 1, GGUF_ALIGNMENT - over, w->file.stream) != GGUF_ALIGNMENT - over)
        return cannot_write(w, err);
    w->current++;
    step_over_empty(w);
    return true;
}

bool weight_writer_finish(WeightWriter *w, SoraError *err)
{
    assert(w->current == w->count);
    return file_writer_commit(&w->file, err);
}
