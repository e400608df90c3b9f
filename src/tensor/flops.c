#include "tensor/node.h"

static double of_linear(const Tensor *x, const Tensor *w)
{
    return 2.0 * (double)tensor_numel(x) * (double)w->shape[0];
}

static double of_conv(const Tensor *y, const Tensor *w)
{
    return 2.0 * (double)tensor_numel(y) * (double)(tensor_numel(w) / w->shape[0]);
}

/* Pairs of a query and a key, times the numbers of a query. */
static double pairs(const Tensor *q, const Tensor *cu_q, const Tensor *cu_k)
{
    const int32_t *a = cu_q->data, *b = cu_k->data;
    double sum = 0;
    for (int64_t i = 0; i + 1 < tensor_numel(cu_q); i++)
        sum += (double)(a[i + 1] - a[i]) * (b[i + 1] - b[i]);
    return sum * (double)q->shape[q->ndim - 1];
}

double node_flops(const Node *n)
{
    switch (n->op) {
    case OP_LINEAR: return of_linear(n->in[0], n->in[1]);
    case OP_LINEAR_GRAD: return of_linear(n->in[1], n->in[2]) * ((n->out[0] != NULL) + (n->out[1] != NULL));
    case OP_MATMUL: {
        const Tensor *out = n->out[0];
        return 2.0 * (double)tensor_numel(n->in[0]) * (double)out->shape[1];
    }
    case OP_CONV: return of_conv(n->out[0], n->in[1]);
    case OP_DEPTHWISE: return 2.0 * (double)tensor_numel(n->out[0]) * (double)(n->in[1]->shape[2] * n->in[1]->shape[3]);
    case OP_CONV_GRAD_X: return of_conv(n->in[0], n->in[1]);
    case OP_CONV_GRAD_W: return of_conv(n->in[0], n->out[0]);
    case OP_ATTENTION: return 4 * pairs(n->in[0], n->in[3], n->in[4]);       /* scores, and their product with the values */
    case OP_ATTENTION_GRAD: return 10 * pairs(n->in[1], n->in[4], n->in[5]); /* scores again, and four gradients */
    default: return 0;
    }
}
