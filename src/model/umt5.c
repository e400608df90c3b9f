#include "model/umt5.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

enum { MAX_ROWS = 8192 }; /* of one text: the table of positions has the square of it */

static Tensor *bind_norm(Params *p, int64_t dim, const char *name)
{
    return params_get(p, (Init){INIT_ONE, 0}, SHAPE(dim), "%s.weight", name);
}

static Tensor *bind_matrix(Params *p, double variance, int64_t out, int64_t in, const char *name)
{
    return params_get(p, (Init){INIT_NORMAL, (float)sqrt(variance)}, SHAPE(out, in), "%s.weight", name);
}

/* Starts as T5 does: variance 1 / inputs; smaller by the width of a head for q, since scores are not scaled.
 */
static Umt5Block bind_block(Params *p, const Umt5Config *c)
{
    double in = 1.0 / c->dim, head = (double)c->num_heads / c->dim_attn;
    return (Umt5Block){
        .norm1 = bind_norm(p, c->dim, "norm1"),
        .q = bind_matrix(p, in * head, c->dim_attn, c->dim, "attn.q"),
        .k = bind_matrix(p, in, c->dim_attn, c->dim, "attn.k"),
        .v = bind_matrix(p, in, c->dim_attn, c->dim, "attn.v"),
        .o = bind_matrix(p, 1.0 / c->dim_attn, c->dim, c->dim_attn, "attn.o"),
        .norm2 = bind_norm(p, c->dim, "norm2"),
        .gate = bind_matrix(p, in, c->dim_ffn, c->dim, "ffn.gate.0"),
        .fc1 = bind_matrix(p, in, c->dim_ffn, c->dim, "ffn.fc1"),
        .fc2 = bind_matrix(p, 1.0 / c->dim_ffn, c->dim, c->dim_ffn, "ffn.fc2"),
        .positions = bind_matrix(p, 0.5 / c->num_buckets / c->num_heads, c->num_buckets, c->num_heads,
                                 "pos_embedding.embedding"),
    };
}

void umt5_bind(Umt5 *m, const Umt5Config *c, Params *p)
{
    const char *outer = p->prefix;
    *m = (Umt5){.config = *c};
    m->token_embedding = bind_matrix(p, 1, c->vocab, c->dim, "token_embedding");
    m->blocks = arena_calloc(&p->arena, (size_t)c->num_layers * sizeof m->blocks[0]);
    if (m->blocks == NULL && !p->failed)
        p->failed = !error_set(&p->error, SORA_ERROR_MEMORY, "text encoder: out of memory");
    for (int i = 0; i < c->num_layers && !p->failed; i++) {
        char prefix[128];
        snprintf(prefix, sizeof prefix, "%sblocks.%d.", outer, i);
        p->prefix = prefix;
        m->blocks[i] = bind_block(p, c);
    }
    p->prefix = outer;
    m->norm = bind_norm(p, c->dim, "norm");
}

/* Half of the buckets are for keys after the query. Of each half the first half holds one distance each, the
 * rest grows by logarithms up to max_dist; in single precision, where the reference's borders come from. */
int umt5_bucket(const Umt5Config *c, int relative)
{
    int half = c->num_buckets / 2, exact = half / 2;
    int side = relative > 0 ? half : 0, distance = abs(relative);
    if (distance < exact)
        return side + distance;
    float far = logf((float)distance / (float)exact) / (float)log((double)c->max_dist / exact) *
                (float)(half - exact);
    int bucket = exact + (int)far;
    return side + (bucket < half - 1 ? bucket : half - 1);
}

typedef struct Positions {
    Tensor *cu;      /* I32 [samples + 1] */
    Tensor *buckets; /* I32 [longest * longest]: query, key */
    int64_t longest;
} Positions;

static bool check_batch(Graph *g, const Umt5Config *c, const Umt5Batch *b, int64_t *total, int64_t *longest)
{
    *total = *longest = 0;
    for (int i = 0; i < b->samples; i++) {
        if (b->rows[i] < 1 || b->rows[i] > MAX_ROWS)
            return graph_fail(g, SORA_ERROR_INPUT, "text encoder: a text of %lld tokens, expected 1 to %d",
                              (long long)b->rows[i], MAX_ROWS);
        *total += b->rows[i];
        *longest = b->rows[i] > *longest ? b->rows[i] : *longest;
    }
    if (*total < 1 || *total > INT32_MAX)
        return graph_fail(g, SORA_ERROR_INPUT, "text encoder: %lld tokens in a batch", (long long)*total);
    for (int64_t i = 0; i < *total; i++)
        if (b->ids[i] < 0 || b->ids[i] >= c->vocab)
            return graph_fail(g, SORA_ERROR_INPUT,
                              "text encoder: token id %d is outside the vocabulary of %d", b->ids[i],
                              c->vocab);
    return true;
}

