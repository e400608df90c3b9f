#include "cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Normal numbers, kept off zero, where |x| has a kink. */
static Tensor *leaf_of(Maker *m, DType dtype, int ndim, const int64_t *shape)
{
    Tensor plain = tensor_over(NULL, dtype, ndim, shape);
    int64_t n = tensor_numel(&plain);
    Leaf *leaf = &m->leaves[m->used];
    if (m->used++ == m->made) {
        m->made++;
        leaf->data = malloc((size_t)n * dtype_size(dtype) + 1);
        for (int64_t i = 0; i < n; i++) {
            float v = rng_normal(&m->rng);
            v += copysignf(0.05f, v);
            if (dtype == DTYPE_F32)
                ((float *)leaf->data)[i] = v;
            else if (dtype == DTYPE_BF16)
                ((uint16_t *)leaf->data)[i] = f32_to_bf16(v);
            else /* a half with exponent 2^-2 .. 2^1 */
                ((uint16_t *)leaf->data)[i] =
                    (uint16_t)((rng_u32(&m->rng) & 0x83ff) | (13 + rng_int(&m->rng, 4)) << 10);
        }
    }
    leaf->tensor = graph_view(m->g, leaf->data, dtype, ndim, shape);
    if (leaf->tensor != NULL)
        leaf->tensor->requires_grad = dtype == DTYPE_F32;
    return leaf->tensor;
}

static Tensor *leaf(Maker *m, int ndim, const int64_t *shape)
{
    return leaf_of(m, DTYPE_F32, ndim, shape);
}

static Tensor *index_of(Maker *m, int64_t n, int rows)
{
    int32_t values[256];
    for (int64_t i = 0; i < n; i++)
        values[i] = (int32_t)((i * 7 + 3) % rows);
    return graph_input(m->g, DTYPE_I32, SHAPE(n), values);
}

static Tensor *fill(Maker *m, int variant)
{
    return op_add(m->g, leaf(m, SHAPE(3, 35)), op_fill(m->g, SHAPE(3, 35), 1.25f));
}

static Tensor *add(Maker *m, int variant)
{
    static const struct {
        int ndim;
        int64_t shape[3];
    } B[] = {{3, {3, 5, 37}}, {2, {5, 37}}, {1, {37}}, {1, {1}}};
    Tensor *a = leaf(m, SHAPE(3, 5, 37));
    Tensor *b = leaf(m, B[variant].ndim, B[variant].shape);
    return op_add(m->g, op_sub(m->g, a, b), op_mul(m->g, b->ndim < 3 ? a : b, b));
}

static Tensor *large_add(Maker *m, int variant)
{
    Tensor *a = leaf(m, SHAPE(257, 513)), *b = leaf(m, SHAPE(513));
    return op_mul(m->g, op_add(m->g, a, b), op_sub(m->g, a, b));
}

static Tensor *scale(Maker *m, int variant)
{
    return op_scale(m->g, leaf(m, SHAPE(3, 77)), -0.3, 0.7);
}

static Tensor *unary(Maker *m, int variant)
{
    return op_unary(m->g, (Unary)(1 + variant), op_scale(m->g, leaf(m, SHAPE(5, 67)), 2.5, 0));
}

static Tensor *to_f32(Maker *m, int variant)
{
    return op_to_f32(m->g, leaf_of(m, variant ? DTYPE_F16 : DTYPE_BF16, SHAPE(3, 37)));
}

static Tensor *sum(Maker *m, int variant)
{
    return variant ? op_mean(m->g, leaf(m, SHAPE(3, 5, 7))) : op_sum(m->g, leaf(m, SHAPE(3, 50)));
}

static Tensor *large_sum(Maker *m, int variant)
{
    return op_sum(m->g, leaf(m, SHAPE(301, 513)));
}

static Tensor *sum_leading(Maker *m, int variant)
{
    return op_sum_leading(m->g, leaf(m, SHAPE(7, 5, 33)), variant);
}

