/* Decoding in strips against decoding whole frames: the same frames, for all autoencoders, wide and tall. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/rng.h"
#include "cpu/backend.h"
#include "engine/decode.h"
#include "engine/encode.h"
#include "engine/video.h"
#include "weights/param_sources.h"

typedef struct Case {
    const char *config;
    int64_t frames, height, width; /* of the latent */
} Case;

#define FLAT "{\"dim\": 4, \"dec_dim\": 8, \"z_dim\": 4, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2, "  \
             "\"temperal_downsample\": [false, true, true]}"
#define PATCHED "{\"dim\": 4, \"dec_dim\": 8, \"z_dim\": 4, \"dim_mult\": [1, 2, 2], \"num_res_blocks\": 1, "  \
                "\"temperal_downsample\": [true, true], \"patchify\": 2}"

#define CODED "{\"dim\": 1, \"dec_dim\": 8, \"z_dim\": 4, \"dim_mult\": [1, 2, 4], \"num_res_blocks\": 1, "  \
              "\"temperal_downsample\": [true, true], \"patchify\": 4, \"linear_code\": true}"

static const Case CASES[] = {{CODED, 3, 2, 20}, {CODED, 2, 21, 3}, {FLAT, 3, 2, 21}, {FLAT, 2, 20, 3}, {PATCHED, 3, 3, 19}, {PATCHED, 2, 18, 2}};

typedef struct Video {
    float *pixels; /* [frames, height, width, 3] */
    uint8_t *seen; /* how often each pixel came */
    int frames, height, width, parts, done;
    int complete; /* frames, so far */
} Video;

static bool take(void *user, const DecodedPart *p, SoraError *err)
{
    Video *v = user;
    assert_in_range(p->first + p->count, 1, v->frames);
    assert_in_range(p->y + p->height, 1, v->height);
    assert_in_range(p->x + p->width, 1, v->width);
    assert_in_range(p->done, v->done + 1, p->total);
    v->done = p->done;
    v->parts++;
    const float *from = p->pixels;
    for (int f = p->first; f < p->first + p->count; f++)
        for (int y = p->y; y < p->y + p->height; y++, from += p->width * 3) {
            int at = (f * v->height + y) * v->width + p->x;
            memcpy(v->pixels + at * 3, from, (size_t)p->width * 3 * sizeof *from);
            for (int x = 0; x < p->width; x++)
                v->seen[at + x]++;
        }
    if (video_completes(&(SoraVideo){.width = v->width, .height = v->height}, p)) { /* in their order, all of each */
        assert_int_equal(p->first, v->complete);
        v->complete += p->count;
        for (int i = p->first * v->height * v->width; i < v->complete * v->height * v->width; i++)
            assert_int_equal(v->seen[i], 1);
    }
    return true;
}

/* Of several pushes, whose parts come push by push. */
static bool take_pushed(void *user, const DecodedPart *p, SoraError *err)
{
    Video *v = user;
    v->parts++;
    const float *from = p->pixels;
    for (int f = p->first; f < p->first + p->count; f++)
        for (int y = p->y; y < p->y + p->height; y++, from += 3 * p->width)
            memcpy(v->pixels + 3 * (((size_t)f * (size_t)v->height + (size_t)y) * (size_t)v->width + (size_t)p->x), from,
                   3 * (size_t)p->width * sizeof *from);
    return true;
}

typedef struct Coder {
    RandomSource source;
    Params params;
    Vae network;
    Backend *backend;
    Pipeline pipeline;
    float *latent;
} Coder;

static void open_decoder(Coder *d, const Case *c, SoraPrecision precision)
{
    SoraError err = {0};
    VaeConfig config;
    json_t *json = json_loads(c->config, 0, NULL);
    assert_true(vae_config_read(&config, json, &err));
    json_decref(json);
    random_source_init(&d->source, 3);
    params_init(&d->params, &d->source.source);
    vae_bind_decoder(&d->network, &config, &d->params);
    assert_true(params_ok(&d->params, &err));
    Rng rng;
    rng_init(&rng, 5, 0);
    for (int i = 0; i < d->params.count; i++) { /* nothing is exactly zero or one */
        Tensor *t = &d->params.items[i]->tensor;
        for (int64_t k = 0; k < tensor_numel(t); k++)
            ((float *)t->data)[k] += 0.1f * rng_normal(&rng);
    }
    d->backend = cpu_backend_new(&(CpuOptions){.precision = precision}, &err);
    assert_non_null(d->backend);
    d->pipeline = (Pipeline){.graph = graph_new(d->backend), .autoencoder = &d->network};
    size_t n = (size_t)(config.z_dim * c->frames * c->height * c->width);
    d->latent = malloc(n * sizeof *d->latent);
    rng_fill_normal(&rng, d->latent, n);
}

