#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cpu/backend.h"
#include "bench/onednn_rate.h"
#include "engine/pipeline.h"
#include "bench/profile.h"
#include "model/transformer.h"
#include "model/vae.h"
#include "weights/param_sources.h"

typedef struct Config {
    const char *name, *transformer, *autoencoder; /* JSON; transformer NULL: the autoencoder alone */
    int width, height, frames;
    int stride_time, stride_space;
} Config;

#define VAE_21                                                                                               \
    "{\"dim\": 96, \"z_dim\": 16, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"                        \
    " \"temperal_downsample\": [false, true, true]}"
#define VAE_22                                                                                               \
    "{\"dim\": 160, \"dec_dim\": 256, \"z_dim\": 48, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"     \
    " \"temperal_downsample\": [false, true, true], \"patchify\": 2}"
#define DIT_14B(more)                                                                                        \
    "{\"dim\": 5120, \"ffn_dim\": 13824, \"num_heads\": 40, \"num_layers\": 40, " more "\"out_dim\": 16}"

/* An expert of Wan 2.2 A14B is as large as Wan 2.1's 14B. */
static const Config CONFIGS[] = {
    {"nano",
     "{\"in_dim\": 40, \"out_dim\": 40, \"dim\": 320, \"ffn_dim\": 1280, \"num_heads\": 5, \"num_layers\": 8,"
     " \"text_len\": 64, \"text_dim\": 192}",
     "{\"dim\": 32, \"dec_dim\": 32, \"z_dim\": 40, \"dim_mult\": [1, 2, 2], \"num_res_blocks\": 1,"
     " \"temperal_downsample\": [true, true], \"patchify\": 2}",
     128, 128, 17, 4, 8},
    {"wan2.1-t2v-1.3b", "{\"dim\": 1536, \"ffn_dim\": 8960, \"num_heads\": 12, \"num_layers\": 30}", VAE_21,
     256, 256, 17, 4, 8},
    {"wan2.1-t2v-14b", DIT_14B(""), VAE_21, 256, 256, 17, 4, 8},
    {"wan2.1-i2v-14b", DIT_14B("\"in_dim\": 36, \"clip_dim\": 1280, "), VAE_21, 256, 256, 17, 4, 8},
    {"wan2.2-t2v-a14b", DIT_14B(""), VAE_21, 256, 256, 17, 4, 8},
    {"wan2.2-i2v-a14b", DIT_14B("\"in_dim\": 36, "), VAE_21, 256, 256, 17, 4, 8},
    {"wan2.2-ti2v-5b",
     "{\"in_dim\": 48, \"out_dim\": 48, \"dim\": 3072, \"ffn_dim\": 14336, \"num_heads\": 24, "
     "\"num_layers\": 30}",
     VAE_22, 256, 256, 17, 4, 16},
    {"wan2.1-vae", NULL, VAE_21, 256, 256, 17, 4, 8},
};

enum { CONFIG_COUNT = sizeof CONFIGS / sizeof *CONFIGS };

typedef struct Bench {
    const BenchOptions *options;
    const Config *config;
    Backend *backend;
    Profile profile;
    Graph *graph;
    BenchSource source; /* of the network being measured */
    Params params;
    int width, height, frames;
    BenchReport *report;
} Bench;

enum { MAX_ROUNDS = 100 };

/* One network's run, and oneDNN alone right after it. */
typedef struct Measurement {
    double seconds, flops;
    double op_seconds[OP_COUNT], op_flops[OP_COUNT];
    double limit_seconds, limit_flops;
} Measurement;

static bool find_config(Bench *b, SoraError *err)
{
    const BenchOptions *o = b->options;
    const char *name = o->config != NULL ? o->config : CONFIGS[0].name;
    for (int i = 0; i < CONFIG_COUNT; i++)
        if (strcmp(name, CONFIGS[i].name) == 0)
            b->config = &CONFIGS[i];
    if (b->config == NULL) {
        char names[200] = "";
        for (int i = 0; i < CONFIG_COUNT; i++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i > 0 ? ", " : "",
                     CONFIGS[i].name);
        return error_set(err, SORA_ERROR_INPUT, "config \"%.40s\": unknown, try %s", name, names);
    }
    b->width = o->width != 0 ? o->width : b->config->width;
    b->height = o->height != 0 ? o->height : b->config->height;
    b->frames = o->frames != 0 ? o->frames : b->config->frames;
    int unit = 2 * b->config->stride_space;
    if (b->width < unit || b->height < unit || b->width > 8192 || b->height > 8192 || b->width % unit != 0 ||
        b->height % unit != 0)
        return error_set(err, SORA_ERROR_INPUT, "size: %dx%d, expected multiples of %d up to 8192", b->width,
                         b->height, unit);
    if (b->frames < 1 || b->frames > 4093 || (b->frames - 1) % b->config->stride_time != 0)
        return error_set(err, SORA_ERROR_INPUT, "frames: %d is not 1 + a multiple of %d", b->frames,
                         b->config->stride_time);
    return (o->tokens >= 0 && o->tokens <= 1 << 22) ||
           error_set(err, SORA_ERROR_INPUT, "tokens: %d is not between 1 and %d", o->tokens, 1 << 22);
}

