/* What a request gives, onto the canvas: frames are read, fitted, encoded and painted where the plan has them. */
#ifndef SORA_ENGINE_GIVE_H
#define SORA_ENGINE_GIVE_H

#include "engine/given_clip.h"
#include "engine/pipeline.h"
#include "engine/plan.h"

typedef struct Giving {
    const Pipeline *pipeline;
    const Plan *plan;
    GivenClip *clips; /* [plan->given_count] */
    Canvas *canvas;
    size_t limit; /* bytes for the encoder; 0: PIPELINE_DECODE_LIMIT */
    ContextRows *heard; /* what the transformer hears of pictures; empty unless it has an image encoder */
} Giving;

/* Models that see frames in channels of their own take all at once. */
bool give_all(const Giving *g, SoraError *err);

#endif
