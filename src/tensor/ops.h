/* The ops. Activations are F32; weights of linear, conv and gather may be F32, BF16 or F16; index tensors are I32.
 * Shapes: M rows (tokens, possibly of several samples one after the other), R rows of a table. A shape that does
 * not fit makes the graph fail with the op's name and the shapes; every function then returns NULL. NULL inputs
 * (after a failure) are passed on. "or NULL" marks what may be left out. */
#ifndef SORA_TENSOR_OPS_H
#define SORA_TENSOR_OPS_H

#include "tensor/graph.h"

/* --- element by element --- */
Tensor *op_fill(Graph *g, int ndim, const int64_t *shape, float value);
/* b has a's shape, or the trailing dimensions of it. */
Tensor *op_add(Graph *g, Tensor *a, Tensor *b);
Tensor *op_sub(Graph *g, Tensor *a, Tensor *b);
Tensor *op_mul(Graph *g, Tensor *a, Tensor *b);
Tensor *op_scale(Graph *g, Tensor *a, double factor, double offset); /* a * factor + offset */
Tensor *op_unary(Graph *g, Unary kind, Tensor *x);
Tensor *op_silu(Graph *g, Tensor *x);
Tensor *op_to_f32(Graph *g, Tensor *x); /* F32, BF16 or F16 -> F32; no gradient */

/* --- sums --- */
Tensor *op_sum(Graph *g, Tensor *x);                               /* -> [1] */
Tensor *op_mean(Graph *g, Tensor *x);                              /* -> [1] */
Tensor *op_sum_leading(Graph *g, Tensor *x, int trailing_dims);    /* sums over all other dimensions */
Tensor *op_group_mean(Graph *g, Tensor *x, int64_t group);         /* [..., n*group] -> [..., n] */
Tensor *op_group_repeat(Graph *g, Tensor *x, int64_t times);       /* [..., n] -> [..., n*times], repeat_interleave */

/* --- matrix products --- */
/* y[M, N] = act(x[M, K] w[N, K]^T + b[N]); x may have more leading dimensions. b or NULL. */
Tensor *op_linear(Graph *g, Tensor *x, Tensor *w, Tensor *b, Unary act);
/* a[M, K] b[K, N], each transposed first if asked: 2-D only. */
typedef struct MatmulFlags { bool transpose_a, transpose_b; } MatmulFlags;
Tensor *op_matmul(Graph *g, Tensor *a, Tensor *b, MatmulFlags flags);
Tensor *op_softmax(Graph *g, Tensor *x); /* over the last dimension */
/* The sum over rows of weights[m] * -log softmax(logits[m])[labels[m]]: logits [M, N], labels I32 [M] in 0 .. N-1,
 * weights [M] -> [1]. No gradient of the weights. A row of weight 0 counts nothing, but its label must be in range. */
Tensor *op_cross_entropy(Graph *g, Tensor *logits, Tensor *labels, Tensor *weights);

/* --- norms over the last dimension; w[n], b[n] or NULL --- */
Tensor *op_layer_norm(Graph *g, Tensor *x, Tensor *w, Tensor *b, double eps);
Tensor *op_rms_norm(Graph *g, Tensor *x, Tensor *w, double eps);
Tensor *op_l2_norm(Graph *g, Tensor *x, Tensor *w); /* x / max(|x|, 1e-12) * sqrt(n) * w */

/* --- modulation (adaLN): row m of x uses row index[m] of shift, scale, gate [R, n]; index I32 [M] --- */
typedef struct Modulation { Tensor *shift, *scale, *index; } Modulation;
Tensor *op_modulate(Graph *g, Tensor *x, Modulation m);                  /* x * (1 + scale) + shift; shift or NULL */
Tensor *op_norm_modulate(Graph *g, Tensor *x, double eps, Modulation m); /* of op_layer_norm(x, NULL, NULL, eps) */
Tensor *op_gate(Graph *g, Tensor *x, Tensor *y, Tensor *gate, Tensor *index); /* x + y * gate */

/* --- rows --- */
Tensor *op_gather(Graph *g, Tensor *table, Tensor *index);              /* [R, n], I32 [M] -> [M, n] F32 */
Tensor *op_scatter(Graph *g, Tensor *rows, Tensor *index, int64_t count); /* adds [M, n] into zeros [count, n] */

