#include "cpu/panels_avx2.h"

#include <string.h>

#include "cpu/kernel.h"
#include "cpu/lanes_avx2.h"

enum { ROWS = PANEL_ROWS, COLUMNS = PANEL_COLUMNS };

static const float NOTHING[COLUMNS];

/* --- laying out --- */

/* Rows i .. i + rows - 1, up to 8, of columns j .. j + columns - 1, up to 8, which lie along k. */
static inline __attribute__((always_inline)) void pack_corner(float *out, const PackSource *b, int64_t i, int64_t rows,
                                                              int64_t j, int64_t columns, DType dtype)
{
    __m256 r[8];
#pragma GCC unroll 8
    for (int c = 0; c < 8; c++)
        r[c] = c >= columns  ? _mm256_setzero_ps()
               : rows >= 8 ? load8(dtype, at(b, i, j + c))
                           : load_part(dtype, at(b, i, j + c), rows);
    transpose(r);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++)
        if (k < rows)
            _mm256_storeu_ps(out + k * COLUMNS, r[k]);
}

/* A panel of columns that lie along k. */
static inline __attribute__((always_inline)) void pack_along_k(float *out, const PackSource *b, int64_t j, DType dtype)
{
    int64_t left = b->n - j, i = 0;
    for (; i + 8 <= b->k && left >= COLUMNS; i += 8) {
        pack_corner(out + i * COLUMNS, b, i, 8, j, 8, dtype);
        pack_corner(out + i * COLUMNS + 8, b, i, 8, j + 8, 8, dtype);
    }
    for (; i < b->k; i += 8) {
        pack_corner(out + i * COLUMNS, b, i, b->k - i, j, left, dtype);
        pack_corner(out + i * COLUMNS + 8, b, i, b->k - i, j + 8, left - 8, dtype);
    }
}

/* A panel of rows that lie along n. */
static inline __attribute__((always_inline)) void pack_along_n(float *out, const PackSource *b, int64_t j, DType dtype)
{
    int64_t left = b->n - j, step = dtype == DTYPE_F32 ? 4 : 2;
    for (int64_t i = 0; i < b->k; i++, out += COLUMNS) {
        const char *p = at(b, i, j);
        for (int64_t h = 0; h < COLUMNS; h += 8)
            _mm256_storeu_ps(out + h, left >= h + 8 ? load8(dtype, p + h * step)
                                      : left > h    ? load_part(dtype, p + h * step, left - h)
                                                    : _mm256_setzero_ps());
    }
}

static inline __attribute__((always_inline)) void pack_type(float *out, const PackSource *b, int64_t k_padded, DType dtype)
{
    for (int64_t j = 0; j < b->n; j += COLUMNS, out += k_padded * COLUMNS)
        if (b->k_stride == 1)
            pack_along_k(out, b, j, dtype);
        else
            pack_along_n(out, b, j, dtype);
}

void panels_pack(float *out, const PackSource *b, int64_t k_padded)
{
    if (b->dtype == DTYPE_F32)
        pack_type(out, b, k_padded, DTYPE_F32);
    else if (b->dtype == DTYPE_F16)
        pack_type(out, b, k_padded, DTYPE_F16);
    else
        pack_type(out, b, k_padded, DTYPE_BF16);
}

void panels_pack_mini(void *out, const float *x, int64_t ld, int64_t k, int64_t n, bool transposed)
{
    PackSource b = {x, DTYPE_F32, k, n, transposed ? 1 : ld, transposed ? ld : 1};
    panels_pack(out, &b, round_up(k, MINI_PAD));
}

/* --- products --- */

typedef struct Sums {
    __m256 low, high;
} Sums;

