#include "weights/quant.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/finite.h"

enum { SMALL = 32, LARGE = 256, HALF = 16 }; /* elements of a block; half of a small one */

static float load_f16(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return f16_to_f32(h);
}

/* Loops over these and over blocks are written so that a compiler makes vectors of them: no branches, no calls. */
static inline float float_of(uint32_t bits)
{
    union {
        uint32_t u;
        float f;
    } v = {bits};
    return v.f;
}

static inline uint32_t bits_of(float f)
{
    union {
        float f;
        uint32_t u;
    } v = {f};
    return v.u;
}

static inline float e4m3_to_f32(uint8_t b)
{
    uint32_t sign = (uint32_t)(b & 128) << 24, rest = b & 127;
    uint32_t normal = (rest << 20) + (120u << 23), tiny = bits_of((float)rest * 0x1p-9f);
    uint32_t v = rest < 8 ? tiny : normal;
    return float_of(sign | (rest == 127 ? 0x7fc00000u : v)); /* 127 is the one NaN; there is no infinity */
}

static inline float e5m2_to_f32(uint8_t b)
{
    uint32_t sign = (uint32_t)(b & 128) << 24, rest = b & 127;
    uint32_t normal = (rest << 21) + (112u << 23), tiny = bits_of((float)rest * 0x1p-16f);
    uint32_t v = rest < 4 ? tiny : normal;
    return float_of(sign | (rest >= 124 ? 0x7f800000u | (rest & 3) << 21 : v));
}

/* --- widening: one block each --- */

static void decode_q8_0(const uint8_t *b, float *out)
{
    float d = load_f16(b);
    for (int i = 0; i < SMALL; i++)
        out[i] = d * (int8_t)b[2 + i];
}

/* Element i is the low half of byte i, element i + 16 the high half. */
static void decode_q4_0(const uint8_t *b, float *out)
{
    float d = load_f16(b);
    for (int i = 0; i < HALF; i++) {
        out[i] = d * (float)((b[2 + i] & 15) - 8);
        out[i + HALF] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

static void decode_q4_1(const uint8_t *b, float *out)
{
    float d = load_f16(b), m = load_f16(b + 2);
    for (int i = 0; i < HALF; i++) {
        out[i] = d * (float)(b[4 + i] & 15) + m;
        out[i + HALF] = d * (float)(b[4 + i] >> 4) + m;
    }
}

/* Bit i as 16 or 0. */
static inline void spread(uint32_t bits, uint8_t out[SMALL])
{
    for (int i = 0; i < SMALL; i++)
        out[i] = (uint8_t)((bits >> i & 1) << 4);
}

/* As with 4 bits; the fifth ones are together in 32 bits. */
static void decode_q5_0(const uint8_t *b, float *out)
{
    float d = load_f16(b);
    uint32_t high;
    memcpy(&high, b + 2, 4);
    uint8_t fifth[SMALL];
    spread(high, fifth);
    for (int i = 0; i < HALF; i++) {
        out[i] = d * (float)(((b[6 + i] & 15) | fifth[i]) - 16);
        out[i + HALF] = d * (float)(((b[6 + i] >> 4) | fifth[i + HALF]) - 16);
    }
}

static void decode_q5_1(const uint8_t *b, float *out)
{
    float d = load_f16(b), m = load_f16(b + 2);
    uint32_t high;
    memcpy(&high, b + 4, 4);
    uint8_t fifth[SMALL];
    spread(high, fifth);
    for (int i = 0; i < HALF; i++) {
        out[i] = d * (float)((b[8 + i] & 15) | fifth[i]) + m;
        out[i + HALF] = d * (float)((b[8 + i] >> 4) | fifth[i + HALF]) + m;
    }
}

/* Scale and minimum of sub-block j of 8, 6 bits each, in 12 bytes. */
static void unpack_scales(const uint8_t s[12], int j, int *scale, int *min)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *min = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
        *min = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
    }
}

/* d * scale * q - dmin * min; sub-blocks 2p and 2p + 1 are the low and high halves of the same 32 bytes.
 * high: the fifth bits of element i of all sub-blocks, one bit each, or NULL. */
static void decode_k(const uint8_t *b, const uint8_t *high, const uint8_t *q, float *out)
{
    float d = load_f16(b), dmin = load_f16(b + 2);
    for (int j = 0; j < LARGE / SMALL; j++, out += SMALL) {
        int scale, min;
        unpack_scales(b + 4, j, &scale, &min);
        float a = d * (float)scale, m = dmin * (float)min;
        const uint8_t *bytes = q + j / 2 * SMALL;
        int shift = j % 2 * 4;
        for (int i = 0; i < SMALL; i++) {
            int v = (bytes[i] >> shift & 15) | (high != NULL ? (high[i] >> j & 1) << 4 : 0);
            out[i] = a * (float)v - m;
        }
    }
}

