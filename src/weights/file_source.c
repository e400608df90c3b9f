#include "weights/file_source.h"

#include <stdio.h>
#include <string.h>

#include "base/finite.h"
#include "weights/quant.h"

/* As it lies in the file. */
static bool usable(const FileSource *s, const Tensor *wanted, const Tensor *found)
{
    bool type = found->dtype == DTYPE_F32 ||
                (params_is_matrix(wanted) && (found->dtype == DTYPE_BF16 || found->dtype == DTYPE_F16));
    return s->mode == FILE_SOURCE_MAPPED && type && (uintptr_t)found->data % dtype_size(found->dtype) == 0;
}

static const Tensor *find_rows(const FileSource *s, const char *name, const char *part, int64_t n, SoraError *err)
{
    char other[256];
    int stem = (int)(strlen(name) - strlen(".weight"));
    snprintf(other, sizeof other, "%.*s.%s", stem, name, part);
    const Tensor *t = safetensors_find(s->file, other);
    if (t != NULL && t->dtype == DTYPE_F32 && t->ndim == 1 && t->shape[0] == n)
        return t;
    error_set(err, SORA_ERROR_INPUT, "%s: \"%s\", which tensor \"%s\" of bytes needs, is %s", safetensors_path(s->file), other, name,
              t == NULL ? "missing" : "not one F32 for each of its rows");
    return NULL;
}

/* Bytes with a scale and a minimum for each row. */
static bool widen_bytes(const FileSource *s, const char *name, const Tensor *bytes, float *out, SoraError *err)
{
    size_t n = strlen(name);
    if (n < 8 || n > 200 || strcmp(name + n - 7, ".weight") != 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" has type U8, which only weights may have", safetensors_path(s->file), name);
    int64_t rows = bytes->shape[0], length = rows > 0 ? tensor_numel(bytes) / rows : 0;
    const Tensor *scale = find_rows(s, name, "scale", rows, err);
    const Tensor *minimum = scale != NULL ? find_rows(s, name, "minimum", rows, err) : NULL;
    const uint8_t *in = bytes->data;
    for (int64_t r = 0; minimum != NULL && r < rows; r++)
        for (int64_t i = r * length; i < (r + 1) * length; i++)
            out[i] = (float)in[i] * ((const float *)scale->data)[r] + ((const float *)minimum->data)[r];
    return minimum != NULL;
}

static bool fill(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    FileSource *s = (FileSource *)source;
    const char *path = safetensors_path(s->file);
    const Tensor *found = safetensors_find(s->file, name);
    if (found == NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" is missing", path, name);
    if (!tensor_same_shape(found, tensor)) {
        char have[128], want[128];
        return error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" is %s, expected %s", path, name,
                         tensor_shape_text(found, have, sizeof have),
                         tensor_shape_text(tensor, want, sizeof want));
    }
    if (found->dtype != DTYPE_F32 && found->dtype != DTYPE_BF16 && found->dtype != DTYPE_F16 &&
        found->dtype != DTYPE_F64 && found->dtype != DTYPE_U8)
        return error_set(err, SORA_ERROR_INPUT,
                         "%s: tensor \"%s\" has type %s, expected F32, BF16, F16, F64 or U8", path, name,
                         dtype_name(found->dtype));
    if (usable(s, tensor, found)) {
        tensor->dtype = found->dtype;
        tensor->data = found->data;
        return true;
    }
    tensor->dtype = DTYPE_F32;
    tensor->data = arena_alloc(&s->memory, tensor_bytes(tensor));
    if (tensor->data == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: tensor \"%s\": out of memory", path, name);
    if (found->dtype == DTYPE_U8 && !widen_bytes(s, name, found, tensor->data, err))
        return false;
    if (found->dtype != DTYPE_U8)
        weight_decode(found->dtype, found->data, tensor_numel(tensor), tensor->data);
    return all_finite(tensor->data, (size_t)tensor_numel(tensor)) ||
           error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" " NOT_FINITE, path, name);
}

void file_source_init(FileSource *s, const Safetensors *file, FileSourceMode mode)
{
    *s = (FileSource){.source = {fill}, .file = file, .mode = mode};
    arena_init(&s->memory, 0);
}

void file_source_deinit(FileSource *s)
{
    arena_deinit(&s->memory);
}
