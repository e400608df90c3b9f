/* Convolutions: the op and the block around it. */
#include <string.h>

#include "tensor/ops.h"

enum { BATCH, TIME, HEIGHT, WIDTH, CHANNELS };

static Tensor *refuse(Graph *g, const ConvBlock *c, const char *why)
{
    char x[160], w[160];
    return graph_fail(g, SORA_ERROR_INTERNAL, "conv: %s: x %s, w %s", why, tensor_shape_text(c->x, x, sizeof x),
                      tensor_shape_text(c->w, w, sizeof w));
}

static bool is_float(const Tensor *t)
{
    return t->dtype == DTYPE_F32 || t->dtype == DTYPE_BF16 || t->dtype == DTYPE_F16;
}

static bool is_vector(const Tensor *t, int64_t n)
{
    return t == NULL || (t->dtype == DTYPE_F32 && t->ndim == 1 && t->shape[0] == n);
}

/* Whether t is x's shape but for n in dimension dim, of the type in which things are remembered. */
static bool fits(const Graph *g, const Tensor *t, const int64_t *shape, int dim)
{
    bool same = t->ndim == 5 && t->dtype == (graph_recording(g) ? DTYPE_F32 : graph_operand(g));
    for (int d = 0; d < 5 && same; d++)
        same = d == dim || t->shape[d] == shape[d];
    return same;
}

/* The shape of v before anything is repeated; NULL if all fits, else what does not. */
static const char *input_shape(const Graph *g, const ConvBlock *c, int64_t v[5])
{
    if (c->x->dtype != DTYPE_F32 || c->x->ndim != 5 || !is_float(c->w) || c->w->ndim != 5 ||
        c->w->shape[1] != c->x->shape[CHANNELS] || !is_vector(c->b, c->w->shape[0]))
        return "x [B, T, H, W, Cin], w [Cout, Cin, kt, kh, kw], b [Cout] expected";
    memcpy(v, c->x->shape, 5 * sizeof *v);
    if (!is_vector(c->norm, v[CHANNELS]))
        return "norm [Cin] expected";
    if ((c->edge != NULL || c->keep_edge > 0) && c->edge_dim != HEIGHT && c->edge_dim != WIDTH)
        return "an edge is of rows or columns";
    if (c->edge != NULL) {
        if (!fits(g, c->edge, v, c->edge_dim))
            return "the edge does not fit";
        v[c->edge_dim] += c->edge->shape[c->edge_dim];
    }
    if (c->past != NULL) {
        if (!fits(g, c->past, v, TIME))
            return "the past does not fit";
        v[TIME] += c->past->shape[TIME];
    }
    bool remembers = c->keep_frames > 0 || c->keep_edge > 0;
    if ((c->repeat != 1 && c->repeat != 2) || (c->repeat != 1 && (remembers || c->edge != NULL)))
        return "cannot be repeated";
    if (c->keep_frames < 0 || c->keep_edge < 0 || (c->keep_edge > 0 && c->keep_edge > v[c->edge_dim]))
        return "there is less than is to be remembered";
    return NULL;
}

static bool output_shape(const ConvBlock *c, const int64_t v[5], Node *node, int64_t y[5])
{
    y[BATCH] = v[BATCH];
    y[CHANNELS] = c->w->shape[0];
    for (int d = 0; d < 3; d++) {
        const int *padding = c->shape.padding + 2 * d;
        int64_t size = v[1 + d] * (d > 0 ? c->repeat : 1), room = size + padding[0] + padding[1] - c->w->shape[2 + d];
        if (room < 0 || c->shape.stride[d] < 1 || padding[0] < 0 || padding[1] < 0)
            return false;
        y[1 + d] = room / c->shape.stride[d] + 1;
        node->i[CONV_STRIDE + d] = c->shape.stride[d];
        node->i[CONV_PADDING + 2 * d] = padding[0];
        node->i[CONV_PADDING + 2 * d + 1] = padding[1];
    }
    return true;
}

static Tensor *tail(Graph *g, Tensor *x, int dim, int64_t n)
{
    if (x == NULL || n == 0)
        return NULL;
    n = n < x->shape[dim] ? n : x->shape[dim];
    return op_slice(g, x, dim, x->shape[dim] - n, n);
}

/* One op after the other, so that each has its gradient. */
static Tensor *step_by_step(Graph *g, const ConvBlock *c, Node *node, const int64_t y[5], ConvMemory *memory)
{
    Tensor *v = c->norm != NULL ? op_silu(g, op_l2_norm(g, c->x, c->norm)) : c->x;
    if (c->edge != NULL)
        v = op_concat(g, 2, (Tensor *[]){c->edge, v}, c->edge_dim);
    if (memory != NULL)
        memory->rim = tail(g, v, c->edge_dim, c->keep_edge);
    if (c->past != NULL)
        v = op_concat(g, 2, (Tensor *[]){c->past, v}, TIME);
    if (memory != NULL)
        memory->last = tail(g, v, TIME, c->keep_frames);
    node->in[CONV_X] = c->repeat == 2 ? op_upsample(g, v) : v;
    node->in[CONV_W] = c->w;
    node->in[CONV_B] = c->b;
    node->n_in = CONV_B + 1;
    node->i[CONV_REPEAT] = 1;
    v = graph_apply(g, node, 5, y);
    return c->add != NULL ? op_add(g, v, c->add) : v;
}

