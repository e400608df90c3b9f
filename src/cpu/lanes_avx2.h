/* Vectors of AVX2 that packing and attention share. */
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

/* 2^x for x <= 127, within 2e-7 of it: 2^round(x) times a polynomial (minimax) for the rest. Below -125 it is as if x were
 * that: denormal numbers are slow. Above 127 it is as if x were that. NaN stays NaN. */
static inline __m256 exp2_of(__m256 x)
{
    const __m256 magic = _mm256_set1_ps(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
    x = _mm256_min_ps(_mm256_set1_ps(127.0f), _mm256_max_ps(_mm256_set1_ps(-125.0f), x));
    __m256 shifted = _mm256_add_ps(x, magic), f = _mm256_sub_ps(x, _mm256_sub_ps(shifted, magic));
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(1.32764725e-3f), f, _mm256_set1_ps(9.67554096e-3f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(5.55071309e-2f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(2.40221202e-1f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(6.93146944e-1f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0f));
    __m256i power = _mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(shifted), 23), _mm256_set1_epi32(127 << 23));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(power));
}

/* Ones in the first n of 8 lanes. */
static inline __m256 first8(int64_t n)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n < 8 ? (int)n : 8), lanes));
}

#endif
