/* The image encoder of Wan 2.1's image to video: the vision tower of CLIP (ViT-H/14), without its last layer
 * and without the norm after it. Tensors have the names of the published checkpoint; what is not run is not
 * asked for.
 *
 *     y = clip_forward(g, m, clip_normalise(g, pixels)); */
#ifndef SORA_MODEL_CLIP_H
#define SORA_MODEL_CLIP_H

#include "model/config.h"
#include "tensor/ops.h"
#include "tensor/params.h"

typedef struct ClipLinear {
    Tensor *w, *b; /* [out, in], [out]; of a norm: both [dim] */
} ClipLinear;

typedef struct ClipBlock {
    ClipLinear norm1, qkv, proj, norm2, mlp[2];
} ClipBlock;

typedef struct Clip {
    ClipConfig config;
    Tensor *patch_embedding; /* [dim, 3, patch, patch] */
    Tensor *cls, *positions; /* [1, 1, dim], [1, 1 + patches, dim] */
    ClipLinear pre_norm;
    ClipBlock *blocks; /* [num_layers - 1], in the parameters' arena */
} Clip;

/* Asks p for every tensor. Look at params_ok(p) afterwards. m must not be used after params_deinit(p). */
void clip_bind(Clip *m, const ClipConfig *c, Params *p);

/* Rows of clip_forward()'s result for a picture. */
int64_t clip_rows(const ClipConfig *c);

/* [B, H, W, 3] in -1 to 1 -> with CLIP's mean and deviation of each colour. */
Tensor *clip_normalise(Graph *g, Tensor *pixels);
/* Normalised pictures [B, image_size, image_size, 3] -> [B * clip_rows(), dim]: of each picture the class
 * token, then its patches row by row. */
Tensor *clip_forward(Graph *g, const Clip *m, Tensor *x);

#endif
