#include "studio/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t frame_bytes(const FrameSource *s)
{
    return 3 * (size_t)s->width * (size_t)s->height;
}

bool frame_source_open(FrameSource *s, double fps, const ForeignLimits *limits, SoraError *err)
{
    if (!given_clip_check(&s->given, err) || !given_clip_open(&s->clip, &s->given, fps, limits, err))
        return false;
    if (s->clip.still || s->keep > s->clip.frames)
        s->keep = s->clip.still ? 1 : s->clip.frames;
    s->kept = malloc((size_t)s->keep * frame_bytes(s));
    return s->kept != NULL || error_no_memory(err);
}

void frame_source_close(FrameSource *s)
{
    given_clip_close(&s->clip);
    free(s->kept);
    s->kept = NULL;
}

/* At its own size in the middle; what is larger is cut. */
static void put_in_the_middle(const FrameSource *s, const Image *in, uint8_t *out)
{
    int left = (s->width - in->width) / 2, top = (s->height - in->height) / 2;
    memset(out, 127, frame_bytes(s));
    int skip = left < 0 ? -left : 0, wide = in->width < s->width ? in->width : s->width;
    for (int y = 0; y < in->height; y++)
        if (top + y >= 0 && top + y < s->height)
            memcpy(out + 3 * ((size_t)(top + y) * (size_t)s->width + (size_t)(left > 0 ? left : 0)),
                   in->rgb + 3 * ((size_t)y * (size_t)in->width + (size_t)skip), 3 * (size_t)wide);
}

static bool fit(const FrameSource *s, const Image *in, uint8_t *out, SoraError *err)
{
    if (s->middle || (in->width == s->width && in->height == s->height)) {
        put_in_the_middle(s, in, out);
        return true;
    }
    Image image = {0};
    bool ok = image_cover(&image, in, s->width, s->height, err);
    if (ok)
        memcpy(out, image.rgb, frame_bytes(s));
    image_deinit(&image);
    return ok;
}

bool frame_source_at(FrameSource *s, int64_t i, const uint8_t **rgb, SoraError *err)
{
    i = i < 0 ? 0 : i >= s->clip.frames ? s->clip.frames - 1 : i;
    if (s->read - i > s->keep) {
        given_clip_rewind(&s->clip);
        s->read = 0;
    }
    for (; s->read <= i; s->read++) {
        const Image *frame;
        if (!given_clip_read(&s->clip, &frame, err) ||
            !fit(s, frame, s->kept + (size_t)(s->read % s->keep) * frame_bytes(s), err))
            return false;
    }
    *rgb = s->kept + (size_t)(i % s->keep) * frame_bytes(s);
    return true;
}

/* How far the other has come. */
static double curve_at(SoraCurve curve, double x)
{
    switch (curve) {
    case SORA_CURVE_SMOOTH:
        return x * x * (3 - 2 * x);
    case SORA_CURVE_EARLY:
        return 1 - (1 - x) * (1 - x);
    case SORA_CURVE_LATE:
        return x * x;
    default:
        return x;
    }
}

bool layer_frame(Layer *l, int64_t t, const uint8_t **rgb, SoraError *err)
{
    const uint8_t *other;
    if (!frame_source_at(&l->source, t - l->first, rgb, err))
        return false;
    if (!l->mixed)
        return true;
    if (!frame_source_at(&l->other, t - l->first, &other, err))
        return false;
    double x = l->frames > 1 ? (double)(t - l->first) / (double)(l->frames - 1) : 0;
    int weight = (int)lround(256 * curve_at(l->curve, x));
    if (l->mix == NULL && (l->mix = malloc(frame_bytes(&l->source))) == NULL)
        return error_no_memory(err);
    for (size_t i = 0; i < frame_bytes(&l->source); i++)
        l->mix[i] = (uint8_t)(((*rgb)[i] * (256 - weight) + other[i] * weight + 128) >> 8);
    *rgb = l->mix;
    return true;
}

bool layer_mask(Layer *l, int64_t t, uint8_t *values, SoraError *err)
{
    const FrameSource *s = &l->source;
    int width = s->width, height = s->height;
    const uint8_t *rgb = NULL;
    memset(values, 0, (size_t)width * (size_t)height);
    if (l->masked && !frame_source_at(&l->mask, t - l->first, &rgb, err))
        return false;
    for (size_t i = 0; rgb != NULL && i < (size_t)width * (size_t)height; i++)
        values[i] = rgb[3 * i + 1];
    int left = (width - s->clip.width) / 2, top = (height - s->clip.height) / 2;
    for (int y = 0; l->outside && y < height; y++)
        for (int x = 0; x < width; x++)
            if (x < left || x >= left + s->clip.width || y < top || y >= top + s->clip.height)
                values[(size_t)y * (size_t)width + (size_t)x] = 255;
    return true;
}

void layer_close(Layer *l)
{
    frame_source_close(&l->source);
    frame_source_close(&l->mask);
    frame_source_close(&l->other);
    free(l->mix);
    l->mix = NULL;
}
