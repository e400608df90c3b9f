/* The functions of panels_int8.h, compiled once without and once with AVX-VNNI: the including file defines INT8_NAME and
 * IN_WORD. */
#include "cpu/lanes_avx2.h"
#include "cpu/panels_int8.h"

enum { ROWS = PANEL_ROWS, COLUMNS = PANEL_COLUMNS, IN_VECTOR = 8 * IN_WORD };

static inline __m256 magnitude(__m256 x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

static inline float largest_lane(__m256 v)
{
    float lanes[8], most = 0;
    _mm256_storeu_ps(lanes, v);
    for (int i = 0; i < 8; i++)
        most = lanes[i] > most ? lanes[i] : most;
    return most;
}

static inline __attribute__((always_inline)) __m256 load_some(DType dtype, const char *p, int64_t n)
{
    return n >= 8 ? load8(dtype, p) : n > 0 ? load_part(dtype, p, n) : _mm256_setzero_ps();
}

/* The same less offset, unless that is NULL. */
static inline __attribute__((always_inline)) __m256 load_less(DType dtype, const char *p, const float *offset, int64_t n)
{
    __m256 x = load_some(dtype, p, n);
    return offset == NULL ? x : _mm256_sub_ps(x, load_some(DTYPE_F32, (const char *)offset, n));
}

/* Some of a row or column: of neighbours that begin at p, less those of offset. */
typedef struct Line {
    DType dtype;
    const char *p;
    const float *offset; /* or NULL */
} Line;

static inline __attribute__((always_inline)) Line line_from(Line l, int64_t i)
{
    return (Line){l.dtype, l.p + i * (l.dtype == DTYPE_F32 ? 4 : 2), l.offset != NULL ? l.offset + i : NULL};
}

static inline __attribute__((always_inline)) __m256 load_line(Line l, int64_t i, int64_t n)
{
    Line at = line_from(l, i);
    return load_less(l.dtype, at.p, at.offset, n - i);
}

/* The step of n neighbours. */
static inline __attribute__((always_inline)) float step_of(Line l, int64_t n)
{
    __m256 most = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i += 8)
        most = _mm256_max_ps(most, magnitude(load_line(l, i, n)));
    float largest = largest_lane(most);
    return largest > 0 ? largest / 127 : 1;
}

