/* Vectors of AVX2 that the packing functions share. */
#ifndef SORA_CPU_LANES_AVX2_H
#define SORA_CPU_LANES_AVX2_H

#include <immintrin.h>
#include <string.h>
#include "cpu/pack.h"

/* Element (i, j). */
static inline const char *at(const PackSource *b, int64_t i, int64_t j)
{
    return (const char *)b->data + (i * b->k_stride + j * b->n_stride) * (b->dtype == DTYPE_F32 ? 4 : 2);
}

/* 8 neighbours as F32. */
static inline __attribute__((always_inline)) __m256 load8(DType dtype, const char *p)
{
    if (dtype == DTYPE_F32)
        return _mm256_loadu_ps((const float *)(const void *)p);
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    if (dtype == DTYPE_F16)
        return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/* The first n < 8 of them; the others are zero. */
static inline __m256 load_part(DType dtype, const char *p, int64_t n)
{
    char eight[32] = {0};
    memcpy(eight, p, (size_t)n * (dtype == DTYPE_F32 ? 4 : 2));
    return load8(dtype, eight);
}

/* Transposes 8 x 8. */
static inline __attribute__((always_inline)) void transpose(__m256 r[8])
{
    __m256 t[8], u[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    /* u[4 h + c] holds, in 128-bit lane l, column 4 l + c of rows 4 h .. 4 h + 3. */
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++)
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            u[4 * h + 2 * i] = _mm256_shuffle_ps(t[4 * h + i], t[4 * h + 2 + i], 0x44);
            u[4 * h + 2 * i + 1] = _mm256_shuffle_ps(t[4 * h + i], t[4 * h + 2 + i], 0xee);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x20);
        r[4 + i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x31);
    }
}

#endif