/* --- attention --- */
/* x [M, heads*d] turned by table [M, d]: (cos, sin) of each interleaved pair (2i, 2i+1) of a head. */
Tensor *op_rope(Graph *g, Tensor *x, Tensor *table, int heads);
typedef struct AttentionInputs {
    Tensor *q, *k, *v;     /* [Mq, heads*d], [Mk, heads*d], [Mk, heads*d] */
    Tensor *cu_q, *cu_k;   /* I32 [B+1]: sample b has rows cu[b] .. cu[b+1]-1 (host memory) */
    Tensor *bias;          /* [heads, Lq, Lk], at least the longest sample, added to the scores; or NULL */
    int heads;
    double scale;          /* of the scores */
} AttentionInputs;
Tensor *op_attention(Graph *g, AttentionInputs in); /* -> [Mq, heads*d] */

/* --- video: channels last, [B, T, H, W, C] --- */
typedef struct ConvShape {
    int stride[3];   /* T, H, W */
    int padding[6];  /* zeros before and after: T, T, H, H, W, W */
} ConvShape;
/* w [Cout, Cin, kt, kh, kw], b [Cout] or NULL. */
Tensor *op_conv(Graph *g, Tensor *x, Tensor *w, Tensor *b, ConvShape shape);
/* Each channel of each frame by itself: x [B, T, H, W, C], w [C, 1, kh, kw] of at most DEPTHWISE_TAPS places, b [C] or NULL, all F32;
 * y = act(w * x + b). shape's strides and padding of time are not used. No gradient. */
typedef struct DepthwiseShape {
    ConvShape conv;
    Unary act;
} DepthwiseShape;
Tensor *op_depthwise(Graph *g, Tensor *x, Tensor *w, Tensor *b, DepthwiseShape shape);
Tensor *op_upsample(Graph *g, Tensor *x); /* nearest, 2x in H and W */

/* A convolution and what stands around it in an autoencoder, in one pass over memory:
 *     v = [past; [edge; silu(l2_norm(x) * norm)]], rows and columns repeated,   y = conv(v) + add
 * While recording it is the ops one after the other. What is remembered (past, edge, last, rim) is of type
 * graph_operand(), or F32 while recording. */
typedef struct ConvBlock {
    Tensor *x;             /* [B, T, H, W, Cin] */
    Tensor *w, *b;         /* as in op_conv */
    Tensor *norm;          /* [Cin], or NULL: x as it is */
    Tensor *past;          /* [B, P, H, W, Cin]: the frames before x, edge included; or NULL */
    Tensor *edge;          /* the rows (edge_dim 2) or columns (3) before x; or NULL */
    Tensor *add;           /* of y's shape; or NULL */
    int edge_dim;
    int repeat;            /* 1, or 2: nearest, as op_upsample; then nothing is remembered */
    ConvShape shape;
    int64_t keep_frames;   /* of v, at most: they become last */
    int64_t keep_edge;     /* rows or columns of v without past: they become rim */
} ConvBlock;
typedef struct ConvMemory {
    Tensor *last, *rim;    /* NULL where none were asked for */
} ConvMemory;
/* memory or NULL: nothing is remembered. */
Tensor *op_conv_block(Graph *g, const ConvBlock *c, ConvMemory *memory);

/* --- shape --- */
Tensor *op_reshape(Graph *g, Tensor *x, int ndim, const int64_t *shape); /* a view; one -1 allowed */
Tensor *op_permute(Graph *g, Tensor *x, const int *perm);                /* out dimension d is x's perm[d] */
Tensor *op_concat(Graph *g, int n, Tensor *const *xs, int dim);          /* n <= MAX_INPUTS */
Tensor *op_slice(Graph *g, Tensor *x, int dim, int64_t start, int64_t length);
Tensor *op_pad(Graph *g, Tensor *x, int dim, int64_t before, int64_t after); /* zeros */

/* Shorthand: SHAPE(2, 3) is (ndim, shape) of two arguments. */
#define SHAPE(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}

#endif
