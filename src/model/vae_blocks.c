#include "model/vae_blocks.h"

#include <math.h>
#include <stdio.h>

enum { TIME = 1, CHANNELS = 4, MAX_ATTENTION_FRAMES = 4096, MAX_NAME = 160 };

void vae_cache_begin(VaeCache *c)
{
    *c = (VaeCache){0};
}

void vae_cache_free(Graph *g, VaeCache *c)
{
    for (int i = 0; i < VAE_MAX_SLOTS; i++)
        graph_free_slot(g, &c->slots[i]);
    *c = (VaeCache){0};
}

void vae_cache_end_chunk(VaeCache *c)
{
    c->started = true;
    c->next = c->strip.next = 0;
}

/* Where the next convolution keeps what it remembers; NULL after a failure. */
static Tensor **next_slot(Graph *g, VaeCache *c)
{
    if (c->next < VAE_MAX_SLOTS)
        return &c->slots[c->next++];
    graph_fail(g, SORA_ERROR_INTERNAL, "autoencoder: more than %d causal convolutions", VAE_MAX_SLOTS);
    return NULL;
}

/* x after the frames that are remembered; then the last `frames` of that are. */
static Tensor *with_past(Graph *g, VaeCache *c, Tensor *x, int64_t frames)
{
    Tensor **slot = next_slot(g, c);
    if (slot == NULL)
        return NULL;
    if (*slot != NULL)
        x = op_concat(g, 2, (Tensor *[]){*slot, x}, TIME);
    if (x == NULL || c->last)
        return x;
    GraphScope scope = graph_scope(g);
    int64_t have = x->shape[TIME], keep = frames < have ? frames : have;
    graph_store(g, slot, op_slice(g, x, TIME, have - keep, keep));
    graph_keep(g, scope, x);
    return x;
}

/* 2-D kernels [out, in, h, w] are 3-D ones of one frame. */
static Tensor *kernel(Graph *g, const VaeConv *conv)
{
    const int64_t *s = conv->w->shape;
    return conv->w->ndim == 5 ? conv->w : op_reshape(g, conv->w, SHAPE(s[0], s[1], 1, s[2], s[3]));
}

Tensor *vae_pointwise(Graph *g, const VaeConv *conv, Tensor *x)
{
    return op_linear(g, x, conv->w, conv->b, UNARY_NONE);
}

Tensor *vae_remember_edge(Graph *g, VaeCache *c, Tensor *x, int64_t n)
{
    VaeStrip *s = &c->strip;
    if (x == NULL || s->dim == 0)
        return x;
    GraphScope scope = graph_scope(g);
    Tensor **edge = &s->edges[s->next++];
    if (!s->first)
        x = op_concat(g, 2, (Tensor *[]){*edge, x}, s->dim);
    if (!s->last && x != NULL)
        graph_store(g, edge, op_slice(g, x, s->dim, x->shape[s->dim] - n, n));
    return graph_keep(g, scope, x);
}

/* What is not yet due n rows or columns later is left out, but for the last strip. */
static Tensor *without_end(Graph *g, const VaeCache *c, Tensor *x, int64_t n)
{
    const VaeStrip *s = &c->strip;
    return x == NULL || s->dim == 0 || s->last ? x : op_slice(g, x, s->dim, 0, x->shape[s->dim] - n);
}

/* Only what the frames have at their ends is padded. */
static void pad_strip(const VaeCache *c, ConvShape *shape)
{
    if (c->strip.dim == 0)
        return;
    int *padding = shape->padding + 2 * (c->strip.dim - TIME);
    padding[0] = c->strip.first ? padding[0] : 0;
    padding[1] = c->strip.last ? padding[1] : 0;
}

typedef enum Edge { EDGE_IN_X, EDGE_OWN } Edge; /* vae_remember_edge() has been there, or the convolution keeps its own */

/* The convolution of what it remembers and x; then it remembers the last frames of that. Zeros stand before the first
 * frame and around each. */
