#include "tensor/ops.h"

#include <stdio.h>
#include <string.h>

/* The failure of a shape rule: op name and input shapes. */
static Tensor *mismatch(Graph *g, const Node *node, const char *why)
{
    char text[200] = "", shape[80];
    size_t used = 0;
    for (int i = 0; i < node->n_in && used < sizeof text; i++)
        if (node->in[i] != NULL)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s", i ? ", " : "",
                                     dtype_name(node->in[i]->dtype),
                                     tensor_shape_text(node->in[i], shape, sizeof shape));
    return graph_fail(g, SORA_ERROR_INTERNAL, "%s: %s: %s", op_name(node->op), why, text);
}

static Tensor *apply_like(Graph *g, Node *node, const Tensor *x)
{
    return graph_apply(g, node, x->ndim, x->shape);
}

static bool is_f32(const Tensor *t)
{
    return t->dtype == DTYPE_F32;
}

static bool is_float(const Tensor *t)
{
    return t->dtype == DTYPE_F32 || t->dtype == DTYPE_BF16 || t->dtype == DTYPE_F16;
}

static bool is_vector(const Tensor *t, DType dtype, int64_t n)
{
    return t->dtype == dtype && t->ndim == 1 && t->shape[0] == n;
}

static int64_t last(const Tensor *t)
{
    return t->ndim > 0 ? t->shape[t->ndim - 1] : 1;
}

/* --- element by element --- */

Tensor *op_fill(Graph *g, int ndim, const int64_t *shape, float value)
{
    Node node = {.op = OP_FILL, .f = {value}};
    return graph_apply(g, &node, ndim, shape);
}

static Tensor *binary(Graph *g, Op op, Tensor *a, Tensor *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    Node node = {.op = op, .n_in = 2, .in = {a, b}};
    bool fits = is_f32(a) && is_f32(b) && b->ndim <= a->ndim;
    for (int i = 1; fits && i <= b->ndim; i++)
        fits = b->shape[b->ndim - i] == a->shape[a->ndim - i];
    if (!fits && !(is_f32(a) && is_f32(b) && tensor_numel(b) == 1))
        return mismatch(g, &node, "shapes do not fit");
    return apply_like(g, &node, a);
}

Tensor *op_add(Graph *g, Tensor *a, Tensor *b)
{
    return binary(g, OP_ADD, a, b);
}

Tensor *op_sub(Graph *g, Tensor *a, Tensor *b)
{
    return binary(g, OP_SUB, a, b);
}

Tensor *op_mul(Graph *g, Tensor *a, Tensor *b)
{
    return binary(g, OP_MUL, a, b);
}

Tensor *op_scale(Graph *g, Tensor *a, double factor, double offset)
{
    if (a == NULL)
        return NULL;
    Node node = {.op = OP_SCALE, .n_in = 1, .in = {a}, .f = {factor, offset}};
    return is_f32(a) ? apply_like(g, &node, a) : mismatch(g, &node, "F32 expected");
}

Tensor *op_unary(Graph *g, Unary kind, Tensor *x)
{
    if (x == NULL || kind == UNARY_NONE)
        return x;
    Node node = {.op = OP_UNARY, .n_in = 1, .in = {x}, .i = {kind}};
    return is_f32(x) ? apply_like(g, &node, x) : mismatch(g, &node, "F32 expected");
}

Tensor *op_silu(Graph *g, Tensor *x)
{
    return op_unary(g, UNARY_SILU, x);
}

Tensor *op_to_f32(Graph *g, Tensor *x)
{
    if (x == NULL || is_f32(x))
        return x;
    Node node = {.op = OP_COPY, .n_in = 1, .in = {x}};
    return is_float(x) ? apply_like(g, &node, x) : mismatch(g, &node, "a floating type expected");
}

/* --- sums --- */

Tensor *op_sum(Graph *g, Tensor *x)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_SUM, .n_in = 1, .in = {x}};
    return graph_apply(g, &node, SHAPE(1));
}

Tensor *op_mean(Graph *g, Tensor *x)
{
    return x == NULL ? NULL : op_scale(g, op_sum(g, x), 1.0 / (double)tensor_numel(x), 0);
}

Tensor *op_sum_leading(Graph *g, Tensor *x, int trailing_dims)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_SUM_LEADING, .n_in = 1, .in = {x}};
    if (trailing_dims < 0 || trailing_dims > x->ndim)
        return mismatch(g, &node, "too few dimensions");
    int64_t columns = 1, *tail = x->shape + x->ndim - trailing_dims;
    for (int i = 0; i < trailing_dims; i++)
        columns *= tail[i];
    node.i[0] = columns ? tensor_numel(x) / columns : 0;
    node.i[1] = columns;
    return graph_apply(g, &node, trailing_dims, tail);
}

