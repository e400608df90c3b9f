#include "engine/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file.h"
#include "cpu/backend.h"
#include "engine/onednn_rate.h"
#include "engine/pipeline.h"
#include "engine/profile.h"
#include "model/transformer.h"
#include "model/vae22.h"
#include "weights/param_sources.h"

typedef struct Config {
    const char *name, *transformer, *autoencoder; /* JSON; autoencoder NULL: Wan 2.1's is not in this build */
    int width, height, frames;
    int stride_time, stride_space;
} Config;

static const Config CONFIGS[] = {
    {"nano",
     "{\"in_dim\": 40, \"out_dim\": 40, \"dim\": 320, \"ffn_dim\": 1280, \"num_heads\": 5, \"num_layers\": 8,"
     " \"text_len\": 64, \"text_dim\": 192}",
     "{\"dim\": 32, \"dec_dim\": 32, \"z_dim\": 40, \"dim_mult\": [1, 2, 2], \"num_res_blocks\": 1,"
     " \"temperal_downsample\": [true, true], \"patchify\": 2}",
     128, 128, 17, 4, 8},
    {"wan2.1-t2v-1.3b",
     "{\"in_dim\": 16, \"out_dim\": 16, \"dim\": 1536, \"ffn_dim\": 8960, \"num_heads\": 12, \"num_layers\": "
     "30}",
     NULL, 256, 256, 17, 4, 8},
    {"wan2.2-ti2v-5b",
     "{\"in_dim\": 48, \"out_dim\": 48, \"dim\": 3072, \"ffn_dim\": 14336, \"num_heads\": 24, "
     "\"num_layers\": 30}",
     "{\"dim\": 160, \"dec_dim\": 256, \"z_dim\": 48, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"
     " \"temperal_downsample\": [false, true, true], \"patchify\": 2}",
     256, 256, 17, 4, 16},
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

/* One network's measured run. */
typedef struct Measurement {
    double seconds, flops;
    double op_seconds[OP_COUNT], op_flops[OP_COUNT];
    WorkShape *shapes;
    int count;
} Measurement;

static bool find_config(Bench *b, SoraError *err)
{
    const BenchOptions *o = b->options;
    const char *name = o->config != NULL ? o->config : CONFIGS[0].name;
    for (int i = 0; i < CONFIG_COUNT; i++)
        if (strcmp(name, CONFIGS[i].name) == 0)
            b->config = &CONFIGS[i];
    if (b->config == NULL)
        return error_set(err, SORA_ERROR_INPUT,
                         "config \"%s\": unknown, try nano, wan2.1-t2v-1.3b or wan2.2-ti2v-5b", name);
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

/* --- what is measured: each runs once on a graph that was reset --- */

typedef struct Subject {
    bool (*run)(Bench *b, void *network, SoraError *err);
    void *network;
} Subject;

typedef struct TransformerRun {
    Dit network;
    int64_t grid[3];
    float *patches, *text;
    int32_t *index;
} TransformerRun;

static bool run_transformer(Bench *b, void *user, SoraError *err)
{
    TransformerRun *t = user;
    const DitConfig *c = &t->network.config;
    Graph *g = b->graph;
    int64_t m = t->grid[0] * t->grid[1] * t->grid[2], rows = c->text_len;
    int64_t values = c->in_dim * c->patch_size[0] * c->patch_size[1] * c->patch_size[2];
    graph_reset(g);
    Tensor *text = graph_input(g, DTYPE_F32, SHAPE(rows, c->text_dim), t->text);
    DitContext context = dit_prepare(
        g, &t->network, &(DitBatch){.samples = 1, .grid = &t->grid, .text = text, .text_rows = &rows});
    Tensor *patches = graph_input(g, DTYPE_F32, SHAPE(m, values), t->patches);
    Tensor *time = graph_input(g, DTYPE_F32, SHAPE(1), (float[]){500});
    Tensor *index = graph_input(g, DTYPE_I32, SHAPE(m), t->index);
    profile_clear(&b->profile);
    dit_step(g, &t->network, &context, patches, time, index);
    return graph_ok(g, err);
}

typedef struct DecoderRun {
    Vae22 network;
    int64_t frames, height, width; /* of the latent */
    int64_t chunk;                 /* latent frames decoded at a time, as the engine does */
    float *z;                      /* [chunk, height, width, z_dim] */
} DecoderRun;

static bool run_decoder(Bench *b, void *user, SoraError *err)
{
    DecoderRun *d = user;
    Graph *g = b->graph;
    VaeCache cache = {0};
    bool ok = true;
    profile_clear(&b->profile);
    for (int64_t f = 0, n; f < d->frames && ok; f += n) {
        n = d->chunk < d->frames - f ? d->chunk : d->frames - f;
        graph_reset(g);
        Tensor *z =
            graph_input(g, DTYPE_F32, SHAPE(1, n, d->height, d->width, d->network.config.z_dim), d->z);
        vae22_decode_chunk(g, &d->network, &cache, z);
        ok = graph_ok(g, err);
    }
    vae_cache_free(g, &cache);
    return ok;
}

static bool measure(Bench *b, Subject subject, Measurement *out, SoraError *err)
{
    int repeats = b->options->repeats > 0 ? b->options->repeats : 3;
    *out = (Measurement){0};
    if (!subject.run(b, subject.network, err)) /* to warm up */
        return false;
    for (int i = 0; i < repeats; i++) {
        double start = clock_seconds();
        if (!subject.run(b, subject.network, err))
            return false;
        double seconds = clock_seconds() - start;
        if (i > 0 && seconds >= out->seconds)
            continue;
        out->seconds = seconds;
        out->flops = profile_flops(&b->profile);
        memcpy(out->op_seconds, b->profile.seconds, sizeof out->op_seconds);
        memcpy(out->op_flops, b->profile.flops, sizeof out->op_flops);
    }
    out->count = b->profile.count;
    out->shapes = malloc((size_t)(out->count + 1) * sizeof *out->shapes);
    if (out->shapes == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "bench: out of memory");
    memcpy(out->shapes, b->profile.shapes, (size_t)out->count * sizeof *out->shapes);
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
    t.index = calloc((size_t)m, sizeof *t.index);
    snprintf(b->report->workload, sizeof b->report->workload, "%s, %dx%d, %d frames, %lld tokens",
             b->config->name, b->width, b->height, b->frames, (long long)m);
    ok = params_ok(&b->params, err);
    if (ok && (t.patches == NULL || t.text == NULL || t.index == NULL))
        ok = error_set(err, SORA_ERROR_MEMORY, "bench: out of memory");
    ok = ok && measure(b, (Subject){run_transformer, &t}, out, err);
    free(t.patches);
    free(t.text);
    free(t.index);
    end_network(b);
    return ok;
}

static bool measure_decoder(Bench *b, Measurement *out, SoraError *err)
{
    DecoderRun d = {0};
    VaeConfig c;
    json_t *json = parse(b->config->autoencoder);
    bool ok = vae_config_read(&c, json, err);
    json_decref(json);
    if (!ok)
        return false;
    begin_network(b);
    vae22_bind_decoder(&d.network, &c, &b->params);
    d.frames = 1 + (b->frames - 1) / b->config->stride_time;
    d.height = b->height / b->config->stride_space;
    d.width = b->width / b->config->stride_space;
    d.chunk = pipeline_decode_chunk(&c, &(CanvasShape){c.z_dim, d.frames, d.height, d.width, {1, 2, 2}});
    d.z = constants(d.chunk * d.height * d.width * c.z_dim);
    ok = params_ok(&b->params, err);
    if (ok && d.z == NULL)
        ok = error_set(err, SORA_ERROR_MEMORY, "bench: out of memory");
    ok = ok && measure(b, (Subject){run_decoder, &d}, out, err);
    free(d.z);
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

static bool add_measurement(Bench *b, const char *name, const Measurement *m, SoraError *err)
{
    double flops, seconds;
    char text[64];
    RateOptions rate = {cpu_backend_threads(b->backend), cpu_backend_bf16(b->backend)};
    if (!onednn_rate(m->shapes, m->count, rate, &flops, &seconds, err))
        return false;
    snprintf(text, sizeof text, "%s, oneDNN alone", name);
    add_row(b->report, text, seconds, flops, 100);
    double limit = seconds > 0 ? flops / seconds : 0;
    add_row(b->report, name, m->seconds, m->flops, limit > 0 ? 100 * m->flops / m->seconds / limit : 0);
    for (int op = 0; op < OP_COUNT && b->options->by_op; op++)
        if (m->op_seconds[op] >= m->seconds / 1000) {
            snprintf(text, sizeof text, "  %s", op_name((Op)op));
            add_row(b->report, text, m->op_seconds[op], m->op_flops[op],
                    limit > 0 ? 100 * m->op_flops[op] / m->op_seconds[op] / limit : 0);
        }
    return true;
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

static int64_t peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

static bool run_all(Bench *b, SoraError *err)
{
    Measurement step = {0}, decode = {0};
    bool decoder = b->config->autoencoder != NULL;
    describe_machine(b);
    bool ok = measure_transformer(b, &step, err) && (!decoder || measure_decoder(b, &decode, err));
    b->report->peak_bytes = peak_bytes();
    ok = ok && add_measurement(b, "transformer step", &step, err) &&
         (!decoder || add_measurement(b, "autoencoder decode", &decode, err));
    free(step.shapes);
    free(decode.shapes);
    return ok;
}

bool bench_run(const BenchOptions *options, BenchReport *report, SoraError *err)
{
    Bench b = {.options = options, .report = report};
    *report = (BenchReport){0};
    if (!find_config(&b, err))
        return false;
    const SoraOptions *o = &options->engine;
    b.backend = cpu_backend_new(&(CpuOptions){o->threads, o->precision, o->cpu}, err);
    if (b.backend == NULL)
        return false;
    profile_init(&b.profile, b.backend);
    b.graph = graph_new(&b.profile.base);
    bool ok =
        (b.graph != NULL || error_set(err, SORA_ERROR_MEMORY, "bench: out of memory")) && run_all(&b, err);
    graph_free(b.graph);
    profile_deinit(&b.profile);
    cpu_backend_free(b.backend);
    return ok;
}
