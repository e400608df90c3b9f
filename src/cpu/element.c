/* Element by element and sums: vector functions over fixed chunks, on all threads. */
#include <string.h>

#include "cpu/kernel.h"
#include "cpu/simd.h"

enum {
    CHUNK = 1 << 14, /* elements of one piece of work */
    SUM_ROWS = 256,  /* rows of one partial sum */
    SUM_COLUMNS = 1 << 12,
};

/* Does elements first .. first+n-1 of the output. */
typedef void (*ChunkFunction)(const CpuContext *ctx, const Node *node, int64_t first, int64_t n);

typedef struct ElementJob {
    const CpuContext *ctx;
    const Node *node;
    int64_t n, step;
    ChunkFunction f;
} ElementJob;

static void one_chunk(void *arg, int64_t piece, int worker)
{
    const ElementJob *job = arg;
    int64_t first = piece * job->step, left = job->n - first;
    job->f(job->ctx, job->node, first, left < job->step ? left : job->step);
}

/* step: elements of a piece. */
static bool for_chunks(CpuContext *ctx, const Node *node, int64_t n, int64_t step, ChunkFunction f)
{
    ElementJob job = {ctx, node, n, step, f};
    pool_run(cpu_pool(ctx, n), (n + step - 1) / step, one_chunk, &job);
    return true;
}

static bool for_elements(CpuContext *ctx, const Node *node, ChunkFunction f)
{
    return for_chunks(ctx, node, tensor_numel(node->out[0]), CHUNK, f);
}

static float *data(const Tensor *t, int64_t first)
{
    return (float *)t->data + first;
}

static void fill_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    float *out = data(node->out[0], first), value = (float)node->f[0];
    for (int64_t i = 0; i < n; i++)
        out[i] = value;
}

bool fast_fill(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_elements(ctx, node, fill_chunk);
}

static void copy_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    const Tensor *x = node->in[0], *out = node->out[0];
    size_t size = dtype_size(out->dtype);
    if (x->dtype != out->dtype)
        ctx->simd->widen(data(out, first), (const uint16_t *)x->data + first, x->dtype, n);
    else
        memmove((char *)out->data + (size_t)first * size, (const char *)x->data + (size_t)first * size,
                (size_t)n * size);
}

bool fast_copy(CpuContext *ctx, const Node *node, SoraError *err)
{
    DType from = node->in[0]->dtype, to = node->out[0]->dtype;
    bool widens = (from == DTYPE_BF16 || from == DTYPE_F16) && to == DTYPE_F32;
    return from == to || widens ? for_elements(ctx, node, copy_chunk) : ref_copy(ctx, node, err);
}

static void add_into_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    ctx->simd->add(data(node->out[0], first), data(node->out[0], first), data(node->in[1], first), n);
}

bool fast_add_into(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_elements(ctx, node, add_into_chunk);
}

/* The second operand is whole, or a row that repeats; chunks then begin with it. */
static void binary_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    int64_t nb = tensor_numel(node->in[1]);
    bool whole = nb == tensor_numel(node->out[0]);
    int64_t step = whole ? n : nb;
    void (*f)(float *, const float *, const float *, int64_t) = node->op == OP_ADD   ? ctx->simd->add
                                                                : node->op == OP_SUB ? ctx->simd->sub
                                                                                     : ctx->simd->mul;
    for (int64_t i = first; i < first + n; i += step)
        f(data(node->out[0], i), data(node->in[0], i), data(node->in[1], whole ? i : 0), step);
}

/* The second operand is one number. */
static void number_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    float b = *data(node->in[1], 0), factor = node->op == OP_MUL ? b : 1;
    float offset = node->op == OP_ADD ? b : node->op == OP_SUB ? -b : 0;
    ctx->simd->scale(data(node->out[0], first), data(node->in[0], first), factor, offset, n);
}

static bool binary(CpuContext *ctx, const Node *node)
{
    int64_t n = tensor_numel(node->out[0]), nb = tensor_numel(node->in[1]);
    if (nb == 1)
        return for_elements(ctx, node, number_chunk);
    if (n == 0)
        return true;
    int64_t step = nb == n ? CHUNK : nb >= CHUNK ? nb : CHUNK / nb * nb;
    return for_chunks(ctx, node, n, step, binary_chunk);
}

bool fast_add(CpuContext *ctx, const Node *node, SoraError *err)
{
    return binary(ctx, node);
}

bool fast_sub(CpuContext *ctx, const Node *node, SoraError *err)
{
    return binary(ctx, node);
}

bool fast_mul(CpuContext *ctx, const Node *node, SoraError *err)
{
    return binary(ctx, node);
}

static void scale_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    ctx->simd->scale(data(node->out[0], first), data(node->in[0], first), (float)node->f[0],
                     (float)node->f[1], n);
}

bool fast_scale(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_elements(ctx, node, scale_chunk);
}

static void unary_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    ctx->simd->unary((Unary)node->i[0], data(node->out[0], first), data(node->in[0], first), n);
}

bool fast_unary(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_elements(ctx, node, unary_chunk);
}

static void unary_grad_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    ctx->simd->unary_grad((Unary)node->i[0], data(node->out[0], first), data(node->in[0], first),
                          data(node->in[1], first), n);
}

bool fast_unary_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_elements(ctx, node, unary_grad_chunk);
}

typedef struct SumJob {
    const CpuContext *ctx;
    const float *from;
    float *to;
    double *parts;
    int64_t rows, cols;
} SumJob;

static void sum_chunk(void *arg, int64_t piece, int worker)
{
    const SumJob *job = arg;
    int64_t left = job->cols - piece * CHUNK;
    job->parts[piece] = job->ctx->simd->sum(job->from + piece * CHUNK, left < CHUNK ? left : CHUNK);
}

