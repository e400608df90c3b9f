/* Element by element and sums: vector functions over fixed chunks, on all threads. */
#include <string.h>

#include "cpu/kernel.h"
#include "cpu/simd.h"

enum {
    CHUNK = 1 << 14, /* elements of one piece of work */
    SUM_ROWS = 256,  /* rows of one partial sum */
    SUM_COLUMNS = 1 << 12,
};

/* Threads worth waking for n elements. */
static int threads_for(const CpuContext *ctx, int64_t n)
{
    return n > 2 * CHUNK ? ctx->threads : 1;
}

static int64_t chunk_at(int64_t first, int64_t n)
{
    return n - first < CHUNK ? n - first : CHUNK;
}

bool fast_fill(CpuContext *ctx, const Node *node, SoraError *err)
{
    float *out = node->out[0]->data, value = (float)node->f[0];
    int64_t n = tensor_numel(node->out[0]);
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t first = 0; first < n; first += CHUNK)
        for (int64_t i = first; i < first + chunk_at(first, n); i++)
            out[i] = value;
    return true;
}

bool fast_copy(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *out = node->out[0];
    bool half = x->dtype == DTYPE_BF16 || x->dtype == DTYPE_F16;
    if (x->dtype != out->dtype && !(half && out->dtype == DTYPE_F32))
        return ref_copy(ctx, node, err);
    int64_t n = tensor_numel(out), size = (int64_t)dtype_size(out->dtype);
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t first = 0; first < n; first += CHUNK)
        if (half && out->dtype == DTYPE_F32)
            ctx->simd->widen((float *)out->data + first, (const uint16_t *)x->data + first, x->dtype,
                             chunk_at(first, n));
        else
            memmove((char *)out->data + first * size, (const char *)x->data + first * size,
                    (size_t)(chunk_at(first, n) * size));
    return true;
}

bool fast_add_into(CpuContext *ctx, const Node *node, SoraError *err)
{
    float *out = node->out[0]->data;
    const float *b = node->in[1]->data;
    int64_t n = tensor_numel(node->out[0]);
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t first = 0; first < n; first += CHUNK)
        ctx->simd->add(out + first, out + first, b + first, chunk_at(first, n));
    return true;
}

typedef void (*Binary)(float *out, const float *a, const float *b, int64_t n);

/* b is whole, or rows that repeat. */
static bool binary(CpuContext *ctx, const Node *node, Binary f)
{
    const float *a = node->in[0]->data, *b = node->in[1]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]), nb = tensor_numel(node->in[1]);
    if (n == 0)
        return true;
    int64_t rows = nb >= CHUNK ? 1 : CHUNK / nb, step = nb == n ? CHUNK : rows * nb;
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t first = 0; first < n; first += step) {
        int64_t end = n - first < step ? n : first + step;
        for (int64_t i = first; i < end; i += nb)
            f(out + i, a + i, nb == n ? b + i : b, end - i < nb ? end - i : nb);
    }
    return true;
}

/* b is one number. */
static bool with_number(CpuContext *ctx, const Node *node, float factor, float offset)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]);
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t first = 0; first < n; first += CHUNK)
        ctx->simd->scale(out + first, x + first, factor, offset, chunk_at(first, n));
    return true;
}

bool fast_add(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (tensor_numel(node->in[1]) == 1)
        return with_number(ctx, node, 1, *(const float *)node->in[1]->data);
    return binary(ctx, node, ctx->simd->add);
}

bool fast_sub(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (tensor_numel(node->in[1]) == 1)
        return with_number(ctx, node, 1, -*(const float *)node->in[1]->data);
    return binary(ctx, node, ctx->simd->sub);
}

bool fast_mul(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (tensor_numel(node->in[1]) == 1)
        return with_number(ctx, node, *(const float *)node->in[1]->data, 0);
    return binary(ctx, node, ctx->simd->mul);
}

bool fast_scale(CpuContext *ctx, const Node *node, SoraError *err)
{
    return with_number(ctx, node, (float)node->f[0], (float)node->f[1]);
}

bool fast_unary(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]);
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t first = 0; first < n; first += CHUNK)
        ctx->simd->unary((Unary)node->i[0], out + first, x + first, chunk_at(first, n));
    return true;
}

bool fast_unary_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *dy = node->in[0]->data, *x = node->in[1]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]);
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t first = 0; first < n; first += CHUNK)
        ctx->simd->unary_grad((Unary)node->i[0], out + first, dy + first, x + first, chunk_at(first, n));
    return true;
}