static void close_decoder(Coder *d)
{
    free(d->latent);
    graph_free(d->pipeline.graph);
    cpu_backend_free(d->backend);
    params_deinit(&d->params);
    random_source_deinit(&d->source);
}

static Video decode(const Coder *d, const Case *c, size_t limit)
{
    const VaeConfig *config = &d->network.config;
    int stride = vae_stride_space(config);
    Video v = {.frames = 1 + ((int)c->frames - 1) * vae_stride_time(config),
               .height = (int)c->height * stride,
               .width = (int)c->width * stride};
    size_t pixels = (size_t)v.frames * (size_t)v.height * (size_t)v.width;
    v.pixels = malloc(pixels * 3 * sizeof *v.pixels);
    v.seen = calloc(pixels, 1);
    CanvasShape shape = {config->z_dim, c->frames, c->height, c->width, {1, 1, 1}};
    SoraError err = {0};
    if (!pipeline_decode(&d->pipeline, &(DecodeJob){shape, d->latent, limit, take, &v}, &err))
        fail_msg("%s", err.message);
    assert_int_equal(v.complete, v.frames);
    for (size_t i = 0; i < pixels; i++)
        assert_int_equal(v.seen[i], 1);
    free(v.seen);
    return v;
}

/* The same, latent frames as several pushes. */
static Video decode_pushes(const Coder *d, const Case *c, size_t limit, const int64_t *counts)
{
    const VaeConfig *config = &d->network.config;
    int stride = vae_stride_space(config);
    Video v = {.frames = 1 + ((int)c->frames - 1) * vae_stride_time(config), .height = (int)c->height * stride,
               .width = (int)c->width * stride};
    v.pixels = malloc((size_t)v.frames * (size_t)v.height * (size_t)v.width * 3 * sizeof *v.pixels);
    CanvasShape shape = {config->z_dim, c->frames, c->height, c->width, {1, 1, 1}};
    SoraError err = {0};
    Decoder *decoder = decoder_open(&d->pipeline, &(DecoderJob){shape, limit, take_pushed, &v}, &err);
    assert_non_null(decoder);
    int64_t plane = c->height * c->width, at = 0;
    for (int i = 0; at < c->frames; i++) {
        int64_t n = counts[i] < c->frames - at ? counts[i] : c->frames - at;
        float *part = malloc((size_t)(config->z_dim * n * plane) * sizeof *part);
        for (int64_t ch = 0; ch < config->z_dim; ch++)
            memcpy(part + ch * n * plane, d->latent + (ch * c->frames + at) * plane, (size_t)(n * plane) * sizeof *part);
        at += n;
        assert_true(decoder_push(decoder, &(DecoderPush){part, n, at == c->frames}, &err));
        /* Other work on the graph between pushes does nothing to what is remembered. */
        graph_trim(d->pipeline.graph);
        free(part);
    }
    decoder_close(decoder);
    return v;
}

static void pushes_are_one_clip(void **state)
{
    static const int64_t COUNTS[] = {2, 1, 100};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t limit = 0; limit <= 1; limit++) {
            Coder d;
            open_decoder(&d, &CASES[i], SORA_PRECISION_F32);
            Video one = decode(&d, &CASES[i], limit), many = decode_pushes(&d, &CASES[i], limit, COUNTS);
            int64_t n = (int64_t)one.frames * one.height * one.width * 3;
            for (int64_t k = 0; k < n; k++)
                if (fabs((double)one.pixels[k] - many.pixels[k]) > 1e-4)
                    fail_msg("case %zu, limit %zu: %g and %g at %lld", i, limit, one.pixels[k], many.pixels[k], (long long)k);
            assert_int_equal(many.parts > 0, 1);
            free(one.pixels);
            free(many.pixels);
            close_decoder(&d);
        }
}