static Tensor *large_sum_leading(Maker *m, int variant)
{
    return op_sum_leading(m->g, leaf(m, SHAPE(variant ? 1531 : 5, variant ? 67 : 30000)), 1);
}

static Tensor *group(Maker *m, int variant)
{
    Tensor *x = leaf(m, SHAPE(3, 5, 12));
    int64_t n = (int64_t[]){2, 3, 4, 12}[variant];
    return op_group_repeat(m->g, op_mul(m->g, op_group_mean(m->g, x, n), op_group_mean(m->g, x, n)), n);
}

static Tensor *linear(Maker *m, int variant)
{
    static const struct {
        int64_t rows, k, n;
        DType w;
        bool bias;
        Unary act;
    } V[] = {{5, 7, 3, DTYPE_F32, true, UNARY_NONE},         {1, 33, 65, DTYPE_F32, false, UNARY_NONE},
             {17, 64, 48, DTYPE_F32, true, UNARY_SILU},      {70, 40, 80, DTYPE_F32, true, UNARY_GELU_TANH},
             {33, 12, 100, DTYPE_F32, true, UNARY_GELU_ERF}, {3, 130, 20, DTYPE_F32, true, UNARY_ABS},
             {9, 31, 19, DTYPE_BF16, true, UNARY_NONE},      {9, 31, 70, DTYPE_F16, true, UNARY_NONE},
             {2, 1, 1, DTYPE_F32, false, UNARY_NONE}};
    Tensor *x = leaf(m, SHAPE(V[variant].rows, V[variant].k));
    Tensor *w = leaf_of(m, V[variant].w, SHAPE(V[variant].n, V[variant].k));
    Tensor *b = V[variant].bias ? leaf(m, SHAPE(V[variant].n)) : NULL;
    return op_linear(m->g, x, w, b, V[variant].act);
}

/* Without recording, so that the activation stays in the product. */
static Tensor *fused_linear(Maker *m, int variant)
{
    graph_record(m->g, false);
    Tensor *y = linear(m, variant);
    graph_record(m->g, true);
    return y;
}

static Tensor *large_linear(Maker *m, int variant)
{
    static const struct {
        int64_t rows, k, n;
        DType w;
        Unary act; /* in the product: without recording */
    } V[] = {{300, 384, 200, DTYPE_F32, UNARY_NONE},      {1100, 70, 130, DTYPE_BF16, UNARY_NONE},
             {2100, 64, 33, DTYPE_F32, UNARY_NONE},       {77, 300, 1100, DTYPE_F32, UNARY_NONE},
             {40, 96, 1030, DTYPE_F16, UNARY_NONE},       {1, 512, 700, DTYPE_F32, UNARY_NONE},
             {491, 333, 270, DTYPE_F16, UNARY_GELU_TANH}, {490, 651, 264, DTYPE_BF16, UNARY_SILU},
             {147, 641, 259, DTYPE_F32, UNARY_NONE}};
    Tensor *x = leaf(m, SHAPE(V[variant].rows, V[variant].k));
    Tensor *w = leaf_of(m, V[variant].w, SHAPE(V[variant].n, V[variant].k));
    graph_record(m->g, V[variant].act == UNARY_NONE);
    Tensor *y = op_linear(m->g, x, w, leaf(m, SHAPE(V[variant].n)), V[variant].act);
    graph_record(m->g, true);
    return y;
}

static Tensor *matmul(Maker *m, int variant)
{
    bool ta = variant & 1, tb = variant & 2;
    int64_t rows = variant & 4 ? 70 : 5, k = variant & 4 ? 34 : 9, n = variant & 4 ? 66 : 13;
    Tensor *a = leaf(m, SHAPE(ta ? k : rows, ta ? rows : k)), *b = leaf(m, SHAPE(tb ? n : k, tb ? k : n));
    return op_matmul(m->g, a, b, (MatmulFlags){ta, tb});
}

