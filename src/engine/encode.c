/* From frames to the latent, chunk by chunk. */
#include "engine/encode.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Strips of rows of the frames, in latent rows. What comes out of a strip lags behind what went in. */
typedef struct Rows {
    int64_t n, lag; /* all rows; rows that come out later */
    int count;      /* of strips; 0: frames go whole */
    int64_t channels;
    FILE *frames, *features; /* frame after frame; [chunk, row, column, channel] */
    Tensor *(*edges)[VAE_MAX_SLOTS]; /* [chunks] */
} Rows;

struct Encoder {
    const Pipeline *pipeline;
    EncodeJob job;
    CanvasShape shape; /* of a latent frame */
    VaeCache cache;
    float *frames;  /* [stride, height, width, 3]: of the chunk that is being filled */
    float *rows;    /* [height, width, C] of a latent frame */
    int64_t band;   /* latent rows that a linear code takes at once: it sees nothing beyond its block, so these wait for nothing */
    float *banded;  /* [stride, band, width, 3], of a chunk; NULL: its frames go whole */
    float *latent;  /* [C, height, width] */
    int filled;     /* frames */
    int64_t chunks; /* that are through, or wait */
    Rows strips;
};

/* Where strip i begins; the first brings what the others are late by, the last, which lets out all that is left, one row. */
static int64_t row_in(const Rows *r, int i)
{
    if (i == 0 || i == r->count)
        return i == 0 ? 0 : r->n;
    return r->lag + (r->n - r->lag - 1) * i / (r->count - 1);
}

/* Where what comes out of it begins. */
static int64_t row_out(const Rows *r, int i)
{
    return i == 0 ? 0 : i == r->count ? r->n : row_in(r, i) - r->lag;
}

/* As many rows a strip as a quarter of the limit holds. */
static Rows plan_rows(const Vae *m, const EncodeJob *job, const CanvasShape *shape)
{
    const VaeConfig *c = &m->config;
    size_t limit = job->limit != 0 ? job->limit : PIPELINE_DECODE_LIMIT, all = pipeline_decode_bytes(c, shape);
    Rows r = {.n = shape->height, .channels = (int64_t)c->dim * c->dim_mult[c->levels - 1]};
    if (all <= limit / 2 || c->linear_code)
        return r;
    r.lag = vae_encoder_lag(m);
    int64_t rest = r.n - r.lag - 1, wide = (int64_t)((double)limit / 4 / ((double)all / (double)r.n));
    r.count = rest < 1 ? 0 : 1 + (int)((rest + wide) / (wide + 1));
    return r;
}

/* Of a linear code: what a quarter of the limit holds of frames, and of what they are reordered into on the way. */
static int64_t plan_band(const VaeConfig *c, const EncodeJob *job)
{
    enum { TENSORS = 4 };
    size_t limit = job->limit != 0 ? job->limit : PIPELINE_DECODE_LIMIT;
    int64_t space = vae_stride_space(c), row = vae_stride_time(c) * space * job->width * 3 * (int64_t)sizeof(float);
    int64_t rows = (int64_t)(limit / 4) / (TENSORS * row), all = job->height / space;
    return !c->linear_code || rows > all ? all : rows < 1 ? 1 : rows;
}

