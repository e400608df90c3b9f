/* Attention without a score matrix: blocks of queries against blocks of keys, with a running maximum and sum
 * (Milakov and Gimelshein 2018; Dao et al. 2022). */
#include "cpu/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/panels_int8.h"

/* Queries whose scores are in cache at one time, and keys, at most on any level. */
enum { QUERIES = 96, KEY_BLOCK = 512 };

/* Exponents are taken against a guess of the largest score where that is faster; sums beyond this mean that it was too far
 * off. Far from the end of floats' range, so that products with values stay within it. */
static const float LARGEST_TOTAL = 0x1p64f;

/* One sample's places in the work and the scratch. */
typedef struct Sample {
    int64_t first_task; /* heads times blocks of queries come before it */
    int64_t first_key;  /* packed keys, padded, come before it */
} Sample;

typedef struct AttentionPlan {
    Heads h;
    bool panels;       /* keys and values are packed in panels */
    const Int8Attention *int8; /* queries and keys are in 8 bits; NULL: they are not */
    int64_t key_bytes; /* of a packed key */
    int64_t value_bytes;
    const float *q, *k, *v;
    float *out;
    const Sample *samples; /* and one more */
    char *keys, *values, *threads;
    size_t thread_bytes;
} AttentionPlan;

static int64_t keys_of(const AttentionPlan *p, int64_t b)
{
    return p->h.cu_k[b + 1] - p->h.cu_k[b];
}

/* Keys of a block: the last one is hardly smaller than the others. */
static int64_t block_of(const AttentionPlan *p, int64_t b)
{
    int64_t keys = keys_of(p, b), most = p->h.mini->keys, blocks = (keys + most - 1) / most;
    return round_up((keys + blocks - 1) / blocks, MINI_PANEL);
}

/* How many packed keys come before this one of sample b and head. */
static int64_t packed_before(const AttentionPlan *p, int64_t b, int64_t head, int64_t first)
{
    return p->samples[b].first_key * p->h.heads + head * round_up(keys_of(p, b), MINI_PANEL) + first;
}

static char *keys_at(const AttentionPlan *p, int64_t b, int64_t head, int64_t first)
{
    return p->keys + packed_before(p, b, head, first) * p->key_bytes;
}

static char *values_at(const AttentionPlan *p, int64_t b, int64_t head, int64_t first)
{
    return p->values + packed_before(p, b, head, first) * p->value_bytes;
}

/* The mean of a head's keys [d]. */
static void find_mean(const AttentionPlan *p, float *mean, const float *x, int64_t keys)
{
    const Heads *h = &p->h;
    memset(mean, 0, (size_t)h->d * sizeof *mean);
    for (int64_t i = 0; i < keys; i++)
        h->simd->add(mean, mean, x + i * h->n, h->d);
    h->simd->scale(mean, mean, 1 / (float)keys, 0, h->d);
}

static void pack_head(const AttentionPlan *p, int64_t task, float *mean)
{
    const Heads *h = &p->h;
    void (*pack)(void *, const float *, int64_t, int64_t, int64_t, bool) =
        p->panels ? h->mini->pack_panels : h->mini->pack_b;
    int64_t b = task / h->heads, head = task % h->heads, keys = keys_of(p, b), step = keys > 0 ? block_of(p, b) : 1;
    if (p->int8 != NULL && keys > 0)
        find_mean(p, mean, p->k + h->cu_k[b] * h->n + head * h->d, keys);
    for (int64_t first = 0; first < keys; first += step) {
        int64_t count = keys - first < step ? keys - first : step;
        int64_t at = (h->cu_k[b] + first) * h->n + head * h->d;
        if (head + 1 < h->heads) {
            prefetch_rows(p->k + at + h->d, h->n, count, h->d);
            prefetch_rows(p->v + at + h->d, h->n, count, h->d);
        }
        if (p->int8)
            p->int8->pack_keys(keys_at(p, b, head, first), &(Int8Keys){p->k + at, mean, h->n, count, h->d, h->d_k});
        else
            pack(keys_at(p, b, head, first), p->k + at, h->n, h->d, count, true);
        pack(values_at(p, b, head, first), p->v + at, h->n, count, h->d, false);
    }
}