static Tensor *large_matmul(Maker *m, int variant)
{
    bool ta = variant & 1, tb = variant & 2;
    int64_t rows = variant & 4 ? 697 : 150, k = variant & 4 ? 37 : 1100, n = variant & 4 ? 301 : 90;
    Tensor *a = leaf(m, SHAPE(ta ? k : rows, ta ? rows : k)), *b = leaf(m, SHAPE(tb ? n : k, tb ? k : n));
    return op_matmul(m->g, a, b, (MatmulFlags){ta, tb});
}

static Tensor *softmax(Maker *m, int variant)
{
    return op_softmax(m->g, op_scale(m->g, leaf(m, SHAPE(3, 5, variant ? 1 : 37)), 3, 0));
}

static Tensor *cross_entropy(Maker *m, int variant)
{
    static const int32_t LABELS[] = {0, 4, 2, 1, 1, 3, 6};
    static const float WEIGHTS[] = {1, 0.5f, 0, 2, 0.25f, 1, 1.5f};
    Tensor *logits = op_scale(m->g, leaf(m, SHAPE(7, variant ? 37 : 7)), 3, 0);
    return op_cross_entropy(m->g, logits, graph_input(m->g, DTYPE_I32, SHAPE(7), LABELS),
                            graph_input(m->g, DTYPE_F32, SHAPE(7), WEIGHTS));
}

static Tensor *norm(Maker *m, int variant)
{
    Tensor *x = leaf(m, SHAPE(2, 5, 35)), *w = variant % 2 ? leaf(m, SHAPE(35)) : NULL;
    if (variant < 3)
        return op_layer_norm(m->g, x, w, variant == 2 ? leaf(m, SHAPE(35)) : NULL, 1e-6);
    return variant < 5 ? op_rms_norm(m->g, x, w, 1e-6) : op_l2_norm(m->g, x, w);
}

static Tensor *large_norm(Maker *m, int variant)
{
    Tensor *x = leaf(m, SHAPE(131, variant ? 384 : 1536));
    return op_rms_norm(m->g, op_layer_norm(m->g, x, NULL, NULL, 1e-6), leaf(m, SHAPE(variant ? 384 : 1536)),
                       1e-6);
}

static Tensor *zero_norm(Maker *m, int variant)
{
    return op_l2_norm(m->g, op_fill(m->g, SHAPE(3, 20), 0.0f), leaf(m, SHAPE(20)));
}

static Tensor *modulate(Maker *m, int variant)
{
    Tensor *x = leaf(m, SHAPE(7, 37)), *shift = variant % 2 ? leaf(m, SHAPE(3, 37)) : NULL;
    Modulation table = {shift, leaf(m, SHAPE(3, 37)), index_of(m, 7, 3)};
    return variant < 2 ? op_modulate(m->g, x, table) : op_norm_modulate(m->g, x, 1e-6, table);
}

/* More rows than a thread takes at a time, of few and of changing timesteps. */
static Tensor *large_modulate(Maker *m, int variant)
{
    Tensor *x = leaf(m, SHAPE(230, 96)), *shift = leaf(m, SHAPE(4, 96)), *scale = leaf(m, SHAPE(4, 96));
    int32_t rows[230];
    for (int i = 0; i < 230; i++)
        rows[i] = variant ? i / 60 : i * 7 % 4;
    Tensor *index = graph_input(m->g, DTYPE_I32, SHAPE(230), rows);
    Tensor *y = op_norm_modulate(m->g, x, 1e-6, (Modulation){shift, scale, index});
    return op_gate(m->g, x, y, op_add(m->g, scale, shift), index);
}

static Tensor *gate(Maker *m, int variant)
{
    Tensor *x = leaf(m, SHAPE(7, 37));
    return op_gate(m->g, x, leaf(m, SHAPE(7, 37)), leaf(m, SHAPE(3, 37)), index_of(m, 7, 3));
}

static Tensor *gather(Maker *m, int variant)
{
    DType dtype = (DType[]){DTYPE_F32, DTYPE_BF16, DTYPE_F16}[variant];
    return op_gather(m->g, leaf_of(m, dtype, SHAPE(6, 21)), index_of(m, 11, 5));
}

