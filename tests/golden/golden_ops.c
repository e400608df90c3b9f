/* Single operations against the reference: what whole networks hardly notice, such as the eps of a norm. */
#include "golden/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/backend.h"
#include "golden/fixture.h"
#include "golden/video.h"
#include "media/pixels.h"
#include "model/transformer.h"
#include "model/vae_blocks.h"
#include "weights/param_sources.h"

enum { MAX_HELD = 16, ROPE_FAR = 90 };
static const double TOLERANCE = 2e-5, RELATIVE = 1e-5, LARGE = 10; /* relative for large values */

typedef struct Ops {
    Golden *golden;
    Fixture f;
    Graph *g;
    Tensor held[MAX_HELD]; /* of the case that runs now */
    int held_count;
} Ops;

static void begin_case(Ops *o)
{
    graph_reset(o->g);
    o->held_count = 0;
}

/* The fixture's tensor at an address; NULL when it is not there. */
static Tensor *hold(Ops *o, const char *prefix, const char *rest)
{
    Tensor t = fixture_tensor(&o->f, "%s.%s", prefix, rest);
    if (t.data == NULL || o->held_count == MAX_HELD)
        return NULL;
    o->held[o->held_count] = t;
    return &o->held[o->held_count++];
}

static double largest(const Tensor *t)
{
    double max = 0;
    for (int64_t i = 0; t->data != NULL && i < tensor_numel(t); i++)
        max = fmax(max, fabs(((const float *)t->data)[i]));
    return max;
}

static void report(Ops *o, const char *name, double error, const Tensor *expected)
{
    char label[160];
    SoraError err;
    snprintf(label, sizeof label, "ops %s", name);
    double max = largest(expected);
    golden_report(o->golden, label, error, max > LARGE ? RELATIVE * max : TOLERANCE);
    if (!graph_ok(o->g, &err))
        printf("  %s\n", err.message);
}

/* Number for number: the shapes may differ. */
static void compare(Ops *o, const char *name, const Tensor *y)
{
    Tensor expected = fixture_tensor(&o->f, "%s", name);
    double worst = NAN;
    if (y != NULL && expected.data != NULL && tensor_numel(y) == tensor_numel(&expected)) {
        worst = 0;
        for (int64_t i = 0; i < tensor_numel(y); i++)
            worst = worse_error(worst, fabs((double)((float *)y->data)[i] - ((float *)expected.data)[i]));
    }
    report(o, name, worst, &expected);
}

static void compare_video(Ops *o, const char *name, Tensor *y)
{
    Tensor expected = fixture_tensor(&o->f, "%s", name);
    double error = video_error(o->g, y, expected, 0);
    if (y != NULL && expected.ndim == 5 && y->shape[1] != expected.shape[2])
        error = NAN;
    report(o, name, error, &expected);
}

/* --- transformer --- */

static void run_sinusoid(Ops *o, const char *in, const char *out)
{
    begin_case(o);
    Tensor t = fixture_tensor(&o->f, "%s", in), expected = fixture_tensor(&o->f, "%s", out);
    if (t.data == NULL)
        return;
    int64_t n = tensor_numel(&t);
    Tensor *x = graph_tensor(o->g, DTYPE_F32, SHAPE(n));
    for (int64_t i = 0; x != NULL && i < n; i++)
        ((float *)x->data)[i] = t.dtype == DTYPE_I64 ? (float)((int64_t *)t.data)[i] : ((float *)t.data)[i];
    compare(o, out, dit_sinusoid(o->g, &(DitConfig){.freq_dim = (int)expected.shape[1]}, x));
}

/* The rotary table that a transformer with such heads makes for the grids. */
static Tensor *rope_table(Ops *o, int head_dim, int samples, const int64_t (*grids)[3])
{
    DitConfig c = {.in_dim = 1,
                   .out_dim = 1,
                   .dim = head_dim,
                   .ffn_dim = 1,
                   .num_heads = 1,
                   .num_layers = 1,
                   .patch_size = {1, 1, 1},
                   .text_len = 1,
                   .text_dim = 1,
                   .freq_dim = 2,
                   .eps = 1e-6};
    Dit m;
    Params params;
    RandomSource source;
    random_source_init(&source, 1);
    params_init(&params, &source.source);
    dit_bind(&m, &c, &params);
    Tensor *table = NULL;
    if (params_ok(&params, NULL))
        table = dit_prepare(o->g, &m, &(DitBatch){samples, grids, .text_rows = (const int64_t[3]){0}}).rope;
    params_deinit(&params);
    random_source_deinit(&source);
    return table;
}

