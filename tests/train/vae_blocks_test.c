/* Gradients of the autoencoder's blocks over several chunks, by finite differences; and that chunks of any
 * size give what the whole clip gives. The differences are of the inference path (slots are copies), the
 * gradients of the recorded one (slots are on the tape). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "cpu/backend.h"
#include "model/vae.h"
#include "weights/param_sources.h"

enum { MAX_CHUNKS = 4, HEIGHT = 4, WIDTH = 4, BATCH = 2 };

typedef struct Net {
    Params params;
    RandomSource source;
    VaeResidual residual;
    VaeAttention attention;
    VaeResample resample;
    VaeLevel level;
    Vae vae;
} Net;

typedef struct Case {
    const char *name;
    int channels;
    int frames[MAX_CHUNKS + 1]; /* of each chunk; ends with 0 */
    void (*bind)(Net *n);
    Tensor *(*run)(Graph *g, const Net *n, VaeCache *c, Tensor *x);
} Case;

static void bind_residual(Net *n)
{
    n->residual = vae_bind_residual(&n->params, "r", 6, 4);
}

static Tensor *run_residual(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_residual(g, &n->residual, c, x);
}

static void bind_attention(Net *n)
{
    n->attention = vae_bind_attention(&n->params, "a", 6);
}

static Tensor *run_attention(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_attention(g, &n->attention, x);
}

static void bind_downsample(Net *n)
{
    n->resample = vae_bind_resample(&n->params, "d", (VaeResampleShape){.channels = 4, .time = true});
}

static Tensor *run_downsample(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_downsample(g, &n->resample, c, x);
}

static void bind_upsample(Net *n)
{
    n->resample =
        vae_bind_resample(&n->params, "u", (VaeResampleShape){.channels = 4, .time = true, .up = true});
}

static Tensor *run_upsample(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_upsample(g, &n->resample, c, x, NULL);
}

static void bind_down_level(Net *n)
{
    bind_downsample(n);
    n->level = (VaeLevel){.residuals = 1, .channels = 4, .factors = {2, 2}, .shortcut = true, .resample = n->resample};
    n->level.residual[0] = vae_bind_residual(&n->params, "r", 2, 4);
}

static Tensor *run_down_level(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_down_level(g, &n->level, c, x);
}

static void bind_up_level(Net *n)
{
    bind_upsample(n);
    n->level = (VaeLevel){.residuals = 1, .channels = 4, .factors = {2, 2}, .shortcut = true, .resample = n->resample};
    n->level.residual[0] = vae_bind_residual(&n->params, "r", 8, 4);
}

static Tensor *run_up_level(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_up_level(g, &n->level, c, x);
}

/* Stride 2 in time, 4 in space. */
static VaeConfig small_config(void)
{
    VaeConfig c = {.dim = 4,
                   .dec_dim = 4,
                   .z_dim = 3,
                   .levels = 2,
                   .dim_mult = {2, 1},
                   .num_res_blocks = 1,
                   .temperal_downsample = {true},
                   .patchify = 2,
                   .mean = {0.1f, -0.2f, 0.3f},
                   .std = {0.5f, 1, 2}};
    return c;
}

static void bind_vae(Net *n)
{
    VaeConfig c = small_config();
    vae_bind(&n->vae, &c, &n->params);
}

static void bind_flat_vae(Net *n)
{
    VaeConfig c = small_config();
    c.flat = true;
    c.dec_dim = 8; /* with few channels the norms are too steep for differences */
    vae_bind(&n->vae, &c, &n->params);
}

/* A linear code of blocks and what the network adds. */
static VaeConfig coded_config(void)
{
    VaeConfig c = small_config();
    c.linear_code = true;
    c.dec_dim = 8;
    return c;
}

static void bind_coded_vae(Net *n)
{
    VaeConfig c = coded_config();
    vae_bind(&n->vae, &c, &n->params);
}

static void bind_coded_encoder(Net *n)
{
    VaeConfig c = coded_config();
    vae_bind_encoder(&n->vae, &c, &n->params);
}

static void bind_coded_decoder(Net *n)
{
    VaeConfig c = coded_config();
    vae_bind_decoder(&n->vae, &c, &n->params);
}

static Tensor *run_encode(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_encode_chunk(g, &n->vae, c, x);
}

static Tensor *run_decode(Graph *g, const Net *n, VaeCache *c, Tensor *x)
{
    return vae_decode_chunk(g, &n->vae, c, x);
}

