/* How the probe sees a clip: a few frames, evenly spread, each shrunk to a small square. */
#ifndef SORA_TRAIN_LOOK_H
#define SORA_TRAIN_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rng.h"

/* Which of count frames is look i of looks: the first, the last, and between them evenly. */
int look_frame(int i, int looks, int count);

/* rgb [height, width, 3] to out [side, side, 3] in [-1, 1]: the mean over each square's area, whatever the sizes. */
void look_shrink(const uint8_t *rgb, int width, int height, int side, float *out);

/* What stands between a clip as it was drawn and one that a model made: blur, noise, light. */
typedef struct LookChange {
    float blur;             /* share of its neighbours that a place takes, 0 to 1 */
    int blurs;              /* times */
    float noise;            /* deviation */
    float gain, offset;     /* x * gain + offset */
    bool mirror;            /* left is right */
} LookChange;
LookChange look_draw_change(Rng *rng);
/* In place, frames [count, side, side, 3]; scratch: side * side * 3 floats. */
void look_change(const LookChange *c, Rng *rng, float *frames, int count, int side, float *scratch);

#endif