/* x [1, L, heads, d]; rows after those of the grid are padding. */
static void run_rope(Ops *o, const char *name)
{
    begin_case(o);
    char out[128];
    snprintf(out, sizeof out, "%s.out", name);
    Tensor *x = hold(o, name, "x"), *grid = hold(o, name, "grid"),
           expected = fixture_tensor(&o->f, "%s", out);
    if (x == NULL || grid == NULL || x->ndim != 4 || expected.data == NULL) {
        report(o, out, NAN, &expected);
        return;
    }
    const int32_t *n = grid->data;
    int heads = (int)x->shape[2], d = (int)x->shape[3];
    int64_t rows = (int64_t)n[0] * n[1] * n[2];
    Tensor *table = rope_table(o, d, 1, (const int64_t[][3]){{n[0], n[1], n[2]}});
    Tensor *packed = op_slice(o->g, op_reshape(o->g, x, SHAPE(-1, heads * d)), 0, 0, rows);
    Tensor *y = op_rope(o->g, packed, table, heads);
    double worst = y != NULL ? 0 : NAN;
    for (int64_t i = 0; y != NULL && i < tensor_numel(y); i++)
        worst = worse_error(worst, fabs((double)((float *)y->data)[i] - ((float *)expected.data)[i]));
    report(o, out, worst, &expected);
}

/* A row of NAME.{real,imag} holds the pairs of a token at that position on all three axes. */
static double rope_row_error(const Tensor *real, const Tensor *imag, int64_t row, const float *table,
                             int64_t from, int64_t to)
{
    int64_t pairs = real->shape[real->ndim - 1];
    const float *re = (const float *)real->data + row * pairs, *im = (const float *)imag->data + row * pairs;
    double worst = 0;
    for (int64_t i = from; i < to; i++)
        worst = worse_error(
            worst, worse_error(fabs((double)table[2 * i] - re[i]), fabs((double)table[2 * i + 1] - im[i])));
    return worst;
}

/* Tokens (p, p, p) of a cube. */
static void run_rope_near(Ops *o, const char *name)
{
    begin_case(o);
    Tensor *real = hold(o, name, "real"), *imag = hold(o, name, "imag");
    if (real == NULL)
        return;
    int64_t n = real->shape[0], d = 2 * real->shape[1];
    Tensor *table = rope_table(o, (int)d, 1, (const int64_t[][3]){{n, n, n}});
    double worst = table != NULL && imag != NULL ? 0 : NAN;
    for (int64_t p = 0; worst >= 0 && p < n; p++)
        worst = worse_error(
            worst, rope_row_error(real, imag, p, (float *)table->data + p * (n * n + n + 1) * d, 0, d / 2));
    report(o, name, worst, real);
}

/* The last token of a line along each axis. */
static void run_rope_far(Ops *o, const char *name)
{
    begin_case(o);
    Tensor *real = hold(o, name, "real"), *imag = hold(o, name, "imag");
    if (real == NULL)
        return;
    int64_t n = ROPE_FAR + 1, pairs = real->shape[0], third = pairs / 3, first = pairs - 2 * third;
    Tensor *table = rope_table(o, (int)(2 * pairs), 3, (const int64_t[][3]){{n, 1, 1}, {1, n, 1}, {1, 1, n}});
    double worst = table != NULL && imag != NULL ? 0 : NAN;
    for (int axis = 0; worst >= 0 && axis < 3; axis++) {
        const float *row = (float *)table->data + (n * axis + ROPE_FAR) * 2 * pairs;
        int64_t from = axis == 0 ? 0 : first + (axis - 1) * third, to = first + axis * third;
        worst = worse_error(worst, rope_row_error(real, imag, 0, row, from, to));
    }
    report(o, name, worst, real);
}

