/* Pictures that a request gives: what the transformer hears of them, and what it sees. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pipeline.h"

/* One picture, of the image encoder's size, to its rows. */
static bool encode_resized(const Pipeline *p, const Pixels *picture, float *rows, SoraError *err)
{
    Graph *g = p->graph;
    int64_t side = p->image_encoder->config.image_size;
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, side, side, 3), picture->rgb);
    graph_download(g, clip_forward(g, p->image_encoder, clip_normalise(g, x)), rows);
    bool ok = graph_ok(g, err);
    graph_reset(g);
    return ok;
}

bool pipeline_encode_pictures(const Pipeline *p, const Pixels *const *pictures, int count, ContextRows *out,
                              SoraError *err)
{
    const ClipConfig *c = &p->image_encoder->config;
    int64_t rows = clip_rows(c);
    *out = (ContextRows){.rows = count * rows, .dim = c->dim};
    out->data = malloc((size_t)(out->rows * out->dim) * sizeof *out->data);
    bool ok = out->data != NULL || error_no_memory(err);
    for (int i = 0; i < count && ok; i++) {
        Pixels square;
        ok = pixels_resize(&square, pictures[i], c->image_size, c->image_size, err) &&
             encode_resized(p, &square, out->data + i * rows * out->dim, err);
        pixels_deinit(&square);
    }
    if (!ok)
        context_rows_free(out);
    return ok;
}

/* frames [n, height, width, 3] are frames from `at` on. */
static void fill_frames(const KnownFrames *k, int at, int n, float *frames)
{
    size_t frame = (size_t)k->first->width * (size_t)k->first->height * 3;
    memset(frames, 0, (size_t)n * frame * sizeof *frames);
    if (at == 0)
        memcpy(frames, k->first->rgb, frame * sizeof *frames);
    if (k->last != NULL && at + n == k->frames)
        memcpy(frames + (size_t)(n - 1) * frame, k->last->rgb, frame * sizeof *frames);
}

float *pipeline_encode_known(const Pipeline *p, const KnownFrames *k, SoraError *err)
{
    const VaeConfig *c = &p->autoencoder->config;
    Graph *g = p->graph;
    int stride = vae_stride_time(c), space = vae_stride_space(c);
    int width = k->first->width, height = k->first->height;
    assert(width % space == 0 && height % space == 0 && (k->frames - 1) % stride == 0);
    assert(k->last == NULL || (k->last->width == width && k->last->height == height && k->frames > 1));
    int64_t plane = (int64_t)(width / space) * (height / space), latents = 1 + (k->frames - 1) / stride;
    float *frames = malloc((size_t)stride * (size_t)width * (size_t)height * 3 * sizeof *frames);
    float *chunk = malloc((size_t)(plane * c->z_dim) * sizeof *chunk);
    float *latent = malloc((size_t)(latents * plane * c->z_dim) * sizeof *latent);
    bool ok = (frames != NULL && chunk != NULL && latent != NULL) || error_no_memory(err);
    VaeCache cache = {.frames = pipeline_coder_frames(c, &(CanvasShape){c->z_dim, latents, height / space, width / space, {1, 1, 1}})};
    graph_keep_weights(g, cache.frames == 0);
    for (int64_t f = 0; f < latents && ok; f++) {
        int n = f == 0 ? 1 : stride, at = f == 0 ? 0 : 1 + ((int)f - 1) * stride;
        fill_frames(k, at, n, frames);
        cache.last = f == latents - 1 && cache.frames == 0; /* frames may come in parts, which need memory */
        graph_reset(g);
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, n, height, width, 3), frames);
        graph_download(g, vae_encode_chunk(g, p->autoencoder, &cache, x), chunk);
        ok = graph_ok(g, err);
        for (int64_t i = 0; i < plane * c->z_dim && ok; i++)
            latent[(i % c->z_dim * latents + f) * plane + i / c->z_dim] = chunk[i];
    }
    graph_keep_weights(g, false);
    vae_cache_free(g, &cache);
    graph_reset(g);
    free(frames);
    free(chunk);
    if (!ok)
        free(latent);
    return ok ? latent : NULL;
}

bool pipeline_condition(const Pipeline *p, const KnownFrames *k, Canvas *canvas, SoraError *err)
{
    bool *given = calloc((size_t)k->frames, sizeof *given);
    float *latent = given != NULL ? pipeline_encode_known(p, k, err) : NULL;
    bool ok = latent != NULL;
    if (given == NULL)
        error_no_memory(err);
    if (ok) {
        given[0] = true;
        given[k->frames - 1] = k->frames == 1 || k->last != NULL;
        CanvasClip clip = {given, k->frames, vae_stride_time(&p->autoencoder->config), latent};
        ok = canvas_condition(canvas, &clip, err);
    }
    free(given);
    free(latent);
    return ok;
}
