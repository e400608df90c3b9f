/* Products in int8 where they are exact: whole numbers up to 127, one of them in every row and column, so that every step
 * is 1 (or a power of two). How far they are off elsewhere is checked by tests/op. */
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
#include "tensor/ops.h"

/* Rows [rows, width] of whole numbers, 127 somewhere in each, times factor. */
static float *whole_numbers(int64_t rows, int64_t width, float factor, uint64_t seed)
{
    Rng rng;
    rng_init(&rng, seed, 0);
    float *x = malloc((size_t)(rows * width) * sizeof *x);
    assert_non_null(x);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < width; i++)
            x[r * width + i] = (float)(rng_int(&rng, 255) - 127) * factor;
        x[r * width + rng_int(&rng, (int)width)] = (r % 2 ? 127 : -127) * factor;
    }
    return x;
}

/* The best that this processor has, and what it would do if it had less. SORA_CPU may make them the same. */
static const CpuOptions INT8[] = {{.threads = 3, .precision = SORA_PRECISION_INT8},
                                  {.threads = 2, .precision = SORA_PRECISION_INT8, .level = "avx2"},
                                  {.threads = 3, .precision = SORA_PRECISION_INT8, .level = "avx2", .without_vnni = true}};
enum { INT8_COUNT = sizeof INT8 / sizeof INT8[0] };

/* The one that is tested and its slow twin. */
static void open_backends(const CpuOptions *options, Backend **int8, Backend **plain)
{
    SoraError err = {0};
    *int8 = cpu_backend_new(options, &err);
    if (*int8 == NULL && err.code == SORA_ERROR_UNSUPPORTED)
        skip(); /* SORA_CPU=reference */
    *plain = cpu_backend_new(&(CpuOptions){.threads = 1, .level = "reference"}, &err);
    assert_true(*int8 != NULL && *plain != NULL);
}

typedef struct Sizes {
    int64_t m, n, k;
    DType dtype; /* of the weights */
    Unary act;
} Sizes;

static float *linear(Backend *backend, const Sizes *s, const float *x, const void *w, const float *bias)
{
    SoraError err = {0};
    Graph *g = graph_new(backend);
    assert_non_null(g);
    Tensor *y = op_linear(g, graph_input(g, DTYPE_F32, SHAPE(s->m, s->k), x), graph_input(g, s->dtype, SHAPE(s->n, s->k), w),
                          bias ? graph_input(g, DTYPE_F32, SHAPE(s->n), bias) : NULL, s->act);
    float *out = malloc((size_t)(s->m * s->n) * sizeof *out);
    assert_non_null(out);
    graph_download(g, y, out);
    assert_true(graph_ok(g, &err));
    graph_free(g);
    return out;
}

static void check_whole_numbers(const CpuOptions *options)
{
    static const Sizes SIZES[] = {
        {256, 256, 256, DTYPE_F32, UNARY_NONE},  {300, 320, 300, DTYPE_F32, UNARY_NONE},
        {333, 576, 1000, DTYPE_BF16, UNARY_NONE}, {1281, 1088, 320, DTYPE_BF16, UNARY_GELU_TANH},
    };
    Backend *int8, *plain;
    open_backends(options, &int8, &plain);
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        const Sizes *s = &SIZES[i];
        float *x = whole_numbers(s->m, s->k, 0.5f, 2 * i), *w = whole_numbers(s->n, s->k, 0.0009765625f, 2 * i + 1);
        float *bias = i % 2 ? whole_numbers(1, s->n, 1, 99) : NULL;
        uint16_t *half = malloc((size_t)(s->n * s->k) * sizeof *half);
        for (int64_t k = 0; k < s->n * s->k; k++)
            half[k] = f32_to_bf16(w[k]); /* exact: 7 bits */
        const void *weights = s->dtype == DTYPE_BF16 ? (const void *)half : w;
        float *a = linear(int8, s, x, weights, bias), *b = linear(plain, s, x, weights, bias);
        for (int64_t k = 0; k < s->m * s->n; k++)
            if (!(fabsf(a[k] - b[k]) <= 4e-6f * fmaxf(1, fabsf(b[k]))))
                fail_msg("case %zu: element %lld is %.9g, expected %.9g", i, (long long)k, (double)a[k], (double)b[k]);
        free(x), free(w), free(bias), free(half), free(a), free(b);
    }
    cpu_backend_free(int8);
    cpu_backend_free(plain);
}