static Tensor *scatter(Maker *m, int variant)
{
    return op_scatter(m->g, leaf(m, SHAPE(11, 21)), index_of(m, 11, 4), 6);
}

static Tensor *large_scatter(Maker *m, int variant)
{
    return op_scatter(m->g, leaf(m, SHAPE(250, 384)), index_of(m, 250, 33), 40);
}

static Tensor *bad_index(Maker *m, int variant)
{
    int32_t rows[3] = {0, variant % 2 ? -1 : 4, 2};
    Tensor *index = graph_input(m->g, DTYPE_I32, SHAPE(3), rows);
    Tensor *table = leaf(m, SHAPE(4, 10)), *x = leaf(m, SHAPE(3, 10));
    switch (variant / 2) {
    case 0:
        return op_gather(m->g, table, index);
    case 1:
        return op_scatter(m->g, x, index, 4);
    case 2:
        return op_modulate(m->g, x, (Modulation){NULL, table, index});
    case 3:
        return op_norm_modulate(m->g, x, 1e-6, (Modulation){NULL, table, index});
    case 4:
        return op_gate(m->g, x, x, table, index);
    default:
        return op_cross_entropy(m->g, leaf(m, SHAPE(3, 4)), index, op_fill(m->g, SHAPE(3), 1));
    }
}

static Tensor *rope(Maker *m, int variant)
{
    int64_t d = variant ? 22 : 64, heads = variant ? 3 : 2;
    float *angles = malloc((size_t)(5 * d) * sizeof *angles);
    for (int64_t i = 0; i < 5 * d; i += 2) {
        angles[i] = cosf((float)i);
        angles[i + 1] = sinf((float)i);
    }
    Tensor *table = graph_input(m->g, DTYPE_F32, SHAPE(5, d), angles);
    free(angles);
    return op_rope(m->g, leaf(m, SHAPE(5, heads * d)), table, (int)heads);
}

/* Packed samples; the second has no queries, the third no keys. */
static Tensor *attention(Maker *m, int variant)
{
    static const int32_t CU_Q[] = {0, 3, 3, 5, 12}, CU_K[] = {0, 4, 6, 6, 14};
    int64_t heads = variant & 2 ? 1 : 3, d = variant & 2 ? 6 : 16;
    AttentionInputs in = {.q = leaf(m, SHAPE(13, heads * d)),
                          .k = leaf(m, SHAPE(14, heads * d)),
                          .v = leaf(m, SHAPE(14, heads * d)),
                          .cu_q = graph_input(m->g, DTYPE_I32, SHAPE(5), CU_Q),
                          .cu_k = graph_input(m->g, DTYPE_I32, SHAPE(5), CU_K),
                          .bias = variant & 1 ? leaf(m, SHAPE(heads, 8, 9)) : NULL,
                          .heads = (int)heads,
                          .scale = 0.3};
    return op_attention(m->g, in);
}

static Tensor *large_attention(Maker *m, int variant)
{
    static const struct {
        int64_t q, k, heads, d;
        bool bias;
    } V[] = {{80, 80, 2, 64, false},
             {77, 77, 3, 40, true},
             {300, 200, 2, 128, false},
             {130, 513, 1, 32, true},
             {65, 1, 1, 48, false},
             {100, 1100, 2, 72, false},
             {99, 71, 1, 24, false}};
    int64_t q = V[variant].q, k = V[variant].k, heads = V[variant].heads, n = heads * V[variant].d;
    int32_t cu_q[] = {0, (int32_t)q, (int32_t)(q + 7)}, cu_k[] = {0, (int32_t)k, (int32_t)(k + 5)};
    AttentionInputs in = {.q = leaf(m, SHAPE(q + 7, n)),
                          .k = leaf(m, SHAPE(k + 5, n)),
                          .v = leaf(m, SHAPE(k + 5, n)),
                          .cu_q = graph_input(m->g, DTYPE_I32, SHAPE(3), cu_q),
                          .cu_k = graph_input(m->g, DTYPE_I32, SHAPE(3), cu_k),
                          .bias = V[variant].bias ? leaf(m, SHAPE(heads, q, k)) : NULL,
                          .heads = (int)heads,
                          .scale = 1 / sqrt((double)V[variant].d)};
    return op_attention(m->g, in);
}

