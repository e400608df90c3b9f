#include "bench/profile.h"

#include <stdlib.h>
#include <string.h>

static WorkShape linear_shape(const Node *node)
{
    const Tensor *x = node->in[0], *w = node->in[1];
    int64_t n = w->shape[0], k = tensor_numel(w) / n, m = tensor_numel(x) / k;
    return (WorkShape){.m = m, .n = n, .k = k};
}

static WorkShape matmul_shape(const Node *node)
{
    const Tensor *out = node->out[0];
    int64_t m = out->shape[0], n = out->shape[1], k = tensor_numel(node->in[0]) / m;
    return (WorkShape){.m = m, .n = n, .k = k};
}

static WorkShape conv_shape(const Node *node)
{
    const Tensor *w = node->in[1];
    WorkShape s = {.n = w->shape[0], .k = tensor_numel(w) / w->shape[0]};
    s.m = tensor_numel(node->out[0]) / s.n;
    const Tensor *past = node->in[CONV_PAST], *edge = node->in[CONV_EDGE];
    memcpy(s.in, node->in[CONV_X]->shape, sizeof s.in);
    if (past != NULL)
        s.in[1] += past->shape[1];
    if (edge != NULL)
        s.in[node->i[CONV_DIM]] += edge->shape[node->i[CONV_DIM]];
    for (int d = 2; d < 4; d++)
        s.in[d] *= node->f[0] > 1 ? 2 : 1;
    memcpy(s.kernel, w->shape + 2, sizeof s.kernel);
    memcpy(s.stride, node->i + CONV_STRIDE, sizeof s.stride);
    memcpy(s.padding, node->i + CONV_PADDING, sizeof s.padding);
    return s;
}

static bool same(const WorkShape *a, const WorkShape *b)
{
    return a->m == b->m && a->n == b->n && a->k == b->k && memcmp(a->in, b->in, sizeof a->in) == 0 &&
           memcmp(a->kernel, b->kernel, sizeof a->kernel) == 0 &&
           memcmp(a->stride, b->stride, sizeof a->stride) == 0 &&
           memcmp(a->padding, b->padding, sizeof a->padding) == 0;
}

static bool remember(Profile *p, WorkShape s)
{
    for (int i = 0; i < p->count; i++)
        if (same(&p->shapes[i], &s)) {
            p->shapes[i].calls++;
            return true;
        }
    if (p->count == p->capacity) {
        int capacity = p->capacity ? 2 * p->capacity : 32;
        WorkShape *shapes = realloc(p->shapes, (size_t)capacity * sizeof *shapes);
        if (shapes == NULL)
            return false;
        p->shapes = shapes;
        p->capacity = capacity;
    }
    s.calls = 1;
    p->shapes[p->count++] = s;
    return true;
}

static bool count(Profile *p, const Node *node)
{
    WorkShape s = {0};
    switch (node->op) {
    case OP_LINEAR:
        s = linear_shape(node);
        break;
    case OP_MATMUL:
        s = matmul_shape(node);
        break;
    case OP_CONV:
        s = conv_shape(node);
        break;
    case OP_ATTENTION:
        p->flops[node->op] += node_flops(node);
        return true;
    default:
        return true;
    }
    s.flops = node_flops(node);
    p->flops[node->op] += s.flops;
    return remember(p, s);
}

static bool run(Backend *backend, const Node *node, SoraError *err)
{
    Profile *p = (Profile *)backend;
    if (!count(p, node))
        return error_set(err, SORA_ERROR_MEMORY, "profile: out of memory");
    double start = p->clock();
    bool ok = p->inner->run(p->inner, node, err);
    p->seconds[node->op] += p->clock() - start;
    return ok;
}

static void *alloc(Backend *backend, size_t bytes)
{
    Backend *inner = ((Profile *)backend)->inner;
    return inner->alloc(inner, bytes);
}

static void release(Backend *backend, void *data)
{
    Backend *inner = ((Profile *)backend)->inner;
    inner->free(inner, data);
}

static void move(Backend *backend, void *to, const void *from, size_t bytes)
{
    Backend *inner = ((Profile *)backend)->inner;
    inner->move(inner, to, from, bytes);
}

static void upload(Backend *backend, void *to, const void *host, size_t bytes)
{
    Backend *inner = ((Profile *)backend)->inner;
    inner->upload(inner, to, host, bytes);
}

static void keep_weights(Backend *backend, bool on)
{
    Backend *inner = ((Profile *)backend)->inner;
    inner->keep_weights(inner, on);
}

static void download(Backend *backend, void *host, const void *from, size_t bytes)
{
    Backend *inner = ((Profile *)backend)->inner;
    inner->download(inner, host, from, bytes);
}

static void trim(Backend *backend)
{
    Backend *inner = ((Profile *)backend)->inner;
    inner->trim(inner);
}

void profile_init(Profile *p, Backend *inner, double (*clock)(void))
{
    *p = (Profile){.base = {.name = "profile", .run = run, .alloc = alloc, .free = release, .move = move, .upload = upload,
                            .download = download, .keep_weights = keep_weights, .trim = trim,
                            .operand = inner->operand, .pool = inner->pool},
                   .inner = inner,
                   .clock = clock};
}

void profile_deinit(Profile *p)
{
    free(p->shapes);
    p->shapes = NULL;
    p->count = p->capacity = 0;
}

void profile_clear(Profile *p)
{
    p->count = 0;
    p->begun = p->clock();
    memset(p->flops, 0, sizeof p->flops);
    memset(p->seconds, 0, sizeof p->seconds);
}

double profile_flops(const Profile *p)
{
    double sum = 0;
    for (int i = 0; i < OP_COUNT; i++)
        sum += p->flops[i];
    return sum;
}
