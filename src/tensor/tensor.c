#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
    int block;
} DTYPES[DTYPE_COUNT] = {
    [DTYPE_F32] = {"F32", 4, 1},         [DTYPE_BF16] = {"BF16", 2, 1},
    [DTYPE_F16] = {"F16", 2, 1},         [DTYPE_I32] = {"I32", 4, 1},
    [DTYPE_I64] = {"I64", 8, 1},         [DTYPE_U8] = {"U8", 1, 1},
    [DTYPE_F64] = {"F64", 8, 1},         [DTYPE_F8_E4M3] = {"F8_E4M3", 1, 1},
    [DTYPE_F8_E5M2] = {"F8_E5M2", 1, 1}, [DTYPE_I8] = {"I8", 1, 1},
    [DTYPE_I16] = {"I16", 2, 1},         [DTYPE_BOOL] = {"BOOL", 1, 1},
    [DTYPE_Q8_0] = {"Q8_0", 34, 32},     [DTYPE_Q4_0] = {"Q4_0", 18, 32},
    [DTYPE_Q4_1] = {"Q4_1", 20, 32},     [DTYPE_Q5_0] = {"Q5_0", 22, 32},
    [DTYPE_Q5_1] = {"Q5_1", 24, 32},     [DTYPE_Q4_K] = {"Q4_K", 144, 256},
    [DTYPE_Q5_K] = {"Q5_K", 176, 256},   [DTYPE_Q6_K] = {"Q6_K", 210, 256},
    [DTYPE_Q2_K] = {"Q2_K", 84, 256},    [DTYPE_Q3_K] = {"Q3_K", 110, 256},
};

size_t dtype_size(DType dtype)
{
    return DTYPES[dtype].size;
}

int dtype_block(DType dtype)
{
    return DTYPES[dtype].block;
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
    return (size_t)(tensor_numel(t) / DTYPES[t->dtype].block) * DTYPES[t->dtype].size;
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
    uint32_t exponent = h >> 10 & 31, mantissa = h & 1023;
    union {
        uint32_t u;
        float f;
    } v = {(exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13};
    if (exponent == 0)
        v.f = (float)mantissa * 0x1p-24f;
    return h >> 15 ? -v.f : v.f;
}

uint16_t f32_to_f16(float f)
{
    union {
        float f;
        uint32_t u;
    } v = {f};
    uint32_t sign = v.u >> 16 & 0x8000, magnitude = v.u & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00); /* keep a NaN a NaN */
    if (magnitude >= 0x477ff000)          /* 65520: halfway beyond the largest */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) /* 2^-14: below it steps are 2^-24 */
        return (uint16_t)(sign | (uint32_t)lrintf(fabsf(f) * 0x1p24f));
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
}
