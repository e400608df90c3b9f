#include "model/clip.h"

#include <math.h>
#include <stdio.h>

enum { MAX_BATCH = 64, MAX_NAME = 96 };

static ClipLinear bind(Params *p, Init init, int64_t out, int64_t in, const char *name)
{
    return (ClipLinear){
        .w = in > 0 ? params_get(p, init, SHAPE(out, in), "visual.%s.weight", name)
                    : params_get(p, init, SHAPE(out), "visual.%s.weight", name),
        .b = params_get(p, (Init){INIT_ZERO, 0}, SHAPE(out), "visual.%s.bias", name),
    };
}

static ClipLinear bind_norm(Params *p, int64_t dim, const char *name)
{
    return bind(p, (Init){INIT_ONE, 0}, dim, 0, name);
}

static ClipBlock bind_block(Params *p, const ClipConfig *c, int block)
{
    static const char *const NAMES[] = {"norm1", "attn.to_qkv", "attn.proj", "norm2", "mlp.0", "mlp.2"};
    char name[6][MAX_NAME];
    for (int i = 0; i < 6; i++)
        snprintf(name[i], MAX_NAME, "transformer.%d.%s", block, NAMES[i]);
    int64_t dim = c->dim, hidden = c->mlp_dim;
    return (ClipBlock){
        .norm1 = bind_norm(p, dim, name[0]),
        .qkv = bind(p, init_xavier(dim, dim), 3 * dim, dim, name[1]),
        .proj = bind(p, init_xavier(dim, dim), dim, dim, name[2]),
        .norm2 = bind_norm(p, dim, name[3]),
        .mlp = {bind(p, init_xavier(hidden, dim), hidden, dim, name[4]),
                bind(p, init_xavier(dim, hidden), dim, hidden, name[5])},
    };
}

int64_t clip_rows(const ClipConfig *c)
{
    int64_t side = c->image_size / c->patch_size;
    return 1 + side * side;
}

void clip_bind(Clip *m, const ClipConfig *c, Params *p)
{
    int64_t dim = c->dim, patch = c->patch_size;
    Init embedding = {INIT_NORMAL, 1 / sqrtf((float)dim)};
    *m = (Clip){.config = *c};
    m->patch_embedding = params_get(p, init_xavier(dim, 3 * patch * patch), SHAPE(dim, 3, patch, patch),
                                    "visual.patch_embedding.weight");
    m->cls = params_get(p, embedding, SHAPE(1, 1, dim), "visual.cls_embedding");
    m->positions = params_get(p, embedding, SHAPE(1, clip_rows(c), dim), "visual.pos_embedding");
    m->pre_norm = bind_norm(p, dim, "pre_norm");
    m->blocks = arena_calloc(&p->arena, (size_t)c->num_layers * sizeof m->blocks[0]);
    if (m->blocks == NULL && !p->failed)
        p->failed = !error_set(&p->error, SORA_ERROR_MEMORY, "image encoder: out of memory");
    for (int i = 0; i + 1 < c->num_layers && !p->failed; i++)
        m->blocks[i] = bind_block(p, c, i);
}

Tensor *clip_normalise(Graph *g, Tensor *pixels)
{
    static const double MEAN[3] = {0.48145466, 0.4578275, 0.40821073};
    static const double STD[3] = {0.26862954, 0.26130258, 0.27577711};
    float factor[3], offset[3];
    for (int i = 0; i < 3; i++) {
        factor[i] = (float)(0.5 / STD[i]);
        offset[i] = (float)((0.5 - MEAN[i]) / STD[i]);
    }
    Tensor *x = op_mul(g, pixels, graph_input(g, DTYPE_F32, SHAPE(3), factor));
    return op_add(g, x, graph_input(g, DTYPE_F32, SHAPE(3), offset));
}

