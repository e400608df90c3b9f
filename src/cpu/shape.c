/* Data that only moves: runs of bytes for concat, slice and pad; blocks for permute. */
#include <string.h>

#include "cpu/kernel.h"

enum {
    SMALL_MOVE = 1 << 16, /* bytes that one thread moves as fast as several */
    BLOCK = 16,           /* side of a transposed block */
    TABLE = 1024,         /* elements that are gathered through a table */
    SHORT = 16,           /* elements: shorter runs are */
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
    int64_t together; /* runs in a piece of work, set by move_runs */
} Move;

/* Some short runs, or a part of a long one. */
static void move_piece(void *arg, int64_t piece, int worker)
{
    const Move *m = arg;
    size_t cuts = (m->bytes + SMALL_MOVE - 1) / SMALL_MOVE, at = (size_t)piece % cuts * SMALL_MOVE;
    int64_t first = piece / (int64_t)cuts * m->together, end = first + m->together;
    size_t bytes = m->bytes - at < SMALL_MOVE ? m->bytes - at : SMALL_MOVE;
    for (int64_t r = first; r < end && r < m->count; r++)
        memcpy(m->to + (size_t)r * m->to_step + at, m->from + (size_t)r * m->from_step + at, bytes);
}

static void move_runs(const CpuContext *ctx, Move m)
{
    if (m.bytes == 0)
        return;
    m.together = m.bytes >= SMALL_MOVE ? 1 : (int64_t)(SMALL_MOVE / m.bytes);
    int64_t cuts = (int64_t)((m.bytes + SMALL_MOVE - 1) / SMALL_MOVE);
    pool_run(cpu_pool(ctx, m.count * (int64_t)m.bytes / 4), (m.count + m.together - 1) / m.together * cuts,
             move_piece, &m);
}

bool fast_concat(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs to = runs_of(node->out[0], node->i[0]);
    char *out = node->out[0]->data;
    for (int k = 0; k < node->n_in; k++) {
        Runs from = runs_of(node->in[k], node->i[0]);
        move_runs(ctx, (Move){out, node->in[k]->data, to.count, to.bytes, from.bytes, from.bytes, 0});
        out += from.bytes;
    }
    return true;
}

bool fast_slice(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs from = runs_of(node->in[0], node->i[0]), to = runs_of(node->out[0], node->i[0]);
    const char *first = (const char *)node->in[0]->data + (size_t)node->i[1] * from.step;
    move_runs(ctx, (Move){node->out[0]->data, first, to.count, to.bytes, from.bytes, to.bytes, 0});
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
    move_runs(ctx, (Move){out + before, node->in[0]->data, to.count, to.bytes, from.bytes, from.bytes, 0});
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

typedef struct ShapeJob {
    const Permutation *p;
    float *out;
    const float *x;
    int64_t count;    /* places in the dimensions before those that are moved together */
    int64_t together; /* of them in a piece of work */
    int64_t inner;    /* elements of a place */
    int outer;        /* dimensions that count counts */
    int close;        /* permute_block: the output's dimension that is contiguous in the input */
    const int32_t *table; /* [inner]: where in the input the elements of a place are, from its first */
} ShapeJob;

/* The last dimension stays last: runs. */
static void permute_runs(void *arg, int64_t piece, int worker)
{
    const ShapeJob *job = arg;
    int64_t end = (piece + 1) * job->together;
    for (int64_t i = piece * job->together; i < end && i < job->count; i++)
        memcpy(job->out + i * job->inner, job->x + input_at(job->p, job->outer, -1, i),
               (size_t)job->inner * sizeof *job->x);
}

static void permute_places(void *arg, int64_t piece, int worker)
{
    const ShapeJob *job = arg;
    int64_t end = (piece + 1) * job->together;
    for (int64_t i = piece * job->together; i < end && i < job->count; i++) {
        const float *from = job->x + input_at(job->p, job->outer, -1, i);
        float *to = job->out + i * job->inner;
        for (int64_t k = 0; k < job->inner; k++)
            to[k] = from[job->table[k]];
    }
}

/* Another dimension is contiguous in the input: BLOCK places of it, and all of the last, are transposed. */
static void permute_block(void *arg, int64_t piece, int worker)
{
    const ShapeJob *job = arg;
    const Permutation *p = job->p;
    int last = p->ndim - 1;
    int64_t rows = p->shape[job->close], columns = p->shape[last], step = p->stride[last], out_step = 1;
    for (int d = last; d > job->close; d--)
        out_step *= p->shape[d];
    int64_t below = out_step / columns; /* places between inner and last */
    int64_t blocks = (rows + BLOCK - 1) / BLOCK, place = piece / blocks, r0 = piece % blocks * BLOCK;
    int64_t r1 = rows - r0 < BLOCK ? rows : r0 + BLOCK;
    const float *from = job->x + input_at(p, last, job->close, place);
    float *to = job->out + place / below * rows * out_step + place % below * columns;
    for (int64_t c0 = 0; c0 < columns; c0 += BLOCK) {
        int64_t c1 = columns - c0 < BLOCK ? columns : c0 + BLOCK;
        for (int64_t r = r0; r < r1; r++)
            for (int64_t c = c0; c < c1; c++)
                to[r * out_step + c] = from[r + c * step];
    }
}

/* The last dimensions together, as many as the table holds: a place is gathered through it. */
static bool fill_table(ShapeJob *job, int32_t table[TABLE])
{
    const Permutation *p = job->p;
    int64_t reach = 0;
    job->outer = p->ndim;
    job->inner = 1;
    while (job->outer > 0 && job->inner * p->shape[job->outer - 1] <= TABLE) {
        job->outer--;
        job->inner *= p->shape[job->outer];
        reach += (p->shape[job->outer] - 1) * p->stride[job->outer];
    }
    if (job->inner < SHORT || reach > INT32_MAX)
        return false;
    for (int64_t k = 0; k < job->inner; k++) {
        int64_t at = 0, rest = k;
        for (int d = p->ndim - 1; d >= job->outer; rest /= p->shape[d--])
            at += rest % p->shape[d] * p->stride[d];
        table[k] = (int32_t)at;
    }
    job->table = table;
    return true;
}

bool fast_permute(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t numel = tensor_numel(node->out[0]);
    if (node->in[0]->dtype != DTYPE_F32 || numel == 0)
        return ref_permute(ctx, node, err);
    int32_t table[TABLE];
    Permutation p = simplify(node);
    ShapeJob job = {.p = &p, .out = node->out[0]->data, .x = node->in[0]->data};
    int last = p.ndim - 1;
    PoolTask task = permute_places;
    if (p.stride[last] == 1 && p.shape[last] >= SHORT) {
        task = permute_runs;
        job.inner = p.shape[last];
        job.outer = last;
    } else if (!fill_table(&job, table)) {
        while (p.stride[job.close] != 1)
            job.close++;
        if (job.close == last)
            return ref_permute(ctx, node, err);
        int64_t rows = p.shape[job.close];
        job.count = numel / p.shape[last];
        pool_run(cpu_pool(ctx, numel), job.count / rows * ((rows + BLOCK - 1) / BLOCK), permute_block, &job);
        return true;
    }
    job.count = numel / job.inner;
    int64_t bytes = job.inner * (int64_t)sizeof(float);
    job.together = bytes >= SMALL_MOVE ? 1 : SMALL_MOVE / bytes;
    pool_run(cpu_pool(ctx, numel), (job.count + job.together - 1) / job.together, task, &job);
    return true;
}
