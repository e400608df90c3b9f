#define W 16
#define SIMD_NAME simd_avx512
#include "cpu/simd_impl.h"

#include <immintrin.h>

static inline VF vmax(VF a, VF b)
{
    return (VF)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline VF load_f16(const uint16_t *p)
{
    return (VF)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
