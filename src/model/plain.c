#include "model/plain.h"

#include <math.h>
#include <stdio.h>

#include "base/arena.h"

/* --- parameters --- */

PlainLinear plain_bind_linear(Params *p, int64_t in, int64_t out, const char *name)
{
    return (PlainLinear){params_get(p, init_xavier(out, in), SHAPE(out, in), "%s.weight", name),
                         params_get(p, (Init){INIT_ZERO, 0}, SHAPE(out), "%s.bias", name)};
}

PlainNorm plain_bind_norm(Params *p, int64_t n, const char *name)
{
    return (PlainNorm){params_get(p, (Init){INIT_ONE, 0}, SHAPE(n), "%s.weight", name),
                       params_get(p, (Init){INIT_ZERO, 0}, SHAPE(n), "%s.bias", name)};
}

void plain_bind_residual(Params *p, PlainResidual *r, int64_t channels, const char *name)
{
    Init conv = {INIT_UNIFORM, sqrtf(6.0f / (float)(9 * channels))}; /* keeps the variance through a SiLU (He et al., 2015) */
    r->norm = params_get(p, (Init){INIT_ONE, 0}, SHAPE(channels), "%s.norm.weight", name);
    r->w1 = params_get(p, conv, SHAPE(channels, channels, 1, 3, 3), "%s.conv1.weight", name);
    r->b1 = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(channels), "%s.conv1.bias", name);
    r->w2 = params_get(p, (Init){INIT_UNIFORM, conv.scale / 4}, SHAPE(channels, channels, 1, 3, 3), "%s.conv2.weight", name);
    r->b2 = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(channels), "%s.conv2.bias", name);
}

void plain_bind_block(Params *p, PlainBlock *b, int64_t n, const char *name)
{
    static const char *const NAMES[] = {"q", "k", "v", "o", "up", "down"};
    PlainLinear *linear[] = {&b->q, &b->k, &b->v, &b->o, &b->up, &b->down};
    char full[96];
    for (int i = 0; i < 6; i++) {
        snprintf(full, sizeof full, "%s.%s", name, NAMES[i]);
        *linear[i] = plain_bind_linear(p, i == 5 ? 2 * n : n, i == 4 ? 2 * n : n, full);
    }
    snprintf(full, sizeof full, "%s.norm1", name);
    b->norm1 = plain_bind_norm(p, n, full);
    snprintf(full, sizeof full, "%s.norm2", name);
    b->norm2 = plain_bind_norm(p, n, full);
}

/* --- forward --- */

Tensor *plain_linear(Graph *g, const PlainLinear *l, Tensor *x, Unary act)
{
    return op_linear(g, x, l->w, l->b, act);
}

Tensor *plain_norm(Graph *g, const PlainNorm *n, Tensor *x)
{
    return op_layer_norm(g, x, n->w, n->b, 1e-5);
}

Tensor *plain_residual(Graph *g, const PlainResidual *r, Tensor *x)
{
    ConvShape same = {.stride = {1, 1, 1}, .padding = {0, 0, 1, 1, 1, 1}};
    Tensor *h = op_conv(g, op_rms_norm(g, x, r->norm, 1e-6), r->w1, r->b1, same);
    return op_add(g, x, op_conv(g, op_silu(g, h), r->w2, r->b2, same));
}

Tensor *plain_feed_forward(Graph *g, const PlainBlock *b, Tensor *x)
{
    Tensor *y = plain_norm(g, &b->norm2, x);
    y = plain_linear(g, &b->down, plain_linear(g, &b->up, y, UNARY_GELU_TANH), UNARY_NONE);
    return op_add(g, x, y);
}

Tensor *plain_block(Graph *g, const PlainBlock *b, int heads, Tensor *x, Tensor *cu)
{
    if (x == NULL)
        return NULL;
    Tensor *y = plain_norm(g, &b->norm1, x);
    double width = (double)x->shape[1] / heads;
    y = op_attention(g, (AttentionInputs){.q = plain_linear(g, &b->q, y, UNARY_NONE), .k = plain_linear(g, &b->k, y, UNARY_NONE),
                                          .v = plain_linear(g, &b->v, y, UNARY_NONE), .cu_q = cu, .cu_k = cu, .heads = heads,
                                          .scale = 1 / sqrt(width)});
    return plain_feed_forward(g, b, op_add(g, x, plain_linear(g, &b->o, y, UNARY_NONE)));
}

Tensor *plain_with_motion(Graph *g, Tensor *x)
{
    if (x == NULL)
        return NULL;
    int64_t frames = x->shape[1];
    Tensor *mean = op_group_mean(g, op_permute(g, x, (int[]){0, 2, 3, 4, 1}), frames);
    mean = op_permute(g, op_group_repeat(g, mean, frames), (int[]){0, 4, 1, 2, 3});
    return op_concat(g, 2, (Tensor *[]){x, op_sub(g, x, mean)}, 4);
}

Tensor *plain_steps(Graph *g, int64_t count, int64_t first, int64_t step)
{
    Arena scratch;
    arena_init(&scratch, 0);
    int32_t *values = arena_alloc(&scratch, (size_t)count * sizeof *values);
    Tensor *t = NULL;
    if (values == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "out of memory");
    } else {
        for (int64_t i = 0; i < count; i++)
            values[i] = (int32_t)(first + i * step);
        t = graph_input(g, DTYPE_I32, SHAPE(count), values);
    }
    arena_deinit(&scratch);
    return t;
}