static Tensor *convolve(Graph *g, VaeCache *c, const VaeConv *conv, Edge kind, ConvBlock b)
{
    if (b.x == NULL)
        return NULL;
    Tensor **slot = next_slot(g, c), **edge = NULL;
    if (slot == NULL)
        return NULL;
    GraphScope scope = graph_scope(g);
    int past = (int)conv->w->shape[2] - 1, h = (int)conv->w->shape[3] / 2, w = (int)conv->w->shape[4] / 2;
    if (kind == EDGE_OWN && c->strip.dim != 0) {
        edge = &c->strip.edges[c->strip.next++];
        b.edge = c->strip.first ? NULL : *edge;
        b.edge_dim = c->strip.dim;
        b.keep_edge = c->strip.last ? 0 : conv->w->shape[1 + c->strip.dim] - 1;
    }
    b.w = conv->w;
    b.b = conv->b;
    b.repeat = 1;
    b.past = *slot;
    b.keep_frames = c->last ? 0 : past;
    int zeros = past - (b.past != NULL ? (int)b.past->shape[TIME] : 0);
    b.shape = (ConvShape){{1, 1, 1}, {zeros, 0, h, h, w, w}};
    pad_strip(c, &b.shape);
    ConvMemory memory;
    Tensor *y = op_conv_block(g, &b, &memory);
    graph_store(g, slot, memory.last);
    graph_store(g, edge, memory.rim);
    return graph_keep(g, scope, y);
}

Tensor *vae_causal_conv(Graph *g, const VaeConv *conv, VaeCache *c, Tensor *x)
{
    return convolve(g, c, conv, EDGE_OWN, (ConvBlock){.x = x});
}

static Tensor *channels(Graph *g, Tensor *norm)
{
    return op_reshape(g, norm, SHAPE(-1));
}

Tensor *vae_norm_conv(Graph *g, Tensor *norm, const VaeConv *conv, VaeCache *c, Tensor *x)
{
    return convolve(g, c, conv, EDGE_OWN, (ConvBlock){.x = x, .norm = channels(g, norm)});
}

Tensor *vae_residual(Graph *g, const VaeResidual *r, VaeCache *c, Tensor *x)
{
    GraphScope scope = graph_scope(g);
    x = vae_remember_edge(g, c, x, 2);
    Tensor *h = convolve(g, c, &r->conv1, EDGE_IN_X, (ConvBlock){.x = x, .norm = channels(g, r->norm1)});
    Tensor *shortcut = without_end(g, c, x, 2);
    if (r->shortcut.w != NULL)
        shortcut = vae_pointwise(g, &r->shortcut, shortcut);
    h = convolve(g, c, &r->conv2, EDGE_OWN, (ConvBlock){.x = h, .norm = channels(g, r->norm2), .add = shortcut});
    return graph_keep(g, scope, h);
}

/* The row at which each frame begins, frames and the end, for op_attention. */
static Tensor *frame_starts(Graph *g, const Tensor *x)
{
    int64_t frames = x->shape[0] * x->shape[1], places = x->shape[2] * x->shape[3];
    int32_t starts[MAX_ATTENTION_FRAMES + 1];
    if (frames > MAX_ATTENTION_FRAMES || places > INT32_MAX / (frames > 0 ? frames : 1))
        return graph_fail(g, SORA_ERROR_INPUT, "autoencoder: %lld latent frames of %lld places are too many",
                          (long long)frames, (long long)places);
    for (int64_t i = 0; i <= frames; i++)
        starts[i] = (int32_t)(i * places);
    return graph_input(g, DTYPE_I32, SHAPE(frames + 1), starts);
}

