/* Products in F32 with AVX2 and FMA: blocks of PANEL_ROWS rows and PANEL_COLUMNS columns are summed in registers, in the order
 * of k, so that a sum does not depend on the block in which it is made. */
#ifndef SORA_CPU_PANELS_AVX2_H
#define SORA_CPU_PANELS_AVX2_H

#include "cpu/pack.h"
#include "cpu/simd.h"

enum { PANEL_COLUMNS = 16, PANEL_ROWS = 6 };

/* Rows of a against one panel: c = start + a b. */
typedef struct PanelProduct {
    int64_t rows, k;
    const float *a; /* [rows, k], lda floats apart; [k, rows] if a_transposed */
    int64_t lda;
    bool a_transposed;
    const float *b; /* [k, PANEL_COLUMNS], ldb floats apart */
    int64_t ldb;
    const float *start; /* rows of PANEL_COLUMNS, ld_start floats apart: 0 is the same row for all; may be c */
    int64_t ld_start;
    float *c; /* [rows, PANEL_COLUMNS], ldc floats apart */
    int64_t ldc;
} PanelProduct;

void panel_multiply(const PanelProduct *p);

/* b as panels of F32, one after the other, each of k_padded rows, of which b's k are written; zeros beyond n. */
void panels_pack(float *out, const PackSource *b, int64_t k_padded);

/* MiniGemm's, see simd.h. Its panels of MINI_PANEL columns are four of these. */
void panels_multiply(const MiniShape *s, const void *a, const void *b, float *c);
void panels_pack_mini(void *out, const float *x, int64_t ld, int64_t k, int64_t n, bool transposed);
void panels_guess_max(const WeighShape *s, const void *queries, const void *keys, float *max);
void panels_weigh(const WeighShape *s, const void *queries, const void *keys, void *weights);

#endif
