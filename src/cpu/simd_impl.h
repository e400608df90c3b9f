/* The vector functions, compiled once per level: the including file defines W (floats in a vector),
 * SIMD_NAME, and the few operations that C's vector extensions lack: vmax, load_f16. SIMD_PANELS, if it is defined, names the
 * level's own multiply and what goes with it in a MiniGemm, SIMD_KEYS its keys. */
#include <string.h>

#include "cpu/simd.h"

typedef float VF __attribute__((vector_size(4 * W)));
typedef int32_t VI __attribute__((vector_size(4 * W)));
typedef uint32_t VU __attribute__((vector_size(4 * W)));
typedef float Unaligned __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef uint16_t Half __attribute__((vector_size(2 * W)));
typedef uint16_t UnalignedHalf __attribute__((vector_size(2 * W), aligned(2), may_alias));

static inline VF vmax(VF a, VF b);
static inline VF load_f16(const uint16_t *p);

static inline VF load(const float *p)
{
    return *(const Unaligned *)p;
}

static inline void store(float *p, VF v)
{
    *(Unaligned *)p = v;
}

static inline VF splat(float v)
{
    return v - (VF){0};
}

/* The last n < W of a row; the other lanes are zero. */
static inline VF load_part(const float *p, int64_t n)
{
    VF v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

static inline void store_part(float *p, VF v, int64_t n)
{
    memcpy(p, &v, (size_t)n * sizeof *p);
}

static inline VF choose(VI mask, VF a, VF b)
{
    return (VF)((mask & (VI)a) | (~mask & (VI)b));
}

/* Lanes moved round by 8, 4, 2 and 1. */
#if W == 16
#define ROUND_8 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7
#define ROUND_4 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3
#define ROUND_2 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1
#define ROUND_1 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0
#else
#define ROUND_8 0, 1, 2, 3, 4, 5, 6, 7
#define ROUND_4 4, 5, 6, 7, 0, 1, 2, 3
#define ROUND_2 2, 3, 4, 5, 6, 7, 0, 1
#define ROUND_1 1, 2, 3, 4, 5, 6, 7, 0
#endif

static inline float sum_lanes(VF v)
{
    if (W == 16)
        v += __builtin_shufflevector(v, v, ROUND_8);
    v += __builtin_shufflevector(v, v, ROUND_4);
    v += __builtin_shufflevector(v, v, ROUND_2);
    v += __builtin_shufflevector(v, v, ROUND_1);
    return v[0];
}

static inline float max_lanes(VF v)
{
    v = vmax(v, __builtin_shufflevector(v, v, ROUND_8));
    v = vmax(v, __builtin_shufflevector(v, v, ROUND_4));
    v = vmax(v, __builtin_shufflevector(v, v, ROUND_2));
    v = vmax(v, __builtin_shufflevector(v, v, ROUND_1));
    return v[0];
}

/* e^x: x = n ln 2 + r, a polynomial for e^r (Cephes expf), times 2^n. NaN stays NaN; above 88 the result is about
 * 2e38, below -80 it is 0: what is smaller soon makes denormal numbers, which are slow. */
static inline VF vexp(VF x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    VI small = x < splat(-80.0f);
    x = choose(small, splat(-80.0f), x);
    x = choose(x > splat(88.0f), splat(88.0f), x);
    VF shifted = x * 1.44269504088896341f + magic;
    VF n = shifted - magic;
    VF r = x - n * 0.693359375f + n * 2.12194440e-4f;
    VF p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    VI bits = (VI)shifted << 23; /* the low bits of the sum are n */
    return (VF)(~small & (VI)(p * (VF)(bits + (127 << 23))));
}

/* 0 below -80. */
static inline VF sigmoid(VF x)
{
    return (VF)(~(x < splat(-80.0f)) & (VI)(1.0f / (1.0f + vexp(-x))));
}

/* erf(z) = 1 - poly(t) exp(-z^2), t = 1 / (1 + p z) (Abramowitz and Stegun 7.1.26, within 1.5e-7); gauss is
 * exp(-z^2). */
static inline VF verf(VF z, VF gauss)
{
    VF a = choose(z < 0.0f, -z, z), t = 1.0f / (1.0f + 0.3275911f * a);
    VF p =
        t * (t * (t * (t * (t * 1.061405429f - 1.453152027f) + 1.421413741f) - 0.284496736f) + 0.254829592f);
    VF e = 1.0f - p * gauss;
    return choose(z < 0.0f, -e, e);
}

static inline VF activate(Unary kind, VF x)
{
    switch (kind) {
    case UNARY_SILU:
        return x * sigmoid(x);
    case UNARY_GELU_TANH: /* (1 + tanh u) / 2 is sigmoid(2 u) */
        return x * sigmoid(1.59576912160573f * (x + 0.044715f * x * x * x));
    case UNARY_GELU_ERF:
        return 0.5f * x * (1.0f + verf(x * 0.707106781186548f, vexp(-0.5f * x * x)));
    case UNARY_ABS:
        return (VF)((VI)x & 0x7fffffff);
    case UNARY_RELU:
        return vmax(x, splat(0.0f));
    case UNARY_RELU6:
        x = vmax(x, splat(0.0f));
        return choose(x > splat(6.0f), splat(6.0f), x);
    default:
        return x;
    }
}

static inline VF slope(Unary kind, VF x)
{
    VF s, one = splat(1.0f), zero = {0};
    switch (kind) {
    case UNARY_SILU:
        s = sigmoid(x);
        return s * (1.0f + x * (1.0f - s));
    case UNARY_GELU_TANH:
        s = sigmoid(1.59576912160573f * (x + 0.044715f * x * x * x));
        return s + x * s * (1.0f - s) * (1.59576912160573f + 0.2140644488f * x * x);
    case UNARY_GELU_ERF:
        s = vexp(-0.5f * x * x);
        return 0.5f * (1.0f + verf(x * 0.707106781186548f, s)) + 0.398942280401433f * x * s;
    case UNARY_ABS:
        return choose(x > zero, one, choose(x < zero, -one, zero));
    case UNARY_RELU:
        return choose(x > zero, one, zero);
    case UNARY_RELU6:
        return choose(x > zero, choose(x < splat(6.0f), one, zero), zero);
    default:
        return one;
    }
}

/* A loop over whole vectors and one over the rest: BODY computes VF r from LOAD(pointer). */
#define EACH(n, BODY, out)                                                                                   \
    do {                                                                                                     \
        int64_t i = 0;                                                                                       \
        for (; i + W <= (n); i += W) {                                                                       \
            VF r;                                                                                            \
            BODY(LOAD_WHOLE);                                                                                \
            store((out) + i, r);                                                                             \
        }                                                                                                    \
        if (i < (n)) {                                                                                       \
            VF r;                                                                                            \
            int64_t left = (n)-i;                                                                            \
            BODY(LOAD_REST);                                                                                 \
            store_part((out) + i, r, left);                                                                  \
        }                                                                                                    \
    } while (0)
#define LOAD_WHOLE(p) load((p) + i)
#define LOAD_REST(p) load_part((p) + i, left)

static void add(float *out, const float *a, const float *b, int64_t n)
{
#define BODY(LOAD) r = LOAD(a) + LOAD(b)
    EACH(n, BODY, out);
#undef BODY
}

static void sub(float *out, const float *a, const float *b, int64_t n)
{
#define BODY(LOAD) r = LOAD(a) - LOAD(b)
    EACH(n, BODY, out);
#undef BODY
}

static void mul(float *out, const float *a, const float *b, int64_t n)
{
#define BODY(LOAD) r = LOAD(a) * LOAD(b)
    EACH(n, BODY, out);
#undef BODY
}

static void scale(float *out, const float *x, float factor, float offset, int64_t n)
{
#define BODY(LOAD) r = LOAD(x) * factor + offset
    EACH(n, BODY, out);
#undef BODY
}

static void unary(Unary kind, float *out, const float *x, int64_t n)
{
#define CASE(K)                                                                                              \
    case K:                                                                                                  \
        EACH(n, BODY, out);                                                                                  \
        break
    switch (kind) {
#define BODY(LOAD) r = activate(UNARY_SILU, LOAD(x))
        CASE(UNARY_SILU);
#undef BODY
#define BODY(LOAD) r = activate(UNARY_GELU_TANH, LOAD(x))
        CASE(UNARY_GELU_TANH);
#undef BODY
#define BODY(LOAD) r = activate(UNARY_GELU_ERF, LOAD(x))
        CASE(UNARY_GELU_ERF);
#undef BODY
#define BODY(LOAD) r = activate(UNARY_RELU6, LOAD(x))
        CASE(UNARY_RELU6);
#undef BODY
#define BODY(LOAD) r = activate(kind, LOAD(x))
    default:
        EACH(n, BODY, out);
#undef BODY
    }
}

static void unary_grad(Unary kind, float *out, const float *dy, const float *x, int64_t n)
{
    switch (kind) {
#define BODY(LOAD) r = LOAD(dy) * slope(UNARY_SILU, LOAD(x))
        CASE(UNARY_SILU);
#undef BODY
#define BODY(LOAD) r = LOAD(dy) * slope(UNARY_GELU_TANH, LOAD(x))
        CASE(UNARY_GELU_TANH);
#undef BODY
#define BODY(LOAD) r = LOAD(dy) * slope(UNARY_GELU_ERF, LOAD(x))
        CASE(UNARY_GELU_ERF);
#undef BODY
#define BODY(LOAD) r = LOAD(dy) * slope(kind, LOAD(x))
    default:
        EACH(n, BODY, out);
#undef BODY
    }
}

/* Adds up term(i) over n elements: two sums of vectors, then the rest, then the lanes. */
#define REDUCE(n, TERM, result)                                                                              \
    do {                                                                                                     \
        VF even = {0}, odd = {0};                                                                            \
        int64_t i = 0;                                                                                       \
        for (; i + 2 * W <= (n); i += W) {                                                                   \
            even += TERM(LOAD_WHOLE);                                                                        \
            i += W;                                                                                          \
            odd += TERM(LOAD_WHOLE);                                                                         \
        }                                                                                                    \
        for (; i < (n); i += W) {                                                                            \
            int64_t left = (n)-i < W ? (n)-i : W;                                                            \
            even += TERM(LOAD_REST);                                                                         \
        }                                                                                                    \
        (result) = sum_lanes(even + odd);                                                                    \
    } while (0)

static double sum(const float *x, int64_t n)
{
    double total = 0;
    for (; n > 0; x += 4096, n -= 4096) {
        float part;
#define TERM(LOAD) LOAD(x)
        REDUCE(n < 4096 ? n : 4096, TERM, part);
#undef TERM
        total += part;
    }
    return total;
}

static float dot(const float *a, const float *b, int64_t n)
{
    float result;
#define TERM(LOAD) (LOAD(a) * LOAD(b))
    REDUCE(n, TERM, result);
#undef TERM
    return result;
}

static void widen(float *out, const void *x, DType dtype, int64_t n)
{
    const uint16_t *p = x;
    for (int64_t i = 0; i < n; i += W) {
        uint16_t rest[W] = {0};
        int64_t left = n - i < W ? n - i : W;
        const uint16_t *from = p + i;
        if (left < W)
            from = memcpy(rest, from, (size_t)left * sizeof *from);
        VF v = dtype == DTYPE_F16 ? load_f16(from)
                                  : (VF)(__builtin_convertvector(*(const UnalignedHalf *)from, VI) << 16);
        if (left < W)
            store_part(out + i, v, left);
        else
            store(out + i, v);
    }
}

/* Each float to the nearest BF16, ties to even; a NaN stays one. */
static inline Half round_bf16(VF v)
{
    VU u = (VU)v, rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    VI nan = (VI)(u & 0x7fffffff) > 0x7f800000;
    return __builtin_convertvector((VU)choose(nan, (VF)((u >> 16) | 64), (VF)rounded), Half);
}

static void narrow(uint16_t *out, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        *(UnalignedHalf *)(out + i) = round_bf16(load(x + i));
    Half last = round_bf16(load_part(x + i, n - i));
    memcpy(out + i, &last, (size_t)(n - i) * sizeof *out);
}

static float bias_max(float *s, float factor, const float *bias, int64_t n)
{
    VF max = splat(-3.4e38f);
    for (int64_t i = 0; i < n; i += W) {
        int64_t left = n - i;
        VF v = left < W ? load_part(s + i, left) : load(s + i);
        v *= factor;
        if (bias != NULL)
            v += left < W ? load_part(bias + i, left) : load(bias + i);
        if (left < W) {
            store_part(s + i, v, left);
            for (int64_t j = left; j < W; j++)
                v[j] = v[0];
        } else {
            store(s + i, v);
        }
        max = vmax(v, max);
    }
    return max_lanes(max);
}

static float max_of(const float *x, int64_t n)
{
    VF max = splat(-3.4e38f);
    int64_t i = 0;
    for (; i + W <= n; i += W)
        max = vmax(load(x + i), max);
    float most = max_lanes(max);
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static float exp_sum(float *s, float max, int64_t n, int64_t padded)
{
    VF total = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        VF e = vexp(load(s + i) - max);
        store(s + i, e);
        total += e;
    }
    if (i < n) {
        VF e = vexp(load_part(s + i, n - i) - max);
        store_part(s + i, e, n - i);
        total += load_part(s + i, n - i);
    }
    if (padded > n)
        memset(s + n, 0, (size_t)(padded - n) * sizeof *s);
    return sum_lanes(total);
}

static float pack_weights(void *out, const ScoreRow *row)
{
    float *weights = out;
    scale(weights, row->scores, row->factor, 0.0f, row->n);
    return exp_sum(weights, row->max, row->n, row->padded);
}

static void softmax(float *out, const float *x, int64_t n)
{
    if (out != x)
        memcpy(out, x, (size_t)n * sizeof *x);
    float max = bias_max(out, 1.0f, NULL, n);
    scale(out, out, 1.0f / exp_sum(out, max, n, n), 0.0f, n);
}

static void score_grad(float *out, const float *p, const float *dp, float d, int64_t n, int64_t padded)
{
#define BODY(LOAD) r = LOAD(p) * (LOAD(dp) - d)
    EACH(n, BODY, out);
#undef BODY
    if (padded > n)
        memset(out + n, 0, (size_t)(padded - n) * sizeof *out);
}

static void softmax_grad(float *out, const float *dy, const float *y, int64_t n)
{
    score_grad(out, y, dy, dot(dy, y, n), n, n);
}

static inline float square_root(float x)
{
    return __builtin_sqrtf(x);
}

static RowScale measure(Norm kind, float eps, const float *x, int64_t n)
{
    float mean = 0, squares;
    if (kind == NORM_LAYER) {
#define TERM(LOAD) LOAD(x)
        REDUCE(n, TERM, mean);
#undef TERM
        mean /= (float)n;
        VF total = {0};
        int64_t i = 0;
        for (; i + W <= n; i += W) {
            VF v = load(x + i) - mean;
            total += v * v;
        }
        squares = sum_lanes(total);
        for (; i < n; i++)
            squares += (x[i] - mean) * (x[i] - mean);
    } else {
        squares = dot(x, x, n);
    }
    if (kind == NORM_L2) {
        float length = square_root(squares);
        return (RowScale){0, square_root((float)n) / (length > eps ? length : eps)};
    }
    return (RowScale){mean, 1 / square_root(squares / (float)n + eps)};
}

static void normalise(float *out, const float *x, RowScale s, const float *w, float one, const float *b,
                      int64_t n)
{
    if (w != NULL && b != NULL) {
#define BODY(LOAD) r = (LOAD(x) - s.shift) * s.factor * (LOAD(w) + one) + LOAD(b)
        EACH(n, BODY, out);
#undef BODY
    } else if (w != NULL) {
#define BODY(LOAD) r = (LOAD(x) - s.shift) * s.factor * (LOAD(w) + one)
        EACH(n, BODY, out);
#undef BODY
    } else if (b != NULL) {
#define BODY(LOAD) r = (LOAD(x) - s.shift) * s.factor + LOAD(b)
        EACH(n, BODY, out);
#undef BODY
    } else {
#define BODY(LOAD) r = (LOAD(x) - s.shift) * s.factor
        EACH(n, BODY, out);
#undef BODY
    }
}

static void norm_silu(float *out, const float *x, const float *w, int64_t rows, int64_t n)
{
    for (int64_t row = 0; row < rows; row++, x += n, out += n) {
        float factor = measure(NORM_L2, 1e-12f, x, n).factor;
#define BODY(LOAD) r = activate(UNARY_SILU, LOAD(x) * factor * LOAD(w))
        EACH(n, BODY, out);
#undef BODY
    }
}

/* w, the weights of the taps, stays in registers over all places. */
static inline __attribute__((always_inline)) void depthwise_lanes(const DepthwiseRow *row, int count, Unary act, int64_t i, int64_t left)
{
    VF w[DEPTHWISE_TAPS], b = splat(0.0f);
    if (row->b != NULL)
        b = left < W ? load_part(row->b + i, left) : load(row->b + i);
    for (int k = 0; k < count; k++)
        w[k] = left < W ? load_part(row->w[k] + i, left) : load(row->w[k] + i);
    for (int64_t p = 0; p < row->places; p++) {
        VF r = b;
        for (int k = 0; k < count; k++)
            r += w[k] * (left < W ? load_part(row->x[k] + p * row->step + i, left) : load(row->x[k] + p * row->step + i));
        r = activate(act, r);
        if (left < W)
            store_part(row->y + p * row->n + i, r, left);
        else
            store(row->y + p * row->n + i, r);
    }
}

static void depthwise(const DepthwiseRow *row)
{
    int64_t i = 0;
    if (row->count == 9 && row->act == UNARY_RELU6) /* known to the compiler, which then unrolls it */
        for (; i + W <= row->n; i += W)
            depthwise_lanes(row, 9, UNARY_RELU6, i, W);
    for (; i < row->n; i += W)
        depthwise_lanes(row, row->count, row->act, i, row->n - i);
}

static void mul_add(float *total, const float *a, const float *b, int64_t n)
{
#define BODY(LOAD) r = LOAD(total) + LOAD(a) * LOAD(b)
    EACH(n, BODY, total);
#undef BODY
}

/* See ref_norm_grad. dx holds dy (w + one) at first. */
static void norm_grad(Norm kind, float eps, const NormGradRow *row, int64_t n)
{
    const float *dy = row->dy, *x = row->x, *w = row->w, *d = row->w ? row->dx : row->dy;
    float mean = 0, product, one = row->one;
    RowScale s = measure(kind, eps, x, n);
    if (row->dx != NULL) {
        if (w != NULL) {
#define BODY(LOAD) r = LOAD(dy) * (LOAD(w) + one)
            EACH(n, BODY, row->dx);
#undef BODY
        }
#define TERM(LOAD) LOAD(d)
        if (kind == NORM_LAYER)
            REDUCE(n, TERM, mean);
#undef TERM
        mean /= (float)n;
        product = dot(d, x, n) - s.shift * mean * (float)n;
        if (kind == NORM_L2 && s.factor * eps >= square_root((float)n))
            product = 0; /* shorter than eps: the factor is constant */
        float slope_x = product * s.factor * s.factor / (float)n;
#define BODY(LOAD) r = s.factor * (LOAD(d) - mean - (LOAD(x) - s.shift) * slope_x)
        EACH(n, BODY, row->dx);
#undef BODY
    }
    if (row->dw != NULL) {
#define BODY(LOAD) r = LOAD(row->dw) + LOAD(dy) * ((LOAD(x) - s.shift) * s.factor)
        EACH(n, BODY, row->dw);
#undef BODY
    }
    if (row->db != NULL)
        add(row->db, row->db, dy, n);
}

static void gate(float *out, const float *x, const float *y, const float *g, int64_t n)
{
#define BODY(LOAD) r = LOAD(x) + LOAD(y) * LOAD(g)
    EACH(n, BODY, out);
#undef BODY
}

#if W == 16
#define EVEN 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14
#define ODD 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15
#define SWAPPED 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
#else
#define EVEN 0, 0, 2, 2, 4, 4, 6, 6
#define ODD 1, 1, 3, 3, 5, 5, 7, 7
#define SWAPPED 1, 0, 3, 2, 5, 4, 7, 6
#endif

static void rope(float *out, const float *x, const float *table, int64_t d, int64_t n, float sign)
{
    VF signs;
    for (int i = 0; i < W; i++)
        signs[i] = i % 2 ? sign : -sign;
    for (int64_t h = 0; h < n; h += d) {
        int64_t i = 0;
        for (; i + W <= d; i += W) {
            VF v = load(x + h + i), t = load(table + i);
            VF c = __builtin_shufflevector(t, t, EVEN), s = __builtin_shufflevector(t, t, ODD) * signs;
            store(out + h + i, v * c + __builtin_shufflevector(v, v, SWAPPED) * s);
        }
        for (; i < d; i += 2) {
            float a = x[h + i], b = x[h + i + 1], c = table[i], s = table[i + 1] * sign;
            out[h + i] = a * c - b * s;
            out[h + i + 1] = b * c + a * s;
        }
    }
}

/* --- small products in F32: b is [k, n padded to 16] --- */

static void pack_a(void *out, const float *x, int64_t ld, int64_t rows, int64_t k, int64_t k_padded)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy((float *)out + r * k_padded, x + r * ld, (size_t)k * sizeof *x);
}

