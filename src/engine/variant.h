/* The published models, and what they make unless told otherwise. */
#ifndef SORA_ENGINE_VARIANT_H
#define SORA_ENGINE_VARIANT_H

#include "base/error.h"
#include "model/config.h"

typedef struct Variant {
    const char *name; /* wan2.1-t2v-1.3b */
    int width, height, frames;
    double fps;
    int steps;
    double shift;
    double guidance_scale;
    double low_guidance_scale; /* of the low-noise expert */
    double boundary;           /* noise level from which the high-noise expert works, 0 to 1; 0: no experts */
    bool follow_picture; /* without a size of its own, a request with a picture takes the picture's shape */
    const char *negative_prompt;
} Variant;

/* What a model is that says nothing else. */
extern const Variant VARIANT_PLAIN;

/* NULL when there is none of that name. */
const Variant *variant_find(const char *name);
/* Which of the published models has such a transformer; experts: how many there are. NULL: none. */
const Variant *variant_guess(const DitConfig *c, int experts);

#endif