static void decode_q4_k(const uint8_t *b, float *out)
{
    decode_k(b, NULL, b + 16, out);
}

static void decode_q5_k(const uint8_t *b, float *out)
{
    decode_k(b, b + 16, b + 48, out);
}

/* 128 bytes of low halves, 64 of high pairs of bits, 16 signed scales, d. Each half of the block: four runs
 * of 32 elements; runs 0 and 1 have the low, 2 and 3 the high halves of 64 bytes; run r has pair r of 32
 * bytes. */
static void decode_q6_k(const uint8_t *b, float *out)
{
    const int8_t *scales = (const int8_t *)(b + 192);
    float d = load_f16(b + 208);
    for (int half = 0; half < 2; half++)
        for (int run = 0; run < 4; run++) {
            const uint8_t *low = b + half * 64 + run % 2 * 32, *high = b + 128 + half * 32;
            int shift = run / 2 * 4;
            for (int part = 0; part < 32; part += 16, out += 16) {
                float a = d * (float)scales[half * 8 + run * 2 + part / 16];
                for (int i = 0; i < 16; i++) {
                    int v = (low[part + i] >> shift & 15) | (high[part + i] >> run * 2 & 3) << 4;
                    out[i] = a * (float)(v - 32);
                }
            }
        }
}

/* --- narrowing: one block each --- */

static bool store_f16(float v, uint8_t *p)
{
    uint16_t h = f32_to_f16(v);
    memcpy(p, &h, 2);
    return (h & 0x7c00) != 0x7c00;
}

static float inverse(float d)
{
    return d != 0 ? 1 / d : 0;
}

/* NaN, from a scale that overflowed, is low. */
static int clamp(float v, int low, int high)
{
    v = nearbyintf(v);
    return !(v > (float)low) ? low : v >= (float)high ? high : (int)v;
}

/* The number of greatest magnitude, with its sign. */
static float extreme(const float *x, int n)
{
    float v = 0;
    for (int i = 0; i < n; i++)
        v = fabsf(x[i]) > fabsf(v) ? x[i] : v;
    return v;
}

static bool encode_q8_0(const float *x, uint8_t *b)
{
    float d = fabsf(extreme(x, SMALL)) / 127;
    bool ok = store_f16(d, b);
    float scale = inverse(load_f16(b));
    for (int i = 0; i < SMALL; i++)
        b[2 + i] = (uint8_t)clamp(x[i] * scale, -127, 127);
    return ok;
}

/* levels 16: q[i] into 4 bits of qs; 32: and the fifth into high. */
static void put_small(const float *x, float d, float base, int levels, uint8_t *high, uint8_t *qs)
{
    float scale = inverse(d);
    uint32_t fifth = 0;
    memset(qs, 0, HALF);
    for (int i = 0; i < SMALL; i++) {
        int q = clamp((x[i] - base) * scale, 0, levels - 1);
        qs[i % HALF] |= (uint8_t)((q & 15) << (i / HALF * 4));
        fifth |= (uint32_t)(q >> 4) << i;
    }
    if (high != NULL)
        memcpy(high, &fifth, 4);
}

/* Around zero: the extreme number takes the lowest level, which has no opposite. */
static bool encode_around_zero(const float *x, int levels, uint8_t *b, uint8_t *high, uint8_t *qs)
{
    bool ok = store_f16(extreme(x, SMALL) / (float)(-levels / 2), b);
    float d = load_f16(b);
    put_small(x, d, -d * (float)(levels / 2), levels, high, qs);
    return ok;
}

static bool encode_from_min(const float *x, int levels, uint8_t *b, uint8_t *high, uint8_t *qs)
{
    float low = x[0], top = x[0];
    for (int i = 1; i < SMALL; i++) {
        low = x[i] < low ? x[i] : low;
        top = x[i] > top ? x[i] : top;
    }
    bool ok = store_f16((top - low) / (float)(levels - 1), b);
    ok = store_f16(low, b + 2) && ok;
    put_small(x, load_f16(b), load_f16(b + 2), levels, high, qs);
    return ok;
}

static bool encode_q4_0(const float *x, uint8_t *b)
{
    return encode_around_zero(x, 16, b, NULL, b + 2);
}

