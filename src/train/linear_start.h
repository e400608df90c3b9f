/* A new autoencoder need not start from noise: the best linear code of small blocks (PCA) is close to what
 * training finds much later. This sets an encoder's weights so that it computes that code, level by level:
 *
 *   - residual branches begin at zero, so each level is its resampling and its (weightless) shortcut;
 *   - of the 2x2 blocks of a level, the leading principal components are kept: U (first chunk: one frame alone);
 *   - of two frames, their mean and the leading components R of half their difference are kept;
 *   - what the shortcut adds anyway is subtracted from the weights;
 *   - the head's norm and SiLU act on small values beside one large constant, where they are nearly linear.
 *
 * The decoder starts at random and learns to invert a code that no longer moves.
 *
 * A codec with linear_code (model/vae_code.h) is that code itself, of whole blocks: both halves begin as the best one
 * (train/linear_code.h). */
#ifndef SORA_TRAIN_LINEAR_START_H
#define SORA_TRAIN_LINEAR_START_H

#include "train/linear_code.h"

/* clips: frames 1 + 4n. Sets the F32 weights of m's encoder (host memory) and mean and std of *config. Columns of the latent are ordered
 * by variance. std is between none and full whitening: a latent's variance is proportional to the deviation that it
 * has in the linear code, 1 on average. */
bool linear_start(Graph *g, Vae *m, VaeConfig *config, ClipInput *clips, SoraError *err);

#endif
