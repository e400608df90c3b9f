/* Small products of BF16 operands, with AVX512-BF16. */
#include <immintrin.h>
#include <string.h>

#include "cpu/lanes_bf16.h"
#include "cpu/pack.h"
#include "cpu/simd.h"

enum { ROWS = 6, VECTORS = 4 }; /* of c in registers: 24 of 32, leaving b's 4 and a's 1 */

static void pack_a(void *out, const float *x, int64_t ld, int64_t rows, int64_t k, int64_t k_padded)
{
    for (int64_t r = 0; r < rows; r++) {
        uint16_t *row = (uint16_t *)out + r * k_padded;
        pack_bf16(row, x + r * ld, k);
        memset(row + k, 0, (size_t)(k_padded - k) * sizeof *row);
    }
}

static void pack_a_transposed(void *out, const float *x, int64_t ld, int64_t k, int64_t n, int64_t k_padded)
{
    pack_transposed_bf16(out, &(PackSource){x, DTYPE_F32, k, n, ld, 1}, k_padded);
}

static void pack_b(void *out, const float *x, int64_t ld, int64_t k, int64_t n, bool transposed)
{
    PackSource b = {x, DTYPE_F32, k, n, transposed ? 1 : ld, transposed ? ld : 1};
    pack_pairs(out, &b, (int)((n + 15) / 16 * 16), 0);
}

/* 2^x for x <= 0, within 5e-6, which BF16 does not see: 2^n times a polynomial for |x - n| <= 1/2 (Taylor's, its last
 * coefficient raised for the end of the range). */