static bool encode_q4_1(const float *x, uint8_t *b)
{
    return encode_from_min(x, 16, b, NULL, b + 4);
}

static bool encode_q5_0(const float *x, uint8_t *b)
{
    return encode_around_zero(x, 32, b, b + 2, b + 6);
}

static bool encode_q5_1(const float *x, uint8_t *b)
{
    return encode_from_min(x, 32, b, b + 4, b + 8);
}

/* x ~ scale * q - min with q in 0 .. levels - 1 and min >= 0 (the format has no other). */
typedef struct Fit {
    float scale, min, error;
} Fit;

/* The best scale and min, by least squares, for the levels that the guess gives. */
static Fit refine(const float *x, int levels, Fit guess)
{
    double n = SMALL, sq = 0, sqq = 0, sx = 0, sxq = 0;
    float scale = inverse(guess.scale);
    int q[SMALL];
    for (int i = 0; i < SMALL; i++) {
        q[i] = clamp((x[i] + guess.min) * scale, 0, levels - 1);
        sq += q[i];
        sqq += (double)q[i] * q[i];
        sx += x[i];
        sxq += (double)x[i] * q[i];
    }
    double det = n * sqq - sq * sq;
    Fit f = guess;
    if (det > 0) {
        f.scale = (float)((n * sxq - sq * sx) / det);
        f.min = (float)-((sqq * sx - sq * sxq) / det);
    }
    if (f.min < 0) {
        f.min = 0;
        f.scale = sqq > 0 ? (float)(sxq / sqq) : 0;
    }
    f.error = 0;
    for (int i = 0; i < SMALL; i++) {
        float e = f.scale * (float)q[i] - f.min - x[i];
        f.error += e * e;
    }
    return f;
}

static Fit fit_sub_block(const float *x, int levels)
{
    float low = 0, top = x[0];
    for (int i = 0; i < SMALL; i++) {
        low = x[i] < low ? x[i] : low;
        top = x[i] > top ? x[i] : top;
    }
    Fit best = {0, -low, INFINITY};
    if (top <= low) /* all zero, or all the same negative number */
        return best;
    for (int step = -4; step <= 8; step++) { /* a range a little narrower or wider than that of the numbers */
        Fit f = refine(x, levels, (Fit){(top - low) / ((float)(levels - 1) + 0.1f * (float)step), -low, 0});
        if (f.scale > 0 && f.error < best.error)
            best = f;
    }
    return best;
}

static void pack_scales(uint8_t s[12], const int scale[8], const int min[8])
{
    for (int j = 0; j < 4; j++) {
        s[j] = (uint8_t)(scale[j] | (scale[j + 4] >> 4) << 6);
        s[j + 4] = (uint8_t)(min[j] | (min[j + 4] >> 4) << 6);
        s[j + 8] = (uint8_t)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
    }
}

static bool encode_k(const float *x, int levels, uint8_t *b, uint8_t *high, uint8_t *qs)
{
    enum { SUBS = LARGE / SMALL };
    Fit fit[SUBS];
    float top_scale = 0, top_min = 0;
    for (int j = 0; j < SUBS; j++) {
        fit[j] = fit_sub_block(x + j * SMALL, levels);
        top_scale = fmaxf(top_scale, fit[j].scale);
        top_min = fmaxf(top_min, fit[j].min);
    }
    bool ok = store_f16(top_scale / 63, b);
    ok = store_f16(top_min / 63, b + 2) && ok;
    float d = load_f16(b), dmin = load_f16(b + 2);
    int scale[SUBS], min[SUBS];
    memset(qs, 0, LARGE / 2);
    if (high != NULL)
        memset(high, 0, SMALL);
    for (int j = 0; j < SUBS; j++) {
        scale[j] = clamp(fit[j].scale * inverse(d), 0, 63);
        min[j] = clamp(fit[j].min * inverse(dmin), 0, 63);
        float to_level = inverse(d * (float)scale[j]);
        for (int i = 0; i < SMALL; i++) {
            int q = clamp((x[j * SMALL + i] + dmin * (float)min[j]) * to_level, 0, levels - 1);
            qs[j / 2 * SMALL + i] |= (uint8_t)((q & 15) << (j % 2 * 4));
            if (high != NULL)
                high[i] |= (uint8_t)(q >> 4 << j);
        }
    }
    pack_scales(b + 4, scale, min);
    return ok;
}

static bool encode_q4_k(const float *x, uint8_t *b)
{
    return encode_k(x, 16, b, NULL, b + 16);
}