Encoder *encoder_open(const Pipeline *p, const EncodeJob *job, SoraError *err)
{
    const VaeConfig *c = &p->autoencoder->config;
    int64_t space = vae_stride_space(c);
    assert(job->width % space == 0 && job->height % space == 0);
    Encoder *e = calloc(1, sizeof *e);
    if (e == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *e = (Encoder){.pipeline = p, .job = *job,
                   .shape = {c->z_dim, 1, job->height / space, job->width / space, {1, 1, 1}}};
    e->cache.frames = pipeline_coder_frames(c, &e->shape);
    size_t cells = (size_t)(e->shape.channels * e->shape.height * e->shape.width);
    e->frames = malloc((size_t)vae_stride_time(c) * (size_t)job->width * (size_t)job->height * 3 * sizeof *e->frames);
    e->rows = malloc(cells * sizeof *e->rows);
    e->latent = malloc(cells * sizeof *e->latent);
    bool ok = (e->frames != NULL && e->rows != NULL && e->latent != NULL) || error_no_memory(err);
    e->strips = plan_rows(p->autoencoder, job, &e->shape);
    e->band = plan_band(c, job);
    if (ok && e->band < e->shape.height) {
        size_t numbers = (size_t)(vae_stride_time(c) * e->band * space) * (size_t)job->width * 3;
        ok = (e->banded = malloc(numbers * sizeof *e->banded)) != NULL || error_no_memory(err);
    }
    if (ok && e->strips.count > 1)
        ok = (e->strips.frames = file_temporary(err)) != NULL && (e->strips.features = file_temporary(err)) != NULL;
    if (!ok) {
        encoder_close(e);
        return NULL;
    }
    graph_keep_weights(p->graph, e->cache.frames == 0);
    return e;
}

static int chunk_frames(const Encoder *e, int64_t chunk)
{
    return chunk == 0 ? 1 : vae_stride_time(&e->pipeline->autoencoder->config);
}

/* A latent frame is in e->rows. */
static bool hand_over(Encoder *e, int64_t i, SoraError *err)
{
    int64_t plane = e->shape.height * e->shape.width, channels = e->shape.channels;
    for (int64_t k = 0; k < plane * channels; k++)
        e->latent[k % channels * plane + k / channels] = e->rows[k];
    return e->job.sink(e->job.user, i, e->latent, err);
}

/* A chunk of a linear code, rows after rows. */
static bool run_bands(Encoder *e, SoraError *err)
{
    Graph *g = e->pipeline->graph;
    const VaeConfig *c = &e->pipeline->autoencoder->config;
    size_t row = (size_t)(vae_stride_space(c) * e->job.width * 3), cells = (size_t)(e->shape.width * e->shape.channels);
    bool ok = true;
    for (int64_t at = 0, n; at < e->shape.height && ok; at += n) {
        n = e->band < e->shape.height - at ? e->band : e->shape.height - at;
        for (int f = 0; f < e->filled; f++)
            memcpy(e->banded + (size_t)(f * n) * row, e->frames + (size_t)(f * e->shape.height + at) * row,
                   (size_t)n * row * sizeof *e->banded);
        graph_reset(g);
        VaeCache cache = {.started = e->chunks > 0};
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, e->filled, n * vae_stride_space(c), e->job.width, 3), e->banded);
        graph_download(g, vae_encode_chunk(g, e->pipeline->autoencoder, &cache, x), e->rows + (size_t)at * cells);
        ok = graph_ok(g, err);
    }
    return ok && hand_over(e, e->chunks, err);
}

static bool run_chunk(Encoder *e, SoraError *err)
{
    if (e->banded != NULL)
        return run_bands(e, err);
    Graph *g = e->pipeline->graph;
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, e->filled, e->job.height, e->job.width, 3), e->frames);
    graph_download(g, vae_encode_chunk(g, e->pipeline->autoencoder, &e->cache, x), e->rows);
    return graph_ok(g, err) && hand_over(e, e->chunks, err);
}

/* --- strips --- */

static bool spool_chunk(Encoder *e, SoraError *err)
{
    size_t n = (size_t)e->filled * (size_t)e->job.width * (size_t)e->job.height * 3;
    return fwrite(e->frames, sizeof *e->frames, n, e->strips.frames) == n || file_temporary_failed(err);
}

static bool read_at(FILE *f, size_t at, float *out, size_t count, SoraError *err)
{
    return (fseeko(f, (off_t)(at * sizeof *out), SEEK_SET) == 0 && fread(out, sizeof *out, count, f) == count) ||
           file_temporary_failed(err);
}

/* The strip's rows of a chunk's frames, one frame after the other. */
static bool read_strip(const Encoder *e, int strip, int64_t chunk, float *out, SoraError *err)
{
    int64_t stride = vae_stride_space(&e->pipeline->autoencoder->config), row = (int64_t)e->job.width * 3;
    int64_t begin = row_in(&e->strips, strip) * stride, rows = row_in(&e->strips, strip + 1) * stride - begin;
    int64_t first = chunk == 0 ? 0 : 1 + (chunk - 1) * chunk_frames(e, 1);
    bool ok = true;
    for (int f = 0; f < chunk_frames(e, chunk) && ok; f++)
        ok = read_at(e->strips.frames, (size_t)(((first + f) * e->job.height + begin) * row), out + f * rows * row,
                     (size_t)(rows * row), err);
    return ok;
}

/* All chunks of a strip through the levels; their features wait. */
static bool run_strip(Encoder *e, int i, float *features, SoraError *err)
{
    Rows *r = &e->strips;
    Graph *g = e->pipeline->graph;
    int64_t stride = vae_stride_space(&e->pipeline->autoencoder->config), rows = (row_in(r, i + 1) - row_in(r, i)) * stride;
    int64_t row = e->shape.width * r->channels, out = row_out(r, i + 1) - row_out(r, i);
    VaeCache cache = {.frames = 1, .strip = {2, i == 0, i == r->count - 1, NULL, 0}};
    bool ok = true;
    for (int64_t f = 0; f < e->chunks && ok; f++) {
        if (!(ok = read_strip(e, i, f, e->frames, err)))
            break;
        graph_reset(g);
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, chunk_frames(e, f), rows, e->job.width, 3), e->frames);
        cache.strip.edges = r->edges[f];
        x = vae_encode_levels(g, e->pipeline->autoencoder, &cache, x);
        vae_cache_end_chunk(&cache);
        ok = graph_ok(g, err) && (tensor_numel(x) == out * row ||
                                  error_set(err, SORA_ERROR_INTERNAL, "autoencoder: a strip of another size"));
        if (!ok)
            break;
        graph_download(g, x, features);
        off_t at = (off_t)((f * r->n + row_out(r, i)) * row) * (off_t)sizeof *features;
        ok = (fseeko(r->features, at, SEEK_SET) == 0 &&
              fwrite(features, sizeof *features, (size_t)(out * row), r->features) == (size_t)(out * row)) ||
             file_temporary_failed(err);
    }
    vae_cache_free(g, &cache);
    return ok;
}

