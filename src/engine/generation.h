/* One call of sora_generate(), and one window of a longer video: the same steps up to the latent.
 *
 *     Generation n = {.engine = engine, .request = &request, .texts = &texts, .start = clock_seconds()};
 *     bool ok = generation_plan(&n, &err) && generation_sample(&n, &err);
 *     ... n.latent, of shape n.plan.latent ...
 *     generation_deinit(&n); */
#ifndef SORA_ENGINE_GENERATION_H
#define SORA_ENGINE_GENERATION_H

#include "engine/engine.h"
#include "engine/give.h"
#include "engine/preview.h"
#include "engine/text_cache.h"
#include "engine/video.h"
#include "media/watermark.h"

typedef struct Generation {
    SoraEngine *engine;
    const SoraRequest *request;
    double start;                /* clock_seconds() */
    const LatentGiven *latents;  /* latent_count of them; they lie over what the request gives. Not of models with a condition */
    int latent_count;
    TextCache *texts;            /* texts that were encoded before; NULL: its own */
    int ring;                    /* latent frames of a video that closes on itself (pipeline_denoise_ring()); 0: it does not */
    /* Filled on the way. */
    Plan plan;
    GivenClip clips[PLAN_MAX_GIVEN];
    Passage passages[PLAN_MAX_PASSAGES];
    ContextRows negative, pictures;
    TextCache own_texts;
    int inputs; /* to encode: texts, and what is given as one */
    Canvas canvas;
    float *latent; /* [C, F, H, W]; of a ring, F is its frames */
    SoraVideo *video;
    Watermark *watermark; /* NULL: none is wanted */
    Preview preview;      /* zeroed: none is wanted */
    double preview_seconds; /* that previews have taken, what the caller does with them included */
    SoraError stopped;    /* why the sampling was ended after a step */
    bool refused;         /* the caller did not take a frame, and said why */
    Losses losses;        /* of the files that are given */
} Generation;

/* What is given is opened, and everything checked. */
bool generation_plan(Generation *n, SoraError *err);
/* Words and what is given are encoded, and the steps done. */
bool generation_sample(Generation *n, SoraError *err);
void generation_deinit(Generation *n); /* but for video, which is the caller's */

#endif
