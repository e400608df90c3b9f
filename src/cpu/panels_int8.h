/* Products in int8 with AVX2: the panels of panels_avx2.h with words of 32 bits in place of floats. A word holds neighbours along
 * k. With AVX-VNNI those are 4 bytes, multiplied by vpdpbusd; without it 2 numbers of 16 bits, multiplied by vpmaddwd, since
 * vpmaddubsw would saturate. Sums are whole numbers, so both give the same. Numbers and steps are those of pack_int8.h. */
#ifndef SORA_CPU_PANELS_INT8_H
#define SORA_CPU_PANELS_INT8_H

#include "cpu/panels_avx2.h"
#include "cpu/weigh_int8.h"

enum { INT8_UNIT = 32 }; /* k is padded to a multiple of this */

/* Rows of a against one panel: c = a b, or c += a b. */
typedef struct Int8Product {
    int64_t rows, words; /* words: of k */
    const int32_t *a;    /* [rows, words], lda words apart */
    int64_t lda;
    const int32_t *b; /* [words, PANEL_COLUMNS] */
    bool accumulate;
    int32_t *c; /* [rows, PANEL_COLUMNS], ldc apart */
    int64_t ldc;
} Int8Product;

typedef struct Int8Panels {
    int in_word; /* numbers in a word */
    /* Rows to out [rows, k_padded / in_word]. */
    void (*pack_rows)(int32_t *out, float *scales, const Int8Rows *r);
    /* A panel: out [k_padded / in_word, PANEL_COLUMNS]. b has k_stride 1; columns beyond n are zero. */
    void (*pack_columns)(int32_t *out, const Int8Columns *columns, const PackSource *b, int64_t k_padded);
    void (*multiply)(const Int8Product *p);
    /* As unpack_int8_row(); n is a multiple of 8. */
    void (*unpack_row)(float *out, const int32_t *c, float a_scale, const Int8Columns *columns, const float *bias, int64_t n);
    Int8Attention attention; /* weights are F32 */
} Int8Panels;

extern const Int8Panels int8_avx2, int8_avx_vnni;

#endif