Tensor *op_group_mean(Graph *g, Tensor *x, int64_t group)
{
    if (x == NULL || group == 1)
        return x;
    Node node = {.op = OP_GROUP_MEAN, .n_in = 1, .in = {x}, .i = {group}};
    if (group < 1 || x->ndim < 1 || last(x) % group != 0)
        return mismatch(g, &node, "not a multiple of the group");
    int64_t shape[MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] /= group;
    return graph_apply(g, &node, x->ndim, shape);
}

Tensor *op_group_repeat(Graph *g, Tensor *x, int64_t times)
{
    if (x == NULL || times == 1)
        return x;
    Node node = {.op = OP_GROUP_REPEAT, .n_in = 1, .in = {x}, .i = {times}};
    if (times < 1 || x->ndim < 1)
        return mismatch(g, &node, "cannot repeat");
    int64_t shape[MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] *= times;
    return graph_apply(g, &node, x->ndim, shape);
}

/* --- matrix products --- */

Tensor *op_linear(Graph *g, Tensor *x, Tensor *w, Tensor *b, Unary act)
{
    if (x == NULL || w == NULL)
        return NULL;
    bool recording = graph_recording(g); /* backward needs the activation's input */
    Node node = {.op = OP_LINEAR, .n_in = 3, .in = {x, w, b}, .i = {recording ? UNARY_NONE : act}};
    if (!is_f32(x) || !is_float(w) || x->ndim < 1 || w->ndim < 2 || last(x) * w->shape[0] != tensor_numel(w) ||
        (b != NULL && !is_vector(b, DTYPE_F32, w->shape[0])))
        return mismatch(g, &node, "x [.., K], w [N, K], b [N] expected");
    int64_t shape[MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = w->shape[0];
    Tensor *y = graph_apply(g, &node, x->ndim, shape);
    return recording ? op_unary(g, act, y) : y;
}

Tensor *op_matmul(Graph *g, Tensor *a, Tensor *b, MatmulFlags flags)
{
    if (a == NULL || b == NULL)
        return NULL;
    Node node = {.op = OP_MATMUL, .n_in = 2, .in = {a, b}, .i = {flags.transpose_a, flags.transpose_b}};
    if (!is_f32(a) || !is_float(b) || a->ndim != 2 || b->ndim != 2 ||
        a->shape[!flags.transpose_a] != b->shape[flags.transpose_b])
        return mismatch(g, &node, "inner dimensions differ");
    return graph_apply(g, &node, SHAPE(a->shape[flags.transpose_a], b->shape[!flags.transpose_b]));
}

Tensor *op_softmax(Graph *g, Tensor *x)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_SOFTMAX, .n_in = 1, .in = {x}};
    return is_f32(x) && x->ndim > 0 ? apply_like(g, &node, x) : mismatch(g, &node, "F32 rows expected");
}

Tensor *op_cross_entropy(Graph *g, Tensor *logits, Tensor *labels, Tensor *weights)
{
    if (logits == NULL || labels == NULL || weights == NULL)
        return NULL;
    Node node = {.op = OP_CROSS_ENTROPY, .n_in = 3, .in = {logits, labels, weights}};
    if (!is_f32(logits) || logits->ndim != 2 || logits->shape[1] < 1 || !is_vector(labels, DTYPE_I32, logits->shape[0]) ||
        !is_vector(weights, DTYPE_F32, logits->shape[0]))
        return mismatch(g, &node, "logits [M, N], labels I32 [M], weights [M] expected");
    return graph_apply(g, &node, SHAPE(1));
}

/* --- norms --- */

static Tensor *norm(Graph *g, Norm kind, Tensor *x, Tensor *w, Tensor *b, double eps)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_NORM, .n_in = 3, .in = {x, w, b}, .i = {kind}, .f = {eps}};
    if (!is_f32(x) || x->ndim < 1 || (w != NULL && !is_vector(w, DTYPE_F32, last(x))) ||
        (b != NULL && !is_vector(b, DTYPE_F32, last(x))))
        return mismatch(g, &node, "x [.., n], w [n], b [n] expected");
    return apply_like(g, &node, x);
}

Tensor *op_layer_norm(Graph *g, Tensor *x, Tensor *w, Tensor *b, double eps)
{
    return norm(g, NORM_LAYER, x, w, b, eps);
}

Tensor *op_rms_norm(Graph *g, Tensor *x, Tensor *w, double eps)
{
    return norm(g, NORM_RMS, x, w, NULL, eps);
}

Tensor *op_l2_norm(Graph *g, Tensor *x, Tensor *w)
{
    return norm(g, NORM_L2, x, w, NULL, 1e-12);
}

/* --- modulation --- */