static bool encode_q5_k(const float *x, uint8_t *b)
{
    return encode_k(x, 32, b, b + 16, b + 48);
}

static bool encode_q6_k(const float *x, uint8_t *b)
{
    enum { SUBS = 16 };
    float scale[SUBS], top = 0;
    for (int j = 0; j < SUBS; j++) {
        scale[j] = extreme(x + j * 16, 16) / -32;
        top = fabsf(scale[j]) > fabsf(top) ? scale[j] : top;
    }
    bool ok = store_f16(top / -128, b + 208);
    float d = load_f16(b + 208);
    memset(b, 0, 192);
    for (int e = 0; e < LARGE; e++) {
        int half = e / 128, run = e % 128 / 32, i = e % 32;
        int s = clamp(scale[e / 16] * inverse(d), -128, 127);
        b[192 + e / 16] = (uint8_t)s;
        int q = clamp(x[e] * inverse(d * (float)s), -32, 31) + 32;
        b[half * 64 + run % 2 * 32 + i] |= (uint8_t)((q & 15) << run / 2 * 4);
        b[128 + half * 32 + i] |= (uint8_t)(q >> 4 << run * 2);
    }
    return ok;
}

/* 16 runs of 16 elements, each with a scale and a minimum of 4 bits. Two bits of an element lie in byte e % 32 of its half,
 * at 2 * (e / 32 % 4). */
static void decode_q2_k(const uint8_t *b, float *out)
{
    float d = load_f16(b + 80), dmin = load_f16(b + 82);
    const uint8_t *qs = b + 16;
    for (int run = 0; run < 16; run++) {
        float scale = d * (float)(b[run] & 15), min = dmin * (float)(b[run] >> 4);
        const uint8_t *q = qs + run / 8 * 32 + run % 2 * 16;
        int shift = run / 2 % 4 * 2;
        for (int i = 0; i < 16; i++)
            out[run * 16 + i] = scale * (float)(q[i] >> shift & 3) - min;
    }
}

/* The scale of run r less 32: its low 4 bits are in byte r % 8, the high 2 in byte 8 + r % 4. */
static int scale_q3_k(const uint8_t s[12], int r)
{
    return ((s[r % 8] >> r / 8 * 4 & 15) | (s[8 + r % 4] >> r / 4 * 2 & 3) << 4) - 32;
}

/* As Q2_K, without minimum; where the third bit, e / 32 of byte e % 32, is not set, 4 is taken away. */
static void decode_q3_k(const uint8_t *b, float *out)
{
    float d = load_f16(b + 108);
    const uint8_t *qs = b + 32;
    for (int run = 0; run < 16; run++) {
        float scale = d * (float)scale_q3_k(b + 96, run);
        const uint8_t *q = qs + run / 8 * 32 + run % 2 * 16, *high = b + run % 2 * 16;
        int shift = run / 2 % 4 * 2, bit = run / 2;
        for (int i = 0; i < 16; i++)
            out[run * 16 + i] = scale * (float)((q[i] >> shift & 3) - (high[i] >> bit & 1 ? 0 : 4));
    }
}

/* --- all types --- */

static const struct {
    void (*decode)(const uint8_t *block, float *out);
    bool (*encode)(const float *x, uint8_t *block);
} BLOCKS[DTYPE_COUNT] = {
    [DTYPE_Q8_0] = {decode_q8_0, encode_q8_0}, [DTYPE_Q4_0] = {decode_q4_0, encode_q4_0},
    [DTYPE_Q4_1] = {decode_q4_1, encode_q4_1}, [DTYPE_Q5_0] = {decode_q5_0, encode_q5_0},
    [DTYPE_Q5_1] = {decode_q5_1, encode_q5_1}, [DTYPE_Q4_K] = {decode_q4_k, encode_q4_k},
    [DTYPE_Q5_K] = {decode_q5_k, encode_q5_k}, [DTYPE_Q6_K] = {decode_q6_k, encode_q6_k},
    [DTYPE_Q2_K] = {decode_q2_k, NULL},        [DTYPE_Q3_K] = {decode_q3_k, NULL},
};

bool weight_is_number(DType dtype)
{
    return BLOCKS[dtype].decode != NULL || dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16 ||
           dtype == DTYPE_F64 || dtype == DTYPE_F8_E4M3 || dtype == DTYPE_F8_E5M2;
}

