/* What is given to a video: parts of its latent grid, each with a place in time, a region, and the noise level down to
 * which it is known. Generation paints such parts on a Canvas; training draws some at random and asks for each patch.
 *
 *     Given given = {.grid = {5, 8, 8}};
 *     given_add(&given, given_frames(given.grid, 0, 1, 0));     the first frame, clean
 *     given_add(&given, (GivenPart){.first = {0, 2, 2}, .size = {5, 4, 4}, .level = 0.6f});  the middle, down to 0.6
 *     float level = given_level(&given, frame, row, column), noise = given_noise(level, sigma);
 *
 * A level is a noise level, 0 to 1: x = (1 - level) video + level noise. A patch of level 0 is known and stays as it is.
 * One of level 1 is not given. Between them, the given part holds at noise levels of `level` and more, and what is finer
 * is made: the patch begins at its level instead of at pure noise (Meng et al. 2021, "SDEdit"). */
#ifndef SORA_SAMPLE_GIVEN_H
#define SORA_SAMPLE_GIVEN_H

#include <stdbool.h>
#include <stdint.h>

enum { GIVEN_MAX = 64 };

/* Places and sizes count patches: frames, rows, columns. */
typedef struct GivenPart {
    int64_t first[3], size[3];
    float level;       /* 0 to 1 */
    const float *mask; /* [size[0], size[1], size[2]], 0 to 1: a patch's own level where it is above `level`; the
                          caller's; NULL: there is none */
} GivenPart;

typedef struct Given {
    int64_t grid[3]; /* of the video */
    int count;
    GivenPart parts[GIVEN_MAX]; /* where two lie over each other, the later one counts */
} Given;

/* Whole frames of a video of that grid. */
GivenPart given_frames(const int64_t grid[3], int64_t first, int64_t count, float level);

/* False when the list is full, or the part is empty, not within the grid, or of no level. */
bool given_add(Given *g, GivenPart part);

/* The level of one patch, whose place is in the video; 1: it is not given. */
float given_level(const Given *g, int64_t frame, int64_t row, int64_t column);
/* The same of one part alone. */
float given_part_level(const GivenPart *part, int64_t frame, int64_t row, int64_t column);

/* How noisy a patch of that level is shown, and said to be, while the rest is at sigma: min(level, sigma). */
static inline float given_noise(float level, float sigma)
{
    return level < sigma ? level : sigma;
}

#endif