/* sum[rows] += a b */
static inline __attribute__((always_inline)) void add_products(Sums sum[ROWS], const PanelProduct *p, const float *a, int rows,
                                                               bool a_transposed)
{
    const float *b = p->b;
    const int64_t lda = p->lda, ldb = p->ldb, along = a_transposed ? lda : 1, across = a_transposed ? 1 : lda;
#pragma GCC unroll 4
    for (int64_t k = p->k; k > 0; k--, a += along, b += ldb) {
        __m256 low = _mm256_loadu_ps(b), high = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256 x = _mm256_broadcast_ss(a + r * across);
            sum[r].low = _mm256_fmadd_ps(x, low, sum[r].low);
            sum[r].high = _mm256_fmadd_ps(x, high, sum[r].high);
        }
    }
}

static inline __attribute__((always_inline)) void block(const PanelProduct *p, const float *a, const float *start, float *c,
                                                        int rows, bool a_transposed)
{
    Sums sum[ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        sum[r].low = _mm256_loadu_ps(start + r * p->ld_start);
        sum[r].high = _mm256_loadu_ps(start + r * p->ld_start + 8);
    }
    add_products(sum, p, a, rows, a_transposed);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        _mm256_storeu_ps(c + r * p->ldc, sum[r].low);
        _mm256_storeu_ps(c + r * p->ldc + 8, sum[r].high);
    }
}

static inline __attribute__((always_inline)) void multiply(const PanelProduct *p, bool a_transposed)
{
    const float *a = p->a, *start = p->start;
    float *c = p->c;
    int64_t r = 0;
    for (; r + ROWS <= p->rows; r += ROWS) {
        block(p, a, start, c, ROWS, a_transposed);
        a += ROWS * (a_transposed ? 1 : p->lda);
        start += ROWS * p->ld_start;
        c += ROWS * p->ldc;
    }
    switch (p->rows - r) {
    case 5:
        block(p, a, start, c, 5, a_transposed);
        break;
    case 4:
        block(p, a, start, c, 4, a_transposed);
        break;
    case 3:
        block(p, a, start, c, 3, a_transposed);
        break;
    case 2:
        block(p, a, start, c, 2, a_transposed);
        break;
    case 1:
        block(p, a, start, c, 1, a_transposed);
        break;
    }
}

static void multiply_rows(const PanelProduct *p)
{
    multiply(p, false);
}

static void multiply_columns(const PanelProduct *p)
{
    multiply(p, true);
}

void panel_multiply(const PanelProduct *p)
{
    (p->a_transposed ? multiply_columns : multiply_rows)(p);
}

/* --- attention --- */

void panels_multiply(const MiniShape *s, const void *a, const void *b, float *c)
{
    int64_t next = s->panels ? round_up(s->k, MINI_PAD) * COLUMNS : COLUMNS;
    PanelProduct p = {.rows = s->m, .k = s->k, .a = a, .lda = s->lda, .ldb = s->panels ? COLUMNS : s->n, .ldc = s->ldc};
    for (int64_t j = 0; j < s->n; j += COLUMNS) {
        p.b = (const float *)b + j / COLUMNS * next;
        p.c = c + j;
        p.start = s->accumulate ? p.c : NOTHING;
        p.ld_start = s->accumulate ? s->ldc : 0;
        multiply_rows(&p);
    }
}

