/* From the latent to frames: whole ones, or strip by strip where those would need too much memory. */
#include "engine/decode.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum {
    /* Of one activation at the finest level: small videos go through the decoder many latent frames at a time,
     * because more rows make faster products. A constant, so that a seed means the same video on every machine. */
    DECODE_BYTES = 64 << 20,
    STRIP_BYTES = 400 << 20,  /* the most that a strip's activations take; the narrowest strip may take more */
    TENSORS_WHOLE = 5,        /* about how many activations at the finest level live at a time */
    SLOTS_WHOLE = 12,         /* about how many of their frames convolutions remember, in the operand's type */
};

/* Bytes of a frame's activation at the finest level, of a latent of that many places. */
static int64_t activation_bytes(const VaeConfig *c, int64_t places)
{
    int64_t side = vae_stride_space(c) / c->patchify;
    return places * side * side * c->dec_dim * (int64_t)sizeof(float);
}

int64_t pipeline_decode_chunk(const VaeConfig *c, const CanvasShape *s)
{
    int64_t frames = DECODE_BYTES / (activation_bytes(c, s->height * s->width) * vae_stride_time(c));
    return frames < 1 ? 1 : frames > s->frames ? s->frames : frames;
}

int pipeline_coder_frames(const VaeConfig *c, const CanvasShape *s)
{
    return activation_bytes(c, s->height * s->width) * vae_stride_time(c) > DECODE_BYTES ? 1 : 0;
}

/* Of that many places of the latent, `frames` at a time in the finest levels. */
static size_t place_bytes(const VaeConfig *c, int64_t places, int64_t frames)
{
    return (size_t)(activation_bytes(c, places) * (TENSORS_WHOLE * frames + SLOTS_WHOLE));
}

size_t pipeline_decode_bytes(const VaeConfig *c, const CanvasShape *s)
{
    bool apart = pipeline_coder_frames(c, s) != 0;
    return place_bytes(c, s->height * s->width, apart ? 1 : vae_stride_time(c) * pipeline_decode_chunk(c, s));
}

/* Latent frames from first on of [C, F, H, W] as [count, H, W, C]. */
static void take_frames(const CanvasShape *s, const float *latent, int64_t first, int64_t count, float *out)
{
    int64_t plane = s->height * s->width;
    for (int64_t c = 0; c < s->channels; c++)
        for (int64_t i = 0; i < count * plane; i++)
            out[i * s->channels + c] = latent[(c * s->frames + first) * plane + i];
}

/* Frames of the video that latent frames stand for: the first for one. */
static int frames_of(const VaeConfig *c, int64_t latents)
{
    return latents > 0 ? (int)(1 + (latents - 1) * vae_stride_time(c)) : 0;
}

/* Strips of the features between the decoder's halves, along the longer side. The features of all frames of a push, half a
 * gigabyte at 720x1280, wait in a file. */
typedef struct Strips {
    int dim;                  /* of [B, F, H, W, C] */
    int64_t n;                /* places along it */
    int64_t lag;              /* places that come out later, see vae_strip_lag() */
    int count;
    size_t place;             /* bytes of a place's features in one latent frame */
    FILE *spool;              /* strip after strip, frame after frame */
    VaeCache *caches;         /* [count] */
    Tensor *(*edges)[VAE_MAX_SLOTS]; /* [latent frames of the push] */
} Strips;

struct Decoder {
    const Pipeline *pipeline;
    DecoderJob job;
    VaeCache cache; /* of whole frames, or of the first half where strips follow */
    bool whole;
    Strips strips;
    int64_t pushed; /* latent frames */
    bool ended;
};

/* Frames of the clip before latent frame i. */
static int frames_before(const Decoder *d, int64_t i)
{
    return frames_of(&d->pipeline->autoencoder->config, i);
}