static json_t *parse(const char *text)
{
    return json_loads(text, 0, NULL);
}

/* --- what is measured: each runs once on a graph that was reset, from profile_clear() on --- */

typedef struct Subject {
    bool (*run)(Bench *b, void *network, SoraError *err);
    void *network;
} Subject;

typedef struct TransformerRun {
    Dit network;
    int64_t grid[3];
    float *patches, *text, *pictures;
    int32_t *index;
} TransformerRun;

enum { PICTURE_ROWS = 257 }; /* of one picture, as CLIP makes them */

static bool run_transformer(Bench *b, void *user, SoraError *err)
{
    TransformerRun *t = user;
    const DitConfig *c = &t->network.config;
    Graph *g = b->graph;
    int64_t m = t->grid[0] * t->grid[1] * t->grid[2], rows = c->text_len;
    int64_t values = c->in_dim * c->patch_size[0] * c->patch_size[1] * c->patch_size[2];
    graph_reset(g);
    Tensor *text = graph_input(g, DTYPE_F32, SHAPE(rows, c->text_dim), t->text);
    DitBatch batch = {.samples = 1, .grid = &t->grid, .text = text, .text_rows = &rows};
    if (c->clip_dim > 0)
        batch.pictures = graph_input(g, DTYPE_F32, SHAPE(PICTURE_ROWS, c->clip_dim), t->pictures);
    DitContext context = dit_prepare(g, &t->network, &batch);
    Tensor *patches = graph_input(g, DTYPE_F32, SHAPE(m, values), t->patches);
    Tensor *time = graph_input(g, DTYPE_F32, SHAPE(1), (float[]){500});
    Tensor *index = graph_input(g, DTYPE_I32, SHAPE(m), t->index);
    profile_clear(&b->profile);
    dit_step(g, &t->network, &context, patches, time, index);
    return graph_ok(g, err);
}

typedef enum Half { ENCODER, DECODER } Half;

/* Half of the autoencoder, chunk by chunk, as the engine has it. */
typedef struct CoderRun {
    Vae network;
    Half half;
    int64_t frames, height, width; /* of the latent */
    int64_t chunk;                 /* latent frames at a time */
    float *data;                   /* of one chunk of pictures or of latents */
} CoderRun;

static bool run_coder(Bench *b, void *user, SoraError *err)
{
    CoderRun *r = user;
    const VaeConfig *c = &r->network.config;
    int64_t time = vae_stride_time(c), space = vae_stride_space(c);
    Graph *g = b->graph;
    VaeCache cache = {.frames = pipeline_coder_frames(c, &(CanvasShape){c->z_dim, r->frames, r->height, r->width, {1, 1, 1}})};
    bool ok = true;
    graph_keep_weights(g, cache.frames == 0);
    profile_clear(&b->profile);
    for (int64_t f = 0, n; f < r->frames && ok; f += n) {
        n = r->chunk < r->frames - f ? r->chunk : r->frames - f;
        cache.last = f + n == r->frames && cache.frames == 0;
        graph_reset(g);
        if (r->half == ENCODER)
            vae_encode_chunk(g, &r->network, &cache,
                               graph_input(g, DTYPE_F32,
                                           SHAPE(1, n * time - (f == 0 ? time - 1 : 0), r->height * space,
                                                 r->width * space, 3),
                                           r->data));
        else
            vae_decode_chunk(
                g, &r->network, &cache,
                graph_input(g, DTYPE_F32, SHAPE(1, n, r->height, r->width, c->z_dim), r->data));
        ok = graph_ok(g, err);
    }
    graph_keep_weights(g, false);
    vae_cache_free(g, &cache);
    return ok;
}

static int by_share(const void *a, const void *b)
{
    const Measurement *x = a, *y = b;
    double left = x->seconds * y->limit_seconds, right = y->seconds * x->limit_seconds;
    return (left > right) - (left < right);
}

/* What this process has had in memory at most since the last call with a new beginning. */
static int64_t peak_bytes(bool begin)
{
    long long kilobytes = 0;
    char line[128];
    FILE *f = begin ? fopen("/proc/self/clear_refs", "w") : NULL;
    if (f != NULL) {
        fputs("5", f);
        fclose(f);
    }
    f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL && sscanf(line, "VmHWM: %lld", &kilobytes) != 1)
        continue;
    if (f != NULL)
        fclose(f);
    return kilobytes * 1024;
}