/* The first k_lens[b] keys of each sample. */
static void run_attention(Ops *o, const char *name)
{
    begin_case(o);
    Tensor *q = hold(o, name, "q"), *k = hold(o, name, "k"), *v = hold(o, name, "v"),
           *lens = hold(o, name, "k_lens");
    if (q == NULL || k == NULL || v == NULL || lens == NULL || q->shape[0] > MAX_INPUTS)
        return;
    Graph *g = o->g;
    int64_t samples = q->shape[0], n = q->shape[2] * q->shape[3];
    int32_t cu_q[MAX_INPUTS + 1] = {0}, cu_k[MAX_INPUTS + 1] = {0};
    Tensor *ks[MAX_INPUTS], *vs[MAX_INPUTS];
    for (int64_t b = 0; b < samples; b++) {
        int32_t length = ((int32_t *)lens->data)[b];
        cu_q[b + 1] = cu_q[b] + (int32_t)q->shape[1];
        cu_k[b + 1] = cu_k[b] + length;
        ks[b] = op_slice(g, op_reshape(g, k, SHAPE(-1, n)), 0, b * k->shape[1], length);
        vs[b] = op_slice(g, op_reshape(g, v, SHAPE(-1, n)), 0, b * k->shape[1], length);
    }
    Tensor *y = op_attention(g, (AttentionInputs){
                                    .q = op_reshape(g, q, SHAPE(-1, n)),
                                    .k = op_concat(g, (int)samples, ks, 0),
                                    .v = op_concat(g, (int)samples, vs, 0),
                                    .cu_q = graph_input(g, DTYPE_I32, SHAPE(samples + 1), cu_q),
                                    .cu_k = graph_input(g, DTYPE_I32, SHAPE(samples + 1), cu_k),
                                    .heads = (int)q->shape[2],
                                    .scale = 1 / sqrt((double)q->shape[3]),
                                });
    char out[128];
    snprintf(out, sizeof out, "%s.out", name);
    compare(o, out, y);
}

/* --- norms and activations --- */

