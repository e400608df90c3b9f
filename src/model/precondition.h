/* What of the velocity follows from the noisy latent alone, for latents whose channels are normal numbers of known
 * variance V: x = (1 - s) x0 + s noise has variance D = V (1-s)^2 + s^2, and the best linear guess of noise - x0 is
 * k x with k = (s - V (1-s)) / D, which leaves a variance of V / D. So the network F sees and gives numbers of about
 * unit variance and learns only what the guess leaves (Karras et al., 2022, for these paths):
 *
 *     v = k x + sqrt(V/D) F(x / sqrt(D))
 *
 * A patch flattens cells = pt * ph * pw cells of C channels. V has one number for each channel. */
#ifndef SORA_MODEL_PRECONDITION_H
#define SORA_MODEL_PRECONDITION_H

#include "tensor/ops.h"

typedef struct Precondition {
    Tensor *in;   /* [R, C * cells], in the order (c, cell): 1/sqrt(D) - 1 */
    Tensor *skip; /* [R, cells * C], in the order (cell, c): k */
    Tensor *out;  /* the same: sqrt(V/D) - 1 */
} Precondition;

/* timesteps [R], 0 to 1000; variance [C], each above 0. */
Precondition precondition_tables(Graph *g, Tensor *timesteps, const float *variance, int64_t channels, int64_t cells);

/* patches [M, C * cells] -> what the network sees; t_index I32 [M]. */
Tensor *precondition_in(Graph *g, const Precondition *p, Tensor *patches, Tensor *t_index);
/* F [M, cells * C] and the patches -> velocity [M, cells * C]. */
Tensor *precondition_out(Graph *g, const Precondition *p, Tensor *f, Tensor *patches, Tensor *t_index);

#endif