Tensor *vae_attention(Graph *g, const VaeAttention *a, Tensor *x)
{
    if (x == NULL)
        return NULL;
    GraphScope scope = graph_scope(g);
    int64_t n = x->shape[CHANNELS];
    Tensor *starts = frame_starts(g, x);
    Tensor *rows = op_reshape(g, x, SHAPE(-1, n));
    Tensor *qkv = vae_pointwise(g, &a->to_qkv, op_l2_norm(g, rows, channels(g, a->norm)));
    Tensor *h = op_attention(g, (AttentionInputs){.q = op_slice(g, qkv, 1, 0, n),
                                                  .k = op_slice(g, qkv, 1, n, n),
                                                  .v = op_slice(g, qkv, 1, 2 * n, n),
                                                  .cu_q = starts,
                                                  .cu_k = starts,
                                                  .heads = 1,
                                                  .scale = 1 / sqrt((double)n)});
    h = op_reshape(g, vae_pointwise(g, &a->proj, h), x->ndim, x->shape);
    return graph_keep(g, scope, op_add(g, h, x));
}

/* Of the strip's x and what is remembered of the one before: rows or columns that the next strip's first result needs. Every
 * second one begins a result of three. */
static int64_t unfinished(const VaeCache *c, const Tensor *x)
{
    const VaeStrip *s = &c->strip;
    if (x == NULL || s->dim == 0)
        return 0;
    int64_t n = x->shape[s->dim] + (s->first ? 0 : s->edges[s->next]->shape[s->dim]);
    return n % 2 == 1 ? 1 : 2;
}

Tensor *vae_downsample(Graph *g, const VaeResample *r, VaeCache *c, Tensor *x)
{
    GraphScope scope = graph_scope(g);
    ConvShape shape = {{1, 2, 2}, {0, 0, 0, 1, 0, 1}};
    pad_strip(c, &shape);
    x = vae_remember_edge(g, c, x, unfinished(c, x));
    x = graph_keep(g, scope, op_conv(g, x, kernel(g, &r->space), r->space.b, shape));
    if (r->time.w == NULL || x == NULL)
        return x;
    /* Three frames become one, two frames further on; the first frame stays. */
    Tensor *parts[2];
    int n = 0;
    x = with_past(g, c, x, 1);
    if (!c->started)
        parts[n++] = op_slice(g, x, TIME, 0, 1);
    if (x != NULL && x->shape[TIME] > 1)
        parts[n++] = op_conv(g, x, r->time.w, r->time.b, (ConvShape){.stride = {2, 1, 1}});
    return graph_keep(g, scope, n == 2 ? op_concat(g, n, parts, TIME) : parts[0]);
}

/* Each frame becomes two: the halves of the channels, one after the other. */
static Tensor *double_frames(Graph *g, const VaeConv *conv, VaeCache *c, Tensor *x)
{
    x = vae_causal_conv(g, conv, c, x);
    if (x == NULL)
        return NULL;
    const int64_t *s = x->shape;
    int64_t half = s[CHANNELS] / 2;
    x = op_permute(g, op_reshape(g, x, SHAPE(s[0], s[1], s[2], s[3], 2, half)), (int[]){0, 1, 4, 2, 3, 5});
    return op_reshape(g, x, SHAPE(s[0], 2 * s[1], s[2], s[3], half));
}

Tensor *vae_upsample(Graph *g, const VaeResample *r, VaeCache *c, Tensor *x, Tensor *add)
{
    GraphScope scope = graph_scope(g);
    if (r->time.w != NULL && x != NULL) {
        Tensor *parts[2], *rest = x;
        int n = 0;
        int64_t frames = x->shape[TIME];
        if (!c->started) {
            parts[n++] = op_slice(g, x, TIME, 0, 1);
            rest = frames > 1 ? op_slice(g, x, TIME, 1, frames - 1) : NULL;
        }
        if (rest != NULL)
            parts[n++] = double_frames(g, &r->time, c, rest);
        else
            c->next++;
        x = graph_keep(g, scope, n == 2 ? op_concat(g, n, parts, TIME) : parts[0]);
    }
    x = vae_remember_edge(g, c, x, 1);
    ConvBlock b = {.x = x, .w = kernel(g, &r->space), .b = r->space.b, .add = add, .repeat = 2};
    b.shape = (ConvShape){{1, 1, 1}, {0, 0, 1, 1, 1, 1}};
    pad_strip(c, &b.shape);
    return graph_keep(g, scope, op_conv_block(g, &b, NULL));
}