static void whole_numbers_are_exact(void **state)
{
    for (int i = 0; i < INT8_COUNT; i++)
        check_whole_numbers(&INT8[i]);
}

/* Sums are of whole numbers, so instructions may differ and results not. */
static void vnni_changes_nothing(void **state)
{
    static const Sizes SIZES[] = {{300, 320, 333, DTYPE_F32, UNARY_NONE},
                                  {299, 576, 2741, DTYPE_BF16, UNARY_SILU},
                                  {1000, 256, 300, DTYPE_F16, UNARY_NONE}};
    Backend *with, *without, *plain;
    open_backends(&INT8[1], &with, &plain);
    cpu_backend_free(plain);
    open_backends(&INT8[2], &without, &plain);
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        const Sizes *s = &SIZES[i];
        Rng rng;
        rng_init(&rng, 7, i);
        float *x = malloc((size_t)(s->m * s->k) * sizeof *x), *w = malloc((size_t)(s->n * s->k) * sizeof *w);
        uint16_t *half = malloc((size_t)(s->n * s->k) * sizeof *half);
        for (int64_t k = 0; k < s->m * s->k; k++)
            x[k] = (float)rng_normal(&rng);
        for (int64_t k = 0; k < s->n * s->k; k++) {
            w[k] = (float)rng_normal(&rng);
            half[k] = s->dtype == DTYPE_BF16 ? f32_to_bf16(w[k]) : (uint16_t)(0x3c00 - k % 1000 + (k % 7 == 0 ? 0x8000 : 0));
        }
        const void *weights = s->dtype == DTYPE_F32 ? (const void *)w : half;
        float *a = linear(with, s, x, weights, NULL), *b = linear(without, s, x, weights, NULL);
        assert_memory_equal(a, b, (size_t)(s->m * s->n) * sizeof *a);
        free(x), free(w), free(half), free(a), free(b);
    }
    cpu_backend_free(with);
    cpu_backend_free(without);
    cpu_backend_free(plain);
}

/* Keys [keys, width] in pairs whose sum is zero, so that there is no mean to take from them. */
static float *paired_keys(int64_t keys, int64_t width, uint64_t seed)
{
    float *x = whole_numbers(keys, width, 1, seed);
    for (int64_t r = 1; r < keys; r += 2)
        for (int64_t i = 0; i < width; i++)
            x[r * width + i] = -x[(r - 1) * width + i];
    return x;
}

typedef struct Scores {
    int64_t queries, keys, width;
    double deviation; /* of the scores */
} Scores;

static float *attend(Backend *backend, const Scores *s, const float *q, const float *k, const float *v)
{
    SoraError err = {0};
    const int32_t cu_q[] = {0, (int32_t)s->queries}, cu_k[] = {0, (int32_t)s->keys};
    Graph *g = graph_new(backend);
    assert_non_null(g);
    AttentionInputs in = {.q = graph_input(g, DTYPE_F32, SHAPE(s->queries, s->width), q),
                          .k = graph_input(g, DTYPE_F32, SHAPE(s->keys, s->width), k),
                          .v = graph_input(g, DTYPE_F32, SHAPE(s->keys, s->width), v),
                          .cu_q = graph_input(g, DTYPE_I32, SHAPE(2), cu_q),
                          .cu_k = graph_input(g, DTYPE_I32, SHAPE(2), cu_k),
                          .heads = 1,
                          .scale = s->deviation / (73.0 * 73.0 * sqrt((double)s->width))};
    float *out = malloc((size_t)(s->queries * s->width) * sizeof *out);
    assert_non_null(out);
    graph_download(g, op_attention(g, in), out);
    assert_true(graph_ok(g, &err));
    graph_free(g);
    return out;
}

