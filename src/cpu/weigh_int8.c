#include "cpu/weigh_int8.h"

#include <string.h>

#include "cpu/lanes_bf16.h"
#include "cpu/pack_int8.h"

enum {
    ROWS = 6, /* of sums in registers, as in mini_bf16.c */
    VECTORS = MINI_PANEL / 16,
    UNIT = 64
};

/* Sums are declared as what they are: gcc 12 copies __m512i, which are words of 64 bits to it, to memory and back. */
typedef int32_t Words __attribute__((vector_size(64)));

/* Elements [k / 4][MINI_PANEL][4], steps and sums. */
static int64_t key_bytes(int64_t k)
{
    return k + (int64_t)(sizeof(float) + sizeof(int32_t));
}

/* The parts of a panel. */
static const float *steps_of(const char *panel, int64_t k)
{
    return (const float *)(panel + MINI_PANEL * k);
}

static const int32_t *sums_of(const char *panel, int64_t k)
{
    return (const int32_t *)(steps_of(panel, k) + MINI_PANEL);
}

static void pack_keys(void *panels, const Int8Keys *keys)
{
    char *panel = panels;
    for (int64_t first = 0; first < keys->keys; first += MINI_PANEL, panel += MINI_PANEL * key_bytes(keys->k)) {
        int64_t n = keys->keys - first < MINI_PANEL ? keys->keys - first : MINI_PANEL;
        PackSource b = {keys->x + first * keys->ld, DTYPE_F32, keys->d, n, 1, keys->ld};
        Int8Columns columns = {(float *)(panel + MINI_PANEL * keys->k), NULL};
        columns.sums = (int32_t *)(columns.scales + MINI_PANEL);
        pack_int8_columns((int8_t *)panel, &columns, &b, keys->mean, keys->k);
    }
}

static inline __attribute__((always_inline)) void add_products(Words sum[ROWS][VECTORS], const uint8_t *q, const char *b,
                                                               int64_t depth, int rows)
{
    for (int64_t k = 0; k < depth; k += 4, b += 4 * MINI_PANEL) {
        __m512i v[VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            v[j] = _mm512_loadu_si512(b + 64 * j);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, q + r * depth + k, sizeof four);
            __m512i w = _mm512_set1_epi32(four);
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; j++)
                sum[r][j] = (Words)_mm512_dpbusd_epi32((__m512i)sum[r][j], w, v[j]);
        }
    }
}

/* x[rows][VECTORS] = q k in units of the query's step. */
static inline __attribute__((always_inline)) void multiply(__m512 x[ROWS][VECTORS], const uint8_t *q, const char *panel,
                                                           int64_t depth, int rows)
{
    Words sum[ROWS][VECTORS];
    const int32_t *sums = sums_of(panel, depth);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            sum[r][j] = -(Words)_mm512_loadu_si512(sums + 16 * j);
    add_products(sum, q, panel, depth, rows);
    const float *steps = steps_of(panel, depth);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            x[r][j] = _mm512_mul_ps(_mm512_cvtepi32_ps((__m512i)sum[r][j]), _mm512_loadu_ps(steps + 16 * j));
}

/* Up to ROWS queries against one panel. */
typedef struct Block {
    const WeighShape *s;
    const uint8_t *q;
    const float *scales;
    const char *panel;
    int64_t first; /* query */
    int64_t keys;  /* of this panel and the ones after it */
    void *out;     /* weights or scores of the first query and key */
} Block;

static inline __attribute__((always_inline)) void weigh(const Block *b, int rows, bool tail)
{
    const WeighShape *s = b->s;
    __m512 x[ROWS][VECTORS];
    multiply(x, b->q, b->panel, s->k, rows);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        const __m512 factor = _mm512_set1_ps(b->scales[r] * s->factor * LOG2_E);
        const __m512 base = _mm512_set1_ps(s->max[b->first + r] * LOG2_E);
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            x[r][j] = _mm512_fmsub_ps(x[r][j], factor, base);
        store_weights(x[r], (uint16_t *)b->out + r * s->ldw, s->totals + 16 * (b->first + r), b->keys, tail);
    }
}

static inline __attribute__((always_inline)) void score(const Block *b, int rows)
{
    __m512 x[ROWS][VECTORS];
    multiply(x, b->q, b->panel, b->s->k, rows);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            _mm512_storeu_ps((float *)b->out + r * b->s->ldw + 16 * j, _mm512_mul_ps(x[r][j], _mm512_set1_ps(b->scales[r])));
}

#define BLOCK(R)                                                                                             \
    static void weigh##R(const Block *b)                                                                     \
    {                                                                                                        \
        weigh(b, R, true);                                                                                   \
    }                                                                                                        \
    static void score##R(const Block *b)                                                                     \
    {                                                                                                        \
        score(b, R);                                                                                         \
    }

BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
BLOCK(5)
BLOCK(6)

static void weigh_whole(const Block *b)
{
    weigh(b, ROWS, false);
}

/* All queries against one panel after the other, which stays in the first cache. Outputs have size bytes. */
static void run(void (*const by_rows[])(const Block *), void (*whole)(const Block *), Block b, const Int8Queries *queries,
                int64_t size)
{
    const WeighShape *s = b.s;
    char *out = b.out;
    for (int64_t j = 0; j < s->keys; j += MINI_PANEL, b.panel += MINI_PANEL * key_bytes(s->k)) {
        b.keys = s->keys - j;
        for (b.first = 0; b.first < s->m; b.first += ROWS) {
            int64_t rows = s->m - b.first < ROWS ? s->m - b.first : ROWS;
            b.q = (const uint8_t *)queries->q + b.first * s->k;
            b.scales = queries->scales + b.first;
            b.out = out + (b.first * s->ldw + j) * size;
            (rows == ROWS && b.keys >= MINI_PANEL ? whole : by_rows[rows])(&b);
        }
    }
}

static void scores_of(const WeighShape *s, const Int8Queries *queries, const void *panels, float *scores)
{
    static void (*const BY_ROWS[])(const Block *) = {NULL, score1, score2, score3, score4, score5, score6};
    run(BY_ROWS, score6, (Block){.s = s, .panel = panels, .out = scores}, queries, sizeof *scores);
}

static void weights_of(const WeighShape *s, const Int8Queries *queries, const void *panels, void *weights)
{
    static void (*const BY_ROWS[])(const Block *) = {NULL, weigh1, weigh2, weigh3, weigh4, weigh5, weigh6};
    memset(s->totals, 0, (size_t)(16 * s->m) * sizeof *s->totals);
    run(BY_ROWS, weigh_whole, (Block){.s = s, .panel = panels, .out = weights}, queries, sizeof(uint16_t));
    for (int64_t r = 0; r < s->m; r++)
        s->totals[r] = _mm512_reduce_add_ps(_mm512_loadu_ps(s->totals + 16 * r));
}

static void pack_queries(void *out, float *scales, const Int8Rows *rows)
{
    pack_int8_rows(out, scales, rows);
}

const Int8Attention int8_attention_avx512 = {.unit = UNIT, .key_bytes = key_bytes, .pack_queries = pack_queries,
                                             .pack_keys = pack_keys, .scores = scores_of, .weigh = weights_of};