/* A vector of words: IN_VECTOR neighbours, of which n are there, as whole numbers. */
static inline __attribute__((always_inline)) __m256i quantise(Line l, int64_t n, __m256 factor)
{
    __m256i whole[IN_WORD];
#pragma GCC unroll 4
    for (int i = 0; i < IN_WORD; i++)
        whole[i] = _mm256_cvtps_epi32(_mm256_mul_ps(load_line(l, 8 * i, n), factor));
#if IN_WORD == 4
    __m256i low = _mm256_packs_epi32(whole[0], whole[1]), high = _mm256_packs_epi32(whole[2], whole[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#else
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(whole[0], whole[1]), 0xd8);
#endif
}

/* With VNNI one operand is unsigned: q + 128. */
static void round_rows(int32_t *out, float *scales, const Int8Rows *r)
{
    for (int64_t row = 0; row < r->rows; row++) {
        Line x = {DTYPE_F32, (const char *)(r->a + row * r->ld), NULL};
        scales[row] = step_of(x, r->k);
        const __m256 factor = _mm256_set1_ps(1 / scales[row]);
        for (int64_t i = 0; i < r->k_padded; i += IN_VECTOR, out += 8) {
            __m256i q = quantise(line_from(x, i), r->k - i, factor);
            if (IN_WORD == 4)
                q = _mm256_xor_si256(q, _mm256_set1_epi8(-128));
            _mm256_storeu_si256((__m256i *)(void *)out, q);
        }
    }
}

/* sum + a b, where a word is the sum of its products. */
static inline __m256i add_words(__m256i sum, __m256i a, __m256i b)
{
#if IN_WORD == 4
    return _mm256_dpbusd_avx_epi32(sum, a, b);
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
}

static inline int32_t sum_words(__m256i v)
{
    int32_t words[8], sum = 0;
    _mm256_storeu_si256((__m256i *)(void *)words, v);
    for (int i = 0; i < 8; i++)
        sum += words[i];
    return sum;
}

/* Eight columns of a panel. dtype is b's: a constant here. */
static inline __attribute__((always_inline)) void pack_half(int32_t *out, const Int8Columns *columns, const PackSource *b,
                                                            const float *offset, int64_t j, int64_t k_padded, DType dtype)
{
    __m256i sums[8];
    float factors[8];
    for (int c = 0; c < 8; c++) {
        columns->scales[c] = j + c < b->n ? step_of((Line){dtype, at(b, 0, j + c), offset}, b->k) : 1;
        factors[c] = 1 / columns->scales[c];
        sums[c] = _mm256_setzero_si256();
    }
    for (int64_t i = 0; i < k_padded; i += IN_VECTOR, out += 8 * COLUMNS) {
        __m256 r[8];
#pragma GCC unroll 8
        for (int c = 0; c < 8; c++) {
            __m256i q = _mm256_setzero_si256();
            if (j + c < b->n)
                q = quantise(line_from((Line){dtype, at(b, 0, j + c), offset}, i), b->k - i, _mm256_set1_ps(factors[c]));
            if (IN_WORD == 4)
                sums[c] = add_words(sums[c], _mm256_set1_epi8(1), q);
            r[c] = _mm256_castsi256_ps(q);
        }
        transpose(r);
#pragma GCC unroll 8
        for (int g = 0; g < 8; g++)
            _mm256_storeu_si256((__m256i *)(void *)(out + g * COLUMNS), _mm256_castps_si256(r[g]));
    }
    for (int c = 0; c < 8; c++)
        columns->sums[c] = 128 * sum_words(sums[c]);
}

static inline __attribute__((always_inline)) void pack_type(int32_t *out, const Int8Columns *columns, const PackSource *b,
                                                            const float *offset, int64_t k_padded, DType dtype)
{
    for (int64_t j = 0; j < COLUMNS; j += 8)
        pack_half(out + j, &(Int8Columns){columns->scales + j, columns->sums + j}, b, offset, j, k_padded, dtype);
}

static void round_columns(int32_t *out, const Int8Columns *columns, const PackSource *b, int64_t k_padded)
{
    if (b->dtype == DTYPE_F32)
        pack_type(out, columns, b, NULL, k_padded, DTYPE_F32);
    else if (b->dtype == DTYPE_F16)
        pack_type(out, columns, b, NULL, k_padded, DTYPE_F16);
    else
        pack_type(out, columns, b, NULL, k_padded, DTYPE_BF16);
}

typedef struct Sums {
    __m256i low, high;
} Sums;

static inline __m256i load_words(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* sum[rows] += a b; a: rows of words, lda apart. */
static inline __attribute__((always_inline)) void add_products(Sums sum[ROWS], const int32_t *a, int64_t lda, const int32_t *b,
                                                               int64_t words, int rows)
{
#pragma GCC unroll 4
    for (int64_t k = words; k > 0; k--, a++, b += COLUMNS) {
        __m256i low = load_words(b), high = load_words(b + 8);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256i x = _mm256_set1_epi32(a[r * lda]);
            sum[r].low = add_words(sum[r].low, x, low);
            sum[r].high = add_words(sum[r].high, x, high);
        }
    }
}

static inline __attribute__((always_inline)) void block(const Int8Product *p, const int32_t *a, int32_t *c, int rows)
{
    Sums sum[ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        sum[r].low = p->accumulate ? load_words(c + r * p->ldc) : _mm256_setzero_si256();
        sum[r].high = p->accumulate ? load_words(c + r * p->ldc + 8) : _mm256_setzero_si256();
    }
    add_products(sum, a, p->lda, p->b, p->words, rows);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        _mm256_storeu_si256((__m256i *)(void *)(c + r * p->ldc), sum[r].low);
        _mm256_storeu_si256((__m256i *)(void *)(c + r * p->ldc + 8), sum[r].high);
    }
}

