#include "cpu/panels_avx2.h"

#define W 8
#define SIMD_NAME simd_avx2
#define SIMD_PANELS                                                                                          \
    .multiply = panels_multiply, .pack_panels = panels_pack_mini, .guess_max = panels_guess_max, .weigh_panels = panels_weigh
#define SIMD_KEYS 256 /* of a panel of values, 16 kB: with weights it stays in a first cache of 32 kB */
#include "cpu/simd_impl.h"

#include <immintrin.h>

static inline VF vmax(VF a, VF b)
{
    return (VF)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline VF load_f16(const uint16_t *p)
{
    return (VF)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
