#include "model/transformer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/precondition.h"
#include "model/umt5.h"

static const Init ZERO = {INIT_ZERO, 0}, ONE = {INIT_ONE, 0};
static const double PICTURE_EPS = 1e-5; /* of the norms of img_emb */

/* --- parameters --- */

static DitLinear bind_linear(Params *p, Init init, int64_t out, int64_t in, const char *name)
{
    return (DitLinear){
        .w = params_get(p, init, SHAPE(out, in), "%s.weight", name),
        .b = params_get(p, ZERO, SHAPE(out), "%s.bias", name),
    };
}

static DitAttention bind_attention(Params *p, int64_t dim, int block, const char *name)
{
    DitLinear linear[4];
    for (int i = 0; i < 4; i++) {
        char full[64];
        snprintf(full, sizeof full, "blocks.%d.%s.%c", block, name, "qkvo"[i]);
        linear[i] = bind_linear(p, init_xavier(dim, dim), dim, dim, full);
    }
    return (DitAttention){
        .q = linear[0],
        .k = linear[1],
        .v = linear[2],
        .o = linear[3],
        .norm_q = params_get(p, ONE, SHAPE(dim), "blocks.%d.%s.norm_q.weight", block, name),
        .norm_k = params_get(p, ONE, SHAPE(dim), "blocks.%d.%s.norm_k.weight", block, name),
    };
}

static DitLinear bind_norm(Params *p, int64_t dim, const char *name)
{
    return (DitLinear){
        .w = params_get(p, ONE, SHAPE(dim), "%s.weight", name),
        .b = params_get(p, ZERO, SHAPE(dim), "%s.bias", name),
    };
}

/* The keys and values of a block's attention to pictures. */
static void bind_picture_attention(Params *p, int64_t dim, int block, DitBlock *b)
{
    char k[48], v[48];
    snprintf(k, sizeof k, "blocks.%d.cross_attn.k_img", block);
    snprintf(v, sizeof v, "blocks.%d.cross_attn.v_img", block);
    b->k_img = bind_linear(p, init_xavier(dim, dim), dim, dim, k);
    b->v_img = bind_linear(p, init_xavier(dim, dim), dim, dim, v);
    b->norm_k_img = params_get(p, ONE, SHAPE(dim), "blocks.%d.cross_attn.norm_k_img.weight", block);
}

static DitPictures bind_pictures(Params *p, const DitConfig *c)
{
    int64_t n = c->clip_dim, dim = c->dim;
    DitPictures m = {.norm_in = bind_norm(p, n, "img_emb.proj.0")};
    if (c->clip_rows > 0)
        m.positions = params_get(p, ZERO, SHAPE(1, c->clip_rows, n), "img_emb.emb_pos");
    m.proj[0] = bind_linear(p, init_xavier(n, n), n, n, "img_emb.proj.1");
    m.proj[1] = bind_linear(p, init_xavier(dim, n), dim, n, "img_emb.proj.3");
    m.norm_out = bind_norm(p, dim, "img_emb.proj.4");
    return m;
}

/* Modulation starts at random numbers of 1/sqrt(dim), as Wan's does: with time_projection at zero that is the
 * whole of it, so every block begins with gates of a few per cent, near the identity, and shifts and scales
 * near none. */
static DitBlock bind_block(Params *p, const DitConfig *c, int block)
{
    Init modulation = {INIT_NORMAL, 1 / sqrtf((float)c->dim)}, ffn = init_xavier(c->ffn_dim, c->dim);
    char norm3[32], ffn_0[32], ffn_2[32];
    snprintf(norm3, sizeof norm3, "blocks.%d.norm3", block);
    snprintf(ffn_0, sizeof ffn_0, "blocks.%d.ffn.0", block);
    snprintf(ffn_2, sizeof ffn_2, "blocks.%d.ffn.2", block);
    DitBlock b = {
        .modulation = params_get(p, modulation, SHAPE(1, 6, c->dim), "blocks.%d.modulation", block),
        .self = bind_attention(p, c->dim, block, "self_attn"),
        .cross = bind_attention(p, c->dim, block, "cross_attn"),
        .norm3 = bind_norm(p, c->dim, norm3),
        .ffn = {bind_linear(p, ffn, c->ffn_dim, c->dim, ffn_0),
                bind_linear(p, ffn, c->dim, c->ffn_dim, ffn_2)},
    };
    if (c->clip_dim > 0)
        bind_picture_attention(p, c->dim, block, &b);
    return b;
}

