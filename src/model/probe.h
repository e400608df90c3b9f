/* The probe: a small network that looks at a clip and says what is in it, so that what a video model makes can be
 * scored. It sees pixels alone and knows nothing of the model that it judges.
 *
 * A frame, and how it differs from the mean of the frames, goes through levels of residual convolutions on its own; then
 * all places of all frames, with a learned position each, and one more row for each question go through blocks of
 * attention. The row of a question ends as the logits of its answers.
 *
 * Frames F32 [B, T, side, side, 3] in [-1, 1], T = config.frames, evenly spread over the clip. */
#ifndef SORA_MODEL_PROBE_H
#define SORA_MODEL_PROBE_H

#include <jansson.h>
#include "model/plain.h"

enum { PROBE_MAX_QUESTIONS = 16, PROBE_MAX_LEVELS = 4, PROBE_MAX_DEPTH = 8, PROBE_MAX_CLASSES = 1024 };

typedef struct ProbeConfig {
    int side, frames, patch;                  /* side is a multiple of patch << (levels - 1) */
    int levels, channels[PROBE_MAX_LEVELS];   /* finest first; each halves the sides of the one before */
    int residuals;                            /* of each level */
    int blocks, heads;                        /* of attention, as wide as the last level */
    int questions, classes[PROBE_MAX_QUESTIONS];
} ProbeConfig;

/* The keys of its JSON, a space between. */
#define PROBE_CONFIG_KEYS "side frames patch channels residuals blocks heads"

/* Everything but questions and classes, which are the caller's. A number out of range is an error that names its key. */
bool probe_config_read(ProbeConfig *c, const json_t *json, SoraError *err);
/* The same as JSON; NULL when out of memory. */
json_t *probe_config_write(const ProbeConfig *c);

typedef struct ProbeLevel {
    PlainLinear in; /* from the patches of the level before */
    PlainResidual residuals[PROBE_MAX_DEPTH];
} ProbeLevel;

typedef struct Probe {
    ProbeConfig config;
    ProbeLevel levels[PROBE_MAX_LEVELS];
    Tensor *position, *question; /* [places of all frames, C], [questions, C] */
    PlainBlock blocks[PROBE_MAX_DEPTH];
    PlainNorm norm;
    PlainLinear heads[PROBE_MAX_QUESTIONS];
    PlainLinear places; /* [classes[0] + 1, C]: for training */
} Probe;

void probe_bind(Probe *m, const ProbeConfig *c, Params *p);

/* logits[q]: [B, classes[q]], one for each question; NULL after a failure, which is the graph's. T may be less than the
 * config's frames, in training: the first places then serve. who, or NULL, gets logits of who is seen at each place of
 * each frame, from the convolutions alone: [B T h w, classes[0] + 1], where 0 is nobody and the rest the first question's
 * answers. A lesson in what things look like that says where they are. */
void probe_forward(Graph *g, const Probe *m, Tensor *frames, Tensor *logits[PROBE_MAX_QUESTIONS], Tensor **who);

/* Places a side of a frame: h = w. */
int probe_places(const ProbeConfig *c);

#endif
