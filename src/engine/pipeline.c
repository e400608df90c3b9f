#include "engine/pipeline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "text/clean.h"

/* Of one activation at the finest level: small videos go through the decoder many latent frames at a time,
 * because more rows make faster products. A constant, so that a seed means the same video on every machine.
 */
enum { DECODE_BYTES = 64 << 20 };

static bool no_memory(SoraError *err)
{
    return error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

bool pipeline_check(const Pipeline *p, SoraError *err)
{
    const DitConfig *dit = &p->transformer->config;
    const Umt5Config *text = &p->text_encoder->config;
    int z = p->autoencoder->config.z_dim, pieces = tokenizer_vocab_size(p->tokenizer);
    if (dit->in_dim != dit->out_dim)
        return error_set(
            err, SORA_ERROR_UNSUPPORTED,
            "transformer: %d channels in and %d out: models with a channel condition are not supported",
            dit->in_dim, dit->out_dim);
    if (dit->in_dim != z)
        return error_set(err, SORA_ERROR_INPUT, "transformer: %d latent channels, the autoencoder has %d",
                         dit->in_dim, z);
    if (dit->text_dim != text->dim)
        return error_set(err, SORA_ERROR_INPUT,
                         "transformer: text of %d numbers a row, the text encoder makes %d", dit->text_dim,
                         text->dim);
    if (pieces > text->vocab)
        return error_set(err, SORA_ERROR_INPUT, "tokenizer: %d pieces, the text encoder knows %d", pieces,
                         text->vocab);
    return true;
}

/* --- text --- */

int pipeline_tokenize(const Pipeline *p, const char *text, int32_t *ids, int max, SoraError *err)
{
    size_t size;
    char *clean = clean_prompt(text, strlen(text), &size, err);
    if (clean == NULL)
        return -1;
    int n = tokenizer_encode_padded(p->tokenizer, clean, size, ids, max);
    free(clean);
    if (n < 0)
        no_memory(err);
    return n;
}

bool pipeline_encode_text(const Pipeline *p, const char *text, TextRows *out, SoraError *err)
{
    Graph *g = p->graph;
    int max = p->transformer->config.text_len, dim = p->text_encoder->config.dim;
    int32_t *ids = calloc((size_t)max, sizeof *ids);
    *out = (TextRows){.dim = dim};
    bool ok = ids != NULL || no_memory(err);
    if (ok && (out->rows = pipeline_tokenize(p, text, ids, max, err)) < 0)
        ok = false;
    if (ok && (out->data = calloc((size_t)(out->rows * dim), sizeof(float))) == NULL)
        ok = no_memory(err);
    if (ok) {
        graph_reset(g);
        Umt5Batch batch = {1, &out->rows, ids};
        graph_download(g, umt5_forward(g, p->text_encoder, &batch), out->data);
        ok = graph_ok(g, err);
        graph_reset(g);
    }
    if (!ok)
        text_rows_free(out);
    free(ids);
    return ok;
}

void text_rows_free(TextRows *t)
{
    free(t->data);
    t->data = NULL;
    t->rows = 0;
}

/* --- pictures --- */

/* [positions, channels] -> [channels, positions] */
static void channels_first(const float *in, float *out, int64_t positions, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < positions; i++)
            out[c * positions + i] = in[i * channels + c];
}

static bool encode_pixels(const Pipeline *p, const float *pixels, const int64_t size[2], float *latent,
                          SoraError *err)
{
    Graph *g = p->graph;
    VaeCache cache = {0};
    graph_reset(g);
    Tensor *frame = graph_input(g, DTYPE_F32, SHAPE(1, 1, size[0], size[1], 3), pixels);
    graph_download(g, vae22_encode_chunk(g, p->autoencoder, &cache, frame), latent);
    bool ok = graph_ok(g, err);
    vae_cache_free(g, &cache);
    graph_reset(g);
    return ok;
}

float *pipeline_encode_image(const Pipeline *p, const Image *image, SoraError *err)
{
    const VaeConfig *c = &p->autoencoder->config;
    int stride = vae_stride_space(c);
    assert(image->width % stride == 0 && image->height % stride == 0);
    int64_t positions = (int64_t)(image->width / stride) * (image->height / stride);
    size_t values = (size_t)image->width * (size_t)image->height * 3,
           cells = (size_t)positions * (size_t)c->z_dim;
    float *pixels = malloc(values * sizeof *pixels), *last = malloc(cells * sizeof *last);
    float *first = malloc(cells * sizeof *first);
    bool ok = pixels != NULL && last != NULL && first != NULL;
    if (!ok)
        no_memory(err);
    if (ok) {
        for (size_t i = 0; i < values; i++)
            pixels[i] = ((float)image->rgb[i] / 255 - 0.5f) / 0.5f;
        ok = encode_pixels(p, pixels, (int64_t[]){image->height, image->width}, last, err);
    }
    if (ok)
        channels_first(last, first, positions, c->z_dim);
    free(pixels);
    free(last);
    if (!ok)
        free(first);
    return ok ? first : NULL;
}

/* --- video --- */

void pixels_to_bytes(const float *pixels, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float x = (pixels[i] + 1) * 0.5f * 255;
        bytes[i] = x >= 255 ? 255 : x > 0 ? (uint8_t)x : 0;
    }
}

int64_t pipeline_decode_chunk(const VaeConfig *c, const CanvasShape *s)
{
    int64_t side = vae_stride_space(c) / c->patchify;
    int64_t bytes =
        s->height * s->width * side * side * vae_stride_time(c) * c->dec_dim * (int64_t)sizeof(float);
    int64_t frames = DECODE_BYTES / bytes;
    return frames < 1 ? 1 : frames > s->frames ? s->frames : frames;
}

/* Latent frames from first on of [C, F, H, W] as [count, H, W, C]. */
static void take_frames(const CanvasShape *s, const float *latent, int64_t first, int64_t count, float *out)
{
    int64_t plane = s->height * s->width;
    for (int64_t c = 0; c < s->channels; c++)
        for (int64_t i = 0; i < count * plane; i++)
            out[i * s->channels + c] = latent[(c * s->frames + first) * plane + i];
}

bool pipeline_decode(const Pipeline *p, const CanvasShape *shape, const float *latent, FrameSink sink,
                     void *user, SoraError *err)
{
    Graph *g = p->graph;
    const VaeConfig *config = &p->autoencoder->config;
    int64_t stride = vae_stride_space(config), plane = shape->height * shape->width;
    int64_t chunk = pipeline_decode_chunk(config, shape);
    size_t frame = (size_t)(plane * stride * stride * 3);
    float *z = malloc((size_t)(chunk * plane * shape->channels) * sizeof *z);
    float *pixels = malloc(frame * (size_t)(chunk * vae_stride_time(config)) * sizeof *pixels);
    bool ok = (z != NULL && pixels != NULL) || no_memory(err);
    VaeCache cache = {0};
    for (int64_t f = 0, n; f < shape->frames && ok; f += n) {
        n = chunk < shape->frames - f ? chunk : shape->frames - f;
        graph_reset(g);
        take_frames(shape, latent, f, n, z);
        Tensor *in = graph_input(g, DTYPE_F32, SHAPE(1, n, shape->height, shape->width, shape->channels), z);
        Tensor *out = vae22_decode_chunk(g, p->autoencoder, &cache, in);
        graph_download(g, out, pixels);
        ok = graph_ok(g, err) && sink(user, pixels, (int)out->shape[1], err);
    }
    vae_cache_free(g, &cache);
    graph_reset(g);
    free(z);
    free(pixels);
    return ok;
}