static void multiply(const Int8Product *p)
{
    const int32_t *a = p->a;
    int32_t *c = p->c;
    int64_t r = 0;
    for (; r + ROWS <= p->rows; r += ROWS, a += ROWS * p->lda, c += ROWS * p->ldc)
        block(p, a, c, ROWS);
    for (; r < p->rows; r++, a += p->lda, c += p->ldc)
        block(p, a, c, 1);
}

static void unpack_row(float *out, const int32_t *c, float a_scale, const Int8Columns *columns, const float *bias, int64_t n)
{
    const __m256 a = _mm256_set1_ps(a_scale);
    for (int64_t i = 0; i < n; i += 8) {
        __m256i sum = load_words(c + i);
        if (IN_WORD == 4)
            sum = _mm256_sub_epi32(sum, load_words(columns->sums + i));
        __m256 scale = _mm256_mul_ps(a, _mm256_loadu_ps(columns->scales + i));
        __m256 offset = bias != NULL ? _mm256_loadu_ps(bias + i) : _mm256_setzero_ps();
        _mm256_storeu_ps(out + i, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, offset));
    }
}

/* --- attention --- */

/* A panel of keys: [k / IN_WORD][COLUMNS] words, steps, sums. */
static int64_t key_bytes(int64_t k)
{
    return k / IN_WORD * (int64_t)sizeof(int32_t) + (int64_t)(sizeof(float) + sizeof(int32_t));
}

static int64_t panel_words(int64_t k)
{
    return COLUMNS * key_bytes(k) / (int64_t)sizeof(int32_t);
}

static Int8Columns columns_of(const int32_t *panel, int64_t k)
{
    int32_t *steps = (int32_t *)panel + COLUMNS * k / IN_WORD;
    return (Int8Columns){(float *)(void *)steps, steps + COLUMNS};
}

static void pack_queries(void *out, float *scales, const Int8Rows *rows)
{
    round_rows(out, scales, rows);
}

static void pack_keys(void *panels, const Int8Keys *keys)
{
    int32_t *panel = panels;
    for (int64_t first = 0; first < keys->keys; first += COLUMNS, panel += panel_words(keys->k)) {
        PackSource b = {keys->x + first * keys->ld, DTYPE_F32, keys->d, keys->keys - first, 1, keys->ld};
        Int8Columns columns = columns_of(panel, keys->k);
        pack_type(panel, &columns, &b, keys->mean, keys->k, DTYPE_F32);
    }
}

/* Some queries against a panel of keys. */
typedef struct ScoreBlock {
    const WeighShape *s;
    const int32_t *q, *panel;
    const float *scales;
    int64_t first, keys; /* first: query; keys: of this panel and those after it */
    float *out;          /* of the first query and key */
} ScoreBlock;

/* Sums become scores: these are the bits of floats from then on. */
static inline __attribute__((always_inline)) __m256 scaled(__m256i sum, const float *steps)
{
    return _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(steps));
}

/* x[rows] = q k in units of the query's step, low and high half. */
static inline __attribute__((always_inline)) void multiply_keys(__m256 x[ROWS][2], const ScoreBlock *b, int rows)
{
    const int64_t k = b->s->k, words = k / IN_WORD;
    const Int8Columns columns = columns_of(b->panel, k);
    Sums sum[ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        sum[r].low = _mm256_sub_epi32(_mm256_setzero_si256(), load_words(columns.sums));
        sum[r].high = _mm256_sub_epi32(_mm256_setzero_si256(), load_words(columns.sums + 8));
    }
    add_products(sum, b->q, words, b->panel, words, rows);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        x[r][0] = scaled(sum[r].low, columns.scales);
        x[r][1] = scaled(sum[r].high, columns.scales + 8);
    }
}

static inline __attribute__((always_inline)) void score(const ScoreBlock *b, int rows)
{
    __m256 x[ROWS][2];
    multiply_keys(x, b, rows);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++)
            _mm256_storeu_ps(b->out + r * b->s->ldw + 8 * h, _mm256_mul_ps(x[r][h], _mm256_set1_ps(b->scales[r])));
}