/* Types without blocks. */
static void widen_numbers(DType dtype, const uint8_t *p, int64_t n, float *out)
{
    uint16_t h;
    double d;
    switch (dtype) {
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) {
            memcpy(&h, p + 2 * i, 2);
            out[i] = bf16_to_f32(h);
        }
        break;
    case DTYPE_F64:
        for (int64_t i = 0; i < n; i++) {
            memcpy(&d, p + 8 * i, 8);
            out[i] = (float)d;
        }
        break;
    case DTYPE_F8_E4M3:
        for (int64_t i = 0; i < n; i++)
            out[i] = e4m3_to_f32(p[i]);
        break;
    case DTYPE_F8_E5M2:
        for (int64_t i = 0; i < n; i++)
            out[i] = e5m2_to_f32(p[i]);
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            out[i] = load_f16(p + 2 * i);
    }
}

void weight_decode(DType dtype, const void *src, int64_t n, float *out)
{
    assert(weight_is_number(dtype) && n % dtype_block(dtype) == 0);
    const uint8_t *p = src;
    size_t size = dtype_size(dtype);
    if (dtype == DTYPE_F32)
        memcpy(out, p, (size_t)n * size);
    else if (BLOCKS[dtype].decode != NULL)
        for (int64_t i = 0; i < n; i += dtype_block(dtype), p += size)
            BLOCKS[dtype].decode(p, out + i);
    else
        widen_numbers(dtype, p, n, out);
}

bool weight_is_finite(DType dtype, const void *src, int64_t n)
{
    enum { PART = 4096 }; /* a multiple of every block */
    float wide[PART];
    if (!weight_is_number(dtype))
        return true;
    if (dtype == DTYPE_F32 && (uintptr_t)src % sizeof(float) == 0)
        return all_finite(src, (size_t)n);
    for (int64_t at = 0, count; at < n; at += count) {
        count = n - at < PART ? n - at : PART;
        weight_decode(dtype, (const uint8_t *)src + (size_t)(at / dtype_block(dtype)) * dtype_size(dtype), count, wide);
        if (!all_finite(wide, (size_t)count))
            return false;
    }
    return true;
}

/* To nearest, ties to even; beyond 448 it saturates, as everybody's conversion does. */
static uint8_t f32_to_e4m3(float f)
{
    uint8_t sign = signbit(f) ? 128 : 0;
    float v = fabsf(f);
    if (isnan(v))
        return sign | 127;
    if (v >= 464) /* halfway to what would be 480 */
        return sign | 126;
    int exponent = v < 0x1p-6f ? -6 : ilogbf(v);
    int code = (int)nearbyintf(ldexpf(v, 3 - exponent)); /* 0 .. 16; a carry runs into the exponent */
    code += (exponent + 6) * 8;
    return sign | (uint8_t)(code > 126 ? 126 : code);
}

static void narrow_to_bf16(const float *src, int64_t n, uint8_t *p)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = bits_of(src[i]), rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
        uint16_t h = (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 64 : rounded); /* a NaN stays one */
        memcpy(p + 2 * i, &h, 2);
    }
}

static void narrow_one(DType dtype, float v, uint8_t *p)
{
    uint16_t h = f32_to_f16(v);
    if (dtype == DTYPE_F8_E4M3) {
        *p = f32_to_e4m3(v);
    } else if (dtype == DTYPE_F8_E5M2) { /* of the F16, rounded once more: at most half a step of F16 off */
        uint16_t rounded = (uint16_t)(h + 127 + (h >> 8 & 1));
        *p = (h & 0x7fff) > 0x7c00 ? (uint8_t)(h >> 8 | 2) : (uint8_t)(rounded >> 8);
    } else {
        memcpy(p, &h, 2);
    }
}

bool weight_encode(DType dtype, const float *src, int64_t n, void *out)
{
    assert(weight_is_number(dtype) && dtype != DTYPE_F64 && n % dtype_block(dtype) == 0);
    uint8_t *p = out;
    size_t size = dtype_size(dtype);
    if (dtype == DTYPE_F32) {
        memcpy(p, src, (size_t)n * size);
        return true;
    }
    if (dtype == DTYPE_BF16) {
        narrow_to_bf16(src, n, p);
        return true;
    }
    if (BLOCKS[dtype].decode != NULL && BLOCKS[dtype].encode == NULL)
        return false; /* only read */
    if (BLOCKS[dtype].encode == NULL) {
        for (int64_t i = 0; i < n; i++, p += size)
            narrow_one(dtype, src[i], p);
        return true;
    }
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(src[i]))
            return false;
    for (int64_t i = 0; i < n; i += dtype_block(dtype), p += size)
        if (!BLOCKS[dtype].encode(src + i, p))
            return false;
    return true;
}
