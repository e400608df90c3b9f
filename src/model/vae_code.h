/* A linear code of blocks, the frame of an autoencoder whose config says linear_code: a latent place is one product with
 * the pixels of its block, and the decoder's network adds to what the product back gives.
 *
 *     encode:  mu = E block,                              a block being vae_stride_time() frames of a square
 *     decode:  frames = D mu + network(mu, D mu)
 *
 * The first frame of a clip is a block of its own, with matrices of its own. Blocks lie in patches of the finest level
 * (vae_patchify()): elements are ordered (frame, row, column of patches, channel of the patch). */
#ifndef SORA_MODEL_VAE_CODE_H
#define SORA_MODEL_VAE_CODE_H

#include "model/vae_blocks.h"
#include "model/vae_config.h"

typedef struct VaeCode {
    Tensor *encode[2]; /* [z, n] of a first frame and of blocks; NULL: not bound */
    VaeConv decode[2]; /* [n, z] and [n], likewise */
    int time, side, patch; /* frames of a block, patches on its side, channels of a patch */
} VaeCode;

void vae_code_bind_encoder(VaeCode *code, const VaeConfig *c, Params *p);
void vae_code_bind_decoder(VaeCode *code, const VaeConfig *c, Params *p);

/* patches [B, T, H, W, patch] -> mu [B, F, h, w, z]; started: the clip's first frame went before. */
Tensor *vae_code_encode(Graph *g, const VaeCode *code, bool started, Tensor *patches);
Tensor *vae_code_decode(Graph *g, const VaeCode *code, bool started, Tensor *mu);

#endif