static void compare(SoraPrecision precision, double tolerance)
{
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Coder d;
        open_decoder(&d, &CASES[i], precision);
        Video whole = decode(&d, &CASES[i], 0), strips = decode(&d, &CASES[i], 1);
        assert_true(strips.parts > 2 * CASES[i].frames);
        double most = 0, sum = 0;
        int64_t n = (int64_t)whole.frames * whole.height * whole.width * 3;
        for (int64_t k = 0; k < n; k++) {
            most = fmax(most, fabs((double)whole.pixels[k] - strips.pixels[k]));
            sum += fabs(whole.pixels[k]);
        }
        if (!(most <= tolerance * sum / (double)n))
            fail_msg("case %zu: error %g of %g", i, most, sum / (double)n);
        free(whole.pixels);
        free(strips.pixels);
        close_decoder(&d);
    }
}

static void strips_are_whole_frames(void **state)
{
    compare(SORA_PRECISION_F32, 2e-5);
}

/* What is remembered is what the products take, so the strips lose nothing in bf16 either. */
static void strips_are_whole_frames_in_bf16(void **state)
{
    SoraError err;
    Backend *b = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_BF16}, &err);
    if (b == NULL)
        skip();
    cpu_backend_free(b);
    compare(SORA_PRECISION_BF16, 0.02);
}

/* The encoder's latents of two chunks, `frames` at a time in its finest levels; heap. */
static float *encode(Backend *backend, const Vae *m, int frames, size_t *count)
{
    enum { HEIGHT = 16, WIDTH = 24, FRAMES = 5 };
    Graph *g = graph_new(backend);
    float clip[FRAMES * HEIGHT * WIDTH * 3], *out = NULL;
    Rng rng;
    rng_init(&rng, 9, 0);
    rng_fill_normal(&rng, clip, sizeof clip / sizeof *clip);
    VaeCache cache = {.frames = frames};
    *count = 0;
    for (int f = 0, n = 1; f < FRAMES; f += n, n = 4) {
        graph_reset(g);
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, n, HEIGHT, WIDTH, 3), clip + f * HEIGHT * WIDTH * 3);
        Tensor *z = vae_encode_chunk(g, m, &cache, x);
        assert_non_null(z);
        out = realloc(out, (*count + (size_t)tensor_numel(z)) * sizeof *out);
        graph_download(g, z, out + *count);
        *count += (size_t)tensor_numel(z);
    }
    vae_cache_free(g, &cache);
    graph_free(g);
    return out;
}

static void frames_one_by_one_are_a_chunk(void **state)
{
    static const char *const CONFIGS[] = {FLAT, PATCHED};
    for (int i = 0; i < 2; i++) {
        RandomSource source;
        Params params;
        VaeConfig config;
        Vae m;
        SoraError err = {0};
        json_t *json = json_loads(CONFIGS[i], 0, NULL);
        assert_true(vae_config_read(&config, json, &err));
        json_decref(json);
        random_source_init(&source, 3);
        params_init(&params, &source.source);
        vae_bind_encoder(&m, &config, &params);
        assert_true(params_ok(&params, &err));
        Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
        size_t n, same;
        float *whole = encode(backend, &m, 0, &n);
        for (int frames = 1; frames < 4; frames++) {
            float *apart = encode(backend, &m, frames, &same);
            assert_int_equal(n, same);
            for (size_t k = 0; k < n; k++)
                assert_true(fabs((double)whole[k] - apart[k]) <= 1e-4);
            free(apart);
        }
        free(whole);
        cpu_backend_free(backend);
        params_deinit(&params);
        random_source_deinit(&source);
    }
}

/* --- the encoder --- */

typedef struct Latents {
    float data[3 * 24 * 3 * 4]; /* [3, C, height, width] */
    int64_t count, cells;       /* frames so far, numbers of each */
} Latents;

static bool take_latent(void *user, int64_t i, const float *latent, SoraError *err)
{
    Latents *l = user;
    assert_int_equal(i, l->count);
    memcpy(l->data + i * l->cells, latent, (size_t)l->cells * sizeof *latent);
    l->count++;
    return true;
}

/* Of 9 frames of normal numbers, tall ones; within limit bytes. */
static void encode_tall(const Pipeline *p, int64_t rows, size_t limit, Latents *out)
{
    const VaeConfig *c = &p->autoencoder->config;
    int side = vae_stride_space(c), width = 3 * side, height = (int)rows * side;
    SoraError err = {0};
    Rng rng;
    float *frame = malloc((size_t)(width * height * 3) * sizeof *frame);
    *out = (Latents){.cells = 3 * rows * c->z_dim};
    assert_true(out->cells <= 24 * 3 * 4);
    Encoder *e = encoder_open(p, &(EncodeJob){width, height, limit, take_latent, out}, &err);
    assert_non_null(e);
    rng_init(&rng, 11, 0);
    for (int f = 0; f < 9; f++) {
        rng_fill_normal(&rng, frame, (size_t)(width * height * 3));
        assert_true(encoder_push(e, frame, &err));
        if (limit == 1 && !c->linear_code)
            assert_int_equal(out->count, 0); /* all come at the end; rows of a linear code wait for nothing */
    }
    if (!encoder_finish(e, &err))
        fail_msg("%s", err.message);
    encoder_close(e);
    assert_int_equal(out->count, 3);
    free(frame);
}