/* Parts that are through, of all that the job says: a part is a latent frame in a strip. */
static void count_parts(const Decoder *d, DecodedPart *part, int strip, int64_t through)
{
    int64_t strips = d->whole ? 1 : d->strips.count;
    part->done = (int)(d->pushed * (strips - 1) + strip * (d->job.shape.frames - d->pushed) + through);
    part->total = (int)(strips * d->job.shape.frames);
}

/* --- whole frames --- */

static bool push_whole(Decoder *d, const DecoderPush *push, SoraError *err)
{
    const Pipeline *p = d->pipeline;
    Graph *g = p->graph;
    const VaeConfig *c = &p->autoencoder->config;
    CanvasShape s = d->job.shape;
    s.frames = push->frames;
    int64_t stride = vae_stride_space(c), plane = s.height * s.width, chunk = pipeline_decode_chunk(c, &s);
    float *z = malloc((size_t)(chunk * plane * s.channels) * sizeof *z);
    float *pixels = malloc((size_t)(plane * stride * stride * 3 * chunk * vae_stride_time(c)) * sizeof *pixels);
    bool ok = (z != NULL && pixels != NULL) || error_no_memory(err);
    for (int64_t f = 0, n; f < s.frames && ok; f += n) {
        n = chunk < s.frames - f ? chunk : s.frames - f;
        d->cache.last = push->last && f + n == s.frames && d->cache.frames == 0; /* frames may come in parts, which need memory */
        graph_reset(g);
        take_frames(&s, push->latent, f, n, z);
        Tensor *in = graph_input(g, DTYPE_F32, SHAPE(1, n, s.height, s.width, s.channels), z);
        Tensor *out = vae_decode_chunk(g, p->autoencoder, &d->cache, in);
        graph_download(g, out, pixels);
        int first = frames_before(d, d->pushed + f);
        DecodedPart part = {pixels, first, frames_before(d, d->pushed + f + n) - first, 0, 0, (int)(s.width * stride),
                            (int)(s.height * stride), 0, 0};
        count_parts(d, &part, 0, d->pushed + f + n);
        ok = graph_ok(g, err) && d->job.sink(d->job.user, &part, err);
    }
    free(z);
    free(pixels);
    return ok;
}

/* --- strips --- */

/* Where strip i begins; that of count is the end. The first brings what the others are late by; the last, which lets
 * out all that is left, takes in one place. */
static int64_t strip_at(const Strips *s, int i)
{
    if (i == 0 || i == s->count)
        return i == 0 ? 0 : s->n;
    return s->lag + (s->n - s->lag - 1) * i / (s->count - 1);
}

/* Where what comes out of strip i begins, in pixels. */
static int64_t pixel_at(const Strips *s, const Vae *m, int i)
{
    int64_t stride = vae_stride_space(&m->config);
    if (i == 0 || i == s->count)
        return i == 0 ? 0 : s->n * stride;
    return strip_at(s, i) * stride - (int64_t)(vae_strip_lag(m) * (double)stride);
}

static Strips plan_strips(const Vae *m, const CanvasShape *shape, size_t limit)
{
    const VaeConfig *c = &m->config;
    Strips s = {.dim = shape->width >= shape->height ? 3 : 2};
    s.n = s.dim == 3 ? shape->width : shape->height;
    s.lag = (int64_t)ceil(vae_strip_lag(m));
    int64_t across = s.dim == 3 ? shape->height : shape->width;
    s.place = (size_t)(across * vae_front_channels(c)) * sizeof(float);
    size_t bytes = limit / 4 < STRIP_BYTES ? limit / 4 : STRIP_BYTES;
    int64_t rest = s.n - s.lag - 1, wide = (int64_t)(bytes / place_bytes(c, across, 1));
    if (rest >= 2)
        s.count = 1 + (int)((rest + wide) / (wide + 1)); /* of at most wide + 1 places */
    while (s.count > 2 && rest / (s.count - 1) < 1)
        s.count--;
    return s;
}

