#include "tensor/gradients.h"

#include <string.h>

#include "tensor/ops.h"

/* dy: gradient of the first output. Names as in ops.h. */
#define IN(i) (n->in[i])

/* The gradient of an operand that was broadcast: a single number, or over the leading dimensions. */
static Tensor *reduce_to(Graph *g, Tensor *d, const Tensor *t)
{
    if (d == NULL || tensor_same_shape(d, t))
        return d;
    return tensor_numel(t) == 1 ? op_reshape(g, op_sum(g, d), t->ndim, t->shape) : op_sum_leading(g, d, t->ndim);
}

/* Where the gradient is added to in place: the leaf's own, or zeros that graph_accumulate gets. */
static Tensor *sum_for(Graph *g, Tensor *t)
{
    if (t == NULL || !t->requires_grad)
        return NULL;
    return t->leaf ? graph_leaf_gradient(g, t) : op_fill(g, t->ndim, t->shape, 0);
}

/* After an op that added to what sum_for() gave. */
static void end_sum(Graph *g, Tensor *t, Tensor *sum)
{
    if (t != NULL && !t->leaf)
        graph_accumulate(g, t, sum);
}

static void grad_copy(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), op_reshape(g, dy, IN(0)->ndim, IN(0)->shape));
}

static void grad_add(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), dy);
    if (IN(1)->requires_grad)
        graph_accumulate(g, IN(1), reduce_to(g, dy, IN(1)));
}

static void grad_sub(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), dy);
    if (IN(1)->requires_grad)
        graph_accumulate(g, IN(1), op_scale(g, reduce_to(g, dy, IN(1)), -1, 0));
}

static void grad_mul(Graph *g, const Node *n, Tensor *dy)
{
    if (IN(0)->requires_grad)
        graph_accumulate(g, IN(0), op_mul(g, dy, IN(1)));
    if (IN(1)->requires_grad)
        graph_accumulate(g, IN(1), reduce_to(g, op_mul(g, dy, IN(0)), IN(1)));
}

static void grad_scale(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), op_scale(g, dy, n->f[0], 0));
}

static void grad_unary(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_UNARY_GRAD, .n_in = 2, .in = {dy, IN(0)}, .i = {n->i[0]}};
    graph_accumulate(g, IN(0), graph_apply(g, &back, dy->ndim, dy->shape));
}

static void grad_sum(Graph *g, const Node *n, Tensor *dy)
{
    Tensor *ones = op_fill(g, IN(0)->ndim, IN(0)->shape, 1.0f);
    graph_accumulate(g, IN(0), op_mul(g, ones, dy));
}

static void grad_sum_leading(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), op_add(g, op_fill(g, IN(0)->ndim, IN(0)->shape, 0.0f), dy));
}

static void grad_group_mean(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), op_scale(g, op_group_repeat(g, dy, n->i[0]), 1.0 / (double)n->i[0], 0));
}

static void grad_group_repeat(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), op_scale(g, op_group_mean(g, dy, n->i[0]), (double)n->i[0], 0));
}

/* y = x w^T + b: dx = dy w, dw = dy^T x, db = the sum of dy's rows. */
static void grad_linear(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_LINEAR_GRAD, .n_in = 3, .n_out = 3, .in = {dy, IN(0), IN(1)}};
    if (IN(0)->requires_grad)
        back.out[0] = graph_tensor(g, DTYPE_F32, IN(0)->ndim, IN(0)->shape);
    back.out[1] = sum_for(g, IN(1));
    back.out[2] = sum_for(g, IN(2));
    if (dy == NULL || !graph_run(g, &back))
        return;
    graph_accumulate(g, IN(0), back.out[0]);
    end_sum(g, IN(1), back.out[1]);
    end_sum(g, IN(2), back.out[2]);
}

static void grad_matmul(Graph *g, const Node *n, Tensor *dy)
{
    bool ta = n->i[0], tb = n->i[1];
    Tensor *a = IN(0), *b = IN(1);
    if (a->requires_grad)
        graph_accumulate(g, a, ta ? op_matmul(g, b, dy, (MatmulFlags){tb, true})
                                  : op_matmul(g, dy, b, (MatmulFlags){false, !tb}));
    if (b->requires_grad)
        graph_accumulate(g, b, tb ? op_matmul(g, dy, a, (MatmulFlags){true, ta})
                                  : op_matmul(g, a, dy, (MatmulFlags){!ta, false}));
}

