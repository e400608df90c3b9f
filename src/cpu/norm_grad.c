/* The gradients of norms and gates, row by row: d of the rows in one pass, and with it the sums over rows that are the
 * gradients of weights. Those are added up for each group of rows, whose size depends on the shape alone, and then
 * from group to group in order, so that they do not depend on the number of threads. */
#include <string.h>

#include "cpu/kernel.h"
#include "cpu/simd.h"

enum { CHUNK = 1 << 14, SUM_COLUMNS = 64 }; /* elements of a group of rows, about; columns of one final sum */

/* Sums over rows into rows of a table that an index names, or into one row. Neighbours with the same index are a run,
 * and a run within a group has a partial sum. */
typedef struct RowSums {
    const int32_t *index; /* NULL: all rows go to row 0 */
    int64_t rows, n, group;
    int64_t *first; /* [groups + 1]: the number of runs before each group */
    float *parts[2]; /* [runs, n]; NULL where no sum is wanted */
    float *sums[2];  /* the tables */
} RowSums;

typedef struct NormGradJob {
    const CpuContext *ctx;
    const Node *node;
    RowSums s;
} NormGradJob;

static int64_t group_count(const RowSums *s)
{
    return (s->rows + s->group - 1) / s->group;
}

static int64_t group_end(const RowSums *s, int64_t group)
{
    return (group + 1) * s->group < s->rows ? (group + 1) * s->group : s->rows;
}

/* Whether row r begins a run. */
static bool begins(const RowSums *s, int64_t r)
{
    return r % s->group == 0 || (s->index != NULL && s->index[r] != s->index[r - 1]);
}

static float *data_of(const Tensor *t)
{
    return t == NULL ? NULL : t->data;
}

/* x: the rows. sums: NULL where none is wanted. */
static bool prepare(CpuContext *ctx, RowSums *s, const Tensor *x, const Tensor *index, SoraError *err)
{
    s->rows = leading_rows(x);
    s->n = last_dim(x);
    s->index = index ? index->data : NULL;
    s->group = s->n >= CHUNK ? 1 : CHUNK / (s->n ? s->n : 1);
    int64_t groups = group_count(s), runs = 0;
    size_t heads = pad64((size_t)(groups + 1) * sizeof *s->first);
    for (int64_t r = 0; r < s->rows; r++)
        runs += begins(s, r);
    size_t part = s->sums[0] || s->sums[1] ? (size_t)(runs * s->n) * sizeof(float) : 0;
    char *memory = cpu_scratch(ctx, heads + 2 * part, err);
    if (memory == NULL)
        return false;
    s->first = (int64_t *)memory;
    for (int i = 0; i < 2; i++)
        s->parts[i] = s->sums[i] ? (float *)(memory + heads + (size_t)i * part) : NULL;
    runs = 0;
    for (int64_t g = 0; g < groups; g++) {
        s->first[g] = runs;
        for (int64_t r = g * s->group; r < group_end(s, g); r++)
            runs += begins(s, r);
    }
    s->first[groups] = runs;
    return true;
}

/* The partial sums of row r's run, zero where it begins; run is -1 before the first row of the group. */
static void find_parts(const RowSums *s, int64_t group, int64_t r, int64_t *run, float *parts[2])
{
    bool fresh = begins(s, r);
    *run += fresh;
    for (int i = 0; i < 2; i++) {
        parts[i] = s->parts[i] ? s->parts[i] + (s->first[group] + *run) * s->n : NULL;
        if (fresh && parts[i] != NULL)
            memset(parts[i], 0, (size_t)s->n * sizeof(float));
    }
}

/* Adds up some columns of all runs. */
static void finish_columns(void *arg, int64_t piece, int worker)
{
    const NormGradJob *job = arg;
    const RowSums *s = &job->s;
    int64_t c = piece * SUM_COLUMNS, width = s->n - c < SUM_COLUMNS ? s->n - c : SUM_COLUMNS;
    for (int64_t g = 0; g < group_count(s); g++) {
        int64_t run = s->first[g] - 1;
        for (int64_t r = g * s->group; r < group_end(s, g); r++) {
            if (!begins(s, r))
                continue;
            run++;
            for (int i = 0; i < 2; i++) {
                float *sum = s->sums[i] ? s->sums[i] + (s->index ? s->index[r] : 0) * s->n + c : NULL;
                if (sum != NULL)
                    job->ctx->simd->add(sum, sum, s->parts[i] + run * s->n + c, width);
            }
        }
    }
}

static void run_job(CpuContext *ctx, NormGradJob *job, PoolTask group)
{
    const RowSums *s = &job->s;
    pool_run(cpu_pool(ctx, s->rows * s->n), group_count(s), group, job);
    if (s->sums[0] != NULL || s->sums[1] != NULL)
        pool_run(cpu_pool(ctx, 2 * s->first[group_count(s)] * s->n), (s->n + SUM_COLUMNS - 1) / SUM_COLUMNS,
                 finish_columns, job);
}

static void norm_group(void *arg, int64_t group, int worker)
{
    const NormGradJob *job = arg;
    const Node *node = job->node;
    const RowSums *s = &job->s;
    const float *w = data_of(node->in[2]);
    float *dx = data_of(node->out[0]), *parts[2];
    int64_t n = s->n, run = -1;
    for (int64_t r = group * s->group; r < group_end(s, group); r++) {
        find_parts(s, group, r, &run, parts);
        NormGradRow row = {.dy = (const float *)node->in[0]->data + r * n, .x = (const float *)node->in[1]->data + r * n,
                           .w = w ? w + (s->index ? s->index[r] * n : 0) : NULL, .one = (float)node->f[1],
                           .dx = dx ? dx + r * n : NULL, .dw = parts[0], .db = parts[1]};
        job->ctx->simd->norm_grad((Norm)node->i[0], (float)node->f[0], &row, n);
    }
}

bool fast_norm_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *w = node->in[2], *index = node->in[3];
    NormGradJob job = {.ctx = ctx, .node = node, .s = {.sums = {data_of(node->out[1]), data_of(node->out[2])}}};
    if ((index != NULL && !cpu_check_index(node, index, w->shape[0], err)) ||
        !prepare(ctx, &job.s, node->in[1], index, err))
        return false;
    run_job(ctx, &job, norm_group);
    return true;
}

static void gate_group(void *arg, int64_t group, int worker)
{
    const NormGradJob *job = arg;
    const Node *node = job->node;
    const RowSums *s = &job->s;
    float *d = data_of(node->out[0]), *parts[2];
    int64_t n = s->n, run = -1;
    for (int64_t r = group * s->group; r < group_end(s, group); r++) {
        const float *dy = (const float *)node->in[0]->data + r * n;
        find_parts(s, group, r, &run, parts);
        if (parts[0] != NULL)
            job->ctx->simd->mul_add(parts[0], dy, (const float *)node->in[1]->data + r * n, n);
        if (d != NULL)
            job->ctx->simd->mul(d + r * n, dy, (const float *)node->in[2]->data + s->index[r] * n, n);
    }
}

bool fast_gate_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    NormGradJob job = {.ctx = ctx, .node = node, .s = {.sums = {data_of(node->out[1])}}};
    if (!cpu_check_index(node, node->in[3], node->in[2]->shape[0], err) ||
        !prepare(ctx, &job.s, node->in[0], node->in[3], err))
        return false;
    run_job(ctx, &job, gate_group);
    return true;
}
