/* The arithmetic of the types in weight files: every block type element by element, with the formulas of the
 * format written out once more from its description and nothing shared with the reader. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "cpu/backend.h"
#include "cpu/simd.h"
#include "weights/quant.h"

static double half(const uint8_t *p)
{
    int h = p[0] | p[1] << 8, e = h >> 10 & 31, m = h & 1023;
    double v = e == 0 ? ldexp(m, -24) : ldexp(1024 + m, e - 25);
    return h >> 15 ? -v : v;
}

static int bit(const uint8_t *p, int i)
{
    return p[i / 8] >> i % 8 & 1;
}

/* Of 32: element i and i + 16 share byte i. */
static int nibble16(const uint8_t *q, int i)
{
    return i < 16 ? q[i] % 16 : q[i - 16] / 16;
}

/* Of 256: 64 elements share 32 bytes, the first 32 in the low halves. */
static int nibble64(const uint8_t *q, int i)
{
    int byte = i / 64 * 32 + i % 32;
    return i % 64 < 32 ? q[byte] % 16 : q[byte] / 16;
}

/* Six bits each: s0..s3, m0..m3 in bytes 0..7; of 4..7 the low four bits in bytes 8..11, the rest on top of
 * 0..7. */
static int six_scale(const uint8_t *s, int j)
{
    return j < 4 ? s[j] % 64 : s[j + 4] % 16 + s[j - 4] / 64 * 16;
}

static int six_min(const uint8_t *s, int j)
{
    return j < 4 ? s[j + 4] % 64 : s[j + 4] / 16 + s[j] / 64 * 16;
}

static double expected(DType type, const uint8_t *b, int i)
{
    switch (type) {
    case DTYPE_Q8_0: /* d, 32 signed bytes */
        return half(b) * (int8_t)b[2 + i];
    case DTYPE_Q4_0: /* d, 16 bytes */
        return half(b) * (nibble16(b + 2, i) - 8);
    case DTYPE_Q4_1: /* d, m, 16 bytes */
        return half(b) * nibble16(b + 4, i) + half(b + 2);
    case DTYPE_Q5_0: /* d, 32 bits, 16 bytes */
        return half(b) * (nibble16(b + 6, i) + 16 * bit(b + 2, i) - 16);
    case DTYPE_Q5_1: /* d, m, 32 bits, 16 bytes */
        return half(b) * (nibble16(b + 8, i) + 16 * bit(b + 4, i)) + half(b + 2);
    case DTYPE_Q4_K: /* d, dmin, 12 bytes of scales, 128 bytes */
        return half(b) * six_scale(b + 4, i / 32) * nibble64(b + 16, i) -
               half(b + 2) * six_min(b + 4, i / 32);
    case DTYPE_Q5_K: /* d, dmin, 12 bytes of scales, 32 of fifth bits, 128 bytes */
        return half(b) * six_scale(b + 4, i / 32) *
                   (nibble64(b + 48, i) + 16 * (b[16 + i % 32] >> i / 32 & 1)) -
               half(b + 2) * six_min(b + 4, i / 32);
    case DTYPE_Q6_K: { /* 128 bytes of four bits, 64 of two, 16 signed scales, d */
        int n = i / 128, l = i % 32;
        int part = i % 128 / 32; /* 0: low halves of bytes 0..31, 1: of 32..63, 2 and 3: the high halves */
        int byte = b[64 * n + l + (part % 2 ? 32 : 0)];
        int four = part < 2 ? byte % 16 : byte / 16;
        int two = b[128 + 32 * n + l] >> (2 * part) & 3;
        return half(b + 208) * (int8_t)b[192 + i / 16] * (four + 16 * two - 32);
    }
    case DTYPE_Q2_K: { /* 16 bytes of scale (low) and minimum (high), 64 of two bits, d, dmin */
        int two = b[16 + i / 128 * 32 + i % 32] / (1 << 2 * (i % 128 / 32)) % 4;
        return half(b + 80) * (b[i / 16] % 16) * two - half(b + 82) * (b[i / 16] / 16);
    }
    case DTYPE_Q3_K: { /* 32 bytes of third bits, 64 of two bits, 12 of scales, d */
        int two = b[32 + i / 128 * 32 + i % 32] / (1 << 2 * (i % 128 / 32)) % 4, k = i / 16;
        int third = bit(b, 8 * (i % 32) + i / 32);
        int low = k < 8 ? b[96 + k] % 16 : b[96 + k - 8] / 16, high = b[104 + k % 4] / (1 << 2 * (k / 4)) % 4;
        return half(b + 108) * (low + 16 * high - 32) * (two + 4 * third - 4);
    }
    default:
        fail_msg("no formula for %s", dtype_name(type));
        return 0;
    }
}

