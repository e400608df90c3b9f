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

#endif
