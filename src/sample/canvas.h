/* The canvas: a latent grid of which some is known. Every request is one: text to video knows nothing, image
 * to video the first latent frame, and so on. The mask says for each patch how noisy it is: 0 given, 1 to be
 * made. Networks learn of what is known in one of three ways: they take a timestep for every patch and see
 * the known part clean; or they take one timestep, and the known part is put back at each step at that step's
 * noise level; or they see it beside the latent, in channels of their own. */
#ifndef SORA_SAMPLE_CANVAS_H
#define SORA_SAMPLE_CANVAS_H

#include <stdint.h>
#include "base/error.h"

typedef struct CanvasShape {
    int64_t channels, frames, height, width; /* of the latent */
    int64_t patch[3];                        /* frames, height, width of a patch: divides the sizes */
} CanvasShape;

typedef struct Canvas {
    CanvasShape shape;
    int64_t patches;  /* frames/p0 * height/p1 * width/p2, in that order: the network's tokens */
    int64_t cells;    /* channels * frames * height * width */
    float *known;     /* [C, F, H, W]; zeros at first */
    float *mask;      /* [patches]; ones at first */
    bool any_known;   /* whether a part was given */
    float *condition; /* [condition_channels, F, H, W]; NULL: nothing is shown beside the latent */
    int64_t condition_channels;
} Canvas;

bool canvas_init(Canvas *c, const CanvasShape *shape, SoraError *err);
void canvas_deinit(Canvas *c);

/* Gives the latent frames from first on: latent [C, count, H, W]. first and count are multiples of the
 * patch's. */
void canvas_give_frames(Canvas *c, int64_t first, int64_t count, const float *latent);

/* A video of which some frames are given and the rest is grey. */
typedef struct CanvasClip {
    const bool *given;   /* [frames] */
    int64_t frames;      /* of the video: 1 + (F - 1) * stride */
    int64_t stride;      /* frames to a latent frame; the first one has a latent frame of its own */
    const float *latent; /* [C, F, H, W] */
} CanvasClip;

/* For networks that see what is known beside the latent (Wan's image to video). The first `stride` channels
 * of the condition say which frames of a latent frame are given, 1 or 0; the first frame counts as `stride`
 * equal ones. Then come the clip's own channels. Nothing of the latent itself is fixed. */
bool canvas_condition(Canvas *c, const CanvasClip *clip, SoraError *err);

/* The distinct values of the mask, the first patch's first, in levels[patches], and which one each patch has
 * in index[patches]. Returns how many. The network is told level * timestep of each patch. */
int canvas_levels(const Canvas *c, float *levels, int32_t *index);

/* Puts the known part into latent [C, F, H, W], clean: for networks that take a timestep per patch. */
void canvas_insert(const Canvas *c, float *latent);
/* The same at noise level sigma, for networks that take one timestep; noise [C, F, H, W]. */
void canvas_insert_noisy(const Canvas *c, float sigma, const float *noise, float *latent);

#endif