/* What a thread works in: one block of queries against one of keys. */
typedef struct Worker {
    char *q, *weights;           /* packed */
    float *scores, *sum, *block; /* sum: of weighted values; block: room for the sums of weights of a block of keys */
    float max[QUERIES], total[QUERIES];
    float steps[QUERIES]; /* of queries in 8 bits */
} Worker;

static Worker worker_at(const AttentionPlan *p, char *memory)
{
    Worker w;
    w.q = memory;
    w.weights = w.q + pad_bytes(QUERIES * p->h.d_pad, (size_t)p->h.mini->size);
    w.scores = (float *)(w.weights + pad_bytes(QUERIES * KEY_BLOCK, (size_t)p->h.mini->size));
    w.sum = w.scores + QUERIES * KEY_BLOCK;
    w.block = w.sum + QUERIES * p->h.d_n;
    return w;
}

static size_t worker_bytes(const Heads *h)
{
    return pad_bytes(QUERIES * h->d_pad, (size_t)h->mini->size) +
           pad_bytes(QUERIES * KEY_BLOCK, (size_t)h->mini->size) +
           pad_bytes(QUERIES * (KEY_BLOCK + h->d_n + 16), sizeof(float));
}

/* A piece of work. */
typedef struct Task {
    int64_t b, head, query, rows; /* query: the first, within the sample */
} Task;

/* Weights of a block of keys in rows of ldw, against the largest score so far; what was summed is rescaled. */
static void weigh_exactly(const AttentionPlan *p, Worker *w, const Task *t, const WeighShape *shape, int64_t first)
{
    const Heads *h = &p->h;
    const Simd *simd = p->h.simd;
    int64_t count = shape->keys, columns = shape->ldw;
    const char *keys = keys_at(p, t->b, t->head, first);
    if (p->int8)
        p->int8->scores(shape, &(Int8Queries){w->q, w->steps}, keys, w->scores);
    else
        h->mini->multiply(&(MiniShape){t->rows, round_up(count, 16), h->d_k, h->d_k, columns, false, p->panels}, w->q,
                          keys, w->scores);
    for (int64_t r = 0; r < t->rows; r++) {
        const float *bias = bias_row(h, t->head, t->query + r);
        float *s = w->scores + r * columns;
        /* With a bias the scores are scaled where they are; without one the weights' function does it. */
        float max = bias ? simd->bias_max(s, h->scale, bias + first, count) : h->scale * simd->max(s, count);
        if (first == 0 || max > w->max[r]) {
            if (first > 0) {
                float shrink = expf(w->max[r] - max);
                w->total[r] *= shrink;
                simd->scale(w->sum + r * h->d_n, w->sum + r * h->d_n, shrink, 0, h->d_n);
            }
            w->max[r] = max;
        }
        ScoreRow row = {s, bias ? 1 : h->scale, w->max[r], count, round_up(count, h->mini->k_unit)};
        w->block[r] = h->mini->pack_weights(w->weights + (size_t)(r * shape->ldw) * (size_t)h->mini->size, &row);
    }
}

/* In 8 bits the guess is the largest of the first panel. */
static void guess_int8(const AttentionPlan *p, Worker *w, const WeighShape *shape, const char *keys)
{
    WeighShape panel = *shape;
    panel.ldw = MINI_PANEL;
    panel.keys = shape->keys < MINI_PANEL ? shape->keys : MINI_PANEL;
    p->int8->scores(&panel, &(Int8Queries){w->q, w->steps}, keys, w->scores);
    for (int64_t r = 0; r < shape->m; r++)
        w->max[r] = shape->factor * p->h.simd->max(w->scores + r * panel.ldw, panel.keys);
}

