/* The visible mark of a generated video: a sun over a horizon and the word "sora.c", white with a dark edge, in
 * one place for some seconds and then in another.
 *
 *     Watermark *w = watermark_new(width, height, &err);
 *     for (int i = 0; w != NULL && i < frames; i++)
 *         watermark_draw(w, rgb[i], &(WatermarkTime){i / fps, frames / fps});
 *     watermark_free(w); */
#ifndef SORA_MEDIA_WATERMARK_H
#define SORA_MEDIA_WATERMARK_H

#include <stdint.h>
#include "base/error.h"

typedef struct Watermark Watermark;

/* Pixels of the frames, at least 1. The mark is scaled to them. NULL without memory. */
Watermark *watermark_new(int width, int height, SoraError *err);
void watermark_free(Watermark *w); /* NULL is allowed */

typedef struct WatermarkTime {
    double now, length; /* seconds; the length of the whole video, in which the mark moves at least once */
} WatermarkTime;

/* Into rgb, [height, width, 3]. */
void watermark_draw(const Watermark *w, uint8_t *rgb, const WatermarkTime *time);

#endif