static int64_t patch_numel(const DitConfig *c)
{
    return (int64_t)c->patch_size[0] * c->patch_size[1] * c->patch_size[2];
}

/* The head starts at zero (a velocity of 0 everywhere) and so does time_projection (no block depends on t
 * yet): both learn from the first step, since their inputs are not zero. */
void dit_bind(Dit *m, const DitConfig *c, Params *p)
{
    int64_t dim = c->dim, out = c->out_dim * patch_numel(c);
    *m = (Dit){.config = *c};
    m->patch_embedding.w =
        params_get(p, init_xavier(dim, c->in_dim * patch_numel(c)),
                   SHAPE(dim, c->in_dim, c->patch_size[0], c->patch_size[1], c->patch_size[2]),
                   "patch_embedding.weight");
    m->patch_embedding.b = params_get(p, ZERO, SHAPE(dim), "patch_embedding.bias");
    m->text_embedding[0] =
        bind_linear(p, init_xavier(dim, c->text_dim), dim, c->text_dim, "text_embedding.0");
    m->text_embedding[1] = bind_linear(p, init_xavier(dim, dim), dim, dim, "text_embedding.2");
    m->time_embedding[0] =
        bind_linear(p, init_xavier(dim, c->freq_dim), dim, c->freq_dim, "time_embedding.0");
    m->time_embedding[1] = bind_linear(p, init_xavier(dim, dim), dim, dim, "time_embedding.2");
    m->time_projection = bind_linear(p, ZERO, 6 * dim, dim, "time_projection.1");
    if (c->pooled_text) {
        m->pooled_embedding[0] = bind_linear(p, init_xavier(dim, c->text_dim), dim, c->text_dim, "pooled_embedding.0");
        m->pooled_embedding[1] = bind_linear(p, init_xavier(dim, dim), dim, dim, "pooled_embedding.2");
    }
    m->blocks = arena_calloc(&p->arena, (size_t)c->num_layers * sizeof m->blocks[0]);
    if (m->blocks == NULL && !p->failed)
        p->failed = !error_set(&p->error, SORA_ERROR_MEMORY, "transformer: out of memory");
    for (int i = 0; i < c->num_layers && !p->failed; i++)
        m->blocks[i] = bind_block(p, c, i);
    m->head_modulation =
        params_get(p, (Init){INIT_NORMAL, 1 / sqrtf((float)dim)}, SHAPE(1, 2, dim), "head.modulation");
    m->head = bind_linear(p, ZERO, out, dim, "head.head");
    if (c->clip_dim > 0)
        m->img_emb = bind_pictures(p, c);
}

static bool is_target(const DitLoraConfig *c, const char *name, bool *used)
{
    bool found = false;
    for (int i = 0; i < c->target_count; i++)
        if (strstr(name, c->targets[i]) != NULL)
            found = used[i] = true;
    return found;
}

static void bind_lora_block(DitBlock *b, int block, const DitLoraConfig *c, bool *used, Params *p)
{
    const struct {
        const char *name;
        DitLinear *linear;
    } all[] = {{"self_attn.q", &b->self.q},   {"self_attn.k", &b->self.k},   {"self_attn.v", &b->self.v},   {"self_attn.o", &b->self.o},
               {"cross_attn.q", &b->cross.q}, {"cross_attn.k", &b->cross.k}, {"cross_attn.v", &b->cross.v}, {"cross_attn.o", &b->cross.o},
               {"ffn.0", &b->ffn[0]},         {"ffn.2", &b->ffn[1]}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        DitLinear *l = all[i].linear;
        if (!is_target(c, all[i].name, used))
            continue;
        int64_t out = l->w->shape[0], in = l->w->shape[1];
        Init init = {INIT_UNIFORM, 1 / sqrtf((float)in)};
        l->down = params_get(p, init, SHAPE(c->rank, in), "diffusion_model.blocks.%d.%s.lora_A.weight", block, all[i].name);
        l->up = params_get(p, ZERO, SHAPE(out, c->rank), "diffusion_model.blocks.%d.%s.lora_B.weight", block, all[i].name);
    }
}

