#include "weights/file_source.h"

#include "base/finite.h"
#include "weights/quant.h"

/* As it lies in the file. */
static bool usable(const FileSource *s, const Tensor *wanted, const Tensor *found)
{
    bool type = found->dtype == DTYPE_F32 ||
                (params_is_matrix(wanted) && (found->dtype == DTYPE_BF16 || found->dtype == DTYPE_F16));
    return s->mode == FILE_SOURCE_MAPPED && type && (uintptr_t)found->data % dtype_size(found->dtype) == 0;
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
        found->dtype != DTYPE_F64)
        return error_set(err, SORA_ERROR_INPUT,
                         "%s: tensor \"%s\" has type %s, expected F32, BF16, F16 or F64", path, name,
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