static bool modulation_fits(const Tensor *x, const Tensor *table, const Tensor *index)
{
    return table->dtype == DTYPE_F32 && table->ndim == 2 && table->shape[1] == last(x) &&
           is_vector(index, DTYPE_I32, tensor_numel(x) / (last(x) ? last(x) : 1));
}

static Tensor *modulate(Graph *g, Op op, Tensor *x, double eps, Modulation m)
{
    if (x == NULL || m.scale == NULL || m.index == NULL)
        return NULL;
    Node node = {.op = op, .n_in = 4, .in = {x, m.shift, m.scale, m.index}, .f = {eps}};
    if (!is_f32(x) || x->ndim < 1 || !modulation_fits(x, m.scale, m.index) ||
        (m.shift != NULL && !tensor_same_shape(m.shift, m.scale)))
        return mismatch(g, &node, "x [M, n], shift and scale [R, n], index I32 [M] expected");
    node.out[0] = graph_tensor(g, DTYPE_F32, x->ndim, x->shape);
    node.n_out = 1;
    return node.out[0] != NULL && graph_run(g, &node) ? node.out[0] : NULL;
}

Tensor *op_modulate(Graph *g, Tensor *x, Modulation m)
{
    return modulate(g, OP_MODULATE, x, 0, m);
}

Tensor *op_norm_modulate(Graph *g, Tensor *x, double eps, Modulation m)
{
    return modulate(g, OP_NORM_MODULATE, x, eps, m);
}

Tensor *op_gate(Graph *g, Tensor *x, Tensor *y, Tensor *gate, Tensor *index)
{
    if (x == NULL || y == NULL || gate == NULL || index == NULL)
        return NULL;
    Node node = {.op = OP_GATE, .n_in = 4, .in = {x, y, gate, index}};
    if (!is_f32(x) || x->ndim < 1 || !tensor_same_shape(x, y) || !modulation_fits(x, gate, index))
        return mismatch(g, &node, "x and y [M, n], gate [R, n], index I32 [M] expected");
    return apply_like(g, &node, x);
}

/* --- rows --- */

Tensor *op_gather(Graph *g, Tensor *table, Tensor *index)
{
    if (table == NULL || index == NULL)
        return NULL;
    Node node = {.op = OP_GATHER, .n_in = 2, .in = {table, index}};
    if (!is_float(table) || table->ndim != 2 || index->dtype != DTYPE_I32 || index->ndim != 1)
        return mismatch(g, &node, "table [R, n], index I32 [M] expected");
    return graph_apply(g, &node, SHAPE(index->shape[0], table->shape[1]));
}

Tensor *op_scatter(Graph *g, Tensor *rows, Tensor *index, int64_t count)
{
    if (rows == NULL || index == NULL)
        return NULL;
    Node node = {.op = OP_SCATTER, .n_in = 2, .in = {rows, index}};
    if (!is_f32(rows) || rows->ndim < 1 || index->ndim != 1 || index->dtype != DTYPE_I32 ||
        index->shape[0] * last(rows) != tensor_numel(rows))
        return mismatch(g, &node, "rows [M, n], index I32 [M] expected");
    return graph_apply(g, &node, SHAPE(count, last(rows)));
}

/* --- attention --- */

Tensor *op_rope(Graph *g, Tensor *x, Tensor *table, int heads)
{
    if (x == NULL || table == NULL)
        return NULL;
    Node node = {.op = OP_ROPE, .n_in = 2, .in = {x, table}, .i = {heads}};
    if (!is_f32(x) || !is_f32(table) || x->ndim != 2 || table->ndim != 2 || heads < 1 ||
        table->shape[0] != x->shape[0] || table->shape[1] * heads != x->shape[1] || table->shape[1] % 2 != 0)
        return mismatch(g, &node, "x [M, heads*d], table [M, d] expected");
    return apply_like(g, &node, x);
}

Tensor *op_attention(Graph *g, AttentionInputs in)
{
    Tensor *q = in.q, *k = in.k, *v = in.v, *bias = in.bias;
    if (q == NULL || k == NULL || v == NULL || in.cu_q == NULL || in.cu_k == NULL)
        return NULL;
    Node node = {.op = OP_ATTENTION, .n_in = 6, .in = {q, k, v, in.cu_q, in.cu_k, bias},
                 .i = {in.heads}, .f = {in.scale}};
    if (!is_f32(q) || !is_f32(k) || !is_f32(v) || q->ndim != 2 || k->ndim != 2 || !tensor_same_shape(k, v) ||
        k->shape[1] != q->shape[1] || in.heads < 1 || q->shape[1] % in.heads != 0 ||
        in.cu_q->dtype != DTYPE_I32 || in.cu_q->ndim != 1 || in.cu_q->shape[0] < 1 ||
        in.cu_k->dtype != DTYPE_I32 || !tensor_same_shape(in.cu_q, in.cu_k) ||
        (bias != NULL && (!is_f32(bias) || bias->ndim != 3 || bias->shape[0] != in.heads)))
        return mismatch(g, &node, "q [Mq, heads*d], k and v [Mk, heads*d], cu I32 [B+1], bias [heads, Lq, Lk] expected");
    return apply_like(g, &node, q);
}