/* The same against a guess, nearly always good enough. */
static bool weigh_quickly(const AttentionPlan *p, Worker *w, const Task *t, const WeighShape *shape, int64_t first)
{
    const Heads *h = &p->h;
    const char *keys = keys_at(p, t->b, t->head, first);
    if (h->mini->weigh_panels == NULL || h->bias != NULL)
        return false;
    if (first == 0 && p->int8)
        guess_int8(p, w, shape, keys);
    else if (first == 0)
        h->mini->guess_max(shape, w->q, keys, w->max);
    if (p->int8)
        p->int8->weigh(shape, &(Int8Queries){w->q, w->steps}, keys, w->weights);
    else
        h->mini->weigh_panels(shape, w->q, keys, w->weights);
    for (int64_t r = 0; r < t->rows; r++)
        if (!(w->block[r] < LARGEST_TOTAL))
            return false;
    return true;
}

static void attend_block(const AttentionPlan *p, Worker *w, const Task *t, int64_t first, int64_t count)
{
    const Heads *h = &p->h;
    WeighShape shape = {t->rows, count, h->d_k, round_up(count, MINI_PANEL), h->scale, w->max, w->block};
    if (!weigh_quickly(p, w, t, &shape, first))
        weigh_exactly(p, w, t, &shape, first);
    for (int64_t r = 0; r < t->rows; r++)
        w->total[r] = first == 0 ? w->block[r] : w->total[r] + w->block[r];
    MiniShape values = {t->rows, h->d_n, round_up(count, h->mini->k_unit), shape.ldw, h->d_n, first > 0, p->panels};
    h->mini->multiply(&values, w->weights, values_at(p, t->b, t->head, first), w->sum);
}

static void attend(const AttentionPlan *p, Worker *w, const Task *t)
{
    const Heads *h = &p->h;
    int64_t at = (h->cu_q[t->b] + t->query) * h->n + t->head * h->d, keys = keys_of(p, t->b);
    if (t->head + 1 < h->heads) {
        prefetch_rows(p->q + at + h->d, h->n, t->rows, h->d);
        prefetch_rows(p->out + at + h->d, h->n, t->rows, h->d);
    }
    if (p->int8)
        p->int8->pack_queries(w->q, w->steps, &(Int8Rows){p->q + at, h->n, t->rows, h->d, h->d_k});
    else
        h->mini->pack_a(w->q, p->q + at, h->n, t->rows, h->d, h->d_k);
    int64_t step = keys > 0 ? block_of(p, t->b) : 1;
    for (int64_t first = 0; first < keys; first += step)
        attend_block(p, w, t, first, keys - first < step ? keys - first : step);
    for (int64_t r = 0; r < t->rows; r++) {
        float *out = p->out + at + r * h->n;
        if (keys == 0)
            memset(out, 0, (size_t)h->d * sizeof *out);
        else
            h->simd->scale(out, w->sum + r * h->d_n, 1 / w->total[r], 0, h->d);
    }
}

static Task find_task(const AttentionPlan *p, int64_t i)
{
    int64_t low = 0, high = p->h.samples - 1; /* the last sample whose first task is not after i */
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (p->samples[middle].first_task <= i)
            low = middle;
        else
            high = middle - 1;
    }
    int64_t queries = p->h.cu_q[low + 1] - p->h.cu_q[low],
            blocks = round_up(queries, QUERIES) / QUERIES;
    i -= p->samples[low].first_task;
    Task t = {low, i / blocks, i % blocks * QUERIES, 0};
    t.rows = queries - t.query < QUERIES ? queries - t.query : QUERIES;
    return t;
}