static const DType BLOCK_TYPES[] = {DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,
                                    DTYPE_Q5_1, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_Q2_K, DTYPE_Q3_K};
enum { TYPES = sizeof BLOCK_TYPES / sizeof BLOCK_TYPES[0], WRITTEN = TYPES - 2, BLOCKS = 50 }; /* the last two are only read */

/* Where the format keeps F16 numbers; random bytes there might be infinite. */
static void tame_scales(DType type, uint8_t *block)
{
    bool two = type == DTYPE_Q4_1 || type == DTYPE_Q5_1 || type == DTYPE_Q4_K || type == DTYPE_Q5_K ||
               type == DTYPE_Q2_K;
    int at = type == DTYPE_Q6_K ? 208 : type == DTYPE_Q2_K ? 80 : type == DTYPE_Q3_K ? 108 : 0;
    block[at + 1] &= 0xbf;
    if (two)
        block[at + 3] &= 0xbf;
}

static void decoding_is_the_written_out_arithmetic(void **state)
{
    Rng rng;
    rng_init(&rng, 7, 0);
    for (int t = 0; t < TYPES; t++) {
        DType type = BLOCK_TYPES[t];
        size_t size = dtype_size(type);
        int n = dtype_block(type);
        uint8_t *bytes = malloc(size * BLOCKS + 1);
        float *out = malloc(sizeof(float) * (size_t)n * BLOCKS);
        for (size_t i = 0; i < size * BLOCKS; i++)
            bytes[i + 1] = (uint8_t)rng_u32(&rng);
        for (int k = 0; k < BLOCKS; k++)
            tame_scales(type, bytes + 1 + size * (size_t)k);
        weight_decode(type, bytes + 1, (int64_t)n * BLOCKS, out); /* at an odd address */
        for (int i = 0; i < n * BLOCKS; i++) {
            double want = expected(type, bytes + 1 + size * (size_t)(i / n), i % n);
            /* Two roundings of F32 against double. */
            if (fabs(out[i] - want) > 3e-7 * (fabs(want) + 64 * 2))
                fail_msg("%s element %d is %g, expected %g", dtype_name(type), i, out[i], want);
        }
        free(bytes);
        free(out);
    }
}

/* Root of the mean square error of normal numbers, in units of their deviation: what the number of levels
 * allows. ggml's own figures for these types are near; a mistake in packing gives about 1. */
