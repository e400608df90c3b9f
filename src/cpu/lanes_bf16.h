/* Vectors of AVX512-BF16 that the packing functions share. */
#ifndef SORA_CPU_LANES_BF16_H
#define SORA_CPU_LANES_BF16_H

#include "cpu/lanes_avx512.h"

/* Pairs (a[i], b[i]) of BF16, a in the lower half. */
static inline __m512i join(__m512 a, __m512 b)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23,
                                           7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

static const float LOG2_E = 1.44269504f;

/* 2^x, within 8e-5, which BF16 does not see: 2^floor(x) times a polynomial (minimax) for the rest. Beyond the exponents
 * of float it is infinite, or as if x were -120: denormal numbers are slow. */
static inline __m512 exp2_of(__m512 x)
{
    x = _mm512_max_ps(x, _mm512_set1_ps(-120.0f));
    __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); /* x - floor(x) */
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(7.80245227e-2f), r, _mm512_set1_ps(2.26067155e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.95833541e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.99925219e-1f));
    return _mm512_scalef_ps(p, x);
}

/* Of 64 scores x, as exponents of 2, to BF16 weights 2^x, which are added to total[16] before they are rounded. With
 * tail there may be fewer keys; the others weigh nothing. */
static inline __attribute__((always_inline)) void store_weights(const __m512 x[4], uint16_t *out, float *total, int64_t keys,
                                                                bool tail)
{
    __m512 e[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        e[j] = exp2_of(x[j]);
        if (tail)
            e[j] = _mm512_maskz_mov_ps(first16(keys - 16 * j), e[j]);
    }
    __m512 sum = _mm512_add_ps(_mm512_add_ps(e[0], e[1]), _mm512_add_ps(e[2], e[3]));
    _mm512_storeu_ps(total, _mm512_add_ps(_mm512_loadu_ps(total), sum));
    _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(e[1], e[0]));
    _mm512_storeu_si512(out + 32, (__m512i)_mm512_cvtne2ps_pbh(e[3], e[2]));
}

#endif
