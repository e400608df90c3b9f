#include "sample/canvas.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool canvas_init(Canvas *c, const CanvasShape *s, SoraError *err)
{
    *c = (Canvas){.shape = *s};
    c->patches = s->frames / s->patch[0] * (s->height / s->patch[1]) * (s->width / s->patch[2]);
    c->cells = s->channels * s->frames * s->height * s->width;
    c->known = calloc((size_t)c->cells, sizeof *c->known);
    c->mask = calloc((size_t)c->patches, sizeof *c->mask);
    if (c->known == NULL || c->mask == NULL) {
        canvas_deinit(c);
        return error_set(err, SORA_ERROR_MEMORY, "canvas: no memory for %lld cells", (long long)c->cells);
    }
    for (int64_t i = 0; i < c->patches; i++)
        c->mask[i] = 1;
    return true;
}

void canvas_deinit(Canvas *c)
{
    free(c->known);
    free(c->mask);
    free(c->condition);
    c->known = c->mask = c->condition = NULL;
}

void canvas_give_frames(Canvas *c, int64_t first, int64_t count, const float *latent)
{
    const CanvasShape *s = &c->shape;
    assert(first >= 0 && count >= 0 && first + count <= s->frames);
    assert(first % s->patch[0] == 0 && count % s->patch[0] == 0);
    int64_t plane = s->height * s->width, per_frame = c->patches / (s->frames / s->patch[0]);
    for (int64_t ch = 0; ch < s->channels; ch++)
        memcpy(c->known + (ch * s->frames + first) * plane, latent + ch * count * plane,
               (size_t)(count * plane) * sizeof *latent);
    for (int64_t i = first / s->patch[0] * per_frame; i < (first + count) / s->patch[0] * per_frame; i++)
        c->mask[i] = 0;
    c->any_known = c->any_known || count > 0;
}

bool canvas_condition(Canvas *c, const CanvasClip *clip, SoraError *err)
{
    const CanvasShape *s = &c->shape;
    int64_t stride = clip->stride, plane = s->height * s->width;
    assert(clip->frames == 1 + (s->frames - 1) * stride);
    int64_t cells = (stride + s->channels) * s->frames * plane;
    free(c->condition);
    c->condition = calloc((size_t)cells, sizeof *c->condition);
    if (c->condition == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "canvas: no memory for %lld cells", (long long)cells);
    c->condition_channels = stride + s->channels;
    for (int64_t k = 0; k < stride; k++)
        for (int64_t f = 0; f < s->frames; f++) {
            int64_t frame = f == 0 ? 0 : 1 + (f - 1) * stride + k;
            for (int64_t i = 0; i < plane && clip->given[frame]; i++)
                c->condition[(k * s->frames + f) * plane + i] = 1;
        }
    memcpy(c->condition + stride * s->frames * plane, clip->latent, (size_t)c->cells * sizeof(float));
    return true;
}

int canvas_levels(const Canvas *c, float *levels, int32_t *index)
{
    int count = 0, last = 0;
    for (int64_t i = 0; i < c->patches; i++) {
        if (count == 0 || levels[last] != c->mask[i])
            for (last = 0; last < count && levels[last] != c->mask[i]; last++)
                ;
        if (last == count)
            levels[count++] = c->mask[i];
        index[i] = last;
    }
    return count;
}

/* latent = (1 - mask) ((1 - sigma) known + sigma noise) + mask latent; noise may be NULL with sigma 0. */
static void insert(const Canvas *c, float sigma, const float *noise, float *latent)
{
    const CanvasShape *s = &c->shape;
    if (!c->any_known)
        return;
    int64_t rows = s->height / s->patch[1], cols = s->width / s->patch[2], i = 0;
    for (int64_t ch = 0; ch < s->channels; ch++)
        for (int64_t f = 0; f < s->frames; f++)
            for (int64_t y = 0; y < s->height; y++) {
                const float *mask = c->mask + (f / s->patch[0] * rows + y / s->patch[1]) * cols;
                for (int64_t x = 0; x < s->width; x++, i++) {
                    float m = mask[x / s->patch[2]];
                    float given = c->known[i];
                    if (noise != NULL)
                        given = (1 - sigma) * given + sigma * noise[i];
                    latent[i] = (1 - m) * given + m * latent[i];
                }
            }
}

void canvas_insert(const Canvas *c, float *latent)
{
    insert(c, 0, NULL, latent);
}

void canvas_insert_noisy(const Canvas *c, float sigma, const float *noise, float *latent)
{
    insert(c, sigma, noise, latent);
}