static void weigh(float *scores, const ScoreRow *row, const float *dp, float sums[2])
{
    sums[0] = pack_weights(scores, row);
    sums[1] = dot(scores, dp, row->n);
}

static void score_grads(const ScoreGrad *s)
{
    for (int64_t r = 0; r < s->rows; r++) {
        float *p = (float *)s->p_n + r * s->columns, *ds = (float *)s->ds_n + r * s->columns;
        scale(p, s->e + r * s->columns, s->inverse[r], 0, s->columns);
        score_grad(ds, p, s->dp + r * s->columns, s->d[r], s->columns, s->columns);
        memcpy((float *)s->ds + r * s->k, ds, (size_t)s->k * sizeof *ds);
        if (s->keep)
            memcpy(s->dp + r * s->columns, ds, (size_t)s->columns * sizeof *ds);
    }
}

static void transpose(float *out, const float *x, int64_t ld, int64_t k, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < k; i++)
            out[j * k + i] = x[i * ld + j];
}

static void pack_a_transposed(void *out, const float *x, int64_t ld, int64_t k, int64_t n, int64_t k_padded)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < k; i++)
            ((float *)out)[j * k_padded + i] = x[i * ld + j];
}

static void pack_b(void *out, const float *x, int64_t ld, int64_t k, int64_t n, bool transposed)
{
    int64_t padded = (n + 15) / 16 * 16;
    for (int64_t i = 0; i < k; i++) {
        float *row = (float *)out + i * padded;
        for (int64_t j = 0; j < n && transposed; j++)
            row[j] = x[j * ld + i];
        if (!transposed)
            memcpy(row, x + i * ld, (size_t)n * sizeof *x);
        memset(row + n, 0, (size_t)(padded - n) * sizeof *x);
    }
}

