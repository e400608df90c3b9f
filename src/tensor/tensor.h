/* Tensor: a shape and a place. Row-major, contiguous, owns nothing. */
#ifndef SORA_TENSOR_TENSOR_H
#define SORA_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_DIMS = 8 };

/* The first line is what ops compute with. The rest is what files hold besides: the float8 types of OCP and
 * the quantised blocks of GGUF (weights/quant.h has their arithmetic). */
typedef enum DType {
    DTYPE_F32, DTYPE_BF16, DTYPE_F16, DTYPE_I32, DTYPE_I64, DTYPE_U8, DTYPE_F64,
    DTYPE_F8_E4M3, DTYPE_F8_E5M2, DTYPE_I8, DTYPE_I16, DTYPE_BOOL,
    DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K,
    DTYPE_Q2_K, DTYPE_Q3_K, /* only read */
    DTYPE_COUNT
} DType;

typedef struct Tensor Tensor;
struct Tensor {
    DType dtype;
    int ndim;
    int64_t shape[MAX_DIMS];
    void *data;         /* in the backend's memory: the graph's, a mapped file's or the caller's */
    Tensor *grad;       /* same shape, F32; NULL until backward reaches it */
    bool requires_grad; /* a parameter, or computed from one while recording */
    bool leaf;          /* not the output of a node: its gradient accumulates in place */
    int uses;           /* of a leaf, during backward: places on the tape that may still add to its gradient */
};

size_t dtype_size(DType dtype);       /* bytes of one element, or of one block of elements */
int dtype_block(DType dtype);         /* elements in a block, which lie in one row; 1: there are no blocks */
const char *dtype_name(DType dtype);  /* safetensors' names, then GGUF's: "F32", "BF16", "Q4_K" ... */
bool dtype_parse(const char *name, DType *dtype);

int64_t tensor_numel(const Tensor *t);
size_t tensor_bytes(const Tensor *t);
bool tensor_same_shape(const Tensor *a, const Tensor *b);
/* "[64, 65]" into a caller's buffer; returns it. */
char *tensor_shape_text(const Tensor *t, char *buf, size_t size);

/* A tensor struct over the caller's memory. */
Tensor tensor_over(void *data, DType dtype, int ndim, const int64_t *shape);

/* bf16 is the upper half of an f32; rounding is to nearest, ties to even. */
static inline float bf16_to_f32(uint16_t h)
{
    union { uint32_t u; float f; } v = {(uint32_t)h << 16};
    return v.f;
}

static inline uint16_t f32_to_bf16(float f)
{
    union { float f; uint32_t u; } v = {f};
    if ((v.u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(v.u >> 16 | 64); /* keep a NaN a NaN */
    return (uint16_t)((v.u + 0x7fffu + ((v.u >> 16) & 1)) >> 16);
}

float f16_to_f32(uint16_t h);
/* To nearest, ties to even; what is too large becomes infinite. */
uint16_t f32_to_f16(float f);

#endif
