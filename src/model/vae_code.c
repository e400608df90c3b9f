#include "model/vae_code.h"

#include <math.h>

enum { TIME = 1, FIRST = 0, REST = 1 };

static void measure(VaeCode *code, const VaeConfig *c)
{
    code->time = vae_stride_time(c);
    code->side = vae_stride_space(c) / c->patchify;
    code->patch = 3 * c->patchify * c->patchify;
}

static int64_t elements(const VaeCode *code, int kind)
{
    return (int64_t)(kind == FIRST ? 1 : code->time) * code->side * code->side * code->patch;
}

static const char *const KINDS[] = {"first", "rest"};

void vae_code_bind_encoder(VaeCode *code, const VaeConfig *c, Params *p)
{
    measure(code, c);
    for (int k = FIRST; k <= REST; k++) {
        int64_t n = elements(code, k);
        code->encode[k] = params_get(p, (Init){INIT_UNIFORM, (float)(1 / sqrt((double)n))}, SHAPE(c->z_dim, n),
                                     "encoder.code.%s.weight", KINDS[k]);
    }
}

void vae_code_bind_decoder(VaeCode *code, const VaeConfig *c, Params *p)
{
    measure(code, c);
    for (int k = FIRST; k <= REST; k++) {
        int64_t n = elements(code, k);
        code->decode[k].w = params_get(p, (Init){INIT_UNIFORM, (float)(1 / sqrt((double)c->z_dim))}, SHAPE(n, c->z_dim),
                                       "decoder.code.%s.weight", KINDS[k]);
        code->decode[k].b = params_get(p, (Init){.kind = INIT_ZERO}, SHAPE(n), "decoder.code.%s.bias", KINDS[k]);
    }
}

/* [B, T, H, W, patch] -> [B, F, h, w, n] */
static Tensor *to_blocks(Graph *g, const VaeCode *code, int time, Tensor *x)
{
    const int64_t *s = x->shape;
    int side = code->side;
    Tensor *y = op_reshape(g, x, SHAPE(s[0], s[1] / time, time, s[2] / side, side, s[3] / side, side, s[4]));
    y = op_permute(g, y, (int[]){0, 1, 3, 5, 2, 4, 6, 7});
    return op_reshape(g, y, SHAPE(s[0], s[1] / time, s[2] / side, s[3] / side, time * side * side * s[4]));
}

static Tensor *from_blocks(Graph *g, const VaeCode *code, int time, Tensor *x)
{
    if (x == NULL)
        return NULL;
    const int64_t *s = x->shape;
    int side = code->side;
    Tensor *y = op_reshape(g, x, SHAPE(s[0], s[1], s[2], s[3], time, side, side, code->patch));
    y = op_permute(g, y, (int[]){0, 1, 4, 2, 5, 3, 6, 7});
    return op_reshape(g, y, SHAPE(s[0], s[1] * time, s[2] * side, s[3] * side, code->patch));
}

static Tensor *encode_kind(Graph *g, const VaeCode *code, int kind, Tensor *patches)
{
    return patches == NULL ? NULL
                           : op_linear(g, to_blocks(g, code, kind == FIRST ? 1 : code->time, patches),
                                       code->encode[kind], NULL, UNARY_NONE);
}

static Tensor *decode_kind(Graph *g, const VaeCode *code, int kind, Tensor *mu)
{
    return from_blocks(g, code, kind == FIRST ? 1 : code->time,
                       op_linear(g, mu, code->decode[kind].w, code->decode[kind].b, UNARY_NONE));
}

typedef Tensor *(*Kind)(Graph *g, const VaeCode *code, int kind, Tensor *x);

static Tensor *by_kind(Graph *g, const VaeCode *code, bool started, Tensor *x, Kind run)
{
    if (x == NULL || started)
        return run(g, code, REST, x);
    GraphScope scope = graph_scope(g);
    int64_t frames = x->shape[TIME];
    Tensor *parts[2] = {run(g, code, FIRST, op_slice(g, x, TIME, 0, 1)), NULL};
    if (frames == 1)
        return graph_keep(g, scope, parts[0]);
    parts[1] = run(g, code, REST, op_slice(g, x, TIME, 1, frames - 1));
    return graph_keep(g, scope, op_concat(g, 2, parts, TIME));
}

Tensor *vae_code_encode(Graph *g, const VaeCode *code, bool started, Tensor *patches)
{
    return by_kind(g, code, started, patches, encode_kind);
}

Tensor *vae_code_decode(Graph *g, const VaeCode *code, bool started, Tensor *mu)
{
    return by_kind(g, code, started, mu, decode_kind);
}
