/* What is known before or after a run of frames that are made: frames through the encoder, and what the codec makes of them. */
#ifndef SORA_STUDIO_CONTEXT_H
#define SORA_STUDIO_CONTEXT_H

#include "studio/studio.h"

/* Frames in memory. */
typedef struct Frames {
    const uint8_t *rgb; /* [count, height, width, 3] */
    int count;
} Frames;

/* A first frame and groups, as a clip of its own: [C, 1 + groups, H, W], heap. NULL on failure. */
float *context_encode(Studio *s, Frames frames, SoraError *err);
/* Groups within a video, after a lead-in: [C, groups, H, W], heap. */
float *context_encode_groups(Studio *s, Frames frames, SoraError *err);

/* The mean and deviation of a frame's channels, and what makes those of one those of another: x -> gain x + shift. A window's
 * frames differ in this from those before them, though nothing in the picture says so, and it adds up. */
typedef struct Tone {
    double mean[3], deviation[3];
} Tone;
typedef struct ToneMatch {
    double gain[3], shift[3];
} ToneMatch;

Tone tone_of(const uint8_t *rgb, int width, int height);
ToneMatch tone_match(const Tone *from, const Tone *to);
/* What is black or white cannot follow; then the rest goes a little further, so that the mean of this frame becomes to's. */
void tone_settle(ToneMatch *m, const Tone *to, const uint8_t *rgb, int width, int height);
/* Brings t by that part of the way nearer to another. */
void tone_pull(Tone *t, const Tone *to, double part);
/* part: 0 does nothing, 1 all of it; in place. */
void tone_apply(const ToneMatch *match, double part, uint8_t *rgb, int width, int height);

#endif
