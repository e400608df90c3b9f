/* Row by row: softmax, norms, modulation, gather, scatter, rotation. */
#include <string.h>

#include "cpu/kernel.h"
#include "cpu/simd.h"

enum {
    CHUNK = 1 << 13,      /* elements of one piece of work, about */
    SCATTER_COLUMNS = 64, /* columns that one thread adds up */
};

/* Rows of n elements that make a piece of work. */
static int64_t rows_of(int64_t n)
{
    return n >= CHUNK ? 1 : CHUNK / (n ? n : 1);
}

typedef void (*RowFunction)(const CpuContext *ctx, const Node *node, int64_t row, int64_t n);

typedef struct RowsJob {
    const CpuContext *ctx;
    const Node *node;
    int64_t rows, n, step;
    RowFunction f;
} RowsJob;

static void some_rows(void *arg, int64_t piece, int worker)
{
    const RowsJob *job = arg;
    for (int64_t r = piece * job->step; r < job->rows && r < (piece + 1) * job->step; r++)
        job->f(job->ctx, job->node, r, job->n);
}

static bool for_rows(CpuContext *ctx, const Node *node, int64_t rows, int64_t n, RowFunction f)
{
    RowsJob job = {ctx, node, rows, n, rows_of(n), f};
    pool_run(cpu_pool(ctx, rows * n), (rows + job.step - 1) / job.step, some_rows, &job);
    return true;
}

/* Row r of an F32 tensor seen as rows of n; NULL of NULL. */
static float *row_of(const Tensor *t, int64_t r, int64_t n)
{
    return t == NULL ? NULL : (float *)t->data + r * n;
}

static void softmax_row(const CpuContext *ctx, const Node *node, int64_t r, int64_t n)
{
    ctx->simd->softmax(row_of(node->out[0], r, n), row_of(node->in[0], r, n), n);
}

bool fast_softmax(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_rows(ctx, node, leading_rows(node->in[0]), last_dim(node->in[0]), softmax_row);
}

static void softmax_grad_row(const CpuContext *ctx, const Node *node, int64_t r, int64_t n)
{
    ctx->simd->softmax_grad(row_of(node->out[0], r, n), row_of(node->in[0], r, n), row_of(node->in[1], r, n),
                            n);
}

bool fast_softmax_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_rows(ctx, node, leading_rows(node->in[0]), last_dim(node->in[0]), softmax_grad_row);
}

static void norm_row(const CpuContext *ctx, const Node *node, int64_t r, int64_t n)
{
    const float *x = row_of(node->in[0], r, n);
    RowScale s = ctx->simd->measure((Norm)node->i[0], (float)node->f[0], x, n);
    ctx->simd->normalise(row_of(node->out[0], r, n), x, s, row_of(node->in[1], 0, n), 0,
                         row_of(node->in[2], 0, n), n);
}

bool fast_norm(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_rows(ctx, node, leading_rows(node->in[0]), last_dim(node->in[0]), norm_row);
}

static void modulate_row(const CpuContext *ctx, const Node *node, int64_t r, int64_t n)
{
    const float *x = row_of(node->in[0], r, n);
    int64_t at = ((const int32_t *)node->in[3]->data)[r];
    RowScale s = {0, 1};
    if (node->op == OP_NORM_MODULATE)
        s = ctx->simd->measure(NORM_LAYER, (float)node->f[0], x, n);
    ctx->simd->normalise(row_of(node->out[0], r, n), x, s, row_of(node->in[2], at, n), 1,
                         row_of(node->in[1], at, n), n);
}

bool fast_modulate(CpuContext *ctx, const Node *node, SoraError *err)
{
    return cpu_check_index(node, node->in[3], leading_rows(node->in[2]), err) &&
           for_rows(ctx, node, leading_rows(node->in[0]), last_dim(node->in[0]), modulate_row);
}

static void gate_row(const CpuContext *ctx, const Node *node, int64_t r, int64_t n)
{
    int64_t at = ((const int32_t *)node->in[3]->data)[r];
    ctx->simd->gate(row_of(node->out[0], r, n), row_of(node->in[0], r, n), row_of(node->in[1], r, n),
                    row_of(node->in[2], at, n), n);
}

bool fast_gate(CpuContext *ctx, const Node *node, SoraError *err)
{
    return cpu_check_index(node, node->in[3], leading_rows(node->in[2]), err) &&
           for_rows(ctx, node, leading_rows(node->in[0]), last_dim(node->in[0]), gate_row);
}

static void gather_row(const CpuContext *ctx, const Node *node, int64_t r, int64_t n)
{
    const Tensor *table = node->in[0];
    int64_t at = ((const int32_t *)node->in[1]->data)[r];
    if (table->dtype == DTYPE_F32)
        memcpy(row_of(node->out[0], r, n), row_of(table, at, n), (size_t)n * sizeof(float));
    else
        ctx->simd->widen(row_of(node->out[0], r, n), (const uint16_t *)table->data + at * n, table->dtype, n);
}

bool fast_gather(CpuContext *ctx, const Node *node, SoraError *err)
{
    return cpu_check_index(node, node->in[1], node->in[0]->shape[0], err) &&
           for_rows(ctx, node, tensor_numel(node->in[1]), last_dim(node->in[0]), gather_row);
}

/* Each piece owns columns, so that the order of the sums is the rows' own. */
static void scatter_columns(void *arg, int64_t piece, int worker)
{
    const RowsJob *job = arg;
    const Tensor *in = job->node->in[0], *out = job->node->out[0];
    const int32_t *to = job->node->in[1]->data;
    int64_t n = job->n, c = piece * SCATTER_COLUMNS,
            width = n - c < SCATTER_COLUMNS ? n - c : SCATTER_COLUMNS;
    for (int64_t r = 0; r < out->shape[0]; r++)
        memset(row_of(out, r, n) + c, 0, (size_t)width * sizeof(float));
    for (int64_t r = 0; r < job->rows; r++) {
        float *sum = row_of(out, to[r], n) + c;
        job->ctx->simd->add(sum, sum, row_of(in, r, n) + c, width);
    }
}

bool fast_scatter(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *index = node->in[1], *out = node->out[0];
    RowsJob job = {.ctx = ctx, .node = node, .rows = tensor_numel(index), .n = last_dim(out)};
    if (!cpu_check_index(node, index, out->shape[0], err))
        return false;
    int64_t pieces = (job.n + SCATTER_COLUMNS - 1) / SCATTER_COLUMNS;
    pool_run(cpu_pool(ctx, job.rows * job.n), pieces, scatter_columns, &job);
    return true;
}

static void rope_row(const CpuContext *ctx, const Node *node, int64_t r, int64_t n)
{
    int64_t d = n / node->i[0];
    ctx->simd->rope(row_of(node->out[0], r, n), row_of(node->in[0], r, n), row_of(node->in[1], r, d), d, n,
                    node->i[1] ? -1.0f : 1.0f);
}

bool fast_rope(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_rows(ctx, node, leading_rows(node->in[0]), last_dim(node->in[0]), rope_row);
}
