/* The video autoencoders against the reference: chunk by chunk, the whole clip at once, and every
 * intermediate that the file holds. */
#include "golden/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cpu/backend.h"
#include "golden/fixture.h"
#include "golden/video.h"
#include "model/vae.h"

static const double TOLERANCE = 5e-5;

typedef struct Case {
    const Fixture *f;
    const char *name;
    const Vae *vae;
    Graph *g;
    bool encode;
    Tensor in, out; /* of the fixture */
} Case;

static double run_whole(const Case *c)
{
    graph_reset(c->g);
    Tensor *x = video_input(c->g, c->in);
    Tensor *y = c->encode ? vae_encode(c->g, c->vae, x) : vae_decode(c->g, c->vae, x);
    return video_error(c->g, y, c->out, 0);
}

/* Everything is forgotten between chunks but the cache. Frames that do not fill a chunk are dropped. */
static double run_chunks(const Case *c)
{
    VaeCache cache = {0};
    double worst = 0;
    int64_t stride = c->encode ? vae_stride_time(&c->vae->config) : 1, at = 0, made = 0;
    for (int64_t n = 1; at + n <= c->in.shape[1]; at += n, n = stride) {
        graph_reset(c->g);
        Tensor *x = op_slice(c->g, video_input(c->g, c->in), 1, at, n);
        Tensor *y = c->encode ? vae_encode_chunk(c->g, c->vae, &cache, x)
                              : vae_decode_chunk(c->g, c->vae, &cache, x);
        worst = worse_error(worst, video_error(c->g, y, c->out, made));
        made += y != NULL ? y->shape[1] : 0;
    }
    vae_cache_free(c->g, &cache);
    return made == c->out.shape[1] ? worst : NAN;
}

/* --- intermediates: "dbg.CASE.MODULE.chunkN" --- */

typedef struct Probe {
    const Case *c;
    int chunk, seen;
    double worst;
} Probe;