static void grad_softmax(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_SOFTMAX_GRAD, .n_in = 2, .in = {dy, n->out[0]}};
    graph_accumulate(g, IN(0), graph_apply(g, &back, dy->ndim, dy->shape));
}

static void grad_cross_entropy(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_CROSS_ENTROPY_GRAD, .n_in = 4, .in = {dy, IN(0), IN(1), IN(2)}};
    graph_accumulate(g, IN(0), graph_apply(g, &back, IN(0)->ndim, IN(0)->shape));
}

/* y = norm(x) (w + one) + b, where w and b may be rows of tables. back: in, i and f are set. */
static void run_norm_grad(Graph *g, Node *back, Tensor *x, Tensor *b)
{
    Tensor *w = back->in[2];
    back->op = OP_NORM_GRAD;
    back->n_in = 4;
    back->n_out = 3;
    if (x->requires_grad)
        back->out[0] = graph_tensor(g, DTYPE_F32, x->ndim, x->shape);
    back->out[1] = sum_for(g, w);
    back->out[2] = sum_for(g, b);
    if (back->in[0] == NULL || !graph_run(g, back))
        return;
    graph_accumulate(g, x, back->out[0]);
    end_sum(g, w, back->out[1]);
    end_sum(g, b, back->out[2]);
}

static void grad_norm(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.in = {dy, IN(0), IN(1)}, .i = {n->i[0]}, .f = {n->f[0]}};
    run_norm_grad(g, &back, IN(0), IN(2));
}

/* y = x (1 + scale[index]) + shift[index] */
static void grad_modulate(Graph *g, const Node *n, Tensor *dy)
{
    Tensor *shift = IN(1), *scale = IN(2), *index = IN(3);
    if (IN(0)->requires_grad)
        graph_accumulate(g, IN(0), op_modulate(g, dy, (Modulation){NULL, scale, index}));
    if (scale->requires_grad)
        graph_accumulate(g, scale, op_scatter(g, op_mul(g, dy, IN(0)), index, scale->shape[0]));
    if (shift != NULL && shift->requires_grad)
        graph_accumulate(g, shift, op_scatter(g, dy, index, shift->shape[0]));
}

static void grad_norm_modulate(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.in = {dy, IN(0), IN(2), IN(3)}, .i = {NORM_LAYER}, .f = {n->f[0], 1}};
    run_norm_grad(g, &back, IN(0), IN(1));
}

/* y = x + b gate[index] */
static void grad_gate(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_GATE_GRAD, .n_in = 4, .n_out = 2, .in = {dy, IN(1), IN(2), IN(3)}};
    if (IN(1)->requires_grad)
        back.out[0] = graph_tensor(g, DTYPE_F32, IN(1)->ndim, IN(1)->shape);
    back.out[1] = sum_for(g, IN(2));
    if (dy == NULL || !graph_run(g, &back))
        return;
    graph_accumulate(g, IN(0), dy);
    graph_accumulate(g, IN(1), back.out[0]);
    end_sum(g, IN(2), back.out[1]);
}

static void grad_gather(Graph *g, const Node *n, Tensor *dy)
{
    if (IN(0)->requires_grad)
        graph_accumulate(g, IN(0), op_scatter(g, dy, IN(1), IN(0)->shape[0]));
}

static void grad_scatter(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), op_gather(g, dy, IN(1)));
}

/* A rotation's gradient is the rotation back. */
static void grad_rope(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_ROPE, .n_in = 2, .in = {dy, IN(1)}, .i = {n->i[0], !n->i[1]}};
    graph_accumulate(g, IN(0), graph_apply(g, &back, dy->ndim, dy->shape));
}

static void grad_attention(Graph *g, const Node *n, Tensor *dy)
{
    Tensor *bias = IN(5);
    Node back = {.op = OP_ATTENTION_GRAD, .n_in = 8, .n_out = 4,
                 .in = {dy, IN(0), IN(1), IN(2), IN(3), IN(4), bias, n->out[0]},
                 .i = {n->i[0]}, .f = {n->f[0]}};
    for (int i = 0; i < 3; i++)
        back.out[i] = graph_tensor(g, DTYPE_F32, IN(i)->ndim, IN(i)->shape);
    if (bias != NULL && bias->requires_grad)
        back.out[3] = graph_tensor(g, DTYPE_F32, bias->ndim, bias->shape);
    if (!graph_run(g, &back))
        return;
    for (int i = 0; i < 3; i++)
        graph_accumulate(g, IN(i), back.out[i]);
    graph_accumulate(g, bias, back.out[3]);
}

