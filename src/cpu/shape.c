/* Data that only moves: runs of bytes for concat, slice and pad; blocks for permute. */
#include <string.h>

#include "cpu/kernel.h"

enum {
    SMALL_MOVE = 1 << 16, /* bytes that one thread moves as fast as several */
    BLOCK = 16,           /* side of a transposed block */
};

/* A tensor as count runs of bytes, one for each place in the dimensions before dim. */
typedef struct Runs {
    int64_t count;
    size_t bytes, step; /* step: of one place in dim */
} Runs;

static Runs runs_of(const Tensor *t, int64_t dim)
{
    Runs r = {1, 0, dtype_size(t->dtype)};
    for (int64_t d = 0; d < dim; d++)
        r.count *= t->shape[d];
    for (int64_t d = dim + 1; d < t->ndim; d++)
        r.step *= (size_t)t->shape[d];
    r.bytes = r.step * (size_t)t->shape[dim];
    return r;
}

typedef struct Move {
    char *to;
    const char *from;
    int64_t count;
    size_t to_step, from_step, bytes;
} Move;

/* Long runs are cut too, so that few of them still occupy all threads. */
static void move_runs(const CpuContext *ctx, const Move *m)
{
    int64_t cuts = (int64_t)((m->bytes + SMALL_MOVE - 1) / SMALL_MOVE);
    int threads = (size_t)m->count * m->bytes > 2 * SMALL_MOVE ? ctx->threads : 1;
#pragma omp parallel for num_threads(threads)
    for (int64_t i = 0; i < m->count * cuts; i++) {
        size_t first = (size_t)(i % cuts) * SMALL_MOVE, r = (size_t)(i / cuts);
        size_t bytes = m->bytes - first < SMALL_MOVE ? m->bytes - first : SMALL_MOVE;
        memcpy(m->to + r * m->to_step + first, m->from + r * m->from_step + first, bytes);
    }
}

bool fast_concat(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs to = runs_of(node->out[0], node->i[0]);
    char *out = node->out[0]->data;
    for (int k = 0; k < node->n_in; k++) {
        Runs from = runs_of(node->in[k], node->i[0]);
        move_runs(ctx, &(Move){out, node->in[k]->data, to.count, to.bytes, from.bytes, from.bytes});
        out += from.bytes;
    }
    return true;
}

bool fast_slice(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs from = runs_of(node->in[0], node->i[0]), to = runs_of(node->out[0], node->i[0]);
    const char *first = (const char *)node->in[0]->data + (size_t)node->i[1] * from.step;
    move_runs(ctx, &(Move){node->out[0]->data, first, to.count, to.bytes, from.bytes, to.bytes});
    return true;
}

bool fast_pad(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs from = runs_of(node->in[0], node->i[0]), to = runs_of(node->out[0], node->i[0]);
    char *out = node->out[0]->data;
    size_t before = (size_t)node->i[1] * to.step, after = before + from.bytes;
    for (int64_t r = 0; r < to.count; r++) {
        memset(out + (size_t)r * to.bytes, 0, before);
        memset(out + (size_t)r * to.bytes + after, 0, to.bytes - after);
    }
    move_runs(ctx, &(Move){out + before, node->in[0]->data, to.count, to.bytes, from.bytes, from.bytes});
    return true;
}

/* A permutation in as few dimensions as it has: neighbours that stay neighbours are one dimension. */
typedef struct Permutation {
    int ndim;
    int64_t shape[MAX_DIMS];  /* of the output */
    int64_t stride[MAX_DIMS]; /* in the input, of the output's dimensions */
} Permutation;

static Permutation simplify(const Node *node)
{
    const Tensor *x = node->in[0], *y = node->out[0];
    int64_t stride[MAX_DIMS];
    for (int d = x->ndim - 1; d >= 0; d--)
        stride[d] = d == x->ndim - 1 ? 1 : stride[d + 1] * x->shape[d + 1];
    Permutation p = {0};
    for (int d = 0; d < y->ndim; d++) {
        int64_t step = stride[node->i[d]];
        if (y->shape[d] == 1)
            continue;
        if (p.ndim > 0 && p.stride[p.ndim - 1] == step * y->shape[d]) {
            p.shape[p.ndim - 1] *= y->shape[d];
            p.stride[p.ndim - 1] = step;
        } else {
            p.shape[p.ndim] = y->shape[d];
            p.stride[p.ndim++] = step;
        }
    }
    if (p.ndim == 0)
        p = (Permutation){1, {1}, {1}};
    return p;
}

/* Where in the input the i-th place of the output's first n dimensions begins; skip: a dimension to leave
 * out. */
static int64_t input_at(const Permutation *p, int n, int skip, int64_t i)
{
    int64_t at = 0;
    for (int d = n - 1; d >= 0; d--) {
        if (d == skip)
            continue;
        at += i % p->shape[d] * p->stride[d];
        i /= p->shape[d];
    }
    return at;
}

/* The last dimension stays last: runs. */
static void permute_runs(const CpuContext *ctx, const Permutation *p, float *out, const float *x)
{
    int last = p->ndim - 1;
    int64_t n = p->shape[last], count = 1;
    for (int d = 0; d < last; d++)
        count *= p->shape[d];
#pragma omp parallel for num_threads(count *n > SMALL_MOVE / 2 ? ctx->threads : 1)
    for (int64_t i = 0; i < count; i++)
        memcpy(out + i * n, x + input_at(p, last, -1, i), (size_t)n * sizeof *x);
}

/* Another dimension, inner, is contiguous in the input: blocks of inner x last are transposed. */
static void permute_blocks(const CpuContext *ctx, const Permutation *p, int inner, float *out, const float *x)
{
    int last = p->ndim - 1;
    int64_t rows = p->shape[inner], columns = p->shape[last], out_step = 1, count = 1;
    for (int d = last; d > inner; d--)
        out_step *= p->shape[d];
    for (int d = 0; d < last; d++)
        count *= d == inner ? 1 : p->shape[d];
    int64_t below = out_step / columns; /* places between inner and last */
    int64_t row_blocks = (rows + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(count *rows *columns > SMALL_MOVE / 2 ? ctx->threads : 1)
    for (int64_t i = 0; i < count * row_blocks; i++) {
        int64_t place = i / row_blocks, r0 = i % row_blocks * BLOCK;
        int64_t r1 = rows - r0 < BLOCK ? rows : r0 + BLOCK;
        const float *from = x + input_at(p, last, inner, place);
        float *to = out + place / below * rows * out_step + place % below * columns;
        for (int64_t c0 = 0; c0 < columns; c0 += BLOCK) {
            int64_t c1 = columns - c0 < BLOCK ? columns : c0 + BLOCK;
            for (int64_t r = r0; r < r1; r++)
                for (int64_t c = c0; c < c1; c++)
                    to[r * out_step + c] = from[r + c * p->stride[last]];
        }
    }
}

bool fast_permute(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (node->in[0]->dtype != DTYPE_F32 || tensor_numel(node->out[0]) == 0)
        return ref_permute(ctx, node, err);
    Permutation p = simplify(node);
    int inner = 0;
    while (inner < p.ndim - 1 && p.stride[inner] != 1)
        inner++;
    if (inner == p.ndim - 1)
        permute_runs(ctx, &p, node->out[0]->data, node->in[0]->data);
    else
        permute_blocks(ctx, &p, inner, node->out[0]->data, node->in[0]->data);
    return true;
}