/* Rounds of a run and of oneDNN alone; the one in the middle counts, by what they are to each other: the machine may be
 * faster in one round than in the next. */
static bool measure(Bench *b, Subject subject, Measurement *out, SoraError *err)
{
    int rounds = b->options->repeats > 0 ? b->options->repeats : 3;
    Measurement all[MAX_ROUNDS];
    double (*clock)(void) = b->profile.clock;
    RateOptions rate = {cpu_backend_threads(b->backend), cpu_backend_bf16(b->backend), clock};
    rounds = rounds < MAX_ROUNDS ? rounds : MAX_ROUNDS;
    peak_bytes(true);
    if (!subject.run(b, subject.network, err)) /* to warm up */
        return false;
    int64_t peak = peak_bytes(false);
    b->report->peak_bytes = peak > b->report->peak_bytes ? peak : b->report->peak_bytes;
    for (int i = 0; i < rounds; i++) {
        Measurement *m = &all[i];
        if (!subject.run(b, subject.network, err))
            return false;
        *m = (Measurement){.seconds = clock() - b->profile.begun, .flops = profile_flops(&b->profile)};
        memcpy(m->op_seconds, b->profile.seconds, sizeof m->op_seconds);
        memcpy(m->op_flops, b->profile.flops, sizeof m->op_flops);
        if (!onednn_rate(b->profile.shapes, b->profile.count, rate, &m->limit_flops, &m->limit_seconds, err))
            return false;
    }
    qsort(all, (size_t)rounds, sizeof *all, by_share);
    *out = all[rounds / 2];
    return true;
}

/* --- the networks --- */

static float *constants(int64_t count)
{
    float *p = malloc((size_t)count * sizeof *p);
    for (int64_t i = 0; p != NULL && i < count; i++)
        p[i] = (float)(i % 17) / 8 - 1;
    return p;
}

static void begin_network(Bench *b)
{
    bench_source_init(&b->source, DTYPE_BF16);
    params_init(&b->params, &b->source.source);
}

static void end_network(Bench *b)
{
    params_deinit(&b->params);
    bench_source_deinit(&b->source);
}

static bool measure_transformer(Bench *b, Measurement *out, SoraError *err)
{
    TransformerRun t = {0};
    DitConfig c;
    json_t *json = parse(b->config->transformer);
    bool ok = dit_config_parse(&c, json, err);
    json_decref(json);
    if (!ok)
        return false;
    if (b->options->layers > 0 && b->options->layers < c.num_layers)
        c.num_layers = b->options->layers;
    begin_network(b);
    dit_bind(&t.network, &c, &b->params);
    int unit = 2 * b->config->stride_space;
    int64_t grid[3] = {1 + (b->frames - 1) / b->config->stride_time, b->height / unit, b->width / unit};
    if (b->options->tokens > 0)
        grid[0] = grid[1] = 1, grid[2] = b->options->tokens;
    memcpy(t.grid, grid, sizeof grid);
    int64_t m = grid[0] * grid[1] * grid[2];
    t.patches = constants(m * c.in_dim * 4);
    t.text = constants((int64_t)c.text_len * c.text_dim);
    t.pictures = constants((int64_t)PICTURE_ROWS * (c.clip_dim + 1));
    t.index = calloc((size_t)m, sizeof *t.index);
    snprintf(b->report->workload, sizeof b->report->workload, "%s, %dx%d, %d frames, %lld tokens, %d layers",
             b->config->name, b->width, b->height, b->frames, (long long)m, c.num_layers);
    ok = params_ok(&b->params, err);
    if (ok && (t.patches == NULL || t.text == NULL || t.pictures == NULL || t.index == NULL))
        ok = error_set(err, SORA_ERROR_MEMORY, "bench: out of memory");
    ok = ok && measure(b, (Subject){run_transformer, &t}, out, err);
    free(t.patches);
    free(t.text);
    free(t.pictures);
    free(t.index);
    end_network(b);
    return ok;
}

static bool measure_coder(Bench *b, Half half, Measurement *out, SoraError *err)
{
    CoderRun r = {.half = half};
    VaeConfig c;
    json_t *json = parse(b->config->autoencoder);
    bool ok = vae_config_read(&c, json, err);
    json_decref(json);
    if (!ok)
        return false;
    begin_network(b);
    if (half == ENCODER)
        vae_bind_encoder(&r.network, &c, &b->params);
    else
        vae_bind_decoder(&r.network, &c, &b->params);
    r.frames = 1 + (b->frames - 1) / b->config->stride_time;
    r.height = b->height / b->config->stride_space;
    r.width = b->width / b->config->stride_space;
    r.chunk =
        half == ENCODER
            ? 1
            : pipeline_decode_chunk(&c, &(CanvasShape){c.z_dim, r.frames, r.height, r.width, {1, 2, 2}});
    int64_t pixels = b->config->stride_time * b->config->stride_space * b->config->stride_space * 3;
    r.data = constants(r.chunk * r.height * r.width * (half == ENCODER ? pixels : c.z_dim));
    ok = params_ok(&b->params, err);
    if (ok && r.data == NULL)
        ok = error_set(err, SORA_ERROR_MEMORY, "bench: out of memory");
    ok = ok && measure(b, (Subject){run_coder, &r}, out, err);
    free(r.data);
    end_network(b);
    return ok;
}