static inline __m512 exp2_of(__m512 x)
{
    x = _mm512_max_ps(x, _mm512_set1_ps(-120.0f)); /* smaller ones make denormal numbers, which are slow */
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = _mm512_sub_ps(x, n);
    __m512 p = _mm512_set1_ps(1.40e-3f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.61812911e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.55041087e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.40226507e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.93147181e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

static float pack_weights(void *out, const ScoreRow *row)
{
    const float log2_e = 1.44269504f;
    const __m512 factor = _mm512_set1_ps(row->factor * log2_e), max = _mm512_set1_ps(row->max * log2_e);
    __m512 total = _mm512_setzero_ps();
    uint16_t *weights = out;
    for (int64_t i = 0; i < row->padded; i += 16) {
        __mmask16 mask = row->n - i >= 16 ? 0xffff : row->n <= i ? 0 : (__mmask16)((1u << (row->n - i)) - 1);
        __m512 s = _mm512_maskz_loadu_ps(mask, row->scores + i);
        __m512 e = _mm512_maskz_mov_ps(mask, exp2_of(_mm512_fmsub_ps(s, factor, max)));
        total = _mm512_add_ps(total, e);
        __mmask16 room = row->padded - i >= 16 ? 0xffff : (__mmask16)((1u << (row->padded - i)) - 1);
        _mm256_mask_storeu_epi16(weights + i, room, (__m256i)_mm512_cvtneps_pbh(e));
    }
    return _mm512_reduce_add_ps(total);
}

static void weigh(float *scores, const ScoreRow *row, const float *dp, float sums[2])
{
    const float log2_e = 1.44269504f;
    const __m512 factor = _mm512_set1_ps(row->factor * log2_e), max = _mm512_set1_ps(row->max * log2_e);
    __m512 total = _mm512_setzero_ps(), product = _mm512_setzero_ps();
    for (int64_t i = 0; i < row->padded; i += 16) {
        __mmask16 mask = row->n - i >= 16 ? 0xffff : row->n <= i ? 0 : (__mmask16)((1u << (row->n - i)) - 1);
        __m512 s = _mm512_maskz_loadu_ps(mask, row->scores + i);
        __m512 e = _mm512_maskz_mov_ps(mask, exp2_of(_mm512_fmsub_ps(s, factor, max)));
        total = _mm512_add_ps(total, e);
        product = _mm512_fmadd_ps(e, _mm512_maskz_loadu_ps(mask, dp + i), product);
        _mm512_storeu_ps(scores + i, e);
    }
    sums[0] = _mm512_reduce_add_ps(total);
    sums[1] = _mm512_reduce_add_ps(product);
}

/* A row's weights and their gradients at columns i .. i+15. */
typedef struct Lanes {
    __m512 p, ds;
} Lanes;

static inline Lanes differentiate(const ScoreGrad *s, int64_t r, int64_t i)
{
    __m512 p = _mm512_mul_ps(_mm512_loadu_ps(s->e + r * s->columns + i), _mm512_set1_ps(s->inverse[r]));
    __m512 dp = _mm512_loadu_ps(s->dp + r * s->columns + i);
    Lanes l = {p, _mm512_mul_ps(p, _mm512_sub_ps(dp, _mm512_set1_ps(s->d[r])))};
    __mmask16 room = s->k - i >= 16 ? 0xffff : s->k <= i ? 0 : (__mmask16)((1u << (s->k - i)) - 1);
    _mm256_mask_storeu_epi16((uint16_t *)s->ds + r * s->k + i, room, (__m256i)_mm512_cvtneps_pbh(l.ds));
    if (s->keep)
        _mm512_storeu_ps(s->dp + r * s->columns + i, l.ds);
    return l;
}

static void score_grad(const ScoreGrad *s)
{
    for (int64_t r = 0; r < s->rows; r += 2)
        for (int64_t i = 0; i < s->columns; i += 16) {
            Lanes even = differentiate(s, r, i), odd = {_mm512_setzero_ps(), _mm512_setzero_ps()};
            if (r + 1 < s->rows)
                odd = differentiate(s, r + 1, i);
            int64_t at = r * s->columns + 2 * i;
            _mm512_storeu_si512((uint16_t *)s->p_n + at, join(even.p, odd.p));
            _mm512_storeu_si512((uint16_t *)s->ds_n + at, join(even.ds, odd.ds));
        }
}

static void transpose_f32(float *out, const float *x, int64_t ld, int64_t k, int64_t n)
{
    pack_transposed_f32(out, &(PackSource){x, DTYPE_F32, k, n, ld, 1}, k);
}

static inline __attribute__((always_inline)) void block(const MiniShape *s, const uint16_t *a,
                                                        const uint16_t *b, float *c, int rows, int vectors)
{
    __m512 sum[ROWS][VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[r][j] = s->accumulate ? _mm512_loadu_ps(c + r * s->ldc + 16 * j) : _mm512_setzero_ps();
    for (int64_t k = 0; k < s->k; k += 2, b += 2 * s->n) {
        __m512bh v[VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            v[j] = (__m512bh)_mm512_loadu_si512(b + 32 * j);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, a + r * s->lda + k, sizeof pair);
            __m512bh w = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sum[r][j] = _mm512_dpbf16_ps(sum[r][j], w, v[j]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            _mm512_storeu_ps(c + r * s->ldc + 16 * j, sum[r][j]);
}

#define PANEL(V)                                                                                             \
    static void panel##V(const MiniShape *s, const uint16_t *a, const uint16_t *b, float *c)                 \
    {                                                                                                        \
        int64_t r = 0;                                                                                       \
        for (; r + ROWS <= s->m; r += ROWS)                                                                  \
            block(s, a + r * s->lda, b, c + r * s->ldc, ROWS, V);                                            \
        a += r * s->lda;                                                                                     \
        c += r * s->ldc;                                                                                     \
        switch (s->m - r) {                                                                                  \
        case 5:                                                                                              \
            block(s, a, b, c, 5, V);                                                                         \
            break;                                                                                           \
        case 4:                                                                                              \
            block(s, a, b, c, 4, V);                                                                         \
            break;                                                                                           \
        case 3:                                                                                              \
            block(s, a, b, c, 3, V);                                                                         \
            break;                                                                                           \
        case 2:                                                                                              \
            block(s, a, b, c, 2, V);                                                                         \
            break;                                                                                           \
        case 1:                                                                                              \
            block(s, a, b, c, 1, V);                                                                         \
            break;                                                                                           \
        }                                                                                                    \
    }

PANEL(1)
PANEL(2)
PANEL(3)
PANEL(4)

/* Panels of up to four vectors of columns, of about the same width. */
static void multiply(const MiniShape *s, const void *a, const void *b, float *c)
{
    static void (*const PANELS[])(const MiniShape *, const uint16_t *, const uint16_t *,
                                  float *) = {NULL, panel1, panel2, panel3, panel4};
    int64_t left = s->n / 16, panels = (left + VECTORS - 1) / VECTORS;
    for (int64_t j = 0; panels > 0; panels--) {
        int64_t width = (left + panels - 1) / panels;
        PANELS[width](s, a, (const uint16_t *)b + 32 * j, c + 16 * j);
        j += width;
        left -= width;
    }
}

const MiniGemm mini_bf16 = {.size = 2,
                            .k_unit = 2,
                            .pack_a = pack_a,
                            .pack_a_transposed = pack_a_transposed,
                            .pack_b = pack_b,
                            .pack_weights = pack_weights,
                            .weigh = weigh,
                            .score_grad = score_grad,
                            .transpose = transpose_f32,
                            .multiply = multiply};
