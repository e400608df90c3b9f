/* Small products of BF16 operands, with AVX512-BF16. */
#include <immintrin.h>
#include <string.h>

#include "cpu/kernel.h"
#include "cpu/lanes_bf16.h"
#include "cpu/pack.h"
#include "cpu/simd.h"

enum { ROWS = 6, VECTORS = MINI_PANEL / 16 }; /* of c in registers: 24 of 32, leaving b's 4 and a's 1 */

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

static void pack_panels(void *out, const float *x, int64_t ld, int64_t k, int64_t n, bool transposed)
{
    PackSource b = {x, DTYPE_F32, k, n, transposed ? 1 : ld, transposed ? ld : 1};
    pack_pairs(out, &b, MINI_PANEL, round_up(k, MINI_PAD));
}

static float pack_weights(void *out, const ScoreRow *row)
{
    const __m512 factor = _mm512_set1_ps(row->factor * LOG2_E), max = _mm512_set1_ps(row->max * LOG2_E);
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
    const __m512 factor = _mm512_set1_ps(row->factor * LOG2_E), max = _mm512_set1_ps(row->max * LOG2_E);
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

/* sum[rows][vectors] += a b, where width columns of b lie together. */
static inline __attribute__((always_inline)) void add_products(__m512 sum[ROWS][VECTORS], const MiniShape *s,
                                                               const uint16_t *a, const uint16_t *b, int64_t width,
                                                               int rows, int vectors)
{
    for (int64_t k = 0; k < s->k; k += 2, b += 2 * width) {
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
    add_products(sum, s, a, b, s->panels ? MINI_PANEL : s->n, rows, vectors);
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
    for (int64_t j = 0; s->panels && 16 * j < s->n; j += VECTORS)
        PANELS[left - j < VECTORS ? left - j : VECTORS](
            s, a, (const uint16_t *)b + 16 * j * round_up(s->k, MINI_PAD), c + 16 * j);
    for (int64_t j = 0; !s->panels && panels > 0; panels--) {
        int64_t width = (left + panels - 1) / panels;
        PANELS[width](s, a, (const uint16_t *)b + 32 * j, c + 16 * j);
        j += width;
        left -= width;
    }
}

/* Scores become weights in the registers where they were summed. keys: of this panel; tail: whether they may be fewer
 * than its columns. */
static inline __attribute__((always_inline)) void weigh_block(const WeighShape *s, const uint16_t *a,
                                                              const uint16_t *b, uint16_t *out, const float *max,
                                                              float *totals, int rows, int64_t keys, bool tail)
{
    MiniShape shape = {.k = s->k, .lda = s->k};
    __m512 sum[ROWS][VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            sum[r][j] = _mm512_setzero_ps();
    add_products(sum, &shape, a, b, MINI_PANEL, rows, VECTORS);
    const __m512 factor = _mm512_set1_ps(s->factor * LOG2_E);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        const __m512 base = _mm512_set1_ps(max[r] * LOG2_E);
        __m512 *e = sum[r];
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            e[j] = _mm512_fmsub_ps(e[j], factor, base);
        store_weights(e, out + r * s->ldw, totals + 16 * r, keys, tail);
    }
}

#define WEIGH(R, TAIL)                                                                                       \
    static void weigh##R##TAIL(const WeighShape *s, const uint16_t *a, const uint16_t *b, uint16_t *out,     \
                               const float *max, float *totals, int64_t keys)                                \
    {                                                                                                        \
        weigh_block(s, a, b, out, max, totals, R, keys, TAIL);                                               \
    }

WEIGH(6, 0)
WEIGH(6, 1)
WEIGH(5, 1)
WEIGH(4, 1)
WEIGH(3, 1)
WEIGH(2, 1)
WEIGH(1, 1)

static void guess_max(const WeighShape *s, const void *queries, const void *keys, float *max)
{
    float scores[ROWS * 16];
    MiniShape shape = {.n = 16, .k = s->k, .lda = s->k, .ldc = 16, .panels = true};
    __mmask16 mask = first16(s->keys);
    for (int64_t r = 0; r < s->m; r += shape.m) {
        shape.m = s->m - r < ROWS ? s->m - r : ROWS;
        panel1(&shape, (const uint16_t *)queries + r * s->k, keys, scores);
        for (int64_t i = 0; i < shape.m; i++)
            max[r + i] = s->factor * _mm512_mask_reduce_max_ps(mask, _mm512_loadu_ps(scores + 16 * i));
    }
}

static void weigh_panels(const WeighShape *s, const void *queries, const void *keys, void *weights)
{
    static void (*const LAST[])(const WeighShape *, const uint16_t *, const uint16_t *, uint16_t *, const float *,
                                float *, int64_t) = {NULL, weigh11, weigh21, weigh31, weigh41, weigh51, weigh61};
    int64_t k = round_up(s->k, MINI_PAD);
    memset(s->totals, 0, (size_t)(16 * s->m) * sizeof *s->totals);
    for (int64_t j = 0; j < s->keys; j += MINI_PANEL)
        for (int64_t r = 0; r < s->m; r += ROWS) {
            const uint16_t *a = (const uint16_t *)queries + r * s->k, *b = (const uint16_t *)keys + j * k;
            uint16_t *out = (uint16_t *)weights + r * s->ldw + j;
            int64_t left = s->keys - j, rows = s->m - r < ROWS ? s->m - r : ROWS;
            (left >= MINI_PANEL && rows == ROWS ? weigh60 : LAST[rows])(s, a, b, out, s->max + r,
                                                                        s->totals + 16 * r, left);
        }
    for (int64_t r = 0; r < s->m; r++)
        s->totals[r] = _mm512_reduce_add_ps(_mm512_loadu_ps(s->totals + 16 * r));
}

const MiniGemm mini_bf16 = {.size = 2,
                            .k_unit = 2,
                            .keys = 512,
                            .pack_a = pack_a,
                            .pack_a_transposed = pack_a_transposed,
                            .pack_b = pack_b,
                            .pack_weights = pack_weights,
                            .weigh = weigh,
                            .score_grad = score_grad,
                            .transpose = transpose_f32,
                            .multiply = multiply,
                            .pack_panels = pack_panels,
                            .guess_max = guess_max,
                            .weigh_panels = weigh_panels};