static const Case CASES[] = {
    {"residual", 6, {1, 2, 1, 3}, bind_residual, run_residual},
    {"attention", 6, {2, 1}, bind_attention, run_attention},
    {"downsample", 4, {1, 2, 4}, bind_downsample, run_downsample},
    {"upsample", 4, {1, 1, 2, 1}, bind_upsample, run_upsample},
    {"down level", 2, {1, 2, 2}, bind_down_level, run_down_level},
    {"up level", 8, {1, 1, 1}, bind_up_level, run_up_level},
    {"encoder", 3, {1, 2, 4}, bind_vae, run_encode},
    {"decoder", 3, {1, 1, 2}, bind_vae, run_decode},
    {"flat encoder", 3, {1, 2, 4}, bind_flat_vae, run_encode},
    {"flat decoder", 3, {1, 1, 2}, bind_flat_vae, run_decode},
    {"coded encoder", 3, {1, 2, 4}, bind_coded_encoder, run_encode},
    {"coded decoder", 3, {1, 1, 2}, bind_coded_decoder, run_decode},
};

enum { CASE_COUNT = sizeof CASES / sizeof CASES[0] };

typedef struct Bench {
    const Case *c;
    Net net;
    Backend *backend;
    Graph *g;
    Tensor clip;          /* all chunks, [frames, BATCH, H, W, C]: a chunk is contiguous */
    Tensor x[MAX_CHUNKS]; /* views of it, as [BATCH, frames, ...]: any order of numbers will do */
    int chunks;
    VaeCache cache;
} Bench;

static void open_bench(Bench *b, const Case *c)
{
    *b = (Bench){.c = c};
    SoraError err = {0};
    b->backend = cpu_backend_new(&(CpuOptions){.threads = 1, .level = "reference", .precision = SORA_PRECISION_F32}, &err);
    assert_non_null(b->backend);
    b->g = graph_new(b->backend);
    random_source_init(&b->net.source, 3);
    params_init(&b->net.params, &b->net.source.source);
    c->bind(&b->net);
    assert_true(params_ok(&b->net.params, &err));
    Rng rng;
    rng_init(&rng, 5, 0);
    /* As after some training: nothing is exactly zero or one. */
    for (int i = 0; i < b->net.params.count; i++) {
        Tensor *t = &b->net.params.items[i]->tensor;
        for (int64_t k = 0; k < tensor_numel(t); k++)
            ((float *)t->data)[k] += 0.2f * rng_normal(&rng);
    }
    int total = 0;
    for (; c->frames[b->chunks] > 0; b->chunks++)
        total += c->frames[b->chunks];
    int64_t frame = BATCH * HEIGHT * WIDTH * c->channels;
    float *data = malloc((size_t)(total * frame) * sizeof *data);
    assert_non_null(data);
    rng_fill_normal(&rng, data, (size_t)(total * frame));
    b->clip = tensor_over(data, DTYPE_F32, SHAPE(total, frame));
    for (int i = 0, at = 0; i < b->chunks; at += c->frames[i++])
        b->x[i] =
            tensor_over(data + at * frame, DTYPE_F32, SHAPE(BATCH, c->frames[i], HEIGHT, WIDTH, c->channels));
}

static void close_bench(Bench *b)
{
    vae_cache_free(b->g, &b->cache);
    params_deinit(&b->net.params);
    random_source_deinit(&b->net.source);
    graph_free(b->g);
    cpu_backend_free(b->backend);
    free(b->clip.data);
}

static void require(const Graph *g)
{
    SoraError err = {0};
    if (!graph_ok(g, &err))
        fail_msg("%s", err.message);
}

/* Fixed numbers that a chunk's output is multiplied with to make the loss. */
static float *weights_of(int chunk, const Tensor *y)
{
    Rng rng;
    rng_init(&rng, 11, (uint64_t)chunk);
    size_t n = (size_t)tensor_numel(y);
    float *w = malloc(n * sizeof *w);
    assert_non_null(w);
    rng_fill_normal(&rng, w, n);
    return w;
}