void dit_bind_lora(Dit *m, const DitLoraConfig *c, Params *p)
{
    bool *used = arena_calloc(&p->arena, (size_t)c->target_count + 1);
    for (int i = 0; used != NULL && i < m->config.num_layers; i++)
        bind_lora_block(&m->blocks[i], i, c, used, p);
    for (int i = 0; !p->failed && i < c->target_count; i++)
        if (used == NULL || !used[i])
            p->failed = !error_set(&p->error, SORA_ERROR_INPUT, "\"targets\": \"%.60s\" is in no name: self_attn.q .k .v .o, cross_attn.q .k "
                                   ".v .o, ffn.0, ffn.2", c->targets[i]);
}

/* --- what does not change from step to step --- */

static Tensor *linear(Graph *g, Tensor *x, const DitLinear *l, Unary act)
{
    if (l->up == NULL)
        return op_linear(g, x, l->w, l->b, act);
    Tensor *change = op_linear(g, op_linear(g, x, l->down, NULL, UNARY_NONE), l->up, NULL, UNARY_NONE);
    Tensor *y = op_add(g, op_linear(g, x, l->w, l->b, UNARY_NONE), change);
    return act == UNARY_NONE ? y : op_unary(g, act, y);
}

static int text_count(const DitBatch *b)
{
    return b->text_span != NULL ? b->texts : b->samples;
}

static int64_t sample_tokens(const DitBatch *b, int sample)
{
    return b->grid[sample][0] * b->grid[sample][1] * b->grid[sample][2];
}

/* Spans fill each sample with whole texts. */
static bool check_spans(Graph *g, const DitBatch *b)
{
    int text = 0;
    for (int i = 0; i < b->samples && b->text_span != NULL; i++) {
        int64_t left = sample_tokens(b, i);
        for (; left > 0 && text < b->texts && b->text_span[text] > 0; text++)
            left -= b->text_span[text];
        if (left != 0 || (i == b->samples - 1 && text != b->texts))
            return graph_fail(g, SORA_ERROR_INPUT, "transformer: the spans of %d texts do not fill sample %d", b->texts, i);
    }
    return true;
}

/* The sum of all samples' tokens and of all texts' rows; false and the graph failed if a number is out of range. */
static bool check_batch(Graph *g, const DitConfig *c, const DitBatch *b, int64_t *tokens, int64_t *rows)
{
    *tokens = *rows = 0;
    for (int i = 0; i < b->samples; i++) {
        const int64_t *n = b->grid[i];
        int64_t product = 1;
        for (int d = 0; d < 3; d++)
            if (n[d] < 1 || n[d] > INT32_MAX || __builtin_mul_overflow(product, n[d], &product))
                product = INT32_MAX;
        *tokens += product;
        if (*tokens >= INT32_MAX)
            return graph_fail(g, SORA_ERROR_INPUT,
                              "transformer: a grid of %lld x %lld x %lld patches is out of range",
                              (long long)n[0], (long long)n[1], (long long)n[2]);
    }
    if (b->samples < 1 || (int64_t)text_count(b) * c->text_len > INT32_MAX)
        return graph_fail(g, SORA_ERROR_INPUT, "transformer: %d samples and %d texts in a batch", b->samples,
                          text_count(b));
    for (int i = 0; i < text_count(b); i++) {
        *rows += b->text_rows[i];
        if (b->text_rows[i] < 0 || b->text_rows[i] > c->text_len)
            return graph_fail(g, SORA_ERROR_INPUT, "transformer: %lld rows of text, expected 0 to %d",
                              (long long)b->text_rows[i], c->text_len);
    }
    return check_spans(g, b);
}

/* Where the previous sample has the same grid, its rows of a table are this one's too. */
static bool grid_again(const DitBatch *b, int sample)
{
    return sample > 0 && memcmp(b->grid[sample], b->grid[sample - 1], sizeof b->grid[sample]) == 0;
}

static float *repeat_rows(float *at, int64_t count)
{
    memcpy(at, at - count, (size_t)count * sizeof *at);
    return at + count;
}

/* (cos, sin) of the angles of one axis: pairs frequencies, 10000^(-i/pairs). */
static float *rope_axis(float *out, int64_t position, int pairs)
{
    for (int i = 0; i < pairs; i++) {
        double angle = (double)position * pow(10000.0, -(double)i / pairs);
        *out++ = (float)cos(angle);
        *out++ = (float)sin(angle);
    }
    return out;
}