static Tensor *look(Probe *p, Tensor *y, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Compares y, if the file has that module's output, and passes it on. */
static Tensor *look(Probe *p, Tensor *y, const char *fmt, ...)
{
    char module[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(module, sizeof module, fmt, args);
    va_end(args);
    Tensor expected = fixture_tensor(p->c->f, "dbg.%s.%s.chunk%d", p->c->name, module, p->chunk);
    if (expected.data != NULL) {
        p->seen++;
        p->worst = worse_error(p->worst, video_error(p->c->g, y, expected, 0));
    }
    return y;
}

static Tensor *look_head(Probe *p, const VaeCoder *coder, const char *side, VaeCache *cache, Tensor *x)
{
    Graph *g = p->c->g;
    x = look(p, op_l2_norm(g, x, op_reshape(g, coder->head_norm, SHAPE(-1))), "%s.head.0", side);
    x = look(p, op_silu(g, x), "%s.head.1", side);
    return look(p, vae_causal_conv(g, &coder->head, cache, x), "%s.head.2", side);
}

static Tensor *look_middle(Probe *p, const VaeCoder *coder, const char *side, VaeCache *cache, Tensor *x)
{
    x = look(p, vae_residual(p->c->g, &coder->middle0, cache, x), "%s.middle.0", side);
    x = look(p, vae_attention(p->c->g, &coder->middle1, x), "%s.middle.1", side);
    return look(p, vae_residual(p->c->g, &coder->middle2, cache, x), "%s.middle.2", side);
}

static Tensor *look_level(Probe *p, const VaeLevel *l, int index, VaeCache *cache, Tensor *x)
{
    Graph *g = p->c->g;
    bool down = p->c->encode, resizes = l->resample.space.w != NULL;
    char name[64], blocks[128];
    snprintf(name, sizeof name, "%s.%ssamples", down ? "encoder" : "decoder", down ? "down" : "up");
    snprintf(blocks, sizeof blocks, "%s", name);
    int first = index * (l->residuals + 1); /* blocks are counted through all levels */
    if (l->shortcut) {                      /* or within each */
        snprintf(name + strlen(name), sizeof name - strlen(name), ".%d", index);
        snprintf(blocks, sizeof blocks, "%s.%ssamples", name, down ? "down" : "up");
        first = 0;
    }
    Tensor *h = x;
    for (int i = 0; i < l->residuals; i++)
        h = look(p, vae_residual(g, &l->residual[i], cache, h), "%s.%d", blocks, first + i);
    if (resizes)
        h = look(p,
                 down ? vae_downsample(g, &l->resample, cache, h) : vae_upsample(g, &l->resample, cache, h, NULL),
                 "%s.%d", blocks, first + l->residuals);
    if (!l->shortcut)
        return h;
    if (down || resizes) {
        Tensor *shortcut = down ? vae_avg_down(g, x, l->channels, l->factors)
                                : vae_dup_up(g, cache, x, 0, (VaeDup){l->channels, l->factors});
        h = op_add(g, h, look(p, shortcut, "%s.avg_shortcut", name));
    }
    return look(p, h, "%s", name);
}

static Tensor *look_encoder(Probe *p, VaeCache *cache, Tensor *x)
{
    const Vae *vae = p->c->vae;
    const VaeCoder *e = &vae->encoder;
    x = vae_patchify(p->c->g, x, vae->config.patchify);
    x = look(p, vae_causal_conv(p->c->g, &e->conv1, cache, x), "encoder.conv1");
    for (int i = 0; i < vae->config.levels; i++)
        x = look_level(p, &e->level[i], i, cache, x);
    return look_head(p, e, "encoder", cache, look_middle(p, e, "encoder", cache, x));
}

static void look_decoder(Probe *p, VaeCache *cache, Tensor *x)
{
    const Vae *vae = p->c->vae;
    const VaeCoder *d = &vae->decoder;
    x = look(p, vae_causal_conv(p->c->g, &d->conv1, cache, x), "decoder.conv1");
    x = look_middle(p, d, "decoder", cache, x);
    for (int i = 0; i < vae->config.levels; i++)
        x = look_level(p, &d->level[i], i, cache, x);
    look_head(p, d, "decoder", cache, x);
}

static void look_at_encode(Probe *p)
{
    Graph *g = p->c->g;
    VaeCache cache = {0};
    int64_t stride = vae_stride_time(&p->c->vae->config), latent = 0;
    Tensor *video = video_input(g, p->c->in);
    Tensor moments = fixture_tensor(p->c->f, "dbg.%s.moments_before_scale", p->c->name);
    for (int64_t at = 0, n = 1; at + n <= p->c->in.shape[1]; at += n, n = stride, p->chunk++) {
        Tensor *y = look_encoder(p, &cache, op_slice(g, video, 1, at, n));
        vae_cache_end_chunk(&cache);
        if (moments.data != NULL)
            p->worst = worse_error(p->worst,
                                   video_error(g, vae_pointwise(g, &p->c->vae->conv1, y), moments, latent++));
    }
    p->seen += moments.data != NULL;
    vae_cache_free(g, &cache);
}

static void look_at_decode(Probe *p)
{
    Graph *g = p->c->g;
    const VaeConfig *config = &p->c->vae->config;
    VaeCache cache = {0};
    Tensor *z =
        op_mul(g, video_input(g, p->c->in), graph_input(g, DTYPE_F32, SHAPE(config->z_dim), config->std));
    z = op_add(g, z, graph_input(g, DTYPE_F32, SHAPE(config->z_dim), config->mean));
    z = look(p, vae_pointwise(g, &p->c->vae->conv2, z), "conv2"); /* all frames at once: chunk 0 */
    for (; p->chunk < p->c->in.shape[1]; p->chunk++) {
        look_decoder(p, &cache, op_slice(g, z, 1, p->chunk, 1));
        vae_cache_end_chunk(&cache);
    }
    vae_cache_free(g, &cache);
}

static void run_intermediates(Golden *golden, const char *label, const Case *c)
{
    char prefix[160], text[256];
    int count = 0;
    const char *key;
    json_t *value;
    snprintf(prefix, sizeof prefix, "dbg.%s.", c->name);
    json_object_foreach(c->f->header, key, value) count += strncmp(key, prefix, strlen(prefix)) == 0;
    if (count == 0)
        return;
    graph_reset(c->g);
    Probe p = {.c = c};
    if (c->encode)
        look_at_encode(&p);
    else
        look_at_decode(&p);
    snprintf(text, sizeof text, "%s, %d of %d intermediates", label, p.seen, count);
    golden_report(golden, text, p.seen == count ? p.worst : NAN, TOLERANCE);
}

/* --- the file --- */

static void run_case(Golden *golden, const char *label, const Case *c)
{
    char text[256];
    SoraError err;
    snprintf(text, sizeof text, "%s, chunks", label);
    golden_report(golden, text, run_chunks(c), TOLERANCE);
    if (!graph_ok(c->g, &err))
        printf("  %s\n", err.message);
    snprintf(text, sizeof text, "%s, whole clip", label);
    golden_report(golden, text, run_whole(c), TOLERANCE);
    run_intermediates(golden, label, c);
}

static void run_cases(Golden *golden, const Fixture *f, const char *file, Case c)
{
    json_t *list = fixture_metadata(f, "cases");
    if (json_array_size(list) == 0)
        golden_report(golden, file, NAN, TOLERANCE);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), "name"));
        const char *kind = json_string_value(json_object_get(json_array_get(list, i), "kind"));
        char label[160];
        snprintf(label, sizeof label, "%s %s", file, name ? name : "?");
        c.name = name;
        c.encode = kind != NULL && strcmp(kind, "encode") == 0;
        c.in = fixture_tensor(f, c.encode ? "%s.video" : "%s.z", name);
        c.out = fixture_tensor(f, c.encode ? "%s.mu" : "%s.video_raw", name);
        if (name == NULL || kind == NULL || c.in.ndim != 4 || c.out.ndim != 4)
            golden_report(golden, label, NAN, TOLERANCE);
        else
            run_case(golden, label, &c);
    }
    json_decref(list);
}