Tensor *vae_due_below(Graph *g, VaeCache *c, Tensor *x, const Tensor *result, int space)
{
    VaeStrip *s = &c->strip;
    if (x == NULL || result == NULL || s->dim == 0)
        return x;
    GraphScope scope = graph_scope(g);
    Tensor **edge = &s->edges[s->next++];
    if (!s->first)
        x = op_concat(g, 2, (Tensor *[]){*edge, x}, s->dim);
    int64_t n = result->shape[s->dim] * space;
    if (!s->last && x != NULL)
        graph_store(g, edge, op_slice(g, x, s->dim, n, x->shape[s->dim] - n));
    return graph_keep(g, scope, op_slice(g, x, s->dim, 0, n));
}

Tensor *vae_avg_down(Graph *g, Tensor *x, int64_t channels, VaeFactors f)
{
    if (x == NULL)
        return NULL;
    GraphScope scope = graph_scope(g);
    if (x->shape[TIME] % f.time != 0)
        x = op_pad(g, x, TIME, f.time - x->shape[TIME] % f.time, 0);
    if (x == NULL)
        return NULL;
    const int64_t *s = x->shape;
    int64_t t = s[1] / f.time, h = s[2] / f.space, w = s[3] / f.space;
    int64_t group = s[4] * f.time * f.space * f.space / channels;
    x = op_reshape(g, x, SHAPE(s[0], t, f.time, h, f.space, w, f.space, s[4]));
    x = op_permute(g, x, (int[]){0, 1, 3, 5, 7, 2, 4, 6});
    x = op_reshape(g, x, SHAPE(s[0], t, h, w, channels * group));
    return graph_keep(g, scope, op_group_mean(g, x, group));
}

/* What vae_upsample() lets out of a strip, of its shortcut in the output's size. */
static Tensor *due(Graph *g, const VaeCache *c, Tensor *y)
{
    const VaeStrip *s = &c->strip;
    if (s->dim == 0 || y == NULL)
        return y;
    int64_t first = s->first ? 0 : 1, end = y->shape[s->dim] - (s->last ? 0 : 1);
    return op_slice(g, y, s->dim, first, end - first);
}

Tensor *vae_dup_up(Graph *g, VaeCache *c, Tensor *x, int64_t lag, VaeDup d)
{
    if (x == NULL)
        return NULL;
    GraphScope scope = graph_scope(g);
    int64_t channels = d.channels;
    VaeFactors f = d.factors;
    x = without_end(g, c, vae_remember_edge(g, c, x, lag + 1), lag);
    if (x == NULL)
        return NULL;
    const int64_t *s = x->shape;
    int64_t frames = s[1] * f.time, drop = c->started ? 0 : f.time - 1;
    Tensor *y = op_group_repeat(g, x, channels * f.time * f.space * f.space / s[4]);
    y = op_reshape(g, y, SHAPE(s[0], s[1], s[2], s[3], channels, f.time, f.space, f.space));
    y = op_permute(g, y, (int[]){0, 1, 5, 2, 6, 3, 7, 4});
    y = op_reshape(g, y, SHAPE(s[0], frames, s[2] * f.space, s[3] * f.space, channels));
    if (drop > 0)
        y = op_slice(g, y, TIME, drop, frames - drop);
    return graph_keep(g, scope, due(g, c, y));
}

Tensor *vae_patchify(Graph *g, Tensor *x, int p)
{
    if (x == NULL || p == 1)
        return x;
    const int64_t *s = x->shape;
    int64_t h = s[2] / p, w = s[3] / p;
    Tensor *y = op_reshape(g, x, SHAPE(s[0], s[1], h, p, w, p, s[4]));
    y = op_permute(g, y, (int[]){0, 1, 2, 4, 6, 5, 3});
    return op_reshape(g, y, SHAPE(s[0], s[1], h, w, s[4] * p * p));
}

