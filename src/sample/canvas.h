/* The canvas: a latent grid of which some is known. Every request is one: text to video knows nothing, image
 * to video the first latent frame, and so on. The mask has a level for each patch (sample/given.h): 0 known, 1 to be
 * made, between them known down to that noise level. While sigma, the level of the rest, is at least a patch's own, the
 * patch is held: it is the known one with noise in it. Below, it is made like the rest. Networks learn of what is held in
 * one of three ways: they take a timestep for every patch and see each at its own level; or they take one timestep, and
 * what is held is put back at each step at that step's level; or they see what is known beside the latent, in channels
 * of their own. */
#ifndef SORA_SAMPLE_CANVAS_H
#define SORA_SAMPLE_CANVAS_H

#include <stdint.h>
#include "base/error.h"
#include "sample/given.h"

typedef struct CanvasShape {
    int64_t channels, frames, height, width; /* of the latent */
    int64_t patch[3];                        /* frames, height, width of a patch: divides the sizes */
} CanvasShape;

typedef struct Canvas {
    CanvasShape shape;
    int64_t grid[3];  /* patches: frames/p0, height/p1, width/p2 */
    int64_t patches;  /* all of them, in that order: the network's tokens */
    int64_t cells;    /* channels * frames * height * width */
    float *known;     /* [C, F, H, W]; zeros at first */
    float *mask;      /* [patches]; ones at first */
    bool any_known;   /* whether a part was given */
    float *condition; /* [condition_channels, F, H, W]; NULL: nothing is shown beside the latent */
    int64_t condition_channels;
} Canvas;

bool canvas_init(Canvas *c, const CanvasShape *shape, SoraError *err);
void canvas_deinit(Canvas *c);

/* Gives a part; latent [C, frames of the part, H, W] has whole frames. Patches of level 1 are left as they are. */
void canvas_give(Canvas *c, const GivenPart *part, const float *latent);

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
 * in index[patches]. Returns how many. */
int canvas_levels(const Canvas *c, float *levels, int32_t *index);

/* Is a patch of that level held while the rest is at sigma? */
bool canvas_holds(float level, float sigma);

/* Puts what is held into latent [C, F, H, W], each patch at its own level: for networks that take a timestep per patch.
 * noise [C, F, H, W] is what the video began as. */
void canvas_insert(const Canvas *c, float sigma, const float *noise, float *latent);
/* The same, all at level sigma: for networks that take one timestep. */
void canvas_insert_noisy(const Canvas *c, float sigma, const float *noise, float *latent);

/* A step of the solver. */
typedef struct CanvasStep {
    float sigma, next;    /* from this level to that one */
    const float *noise;   /* [C, F, H, W] */
    const float *velocity; /* [C, F, H, W]: the network's answer, for what it was shown of each patch */
} CanvasStep;

/* Before the step: a held patch whose level lies above `next` begins its way within the step. latent gets the point at
 * sigma of the straight line through what is known at the patch's level, in the direction of the velocity, so that the
 * step goes along that line. Where a patch is held, held[C, F, H, W] is 1, else 0: there the solver has no past
 * (sampler_restart()). */
void canvas_release(const Canvas *c, const CanvasStep *step, float *latent, uint8_t *held);

#endif