/* From the features of whole latent frames to latents. */
static bool run_back(Encoder *e, float *features, SoraError *err)
{
    Rows *r = &e->strips;
    Graph *g = e->pipeline->graph;
    size_t size = (size_t)(r->n * e->shape.width * r->channels);
    bool ok = true;
    for (int64_t f = 0; f < e->chunks && ok; f++) {
        if (!(ok = read_at(r->features, (size_t)f * size, features, size, err)))
            break;
        graph_reset(g);
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, 1, r->n, e->shape.width, r->channels), features);
        x = vae_encode_back(g, e->pipeline->autoencoder, &e->cache, x);
        vae_cache_end_chunk(&e->cache);
        graph_download(g, x, e->rows);
        ok = graph_ok(g, err) && hand_over(e, f, err);
    }
    return ok;
}

static bool run_strips(Encoder *e, SoraError *err)
{
    Rows *r = &e->strips;
    float *features = malloc((size_t)(r->n * e->shape.width * r->channels) * sizeof *features);
    r->edges = calloc((size_t)e->chunks + 1, sizeof *r->edges);
    bool ok = (features != NULL && r->edges != NULL) || error_no_memory(err);
    ok = ok && (fflush(r->frames) == 0 || file_temporary_failed(err));
    for (int i = 0; i < r->count && ok; i++)
        ok = run_strip(e, i, features, err);
    ok = ok && (fflush(r->features) == 0 || file_temporary_failed(err)) && run_back(e, features, err);
    free(features);
    return ok;
}

bool encoder_push(Encoder *e, const float *frame, SoraError *err)
{
    size_t size = (size_t)e->job.width * (size_t)e->job.height * 3;
    memcpy(e->frames + (size_t)e->filled * size, frame, size * sizeof *frame);
    e->filled++;
    if (e->filled < chunk_frames(e, e->chunks))
        return true;
    bool ok = e->strips.count > 1 ? spool_chunk(e, err) : run_chunk(e, err);
    e->filled = 0;
    e->chunks++;
    return ok;
}

bool encoder_finish(Encoder *e, SoraError *err)
{
    if (e->filled != 0)
        return error_set(err, SORA_ERROR_INTERNAL, "autoencoder: %d frames fill no latent frame", e->filled);
    return e->strips.count < 2 || run_strips(e, err);
}

static void close_strips(Encoder *e)
{
    Rows *r = &e->strips;
    for (int64_t f = 0; r->edges != NULL && f < e->chunks; f++)
        for (int i = 0; i < VAE_MAX_SLOTS; i++)
            if (r->edges[f][i] != NULL)
                graph_free_slot(e->pipeline->graph, &r->edges[f][i]);
    free(r->edges);
    if (r->frames != NULL)
        fclose(r->frames);
    if (r->features != NULL)
        fclose(r->features);
}

void encoder_close(Encoder *e)
{
    if (e == NULL)
        return;
    graph_keep_weights(e->pipeline->graph, false);
    vae_cache_free(e->pipeline->graph, &e->cache);
    close_strips(e);
    graph_reset(e->pipeline->graph);
    free(e->frames);
    free(e->rows);
    free(e->banded);
    free(e->latent);
    free(e);
}

bool latent_clip_init(LatentClip *c, const VaeConfig *config, const EncodeJob *job, int64_t frames, SoraError *err)
{
    int64_t space = vae_stride_space(config);
    *c = (LatentClip){.shape = {config->z_dim, frames, job->height / space, job->width / space, {1, 1, 1}}};
    c->data = calloc((size_t)(c->shape.channels * frames * c->shape.height * c->shape.width), sizeof *c->data);
    return c->data != NULL || error_no_memory(err);
}

bool latent_clip_take(void *clip, int64_t i, const float *latent, SoraError *err)
{
    LatentClip *c = clip;
    int64_t plane = c->shape.height * c->shape.width, at = i - c->skip;
    for (int64_t ch = 0; ch < c->shape.channels && at >= 0 && at < c->shape.frames; ch++)
        memcpy(c->data + (ch * c->shape.frames + at) * plane, latent + ch * plane, (size_t)plane * sizeof *latent);
    return true;
}

void latent_clip_deinit(LatentClip *c)
{
    free(c->data);
    c->data = NULL;
}