static void run_norms(Ops *o, const char *name)
{
    begin_case(o);
    Graph *g = o->g;
    Tensor *x = hold(o, name, "x"), *w = hold(o, "norm", "w"), *b = hold(o, "norm", "b");
    const struct {
        const char *name;
        Tensor *y;
    } cases[] = {
        {"wan_rms_eps1e-6", op_rms_norm(g, x, w, 1e-6)},
        {"wan_layernorm_noaffine_eps1e-6", op_layer_norm(g, x, NULL, NULL, 1e-6)},
        {"wan_layernorm_affine_eps1e-6", op_layer_norm(g, x, w, b, 1e-6)},
        {"t5_rms_eps1e-6", op_rms_norm(g, x, w, 1e-6)},
        {"layernorm_affine_eps1e-5_clip_imgemb", op_layer_norm(g, x, w, b, 1e-5)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[128];
        snprintf(out, sizeof out, "%s.%s", name, cases[i].name);
        compare(o, out, cases[i].y);
    }
}

static void run_activations(Ops *o, const char *name)
{
    begin_case(o);
    const struct {
        const char *name;
        Unary kind;
    } cases[] = {{"silu", UNARY_SILU},
                 {"gelu_tanh", UNARY_GELU_TANH},
                 {"gelu_erf", UNARY_GELU_ERF},
                 {"t5_gelu", UNARY_GELU_TANH}};
    Tensor *x = hold(o, name, "x");
    for (size_t i = 0; x != NULL && i < sizeof cases / sizeof cases[0]; i++) {
        char out[128];
        snprintf(out, sizeof out, "%s.%s", name, cases[i].name);
        compare(o, out, op_unary(o->g, cases[i].kind, x));
    }
}

/* --- autoencoder --- */

static Tensor *input(Ops *o, const char *name)
{
    return video_input(o->g, fixture_tensor(&o->f, "%s", name));
}

static VaeConv hold_conv(Ops *o, const char *prefix, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    VaeConv c = {.w = hold(o, full, "weight")};
    c.b = hold(o, full, "bias");
    return c;
}

static void run_vae_norm(Ops *o, const char *name)
{
    begin_case(o);
    char x[128], out[128];
    snprintf(x, sizeof x, "%s.x", name);
    snprintf(out, sizeof out, "%s.out", name);
    compare_video(o, out, op_l2_norm(o->g, input(o, x), op_reshape(o->g, hold(o, name, "gamma"), SHAPE(-1))));
}

static void run_vae_attention(Ops *o, const char *name)
{
    begin_case(o);
    char x[128], out[128];
    snprintf(x, sizeof x, "%s.x", name);
    snprintf(out, sizeof out, "%s.out", name);
    VaeAttention a = {.norm = hold(o, name, "norm.gamma")};
    a.to_qkv = hold_conv(o, name, "to_qkv");
    a.proj = hold_conv(o, name, "proj");
    compare_video(o, out, vae_attention(o->g, &a, input(o, x)));
}

typedef struct Block {
    enum { RESIDUAL, DOWN, UP } kind;
    VaeResidual residual;
    VaeResample resample;
} Block;

static Block hold_block(Ops *o, const char *name)
{
    Block b = {.kind = strstr(name, "resblock") != NULL ? RESIDUAL
                       : strstr(name, "down") != NULL   ? DOWN
                                                        : UP};
    if (b.kind == RESIDUAL) {
        b.residual.norm1 = hold(o, name, "residual.0.gamma");
        b.residual.conv1 = hold_conv(o, name, "residual.2");
        b.residual.norm2 = hold(o, name, "residual.3.gamma");
        b.residual.conv2 = hold_conv(o, name, "residual.6");
        b.residual.shortcut = hold_conv(o, name, "shortcut");
    } else {
        b.resample.space = hold_conv(o, name, "resample.1");
        b.resample.time = hold_conv(o, name, "time_conv");
    }
    return b;
}

static Tensor *run_block(Ops *o, const Block *b, VaeCache *cache, Tensor *x)
{
    if (b->kind == RESIDUAL ? b->residual.conv1.w == NULL || b->residual.conv2.w == NULL
                            : b->resample.space.w == NULL)
        return NULL;
    return b->kind == RESIDUAL ? vae_residual(o->g, &b->residual, cache, x)
           : b->kind == DOWN   ? vae_downsample(o->g, &b->resample, cache, x)
                               : vae_upsample(o->g, &b->resample, cache, x, NULL);
}

/* "NAME.out" of "resample.x", whatever 2-D block that is. */
static void run_resample(Ops *o, const char *name)
{
    begin_case(o);
    char out[128];
    snprintf(out, sizeof out, "%s.out", name);
    Block b = hold_block(o, name);
    compare_video(o, out, run_block(o, &b, &(VaeCache){0}, input(o, "resample.x")));
}

static void run_chunks(Ops *o, const char *name)
{
    VaeCache cache = {0};
    for (int i = 0;; i++) {
        char x[128], out[128];
        snprintf(x, sizeof x, "%s.chunk%d.x", name, i);
        snprintf(out, sizeof out, "%s.chunk%d.out", name, i);
        if (fixture_tensor(&o->f, "%s", x).data == NULL)
            break;
        begin_case(o);
        Block b = hold_block(o, name);
        Tensor *y = run_block(o, &b, &cache, input(o, x));
        vae_cache_end_chunk(&cache);
        compare_video(o, out, y);
    }
    vae_cache_free(o->g, &cache);
}

/* "avgdown.tTsS.outC", "dupup.tTsS.outC" with or without ".first_chunk". */
static void run_shortcut(Ops *o, const char *out)
{
    begin_case(o);
    VaeFactors f;
    int channels;
    if (sscanf(strchr(out, '.'), ".t%ds%d.out%d", &f.time, &f.space, &channels) != 3)
        return;
    VaeCache cache = {.started = strstr(out, ".first_chunk") == NULL};
    compare_video(o, out,
                  strncmp(out, "avg", 3) == 0 ? vae_avg_down(o->g, input(o, "avgdown.x"), channels, f)
                                              : vae_dup_up(o->g, &cache, input(o, "dupup.x"), 0, (VaeDup){channels, f}));
}

static void run_patchify(Ops *o, const char *name)
{
    begin_case(o);
    Tensor x = fixture_tensor(&o->f, "%s.x", name), out = fixture_tensor(&o->f, "%s.out", name);
    char label[128];
    snprintf(label, sizeof label, "%s.out", name);
    int p = x.ndim == 5 && out.ndim == 5 && out.shape[3] > 0 ? (int)(x.shape[3] / out.shape[3]) : 1;
    compare_video(o, label, vae_patchify(o->g, video_input(o->g, x), p));
    snprintf(label, sizeof label, "%s.x", name); /* and back */
    compare_video(o, label, vae_unpatchify(o->g, video_input(o->g, out), p));
}

/* --- pictures --- */

/* "resize.pil_lanczos_u8.HxW": one step up or down may be rounding. */
static void run_lanczos(Ops *o, const char *out)
{
    Tensor in = fixture_tensor(&o->f, "resize.u8_hwc"), expected = fixture_tensor(&o->f, "%s", out);
    char label[160];
    SoraError err = {0};
    double worst = NAN;
    snprintf(label, sizeof label, "ops %s", out);
    Image image = {(int)in.shape[1], (int)in.shape[0], in.data}, resized = {0};
    if (in.data != NULL && expected.data != NULL && expected.ndim == 3 &&
        image_resize(&resized, &image, (int)expected.shape[1], (int)expected.shape[0], &err)) {
        worst = 0;
        for (int64_t i = 0; i < tensor_numel(&expected); i++)
            worst = fmax(worst, abs(resized.rgb[i] - ((const uint8_t *)expected.data)[i]));
    }
    golden_report(o->golden, label, worst, 1);
    image_deinit(&resized);
}

/* "resize.torch_bicubic.HxW" of the same picture, which the reference divides by 255: [3, H, W]. */
static void run_bicubic(Ops *o, const char *out)
{
    Tensor in = fixture_tensor(&o->f, "resize.u8_hwc"), expected = fixture_tensor(&o->f, "%s", out);
    char label[160];
    SoraError err = {0};
    double worst = NAN;
    snprintf(label, sizeof label, "ops %s", out);
    Image image = {(int)in.shape[1], (int)in.shape[0], in.data};
    Pixels pixels = {0}, resized = {0};
    if (in.data != NULL && expected.ndim == 3 && pixels_from_image(&pixels, &image, &err) &&
        pixels_resize(&resized, &pixels, (int)expected.shape[2], (int)expected.shape[1], &err)) {
        int64_t plane = expected.shape[1] * expected.shape[2];
        worst = 0;
        for (int64_t i = 0; i < 3 * plane; i++) {
            float x; /* after a picture's bytes, and so at any address */
            memcpy(&x, (const char *)expected.data + (i % 3 * plane + i / 3) * (int64_t)sizeof x, sizeof x);
            worst = fmax(worst, fabs(resized.rgb[i] - x));
        }
    }
    golden_report(o->golden, label, worst, TOLERANCE);
    pixels_deinit(&pixels);
    pixels_deinit(&resized);
}

/* --- the file --- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool begins_with(const char *s, const char *start)
{
    return strncmp(s, start, strlen(start)) == 0;
}

/* One key of each case says that it is there; name is that key without the end. */
static void run_key(Ops *o, const char *key)
{
    static const struct {
        const char *start, *end;
        void (*run)(Ops *o, const char *name);
    } CASES[] = {
        {"rope", ".grid", run_rope},
        {"rope", "freqs_pos0_15.real", run_rope_near},
        {"rope", "freqs_pos90.real", run_rope_far},
        {"norm.", ".x", run_norms},
        {"act", ".x", run_activations},
        {"attn", ".k_lens", run_attention},
        {"vae_rms", ".x", run_vae_norm},
        {"vae_attn", ".x", run_vae_attention},
        {"vae", ".chunk0.x", run_chunks},
        {"vae21_down2d", ".out", run_resample},
        {"vae21_up2d", ".out", run_resample},
        {"vae22_up2d", ".out", run_resample},
        {"patchify", ".x", run_patchify},
    };
    char name[128];
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (begins_with(key, CASES[i].start) && ends_with(key, CASES[i].end)) {
            const char *cut = strchr(CASES[i].end, '.');
            snprintf(name, sizeof name, "%.*s", (int)(strlen(key) - strlen(cut)), key);
            CASES[i].run(o, name);
        }
    if ((begins_with(key, "avgdown.") || begins_with(key, "dupup.")) && !ends_with(key, ".x"))
        run_shortcut(o, key);
    if (begins_with(key, "resize.pil_lanczos_u8."))
        run_lanczos(o, key);
    if (begins_with(key, "resize.torch_bicubic."))
        run_bicubic(o, key);
}

void golden_ops(Golden *golden, const char *dir)
{
    golden_claim(golden, "ops.safetensors");
    Ops o = {.golden = golden};
    if (!fixture_open(&o.f, dir, "ops", NULL))
        return;
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    o.g = backend ? graph_new(backend) : NULL;
    if (o.g != NULL) {
        run_sinusoid(&o, "sinusoid.t_int", "sinusoid.out_int");
        run_sinusoid(&o, "sinusoid.t_float", "sinusoid.out_float");
        const char *key;
        json_t *value;
        json_object_foreach(o.f.header, key, value) run_key(&o, key);
    } else {
        printf("  %s\n", err.message);
        golden_report(golden, "ops", NAN, TOLERANCE);
    }
    graph_free(o.g);
    cpu_backend_free(backend);
    fixture_close(&o.f);
}