static float max_of_first(const float *x, int64_t n)
{
    float max = x[0];
    for (int64_t i = 1; i < n && i < COLUMNS; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

void panels_guess_max(const WeighShape *s, const void *queries, const void *keys, float *max)
{
    float scores[ROWS * COLUMNS];
    PanelProduct p = {.k = s->k, .lda = s->k, .b = keys, .ldb = COLUMNS, .start = NOTHING, .c = scores, .ldc = COLUMNS};
    for (int64_t r = 0; r < s->m; r += ROWS) {
        p.rows = s->m - r < ROWS ? s->m - r : ROWS;
        p.a = (const float *)queries + r * s->k;
        multiply_rows(&p);
        for (int64_t i = 0; i < p.rows; i++)
            max[r + i] = s->factor * max_of_first(scores + i * COLUMNS, s->keys);
    }
}

/* Scores of up to ROWS queries become weights in the registers where they were summed. keys: of this panel; tail: whether
 * they may be fewer than its columns. */
static inline __attribute__((always_inline)) void weigh(const WeighShape *s, const PanelProduct *p, int64_t first, int rows,
                                                        int64_t keys, bool tail)
{
    const float log2_e = 1.44269504f;
    Sums x[ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        x[r] = (Sums){_mm256_setzero_ps(), _mm256_setzero_ps()};
    add_products(x, p, p->a, rows, false);
    const __m256 factor = _mm256_set1_ps(s->factor * log2_e);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        const __m256 base = _mm256_set1_ps(s->max[first + r] * log2_e);
        float *total = s->totals + 16 * (first + r);
        x[r].low = exp2_of(_mm256_fmsub_ps(x[r].low, factor, base));
        x[r].high = exp2_of(_mm256_fmsub_ps(x[r].high, factor, base));
        if (tail) {
            x[r].low = _mm256_and_ps(x[r].low, first8(keys));
            x[r].high = _mm256_and_ps(x[r].high, first8(keys - 8));
        }
        _mm256_storeu_ps(total, _mm256_add_ps(_mm256_loadu_ps(total), _mm256_add_ps(x[r].low, x[r].high)));
        _mm256_storeu_ps(p->c + r * p->ldc, x[r].low);
        _mm256_storeu_ps(p->c + r * p->ldc + 8, x[r].high);
    }
}

static void weigh_part(const WeighShape *s, const PanelProduct *p, int64_t first, int64_t keys)
{
    switch (p->rows) {
    case 6:
        weigh(s, p, first, 6, keys, true);
        break;
    case 5:
        weigh(s, p, first, 5, keys, true);
        break;
    case 4:
        weigh(s, p, first, 4, keys, true);
        break;
    case 3:
        weigh(s, p, first, 3, keys, true);
        break;
    case 2:
        weigh(s, p, first, 2, keys, true);
        break;
    case 1:
        weigh(s, p, first, 1, keys, true);
        break;
    }
}

static void weigh_whole(const WeighShape *s, const PanelProduct *p, int64_t first)
{
    weigh(s, p, first, ROWS, COLUMNS, false);
}

/* Asks for the part of a panel of k rows that belongs to a block from row r of m on, so that the panel is near when all
 * blocks are done. */
static inline void prefetch_part(const float *panel, int64_t k, int64_t r, int64_t m)
{
    for (int64_t i = r * k / m; i < (r + ROWS) * k / m; i++)
        __builtin_prefetch(panel + i * COLUMNS);
}

void panels_weigh(const WeighShape *s, const void *queries, const void *keys, void *weights)
{
    PanelProduct p = {.k = s->k, .lda = s->k, .ldb = COLUMNS, .ldc = s->ldw};
    memset(s->totals, 0, (size_t)(16 * s->m) * sizeof *s->totals);
    for (int64_t j = 0; j < s->keys; j += COLUMNS) {
        p.b = (const float *)keys + j * round_up(s->k, MINI_PAD);
        for (int64_t r = 0; r < s->m; r += ROWS) {
            p.rows = s->m - r < ROWS ? s->m - r : ROWS;
            p.a = (const float *)queries + r * s->k;
            p.c = (float *)weights + r * s->ldw + j;
            prefetch_part(p.b + round_up(s->k, MINI_PAD) * COLUMNS, s->k, r, s->m);
            if (p.rows == ROWS && s->keys - j >= COLUMNS)
                weigh_whole(s, &p, r);
            else
                weigh_part(s, &p, r, s->keys - j);
        }
    }
    for (int64_t r = 0; r < s->m; r++) {
        const float *lanes = s->totals + 16 * r;
        float total = 0;
        for (int i = 0; i < 8; i++)
            total += lanes[i];
        s->totals[r] = total; /* lanes of later rows lie behind it */
    }
}