/* One sum for each chunk, then those in order. */
bool fast_sum(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    int64_t n = tensor_numel(node->in[0]), chunks = (n + CHUNK - 1) / CHUNK;
    double *parts = cpu_scratch(ctx, (size_t)chunks * sizeof *parts, err), total = 0;
    if (parts == NULL)
        return false;
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, n))
    for (int64_t c = 0; c < chunks; c++)
        parts[c] = ctx->simd->sum(x + c * CHUNK, chunk_at(c * CHUNK, n));
    for (int64_t c = 0; c < chunks; c++)
        total += parts[c];
    *(float *)node->out[0]->data = (float)total;
    return true;
}

/* Adds rows of x, cols apart, into out[0 .. n). */
static void add_rows(const CpuContext *ctx, float *out, const float *x, int64_t rows, int64_t cols, int64_t n)
{
    if (rows == 0) {
        memset(out, 0, (size_t)n * sizeof *out);
        return;
    }
    memcpy(out, x, (size_t)n * sizeof *out);
    for (int64_t r = 1; r < rows; r++)
        ctx->simd->add(out, out, x + r * cols, n);
}

/* Sums of SUM_ROWS rows each, in blocks of columns; then those sums in the same way, until one row is left.
 */
bool fast_sum_leading(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t rows = node->i[0], cols = node->i[1];
    int64_t parts = (rows + SUM_ROWS - 1) / SUM_ROWS, blocks = (cols + SUM_COLUMNS - 1) / SUM_COLUMNS;
    float *out = node->out[0]->data, *from = node->in[0]->data;
    float *sums = cpu_scratch(ctx, (size_t)(2 * parts * cols) * sizeof *sums, err);
    if (sums == NULL)
        return false;
    int threads = threads_for(ctx, rows * cols);
    do {
        parts = (rows + SUM_ROWS - 1) / SUM_ROWS;
        parts = parts ? parts : 1;
        float *to = parts == 1 ? out : sums;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (int64_t i = 0; i < parts * blocks; i++) {
            int64_t r = i / blocks * SUM_ROWS, c = i % blocks * SUM_COLUMNS;
            add_rows(ctx, to + i / blocks * cols + c, from + r * cols + c,
                     rows - r < SUM_ROWS ? rows - r : SUM_ROWS, cols,
                     cols - c < SUM_COLUMNS ? cols - c : SUM_COLUMNS);
        }
        rows = parts;
        from = sums;
        sums += parts * cols;
    } while (rows > 1);
    return true;
}

bool fast_group_mean(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]), group = node->i[0];
    float factor = 1 / (float)group;
#pragma omp parallel for num_threads(threads_for(ctx, n *group))
    for (int64_t i = 0; i < n; i++) {
        float sum = x[i * group];
        for (int64_t j = 1; j < group; j++)
            sum += x[i * group + j];
        out[i] = sum * factor;
    }
    return true;
}

bool fast_group_repeat(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->in[0]), times = node->i[0];
#pragma omp parallel for num_threads(threads_for(ctx, n *times))
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < times; j++)
            out[i * times + j] = x[i];
    return true;
}

bool fast_upsample(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0];
    int64_t w = x->shape[3], c = x->shape[4], rows = x->shape[0] * x->shape[1] * x->shape[2];
    const float *in = x->data;
    float *out = node->out[0]->data;
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, 4 * rows * w * c))
    for (int64_t r = 0; r < rows; r++) {
        float *to = out + 4 * r * w * c;
        for (int64_t i = 0; i < w; i++) {
            memcpy(to + 2 * i * c, in + (r * w + i) * c, (size_t)c * sizeof *to);
            memcpy(to + (2 * i + 1) * c, in + (r * w + i) * c, (size_t)c * sizeof *to);
        }
        memcpy(to + 2 * w * c, to, (size_t)(2 * w * c) * sizeof *to);
    }
    return true;
}

bool fast_upsample_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dx = node->out[0];
    int64_t w = dx->shape[3], c = dx->shape[4], rows = dx->shape[0] * dx->shape[1] * dx->shape[2];
    const float *in = node->in[0]->data;
    float *out = dx->data;
#pragma omp parallel for schedule(dynamic) num_threads(threads_for(ctx, 4 * rows * w * c))
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < w; i++) {
            const float *top = in + (4 * r * w + 2 * i) * c, *bottom = top + 2 * w * c;
            float *to = out + (r * w + i) * c;
            ctx->simd->add(to, top, top + c, c);
            for (int64_t k = 0; k < c; k++)
                to[k] += bottom[k] + bottom[c + k];
        }
    return true;
}
