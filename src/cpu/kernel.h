/* What kernels share. A kernel computes one node; shapes were checked when the node was made. */
#ifndef SORA_CPU_KERNEL_H
#define SORA_CPU_KERNEL_H

#include "base/error.h"
#include "base/pool.h"
#include "tensor/node.h"

/* Each level falls back to the one below for what it does not have. */
typedef enum CpuLevel { CPU_REFERENCE, CPU_AVX2, CPU_AVX512, CPU_LEVEL_COUNT } CpuLevel;

typedef struct CpuContext {
    Pool *pool;
    int threads; /* of the pool */
    CpuLevel level;
    bool bf16;               /* products in bf16, sums in f32 */
    bool int8;               /* linear layers over many rows in 8 bits, see gemm_int8.h; and weigh_int8.h */
    int int8_smallest;       /* how many rows, inputs and outputs that means */
    const struct Int8Panels *int8_panels; /* what they are made with without AVX512-VNNI, else NULL */
    bool keep_weights;       /* of convolutions, packed: see graph_keep_weights() */
    const struct Simd *simd; /* from AVX2 on */
    struct OneDnn *onednn;   /* from AVX2 on */
    void *scratch;           /* see cpu_scratch */
    size_t scratch_bytes;
    bool (*room)(void *user, size_t bytes, SoraError *err); /* see CpuOptions */
    void *user;
} CpuContext;

typedef bool (*Kernel)(CpuContext *ctx, const Node *node, SoraError *err);

/* The reference: slow and obvious, kept as the twin of every fast kernel. */
#define X(name, kernel) bool ref_##kernel(CpuContext *ctx, const Node *node, SoraError *err);
SORA_OPS(X)
#undef X

/* The fast kernels, from AVX2 on: vector functions and oneDNN on all threads. One of them serves two ops, and where the
 * reference is no cost it is the fast one. */
#define fast_norm_modulate fast_modulate
#define fast_cross_entropy ref_cross_entropy
#define fast_cross_entropy_grad ref_cross_entropy_grad
#define X(name, kernel) bool fast_##kernel(CpuContext *ctx, const Node *node, SoraError *err);
SORA_OPS(X)
#undef X

/* The function itself, in double: linear and conv end with it too. */
double ref_unary_value(Unary kind, double x);

/* 64-byte aligned memory that is the kernel's until it returns; one block per kernel call. NULL and *err
 * filled when there is none. */
void *cpu_scratch(CpuContext *ctx, size_t bytes, SoraError *err);

/* Checks that every element of an I32 tensor is in 0 .. rows-1. */
bool cpu_check_index(const Node *node, const Tensor *index, int64_t rows, SoraError *err);

/* Checks attention's inputs that are data: cu_q and cu_k (in[first], in[first + 1]) rise within the rows, and
 * no sample is longer than the bias (in[first + 2]). */
bool cpu_check_samples(const Node *node, int first, int64_t rows_q, int64_t rows_k, SoraError *err);

/* The pool for work on that many elements; NULL where waking others costs more than it brings. */
static inline Pool *cpu_pool(const CpuContext *ctx, int64_t elements)
{
    return elements > 1 << 15 ? ctx->pool : NULL;
}

/* To whole lines of the cache. */
static inline size_t pad64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static inline int64_t round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static inline int64_t last_dim(const Tensor *t)
{
    return t->shape[t->ndim - 1];
}

/* Rows when all but the last dimension are folded. */
static inline int64_t leading_rows(const Tensor *t)
{
    int64_t n = 1;
    for (int d = 0; d < t->ndim - 1; d++)
        n *= t->shape[d];
    return n;
}

/* Element i of a F32, BF16 or F16 tensor. */
static inline float element(const Tensor *t, int64_t i)
{
    if (t->dtype == DTYPE_F32)
        return ((const float *)t->data)[i];
    uint16_t h = ((const uint16_t *)t->data)[i];
    return t->dtype == DTYPE_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

#endif