/* The scale lies with the cases. */
static bool read_config(VaeConfig *config, const Fixture *weights, const Fixture *cases, SoraError *err)
{
    json_t *json = fixture_metadata(weights, "config");
    bool ok = vae_config_read(config, json, err);
    json_decref(json);
    Tensor mean = fixture_tensor(cases, "scale.mean"), inv_std = fixture_tensor(cases, "scale.inv_std");
    if (!ok || mean.data == NULL || inv_std.data == NULL || mean.shape[0] != config->z_dim ||
        !tensor_same_shape(&mean, &inv_std))
        return ok && error_set(err, SORA_ERROR_INPUT, "fixture: no scale");
    for (int i = 0; i < config->z_dim; i++) {
        config->mean[i] = ((const float *)mean.data)[i];
        config->std[i] = 1 / ((const float *)inv_std.data)[i];
    }
    return true;
}

static void run_file(Golden *golden, const char *dir, const char *name, Backend *backend)
{
    Fixture weights, cases;
    if (!fixture_open(&cases, dir, name, "cases"))
        return;
    if (!fixture_open(&weights, dir, name, "weights")) {
        golden_report(golden, name, NAN, TOLERANCE);
        fixture_close(&cases);
        return;
    }
    SoraError err = {0};
    VaeConfig config;
    Vae vae = {0};
    Params params;
    params_init(&params, &weights.source);
    Graph *g = graph_new(backend);
    bool ok = g != NULL && read_config(&config, &weights, &cases, &err);
    if (ok)
        vae_bind(&vae, &config, &params);
    if (ok && params_ok(&params, &err)) {
        run_cases(golden, &cases, name, (Case){.f = &cases, .vae = &vae, .g = g});
    } else {
        printf("  %s\n", err.message);
        golden_report(golden, name, NAN, TOLERANCE);
    }
    graph_free(g);
    params_deinit(&params);
    fixture_close(&weights);
    fixture_close(&cases);
}

void golden_vae(Golden *golden, const char *dir)
{
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    if (backend == NULL) {
        printf("  %s\n", err.message);
        golden_report(golden, "autoencoder", NAN, TOLERANCE);
        return;
    }
    golden_claim(golden, "vae21_tiny.cases.safetensors");
    run_file(golden, dir, "vae21_tiny", backend);
    golden_claim(golden, "vae22_tiny.cases.safetensors");
    run_file(golden, dir, "vae22_tiny", backend);
    cpu_backend_free(backend);
}