/* [M, head_dim]. A third of a head's pairs each for frame, row and column; what is left over goes to the
 * frame. */
static Tensor *rope_table(Graph *g, const DitConfig *c, const DitBatch *b, int64_t tokens, Arena *scratch)
{
    int head_dim = c->dim / c->num_heads, third = head_dim / 6;
    float *table = arena_alloc(scratch, (size_t)tokens * (size_t)head_dim * sizeof *table), *at = table;
    if (table == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "transformer: out of memory");
    for (int i = 0; i < b->samples; i++) {
        if (grid_again(b, i)) {
            at = repeat_rows(at, sample_tokens(b, i) * head_dim);
            continue;
        }
        for (int64_t f = 0; f < b->grid[i][0]; f++)
            for (int64_t row = 0; row < b->grid[i][1]; row++)
                for (int64_t column = 0; column < b->grid[i][2]; column++) {
                    at = rope_axis(at, f, head_dim / 2 - 2 * third);
                    at = rope_axis(at, row, third);
                    at = rope_axis(at, column, third);
                }
    }
    return graph_input(g, DTYPE_F32, SHAPE(tokens, head_dim), table);
}

/* [M, dim]. A third of the numbers each for frame, row and column, sines first, then cosines; what is left over is 0. */
static Tensor *position_table(Graph *g, const DitConfig *c, const DitBatch *b, int64_t tokens, Arena *scratch)
{
    int half = c->dim / 6;
    float *table = arena_calloc(scratch, (size_t)tokens * (size_t)c->dim * sizeof *table), *at = table;
    if (table == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "transformer: out of memory");
    for (int i = 0; i < b->samples; i++) {
        const int64_t *n = b->grid[i];
        if (grid_again(b, i)) {
            at = repeat_rows(at, sample_tokens(b, i) * c->dim);
            continue;
        }
        for (int64_t k = 0; k < n[0] * n[1] * n[2]; k++, at += c->dim) {
            const int64_t place[3] = {k / (n[1] * n[2]), k / n[2] % n[1], k % n[2]};
            for (int axis = 0; axis < 3; axis++)
                for (int j = 0; j < half; j++) {
                    double angle = (double)place[axis] * pow(10000.0, -(double)j / half);
                    at[2 * axis * half + j] = (float)sin(angle);
                    at[(2 * axis + 1) * half + j] = (float)cos(angle);
                }
        }
    }
    return graph_input(g, DTYPE_F32, SHAPE(tokens, c->dim), table);
}

/* Where the tokens of each sample begin (text_span NULL), or those that listen to each text; and the end. */
static Tensor *token_offsets(Graph *g, const DitBatch *b, const int64_t *text_span, Arena *scratch)
{
    int count = text_span != NULL ? b->texts : b->samples;
    int32_t *at = arena_alloc(scratch, ((size_t)count + 1) * sizeof *at);
    if (at == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "transformer: out of memory");
    at[0] = 0;
    for (int i = 0; i < count; i++)
        at[i + 1] = at[i] + (int32_t)(text_span != NULL ? text_span[i] : sample_tokens(b, i));
    return graph_input(g, DTYPE_I32, SHAPE(count + 1), at);
}

/* Each text's rows of the packed ones, then the row of padding (the last one) up to text_len, unless the config has
 * attention without padding; where there is no text that row is seen all the same. */
static void index_text(Graph *g, const DitConfig *c, const DitBatch *b, int64_t rows, DitContext *out,
                       Arena *scratch)
{
    int texts = text_count(b);
    int64_t total = (int64_t)texts * c->text_len;
    int32_t *index = arena_alloc(scratch, (size_t)total * sizeof *index);
    int32_t *offsets = arena_alloc(scratch, ((size_t)texts + 1) * sizeof *offsets);
    if (index == NULL || offsets == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "transformer: out of memory");
        return;
    }
    int32_t next = 0, used = 0;
    for (int i = 0; i < texts; i++) {
        int64_t own = b->text_rows[i] > 0 ? b->text_rows[i] : 1, seen = c->masked_text ? own : c->text_len;
        offsets[i] = used;
        for (int64_t r = 0; r < seen; r++)
            index[used++] = r < b->text_rows[i] ? next++ : (int32_t)rows;
    }
    offsets[texts] = used;
    out->text_index = graph_input(g, DTYPE_I32, SHAPE(used), index);
    out->text_tokens = graph_input(g, DTYPE_I32, SHAPE(texts + 1), offsets);
}

