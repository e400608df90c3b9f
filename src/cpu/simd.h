/* Vector functions over rows, one set per level: the same source (simd_impl.h) compiled with that level's
 * flags. No alignment is asked for. Unless said, out may be an input. */
#ifndef SORA_CPU_SIMD_H
#define SORA_CPU_SIMD_H

#include "tensor/node.h"

/* A normalised row is (x - shift) * factor. */
typedef struct RowScale {
    float shift, factor;
} RowScale;

typedef struct MiniShape {
    int64_t m, n, k;  /* n and k padded */
    int64_t lda, ldc; /* elements from row to row */
    bool accumulate;
    bool panels; /* b is as pack_panels() lays it */
} MiniShape;

/* A row of n scores s that becomes weights exp(s factor - max) <= 1, followed by zeros up to padded. */
typedef struct ScoreRow {
    const float *scores;
    float factor, max;
    int64_t n, padded;
} ScoreRow;

/* One row of a norm y = (x - shift) factor (w + one) + b backwards. w NULL: it is 1. Sums are added to. */
typedef struct NormGradRow {
    const float *dy, *x, *w;
    float one;
    float *dx, *dw, *db; /* each may be NULL; dx is no input */
} NormGradRow;

/* Attention backwards, for a block of queries: e = exp(s - max) of their scores and dp = d of the weights, both
 * [rows, columns] with e zero beyond the keys. Weights p = e inverse and ds = p (dp - d), inverse and d by row. */
typedef struct ScoreGrad {
    const float *e, *inverse, *d;
    float *dp;               /* becomes ds if keep */
    int64_t rows, columns, k; /* columns: padded as n of a product; k: keys padded as k */
    bool keep;
    void *p_n, *ds_n; /* as right operands [rows padded, columns] */
    void *ds;         /* as left operand [rows, k] */
} ScoreGrad;

/* m queries of k elements against keys: max[m] is what exponents are taken against, totals[16 m] is room, of which the
 * first m become the weights' sums. */
typedef struct WeighShape {
    int64_t m, keys, k; /* k padded */
    int64_t ldw;        /* weights from row to row, a multiple of MINI_PANEL */
    float factor;
    const float *max;
    float *totals;
} WeighShape;

/* Small matrix products in cache: c[m, n] (+)= a b, where a and b are packed and c is F32. n is padded to a
 * multiple of 16 and k to one of k_unit, with zeros. */
typedef struct MiniGemm {
    int size; /* bytes of a packed element */
    int k_unit;
    int keys; /* that attention takes at a time, at most: up to 512, a multiple of MINI_PANEL */
    /* Rows of x [rows, k], ld floats apart, to rows of k_padded. */
    void (*pack_a)(void *out, const float *x, int64_t ld, int64_t rows, int64_t k, int64_t k_padded);
    /* The same of the transpose of x [k, n]: rows of k_padded, here a multiple of MINI_PAD. */
    void (*pack_a_transposed)(void *out, const float *x, int64_t ld, int64_t k, int64_t n, int64_t k_padded);
    /* b [k, n]: element (i, j) at x[i * ld + j], or x[j * ld + i] if transposed. Writes k, padded to
     * MINI_PAD, times n elements. */
    void (*pack_b)(void *out, const float *x, int64_t ld, int64_t k, int64_t n, bool transposed);
    /* The same of weights, one row; returns their sum before they are rounded. */
    float (*pack_weights)(void *out, const ScoreRow *row);
    /* Scores become exp(score factor - max), zeros beyond n: sums[0] is their sum, sums[1] that of their products with dp. */
    void (*weigh)(float *scores, const ScoreRow *row, const float *dp, float sums[2]);
    void (*score_grad)(const ScoreGrad *s);
    /* out[n][k] = the transpose of x [k, n], ld floats apart; k is a multiple of 16. */
    void (*transpose)(float *out, const float *x, int64_t ld, int64_t k, int64_t n);
    void (*multiply)(const MiniShape *s, const void *a, const void *b, float *c);
    /* For attention over many keys; NULL where a level has no such thing. pack_panels: pack_b with b in panels of
     * MINI_PANEL columns, each one run of memory, in the order that multiply() reads; up to n padded to that is written.
     * guess_max: the largest score, times factor, of each query against the first few keys, to max[m]. weigh_panels:
     * weights exp(score factor - max) of packed queries against panels of keys, without storing the scores; zeros as far
     * as multiply() reads. A row's total is huge or not finite if its max was far too low. */
    void (*pack_panels)(void *out, const float *x, int64_t ld, int64_t k, int64_t n, bool transposed);
    void (*guess_max)(const WeighShape *s, const void *queries, const void *keys, float *max);
    void (*weigh_panels)(const WeighShape *s, const void *queries, const void *keys, void *weights);
} MiniGemm;

enum { MINI_PAD = 32, MINI_PANEL = 64 };

/* Places of a row side by side, n channels each: y[p] = act(b + sum over k of w[k] x[k][p step]). */
typedef struct DepthwiseRow {
    float *y;
    const float *b; /* or NULL */
    const float *w[DEPTHWISE_TAPS], *x[DEPTHWISE_TAPS];
    int count; /* of taps */
    int64_t n, places, step;
    Unary act;
} DepthwiseRow;

typedef struct Simd {
    void (*add)(float *out, const float *a, const float *b, int64_t n);
    void (*sub)(float *out, const float *a, const float *b, int64_t n);
    void (*mul)(float *out, const float *a, const float *b, int64_t n);
    void (*scale)(float *out, const float *x, float factor, float offset, int64_t n);
    void (*unary)(Unary kind, float *out, const float *x, int64_t n);
    void (*unary_grad)(Unary kind, float *out, const float *dy, const float *x, int64_t n);
    double (*sum)(const float *x, int64_t n);
    void (*widen)(float *out, const void *x, DType dtype, int64_t n); /* BF16, F16 */
    void (*narrow)(uint16_t *out, const float *x, int64_t n);          /* to BF16; out is no input */
    void (*softmax)(float *out, const float *x, int64_t n);
    void (*softmax_grad)(float *out, const float *dy, const float *y, int64_t n);
    RowScale (*measure)(Norm kind, float eps, const float *x, int64_t n);
    /* (x - shift) factor (w + one) + b; w and b may be NULL (then w + one is 1). */
    void (*normalise)(float *out, const float *x, RowScale s, const float *w, float one, const float *b,
                      int64_t n);
    /* Rows of n: silu of the row, normalised as by measure(NORM_L2, 1e-12) and normalise(), times w. */
    void (*norm_silu)(float *out, const float *x, const float *w, int64_t rows, int64_t n);
    void (*norm_grad)(Norm kind, float eps, const NormGradRow *row, int64_t n);
    void (*gate)(float *out, const float *x, const float *y, const float *gate, int64_t n); /* x + y gate */
    void (*mul_add)(float *sum, const float *a, const float *b, int64_t n);                 /* sum += a b */
    void (*depthwise)(const DepthwiseRow *row);
    /* Each pair of n turned by (cos, sin) of the table, which repeats every d. sign -1 turns back. */
    void (*rope)(float *out, const float *x, const float *table, int64_t d, int64_t n, float sign);
    float (*max)(const float *x, int64_t n);
    /* For attention, over a row of n scores: s = s scale + bias (or NULL), returns the largest. */
    float (*bias_max)(float *s, float scale, const float *bias, int64_t n);
    float (*dot)(const float *a, const float *b, int64_t n);
    MiniGemm f32;
} Simd;

extern const Simd simd_avx2, simd_avx512;
extern const MiniGemm mini_bf16; /* AVX512-BF16 */

#endif
