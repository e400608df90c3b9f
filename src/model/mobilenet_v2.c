#include "model/mobilenet_v2.h"

#include <stdio.h>

/* --- sizes --- */

static bool is_int(const json_t *value, int low, int high, int *out)
{
    *out = (int)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= low && json_integer_value(value) <= high;
}

static bool wrong(const char *key, SoraError *err)
{
    return error_set(err, SORA_ERROR_INPUT, "mobilenet_v2 config: \"%s\" is missing or out of range", key);
}

static bool read_stages(MobilenetConfig *c, const json_t *list, SoraError *err)
{
    const json_t *row;
    size_t i;
    int blocks = 0;
    c->stages = (int)json_array_size(list);
    if (c->stages < 1 || c->stages > MOBILENET_MAX_STAGES)
        return wrong("bottlenecks", err);
    json_array_foreach(list, i, row)
    {
        MobilenetStage *s = &c->stage[i];
        if (!is_int(json_array_get(row, 0), 1, 16, &s->t) || !is_int(json_array_get(row, 1), 1, 2048, &s->c) ||
            !is_int(json_array_get(row, 2), 1, MOBILENET_MAX_BLOCKS, &s->n) ||
            !is_int(json_array_get(row, 3), 1, 2, &s->s))
            return wrong("bottlenecks", err);
        blocks += s->n;
    }
    return blocks <= MOBILENET_MAX_BLOCKS || wrong("bottlenecks", err);
}

bool mobilenet_config_read(MobilenetConfig *c, const json_t *json, SoraError *err)
{
    const json_t *hidden = json_object_get(json, "hidden"), *value;
    size_t i;
    *c = (MobilenetConfig){.dense = 1 + (int)json_array_size(hidden),
                           .classes = (int)json_array_size(json_object_get(json, "classes"))};
    if (!is_int(json_object_get(json, "side"), 32, 512, &c->side))
        return wrong("side", err);
    if (!is_int(json_object_get(json, "stem"), 1, 2048, &c->stem))
        return wrong("stem", err);
    if (!is_int(json_object_get(json, "last"), 1, 8192, &c->last))
        return wrong("last", err);
    if (c->dense > MOBILENET_MAX_DENSE)
        return wrong("hidden", err);
    json_array_foreach(hidden, i, value) if (!is_int(value, 1, 8192, &c->hidden[i])) return wrong("hidden", err);
    if (c->classes < 2 || c->classes > MOBILENET_MAX_CLASSES)
        return wrong("classes", err);
    return read_stages(c, json_object_get(json, "bottlenecks"), err);
}

/* --- parameters --- */

static Tensor *bias(Params *p, int64_t n, const char *name)
{
    return params_get(p, (Init){INIT_ZERO, 0}, SHAPE(n), "%s.bias", name);
}

static MobilenetLayer linear(Params *p, int64_t in, int64_t out, const char *name)
{
    return (MobilenetLayer){params_get(p, init_xavier(out, in), SHAPE(out, in), "%s.weight", name), bias(p, out, name)};
}

static MobilenetBlock bind_block(Params *p, MobilenetStage s, int in, int stride, int number)
{
    char name[64];
    int64_t wide = (int64_t)s.t * in;
    MobilenetBlock b = {.stride = stride, .shortcut = stride == 1 && in == s.c};
    snprintf(name, sizeof name, "blocks.%d.expand", number);
    if (s.t > 1)
        b.expand = linear(p, in, wide, name);
    snprintf(name, sizeof name, "blocks.%d.depthwise", number);
    b.depthwise.w = params_get(p, init_xavier(9, 9), SHAPE(wide, 1, 3, 3), "%s.weight", name);
    b.depthwise.b = bias(p, wide, name);
    snprintf(name, sizeof name, "blocks.%d.project", number);
    b.project = linear(p, wide, s.c, name);
    return b;
}

void mobilenet_bind(Mobilenet *m, const MobilenetConfig *c, Params *p)
{
    char name[32];
    *m = (Mobilenet){.config = *c};
    m->stem.w = params_get(p, init_xavier(c->stem, 27), SHAPE(c->stem, 3, 1, 3, 3), "stem.weight");
    m->stem.b = bias(p, c->stem, "stem");
    int width = c->stem;
    for (int i = 0; i < c->stages; i++)
        for (int k = 0; k < c->stage[i].n; k++, width = c->stage[i].c, m->block_count++)
            m->blocks[m->block_count] = bind_block(p, c->stage[i], width, k == 0 ? c->stage[i].s : 1, m->block_count);
    m->last = linear(p, width, c->last, "last");
    width = c->last;
    for (int i = 0; i < c->dense; i++) {
        snprintf(name, sizeof name, "dense.%d", i);
        int out = i + 1 < c->dense ? c->hidden[i] : c->classes;
        m->dense[i] = linear(p, width, out, name);
        width = out;
    }
}

/* --- forward --- */

/* Padding as Keras has it: what is halved gets a row and a column after it. */
static ConvShape around(int stride)
{
    int before = stride == 1;
    return (ConvShape){{1, stride, stride}, {0, 0, before, 1, before, 1}};
}

static Tensor *pointwise(Graph *g, const MobilenetLayer *l, Tensor *x, Unary act)
{
    return op_linear(g, x, l->w, l->b, act);
}

static Tensor *bottleneck(Graph *g, const MobilenetBlock *b, Tensor *x)
{
    Tensor *y = b->expand.w != NULL ? pointwise(g, &b->expand, x, UNARY_RELU6) : x;
    y = op_depthwise(g, y, b->depthwise.w, b->depthwise.b, (DepthwiseShape){around(b->stride), UNARY_RELU6});
    y = pointwise(g, &b->project, y, UNARY_NONE);
    return b->shortcut ? op_add(g, x, y) : y;
}

/* The mean over all places of a picture: [B, 1, h, w, C] -> [B, C]. */
static Tensor *pool(Graph *g, Tensor *x)
{
    if (x == NULL)
        return NULL;
    int64_t places = x->shape[2] * x->shape[3];
    x = op_permute(g, op_reshape(g, x, SHAPE(x->shape[0], places, x->shape[4])), (int[]){0, 2, 1});
    return x == NULL ? NULL : op_reshape(g, op_group_mean(g, x, places), SHAPE(x->shape[0], x->shape[1]));
}

Tensor *mobilenet_forward(Graph *g, const Mobilenet *m, Tensor *pictures)
{
    Tensor *x = op_unary(g, UNARY_RELU6, op_conv(g, pictures, m->stem.w, m->stem.b, around(2)));
    for (int i = 0; i < m->block_count; i++) {
        GraphScope scope = graph_scope(g);
        x = graph_keep(g, scope, bottleneck(g, &m->blocks[i], x));
    }
    x = pool(g, pointwise(g, &m->last, x, UNARY_RELU6));
    for (int i = 0; i + 1 < m->config.dense; i++)
        x = pointwise(g, &m->dense[i], x, UNARY_RELU);
    return op_softmax(g, pointwise(g, &m->dense[m->config.dense - 1], x, UNARY_NONE));
}