Tensor *vae_unpatchify(Graph *g, Tensor *x, int p)
{
    if (x == NULL || p == 1)
        return x;
    const int64_t *s = x->shape;
    int64_t colours = s[4] / (p * p);
    Tensor *y = op_reshape(g, x, SHAPE(s[0], s[1], s[2], s[3], colours, p, p));
    y = op_permute(g, y, (int[]){0, 1, 2, 6, 3, 5, 4});
    return op_reshape(g, y, SHAPE(s[0], s[1], s[2] * p, s[3] * p, colours));
}

/* --- parameters --- */

/* Weights and biases start uniform within gain / sqrt(fan in), as convolutions do in PyTorch. */
static VaeConv bind_conv(Params *p, const char *name, int ndim, const int64_t *shape, double gain)
{
    int64_t fan_in = 1;
    for (int i = 1; i < ndim; i++)
        fan_in *= shape[i];
    Init init = {gain > 0 ? INIT_UNIFORM : INIT_ZERO, (float)(gain / sqrt((double)fan_in))};
    Tensor *w = params_get(p, init, ndim, shape, "%s.weight", name);
    return (VaeConv){w, params_get(p, init, 1, shape, "%s.bias", name)};
}

static const char *join(char buffer[MAX_NAME], const char *name, const char *rest)
{
    snprintf(buffer, MAX_NAME, "%s.%s", name, rest);
    return buffer;
}

VaeConv vae_bind_causal(Params *p, const char *name, int64_t in, int64_t out)
{
    return bind_conv(p, name, SHAPE(out, in, 3, 3, 3), 1);
}

VaeConv vae_bind_pointwise(Params *p, const char *name, int64_t in, int64_t out)
{
    return bind_conv(p, name, SHAPE(out, in, 1, 1, 1), 1);
}

Tensor *vae_bind_norm(Params *p, const char *name, int64_t channels)
{
    return params_get(p, (Init){.kind = INIT_ONE}, SHAPE(channels, 1, 1, 1), "%s.gamma", name);
}

VaeResidual vae_bind_residual(Params *p, const char *name, int64_t in, int64_t out)
{
    char b[MAX_NAME];
    VaeResidual r = {0};
    r.norm1 = vae_bind_norm(p, join(b, name, "residual.0"), in);
    r.conv1 = vae_bind_causal(p, join(b, name, "residual.2"), in, out);
    r.norm2 = vae_bind_norm(p, join(b, name, "residual.3"), out);
    /* A new block is nearly its shortcut. */
    r.conv2 = bind_conv(p, join(b, name, "residual.6"), SHAPE(out, out, 3, 3, 3), 0.1);
    if (in != out)
        r.shortcut = vae_bind_pointwise(p, join(b, name, "shortcut"), in, out);
    return r;
}

VaeAttention vae_bind_attention(Params *p, const char *name, int64_t channels)
{
    char b[MAX_NAME];
    VaeAttention a = {0};
    a.norm = params_get(p, (Init){.kind = INIT_ONE}, SHAPE(channels, 1, 1), "%s.norm.gamma", name);
    a.to_qkv = bind_conv(p, join(b, name, "to_qkv"), SHAPE(3 * channels, channels, 1, 1), 1);
    a.proj = bind_conv(p, join(b, name, "proj"), SHAPE(channels, channels, 1, 1), 0);
    return a;
}

VaeResample vae_bind_resample(Params *p, const char *name, VaeResampleShape shape)
{
    char b[MAX_NAME];
    int64_t n = shape.channels;
    int64_t out = shape.halve ? n / 2 : n;
    VaeResample r = {.space = bind_conv(p, join(b, name, "resample.1"), SHAPE(out, n, 3, 3), 1)};
    if (shape.time)
        r.time = bind_conv(p, join(b, name, "time_conv"), SHAPE(shape.up ? 2 * n : n, n, 3, 1, 1), 1);
    return r;
}