static void encoding_is_near(void **state)
{
    static const struct {
        DType type;
        double most;
    } CASES[] = {
        {DTYPE_BF16, 0.002}, {DTYPE_F16, 0.0003}, {DTYPE_F8_E4M3, 0.03}, {DTYPE_F8_E5M2, 0.06},
        {DTYPE_Q8_0, 0.006}, {DTYPE_Q4_0, 0.11},  {DTYPE_Q4_1, 0.10},    {DTYPE_Q5_0, 0.055},
        {DTYPE_Q5_1, 0.045}, {DTYPE_Q4_K, 0.09},  {DTYPE_Q5_K, 0.045},   {DTYPE_Q6_K, 0.025},
    };
    enum { N = 256 * 64 };
    static float x[N], back[N];
    static uint8_t bytes[N * 4];
    Rng rng;
    rng_init(&rng, 1, 0);
    rng_fill_normal(&rng, x, N);
    for (size_t c = 0; c < sizeof CASES / sizeof CASES[0]; c++) {
        assert_true(weight_encode(CASES[c].type, x, N, bytes));
        weight_decode(CASES[c].type, bytes, N, back);
        double sum = 0;
        for (int i = 0; i < N; i++)
            sum += (back[i] - x[i]) * (double)(back[i] - x[i]);
        double error = sqrt(sum / N);
        if (!(error < CASES[c].most && error > CASES[c].most / 4))
            fail_msg("%s: error %g, expected below %g", dtype_name(CASES[c].type), error, CASES[c].most);
    }
}