/* Scores are then exact, and what is left is the rounding of weights and values, to BF16 at most. At a deviation of 150 the weights
 * cannot be taken against a guess from the first keys. */
static void check_scores(const CpuOptions *options)
{
    static const Scores SCORES[] = {{256, 256, 64, 1}, {301, 514, 72, 1}, {300, 1100, 128, 2}, {300, 1100, 64, 150}};
    Backend *int8, *plain;
    open_backends(options, &int8, &plain);
    for (size_t i = 0; i < sizeof SCORES / sizeof SCORES[0]; i++) {
        const Scores *s = &SCORES[i];
        float *q = whole_numbers(s->queries, s->width, 1, 3 * i), *k = paired_keys(s->keys, s->width, 3 * i + 1);
        float *v = whole_numbers(s->keys, s->width, 1, 3 * i + 2);
        float *a = attend(int8, s, q, k, v), *b = attend(plain, s, q, k, v);
        double squares = 0, worst = 0;
        for (int64_t e = 0; e < s->queries * s->width; e++) {
            squares += (double)b[e] * b[e];
            worst = fmax(worst, fabs((double)a[e] - b[e]));
        }
        double rms = sqrt(squares / (double)(s->queries * s->width));
        if (!(worst <= 0.03 * rms))
            fail_msg("case %zu: off by %g of the mean", i, worst / rms);
        free(q), free(k), free(v), free(a), free(b);
    }
    cpu_backend_free(int8);
    cpu_backend_free(plain);
}

static void scores_of_whole_numbers_are_exact(void **state)
{
    for (int i = 0; i < INT8_COUNT; i++)
        check_scores(&INT8[i]);
}

/* What attention is without rounding: within a hundredth, and there is rounding. Both instructions give the same bits. */
static void attention_is_near(void **state)
{
    static const Scores SCORES[] = {{257, 300, 96, 8000}, {261, 259, 40, 8000}};
    Backend *with, *without, *plain;
    open_backends(&INT8[1], &with, &plain);
    cpu_backend_free(plain);
    open_backends(&INT8[2], &without, &plain);
    for (size_t i = 0; i < sizeof SCORES / sizeof SCORES[0]; i++) {
        const Scores *s = &SCORES[i];
        int64_t nq = s->queries * s->width, nk = s->keys * s->width;
        float *x = malloc((size_t)(nq + 2 * nk) * sizeof *x), *q = x, *k = x + nq, *v = k + nk;
        Rng rng;
        rng_init(&rng, 8, i);
        for (int64_t e = 0; e < nq + 2 * nk; e++)
            x[e] = (float)rng_normal(&rng) + (float)(e % s->width); /* the mean differs by channel */
        for (int64_t e = 0; e < nq; e++)
            q[e] -= (float)(e % s->width);
        float *a = attend(with, s, q, k, v), *b = attend(without, s, q, k, v), *c = attend(plain, s, q, k, v);
        assert_memory_equal(a, b, (size_t)nq * sizeof *a);
        double squares = 0;
        for (int64_t e = 0; e < nq; e++)
            squares += pow((double)a[e] - c[e], 2);
        double off = sqrt(squares / (double)nq);
        if (!(off < 0.01 && off > 1e-6))
            fail_msg("case %zu: off by %g", i, off);
        free(x), free(a), free(b), free(c);
    }
    cpu_backend_free(with);
    cpu_backend_free(without);
    cpu_backend_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_numbers_are_exact),
                                       cmocka_unit_test(vnni_changes_nothing),
                                       cmocka_unit_test(scores_of_whole_numbers_are_exact),
                                       cmocka_unit_test(attention_is_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