void attention_clear_rest(const Tensor *t, const int32_t *cu, int64_t samples)
{
    size_t row = (size_t)last_dim(t) * sizeof(float);
    int64_t first = samples > 0 ? cu[0] : 0, end = samples > 0 ? cu[samples] : 0;
    memset(t->data, 0, (size_t)first * row);
    memset((char *)t->data + (size_t)end * row, 0, (size_t)(t->shape[0] - end) * row);
}

static Sample *list_samples(const Heads *h)
{
    Sample *s = malloc((size_t)(h->samples + 1) * sizeof *s);
    if (s == NULL)
        return NULL;
    s[0] = (Sample){0, 0};
    for (int64_t b = 0; b < h->samples; b++) {
        s[b + 1].first_task =
            s[b].first_task + h->heads * (round_up(h->cu_q[b + 1] - h->cu_q[b], QUERIES) / QUERIES);
        s[b + 1].first_key = s[b].first_key + round_up(h->cu_k[b + 1] - h->cu_k[b], MINI_PANEL);
    }
    return s;
}

static void pack_pair(void *arg, int64_t pair, int worker)
{
    const AttentionPlan *p = arg;
    int64_t n = p->h.samples * p->h.heads;
    Worker w = worker_at(p, p->threads + (size_t)worker * p->thread_bytes);
    for (int64_t i = 2 * pair; i < n && i < 2 * pair + 2; i++)
        pack_head(p, i, w.sum);
}

static void attend_chunk(void *arg, int64_t chunk, int worker)
{
    const AttentionPlan *p = arg;
    Worker w = worker_at(p, p->threads + (size_t)worker * p->thread_bytes);
    int64_t n = p->samples[p->h.samples].first_task;
    for (int64_t i = chunk * CHUNK; i < n && i < (chunk + 1) * CHUNK; i++) {
        Task t = find_task(p, i);
        attend(p, &w, &t);
    }
}

bool fast_attention(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (!cpu_check_samples(node, 3, node->in[0]->shape[0], node->in[1]->shape[0], err))
        return false;
    AttentionPlan p = {.h = find_heads(ctx, node, 3),
              .q = node->in[0]->data,
              .k = node->in[1]->data,
              .v = node->in[2]->data,
              .out = node->out[0]->data};
    p.panels = p.h.mini->pack_panels != NULL;
    if (ctx->int8 && p.h.bias == NULL && node->in[0]->shape[0] >= ctx->int8_smallest &&
        node->in[1]->shape[0] >= ctx->int8_smallest) {
        p.int8 = ctx->int8_panels != NULL ? &ctx->int8_panels->attention : &int8_attention_avx512;
        p.h.d_k = round_up(p.h.d, p.int8->unit);
    }
    p.key_bytes = p.int8 ? p.int8->key_bytes(p.h.d_k) : p.h.d_pad * p.h.mini->size;
    p.value_bytes = round_up(p.h.d, MINI_PANEL) * p.h.mini->size;
    attention_clear_rest(node->out[0], p.h.cu_q, p.h.samples);
    Sample *samples = list_samples(&p.h);
    if (samples == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "attention: out of memory");
    p.samples = samples;
    int64_t keys = samples[p.h.samples].first_key * p.h.heads, tasks = samples[p.h.samples].first_task;
    size_t key_bytes = pad_bytes(keys, (size_t)p.key_bytes), value_bytes = pad_bytes(keys, (size_t)p.value_bytes);
    p.thread_bytes = worker_bytes(&p.h);
    p.keys = cpu_scratch(ctx, key_bytes + value_bytes + (size_t)ctx->threads * p.thread_bytes, err);
    if (p.keys == NULL) {
        free(samples);
        return false;
    }
    p.values = p.keys + key_bytes;
    p.threads = p.values + value_bytes;
    pool_run(ctx->pool, (p.h.samples * p.h.heads + 1) / 2, pack_pair, &p);
    pool_run(ctx->pool, (tasks + CHUNK - 1) / CHUNK, attend_chunk, &p);
    free(samples);
    return true;
}
