/* Plain parts of the networks that look at things, the probe and the captioner: linear layers, residual convolutions over
 * space, and blocks of attention with the norm before each part. */
#ifndef SORA_MODEL_PLAIN_H
#define SORA_MODEL_PLAIN_H

#include "tensor/ops.h"
#include "tensor/params.h"

typedef struct PlainLinear {
    Tensor *w, *b; /* [out, in], [out] */
} PlainLinear;

typedef struct PlainNorm {
    Tensor *w, *b; /* [n] */
} PlainNorm;

typedef struct PlainResidual {
    Tensor *norm, *w1, *b1, *w2, *b2; /* w: [C, C, 1, 3, 3] */
} PlainResidual;

typedef struct PlainBlock {
    PlainNorm norm1, norm2;
    PlainLinear q, k, v, o, up, down;
} PlainBlock;

/* Names are those of the tensors, without .weight and .bias. */
PlainLinear plain_bind_linear(Params *p, int64_t in, int64_t out, const char *name);
PlainNorm plain_bind_norm(Params *p, int64_t n, const char *name);
void plain_bind_residual(Params *p, PlainResidual *r, int64_t channels, const char *name);
void plain_bind_block(Params *p, PlainBlock *b, int64_t n, const char *name); /* inside it is twice as wide */

Tensor *plain_linear(Graph *g, const PlainLinear *l, Tensor *x, Unary act);
Tensor *plain_norm(Graph *g, const PlainNorm *n, Tensor *x);
/* x + conv(silu(conv(norm(x)))), x [B, T, H, W, C] */
Tensor *plain_residual(Graph *g, const PlainResidual *r, Tensor *x);
/* x + attention(norm(x)), then x + mlp(norm(x)); x [M, n], cu I32 [B + 1]. */
Tensor *plain_block(Graph *g, const PlainBlock *b, int heads, Tensor *x, Tensor *cu);
/* x + mlp(norm(x)): the second half of it. */
Tensor *plain_feed_forward(Graph *g, const PlainBlock *b, Tensor *x);

/* [B, T, H, W, C] -> [B, T, H, W, 2 C]: each frame, and what it has more than the mean of all. */
Tensor *plain_with_motion(Graph *g, Tensor *x);
/* first, first + step, first + 2 step ...: count of them, I32. */
Tensor *plain_steps(Graph *g, int64_t count, int64_t first, int64_t step);

#endif