/* --- video --- */

Tensor *op_upsample(Graph *g, Tensor *x)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_UPSAMPLE, .n_in = 1, .in = {x}};
    if (!is_f32(x) || x->ndim != 5)
        return mismatch(g, &node, "x [B, T, H, W, C] expected");
    return graph_apply(g, &node, SHAPE(x->shape[0], x->shape[1], 2 * x->shape[2], 2 * x->shape[3], x->shape[4]));
}

/* --- shape --- */

Tensor *op_reshape(Graph *g, Tensor *x, int ndim, const int64_t *shape)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_COPY, .n_in = 1, .n_out = 1, .in = {x}};
    int64_t full[MAX_DIMS], n = 1;
    int open = -1;
    if (ndim < 0 || ndim > MAX_DIMS)
        return mismatch(g, &node, "too many dimensions");
    for (int i = 0; i < ndim; i++) {
        full[i] = shape[i];
        if (shape[i] < 0)
            open = i;
        else
            n *= shape[i];
    }
    if (open >= 0)
        full[open] = n ? tensor_numel(x) / n : 0;
    n *= open >= 0 ? full[open] : 1;
    if (n != tensor_numel(x))
        return mismatch(g, &node, "reshape to another size");
    node.out[0] = graph_view(g, x->data, x->dtype, ndim, full);
    return node.out[0] != NULL && graph_tape(g, &node) ? node.out[0] : NULL;
}

Tensor *op_permute(Graph *g, Tensor *x, const int *perm)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_PERMUTE, .n_in = 1, .in = {x}};
    int64_t shape[MAX_DIMS] = {0};
    int seen = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (perm[d] < 0 || perm[d] >= x->ndim || seen & 1 << perm[d])
            return mismatch(g, &node, "not a permutation");
        seen |= 1 << perm[d];
        node.i[d] = perm[d];
        shape[d] = x->shape[perm[d]];
    }
    return is_f32(x) ? graph_apply(g, &node, x->ndim, shape) : mismatch(g, &node, "F32 expected");
}

Tensor *op_concat(Graph *g, int n, Tensor *const *xs, int dim)
{
    Node node = {.op = OP_CONCAT, .n_in = n, .i = {dim}};
    if (n < 1 || n > MAX_INPUTS)
        return graph_fail(g, SORA_ERROR_INTERNAL, "concat of %d tensors", n);
    for (int k = 0; k < n; k++)
        if (xs[k] == NULL)
            return NULL;
        else
            node.in[k] = xs[k];
    if (n == 1)
        return xs[0];
    int64_t shape[MAX_DIMS];
    memcpy(shape, xs[0]->shape, sizeof shape);
    if (dim < 0 || dim >= xs[0]->ndim)
        return mismatch(g, &node, "no such dimension");
    for (int k = 1; k < n; k++) {
        for (int d = 0; d < xs[0]->ndim; d++)
            if (xs[k]->ndim != xs[0]->ndim || (d != dim && xs[k]->shape[d] != shape[d]))
                return mismatch(g, &node, "other dimensions differ");
        shape[dim] += xs[k]->shape[dim];
    }
    return graph_apply(g, &node, xs[0]->ndim, shape);
}

Tensor *op_slice(Graph *g, Tensor *x, int dim, int64_t start, int64_t length)
{
    if (x == NULL)
        return NULL;
    Node node = {.op = OP_SLICE, .n_in = 1, .in = {x}, .i = {dim, start}};
    if (dim < 0 || dim >= x->ndim || start < 0 || length < 0 || start > x->shape[dim] - length)
        return mismatch(g, &node, "slice out of range");
    if (start == 0 && length == x->shape[dim])
        return x;
    int64_t shape[MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = length;
    return graph_apply(g, &node, x->ndim, shape);
}

Tensor *op_pad(Graph *g, Tensor *x, int dim, int64_t before, int64_t after)
{
    if (x == NULL || (before == 0 && after == 0))
        return x;
    Node node = {.op = OP_PAD, .n_in = 1, .in = {x}, .i = {dim, before}};
    if (dim < 0 || dim >= x->ndim || before < 0 || after < 0)
        return mismatch(g, &node, "padding out of range");
    int64_t shape[MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] += before + after;
    return graph_apply(g, &node, x->ndim, shape);
}