/* The loss by inference, chunk by chunk with a reset between them, summed in double precision. */
static double infer_loss(Bench *b)
{
    double sum = 0;
    graph_record(b->g, false);
    vae_cache_begin(&b->cache);
    for (int i = 0; i < b->chunks; i++) {
        graph_reset(b->g);
        Tensor *y = b->c->run(b->g, &b->net, &b->cache, &b->x[i]);
        if (b->cache.next != 0) /* whole coders end the chunk themselves */
            vae_cache_end_chunk(&b->cache);
        b->cache.started = true;
        require(b->g);
        float *w = weights_of(i, y), *out = malloc(tensor_bytes(y));
        assert_non_null(out);
        graph_download(b->g, y, out);
        for (int64_t k = 0; k < tensor_numel(y); k++)
            sum += (double)out[k] * w[k];
        free(out);
        free(w);
    }
    return sum;
}

/* Fills the gradients of the parameters and of the chunks. */
static double record_loss(Bench *b)
{
    graph_reset(b->g);
    graph_record(b->g, true);
    vae_cache_begin(&b->cache);
    for (int i = 0; i < b->net.params.count; i++)
        b->net.params.items[i]->tensor.requires_grad = b->net.params.items[i]->tensor.leaf = true;
    Tensor *loss = NULL;
    for (int i = 0; i < b->chunks; i++) {
        b->x[i].requires_grad = b->x[i].leaf = true;
        Tensor *y = b->c->run(b->g, &b->net, &b->cache, &b->x[i]);
        if (b->cache.next != 0)
            vae_cache_end_chunk(&b->cache);
        b->cache.started = true;
        require(b->g);
        float *w = weights_of(i, y);
        Tensor *part = op_sum(b->g, op_mul(b->g, y, graph_input(b->g, DTYPE_F32, y->ndim, y->shape, w)));
        loss = loss == NULL ? part : op_add(b->g, loss, part);
        free(w);
    }
    graph_backward(b->g, loss);
    require(b->g);
    float value;
    graph_download(b->g, loss, &value);
    return value;
}

/* Moves t along random signs and compares the change of the loss with what t's gradient says. */
static void check_direction(Bench *b, const char *name, Tensor *t, const float *grad, uint64_t stream)
{
    const double step = 1e-3;
    int64_t n = tensor_numel(t);
    float *x = t->data, *saved = malloc((size_t)n * sizeof *saved);
    assert_non_null(saved);
    memcpy(saved, x, (size_t)n * sizeof *saved);
    double expected = 0, size = 0, loss[2];
    for (int side = 0; side < 2; side++) {
        Rng rng;
        rng_init(&rng, 17, stream);
        for (int64_t k = 0; k < n; k++) {
            double sign = rng_int(&rng, 2) ? 1 : -1;
            x[k] = (float)(saved[k] + (side ? -step : step) * sign);
            if (side == 0) {
                expected += sign * grad[k];
                size += (double)grad[k] * grad[k];
            }
        }
        loss[side] = infer_loss(b);
    }
    memcpy(x, saved, (size_t)n * sizeof *saved);
    free(saved);
    double found = (loss[0] - loss[1]) / (2 * step), scale = sqrt(size) + 1e-2;
    if (!(fabs(found - expected) <= 0.01 * scale))
        fail_msg("%s: %s: gradient along a direction is %g, by differences %g (norm %g)", b->c->name, name,
                 expected, found, scale);
}

/* The gradient's own memory belongs to the graph, which the differences reset. */
static float *copy_grad(const Bench *b, const char *name, const Tensor *t)
{
    if (t->grad == NULL)
        return NULL;
    float *copy = malloc(tensor_bytes(t->grad));
    assert_non_null(copy);
    graph_download(b->g, t->grad, copy);
    return copy;
}

static void check_case(const Case *c)
{
    Bench b;
    open_bench(&b, c);
    double recorded = record_loss(&b);
    int count = b.net.params.count, total = count + b.chunks, reached = 0;
    float **grads = calloc((size_t)total, sizeof *grads);
    assert_non_null(grads);
    for (int i = 0; i < total; i++) {
        Tensor *t = i < count ? &b.net.params.items[i]->tensor : &b.x[i - count];
        grads[i] = copy_grad(&b, c->name, t);
        t->grad = NULL;
        t->requires_grad = false;
    }
    double inferred = infer_loss(&b);
    if (!(fabs(recorded - inferred) <= 1e-4 * (1 + fabs(inferred))))
        fail_msg("%s: loss %g recorded, %g in inference", c->name, recorded, inferred);
    for (int i = 0; i < total; i++) {
        Tensor *t = i < count ? &b.net.params.items[i]->tensor : &b.x[i - count];
        if (grads[i] == NULL) /* the other half of a whole autoencoder */
            continue;
        reached++;
        for (uint64_t d = 0; d < 2; d++)
            check_direction(&b, i < count ? b.net.params.items[i]->name : "input", t, grads[i],
                            2 * (uint64_t)i + d);
    }
    bool half = c->bind == bind_vae || c->bind == bind_flat_vae;
    assert_true(reached == total || (half && reached > total / 3));
    for (int i = 0; i < total; i++)
        free(grads[i]);
    free(grads);
    close_bench(&b);
}

