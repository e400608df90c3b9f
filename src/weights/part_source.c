#include "weights/part_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/finite.h"
#include "weights/message.h"
#include "weights/quant.h"

/* CHUNK: elements that are F32 on their way to BF16, or one row if that is more. LARGE: elements from which on a tensor
 * that is used where it lies is not read when it is bound. */
enum { CHUNK = 1 << 18, LARGE = 1 << 16 };

const PartTensor *part_source_find(const WeightPart *part, const char *name, const Tensor *wanted,
                                   SoraError *err)
{
    const char *path = weight_file_path(weight_part_file(part));
    const PartTensor *found = weight_part_find(part, name);
    if (found == NULL) {
        message_bad(path, err, "tensor \"%s\" is missing", name);
        return NULL;
    }
    char buf[SHOWN_SIZE], have[128], want[128];
    message_shown(found->file_name, buf);
    if (!part_shape_fits(&found->tensor, wanted))
        message_bad(path, err, "tensor \"%s\" is %s, expected %s", buf,
                    tensor_shape_text(&found->tensor, have, sizeof have),
                    tensor_shape_text(wanted, want, sizeof want));
    else if (!weight_is_number(found->tensor.dtype))
        message_bad(path, err, "tensor \"%s\" has type %s, expected floating numbers", buf,
                    dtype_name(found->tensor.dtype));
    else
        return found;
    return NULL;
}

/* As one row when there are no two dimensions, or blocks reach over what the network calls a row. */
static int64_t count_rows(const PartTensor *t, const Tensor *shape)
{
    int64_t numel = tensor_numel(shape), rows = shape->ndim >= 2 ? shape->shape[0] : 1;
    return rows > 0 && numel / rows % dtype_block(t->tensor.dtype) == 0 ? rows : 1;
}

bool part_source_by_rows(const PartTensor *t, const Tensor *shape)
{
    return count_rows(t, shape) == shape->shape[0];
}

bool part_source_rows(const PartTensor *t, const LoraSet *loras, const Tensor *shape, int64_t first,
                      int64_t rows, float *out, SoraError *err)
{
    int64_t width = tensor_numel(shape) / count_rows(t, shape);
    part_tensor_decode(t, first * width, rows * width, out);
    if (!lora_covers(loras, t->name))
        return true;
    Tensor flat = tensor_over(NULL, DTYPE_F32, 2, (int64_t[]){count_rows(t, shape), width});
    Tensor column = tensor_over(NULL, DTYPE_F32, 1, (int64_t[]){width});
    return shape->ndim < 2 ? lora_add(loras, t->name, &column, 0, width, out, err)
                           : lora_add(loras, t->name, &flat, first, rows, out, err);
}

/* As it lies in the file. */
static bool usable(const PartSource *s, const PartTensor *t, const Tensor *wanted)
{
    DType type = t->tensor.dtype;
    return s->mode == FILE_SOURCE_MAPPED && t->tensor.data != NULL && t->scale == NULL &&
           !lora_covers(s->loras, t->name) &&
           (type == DTYPE_F32 || (params_is_matrix(wanted) && (type == DTYPE_BF16 || type == DTYPE_F16)));
}

DType part_source_type(const PartSource *s, const PartTensor *t, const Tensor *wanted, bool *copied)
{
    *copied = !usable(s, t, wanted);
    if (!*copied)
        return t->tensor.dtype;
    bool wide = s->mode == FILE_SOURCE_F32 || !params_is_matrix(wanted) || t->tensor.dtype == DTYPE_F32 ||
                t->tensor.dtype == DTYPE_F64;
    return wide ? DTYPE_F32 : DTYPE_BF16;
}

static bool widen(const PartSource *s, const PartTensor *t, Tensor *tensor, SoraError *err)
{
    int64_t rows = count_rows(t, tensor), width = rows > 0 ? tensor_numel(tensor) / rows : 0;
    if (tensor->dtype == DTYPE_F32)
        return part_source_rows(t, s->loras, tensor, 0, rows, tensor->data, err);
    int64_t step = width < CHUNK ? CHUNK / (width > 0 ? width : 1) : 1;
    step = step < rows ? step : rows;
    float *chunk = malloc(((size_t)(step * width) + 1) * sizeof *chunk);
    if (chunk == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "tensor \"%.100s\": out of memory", t->name);
    bool ok = true;
    for (int64_t at = 0; at < rows && ok; at += step) {
        int64_t n = rows - at < step ? rows - at : step;
        ok = part_source_rows(t, s->loras, tensor, at, n, chunk, err) &&
             weight_encode(tensor->dtype, chunk, n * width, (uint16_t *)tensor->data + at * width);
    }
    free(chunk);
    return ok;
}

/* A weight that is not finite makes the whole result NaN. Large tensors that stay in the file are not read for this check. */
static bool check_finite(const PartSource *s, const PartTensor *t, const Tensor *tensor, SoraError *err)
{
    char buf[SHOWN_SIZE];
    return weight_is_finite(tensor->dtype, tensor->data, tensor_numel(tensor)) ||
           message_bad(weight_file_path(weight_part_file(s->part)), err, "tensor \"%s\" " NOT_FINITE,
                       message_shown(t->file_name, buf));
}

static bool fill(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    PartSource *s = (PartSource *)source;
    const PartTensor *t = part_source_find(s->part, name, tensor, err);
    if (t == NULL)
        return false;
    bool copied;
    tensor->dtype = part_source_type(s, t, tensor, &copied);
    if (!copied) {
        tensor->data = t->tensor.data;
        return tensor_numel(tensor) >= LARGE || check_finite(s, t, tensor, err);
    }
    tensor->data = arena_alloc(&s->memory, tensor_bytes(tensor));
    if (tensor->data == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "tensor \"%.100s\": out of memory (%zu bytes)", name,
                         tensor_bytes(tensor));
    return widen(s, t, tensor, err) && check_finite(s, t, tensor, err);
}

static bool is_finite(const PartTensor *t, float *chunk)
{
    int64_t n = tensor_numel(&t->tensor);
    bool ok = true;
    for (int64_t at = 0, count; at < n && ok; at += count) {
        count = n - at < CHUNK ? n - at : CHUNK;
        part_tensor_decode(t, at, count, chunk);
        ok = all_finite(chunk, (size_t)count);
    }
    return ok;
}

const PartTensor *part_find_not_finite(const WeightPart *part, const Params *params)
{
    const PartTensor *found = NULL;
    float *chunk = malloc(CHUNK * sizeof *chunk);
    for (int i = 0; chunk != NULL && i < params->count && found == NULL; i++) {
        const PartTensor *t = weight_part_find(part, params->items[i]->name);
        if (t != NULL && weight_is_number(t->tensor.dtype) && !is_finite(t, chunk))
            found = t;
        for (int k = 0; t != NULL && k < t->piece_count; k++)
            weight_file_forget(weight_part_file(part), t->pieces[k]);
    }
    free(chunk);
    return found;
}

void part_source_init(PartSource *s, const WeightPart *part, const LoraSet *loras, FileSourceMode mode)
{
    *s = (PartSource){.source = {fill}, .part = part, .loras = loras, .mode = mode};
    arena_init(&s->memory, 0);
}

void part_source_deinit(PartSource *s)
{
    arena_deinit(&s->memory);
}
