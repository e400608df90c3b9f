#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *name; size_t size; } DTYPES[DTYPE_COUNT] = {
    [DTYPE_F32] = {"F32", 4}, [DTYPE_BF16] = {"BF16", 2}, [DTYPE_F16] = {"F16", 2}, [DTYPE_I32] = {"I32", 4},
    [DTYPE_I64] = {"I64", 8}, [DTYPE_U8] = {"U8", 1},     [DTYPE_F64] = {"F64", 8},
};

size_t dtype_size(DType dtype)
{
    return DTYPES[dtype].size;
}

const char *dtype_name(DType dtype)
{
    return DTYPES[dtype].name;
}

bool dtype_parse(const char *name, DType *dtype)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(name, DTYPES[i].name) == 0) {
            *dtype = (DType)i;
            return true;
        }
    return false;
}

int64_t tensor_numel(const Tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->ndim; i++)
        n *= t->shape[i];
    return n;
}

size_t tensor_bytes(const Tensor *t)
{
    return (size_t)tensor_numel(t) * dtype_size(t->dtype);
}

bool tensor_same_shape(const Tensor *a, const Tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof a->shape[0]) == 0;
}

char *tensor_shape_text(const Tensor *t, char *buf, size_t size)
{
    size_t n = (size_t)snprintf(buf, size, "[");
    for (int i = 0; i < t->ndim && n < size; i++)
        n += (size_t)snprintf(buf + n, size - n, i ? ", %lld" : "%lld", (long long)t->shape[i]);
    if (n < size)
        snprintf(buf + n, size - n, "]");
    return buf;
}

Tensor tensor_over(void *data, DType dtype, int ndim, const int64_t *shape)
{
    Tensor t = {.dtype = dtype, .ndim = ndim, .data = data, .leaf = true};
    memcpy(t.shape, shape, (size_t)ndim * sizeof shape[0]);
    return t;
}

float f16_to_f32(uint16_t h)
{
    int sign = h >> 15, exponent = h >> 10 & 31, mantissa = h & 1023;
    float v = exponent == 0    ? ldexpf((float)mantissa, -24)
              : exponent == 31 ? (mantissa ? NAN : INFINITY)
                               : ldexpf((float)(mantissa | 1024), exponent - 25);
    return sign ? -v : v;
}
