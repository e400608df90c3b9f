/* Samples of a step, stacked along the frames as the transformer's functions take them. */
#ifndef SORA_ADAPT_LORA_BATCH_H
#define SORA_ADAPT_LORA_BATCH_H

#include "adapt/examples.h"
#include "base/rng.h"
#include "tensor/graph.h"

typedef struct LoraSample {
    const Example *example;
    const TextRows *text;
    float sigma;
    /* The target is the base's own answer and this share of the way from there to what the example says: 1 is plain
     * training, 0 asks for no change. */
    float share;
    Rng rng; /* draws the noise */
} LoraSample;

/* In host memory. C, h, w are those of all latents; their frames may differ. */
typedef struct LoraBatch {
    int samples, parts;    /* parts: what the loss is divided by */
    int64_t shape[4];      /* C, all frames, h, w */
    float *noisy, *target; /* [C, all frames, h, w] */
    float *share;          /* [tokens] */
    float *timesteps;      /* [samples] */
    int32_t *t_sample;     /* [samples] */
    int32_t *t_index;      /* [tokens] */
    int64_t tokens, text_dim;
    int64_t (*grid)[3], *rows; /* [samples] */
    float *text;               /* [rows, text_dim] of all */
    bool asks_base;            /* a share is not 1 */
} LoraBatch;

/* latent: channels, height and width of all. An example without a latent is zeros, a sample without a text has the
 * longest: for estimates. NULL: out of memory. */
LoraBatch *lora_batch_new(const DitConfig *dit, const CanvasShape *latent, LoraSample *samples, int count,
                          SoraError *err);
void lora_batch_free(LoraBatch *b); /* NULL is allowed */

/* -> what the transformer says of it [tokens, patch]. */
Tensor *lora_batch_forward(const LoraBatch *b, const Dit *dit, Graph *g);
/* -> the target in that order. answer: the base's, host memory [tokens, patch]; NULL when it is not asked. */
Tensor *lora_batch_target(const LoraBatch *b, const Dit *dit, const float *answer, Graph *g);

#endif