/* The reference pads the text with zero rows before this embedding and masks nothing; all rows of padding
 * come out the same, so one is computed here and repeated by text_index. */
static Tensor *embed_text(Graph *g, const Dit *m, const DitBatch *b, int64_t rows)
{
    Tensor *x = rows > 0 ? op_pad(g, b->text, 0, 0, 1) : op_fill(g, SHAPE(1, m->config.text_dim), 0);
    if (x != NULL && x->shape[0] != rows + 1)
        return graph_fail(g, SORA_ERROR_INPUT, "transformer: text has %lld rows, the batch says %lld",
                          (long long)x->shape[0] - 1, (long long)rows);
    x = linear(g, x, &m->text_embedding[0], UNARY_GELU_TANH);
    return linear(g, x, &m->text_embedding[1], UNARY_NONE);
}

/* The mean of each text's rows, through two layers, for each of the batch's timesteps. [R, dim] */
static Tensor *pool_text(Graph *g, const Dit *m, const DitBatch *b, int64_t rows)
{
    int64_t texts = text_count(b);
    Tensor *x = rows > 0 ? umt5_mean(g, b->text, (int)texts, b->text_rows) : op_fill(g, SHAPE(texts, m->config.text_dim), 0);
    x = linear(g, linear(g, x, &m->pooled_embedding[0], UNARY_SILU), &m->pooled_embedding[1], UNARY_NONE);
    return op_gather(g, x, b->t_sample);
}

/* Each sample's rows of the pictures: the same ones. */
static void index_pictures(Graph *g, const DitBatch *b, DitContext *out, Arena *scratch)
{
    int64_t rows = b->pictures->shape[0], total = b->samples * rows;
    int32_t *index = arena_alloc(scratch, (size_t)total * sizeof *index);
    int32_t *offsets = arena_alloc(scratch, ((size_t)b->samples + 1) * sizeof *offsets);
    if (index == NULL || offsets == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "transformer: out of memory");
        return;
    }
    for (int64_t i = 0; i < total; i++)
        index[i] = (int32_t)(i % rows);
    for (int i = 0; i <= b->samples; i++)
        offsets[i] = (int32_t)(i * rows);
    out->picture_index = graph_input(g, DTYPE_I32, SHAPE(total), index);
    out->picture_tokens = graph_input(g, DTYPE_I32, SHAPE(b->samples + 1), offsets);
}

static Tensor *embed_pictures(Graph *g, const Dit *m, Tensor *x)
{
    const DitPictures *e = &m->img_emb;
    if (e->positions != NULL)
        x = op_add(g, x, op_reshape(g, e->positions, SHAPE(m->config.clip_rows, m->config.clip_dim)));
    x = op_layer_norm(g, x, e->norm_in.w, e->norm_in.b, PICTURE_EPS);
    x = linear(g, linear(g, x, &e->proj[0], UNARY_GELU_ERF), &e->proj[1], UNARY_NONE);
    return op_layer_norm(g, x, e->norm_out.w, e->norm_out.b, PICTURE_EPS);
}

static bool check_pictures(Graph *g, const DitConfig *c, const DitBatch *b)
{
    const Tensor *x = b->pictures;
    if (c->clip_dim == 0 && x == NULL)
        return true;
    if (x == NULL || x->ndim != 2 || x->shape[1] != c->clip_dim || x->shape[0] < 1 ||
        (c->clip_rows > 0 && x->shape[0] != c->clip_rows) || x->shape[0] > INT32_MAX / b->samples) {
        char text[160] = "none", rows[24] = "rows";
        if (x != NULL)
            tensor_shape_text(x, text, sizeof text);
        if (c->clip_rows > 0)
            snprintf(rows, sizeof rows, "%d", c->clip_rows);
        graph_fail(g, SORA_ERROR_INPUT, "transformer: pictures are %s, expected [%s, %d]", text, rows,
                   c->clip_dim);
        return false;
    }
    return true;
}

