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

/* Latent frames that are known as such: the end of the window before. */
typedef struct LatentGiven {
    int64_t first, frames; /* latent frames, whole patches */
    const float *latent;   /* [C, frames, H, W] */
    float level;
} LatentGiven;

void give_latents(Canvas *canvas, const LatentGiven *given);

/* Models that see frames in channels of their own take all at once. */
bool give_all(const Giving *g, SoraError *err);

#endif
