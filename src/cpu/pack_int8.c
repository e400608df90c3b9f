#include "cpu/pack_int8.h"

#include <immintrin.h>
#include <string.h>

#include "cpu/lanes_avx512.h"

static float step_of(float largest)
{
    return largest > 0 ? largest / 127 : 1;
}

static float largest(const float *x, int64_t n)
{
    __m512 most = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i += 16)
        most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_maskz_loadu_ps(first16(n - i), x + i)));
    return _mm512_reduce_max_ps(most);
}

void pack_int8_rows(uint8_t *out, float *scales, const Int8Rows *r)
{
    for (int64_t row = 0; row < r->rows; row++, out += r->k_padded) {
        const float *x = r->a + row * r->ld;
        scales[row] = step_of(largest(x, r->k));
        __m512 factor = _mm512_set1_ps(1 / scales[row]);
        for (int64_t i = 0; i < r->k_padded; i += 16) {
            __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(first16(r->k - i), x + i), factor));
            _mm_storeu_si128((__m128i *)(out + i), _mm512_cvtepi32_epi8(_mm512_add_epi32(q, _mm512_set1_epi32(128))));
        }
    }
}

/* 16 neighbours along k of a column. */
static inline __m512 load_part(const PackSource *b, const float *offset, int64_t i, int64_t j)
{
    __mmask16 mask = first16(b->k - i);
    __m512 x = load_f32(b->dtype, at(b, i, j), mask);
    return offset == NULL ? x : _mm512_sub_ps(x, _mm512_maskz_loadu_ps(mask, offset + i));
}

/* 64 of them, as whole numbers. */
static inline __m512i quantise(const PackSource *b, const float *offset, int64_t i, int64_t j, __m512 factor)
{
    __m128i part[4];
    for (int p = 0; p < 4; p++) {
        __m512 x = load_part(b, offset, i + 16 * p, j);
        part[p] = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x, factor)));
    }
    __m256i low = _mm256_set_m128i(part[1], part[0]), high = _mm256_set_m128i(part[3], part[2]);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Of BF16 the bits without the sign are in the order of the numbers. */
static float largest_bf16(const uint16_t *x, int64_t n)
{
    __m512i most = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += 32) {
        __mmask32 mask = n - i >= 32 ? 0xffffffffu : (1u << (n - i)) - 1;
        __m512i bits = _mm512_and_si512(_mm512_maskz_loadu_epi16(mask, x + i), _mm512_set1_epi16(0x7fff));
        most = _mm512_max_epu16(most, bits);
    }
    __m512i even = _mm512_slli_epi32(most, 16), odd = _mm512_and_si512(most, _mm512_set1_epi32((int)0xffff0000));
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_castsi512_ps(even), _mm512_castsi512_ps(odd)));
}

static float column_step(const PackSource *b, const float *offset, int64_t j)
{
    if (b->dtype == DTYPE_BF16 && offset == NULL)
        return step_of(largest_bf16((const uint16_t *)at(b, 0, j), b->k));
    __m512 most = _mm512_setzero_ps();
    for (int64_t i = 0; i < b->k; i += 16)
        most = _mm512_max_ps(most, _mm512_abs_ps(load_part(b, offset, i, j)));
    return step_of(_mm512_reduce_max_ps(most));
}

void pack_int8_columns(int8_t *out, const Int8Columns *columns, const PackSource *b, const float *offset, int64_t k_padded)
{
    for (int64_t j = 0; j < INT8_BLOCK; j += 16) {
        __m512i sums[16];
        for (int c = 0; c < 16; c++) {
            columns->scales[j + c] = j + c < b->n ? column_step(b, offset, j + c) : 1;
            sums[c] = _mm512_setzero_si512();
        }
        for (int64_t i = 0; i < k_padded; i += 64) {
            __m512i r[16];
            for (int c = 0; c < 16; c++) {
                r[c] = j + c < b->n ? quantise(b, offset, i, j + c, _mm512_set1_ps(1 / columns->scales[j + c]))
                                    : _mm512_setzero_si512();
                sums[c] = _mm512_dpbusd_epi32(sums[c], _mm512_set1_epi8(1), r[c]);
            }
            transpose(r);
            for (int g = 0; g < 16; g++)
                _mm512_storeu_si512(out + (i / 4 + g) * 4 * INT8_BLOCK + 4 * j, r[g]);
        }
        for (int c = 0; c < 16; c++)
            columns->sums[j + c] = 128 * _mm512_reduce_add_epi32(sums[c]);
    }
}

void unpack_int8_row(float *out, const int32_t *c, float a_scale, const Int8Columns *columns, const float *bias, int64_t n)
{
    __m512 a = _mm512_set1_ps(a_scale);
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 mask = first16(n - i);
        __m512i sum = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(mask, c + i), _mm512_maskz_loadu_epi32(mask, columns->sums + i));
        __m512 scale = _mm512_mul_ps(a, _mm512_maskz_loadu_ps(mask, columns->scales + i));
        __m512 offset = bias != NULL ? _mm512_maskz_loadu_ps(mask, bias + i) : _mm512_setzero_ps();
        _mm512_mask_storeu_ps(out + i, mask, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, offset));
    }
}