DitContext dit_prepare(Graph *g, const Dit *m, const DitBatch *b)
{
    DitContext out = {0};
    int64_t tokens, rows;
    if (!check_batch(g, &m->config, b, &tokens, &rows) || !check_pictures(g, &m->config, b))
        return out;
    Arena scratch;
    arena_init(&scratch, 0);
    out.rope = rope_table(g, &m->config, b, tokens, &scratch);
    out.tokens = token_offsets(g, b, NULL, &scratch);
    out.listeners = b->text_span != NULL ? token_offsets(g, b, b->text_span, &scratch) : out.tokens;
    index_text(g, &m->config, b, rows, &out, &scratch);
    if (b->pictures != NULL)
        index_pictures(g, b, &out, &scratch);
    if (m->config.absolute_positions)
        out.positions = position_table(g, &m->config, b, tokens, &scratch);
    out.text = embed_text(g, m, b, rows);
    if (m->config.pooled_text)
        out.pooled = pool_text(g, m, b, rows);
    out.tap = b->tap;
    arena_deinit(&scratch);
    if (b->pictures != NULL)
        out.pictures = embed_pictures(g, m, b->pictures);
    return out;
}

/* --- a step --- */

Tensor *dit_sinusoid(Graph *g, const DitConfig *c, Tensor *timesteps)
{
    if (timesteps == NULL)
        return NULL;
    int half = c->freq_dim / 2;
    int64_t count = tensor_numel(timesteps);
    Tensor *out = NULL;
    Arena scratch;
    arena_init(&scratch, 0);
    float *t = arena_calloc(&scratch, tensor_bytes(timesteps));
    float *rows = arena_alloc(&scratch, (size_t)count * (size_t)c->freq_dim * sizeof *rows);
    if (t == NULL || rows == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "transformer: out of memory");
    } else {
        graph_download(g, timesteps, t);
        for (int64_t r = 0; r < count; r++)
            for (int i = 0; i < half; i++) {
                double angle = (double)t[r] * pow(10000.0, -(double)i / half);
                rows[r * c->freq_dim + i] = (float)cos(angle);
                rows[r * c->freq_dim + half + i] = (float)sin(angle);
            }
        out = graph_input(g, DTYPE_F32, SHAPE(count, c->freq_dim), rows);
    }
    arena_deinit(&scratch);
    return out;
}

static Tensor *embed_time(Graph *g, const Dit *m, Tensor *timesteps)
{
    Tensor *x = linear(g, dit_sinusoid(g, &m->config, timesteps), &m->time_embedding[0], UNARY_SILU);
    return linear(g, x, &m->time_embedding[1], UNARY_NONE);
}

static double attention_scale(const DitConfig *c)
{
    return 1 / sqrt((double)c->dim / c->num_heads);
}

static Tensor *self_attention(Graph *g, const Dit *m, const DitAttention *a, Tensor *x, const DitContext *c)
{
    int heads = m->config.num_heads;
    double eps = m->config.eps;
    Tensor *q = op_rope(g, op_rms_norm(g, linear(g, x, &a->q, UNARY_NONE), a->norm_q, eps), c->rope, heads);
    Tensor *k = op_rope(g, op_rms_norm(g, linear(g, x, &a->k, UNARY_NONE), a->norm_k, eps), c->rope, heads);
    Tensor *v = linear(g, x, &a->v, UNARY_NONE);
    Tensor *y = op_attention(
        g, (AttentionInputs){q, k, v, c->tokens, c->tokens, NULL, heads, attention_scale(&m->config)});
    return linear(g, y, &a->o, UNARY_NONE);
}

/* What the queries hear of the pictures. */
static Tensor *picture_attention(Graph *g, const Dit *m, const DitBlock *b, Tensor *q, const DitContext *c)
{
    Tensor *k = linear(g, c->pictures, &b->k_img, UNARY_NONE);
    k = op_gather(g, op_rms_norm(g, k, b->norm_k_img, m->config.eps), c->picture_index);
    Tensor *v = op_gather(g, linear(g, c->pictures, &b->v_img, UNARY_NONE), c->picture_index);
    return op_attention(g, (AttentionInputs){q, k, v, c->tokens, c->picture_tokens, NULL, m->config.num_heads,
                                             attention_scale(&m->config)});
}

