/* Laying out operands of products in int8; AVX512-VNNI. A number x is s q, q whole: s is the largest |x| of its row (a) or
 * column (b), over 127. Rows of a are stored as q + 128, so that a product is s_a s_b (sum - 128 column_sum). */
#ifndef SORA_CPU_PACK_INT8_H
#define SORA_CPU_PACK_INT8_H

#include "cpu/pack.h"

typedef struct Int8Columns {
    float *scales; /* [n] */
    int32_t *sums; /* [n]: of q, times 128 */
} Int8Columns;

/* Rows of a [rows, k], ld floats apart, to out [rows, k_padded] and scales [rows]; k_padded a multiple of 64. */
typedef struct Int8Rows {
    const float *a;
    int64_t ld, rows, k, k_padded;
} Int8Rows;
void pack_int8_rows(uint8_t *out, float *scales, const Int8Rows *r);

/* A block of INT8_BLOCK columns: out [k_padded / 4][INT8_BLOCK][4]. b has k_stride 1 and n up to INT8_BLOCK; the columns
 * beyond are zero. offset [k] is taken from every column of F32 first; NULL: nothing. */
enum { INT8_BLOCK = 64 };
void pack_int8_columns(int8_t *out, const Int8Columns *columns, const PackSource *b, const float *offset, int64_t k_padded);

/* out[i] = a_scale scales[i] (c[i] - sums[i]) + bias[i]; bias may be NULL. */
void unpack_int8_row(float *out, const int32_t *c, float a_scale, const Int8Columns *columns, const float *bias, int64_t n);

#endif
