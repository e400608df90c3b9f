/* A join between frames that are given and frames that are made. Where nothing moves across it, the codec still paints the next
 * group of frames a little otherwise than the last one, and one sees it flash. That step is measured, and the frames that are
 * made take it up: whole beside the join, less with every frame away from it. Given frames stay as they are, and so do the means of
 * the made ones: they are matched before, over the whole frame (studio/context.h).
 *
 *     Seam seam = {0};
 *     if (!seam_measure(&seam, &(SeamSides){last, frames[0], width, height}, &err))
 *         return false;
 *     for (int i = 0; i < SEAM_FRAMES; i++)
 *         seam_close(&seam, i, SEAM_FRAMES, frames[i]);
 *     seam_deinit(&seam); */
#ifndef SORA_STUDIO_SEAM_H
#define SORA_STUDIO_SEAM_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

enum { SEAM_FRAMES = 6 }; /* in which the step is gone */

typedef struct SeamSides {
    const uint8_t *given, *made; /* [height, width, 3]: the two frames that meet */
    int width, height;
} SeamSides;

typedef struct Seam {
    int width, height;
    uint8_t *made;  /* as it was; heap */
    float *step;    /* [height, width, 3], what the given frame has more, of 255, where nothing moves; heap */
    float *still;   /* [height, width], 1: the frame at hand is as `made` there, 0: something moved; heap */
    float *blurred; /* the same, for the blur; heap */
} Seam;

bool seam_measure(Seam *seam, const SeamSides *sides, SoraError *err);
/* Frame i of `count` that are made, counted from the join in either direction: in place. */
void seam_close(Seam *seam, int i, int count, uint8_t *rgb);
void seam_deinit(Seam *seam); /* a zeroed one is allowed */

#endif