#ifndef SIMD_PANELS
/* rows x columns vectors of c. */
static inline __attribute__((always_inline)) void block(const MiniShape *s, const float *a, const float *b,
                                                        float *c, int rows, int columns)
{
    VF sum[4][4];
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < columns; j++)
            sum[r][j] = s->accumulate ? load(c + r * s->ldc + j * W) : (VF){0};
    for (int64_t k = 0; k < s->k; k++)
        for (int j = 0; j < columns; j++) {
            VF v = load(b + k * s->n + j * W);
            for (int r = 0; r < rows; r++)
                sum[r][j] += a[r * s->lda + k] * v;
        }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < columns; j++)
            store(c + r * s->ldc + j * W, sum[r][j]);
}

static void multiply(const MiniShape *s, const void *a, const void *b, float *c)
{
    for (int64_t j = 0; j < s->n; j += 2 * W) {
        bool wide = s->n - j >= 2 * W;
        int64_t r = 0;
        for (; r < s->m; r += r + 4 <= s->m ? 4 : 1) {
            const float *row = (const float *)a + r * s->lda, *column = (const float *)b + j;
            float *out = c + r * s->ldc + j;
            if (r + 4 <= s->m && wide)
                block(s, row, column, out, 4, 2);
            else if (r + 4 <= s->m)
                block(s, row, column, out, 4, 1);
            else if (wide)
                block(s, row, column, out, 1, 2);
            else
                block(s, row, column, out, 1, 1);
        }
    }
}

#define SIMD_PANELS .multiply = multiply
#define SIMD_KEYS 512
#endif

const Simd SIMD_NAME = {
    .add = add,
    .sub = sub,
    .mul = mul,
    .scale = scale,
    .unary = unary,
    .unary_grad = unary_grad,
    .sum = sum,
    .widen = widen,
    .narrow = narrow,
    .softmax = softmax,
    .softmax_grad = softmax_grad,
    .measure = measure,
    .normalise = normalise,
    .norm_silu = norm_silu,
    .norm_grad = norm_grad,
    .gate = gate,
    .depthwise = depthwise,
    .mul_add = mul_add,
    .rope = rope,
    .max = max_of,
    .bias_max = bias_max,
    .dot = dot,
    .f32 = {.size = 4,
            .k_unit = 1,
            .keys = SIMD_KEYS,
            .pack_a = pack_a,
            .pack_a_transposed = pack_a_transposed,
            .pack_b = pack_b,
            .pack_weights = pack_weights,
            .weigh = weigh,
            .score_grad = score_grads,
            .transpose = transpose,
            SIMD_PANELS},
};