/* [B, H, W, 3] -> [B, patches, 3 * patch * patch], each flattened in the order (colour, row, column). */
static Tensor *patchify(Graph *g, const ClipConfig *c, Tensor *x)
{
    int64_t b = x->shape[0], patch = c->patch_size, side = c->image_size / patch;
    x = op_permute(g, op_reshape(g, x, SHAPE(b, side, patch, side, patch, 3)), (int[]){0, 1, 3, 5, 2, 4});
    return op_reshape(g, x, SHAPE(b, side * side, 3 * patch * patch));
}

/* The class token before the patches of each picture, all with their positions. -> [B, rows, dim] */
static Tensor *embed(Graph *g, const Clip *m, Tensor *x)
{
    int64_t b = x->shape[0], dim = m->config.dim, rows = clip_rows(&m->config);
    x = op_linear(g, patchify(g, &m->config, x), m->patch_embedding, NULL, UNARY_NONE);
    Tensor *cls = op_add(g, op_fill(g, SHAPE(b, 1, dim), 0), op_reshape(g, m->cls, SHAPE(dim)));
    x = op_concat(g, 2, (Tensor *[]){cls, x}, 1);
    x = op_add(g, x, op_reshape(g, m->positions, SHAPE(rows, dim)));
    return op_layer_norm(g, x, m->pre_norm.w, m->pre_norm.b, m->config.eps);
}

/* x [M, dim]; starts: where each picture's rows begin. */
static Tensor *attention(Graph *g, const Clip *m, const ClipBlock *b, Tensor *x, Tensor *starts)
{
    int64_t dim = m->config.dim;
    Tensor *qkv = op_linear(g, x, b->qkv.w, b->qkv.b, UNARY_NONE);
    Tensor *y = op_attention(g, (AttentionInputs){.q = op_slice(g, qkv, 1, 0, dim),
                                                  .k = op_slice(g, qkv, 1, dim, dim),
                                                  .v = op_slice(g, qkv, 1, 2 * dim, dim),
                                                  .cu_q = starts,
                                                  .cu_k = starts,
                                                  .heads = m->config.num_heads,
                                                  .scale = 1 / sqrt((double)dim / m->config.num_heads)});
    return op_linear(g, y, b->proj.w, b->proj.b, UNARY_NONE);
}

static Tensor *block(Graph *g, const Clip *m, const ClipBlock *b, Tensor *x, Tensor *starts)
{
    double eps = m->config.eps;
    x = op_add(g, x, attention(g, m, b, op_layer_norm(g, x, b->norm1.w, b->norm1.b, eps), starts));
    Tensor *y = op_layer_norm(g, x, b->norm2.w, b->norm2.b, eps);
    y = op_linear(g, y, b->mlp[0].w, b->mlp[0].b, UNARY_GELU_ERF);
    return op_add(g, x, op_linear(g, y, b->mlp[1].w, b->mlp[1].b, UNARY_NONE));
}

Tensor *clip_forward(Graph *g, const Clip *m, Tensor *x)
{
    const ClipConfig *c = &m->config;
    if (x == NULL)
        return NULL;
    if (x->ndim != 4 || x->shape[0] > MAX_BATCH || x->shape[1] != c->image_size ||
        x->shape[2] != c->image_size || x->shape[3] != 3) {
        char text[160];
        return graph_fail(g, SORA_ERROR_INPUT, "image encoder: pictures %s, expected [1 to %d, %d, %d, 3]",
                          tensor_shape_text(x, text, sizeof text), MAX_BATCH, c->image_size, c->image_size);
    }
    int64_t count = x->shape[0];
    int32_t offsets[MAX_BATCH + 1];
    for (int64_t i = 0; i <= count; i++)
        offsets[i] = (int32_t)(i * clip_rows(c));
    Tensor *starts = graph_input(g, DTYPE_I32, SHAPE(count + 1), offsets);
    GraphScope scope = graph_scope(g);
    x = embed(g, m, x);
    x = graph_keep(g, scope, x != NULL ? op_reshape(g, x, SHAPE(-1, c->dim)) : NULL);
    for (int i = 0; i + 1 < c->num_layers; i++)
        x = graph_keep(g, scope, block(g, m, &m->blocks[i], x, starts));
    return x;
}