/* Scores with a deviation of about 50, whose largest is among the last keys: weights taken against a guess from the first
 * ones would overflow. In numbers that BF16 has, since rounded scores would be off by as much as they are apart. */
static Tensor *sharp_attention(Maker *m, int variant)
{
    enum { QUERIES = 100, KEYS = 1100, HEADS = 2, WIDTH = 64 };
    int64_t n = HEADS * WIDTH;
    int32_t cu_q[] = {0, QUERIES}, cu_k[] = {0, KEYS};
    AttentionInputs in = {.q = op_to_f32(m->g, leaf_of(m, DTYPE_BF16, SHAPE(QUERIES, n))),
                          .k = op_to_f32(m->g, leaf_of(m, DTYPE_BF16, SHAPE(KEYS, n))),
                          .v = op_to_f32(m->g, leaf_of(m, DTYPE_BF16, SHAPE(KEYS, n))),
                          .cu_q = graph_input(m->g, DTYPE_I32, SHAPE(2), cu_q),
                          .cu_k = graph_input(m->g, DTYPE_I32, SHAPE(2), cu_k),
                          .heads = HEADS,
                          .scale = 6};
    return op_attention(m->g, in);
}

static Tensor *bad_samples(Maker *m, int variant)
{
    static const int32_t CU_Q[][3] = {{0, 2, 4}, {0, 3, 2}, {-1, 2, 3}, {0, 2, 3}}, CU_K[] = {0, 2, 3};
    Tensor *x = leaf(m, SHAPE(3, 8));
    AttentionInputs in = {.q = x,
                          .k = x,
                          .v = x,
                          .cu_q = graph_input(m->g, DTYPE_I32, SHAPE(3), CU_Q[variant]),
                          .cu_k = graph_input(m->g, DTYPE_I32, SHAPE(3), CU_K),
                          .bias = variant == 3 ? leaf(m, SHAPE(2, 1, 2)) : NULL,
                          .heads = 2,
                          .scale = 1};
    return op_attention(m->g, in);
}

typedef struct ConvCase {
    int64_t x[5], w[5];
    ConvShape shape;
    DType dtype;
    bool bias;
} ConvCase;

static Tensor *conv_of(Maker *m, const ConvCase *c)
{
    Tensor *x = leaf(m, 5, c->x), *w = leaf_of(m, c->dtype, 5, c->w);
    return op_conv(m->g, x, w, c->bias ? leaf(m, SHAPE(c->w[0])) : NULL, c->shape);
}

static Tensor *conv(Maker *m, int variant)
{
    static const ConvCase V[] = {
        {{1, 3, 5, 6, 3}, {4, 3, 3, 3, 3}, {{1, 1, 1}, {2, 0, 1, 1, 1, 1}}, DTYPE_F32, true},
        {{2, 1, 7, 5, 5}, {3, 5, 1, 3, 3}, {{1, 1, 1}, {0, 0, 1, 1, 1, 1}}, DTYPE_F32, false},
        {{2, 2, 6, 5, 7}, {6, 7, 1, 3, 3}, {{1, 2, 2}, {0, 0, 0, 1, 0, 1}}, DTYPE_F32, true},
        {{1, 5, 3, 4, 6}, {6, 6, 3, 1, 1}, {{2, 1, 1}, {0, 0, 0, 0, 0, 0}}, DTYPE_F32, true},
        {{1, 4, 3, 4, 6}, {6, 6, 3, 1, 1}, {{1, 1, 1}, {2, 0, 0, 0, 0, 0}}, DTYPE_F32, true},
        {{2, 2, 3, 4, 5}, {9, 5, 1, 1, 1}, {{1, 1, 1}, {0}}, DTYPE_F32, true},
        {{1, 2, 5, 6, 3}, {4, 3, 2, 3, 2}, {{1, 1, 1}, {1, 0, 0, 2, 1, 0}}, DTYPE_F32, false}};
    return conv_of(m, &V[variant]);
}