/* Keys and values are made of the distinct rows of text and then repeated: padding costs no products. */
static Tensor *cross_attention(Graph *g, const Dit *m, const DitBlock *b, Tensor *x, const DitContext *c)
{
    const DitAttention *a = &b->cross;
    double eps = m->config.eps;
    Tensor *q = op_rms_norm(g, linear(g, x, &a->q, UNARY_NONE), a->norm_q, eps);
    Tensor *k = op_rms_norm(g, linear(g, c->text, &a->k, UNARY_NONE), a->norm_k, eps);
    Tensor *v = linear(g, c->text, &a->v, UNARY_NONE);
    k = op_gather(g, k, c->text_index);
    v = op_gather(g, v, c->text_index);
    Tensor *y = op_attention(g, (AttentionInputs){q, k, v, c->listeners, c->text_tokens, NULL,
                                                  m->config.num_heads, attention_scale(&m->config)});
    if (c->pictures != NULL)
        y = op_add(g, y, picture_attention(g, m, b, q, c));
    return linear(g, y, &a->o, UNARY_NONE);
}

static Tensor *feed_forward(Graph *g, const DitBlock *b, Tensor *x)
{
    return linear(g, linear(g, x, &b->ffn[0], UNARY_GELU_TANH), &b->ffn[1], UNARY_NONE);
}

/* Part i of the modulation [R, parts * dim] -> [R, dim]. */
static Tensor *part(Graph *g, Tensor *modulation, int i, int64_t dim)
{
    return op_slice(g, modulation, 1, i * dim, dim);
}

/* e: time_projection's result [R, 6 * dim]. */
static Tensor *block(Graph *g, const Dit *m, const DitBlock *b, Tensor *x, Tensor *e, Tensor *t_index,
                     const DitContext *c)
{
    double eps = m->config.eps;
    Tensor *s[6];
    e = op_add(g, e, op_reshape(g, b->modulation, SHAPE(-1)));
    for (int i = 0; i < 6; i++)
        s[i] = part(g, e, i, m->config.dim);

    GraphScope scope = graph_scope(g);
    Tensor *y = op_norm_modulate(g, x, eps, (Modulation){s[0], s[1], t_index});
    y = self_attention(g, m, &b->self, y, c);
    x = graph_keep(g, scope, op_gate(g, x, y, s[2], t_index));

    scope = graph_scope(g);
    y = op_layer_norm(g, x, b->norm3.w, b->norm3.b, eps);
    x = graph_keep(g, scope, op_add(g, x, cross_attention(g, m, b, y, c)));

    y = op_norm_modulate(g, x, eps, (Modulation){s[3], s[4], t_index});
    return op_gate(g, x, feed_forward(g, b, y), s[5], t_index);
}

/* A block that is computed again in backward. */
typedef struct BlockArgs {
    const Dit *m;
    const DitBlock *block;
    Tensor *t_index;
    DitContext context;
} BlockArgs;

static Tensor *run_block(Graph *g, void *arg, Tensor *const *in)
{
    BlockArgs *a = arg;
    DitContext c = a->context;
    c.text = in[2];
    c.pictures = in[3];
    return block(g, a->m, a->block, in[0], in[1], a->t_index, &c);
}

static Tensor *block_again(Graph *g, const Dit *m, const DitBlock *b, Tensor *x, Tensor *e, Tensor *t_index, const DitContext *c)
{
    BlockArgs args = {m, b, t_index, *c};
    return graph_recompute(g, run_block, &args, sizeof args, 4, (Tensor *const[]){x, e, c->text, c->pictures});
}

/* e: time_embedding's result [R, dim]. */
static Tensor *head(Graph *g, const Dit *m, Tensor *x, Tensor *e, Tensor *t_index)
{
    int64_t dim = m->config.dim;
    Tensor *modulation = op_reshape(g, m->head_modulation, SHAPE(1, 2 * dim));
    Tensor *shift = op_add(g, e, op_reshape(g, part(g, modulation, 0, dim), SHAPE(dim)));
    Tensor *scale = op_add(g, e, op_reshape(g, part(g, modulation, 1, dim), SHAPE(dim)));
    x = op_norm_modulate(g, x, m->config.eps, (Modulation){shift, scale, t_index});
    return linear(g, x, &m->head, UNARY_NONE);
}

