#include "engine/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "text/clean.h"

const Dit *pipeline_expert(const Pipeline *p, double timestep)
{
    return p->low_noise != NULL && timestep < p->boundary ? p->low_noise : p->transformer;
}

bool pipeline_has_condition(const Pipeline *p)
{
    return p->transformer->config.in_dim > p->transformer->config.out_dim;
}

/* Latent channels in and out; those of a condition are a mask's and a latent's. */
static bool check_channels(const Pipeline *p, SoraError *err)
{
    const DitConfig *dit = &p->transformer->config;
    const VaeConfig *vae = &p->autoencoder->config;
    int z = vae->z_dim, condition = vae_stride_time(vae) + z;
    if (dit->out_dim != z)
        return error_set(err, SORA_ERROR_INPUT, "transformer: %d latent channels, the autoencoder has %d",
                         dit->out_dim, z);
    if (dit->in_dim != z && dit->in_dim != z + condition)
        return error_set(err, SORA_ERROR_UNSUPPORTED,
                         "transformer: %d channels in and %d out, expected %d in or, with a condition, %d",
                         dit->in_dim, z, z, z + condition);
    return dit->in_dim == z || !p->timestep_per_patch ||
           error_set(err, SORA_ERROR_UNSUPPORTED,
                     "transformer: a condition beside the latent, and a timestep for every patch");
}

static bool check_experts(const Pipeline *p, SoraError *err)
{
    if (p->low_noise == NULL)
        return true;
    const DitConfig *a = &p->transformer->config, *b = &p->low_noise->config;
    return (a->in_dim == b->in_dim && a->out_dim == b->out_dim && a->text_dim == b->text_dim &&
            a->text_len == b->text_len && a->clip_dim == b->clip_dim && a->clip_rows == b->clip_rows &&
            memcmp(a->patch_size, b->patch_size, sizeof a->patch_size) == 0) ||
           error_set(err, SORA_ERROR_INPUT, "transformers: the two experts differ in what goes in and out");
}

/* Two pictures have positions of their own, one has none. */
static bool check_image_encoder(const Pipeline *p, SoraError *err)
{
    const DitConfig *dit = &p->transformer->config;
    if (dit->clip_dim == 0)
        return true;
    if (p->image_encoder == NULL)
        return error_set(err, SORA_ERROR_NOT_FOUND,
                         "transformer: listens to pictures, and there is no "
                         "image encoder");
    const ClipConfig *clip = &p->image_encoder->config;
    if (clip->dim != dit->clip_dim)
        return error_set(err, SORA_ERROR_INPUT,
                         "transformer: pictures of %d numbers a row, the image encoder makes %d",
                         dit->clip_dim, clip->dim);
    return dit->clip_rows == 0 || dit->clip_rows == 2 * clip_rows(clip) ||
           error_set(err, SORA_ERROR_INPUT,
                     "transformer: positions for %d rows, the image encoder makes %lld for two pictures",
                     dit->clip_rows, 2 * (long long)clip_rows(clip));
}

bool pipeline_check(const Pipeline *p, SoraError *err)
{
    const DitConfig *dit = &p->transformer->config;
    const Umt5Config *text = &p->text_encoder->config;
    int pieces = tokenizer_vocab_size(p->tokenizer);
    if (dit->text_dim != text->dim)
        return error_set(err, SORA_ERROR_INPUT,
                         "transformer: text of %d numbers a row, the text encoder makes %d", dit->text_dim,
                         text->dim);
    if (pieces > text->vocab)
        return error_set(err, SORA_ERROR_INPUT, "tokenizer: %d pieces, the text encoder knows %d", pieces,
                         text->vocab);
    return check_channels(p, err) && check_experts(p, err) && check_image_encoder(p, err);
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
        error_no_memory(err);
    return n;
}

bool pipeline_cut(const Pipeline *p, const char *text, TextCut *cut, SoraError *err)
{
    size_t size;
    char *clean = clean_prompt(text, strlen(text), &size, err);
    if (clean == NULL)
        return false;
    int count = tokenizer_encode(p->tokenizer, clean, size, NULL, 0), max = p->transformer->config.text_len - 1;
    int32_t *ids = count > max ? malloc((size_t)count * sizeof *ids) : NULL;
    *cut = (TextCut){.pieces = count, .heard = count < max ? count : max};
    bool ok = (count >= 0 && (count <= max || ids != NULL)) || error_no_memory(err);
    if (ok && count > max) {
        ok = tokenizer_encode(p->tokenizer, clean, size, ids, count) == count || error_no_memory(err);
        cut->rest = ok ? tokenizer_decode(p->tokenizer, ids + max, count - max, NULL, err) : NULL;
        ok = cut->rest != NULL;
    }
    free(ids);
    free(clean);
    return ok;
}

bool pipeline_encode_text(const Pipeline *p, const char *text, ContextRows *out, SoraError *err)
{
    Graph *g = p->graph;
    int max = p->transformer->config.text_len, dim = p->text_encoder->config.dim;
    int32_t *ids = calloc((size_t)max, sizeof *ids);
    *out = (ContextRows){.dim = dim};
    bool ok = ids != NULL || error_no_memory(err);
    if (ok && (out->rows = pipeline_tokenize(p, text, ids, max, err)) < 0)
        ok = false;
    if (ok && (out->data = calloc((size_t)(out->rows * dim), sizeof(float))) == NULL)
        ok = error_no_memory(err);
    if (ok) {
        graph_reset(g);
        Umt5Batch batch = {1, &out->rows, ids};
        graph_download(g, umt5_forward(g, p->text_encoder, &batch), out->data);
        ok = graph_ok(g, err);
        graph_reset(g);
    }
    if (!ok)
        context_rows_free(out);
    free(ids);
    return ok;
}

void context_rows_free(ContextRows *t)
{
    free(t->data);
    t->data = NULL;
    t->rows = 0;
}

bool pipeline_last_still(const Pipeline *p, const CanvasShape *shape, const float *latent, float *still, SoraError *err)
{
    Graph *g = p->graph;
    int64_t plane = shape->height * shape->width;
    size_t frame = (size_t)(shape->channels * plane);
    if (!p->autoencoder->config.linear_code) {
        memcpy(still, latent, frame * (size_t)shape->frames * sizeof *still);
        return true;
    }
    float *rows = malloc(frame * sizeof *rows);
    bool ok = rows != NULL || error_no_memory(err);
    for (int64_t f = 0; f < shape->frames && ok; f++) {
        for (int64_t i = 0; i < (int64_t)frame; i++)
            rows[i] = latent[(i % shape->channels * shape->frames + f) * plane + i / shape->channels];
        graph_reset(g);
        Tensor *z = graph_input(g, DTYPE_F32, SHAPE(1, 1, shape->height, shape->width, shape->channels), rows);
        graph_download(g, vae_last_still(g, p->autoencoder, z), rows);
        ok = graph_ok(g, err);
        for (int64_t i = 0; i < (int64_t)frame && ok; i++)
            still[(i % shape->channels * shape->frames + f) * plane + i / shape->channels] = rows[i];
    }
    graph_reset(g);
    free(rows);
    return ok;
}