/* tail: there may be fewer keys than columns. */
static inline __attribute__((always_inline)) void weigh(const ScoreBlock *b, int rows, bool tail)
{
    const float log2_e = 1.44269504f;
    const WeighShape *s = b->s;
    __m256 x[ROWS][2];
    multiply_keys(x, b, rows);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        const __m256 factor = _mm256_set1_ps(b->scales[r] * s->factor * log2_e);
        const __m256 base = _mm256_set1_ps(s->max[b->first + r] * log2_e);
        float *total = s->totals + 16 * (b->first + r);
        __m256 both = _mm256_loadu_ps(total);
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            x[r][h] = exp2_of(_mm256_fmsub_ps(x[r][h], factor, base));
            if (tail)
                x[r][h] = _mm256_and_ps(x[r][h], first8(b->keys - 8 * h));
            _mm256_storeu_ps(b->out + r * s->ldw + 8 * h, x[r][h]);
            both = _mm256_add_ps(both, x[r][h]);
        }
        _mm256_storeu_ps(total, both);
    }
}

#define BLOCK(R)                                                                                             \
    static void weigh##R(const ScoreBlock *b)                                                                \
    {                                                                                                        \
        weigh(b, R, true);                                                                                   \
    }                                                                                                        \
    static void score##R(const ScoreBlock *b)                                                                \
    {                                                                                                        \
        score(b, R);                                                                                         \
    }

BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
BLOCK(5)
BLOCK(6)

static void weigh_whole(const ScoreBlock *b)
{
    weigh(b, ROWS, false);
}

/* Asks for the part of the next panel that belongs to a block of queries from row r of m on, so that it is near when all are done. */
static inline void prefetch_part(const int32_t *panel, int64_t words, int64_t r, int64_t m)
{
    for (int64_t i = r * words / m; i < (r + ROWS) * words / m; i += 16)
        __builtin_prefetch(panel + i);
}

/* All queries against one panel after the other. */
static void run(void (*const by_rows[])(const ScoreBlock *), void (*whole)(const ScoreBlock *), ScoreBlock b,
                const Int8Queries *queries, float *out)
{
    const WeighShape *s = b.s;
    for (int64_t j = 0; j < s->keys; j += COLUMNS, b.panel += panel_words(s->k)) {
        b.keys = s->keys - j;
        for (b.first = 0; b.first < s->m; b.first += ROWS) {
            int64_t rows = s->m - b.first < ROWS ? s->m - b.first : ROWS;
            b.q = (const int32_t *)queries->q + b.first * (s->k / IN_WORD);
            b.scales = queries->scales + b.first;
            b.out = out + b.first * s->ldw + j;
            prefetch_part(b.panel + panel_words(s->k), panel_words(s->k), b.first, s->m);
            (rows == ROWS && b.keys >= COLUMNS ? whole : by_rows[rows])(&b);
        }
    }
}

static void scores_of(const WeighShape *s, const Int8Queries *queries, const void *panels, float *scores)
{
    static void (*const BY_ROWS[])(const ScoreBlock *) = {NULL, score1, score2, score3, score4, score5, score6};
    run(BY_ROWS, score6, (ScoreBlock){.s = s, .panel = panels}, queries, scores);
}

static void weights_of(const WeighShape *s, const Int8Queries *queries, const void *panels, void *weights)
{
    static void (*const BY_ROWS[])(const ScoreBlock *) = {NULL, weigh1, weigh2, weigh3, weigh4, weigh5, weigh6};
    memset(s->totals, 0, (size_t)(16 * s->m) * sizeof *s->totals);
    run(BY_ROWS, weigh_whole, (ScoreBlock){.s = s, .panel = panels}, queries, weights);
    for (int64_t r = 0; r < s->m; r++) {
        const float *lanes = s->totals + 16 * r;
        float total = 0;
        for (int i = 0; i < 8; i++)
            total += lanes[i];
        s->totals[r] = total; /* lanes of later rows lie behind it */
    }
}

const Int8Panels INT8_NAME = {
    .in_word = IN_WORD,
    .pack_rows = round_rows,
    .pack_columns = round_columns,
    .multiply = multiply,
    .unpack_row = unpack_row,
    .attention = {.unit = INT8_UNIT, .key_bytes = key_bytes, .pack_queries = pack_queries, .pack_keys = pack_keys,
                  .scores = scores_of, .weigh = weights_of}};
