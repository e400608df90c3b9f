/* What attention and its gradient share. */
#ifndef SORA_CPU_ATTENTION_H
#define SORA_CPU_ATTENTION_H

#include "cpu/kernel.h"
#include "cpu/simd.h"

enum {
    QUERY_BLOCK = 64, /* queries whose scores are in cache at one time */
    CHUNK = 4,        /* heads that a thread takes at a time: neighbours are asked for ahead */
};

static inline size_t pad_bytes(int64_t elements, size_t size)
{
    return pad64((size_t)elements * size);
}

/* The samples and heads of a node; in[first] is cu_q. */
typedef struct Heads {
    const Simd *simd;
    const MiniGemm *mini;
    const int32_t *cu_q, *cu_k;
    int64_t samples, heads, d, n; /* n = heads * d: floats from row to row */
    int64_t d_k, d_pad, d_n;      /* d as k of a product, as k of its packed form, as n */
    const Tensor *bias;           /* or NULL */
    float scale;
} Heads;

static inline Heads find_heads(const CpuContext *ctx, const Node *node, int first)
{
    Heads h = {.simd = ctx->simd,
               .mini = ctx->bf16 ? &mini_bf16 : &ctx->simd->f32,
               .cu_q = node->in[first]->data,
               .cu_k = node->in[first + 1]->data,
               .samples = tensor_numel(node->in[first]) - 1,
               .heads = node->i[0],
               .n = last_dim(node->in[0]),
               .bias = node->in[first + 2],
               .scale = (float)node->f[0]};
    h.d = h.n / h.heads;
    h.d_k = round_up(h.d, h.mini->k_unit);
    h.d_pad = round_up(h.d, MINI_PAD);
    h.d_n = round_up(h.d, 16);
    return h;
}

static inline const float *bias_row(const Heads *h, int64_t head, int64_t i)
{
    if (h->bias == NULL)
        return NULL;
    return (const float *)h->bias->data + (head * h->bias->shape[1] + i) * h->bias->shape[2];
}

/* Asks for rows of one head ahead of their use. The rows of a head are far apart, so that the processor does
 * not see them coming. */
static inline void prefetch_rows(const float *x, int64_t ld, int64_t rows, int64_t d)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < d; i += 16)
            __builtin_prefetch(x + r * ld + i);
}

/* Zeros in the rows of t that belong to no sample. */
void attention_clear_rest(const Tensor *t, const int32_t *cu, int64_t samples);

#endif
