/* One window: a first frame and groups of frames, made at once, with what is known of them. */
#ifndef SORA_STUDIO_WINDOW_H
#define SORA_STUDIO_WINDOW_H

#include "studio/studio.h"

typedef struct Window {
    int64_t begin;         /* frame of the timeline with which it begins; may lie before its first one */
    int groups;            /* after the first frame */
    const uint8_t *first;  /* that frame, [height, width, 3]; NULL: it is made */
    const float *left;     /* groups that are known at the beginning, [C, left_groups, H, W] */
    int left_groups;
    const float *right;    /* and at the end */
    int right_groups;
    const uint8_t *last;   /* for models that see frames beside the latent: the last frame; NULL: it is made */
} Window;

/* *latent: [C, 1 + groups, H, W], heap; *shape its own. Layers that are not kept are given to it as beginnings. */
bool window_make(Studio *s, const Window *w, float **latent, CanvasShape *shape, SoraError *err);

/* The ring of a timeline that is one: its groups, [C, frames / stride, H, W]. */
bool window_make_ring(Studio *s, float **latent, CanvasShape *shape, SoraError *err);

#endif
