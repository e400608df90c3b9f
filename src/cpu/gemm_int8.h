/* Matrix products of 8-bit numbers: a step of its own for every row of a and every column of b, sums in 32 bits, the
 * rest in F32. In oneDNN's tiles with AVX512-VNNI, else in panels of our own (panels_int8.h), with the same numbers. */
#ifndef SORA_CPU_GEMM_INT8_H
#define SORA_CPU_GEMM_INT8_H

#include "cpu/gemm.h"

/* Whether the context wants it and the product is of the kind: a layer whose weights [n, k] serve at least ctx->int8_smallest rows, 256. Small
 * ones gain nothing, and the text encoder, whose activations have outliers, has fewer rows. */
bool int8_fits(const CpuContext *ctx, const Product *p);
bool gemm_int8(CpuContext *ctx, const Product *p, Op op, SoraError *err);
bool gemm_int8_panels(CpuContext *ctx, const Product *p, SoraError *err); /* where there is ctx->int8_panels */

#endif