static void free_edges(Graph *g, Strips *s, int64_t frames)
{
    for (int64_t f = 0; s->edges != NULL && f < frames; f++)
        for (int i = 0; i < VAE_MAX_SLOTS; i++)
            if (s->edges[f][i] != NULL)
                graph_free_slot(g, &s->edges[f][i]);
    free(s->edges);
    s->edges = NULL;
}

static bool read_features(const Strips *s, int strip, int64_t frame, float *out, SoraError *err)
{
    off_t at = ((off_t)frame * s->n + strip_at(s, strip)) * (off_t)s->place;
    size_t size = (size_t)(strip_at(s, strip + 1) - strip_at(s, strip)) * s->place;
    return (fseeko(s->spool, at, SEEK_SET) == 0 && fread(out, 1, size, s->spool) == size) || file_temporary_failed(err);
}

/* The decoder's first half, of whole latent frames; its features are cut into strips. */
static bool make_features(Decoder *d, const DecoderPush *push, SoraError *err)
{
    const Pipeline *p = d->pipeline;
    Strips *s = &d->strips;
    Graph *g = p->graph;
    CanvasShape shape = d->job.shape;
    shape.frames = push->frames;
    float *z = malloc((size_t)(shape.height * shape.width * shape.channels) * sizeof *z);
    char *copy = malloc((size_t)s->n * s->place); /* room for any strip */
    bool ok = (z != NULL && copy != NULL) || error_no_memory(err);
    ok = ok && (fseeko(s->spool, 0, SEEK_SET) == 0 || file_temporary_failed(err));
    for (int64_t f = 0; f < shape.frames && ok; f++) {
        graph_reset(g);
        take_frames(&shape, push->latent, f, 1, z);
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, 1, shape.height, shape.width, shape.channels), z);
        x = vae_decode_front(g, p->autoencoder, &d->cache, x);
        vae_cache_end_chunk(&d->cache);
        for (int i = 0; i < s->count && ok; i++) {
            Tensor *part = op_slice(g, x, s->dim, strip_at(s, i), strip_at(s, i + 1) - strip_at(s, i));
            graph_download(g, part, copy);
            ok = graph_ok(g, err) &&
                 (fwrite(copy, 1, tensor_bytes(part), s->spool) == tensor_bytes(part) || file_temporary_failed(err));
        }
    }
    if (push->last)
        vae_cache_free(g, &d->cache);
    free(z);
    free(copy);
    return ok && (fflush(s->spool) == 0 || file_temporary_failed(err));
}

/* All latent frames of strip i. */
static bool push_strip(Decoder *d, const DecoderPush *push, int i, SoraError *err)
{
    const Pipeline *p = d->pipeline;
    Strips *s = &d->strips;
    Graph *g = p->graph;
    const VaeConfig *c = &p->autoencoder->config;
    const CanvasShape *shape = &d->job.shape;
    int64_t stride = vae_stride_space(c), begin = pixel_at(s, p->autoencoder, i);
    int64_t size[5] = {1, 1, shape->height, shape->width, vae_front_channels(c)};
    int64_t side[2] = {shape->height * stride, shape->width * stride}, at[2] = {0};
    size[s->dim] = strip_at(s, i + 1) - strip_at(s, i);
    at[s->dim - 2] = begin;
    side[s->dim - 2] = pixel_at(s, p->autoencoder, i + 1) - begin;
    float *pixels = malloc((size_t)(side[0] * side[1] * 3 * vae_stride_time(c)) * sizeof *pixels);
    float *features = malloc((size_t)size[s->dim] * s->place);
    bool ok = (pixels != NULL && features != NULL) || error_no_memory(err);
    VaeCache *cache = &s->caches[i];
    for (int64_t f = 0; f < push->frames && ok; f++) {
        if (!(ok = read_features(s, i, f, features, err)))
            break;
        graph_reset(g);
        Tensor *x = graph_input(g, DTYPE_F32, 5, size, features);
        cache->strip = (VaeStrip){s->dim, i == 0, i == s->count - 1, s->edges[f], 0};
        x = vae_decode_levels(g, p->autoencoder, cache, x);
        vae_cache_end_chunk(cache);
        ok = graph_ok(g, err) && ((x->shape[2] == side[0] && x->shape[3] == side[1]) ||
                                  error_set(err, SORA_ERROR_INTERNAL, "autoencoder: a strip of another size"));
        if (!ok)
            break;
        graph_download(g, x, pixels);
        DecodedPart part = {pixels, frames_before(d, d->pushed + f), (int)x->shape[1], (int)at[1], (int)at[0], (int)side[1],
                            (int)side[0], 0, 0};
        count_parts(d, &part, i, d->pushed + f + 1);
        ok = d->job.sink(d->job.user, &part, err);
    }
    if (push->last)
        vae_cache_free(g, cache);
    free(pixels);
    free(features);
    return ok;
}