static Tensor *large_conv(Maker *m, int variant)
{
    static const ConvCase V[] = {
        {{2, 3, 18, 17, 16}, {24, 16, 3, 3, 3}, {{1, 1, 1}, {2, 0, 1, 1, 1, 1}}, DTYPE_F32, true},
        {{1, 3, 33, 35, 12}, {32, 12, 1, 3, 3}, {{1, 1, 1}, {0, 0, 1, 1, 1, 1}}, DTYPE_BF16, true},
        {{1, 2, 34, 36, 32}, {32, 32, 1, 3, 3}, {{1, 2, 2}, {0, 0, 0, 1, 0, 1}}, DTYPE_F32, true},
        {{1, 5, 12, 13, 48}, {40, 48, 3, 1, 1}, {{2, 1, 1}, {1, 0, 0, 0, 0, 0}}, DTYPE_F16, true},
        {{2, 2, 19, 20, 32}, {3, 32, 3, 3, 3}, {{1, 1, 1}, {2, 0, 1, 1, 1, 1}}, DTYPE_F32, true},
        {{2, 2, 31, 9, 70}, {50, 70, 1, 1, 1}, {{1, 1, 1}, {0}}, DTYPE_F32, true},
        {{9, 1, 8, 8, 96}, {64, 96, 1, 3, 3}, {{1, 1, 1}, {0, 0, 1, 1, 1, 1}}, DTYPE_F32, false}};
    return conv_of(m, &V[variant]);
}

static Tensor *upsample(Maker *m, int variant)
{
    return op_upsample(m->g, leaf(m, SHAPE(2, 2, 3, 5, variant ? 16 : 7)));
}

/* Without recording, since it has no gradient. */
static Tensor *depthwise(Maker *m, int variant)
{
    static const struct {
        int64_t x[5], w[4];
        bool bias;
        ConvShape shape;
        Unary act;
    } V[] = {{{1, 2, 5, 7, 3}, {3, 1, 3, 3}, true, {{1, 1, 1}, {0, 0, 1, 1, 1, 1}}, UNARY_NONE},
             {{2, 1, 8, 6, 33}, {33, 1, 3, 3}, true, {{1, 2, 2}, {0, 0, 0, 1, 0, 1}}, UNARY_RELU6},
             {{1, 1, 9, 5, 48}, {48, 1, 5, 5}, false, {{1, 1, 3}, {0, 0, 2, 2, 4, 0}}, UNARY_RELU},
             {{1, 1, 1, 1, 19}, {19, 1, 1, 1}, true, {{1, 1, 1}, {0}}, UNARY_SILU},
             {{3, 2, 40, 37, 64}, {64, 1, 3, 3}, true, {{1, 1, 2}, {0, 0, 1, 1, 1, 1}}, UNARY_RELU6}};
    graph_record(m->g, false);
    Tensor *x = op_scale(m->g, leaf(m, 5, V[variant].x), 3, 0), *w = leaf(m, 4, V[variant].w);
    Tensor *y = op_depthwise(m->g, x, w, V[variant].bias ? leaf(m, SHAPE(V[variant].w[0])) : NULL,
                             (DepthwiseShape){V[variant].shape, V[variant].act});
    graph_record(m->g, true);
    return y;
}

static Tensor *permute(Maker *m, int variant)
{
    static const int P[][5] = {{1, 0, 2, 3, 4}, {0, 4, 1, 2, 3}, {0, 2, 3, 4, 1}, {4, 3, 2, 1, 0},
                               {0, 1, 2, 3, 4}, {0, 1, 3, 2, 4}, {2, 0, 4, 1, 3}};
    return op_permute(m->g, leaf(m, SHAPE(3, 17, 5, 2, 18)), P[variant]);
}

