/* What a LoRA learns from: a folder's clips as latents and their captions as rows of text, all in memory. */
#ifndef SORA_ADAPT_EXAMPLES_H
#define SORA_ADAPT_EXAMPLES_H

#include "adapt/base.h"
#include "train/clips.h"

enum { MAX_EXAMPLES = 4096 };

typedef struct Example {
    float *latent; /* [C, F, h, w] */
    int frames;    /* F */
    TextRows *texts,
        *plain; /* [text_count]: captions with the trigger, and as they are; without a trigger only plain */
    int text_count;
} Example;

typedef struct Examples {
    Example *items;
    int count;
    TextRows empty; /* of the empty text */
} Examples;

typedef struct ExamplesConfig {
    Base *base;
    ClipSource *source;  /* of a folder */
    ClipRequest clip;    /* the index is not used */
    int frames;          /* of its latent */
    const char *trigger; /* words that are put after each caption; NULL: none */
    const TrainHooks *hooks;
    Team *team;
} ExamplesConfig;

/* SORA_ERROR_CANCELLED when progress said stop. Give it to examples_deinit() also after a failure. */
bool examples_init(Examples *e, const ExamplesConfig *config, SoraError *err);
/* Videos that the base itself makes of the prompts, one of each with the numbers 0 .. as seeds; the source is not used.
 */
bool examples_make(Examples *e, const ExamplesConfig *config, char *const *prompts, int count, SoraError *err);
void examples_deinit(Examples *e);

#endif
