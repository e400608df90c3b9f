/* Matrix products in tiles: c = act(a b + bias). */
#ifndef SORA_CPU_GEMM_H
#define SORA_CPU_GEMM_H

#include "cpu/kernel.h"
#include "cpu/pack.h"

typedef struct Product {
    int64_t m;
    const float *a; /* [m, k], or [k, m] if a_transposed */
    bool a_transposed;
    PackSource b;      /* [k, n] in either order */
    const float *bias; /* [n] or NULL */
    Unary act;
    bool accumulate; /* adds to c */
    float *c;        /* [m, n] */
} Product;

/* In BF16 with F32 sums if the context says so. op: for messages. */
bool gemm(CpuContext *ctx, const Product *p, Op op, SoraError *err);

#endif
