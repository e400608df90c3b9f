/* The gradient of attention: the scores of a block of queries against all keys are computed again. With
 * weights P = softmax(S): dV = P^T dO, dP = dO V^T, dS = P (dP - rowsum(P dP)), dQ = scale dS K, dK = scale
 * dS^T Q, dbias = dS. Sums are of dV^T = dO^T P and dK^T = Q^T dS, so that P and dS, which are large, are right operands
 * as they come. */
#include <string.h>

#include "cpu/attention.h"

typedef struct AttentionGradPlan {
    Heads h;
    const float *dy, *q, *k, *v;
    float *dq, *dk, *dv;
    const Tensor *dbias; /* or NULL */
    int64_t longest;     /* keys of the longest sample, padded */
    char *threads;
    size_t thread_bytes;
} AttentionGradPlan;

/* What a thread works in. Names end in what they are for: _k along k of a product, _n along n, _t transposed. */
typedef struct Worker {
    char *keys_n, *values_n, *keys_k;    /* K^T, V^T, K as the right operand */
    char *q, *dy, *q_t, *dy_t, *left;    /* the block's Q, dO, their transposes and dS as left operands */
    char *weights_n, *dscores_n;         /* the block's P and dS as right operands */
    float *weights, *dweights;           /* exp of scores, dP */
    float *dk_t, *dv_t, *dq, *rows;      /* sums; dK or dV */
    float inverse[QUERY_BLOCK], d[QUERY_BLOCK];
} Worker;

/* Lays the worker out in memory; returns the bytes. memory may be NULL, to measure. */
static size_t lay_out(const AttentionGradPlan *p, char *memory, Worker *w)
{
    const Heads *h = &p->h;
    size_t size = (size_t)h->mini->size;
    struct {
        void *place;
        size_t bytes;
    } parts[] = {
        {&w->keys_n, pad_bytes(p->longest * h->d_pad, size)},
        {&w->values_n, pad_bytes(p->longest * h->d_pad, size)},
        {&w->keys_k, pad_bytes(p->longest * h->d_n, size)},
        {&w->q, pad_bytes(QUERY_BLOCK * h->d_pad, size)},
        {&w->dy, pad_bytes(QUERY_BLOCK * h->d_pad, size)},
        {&w->q_t, pad_bytes(h->d_n * QUERY_BLOCK, size)},
        {&w->dy_t, pad_bytes(h->d_n * QUERY_BLOCK, size)},
        {&w->left, pad_bytes(QUERY_BLOCK * p->longest, size)},
        {&w->weights_n, pad_bytes(QUERY_BLOCK * p->longest, size)},
        {&w->dscores_n, pad_bytes(QUERY_BLOCK * p->longest, size)},
        {&w->weights, pad_bytes(QUERY_BLOCK * p->longest, sizeof(float))},
        {&w->dweights, pad_bytes(QUERY_BLOCK * p->longest, sizeof(float))},
        {&w->dk_t, pad_bytes(h->d_n * p->longest, sizeof(float))},
        {&w->dv_t, pad_bytes(h->d_n * p->longest, sizeof(float))},
        {&w->dq, pad_bytes(QUERY_BLOCK * h->d_n, sizeof(float))},
        {&w->rows, pad_bytes(p->longest * h->d_n, sizeof(float))},
    };
    size_t total = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *at = memory ? memory + total : NULL;
        memcpy(parts[i].place, &at, sizeof at);
        total += parts[i].bytes;
    }
    return total;
}

/* One head of one sample. */
typedef struct Task {
    int64_t b, head, keys, columns; /* columns: keys padded as n */
} Task;