/* One sum for each chunk, then those in order. */
bool fast_sum(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t n = tensor_numel(node->in[0]), chunks = (n + CHUNK - 1) / CHUNK;
    SumJob job = {.ctx = ctx, .from = node->in[0]->data, .cols = n};
    job.parts = cpu_scratch(ctx, (size_t)chunks * sizeof *job.parts, err);
    if (job.parts == NULL)
        return false;
    pool_run(cpu_pool(ctx, n), chunks, sum_chunk, &job);
    double total = 0;
    for (int64_t c = 0; c < chunks; c++)
        total += job.parts[c];
    *(float *)node->out[0]->data = (float)total;
    return true;
}

/* SUM_ROWS rows of SUM_COLUMNS columns. */
static void sum_block(void *arg, int64_t piece, int worker)
{
    const SumJob *job = arg;
    int64_t blocks = (job->cols + SUM_COLUMNS - 1) / SUM_COLUMNS;
    int64_t first = piece / blocks * SUM_ROWS, c = piece % blocks * SUM_COLUMNS;
    int64_t end = job->rows - first < SUM_ROWS ? job->rows : first + SUM_ROWS;
    int64_t n = job->cols - c < SUM_COLUMNS ? job->cols - c : SUM_COLUMNS;
    float *out = job->to + piece / blocks * job->cols + c;
    if (job->rows == 0)
        memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t r = first; r < end; r++) {
        const float *x = job->from + r * job->cols + c;
        if (r == first)
            memcpy(out, x, (size_t)n * sizeof *out);
        else
            job->ctx->simd->add(out, out, x, n);
    }
}

/* Sums of SUM_ROWS rows each; then those sums in the same way, until one row is left. */
bool fast_sum_leading(CpuContext *ctx, const Node *node, SoraError *err)
{
    SumJob job = {.ctx = ctx, .from = node->in[0]->data, .rows = node->i[0], .cols = node->i[1]};
    int64_t parts = (job.rows + SUM_ROWS - 1) / SUM_ROWS, blocks = (job.cols + SUM_COLUMNS - 1) / SUM_COLUMNS;
    float *sums = cpu_scratch(ctx, (size_t)(2 * parts * job.cols) * sizeof *sums, err);
    if (sums == NULL)
        return false;
    do {
        parts = job.rows > 0 ? (job.rows + SUM_ROWS - 1) / SUM_ROWS : 1;
        job.to = parts == 1 ? node->out[0]->data : sums;
        pool_run(cpu_pool(ctx, job.rows * job.cols), parts * blocks, sum_block, &job);
        job.rows = parts;
        job.from = sums;
        sums += parts * job.cols;
    } while (job.rows > 1);
    return true;
}

static void group_mean_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    int64_t group = node->i[0];
    const float *x = data(node->in[0], first * group);
    float *out = data(node->out[0], first), factor = 1 / (float)group;
    for (int64_t i = 0; i < n; i++) {
        float sum = x[i * group];
        for (int64_t j = 1; j < group; j++)
            sum += x[i * group + j];
        out[i] = sum * factor;
    }
}

bool fast_group_mean(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_elements(ctx, node, group_mean_chunk);
}

/* first and n count elements of the input. */
static void group_repeat_chunk(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    int64_t times = node->i[0];
    const float *x = data(node->in[0], first);
    float *out = data(node->out[0], first * times);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < times; j++)
            out[i * times + j] = x[i];
}

bool fast_group_repeat(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_chunks(ctx, node, tensor_numel(node->in[0]), CHUNK, group_repeat_chunk);
}

/* A row of pixels of the smaller picture, for upsample's output or its gradient's. */
static void upsample_rows(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    const Tensor *x = node->in[0];
    int64_t w = x->shape[3], c = x->shape[4];
    for (int64_t r = first / (w * c); r < (first + n) / (w * c); r++) {
        const float *from = data(x, r * w * c);
        float *to = data(node->out[0], 4 * r * w * c);
        for (int64_t i = 0; i < w; i++) {
            memcpy(to + 2 * i * c, from + i * c, (size_t)c * sizeof *to);
            memcpy(to + (2 * i + 1) * c, from + i * c, (size_t)c * sizeof *to);
        }
        memcpy(to + 2 * w * c, to, (size_t)(2 * w * c) * sizeof *to);
    }
}

static bool for_pixel_rows(CpuContext *ctx, const Node *node, const Tensor *small, ChunkFunction f)
{
    int64_t row = small->shape[3] * small->shape[4], n = tensor_numel(small);
    return n == 0 || for_chunks(ctx, node, n, row >= CHUNK ? row : CHUNK / row * row, f);
}

bool fast_upsample(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_pixel_rows(ctx, node, node->in[0], upsample_rows);
}

static void upsample_grad_rows(const CpuContext *ctx, const Node *node, int64_t first, int64_t n)
{
    const Tensor *dx = node->out[0];
    int64_t w = dx->shape[3], c = dx->shape[4];
    for (int64_t r = first / (w * c); r < (first + n) / (w * c); r++)
        for (int64_t i = 0; i < w; i++) {
            const float *top = data(node->in[0], (4 * r * w + 2 * i) * c), *bottom = top + 2 * w * c;
            float *to = data(dx, (r * w + i) * c);
            ctx->simd->add(to, top, top + c, c);
            for (int64_t k = 0; k < c; k++)
                to[k] += bottom[k] + bottom[c + k];
        }
}

bool fast_upsample_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    return for_pixel_rows(ctx, node, node->out[0], upsample_grad_rows);
}