static Positions positions(Graph *g, const Umt5Config *c, const Umt5Batch *b, int64_t longest)
{
    Positions out = {.longest = longest};
    Arena scratch;
    arena_init(&scratch, 0);
    int32_t *cu = arena_alloc(&scratch, ((size_t)b->samples + 1) * sizeof *cu);
    int32_t *buckets = arena_alloc(&scratch, (size_t)(longest * longest) * sizeof *buckets);
    if (cu == NULL || buckets == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "text encoder: out of memory");
    } else {
        cu[0] = 0;
        for (int i = 0; i < b->samples; i++)
            cu[i + 1] = cu[i] + (int32_t)b->rows[i];
        for (int64_t query = 0; query < longest; query++)
            for (int64_t key = 0; key < longest; key++)
                buckets[query * longest + key] = umt5_bucket(c, (int)(key - query));
        out.cu = graph_input(g, DTYPE_I32, SHAPE(b->samples + 1), cu);
        out.buckets = graph_input(g, DTYPE_I32, SHAPE(longest * longest), buckets);
    }
    arena_deinit(&scratch);
    return out;
}

/* [heads, longest, longest] */
static Tensor *position_bias(Graph *g, const Umt5Config *c, const Umt5Block *b, const Positions *p)
{
    Tensor *rows = op_gather(g, b->positions, p->buckets);
    Tensor *table = op_reshape(g, rows, SHAPE(p->longest, p->longest, c->num_heads));
    return op_permute(g, table, (const int[]){2, 0, 1});
}

static Tensor *project(Graph *g, Tensor *x, Tensor *w)
{
    return op_linear(g, x, w, NULL, UNARY_NONE);
}

static Tensor *block(Graph *g, const Umt5Config *c, const Umt5Block *b, Tensor *x, const Positions *p)
{
    Tensor *y = op_rms_norm(g, x, b->norm1, c->eps);
    y = op_attention(g, (AttentionInputs){.q = project(g, y, b->q),
                                          .k = project(g, y, b->k),
                                          .v = project(g, y, b->v),
                                          .cu_q = p->cu,
                                          .cu_k = p->cu,
                                          .bias = position_bias(g, c, b, p),
                                          .heads = c->num_heads,
                                          .scale = 1});
    x = op_add(g, x, project(g, y, b->o));

    y = op_rms_norm(g, x, b->norm2, c->eps);
    Tensor *gate = op_linear(g, y, b->gate, NULL, UNARY_GELU_TANH);
    y = op_mul(g, project(g, y, b->fc1), gate);
    return op_add(g, x, project(g, y, b->fc2));
}

Tensor *umt5_forward(Graph *g, const Umt5 *m, const Umt5Batch *b)
{
    int64_t total, longest;
    if (!check_batch(g, &m->config, b, &total, &longest))
        return NULL;
    Positions p = positions(g, &m->config, b, longest);
    Tensor *ids = graph_input(g, DTYPE_I32, SHAPE(total), b->ids);
    GraphScope scope = graph_scope(g);
    Tensor *x = op_gather(g, m->token_embedding, ids);
    for (int i = 0; i < m->config.num_layers; i++)
        x = graph_keep(g, scope, block(g, &m->config, &m->blocks[i], x, &p));
    return op_rms_norm(g, x, m->norm, m->config.eps);
}

Tensor *umt5_mean(Graph *g, Tensor *x, int samples, const int64_t *rows)
{
    if (x == NULL)
        return NULL;
    int64_t total = x->shape[0], next = 0;
    Arena scratch;
    arena_init(&scratch, 0);
    float *means = arena_calloc(&scratch, ((size_t)(samples * total) + 1) * sizeof *means);
    Tensor *m = NULL;
    if (means == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "text encoder: out of memory");
    } else {
        for (int i = 0; i < samples; i++)
            for (int64_t r = 0; r < rows[i] && next < total; r++)
                means[i * total + next++] = 1 / (float)rows[i];
        m = graph_input(g, DTYPE_F32, SHAPE(samples, total), means);
    }
    arena_deinit(&scratch);
    return op_matmul(g, m, x, (MatmulFlags){0});
}