/* Packs the block's rows and leaves P and dS as operands. */
static void differentiate(const AttentionGradPlan *p, Worker *w, const Task *t, int64_t query, int64_t rows)
{
    const Heads *h = &p->h;
    const MiniGemm *mini = h->mini;
    int64_t at = (h->cu_q[t->b] + query) * h->n + t->head * h->d, padded = round_up(rows, MINI_PAD);
    mini->pack_a(w->q, p->q + at, h->n, rows, h->d, h->d_k);
    mini->pack_a(w->dy, p->dy + at, h->n, rows, h->d, h->d_k);
    mini->pack_a_transposed(w->q_t, p->q + at, h->n, rows, h->d, padded);
    mini->pack_a_transposed(w->dy_t, p->dy + at, h->n, rows, h->d, padded);
    MiniShape s = {rows, t->columns, h->d_k, h->d_k, t->columns, false, false};
    mini->multiply(&s, w->q, w->keys_n, w->weights);
    mini->multiply(&s, w->dy, w->values_n, w->dweights);
    for (int64_t r = 0; r < rows; r++) {
        float *scores = w->weights + r * t->columns, sums[2];
        const float *bias = bias_row(h, t->head, query + r);
        float max = bias ? h->simd->bias_max(scores, h->scale, bias, t->keys) : h->scale * h->simd->max(scores, t->keys);
        mini->weigh(scores, &(ScoreRow){scores, bias ? 1 : h->scale, max, t->keys, t->columns},
                    w->dweights + r * t->columns, sums);
        w->inverse[r] = 1 / sums[0];
        w->d[r] = sums[1] / sums[0];
    }
    mini->score_grad(&(ScoreGrad){.e = w->weights, .inverse = w->inverse, .d = w->d, .dp = w->dweights, .rows = rows,
                                  .columns = t->columns, .k = round_up(t->keys, mini->k_unit),
                                  .keep = p->dbias != NULL, .p_n = w->weights_n, .ds_n = w->dscores_n, .ds = w->left});
    for (int64_t r = 0; r < rows && p->dbias != NULL; r++) {
        const int64_t *shape = p->dbias->shape;
        float *row = (float *)p->dbias->data + (t->head * shape[1] + query + r) * shape[2];
        h->simd->add(row, row, w->dweights + r * t->columns, t->keys);
    }
}

static void accumulate(const AttentionGradPlan *p, const Worker *w, const Task *t, int64_t query, int64_t rows)
{
    const Heads *h = &p->h;
    const MiniGemm *mini = h->mini;
    int64_t at = (h->cu_q[t->b] + query) * h->n + t->head * h->d, k = round_up(t->keys, mini->k_unit);
    mini->multiply(&(MiniShape){rows, h->d_n, k, k, h->d_n, false, false}, w->left, w->keys_k, w->dq);
    for (int64_t r = 0; r < rows; r++)
        h->simd->scale(p->dq + at + r * h->n, w->dq + r * h->d_n, h->scale, 0, h->d);
    MiniShape s = {h->d, t->columns, round_up(rows, mini->k_unit), round_up(rows, MINI_PAD), t->columns, query > 0,
                   false};
    mini->multiply(&s, w->q_t, w->dscores_n, w->dk_t);
    mini->multiply(&s, w->dy_t, w->weights_n, w->dv_t);
}

/* The transpose of a head's sums [d, keys], times factor, to its rows of out. */
static void put(const AttentionGradPlan *p, const Worker *w, const Task *t, const float *sums, float *out, float factor)
{
    const Heads *h = &p->h;
    h->mini->transpose(w->rows, sums, t->columns, h->d_n, t->keys);
    for (int64_t j = 0; j < t->keys; j++)
        h->simd->scale(out + j * h->n, w->rows + j * h->d_n, factor, 0, h->d);
}