static void test_gradients(void **state)
{
    for (int i = 0; i < CASE_COUNT; i++)
        check_case(&CASES[i]);
}

/* Encodes and decodes in the given chunks of frames and compares with the whole clip at once. */
static void check_chunks(void (*bind)(Net *n), const int *latent_frames, int chunks)
{
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = 1, .level = "reference", .precision = SORA_PRECISION_F32}, &err);
    assert_non_null(backend);
    Graph *g = graph_new(backend);
    Net net = {0};
    random_source_init(&net.source, 9);
    params_init(&net.params, &net.source.source);
    bind(&net);
    int total = 0;
    for (int i = 0; i < chunks; i++)
        total += latent_frames[i];
    int64_t frames = 2 * total - 1, frame = 8 * 8 * 3;
    float *video = malloc((size_t)(frames * frame) * sizeof *video);
    float *z = malloc((size_t)total * 2 * 2 * 3 * sizeof *z),
          *out = malloc((size_t)(frames * frame) * sizeof *out);
    assert_true(video != NULL && z != NULL && out != NULL);
    Rng rng;
    rng_init(&rng, 1, 2);
    rng_fill_normal(&rng, video, (size_t)(frames * frame));
    graph_download(g, vae_encode(g, &net.vae, graph_input(g, DTYPE_F32, SHAPE(1, frames, 8, 8, 3), video)),
                   z);
    graph_download(g, vae_decode(g, &net.vae, graph_input(g, DTYPE_F32, SHAPE(1, total, 2, 2, 3), z)), out);
    require(g);
    VaeCache encoding = {0}, decoding = {0};
    float *at = video, *z_at = z, *out_at = out;
    for (int i = 0; i < chunks; i++) {
        int64_t n = latent_frames[i], t = 2 * n - (i == 0);
        float got[4096];
        graph_reset(g);
        Tensor *y =
            vae_encode_chunk(g, &net.vae, &encoding, graph_input(g, DTYPE_F32, SHAPE(1, t, 8, 8, 3), at));
        require(g);
        assert_int_equal(y->shape[1], n);
        graph_download(g, y, got);
        for (int64_t k = 0; k < n * 12; k++)
            assert_float_equal(got[k], z_at[k], 1e-5);
        graph_reset(g);
        y = vae_decode_chunk(g, &net.vae, &decoding, graph_input(g, DTYPE_F32, SHAPE(1, n, 2, 2, 3), z_at));
        require(g);
        assert_int_equal(y->shape[1], t);
        graph_download(g, y, got);
        for (int64_t k = 0; k < t * frame; k++)
            assert_float_equal(got[k], out_at[k], 1e-5);
        at += t * frame;
        z_at += n * 12;
        out_at += t * frame;
    }
    vae_cache_free(g, &encoding);
    vae_cache_free(g, &decoding);
    free(video);
    free(z);
    free(out);
    params_deinit(&net.params);
    random_source_deinit(&net.source);
    graph_free(g);
    cpu_backend_free(backend);
}

static void test_chunks_equal_whole(void **state)
{
    void (*const binds[])(Net *n) = {bind_vae, bind_flat_vae, bind_coded_vae};
    for (int i = 0; i < 3; i++) {
        check_chunks(binds[i], (int[]){1, 1, 1, 1}, 4);
        check_chunks(binds[i], (int[]){2, 1, 2}, 3);
        check_chunks(binds[i], (int[]){1, 3}, 2);
    }
}

static void expect_config_error(const char *text, const char *part)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    VaeConfig c;
    SoraError err = {0};
    assert_false(vae_config_read(&c, json, &err));
    assert_non_null(strstr(err.message, part));
    json_decref(json);
}

static void expect_same_back(const VaeConfig *c)
{
    VaeConfig back;
    SoraError err = {0};
    json_t *json = vae_config_write(c);
    assert_non_null(json);
    assert_true(vae_config_read(&back, json, &err));
    json_decref(json);
    assert_memory_equal(c, &back, sizeof *c);
}