/* What is remembered: n of v's in dimension dim, in the operand's type; NULL of none. */
static Tensor *remembered(Graph *g, const int64_t v[5], int dim, int64_t n)
{
    int64_t shape[5];
    memcpy(shape, v, sizeof shape);
    shape[dim] = n < v[dim] ? n : v[dim];
    return n > 0 ? graph_tensor(g, graph_operand(g), 5, shape) : NULL;
}

static Tensor *at_once(Graph *g, const ConvBlock *c, Node *node, const int64_t v[5], const int64_t y[5],
                       ConvMemory *memory)
{
    node->n_in = CONV_INPUTS;
    memcpy(node->in, (Tensor *[CONV_INPUTS]){c->x, c->w, c->b, c->norm, c->past, c->edge, c->add},
           CONV_INPUTS * sizeof *node->in);
    node->i[CONV_REPEAT] = c->repeat;
    node->i[CONV_DIM] = c->edge_dim;
    node->n_out = CONV_OUTPUTS;
    node->out[CONV_Y] = graph_tensor(g, DTYPE_F32, 5, y);
    if (memory != NULL) {
        int64_t now[5];
        memcpy(now, v, sizeof now);
        now[TIME] = c->x->shape[TIME];
        node->out[CONV_LAST] = memory->last = remembered(g, v, TIME, c->keep_frames);
        node->out[CONV_RIM] = memory->rim = remembered(g, now, c->edge_dim, c->keep_edge);
    }
    return node->out[CONV_Y] != NULL && graph_run(g, node) ? node->out[CONV_Y] : NULL;
}

Tensor *op_conv_block(Graph *g, const ConvBlock *c, ConvMemory *memory)
{
    if (memory != NULL)
        *memory = (ConvMemory){0};
    if (c->x == NULL || c->w == NULL)
        return NULL;
    Node node = {.op = OP_CONV};
    int64_t v[5], y[5];
    const char *wrong = input_shape(g, c, v);
    if (wrong != NULL)
        return refuse(g, c, wrong);
    if (!output_shape(c, v, &node, y))
        return refuse(g, c, "smaller than the kernel");
    if (c->add != NULL && (c->add->dtype != DTYPE_F32 || c->add->ndim != 5 || memcmp(c->add->shape, y, sizeof y) != 0))
        return refuse(g, c, "what is added has another shape");
    return graph_recording(g) ? step_by_step(g, c, &node, y, memory) : at_once(g, c, &node, v, y, memory);
}

Tensor *op_conv(Graph *g, Tensor *x, Tensor *w, Tensor *b, ConvShape shape)
{
    return op_conv_block(g, &(ConvBlock){.x = x, .w = w, .b = b, .repeat = 1, .shape = shape}, NULL);
}

Tensor *op_depthwise(Graph *g, Tensor *x, Tensor *w, Tensor *b, DepthwiseShape shape)
{
    if (x == NULL || w == NULL)
        return NULL;
    const ConvBlock as = {.x = x, .w = w};
    Node node = {.op = OP_DEPTHWISE, .n_in = 3, .in = {x, w, b}, .i = {[DEPTHWISE_ACT] = shape.act}};
    if (x->dtype != DTYPE_F32 || x->ndim != 5 || w->dtype != DTYPE_F32 || w->ndim != 4 ||
        w->shape[0] != x->shape[CHANNELS] || w->shape[1] != 1 || w->shape[2] * w->shape[3] > DEPTHWISE_TAPS ||
        !is_vector(b, x->shape[CHANNELS]))
        return refuse(g, &as, "x [B, T, H, W, C], w [C, 1, kh, kw], b [C] in F32 expected");
    int64_t y[5];
    memcpy(y, x->shape, sizeof y);
    for (int d = 1; d < 3; d++) {
        const int *padding = shape.conv.padding + 2 * d;
        int64_t room = x->shape[1 + d] + padding[0] + padding[1] - w->shape[1 + d];
        if (room < 0 || shape.conv.stride[d] < 1 || padding[0] < 0 || padding[1] < 0)
            return refuse(g, &as, "smaller than the kernel");
        y[1 + d] = room / shape.conv.stride[d] + 1;
        node.i[CONV_STRIDE + d] = shape.conv.stride[d];
        node.i[CONV_PADDING + 2 * d] = padding[0];
        node.i[CONV_PADDING + 2 * d + 1] = padding[1];
    }
    return graph_apply(g, &node, 5, y);
}