/* Patches in the order of DitBatch.patches, (c, cell), -> that of the result, (cell, c). */
static Tensor *reorder(Graph *g, const DitConfig *c, Tensor *patches)
{
    int64_t cells = patch_numel(c);
    Tensor *x = op_permute(g, op_reshape(g, patches, SHAPE(-1, c->in_dim, cells)), (const int[]){0, 2, 1});
    return op_reshape(g, x, SHAPE(-1, cells * c->in_dim));
}

Tensor *dit_step(Graph *g, const Dit *m, const DitContext *c, Tensor *patches, Tensor *timesteps,
                 Tensor *t_index)
{
    const DitConfig *config = &m->config;
    Precondition p = {0};
    if (config->preconditioned)
        p = precondition_tables(g, timesteps, config->latent_variance, config->in_dim, patch_numel(config));
    Tensor *e = embed_time(g, m, timesteps);
    if (c->pooled != NULL)
        e = op_add(g, e, c->pooled);
    Tensor *e6 = linear(g, op_silu(g, e), &m->time_projection, UNARY_NONE);
    GraphScope scope = graph_scope(g);
    Tensor *x = config->preconditioned ? precondition_in(g, &p, patches, t_index) : patches;
    x = linear(g, x, &m->patch_embedding, UNARY_NONE);
    if (c->positions != NULL)
        x = op_add(g, x, c->positions);
    for (int i = 0; i < config->num_layers; i++) {
        x = graph_keep(g, scope, (m->recompute ? block_again : block)(g, m, &m->blocks[i], x, e6, t_index, c));
        if (c->tap != NULL && c->tap->block == i)
            c->tap->tokens = x;
    }
    x = head(g, m, x, e, t_index);
    return config->preconditioned ? precondition_out(g, &p, x, reorder(g, config, patches), t_index) : x;
}

Tensor *dit_forward(Graph *g, const Dit *m, const DitBatch *b)
{
    DitContext c = dit_prepare(g, m, b);
    return dit_step(g, m, &c, b->patches, b->timesteps, b->t_index);
}

/* --- latents and patches --- */

/* [C, F, H, W] as [C, f, pt, h, ph, w, pw]. */
static Tensor *split_latent(Graph *g, const DitConfig *c, Tensor *latent)
{
    if (latent == NULL)
        return NULL;
    const int64_t *s = latent->shape;
    const int *p = c->patch_size;
    if (latent->ndim != 4 || s[1] % p[0] != 0 || s[2] % p[1] != 0 || s[3] % p[2] != 0) {
        char text[160];
        return graph_fail(g, SORA_ERROR_INPUT,
                          "transformer: latent %s does not divide into patches of %d x %d x %d",
                          tensor_shape_text(latent, text, sizeof text), p[0], p[1], p[2]);
    }
    return op_reshape(g, latent, SHAPE(s[0], s[1] / p[0], p[0], s[2] / p[1], p[1], s[3] / p[2], p[2]));
}

Tensor *dit_patchify(Graph *g, const DitConfig *c, Tensor *latent)
{
    Tensor *x = op_permute(g, split_latent(g, c, latent), (const int[]){1, 3, 5, 0, 2, 4, 6});
    return x ? op_reshape(g, x, SHAPE(-1, x->shape[3] * patch_numel(c))) : NULL;
}

Tensor *dit_patchify_head(Graph *g, const DitConfig *c, Tensor *latent)
{
    Tensor *x = op_permute(g, split_latent(g, c, latent), (const int[]){1, 3, 5, 2, 4, 6, 0});
    return x ? op_reshape(g, x, SHAPE(-1, x->shape[6] * patch_numel(c))) : NULL;
}

Tensor *dit_unpatchify(Graph *g, const DitConfig *c, Tensor *rows, const int64_t grid[3])
{
    const int *p = c->patch_size;
    Tensor *x = op_reshape(g, rows, SHAPE(grid[0], grid[1], grid[2], p[0], p[1], p[2], c->out_dim));
    x = op_permute(g, x, (const int[]){6, 0, 3, 1, 4, 2, 5});
    return op_reshape(g, x, SHAPE(c->out_dim, grid[0] * p[0], grid[1] * p[1], grid[2] * p[2]));
}