/* --- the report --- */

static void add_row(BenchReport *r, const char *name, double seconds, double flops, double percent)
{
    if (r->count == BENCH_MAX_ROWS)
        return;
    BenchRow *row = &r->rows[r->count++];
    *row = (BenchRow){.seconds = seconds, .tflop = flops / 1e12, .percent = percent};
    row->gflops = seconds > 0 ? flops / seconds / 1e9 : 0;
    snprintf(row->name, sizeof row->name, "%s", name);
}

static void add_measurement(Bench *b, const char *name, const Measurement *m)
{
    char text[64];
    snprintf(text, sizeof text, "%s, oneDNN alone", name);
    add_row(b->report, text, m->limit_seconds, m->limit_flops, 100);
    double limit = m->limit_seconds > 0 ? m->limit_flops / m->limit_seconds : 0;
    add_row(b->report, name, m->seconds, m->flops, limit > 0 ? 100 * m->flops / m->seconds / limit : 0);
    for (int op = 0; op < OP_COUNT && b->options->by_op; op++)
        if (m->op_seconds[op] >= m->seconds / 1000) {
            snprintf(text, sizeof text, "  %s", op_name((Op)op));
            add_row(b->report, text, m->op_seconds[op], m->op_flops[op],
                    limit > 0 ? 100 * m->op_flops[op] / m->op_seconds[op] / limit : 0);
        }
}

static void describe_machine(const Bench *b)
{
    char model[64] = "unknown processor", line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            snprintf(model, sizeof model, "%.63s", strchr(line, ':') + 2);
            model[strcspn(model, "\n")] = 0;
            break;
        }
    if (f != NULL)
        fclose(f);
    snprintf(b->report->machine, sizeof b->report->machine, "%s, %d threads, %s, %s", model,
             cpu_backend_threads(b->backend), cpu_backend_level(b->backend),
             cpu_backend_int8(b->backend) ? "int8" : cpu_backend_bf16(b->backend) ? "bf16" : "f32");
}

static bool run_all(Bench *b, SoraError *err)
{
    Measurement step = {0}, encode = {0}, decode = {0};
    int parts = b->options->parts != 0 ? b->options->parts : BENCH_TRANSFORMER | BENCH_ENCODER | BENCH_DECODER;
    bool transformer = b->config->transformer != NULL && (parts & BENCH_TRANSFORMER);
    bool encoder = parts & BENCH_ENCODER, decoder = parts & BENCH_DECODER;
    describe_machine(b);
    snprintf(b->report->workload, sizeof b->report->workload, "%s, %dx%d, %d frames", b->config->name,
             b->width, b->height, b->frames);
    if ((transformer && !measure_transformer(b, &step, err)) || (encoder && !measure_coder(b, ENCODER, &encode, err)) ||
        (decoder && !measure_coder(b, DECODER, &decode, err)))
        return false;
    if (transformer)
        add_measurement(b, "transformer step", &step);
    if (encoder)
        add_measurement(b, "autoencoder encode", &encode);
    if (decoder)
        add_measurement(b, "autoencoder decode", &decode);
    return true;
}

bool bench_run(const BenchOptions *options, BenchReport *report, SoraError *err)
{
    Bench b = {.options = options, .report = report};
    *report = (BenchReport){0};
    if (!find_config(&b, err))
        return false;
    const SoraOptions *o = &options->engine;
    if (options->processor_time && o->threads != 1)
        return error_set(err, SORA_ERROR_INPUT, "clock processor: it needs one thread, --threads 1");
    b.backend = cpu_backend_new(&(CpuOptions){.threads = o->threads, .precision = o->precision, .level = o->cpu}, err);
    if (b.backend == NULL)
        return false;
    profile_init(&b.profile, b.backend, options->processor_time ? clock_processor : clock_seconds);
    b.graph = graph_new(&b.profile.base);
    bool ok =
        (b.graph != NULL || error_set(err, SORA_ERROR_MEMORY, "bench: out of memory")) && run_all(&b, err);
    graph_free(b.graph);
    profile_deinit(&b.profile);
    cpu_backend_free(b.backend);
    return ok;
}