/* What a block can hold exactly comes back exactly. */
static void blocks_round_trip(void **state)
{
    float x[256], back[256];
    uint8_t bytes[256 * 4];
    for (int i = 0; i < 256; i++)
        x[i] = (float)(i % 16 - 8) / 4; /* -2 .. 1.75: 16 levels with an F16 step */
    for (int t = 0; t < WRITTEN; t++) {
        if (BLOCK_TYPES[t] == DTYPE_Q8_0 || BLOCK_TYPES[t] >= DTYPE_Q4_K)
            continue; /* their scales are rounded */
        if (BLOCK_TYPES[t] == DTYPE_Q5_0 || BLOCK_TYPES[t] == DTYPE_Q5_1)
            continue; /* 16 steps do not divide their 31 */
        assert_true(weight_encode(BLOCK_TYPES[t], x, 256, bytes));
        weight_decode(BLOCK_TYPES[t], bytes, 256, back);
        assert_memory_equal(x, back, sizeof x);
    }
    for (int t = 0; t < WRITTEN; t++) { /* zero is exact in all */
        memset(x, 0, sizeof x);
        assert_true(weight_encode(BLOCK_TYPES[t], x, 256, bytes));
        weight_decode(BLOCK_TYPES[t], bytes, 256, back);
        for (int i = 0; i < 256; i++)
            assert_true(back[i] == 0);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    float x[256] = {0};
    uint8_t bytes[256 * 4];
    for (int t = 0; t < WRITTEN; t++) {
        x[77] = NAN;
        assert_false(weight_encode(BLOCK_TYPES[t], x, 256, bytes));
        x[77] = INFINITY;
        assert_false(weight_encode(BLOCK_TYPES[t], x, 256, bytes));
        x[77] = 1e30f; /* its scale is no F16 */
        assert_false(weight_encode(BLOCK_TYPES[t], x, 256, bytes));
        x[77] = 1000;
        assert_true(weight_encode(BLOCK_TYPES[t], x, 256, bytes));
    }
    x[77] = 0;
    for (int t = WRITTEN; t < TYPES; t++)
        assert_false(weight_encode(BLOCK_TYPES[t], x, 256, bytes));
    assert_false(weight_is_number(DTYPE_I64) || weight_is_number(DTYPE_U8) || weight_is_number(DTYPE_BOOL));
}

/* All 256 of each, and each back to itself. */
static void float8_is_exact(void **state)
{
    for (int b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b, again;
        float v;
        int e = b >> 3 & 15, m = b & 7, sign = b >> 7 ? -1 : 1;
        weight_decode(DTYPE_F8_E4M3, &byte, 1, &v);
        if ((b & 127) == 127) {
            assert_true(isnan(v));
        } else {
            assert_true(v == sign * (e == 0 ? m / 512.0f : ldexpf(1 + (float)m / 8, e - 7)));
            assert_true(weight_encode(DTYPE_F8_E4M3, &v, 1, &again) && again == byte);
        }
        e = b >> 2 & 31, m = b & 3;
        weight_decode(DTYPE_F8_E5M2, &byte, 1, &v);
        if (e == 31) {
            assert_true(m == 0 ? isinf(v) : isnan(v));
        } else {
            assert_true(v == sign * (e == 0 ? (float)m / 65536 : ldexpf(1 + (float)m / 4, e - 15)));
            assert_true(weight_encode(DTYPE_F8_E5M2, &v, 1, &again) && again == byte);
        }
    }
    const float x[] = {449, 1e9f, -1e9f, 0.0009765625f, 0.0009765626f, 17, 19};
    const float e4m3[] = {448, 448, -448, 0, 0.001953125f, 16, 20};
    for (int i = 0; i < 7; i++) {
        uint8_t byte;
        float v;
        weight_encode(DTYPE_F8_E4M3, &x[i], 1, &byte);
        weight_decode(DTYPE_F8_E4M3, &byte, 1, &v);
        assert_true(v == e4m3[i]);
    }
}

/* All F16 to F32 and back; and numbers halfway. */
static void float16_is_exact(void **state)
{
    for (int h = 0; h < 65536; h++) {
        float v = f16_to_f32((uint16_t)h);
        int e = h >> 10 & 31, m = h & 1023;
        if (e == 31 && m != 0) {
            assert_true(isnan(v) && isnan(f16_to_f32(f32_to_f16(v))));
            continue;
        }
        float want = e == 31 ? INFINITY : e == 0 ? ldexpf((float)m, -24) : ldexpf((float)(1024 + m), e - 25);
        assert_true(v == (h >> 15 ? -want : want) && (signbit(v) != 0) == (h >> 15 != 0));
        assert_int_equal(f32_to_f16(v), h);
    }
    assert_int_equal(f32_to_f16(1 + 0x1p-11f), 0x3c00); /* ties to even */
    assert_int_equal(f32_to_f16(1 + 3 * 0x1p-11f), 0x3c02);
    assert_int_equal(f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(f32_to_f16(65520), 0x7c00);
    assert_int_equal(f32_to_f16(0x1p-25f), 0);
    assert_int_equal(f32_to_f16(0x1.8p-25f), 1);
    assert_int_equal(f32_to_f16(-0x1.ffcp-15f), 0x8400); /* rounds up to the smallest normal number */
}

/* Every exponent and sign, at, below and above halfway; NaN and infinity among them. */
static void bf16_in_vectors_is_one_by_one(void **state)
{
    static const uint32_t LOW[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1234};
    enum { COUNT = (1 << 16) * 7 };
    float *x = malloc(COUNT * sizeof *x);
    uint16_t *want = malloc(COUNT * sizeof *want), *got = malloc((COUNT + 1) * sizeof *got);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t bits = i / 7 << 16 | LOW[i % 7];
        memcpy(&x[i], &bits, sizeof bits);
        want[i] = f32_to_bf16(x[i]);
    }
    void (*const narrow[])(uint16_t *, const float *, int64_t) = {
        cpu_narrow, cpu_level_supported("avx2") ? simd_avx2.narrow : cpu_narrow,
        cpu_level_supported("avx512") ? simd_avx512.narrow : cpu_narrow};
    for (int level = 0; level < 3; level++) {
        narrow[level](got, x, COUNT);
        assert_memory_equal(got, want, COUNT * sizeof *got);
        for (int n = 0; n < 40; n++) { /* not a number more than asked for, wherever it begins */
            got[n] = 0xabcd;
            narrow[level](got, x + 7 * n + 1, n);
            assert_memory_equal(got, want + 7 * n + 1, (size_t)n * sizeof *got);
            assert_int_equal(got[n], 0xabcd);
        }
    }
    free(x);
    free(want);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_is_the_written_out_arithmetic),
        cmocka_unit_test(encoding_is_near),
        cmocka_unit_test(blocks_round_trip),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(float8_is_exact),
        cmocka_unit_test(float16_is_exact),
        cmocka_unit_test(bf16_in_vectors_is_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
