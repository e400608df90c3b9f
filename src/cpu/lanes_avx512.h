/* Vectors of AVX-512 that the packing functions share. */
#ifndef SORA_CPU_LANES_AVX512_H
#define SORA_CPU_LANES_AVX512_H

#include <immintrin.h>
#include "cpu/pack.h"

/* The first n of 16 lanes. */
static inline __mmask16 first16(int64_t n)
{
    return n >= 16 ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1);
}

/* Element (i, j). */
static inline const char *at(const PackSource *b, int64_t i, int64_t j)
{
    return (const char *)b->data + (i * b->k_stride + j * b->n_stride) * (b->dtype == DTYPE_F32 ? 4 : 2);
}

/* 16 neighbours as F32. */
static inline __m512 load_f32(DType dtype, const char *p, __mmask16 mask)
{
    if (dtype == DTYPE_F32)
        return _mm512_maskz_loadu_ps(mask, p);
    __m256i half = _mm256_maskz_loadu_epi16(mask, p);
    if (dtype == DTYPE_F16)
        return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* Transposes 16 x 16 words. */
static inline void transpose(__m512i r[16])
{
    __m512i t[16];
    for (int i = 0; i < 16; i += 4) {
        __m512i a = _mm512_unpacklo_epi32(r[i], r[i + 1]), b = _mm512_unpackhi_epi32(r[i], r[i + 1]);
        __m512i c = _mm512_unpacklo_epi32(r[i + 2], r[i + 3]), d = _mm512_unpackhi_epi32(r[i + 2], r[i + 3]);
        t[i] = _mm512_unpacklo_epi64(a, c);
        t[i + 1] = _mm512_unpackhi_epi64(a, c);
        t[i + 2] = _mm512_unpacklo_epi64(b, d);
        t[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    /* t[4g + c] holds, in 128-bit lane l, column 4l + c of rows 4g .. 4g+3. */
    for (int c = 0; c < 4; c++) {
        __m512i a = _mm512_shuffle_i32x4(t[c], t[4 + c], 0x44),
                b = _mm512_shuffle_i32x4(t[c], t[4 + c], 0xee);
        __m512i d = _mm512_shuffle_i32x4(t[8 + c], t[12 + c], 0x44),
                e = _mm512_shuffle_i32x4(t[8 + c], t[12 + c], 0xee);
        r[c] = _mm512_shuffle_i32x4(a, d, 0x88);
        r[4 + c] = _mm512_shuffle_i32x4(a, d, 0xdd);
        r[8 + c] = _mm512_shuffle_i32x4(b, e, 0x88);
        r[12 + c] = _mm512_shuffle_i32x4(b, e, 0xdd);
    }
}

#endif
