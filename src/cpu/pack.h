/* Laying out the operands of matrix tiles, at AVX-512 level; what is BF16 needs AVX512-BF16 too. All rounding
 * is to nearest even. Beyond the operand's rows and columns the packed form holds zeros. */
#ifndef SORA_CPU_PACK_H
#define SORA_CPU_PACK_H

#include "tensor/tensor.h"

/* n floats to BF16. */
void pack_bf16(uint16_t *out, const float *x, int64_t n);

/* A matrix [k, n] in memory: element (i, j) at data[i * k_stride + j * n_stride], of which one is 1. */
typedef struct PackSource {
    const void *data; /* of element (0, 0) */
    DType dtype;      /* F32, BF16, F16 */
    int64_t k, n, k_stride, n_stride;
} PackSource;

/* Blocks of columns (a multiple of 16), one after the other, each of k_padded rows, of which b's k are
 * written, padded to whole groups: pairs: BF16 [n / block][k_padded / 2][block][2], groups of 32 rows; rows:
 * F32 [n / block][k_padded][block], groups of 16. */
void pack_pairs(uint16_t *out, const PackSource *b, int block, int64_t k_padded);
void pack_rows(float *out, const PackSource *b, int block, int64_t k_padded);

/* out[n][k_padded] = the transpose of b, F32 with n_stride 1; k_padded a multiple of 32, or of 16 for F32. */
void pack_transposed_bf16(uint16_t *out, const PackSource *b, int64_t k_padded);
void pack_transposed_f32(float *out, const PackSource *b, int64_t k_padded);
/* The same into rows of ld, of which k_padded are written. */
void pack_strip_bf16(uint16_t *out, const PackSource *b, int64_t k_padded, int64_t ld);

#endif