static void strips_are_whole_frames_in_the_encoder(void **state)
{
    static const char *const CONFIGS[] = {FLAT, PATCHED, CODED};
    for (int i = 0; i < 3; i++)
        for (int64_t rows = 13; rows <= 24; rows += 11) {
            RandomSource source;
            Params params;
            VaeConfig config;
            Vae m;
            Rng rng;
            SoraError err = {0};
            json_t *json = json_loads(CONFIGS[i], 0, NULL);
            assert_true(vae_config_read(&config, json, &err));
            json_decref(json);
            random_source_init(&source, 3);
            params_init(&params, &source.source);
            vae_bind_encoder(&m, &config, &params);
            assert_true(params_ok(&params, &err));
            rng_init(&rng, 5, 0);
            for (int k = 0; k < params.count; k++) /* nothing is exactly zero or one */
                for (int64_t n = 0; n < tensor_numel(&params.items[k]->tensor); n++)
                    ((float *)params.items[k]->tensor.data)[n] += 0.1f * rng_normal(&rng);
            Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
            Pipeline p = {.graph = graph_new(backend), .autoencoder = &m};
            static Latents whole, strips;
            encode_tall(&p, rows, 0, &whole);
            encode_tall(&p, rows, 1, &strips);
            double most = 0, sum = 0;
            for (int64_t k = 0; k < 3 * whole.cells; k++) {
                most = fmax(most, fabs((double)whole.data[k] - strips.data[k]));
                sum += fabs(whole.data[k]);
            }
            if (!(most <= 2e-4 * sum / (double)(3 * whole.cells)))
                fail_msg("config %d, %d rows: error %g of %g", i, (int)rows, most, sum / (double)(3 * whole.cells));
            graph_free(p.graph);
            cpu_backend_free(backend);
            params_deinit(&params);
            random_source_deinit(&source);
        }
}

/* What the graph takes for two chunks of a large frame. */
static double code_memory(const Vae *m, size_t limit)
{
    enum { WIDTH = 512, HEIGHT = 1024 };
    SoraError err = {0};
    static Latents none;
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    Pipeline p = {.graph = graph_new(backend), .autoencoder = (Vae *)m};
    float *frame = calloc((size_t)WIDTH * HEIGHT * 3, sizeof *frame);
    none = (Latents){0};
    Encoder *e = encoder_open(&p, &(EncodeJob){WIDTH, HEIGHT, limit, take_latent, &none}, &err);
    for (int f = 0; f < 5; f++)
        assert_true(encoder_push(e, frame, &err));
    assert_true(encoder_finish(e, &err));
    double bytes = graph_memory(p.graph);
    encoder_close(e);
    graph_free(p.graph);
    cpu_backend_free(backend);
    free(frame);
    return bytes;
}

static void a_linear_code_keeps_its_limit(void **state)
{
    RandomSource source;
    Params params;
    VaeConfig config;
    Vae m;
    SoraError err = {0};
    json_t *json = json_loads(CODED, 0, NULL);
    assert_true(vae_config_read(&config, json, &err));
    json_decref(json);
    random_source_init(&source, 3);
    params_init(&params, &source.source);
    vae_bind_encoder(&m, &config, &params);
    assert_true(params_ok(&params, &err));
    double whole = code_memory(&m, 0), strips = code_memory(&m, 16 << 20);
    assert_true(whole > 3 * 4.0 * 4 * 512 * 1024 && strips < 16 << 20);
    params_deinit(&params);
    random_source_deinit(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(strips_are_whole_frames),
                                       cmocka_unit_test(pushes_are_one_clip),
                                       cmocka_unit_test(strips_are_whole_frames_in_bf16),
                                       cmocka_unit_test(strips_are_whole_frames_in_the_encoder),
                                       cmocka_unit_test(a_linear_code_keeps_its_limit),
                                       cmocka_unit_test(frames_one_by_one_are_a_chunk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