static void grad_conv(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_CONV_GRAD_X, .n_in = 2, .in = {dy, IN(1)}};
    memcpy(back.i, n->i, sizeof back.i);
    if (IN(0)->requires_grad)
        graph_accumulate(g, IN(0), graph_apply(g, &back, IN(0)->ndim, IN(0)->shape));
    if (IN(1)->requires_grad) {
        back.op = OP_CONV_GRAD_W;
        back.in[1] = IN(0);
        graph_accumulate(g, IN(1), graph_apply(g, &back, IN(1)->ndim, IN(1)->shape));
    }
    if (IN(2) != NULL && IN(2)->requires_grad)
        graph_accumulate(g, IN(2), op_sum_leading(g, dy, 1));
}

static void grad_upsample(Graph *g, const Node *n, Tensor *dy)
{
    Node back = {.op = OP_UPSAMPLE_GRAD, .n_in = 1, .in = {dy}};
    graph_accumulate(g, IN(0), graph_apply(g, &back, IN(0)->ndim, IN(0)->shape));
}

static void grad_permute(Graph *g, const Node *n, Tensor *dy)
{
    int inverse[MAX_DIMS];
    for (int d = 0; d < dy->ndim; d++)
        inverse[n->i[d]] = d;
    graph_accumulate(g, IN(0), op_permute(g, dy, inverse));
}

static void grad_concat(Graph *g, const Node *n, Tensor *dy)
{
    int64_t start = 0;
    for (int k = 0; k < n->n_in; k++) {
        int64_t length = IN(k)->shape[n->i[0]];
        if (IN(k)->requires_grad)
            graph_accumulate(g, IN(k), op_slice(g, dy, (int)n->i[0], start, length));
        start += length;
    }
}

static void grad_slice(Graph *g, const Node *n, Tensor *dy)
{
    int dim = (int)n->i[0];
    int64_t before = n->i[1], after = IN(0)->shape[dim] - before - dy->shape[dim];
    graph_accumulate(g, IN(0), op_pad(g, dy, dim, before, after));
}

static void grad_pad(Graph *g, const Node *n, Tensor *dy)
{
    graph_accumulate(g, IN(0), op_slice(g, dy, (int)n->i[0], n->i[1], IN(0)->shape[n->i[0]]));
}

void gradient_of(Graph *g, const Node *node)
{
    /* Ops that only backward uses have no gradient of their own. */
    static void (*const GRADIENTS[OP_COUNT])(Graph *, const Node *, Tensor *) = {
        [OP_COPY] = grad_copy,
        [OP_ADD] = grad_add,
        [OP_SUB] = grad_sub,
        [OP_MUL] = grad_mul,
        [OP_SCALE] = grad_scale,
        [OP_UNARY] = grad_unary,
        [OP_SUM] = grad_sum,
        [OP_SUM_LEADING] = grad_sum_leading,
        [OP_GROUP_MEAN] = grad_group_mean,
        [OP_GROUP_REPEAT] = grad_group_repeat,
        [OP_LINEAR] = grad_linear,
        [OP_MATMUL] = grad_matmul,
        [OP_SOFTMAX] = grad_softmax,
        [OP_CROSS_ENTROPY] = grad_cross_entropy,
        [OP_NORM] = grad_norm,
        [OP_MODULATE] = grad_modulate,
        [OP_NORM_MODULATE] = grad_norm_modulate,
        [OP_GATE] = grad_gate,
        [OP_GATHER] = grad_gather,
        [OP_SCATTER] = grad_scatter,
        [OP_ROPE] = grad_rope,
        [OP_ATTENTION] = grad_attention,
        [OP_CONV] = grad_conv,
        [OP_UPSAMPLE] = grad_upsample,
        [OP_PERMUTE] = grad_permute,
        [OP_CONCAT] = grad_concat,
        [OP_SLICE] = grad_slice,
        [OP_PAD] = grad_pad,
    };
    if (GRADIENTS[node->op] == NULL)
        graph_fail(g, SORA_ERROR_INTERNAL, "%s has no gradient", op_name(node->op));
    else
        GRADIENTS[node->op](g, node, node->out[0]->grad);
}
