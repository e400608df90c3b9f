#include "sample/canvas.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool canvas_init(Canvas *c, const CanvasShape *s, SoraError *err)
{
    *c = (Canvas){.shape = *s};
    c->grid[0] = s->frames / s->patch[0];
    c->grid[1] = s->height / s->patch[1];
    c->grid[2] = s->width / s->patch[2];
    c->patches = c->grid[0] * c->grid[1] * c->grid[2];
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

/* The patch in which a place of the latent lies. */
static int64_t patch_of(const Canvas *c, int64_t f, int64_t y, int64_t x)
{
    const int64_t *p = c->shape.patch;
    return (f / p[0] * c->grid[1] + y / p[1]) * c->grid[2] + x / p[2];
}

void canvas_give(Canvas *c, const GivenPart *part, const float *latent)
{
    const CanvasShape *s = &c->shape;
    int64_t rows = c->grid[1], cols = c->grid[2], plane = s->height * s->width;
    int64_t first = part->first[0] * s->patch[0], count = part->size[0] * s->patch[0];
    assert(first >= 0 && count >= 0 && first + count <= s->frames);
    for (int64_t f = first; f < first + count; f++)
        for (int64_t i = 0; i < plane; i++) {
            int64_t y = i / s->width, x = i % s->width;
            if (given_part_level(part, f / s->patch[0], y / s->patch[1], x / s->patch[2]) >= 1)
                continue;
            for (int64_t ch = 0; ch < s->channels; ch++)
                c->known[(ch * s->frames + f) * plane + i] = latent[(ch * count + f - first) * plane + i];
        }
    for (int64_t i = part->first[0] * rows * cols; i < (part->first[0] + part->size[0]) * rows * cols; i++) {
        float level = given_part_level(part, i / (rows * cols), i / cols % rows, i % cols);
        c->mask[i] = level < 1 ? level : c->mask[i];
        c->any_known = c->any_known || level < 1;
    }
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

bool canvas_holds(float level, float sigma)
{
    return level < 1 && level <= sigma;
}

typedef enum Showing { AT_OWN_LEVEL, AT_SIGMA } Showing;

static void insert(const Canvas *c, Showing how, float sigma, const float *noise, float *latent)
{
    const CanvasShape *s = &c->shape;
    int64_t i = 0;
    for (int64_t ch = 0; ch < s->channels && c->any_known; ch++)
        for (int64_t f = 0; f < s->frames; f++)
            for (int64_t y = 0; y < s->height; y++)
                for (int64_t x = 0; x < s->width; x++, i++) {
                    float own = c->mask[patch_of(c, f, y, x)], level = how == AT_SIGMA ? sigma : own;
                    if (canvas_holds(own, sigma))
                        latent[i] = (1 - level) * c->known[i] + level * noise[i];
                }
}

void canvas_insert(const Canvas *c, float sigma, const float *noise, float *latent)
{
    insert(c, AT_OWN_LEVEL, sigma, noise, latent);
}

void canvas_insert_noisy(const Canvas *c, float sigma, const float *noise, float *latent)
{
    insert(c, AT_SIGMA, sigma, noise, latent);
}

void canvas_release(const Canvas *c, const CanvasStep *step, float *latent, uint8_t *held)
{
    const CanvasShape *s = &c->shape;
    int64_t i = 0;
    memset(held, 0, (size_t)c->cells);
    for (int64_t ch = 0; ch < s->channels && c->any_known; ch++)
        for (int64_t f = 0; f < s->frames; f++)
            for (int64_t y = 0; y < s->height; y++)
                for (int64_t x = 0; x < s->width; x++, i++) {
                    float own = c->mask[patch_of(c, f, y, x)];
                    held[i] = canvas_holds(own, step->sigma);
                    if (held[i] && own > step->next)
                        latent[i] = (1 - own) * c->known[i] + own * step->noise[i] + (step->sigma - own) * step->velocity[i];
                }
}