static Tensor *permute_many(Maker *m, int variant)
{
    Tensor *x = leaf(m, SHAPE(2, 2, 2, 3, 2, 3, 2, 5));
    return op_permute(m->g, x, variant ? (int[]){0, 7, 1, 3, 5, 2, 4, 6} : (int[]){0, 1, 4, 2, 5, 3, 6, 7});
}

static Tensor *concat(Maker *m, int variant)
{
    int64_t a[3] = {3, 5, 7}, b[3] = {3, 5, 7}, c[3] = {3, 5, 7};
    a[variant] = 2;
    b[variant] = 1;
    return op_concat(m->g, 3, (Tensor *[]){leaf(m, 3, a), leaf(m, 3, b), leaf(m, 3, c)}, variant);
}

static Tensor *slice(Maker *m, int variant)
{
    return op_slice(m->g, leaf(m, SHAPE(3, 5, 7)), variant, 1, 2);
}

static Tensor *pad(Maker *m, int variant)
{
    return op_pad(m->g, leaf(m, SHAPE(3, 5, 7)), variant, 2, 1);
}

static Tensor *empty(Maker *m, int variant)
{
    Tensor *x = op_slice(m->g, leaf(m, SHAPE(3, 10)), 0, 1, 0), *w = leaf(m, SHAPE(6, 10));
    Tensor *y = op_linear(m->g, op_layer_norm(m->g, op_silu(m->g, x), NULL, NULL, 1e-6), w, NULL, UNARY_NONE);
    return op_add(m->g, op_scale(m->g, y, 2, 0), op_softmax(m->g, y));
}

const Case CASES[] = {
    {"fill", fill, 1, 0},
    {"add_sub_mul", add, 4, 0},
    {"large_add", large_add, 1, LARGE},
    {"scale", scale, 1, 0},
    {"unary", unary, 6, 0},
    {"to_f32", to_f32, 2, 0},
    {"sum", sum, 2, 0},
    {"large_sum", large_sum, 1, LARGE},
    {"sum_leading", sum_leading, 4, 0},
    {"large_sum_leading", large_sum_leading, 2, LARGE},
    {"group", group, 4, 0},
    {"linear", linear, 9, 0},
    {"fused_linear", fused_linear, 9, LARGE},
    {"large_linear", large_linear, 9, LARGE},
    {"matmul", matmul, 8, 0},
    {"large_matmul", large_matmul, 8, LARGE},
    {"softmax", softmax, 2, 0},
    {"cross_entropy", cross_entropy, 2, 0},
    {"norm", norm, 7, 0},
    {"large_norm", large_norm, 2, LARGE},
    {"zero_norm", zero_norm, 1, LARGE},
    {"modulate", modulate, 4, 0},
    {"large_modulate", large_modulate, 2, LARGE},
    {"gate", gate, 1, 0},
    {"gather", gather, 3, 0},
    {"scatter", scatter, 1, 0},
    {"large_scatter", large_scatter, 1, LARGE},
    {"bad_index", bad_index, 12, FAILS},
    {"rope", rope, 2, 0},
    {"attention", attention, 4, 0},
    {"large_attention", large_attention, 7, LARGE},
    {"sharp_attention", sharp_attention, 1, LARGE | SHARP},
    {"bad_samples", bad_samples, 4, FAILS},
    {"conv", conv, 7, 0},
    {"large_conv", large_conv, 7, LARGE},
    {"upsample", upsample, 2, 0},
    {"depthwise", depthwise, 5, 0},
    {"permute", permute, 7, 0},
    {"permute_many", permute_many, 2, 0},
    {"concat", concat, 3, 0},
    {"slice", slice, 3, 0},
    {"pad", pad, 3, 0},
    {"empty", empty, 1, LARGE},
};

const int CASE_COUNT = (int)(sizeof CASES / sizeof CASES[0]);