/* Is it read as Wan 2.1's, and with which patchify? */
static void expect_kind(const char *text, bool flat, int patchify)
{
    VaeConfig c;
    SoraError err = {0};
    json_t *json = json_loads(text, 0, NULL);
    assert_true(vae_config_read(&c, json, &err));
    json_decref(json);
    assert_int_equal(c.flat, flat);
    assert_int_equal(c.patchify, patchify);
}

static void test_config(void **state)
{
    VaeConfig c = vae_config_wan21();
    expect_same_back(&c);
    assert_int_equal(vae_stride_time(&c), 4);
    assert_int_equal(vae_stride_space(&c), 8);
    c = vae_config_wan22();
    expect_same_back(&c);
    assert_int_equal(vae_stride_time(&c), 4);
    assert_int_equal(vae_stride_space(&c), 16);
#define LEVELS "\"z_dim\": 4, \"num_res_blocks\": 1, \"dim_mult\": [1, 2, 2], \"temperal_downsample\": [true, true]"
    expect_kind("{\"dim\": 8, " LEVELS "}", true, 1);
    expect_kind("{\"dim\": 8, \"patchify\": 1, " LEVELS "}", false, 1);
    expect_kind("{\"base_dim\": 8, \"patch_size\": null, \"decoder_base_dim\": null, " LEVELS "}", true, 1);
    expect_kind("{\"base_dim\": 8, \"patch_size\": 2, \"is_residual\": true, " LEVELS "}", false, 2);
    expect_config_error("{\"dim\": 8, \"is_residual\": 1, " LEVELS "}", "\"is_residual\"");
    expect_config_error("{\"dim\": 8, \"patchify\": 2, \"linear_code\": 1, " LEVELS "}", "\"linear_code\"");
    expect_config_error("{\"dim\": 8, \"linear_code\": true, " LEVELS "}", "\"linear_code\" is for");
    c = coded_config();
    expect_same_back(&c);
    expect_config_error("{\"dim\": 3, \"z_dim\": 4, \"num_res_blocks\": 1, \"dim_mult\": [1, 3], "
                        "\"temperal_downsample\": [true]}",
                        "cannot be halved");
    expect_config_error("[]", "not an object");
    expect_config_error("{\"dim\": 1e3}", "\"dim\"");
    expect_config_error("{\"dim\": 8, \"z_dim\": 4, \"num_res_blocks\": 9}", "\"num_res_blocks\"");
    expect_config_error("{\"dim\": 8, \"z_dim\": 4, \"num_res_blocks\": 1, \"dim_mult\": []}",
                        "\"dim_mult\"");
    expect_config_error("{\"dim\": 8, \"z_dim\": 4, \"num_res_blocks\": 1, \"dim_mult\": [1, 2], "
                        "\"temperal_downsample\": [true, true]}",
                        "\"temperal_downsample\"");
    expect_config_error("{\"dim\": 8, \"z_dim\": 4, \"num_res_blocks\": 1, \"dim_mult\": [1, 2, 4], "
                        "\"temperal_downsample\": [true, true], \"patchify\": 2}",
                        "cannot average");
    expect_config_error("{\"dim\": 8, \"z_dim\": 2, \"num_res_blocks\": 1, \"dim_mult\": [2, 2], "
                        "\"temperal_downsample\": [true], \"std\": [1, 0]}",
                        "\"std\"[1]");
}

static void test_bad_shapes(void **state)
{
    Bench b;
    open_bench(&b, &CASES[6]);
    float zeros[8 * 8 * 8 * 3] = {0};
    SoraError err = {0};
    /* Not a multiple of the stride; no frame more than a multiple; no RGB. */
    int64_t shapes[3][5] = {{1, 1, 6, 8, 3}, {1, 2, 8, 8, 3}, {1, 1, 8, 8, 4}};
    for (int i = 0; i < 3; i++) {
        vae_cache_begin(&b.cache);
        graph_reset(b.g);
        assert_null(
            vae_encode_chunk(b.g, &b.net.vae, &b.cache, graph_input(b.g, DTYPE_F32, 5, shapes[i], zeros)));
        assert_false(graph_ok(b.g, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
    }
    graph_reset(b.g);
    assert_null(vae_decode(b.g, &b.net.vae, graph_input(b.g, DTYPE_F32, SHAPE(1, 1, 2, 2, 4), zeros)));
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_chunks_equal_whole),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_bad_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
