#include "studio/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/encode.h"
#include "media/pixels.h"

enum { LEAD_IN = 2 }; /* latent frames of a still, as in engine/give.c */

typedef struct Encoding {
    Studio *studio;
    Frames frames;
    int lead;      /* times that the first frame comes before */
    float *all;    /* [C, latents, H, W] */
    CanvasShape shape;
} Encoding;

static bool push_frames(const Encoding *n, Encoder *e, SoraError *err)
{
    int width = n->studio->line.width, height = n->studio->line.height;
    size_t size = 3 * (size_t)width * (size_t)height;
    bool ok = true;
    for (int i = -n->lead; i < n->frames.count && ok; i++) {
        Image image = {width, height, (uint8_t *)n->frames.rgb + (size_t)(i < 0 ? 0 : i) * size};
        Pixels pixels = {0};
        ok = pixels_from_image(&pixels, &image, err) && encoder_push(e, pixels.rgb, err);
        pixels_deinit(&pixels);
    }
    return ok;
}

/* All latent frames, the lead-in's too. */
static bool encode(Encoding *n, SoraError *err)
{
    const Pipeline *p = &n->studio->engine->pipeline;
    LatentClip clip;
    EncodeJob job = {n->studio->line.width, n->studio->line.height, pager_left(&n->studio->engine->pager), latent_clip_take, &clip};
    int64_t latents = 1 + (n->lead + n->frames.count - 1) / n->studio->stride;
    Encoder *e = NULL;
    bool ok = latent_clip_init(&clip, &p->autoencoder->config, &job, latents, err) && (e = encoder_open(p, &job, err)) != NULL &&
              push_frames(n, e, err) && encoder_finish(e, err);
    encoder_close(e);
    n->all = clip.data;
    n->shape = clip.shape;
    if (!ok) {
        latent_clip_deinit(&clip);
        n->all = NULL;
    }
    return ok;
}

float *context_encode(Studio *s, Frames frames, SoraError *err)
{
    Encoding n = {.studio = s, .frames = frames};
    return encode(&n, err) ? n.all : NULL;
}

/* Latent frames from `first` on, count of them; heap. */
static float *cut_out(const Encoding *n, int64_t first, int64_t count)
{
    int64_t plane = n->shape.height * n->shape.width;
    float *part = malloc((size_t)(n->shape.channels * count * plane) * sizeof *part);
    for (int64_t c = 0; part != NULL && c < n->shape.channels; c++)
        memcpy(part + c * count * plane, n->all + (c * n->shape.frames + first) * plane, (size_t)(count * plane) * sizeof *part);
    return part;
}

float *context_encode_groups(Studio *s, Frames frames, SoraError *err)
{
    Encoding n = {.studio = s, .frames = frames, .lead = 1 + (LEAD_IN - 1) * s->stride};
    if (!encode(&n, err))
        return NULL;
    float *groups = cut_out(&n, LEAD_IN, n.shape.frames - LEAD_IN);
    free(n.all);
    if (groups == NULL)
        error_no_memory(err);
    return groups;
}

Tone tone_of(const uint8_t *rgb, int width, int height)
{
    size_t pixels = (size_t)width * (size_t)height;
    double sum[3] = {0}, squares[3] = {0};
    Tone t;
    for (size_t i = 0; i < 3 * pixels; i++) {
        sum[i % 3] += rgb[i];
        squares[i % 3] += (double)rgb[i] * rgb[i];
    }
    for (int c = 0; c < 3; c++) {
        t.mean[c] = sum[c] / (double)pixels;
        t.deviation[c] = sqrt(fmax(squares[c] / (double)pixels - t.mean[c] * t.mean[c], 0));
    }
    return t;
}

void tone_pull(Tone *t, const Tone *to, double part)
{
    for (int c = 0; c < 3; c++) {
        t->mean[c] += part * (to->mean[c] - t->mean[c]);
        t->deviation[c] += part * (to->deviation[c] - t->deviation[c]);
    }
}

ToneMatch tone_match(const Tone *from, const Tone *to)
{
    const double MOST = 1.15; /* a thing that comes in is no error */
    ToneMatch m;
    for (int c = 0; c < 3; c++) {
        double gain = from->deviation[c] > 1 ? to->deviation[c] / from->deviation[c] : 1;
        m.gain[c] = fmin(fmax(gain, 1 / MOST), MOST);
        m.shift[c] = to->mean[c] - m.gain[c] * from->mean[c];
    }
    return m;
}

void tone_settle(ToneMatch *m, const Tone *to, const uint8_t *rgb, int width, int height)
{
    enum { ROUNDS = 6 };
    const double FURTHER = 12; /* of 255, at most */
    size_t pixels = (size_t)width * (size_t)height, counts[3][256] = {{0}};
    for (size_t i = 0; i < 3 * pixels; i++)
        counts[i % 3][rgb[i]]++;
    for (int c = 0; c < 3; c++) {
        double first = m->shift[c];
        for (int round = 0; round < ROUNDS; round++) {
            double sum = 0;
            for (int i = 0; i < 256; i++)
                sum += (double)counts[c][i] * fmin(fmax(m->gain[c] * i + m->shift[c], 0), 255);
            m->shift[c] += to->mean[c] - sum / (double)pixels;
            m->shift[c] = fmin(fmax(m->shift[c], first - FURTHER), first + FURTHER);
        }
    }
}

void tone_apply(const ToneMatch *m, double part, uint8_t *rgb, int width, int height)
{
    uint8_t table[3][256];
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++) {
            double x = i + part * (m->gain[c] * i + m->shift[c] - i);
            table[c][i] = x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5);
        }
    for (size_t i = 0; i < 3 * (size_t)width * (size_t)height; i++)
        rgb[i] = table[i % 3][rgb[i]];
}
