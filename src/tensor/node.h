/* One list generates the op enum, the names and every backend's kernel table. */
#ifndef SORA_TENSOR_NODE_H
#define SORA_TENSOR_NODE_H

#include "tensor/tensor.h"

/* X(enum name, kernel name). What i[] and f[] mean is said beside each op in tensor/ops.h. */
#define SORA_OPS(X)                                                                                          \
    X(FILL, fill)                       /* out = f[0] */                                                     \
    X(COPY, copy)                       /* out = in0, converting the type */                                 \
    X(ADD_INTO, add_into)               /* out (= in0) += in1, in place */                                   \
    X(ADD, add)                         /* in1 may be the trailing dimensions of in0 */                      \
    X(SUB, sub)                                                                                              \
    X(MUL, mul)                                                                                              \
    X(SCALE, scale)                     /* in0 * f[0] + f[1] */                                              \
    X(UNARY, unary)                     /* i[0]: Unary */                                                    \
    X(UNARY_GRAD, unary_grad)           /* in0: dy, in1: x */                                                \
    X(SUM, sum)                         /* -> [1] */                                                         \
    X(SUM_LEADING, sum_leading)         /* [rows, cols] -> [cols]; i[0]: rows, i[1]: cols */                 \
    X(GROUP_MEAN, group_mean)           /* last dimension: mean of each i[0] neighbours */                   \
    X(GROUP_REPEAT, group_repeat)       /* last dimension: each element i[0] times */                        \
    X(LINEAR, linear)                   /* in0: x, in1: w, in2: bias or NULL; i[0]: Unary */                 \
    X(LINEAR_GRAD, linear_grad)         /* in: dy x w; out: dx|NULL, dw|NULL, db|NULL, the last two added to */ \
    X(MATMUL, matmul)                   /* i[0]: transpose in0, i[1]: transpose in1 */                       \
    X(SOFTMAX, softmax)                                                                                      \
    X(SOFTMAX_GRAD, softmax_grad)       /* in0: dy, in1: y */                                                \
    X(CROSS_ENTROPY, cross_entropy)     /* in0: logits, in1: labels, in2: weights; -> [1] */                 \
    X(CROSS_ENTROPY_GRAD, cross_entropy_grad) /* in: dy logits labels weights; out: dlogits */               \
    X(NORM, norm)                       /* in1: w, in2: b, or NULL; i[0]: Norm, f[0]: eps */                 \
    X(NORM_GRAD, norm_grad)             /* in: dy x w|NULL index|NULL; out: dx|NULL, dw|NULL, db|NULL, the last two \
                                         * added to; i[0]: Norm, f[0]: eps, f[1]: added to w. With an index w is a \
                                         * table [R, n], as dw and db are */ \
    X(MODULATE, modulate)               /* in0: x, in1: shift or NULL, in2: scale, in3: index */             \
    X(NORM_MODULATE, norm_modulate)     /* as MODULATE, of the layer norm of in0; f[0]: eps */               \
    X(GATE, gate)                       /* in0: x, in1: y, in2: gate, in3: index */                          \
    X(GATE_GRAD, gate_grad)             /* in: dy y gate index; out: d of y|NULL, d of gate|NULL, which is added to */ \
    X(GATHER, gather)                   /* in0: table, in1: index */                                         \
    X(SCATTER, scatter)                 /* in0: rows, in1: index */                                          \
    X(ROPE, rope)                       /* in0: x, in1: table; i[0]: heads, i[1]: inverse */                 \
    X(ATTENTION, attention)             /* in: q k v cu_q cu_k bias|NULL; i[0]: heads, f[0]: scale */        \
    X(ATTENTION_GRAD, attention_grad)   /* in: dy q k v cu_q cu_k bias|NULL out; out: dq dk dv dbias|NULL */ \
    X(CONV, conv)                       /* see CONV_X and CONV_STRIDE below */                               \
    X(CONV_GRAD_X, conv_grad_x)         /* in: dy w */                                                       \
    X(CONV_GRAD_W, conv_grad_w)         /* in: dy x */                                                       \
    X(DEPTHWISE, depthwise)             /* in0: x, in1: w, in2: bias or NULL; CONV_STRIDE, CONV_PADDING, DEPTHWISE_ACT */ \
    X(UPSAMPLE, upsample)               /* nearest, 2x in height and width */                                \
    X(UPSAMPLE_GRAD, upsample_grad)                                                                          \
    X(PERMUTE, permute)                 /* i[]: out dimension d is in dimension i[d] */                      \
    X(CONCAT, concat)                   /* i[0]: dimension */                                                \
    X(SLICE, slice)                     /* i[0]: dimension, i[1]: start */                                   \
    X(PAD, pad)                         /* zeros; i[0]: dimension, i[1]: before */

typedef enum Op {
#define X(name, kernel) OP_##name,
    SORA_OPS(X)
#undef X
    OP_COUNT
} Op;

const char *op_name(Op op);

typedef enum Unary { UNARY_NONE, UNARY_SILU, UNARY_GELU_TANH, UNARY_GELU_ERF, UNARY_ABS, UNARY_RELU, UNARY_RELU6 } Unary;

typedef enum Norm {
    NORM_LAYER, /* (x - mean) / sqrt(var + eps) */
    NORM_RMS,   /* x / sqrt(mean(x^2) + eps) */
    NORM_L2,    /* x / max(|x|, eps) * sqrt(n): the autoencoder's RMS_norm */
} Norm;

/* Inputs and outputs of OP_CONV, as in ConvBlock of tensor/ops.h; all from CONV_B on may be NULL. */
enum { CONV_X, CONV_W, CONV_B, CONV_NORM, CONV_PAST, CONV_EDGE, CONV_ADD, CONV_INPUTS };
enum { CONV_Y, CONV_LAST, CONV_RIM, CONV_OUTPUTS };

/* Its integers: three strides; padding before and after in each dimension; how often rows and columns are repeated, 1 or 2;
 * the dimension of CONV_EDGE and CONV_RIM. The gradients have the first two. */
enum { CONV_STRIDE = 0, CONV_PADDING = 3, CONV_REPEAT = 9, CONV_DIM, NODE_INTS, DEPTHWISE_ACT = CONV_REPEAT };

enum { DEPTHWISE_TAPS = 25 }; /* places of its kernel, at most */

enum { MAX_INPUTS = 8, MAX_OUTPUTS = 4 };

typedef struct Node {
    Op op;
    int n_in, n_out;
    Tensor *in[MAX_INPUTS]; /* optional ones may be NULL */
    Tensor *out[MAX_OUTPUTS];
    int64_t i[NODE_INTS]; /* MAX_DIMS at least */
    double f[2];
} Node;

/* Floating-point operations of a product, a convolution, attention, or one of their gradients, from the shapes; 0 of others. */
double node_flops(const Node *node);

#endif