static void attend_grad(const AttentionGradPlan *p, Worker *w, int64_t b, int64_t head)
{
    const Heads *h = &p->h;
    int64_t keys = h->cu_k[b + 1] - h->cu_k[b], queries = h->cu_q[b + 1] - h->cu_q[b];
    int64_t at = h->cu_k[b] * h->n + head * h->d, at_q = h->cu_q[b] * h->n + head * h->d;
    Task t = {b, head, keys, round_up(keys, 16)};
    for (int64_t i = 0; i < queries && keys == 0; i++)
        memset(p->dq + at_q + i * h->n, 0, (size_t)h->d * sizeof *p->dq);
    if (keys == 0)
        return;
    if (head + 1 < h->heads) {
        prefetch_rows(p->k + at + h->d, h->n, keys, h->d);
        prefetch_rows(p->v + at + h->d, h->n, keys, h->d);
        prefetch_rows(p->q + at_q + h->d, h->n, queries, h->d);
        prefetch_rows(p->dy + at_q + h->d, h->n, queries, h->d);
    }
    h->mini->pack_b(w->keys_n, p->k + at, h->n, h->d, keys, true);
    h->mini->pack_b(w->values_n, p->v + at, h->n, h->d, keys, true);
    h->mini->pack_b(w->keys_k, p->k + at, h->n, keys, h->d, false);
    for (int64_t query = 0; query < queries; query += QUERY_BLOCK) {
        int64_t rows = queries - query < QUERY_BLOCK ? queries - query : QUERY_BLOCK;
        differentiate(p, w, &t, query, rows);
        accumulate(p, w, &t, query, rows);
    }
    for (int64_t j = 0; j < keys && queries == 0; j++) {
        memset(p->dk + at + j * h->n, 0, (size_t)h->d * sizeof *p->dk);
        memset(p->dv + at + j * h->n, 0, (size_t)h->d * sizeof *p->dv);
    }
    if (queries == 0)
        return;
    put(p, w, &t, w->dk_t, p->dk + at, h->scale);
    put(p, w, &t, w->dv_t, p->dv + at, 1);
}

static void clear(const AttentionGradPlan *p, const Node *node)
{
    attention_clear_rest(node->out[0], p->h.cu_q, p->h.samples);
    attention_clear_rest(node->out[1], p->h.cu_k, p->h.samples);
    attention_clear_rest(node->out[2], p->h.cu_k, p->h.samples);
    if (p->dbias != NULL)
        memset(p->dbias->data, 0, tensor_bytes(p->dbias));
}

/* CHUNK heads; where there is dbias, which is a sum over samples, one head of all samples in order. */
static void grad_chunk(void *arg, int64_t chunk, int worker)
{
    const AttentionGradPlan *p = arg;
    Worker w;
    lay_out(p, p->threads + (size_t)worker * p->thread_bytes, &w);
    if (p->dbias != NULL) {
        for (int64_t b = 0; b < p->h.samples; b++)
            attend_grad(p, &w, b, chunk);
        return;
    }
    int64_t n = p->h.samples * p->h.heads;
    for (int64_t i = chunk * CHUNK; i < n && i < (chunk + 1) * CHUNK; i++)
        attend_grad(p, &w, i / p->h.heads, i % p->h.heads);
}

bool fast_attention_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (!cpu_check_samples(node, 4, node->in[1]->shape[0], node->in[2]->shape[0], err))
        return false;
    AttentionGradPlan p = {.h = find_heads(ctx, node, 4),
              .dy = node->in[0]->data,
              .q = node->in[1]->data,
              .k = node->in[2]->data,
              .v = node->in[3]->data,
              .dq = node->out[0]->data,
              .dk = node->out[1]->data,
              .dv = node->out[2]->data,
              .dbias = node->out[3]};
    for (int64_t b = 0; b < p.h.samples; b++) {
        int64_t keys = round_up(p.h.cu_k[b + 1] - p.h.cu_k[b], MINI_PAD);
        p.longest = keys > p.longest ? keys : p.longest;
    }
    Worker unused;
    p.thread_bytes = lay_out(&p, NULL, &unused);
    p.threads = cpu_scratch(ctx, (size_t)ctx->threads * p.thread_bytes, err);
    if (p.threads == NULL)
        return false;
    clear(&p, node);
    pool_run(ctx->pool, p.dbias ? p.h.heads : (p.h.samples * p.h.heads + CHUNK - 1) / CHUNK, grad_chunk, &p);
    return true;
}
