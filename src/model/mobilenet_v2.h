/* MobileNetV2 (Sandler et al., 2018): a small network that says what kind of picture it is shown. Batch norms are
 * folded into the convolutions before them. Pictures F32 [B, 1, side, side, 3] in 0 .. 1. */
#ifndef SORA_MODEL_MOBILENET_V2_H
#define SORA_MODEL_MOBILENET_V2_H

#include <jansson.h>
#include "tensor/ops.h"
#include "tensor/params.h"

enum { MOBILENET_MAX_STAGES = 8, MOBILENET_MAX_BLOCKS = 32, MOBILENET_MAX_DENSE = 3, MOBILENET_MAX_CLASSES = 16 };

/* A row of the paper's table 2: n bottlenecks that widen t times and end with c channels; the first has stride s. */
typedef struct MobilenetStage {
    int t, c, n, s;
} MobilenetStage;

typedef struct MobilenetConfig {
    int side, stem, last;
    int stages, dense; /* counts */
    MobilenetStage stage[MOBILENET_MAX_STAGES];
    int hidden[MOBILENET_MAX_DENSE - 1]; /* widths of the dense layers but the last */
    int classes;
} MobilenetConfig;

/* Everything but the names of the classes, which are the caller's. A number out of range is an error that names its
 * key. */
bool mobilenet_config_read(MobilenetConfig *c, const json_t *json, SoraError *err);

typedef struct MobilenetLayer {
    Tensor *w, *b;
} MobilenetLayer;

typedef struct MobilenetBlock {
    MobilenetLayer expand, depthwise, project; /* expand.w NULL where t is 1 */
    int stride;
    bool shortcut;
} MobilenetBlock;

typedef struct Mobilenet {
    MobilenetConfig config;
    MobilenetLayer stem, last, dense[MOBILENET_MAX_DENSE];
    MobilenetBlock blocks[MOBILENET_MAX_BLOCKS];
    int block_count;
} Mobilenet;

void mobilenet_bind(Mobilenet *m, const MobilenetConfig *c, Params *p);

/* -> probabilities [B, classes]; NULL after a failure, which is the graph's. */
Tensor *mobilenet_forward(Graph *g, const Mobilenet *m, Tensor *pictures);

#endif
