/* What the captioner says of a clip: the most probable words, or words drawn at random. */
#ifndef SORA_SAMPLE_SAY_H
#define SORA_SAMPLE_SAY_H

#include "model/captioner.h"

enum { SAY_MAX_BEAMS = 16 };

typedef struct SayRules {
    int32_t control, end; /* the token that it begins with, and the one that ends it */
    int beams;            /* 1: the most probable token each time; up to SAY_MAX_BEAMS: of so many beginnings the best end,
                             by mean logarithm */
    double temperature;   /* above 0: tokens are drawn, with logits divided by it; then one beam */
    uint64_t seed;        /* of the drawing */
} SayRules;

typedef struct Said {
    int32_t ids[CAPTIONER_MAX_TEXT]; /* without control and end */
    int count;
    bool ended;       /* false: it was cut at text_len */
    double mean_log;  /* of the tokens' probabilities, end included */
} Said;

/* memory: of one clip, in g, which is not reset. false with *err after a failure of the graph. */
bool say(Graph *g, const Captioner *m, Tensor *memory, const SayRules *rules, Said *out, SoraError *err);

#endif
