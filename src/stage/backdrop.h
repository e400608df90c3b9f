/* The world behind the actors: three layers that a moving camera shifts by different amounts. */
#ifndef SORA_STAGE_BACKDROP_H
#define SORA_STAGE_BACKDROP_H

#include "stage/paint.h"
#include "stage/world.h"

enum { BACKDROP_LAYERS = 3 };

typedef struct Backdrop {
    Canvas layers[BACKDROP_LAYERS]; /* sky (opaque), far, ground */
    Canvas base;                    /* the layers put together, for a camera that does not pan */
    Rgb light;                      /* factors for sprites */
    Rgb haze;
    float haze_amount; /* for sprites */
} Backdrop;

/* The pixels live in the play's arena. */
bool backdrop_paint(const Play *play, Backdrop *backdrop);
/* The backdrop of frame f into dst [height, width]; row: scratch of at least width + 2 pixels. */
void backdrop_frame(const Play *play, const Backdrop *backdrop, int f, uint32_t *dst, uint32_t *row);
/* How much a pan moves the ground at height y. */
float backdrop_parallax(const Ground *ground, float y);

#endif
