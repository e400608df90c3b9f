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

/* The step of n neighbours. */
static inline __attribute__((always_inline)) float step_of(DType dtype, const char *p, int64_t n)
{
    __m256 most = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i += 8, p += dtype == DTYPE_F32 ? 32 : 16)
        most = _mm256_max_ps(most, magnitude(load_some(dtype, p, n - i)));
    float largest = largest_lane(most);
    return largest > 0 ? largest / 127 : 1;
}

/* A vector of words: IN_VECTOR neighbours, of which n are there, as whole numbers. */
static inline __attribute__((always_inline)) __m256i quantise(DType dtype, const char *p, int64_t n, __m256 factor)
{
    __m256i whole[IN_WORD];
    int64_t step = dtype == DTYPE_F32 ? 32 : 16;
#pragma GCC unroll 4
    for (int i = 0; i < IN_WORD; i++)
        whole[i] = _mm256_cvtps_epi32(_mm256_mul_ps(load_some(dtype, p + i * step, n - 8 * i), factor));
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
        const char *x = (const char *)(r->a + row * r->ld);
        scales[row] = step_of(DTYPE_F32, x, r->k);
        const __m256 factor = _mm256_set1_ps(1 / scales[row]);
        for (int64_t i = 0; i < r->k_padded; i += IN_VECTOR, out += 8) {
            __m256i q = quantise(DTYPE_F32, x + 4 * i, r->k - i, factor);
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

/* Eight columns of a panel. */
static inline __attribute__((always_inline)) void pack_half(int32_t *out, const Int8Columns *columns, const PackSource *b,
                                                            int64_t j, int64_t k_padded, DType dtype)
{
    __m256i sums[8];
    float factors[8];
    for (int c = 0; c < 8; c++) {
        columns->scales[c] = j + c < b->n ? step_of(dtype, at(b, 0, j + c), b->k) : 1;
        factors[c] = 1 / columns->scales[c];
        sums[c] = _mm256_setzero_si256();
    }
    for (int64_t i = 0; i < k_padded; i += IN_VECTOR, out += 8 * COLUMNS) {
        __m256 r[8];
#pragma GCC unroll 8
        for (int c = 0; c < 8; c++) {
            __m256i q = _mm256_setzero_si256();
            if (j + c < b->n)
                q = quantise(dtype, at(b, i, j + c), b->k - i, _mm256_set1_ps(factors[c]));
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
                                                            int64_t k_padded, DType dtype)
{
    for (int64_t j = 0; j < COLUMNS; j += 8)
        pack_half(out + j, &(Int8Columns){columns->scales + j, columns->sums + j}, b, j, k_padded, dtype);
}

static void round_columns(int32_t *out, const Int8Columns *columns, const PackSource *b, int64_t k_padded)
{
    if (b->dtype == DTYPE_F32)
        pack_type(out, columns, b, k_padded, DTYPE_F32);
    else if (b->dtype == DTYPE_F16)
        pack_type(out, columns, b, k_padded, DTYPE_F16);
    else
        pack_type(out, columns, b, k_padded, DTYPE_BF16);
}

typedef struct Sums {
    __m256i low, high;
} Sums;

static inline __m256i load_words(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline __attribute__((always_inline)) void block(const Int8Product *p, const int32_t *a, int32_t *c, int rows)
{
    Sums sum[ROWS];
    const int32_t *b = p->b;
    const int64_t lda = p->lda;
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        sum[r].low = p->accumulate ? load_words(c + r * p->ldc) : _mm256_setzero_si256();
        sum[r].high = p->accumulate ? load_words(c + r * p->ldc + 8) : _mm256_setzero_si256();
    }
#pragma GCC unroll 4
    for (int64_t k = p->words; k > 0; k--, a++, b += COLUMNS) {
        __m256i low = load_words(b), high = load_words(b + 8);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256i x = _mm256_set1_epi32(a[r * lda]);
            sum[r].low = add_words(sum[r].low, x, low);
            sum[r].high = add_words(sum[r].high, x, high);
        }
    }
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

const Int8Panels INT8_NAME = {
    .in_word = IN_WORD, .pack_rows = round_rows, .pack_columns = round_columns, .multiply = multiply, .unpack_row = unpack_row};