static bool push_strips(Decoder *d, const DecoderPush *push, SoraError *err)
{
    Strips *s = &d->strips;
    s->edges = calloc((size_t)push->frames, sizeof *s->edges);
    bool ok = (s->edges != NULL || error_no_memory(err)) && make_features(d, push, err);
    for (int i = 0; i < s->count && ok; i++)
        ok = push_strip(d, push, i, err);
    free_edges(d->pipeline->graph, s, push->frames);
    return ok;
}

/* --- open, push, close --- */

Decoder *decoder_open(const Pipeline *p, const DecoderJob *job, SoraError *err)
{
    const VaeConfig *c = &p->autoencoder->config;
    size_t limit = job->limit != 0 ? job->limit : PIPELINE_DECODE_LIMIT;
    Decoder *d = calloc(1, sizeof *d);
    if (d == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *d = (Decoder){.pipeline = p, .job = *job, .strips = plan_strips(p->autoencoder, &job->shape, limit)};
    /* Half of the limit is for the weights, the video and what is remembered. */
    d->whole = pipeline_decode_bytes(c, &job->shape) <= limit / 2 || d->strips.count < 2;
    d->cache.frames = d->whole ? pipeline_coder_frames(c, &job->shape) : 0;
    if (d->whole)
        return d;
    d->strips.caches = calloc((size_t)d->strips.count, sizeof *d->strips.caches);
    for (int i = 0; i < d->strips.count && d->strips.caches != NULL; i++)
        d->strips.caches[i].frames = 1;
    if ((d->strips.caches != NULL || error_no_memory(err)) && (d->strips.spool = file_temporary(err)) != NULL)
        return d;
    decoder_close(d);
    return NULL;
}

bool decoder_push(Decoder *d, const DecoderPush *push, SoraError *err)
{
    Graph *g = d->pipeline->graph;
    assert(!d->ended && push->frames > 0);
    /* Large frames pay for packing them again with 2 % of the time, and have 146 MB more. */
    graph_keep_weights(g, d->whole && d->cache.frames == 0);
    bool ok = d->whole ? push_whole(d, push, err) : push_strips(d, push, err);
    graph_keep_weights(g, false);
    graph_reset(g);
    d->pushed += push->frames;
    d->ended = push->last;
    return ok;
}

void decoder_close(Decoder *d)
{
    if (d == NULL)
        return;
    Graph *g = d->pipeline->graph;
    vae_cache_free(g, &d->cache);
    for (int i = 0; i < d->strips.count && d->strips.caches != NULL; i++)
        vae_cache_free(g, &d->strips.caches[i]);
    if (d->strips.spool != NULL)
        fclose(d->strips.spool);
    free(d->strips.caches);
    graph_reset(g);
    free(d);
}

bool pipeline_decode(const Pipeline *p, const DecodeJob *job, SoraError *err)
{
    Decoder *d = decoder_open(p, &(DecoderJob){job->shape, job->limit, job->sink, job->user}, err);
    bool ok = d != NULL && decoder_push(d, &(DecoderPush){job->latent, job->shape.frames, true}, err);
    decoder_close(d);
    return ok;
}
