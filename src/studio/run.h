/* A run of frames that are made, between frames that are kept or the ends of the timeline.
 *
 * Forward: each window is given a still of the frame before its groups and the groups that it has in common with the one before;
 * all go through one decoder. Towards a beginning, where nothing comes before: the last window first, each given the groups
 * that follow; then all are decoded. */
#ifndef SORA_STUDIO_RUN_H
#define SORA_STUDIO_RUN_H

#include "studio/studio.h"

typedef struct RunPlace {
    int64_t begin, end; /* frames of the timeline that are made; end may be STUDIO_ENDLESS */
    bool before, after; /* is there a kept frame before it, and after it? */
} RunPlace;

/* The run that begins at t, where nothing is kept. */
RunPlace run_place(Studio *s, int64_t t);
/* Can the model make it? The message says which can. */
bool run_check(const Studio *s, const RunPlace *place, SoraError *err);
/* Makes it and hands its frames on. */
bool run_make(Studio *s, const RunPlace *place, SoraError *err);
/* The whole timeline, which closes on itself. */
bool run_ring(Studio *s, SoraError *err);

#endif
