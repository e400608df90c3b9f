#include "cpu/pack.h"

#include <immintrin.h>

#include "cpu/lanes_bf16.h"

enum { STREAMS = 16 }; /* rows read side by side; divides both groups */

static __mmask32 first32(int64_t n)
{
    return n >= 32 ? 0xffffffffu : n <= 0 ? 0 : (1u << n) - 1;
}

/* 32 neighbours as BF16. */
static inline __m512i load_bf16(DType dtype, const char *p, __mmask32 mask)
{
    if (dtype == DTYPE_BF16)
        return _mm512_maskz_loadu_epi16(mask, p);
    int step = dtype == DTYPE_F32 ? 64 : 32;
    __m512 low = load_f32(dtype, p, (__mmask16)mask),
           high = load_f32(dtype, p + step, (__mmask16)(mask >> 16));
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

void pack_bf16(uint16_t *out, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
        _mm512_storeu_si512(out + i, load_bf16(DTYPE_F32, (const char *)(x + i), 0xffffffffu));
    if (i < n)
        _mm512_mask_storeu_epi16(out + i, first32(n - i),
                                 load_bf16(DTYPE_F32, (const char *)(x + i), first32(n - i)));
}

/* Where column j's block begins. */
static int64_t block_at(int64_t j, int block, int64_t k_padded)
{
    return j / block * block * k_padded;
}

/* Some rows at a time, block after block: few enough streams to read, and runs to write that do not all fall
 * on the same lines of the cache, as rows of many blocks do. */
static void pairs_along_n(uint16_t *out, const PackSource *b, int block, int64_t k_padded)
{
    int64_t rows = (b->k + 31) / 32 * 32;
    for (int64_t group = 0; group < rows; group += STREAMS)
        for (int64_t first = 0; first < b->n; first += block)
            for (int64_t i = group; i < group + STREAMS; i += 2) {
                uint16_t *to = out + block_at(first, block, k_padded) + i * block;
                for (int j = 0; j < block; j += 16) {
                    __mmask16 mask = first16(b->n - first - j);
                    _mm_prefetch(at(b, i + STREAMS, first + j), _MM_HINT_T0); /* a hint may point beyond b */
                    _mm_prefetch(at(b, i + STREAMS + 1, first + j), _MM_HINT_T0);
                    __m512 even =
                        i < b->k ? load_f32(b->dtype, at(b, i, first + j), mask) : _mm512_setzero_ps();
                    __m512 odd = i + 1 < b->k ? load_f32(b->dtype, at(b, i + 1, first + j), mask)
                                              : _mm512_setzero_ps();
                    _mm512_storeu_si512(to + 2 * j, join(even, odd));
                }
            }
}

/* 16 columns at a time, each of which lies in one piece. */
static void pairs_along_k(uint16_t *out, const PackSource *b, int block, int64_t k_padded)
{
    int64_t n = (b->n + block - 1) / block * block;
    for (int64_t j = 0; j < n; j += 16)
        for (int64_t i = 0; i < b->k; i += 32) {
            uint16_t *to = out + block_at(j, block, k_padded) + i * block + 2 * (j % block);
            __m512i r[16];
            for (int c = 0; c < 16; c++) {
                _mm_prefetch(at(b, i + 32, j + c), _MM_HINT_T0); /* a hint may point beyond b */
                _mm_prefetch(at(b, i + 48, j + c), _MM_HINT_T0);
                r[c] = j + c < b->n ? load_bf16(b->dtype, at(b, i, j + c), first32(b->k - i))
                                    : _mm512_setzero_si512();
            }
            transpose(r);
            for (int c = 0; c < 16; c++)
                _mm512_storeu_si512(to + 2 * c * block, r[c]);
        }
}

void pack_pairs(uint16_t *out, const PackSource *b, int block, int64_t k_padded)
{
    if (b->k_stride == 1)
        pairs_along_k(out, b, block, k_padded);
    else
        pairs_along_n(out, b, block, k_padded);
}

static void rows_along_n(float *out, const PackSource *b, int block, int64_t k_padded)
{
    int64_t rows = (b->k + 15) / 16 * 16;
    for (int64_t group = 0; group < rows; group += STREAMS)
        for (int64_t first = 0; first < b->n; first += block)
            for (int64_t i = group; i < group + STREAMS; i++) {
                float *to = out + block_at(first, block, k_padded) + i * block;
                for (int j = 0; j < block; j += 16) {
                    __mmask16 mask = first16(b->n - first - j);
                    _mm512_storeu_ps(to + j, i < b->k ? load_f32(b->dtype, at(b, i, first + j), mask)
                                                      : _mm512_setzero_ps());
                }
            }
}

static void rows_along_k(float *out, const PackSource *b, int block, int64_t k_padded)
{
    int64_t n = (b->n + block - 1) / block * block;
    for (int64_t j = 0; j < n; j += 16)
        for (int64_t i = 0; i < b->k; i += 16) {
            float *to = out + block_at(j, block, k_padded) + i * block + j % block;
            __m512i r[16];
            for (int c = 0; c < 16; c++)
                r[c] = j + c < b->n
                           ? _mm512_castps_si512(load_f32(b->dtype, at(b, i, j + c), first16(b->k - i)))
                           : _mm512_setzero_si512();
            transpose(r);
            for (int c = 0; c < 16; c++)
                _mm512_storeu_si512(to + c * block, r[c]);
        }
}

void pack_rows(float *out, const PackSource *b, int block, int64_t k_padded)
{
    if (b->k_stride == 1)
        rows_along_k(out, b, block, k_padded);
    else
        rows_along_n(out, b, block, k_padded);
}

/* Asks for rows i .. i+count-1 of a narrow strip, whose distance hides them from the processor's own
 * foresight. */
static void prefetch(const PackSource *b, int64_t i, int64_t count)
{
    for (int64_t r = i; r < i + count && r < b->k; r++)
        for (int64_t j = 0; j < b->n; j += 16)
            _mm_prefetch(at(b, r, j), _MM_HINT_T0);
}

void pack_transposed_bf16(uint16_t *out, const PackSource *b, int64_t k_padded)
{
    pack_strip_bf16(out, b, k_padded, k_padded);
}

void pack_strip_bf16(uint16_t *out, const PackSource *b, int64_t k_padded, int64_t ld)
{
    for (int64_t i = 0; i < k_padded; i += 32) {
        prefetch(b, i + 32, 32);
        for (int64_t j = 0; j < b->n; j += 16) {
            __mmask16 mask = first16(b->n - j);
            __m512i r[16];
            for (int c = 0; c < 16; c++) {
                int64_t row = i + 2 * c;
                __m512 even = row < b->k ? load_f32(DTYPE_F32, at(b, row, j), mask) : _mm512_setzero_ps();
                __m512 odd =
                    row + 1 < b->k ? load_f32(DTYPE_F32, at(b, row + 1, j), mask) : _mm512_setzero_ps();
                r[c] = join(even, odd);
            }
            transpose(r);
            for (int c = 0; c < 16 && j + c < b->n; c++)
                _mm512_storeu_si512(out + (j + c) * ld + i, r[c]);
        }
    }
}

void pack_transposed_f32(float *out, const PackSource *b, int64_t k_padded)
{
    for (int64_t i = 0; i < k_padded; i += 16) {
        prefetch(b, i + 16, 16);
        for (int64_t j = 0; j < b->n; j += 16) {
            __mmask16 mask = first16(b->n - j);
            __m512i r[16];
            for (int c = 0; c < 16; c++)
                r[c] = i + c < b->k ? _mm512_castps_si512(load_f32(DTYPE_F32, at(b, i + c, j), mask))
                                    : _mm512_setzero_si512();
            transpose(r);
            for (int c = 0; c < 16 && j + c < b->n; c++)
                _mm512_storeu_si512(out + (j + c) * k_padded + i, r[c]);
        }
    }
}
