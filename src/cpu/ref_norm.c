/* Reference kernels along the last dimension: softmax, norms, modulation. */
#include <math.h>

#include "cpu/kernel.h"

bool ref_softmax(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t rows = leading_rows(node->in[0]), n = last_dim(node->in[0]);
    for (int64_t r = 0; r < rows; r++) {
        const float *x = (const float *)node->in[0]->data + r * n;
        float *y = (float *)node->out[0]->data + r * n;
        double max = -INFINITY, sum = 0;
        for (int64_t i = 0; i < n; i++)
            max = x[i] > max ? x[i] : max;
        for (int64_t i = 0; i < n; i++)
            sum += exp(x[i] - max);
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)(exp(x[i] - max) / sum);
    }
    return true;
}

bool ref_softmax_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t rows = leading_rows(node->in[0]), n = last_dim(node->in[0]);
    for (int64_t r = 0; r < rows; r++) {
        const float *dy = (const float *)node->in[0]->data + r * n,
                    *y = (const float *)node->in[1]->data + r * n;
        float *dx = (float *)node->out[0]->data + r * n;
        double dot = 0;
        for (int64_t i = 0; i < n; i++)
            dot += (double)dy[i] * y[i];
        for (int64_t i = 0; i < n; i++)
            dx[i] = (float)(y[i] * (dy[i] - dot));
    }
    return true;
}

/* The normalised row is (x - shift) * factor. */
typedef struct Statistics {
    double shift, factor;
} Statistics;

static Statistics measure(Norm kind, double eps, const float *x, int64_t n)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n && kind == NORM_LAYER; i++)
        mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    if (kind == NORM_L2)
        return (Statistics){0, sqrt((double)n) / fmax(sqrt(squares), eps)};
    return (Statistics){mean, 1 / sqrt(squares / (double)n + eps)};
}

bool ref_norm(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t rows = leading_rows(node->in[0]), n = last_dim(node->in[0]);
    const Tensor *w = node->in[1], *b = node->in[2];
    for (int64_t r = 0; r < rows; r++) {
        const float *x = (const float *)node->in[0]->data + r * n;
        float *y = (float *)node->out[0]->data + r * n;
        Statistics s = measure((Norm)node->i[0], node->f[0], x, n);
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)((x[i] - s.shift) * s.factor * (w ? element(w, i) : 1) + (b ? element(b, i) : 0));
    }
    return true;
}

/* With y = (x - mean) f and f = 1/sqrt(var + eps): dx = f (dy - mean(dy) - y mean(dy y)). The RMS norm has no
 * mean; the L2 norm is the same with its own factor, and constant below eps. */
bool ref_norm_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t rows = leading_rows(node->in[1]), n = last_dim(node->in[1]);
    Norm kind = (Norm)node->i[0];
    for (int64_t r = 0; r < rows; r++) {
        const float *dy = (const float *)node->in[0]->data + r * n,
                    *x = (const float *)node->in[1]->data + r * n;
        float *dx = (float *)node->out[0]->data + r * n;
        Statistics s = measure(kind, node->f[0], x, n);
        double mean = 0, dot = 0, squares = 0;
        for (int64_t i = 0; i < n; i++) {
            mean += kind == NORM_LAYER ? dy[i] / (double)n : 0;
            dot += dy[i] * (x[i] - s.shift) * s.factor / (double)n;
            squares += (double)x[i] * x[i];
        }
        if (kind == NORM_L2 && sqrt(squares) <= node->f[0])
            dot = 0;
        for (int64_t i = 0; i < n; i++)
            dx[i] = (float)(s.factor * (dy[i] - mean - (x[i] - s.shift) * s.factor * dot));
    }
    return true;
}

/* Row r of y: x (1 + scale) + shift, after the statistics. */
static void modulate_row(const Node *node, int64_t r, Statistics s)
{
    const Tensor *shift = node->in[1], *scale = node->in[2];
    int64_t n = last_dim(node->in[0]), at = ((const int32_t *)node->in[3]->data)[r] * n;
    const float *x = (const float *)node->in[0]->data + r * n;
    float *y = (float *)node->out[0]->data + r * n;
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((x[i] - s.shift) * s.factor * (1 + (double)element(scale, at + i)) +
                       (shift ? element(shift, at + i) : 0));
}

bool ref_modulate(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (!cpu_check_index(node, node->in[3], leading_rows(node->in[2]), err))
        return false;
    int64_t rows = leading_rows(node->in[0]);
    for (int64_t r = 0; r < rows; r++)
        modulate_row(node, r, (Statistics){0, 1});
    return true;
}

bool ref_norm_modulate(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (!cpu_check_index(node, node->in[3], leading_rows(node->in[2]), err))
        return false;
    int64_t rows = leading_rows(node->in[0]), n = last_dim(node->in[0]);
    for (int64_t r = 0; r < rows; r++)
        modulate_row(node, r, measure(NORM_LAYER, node->f[0], (const float *)node->in[0]->data + r * n, n));
    return true;
}

bool ref_gate(CpuContext *ctx, const Node *node, SoraError *err)
{
    if (!cpu_check_index(node, node->in[3], leading_rows(node->in[2]), err))
        return false;
    int64_t rows = leading_rows(node->in[0]), n = last_dim(node->in[0]);
    const float *x = node->in[0]->data, *y = node->in[1]->data;
    const int32_t *index = node->in[3]->data;
    float *out = node->out[0]->data;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] = x[r * n + i] + y[r * n + i] * element(node->in[2], index[r] * n + i);
    return true;
}
