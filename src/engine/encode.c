/* From frames to the latent, chunk by chunk. */
#include "engine/encode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct Encoder {
    const Pipeline *pipeline;
    EncodeJob job;
    CanvasShape shape; /* of a latent frame */
    VaeCache cache;
    float *frames;  /* [stride, height, width, 3]: of the chunk that is being filled */
    float *rows;    /* [height, width, C] of a latent frame */
    float *latent;  /* [C, height, width] */
    int filled;     /* frames */
    int64_t chunks; /* that are through */
};

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
    if (e->frames == NULL || e->rows == NULL || e->latent == NULL) {
        encoder_close(e);
        error_no_memory(err);
        return NULL;
    }
    graph_keep_weights(p->graph, e->cache.frames == 0);
    return e;
}

static bool run_chunk(Encoder *e, SoraError *err)
{
    Graph *g = e->pipeline->graph;
    int64_t plane = e->shape.height * e->shape.width, channels = e->shape.channels;
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, e->filled, e->job.height, e->job.width, 3), e->frames);
    graph_download(g, vae_encode_chunk(g, e->pipeline->autoencoder, &e->cache, x), e->rows);
    if (!graph_ok(g, err))
        return false;
    for (int64_t i = 0; i < plane * channels; i++)
        e->latent[i % channels * plane + i / channels] = e->rows[i];
    e->filled = 0;
    return e->job.sink(e->job.user, e->chunks++, e->latent, err);
}

bool encoder_push(Encoder *e, const float *frame, SoraError *err)
{
    size_t size = (size_t)e->job.width * (size_t)e->job.height * 3;
    memcpy(e->frames + (size_t)e->filled * size, frame, size * sizeof *frame);
    e->filled++;
    int full = e->chunks == 0 ? 1 : vae_stride_time(&e->pipeline->autoencoder->config);
    return e->filled < full || run_chunk(e, err);
}

bool encoder_finish(Encoder *e, SoraError *err)
{
    return e->filled == 0 || error_set(err, SORA_ERROR_INTERNAL, "autoencoder: %d frames fill no latent frame", e->filled);
}

void encoder_close(Encoder *e)
{
    if (e == NULL)
        return;
    graph_keep_weights(e->pipeline->graph, false);
    vae_cache_free(e->pipeline->graph, &e->cache);
    graph_reset(e->pipeline->graph);
    free(e->frames);
    free(e->rows);
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
