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

/* With y = (x - mean) f, f = 1/sqrt(var + eps) and d = dy (w + one): dx = f (d - mean(d) - y mean(d y)). The RMS norm
 * has no mean; the L2 norm is the same with its own factor, and constant below eps. */
static void norm_grad_row(const Node *node, int64_t r, Statistics s)
{
    const Tensor *w = node->in[2], *index = node->in[3];
    int64_t n = last_dim(node->in[1]), at = index ? ((const int32_t *)index->data)[r] * n : 0;
    const float *dy = (const float *)node->in[0]->data + r * n, *x = (const float *)node->in[1]->data + r * n;
    float *dx = node->out[0] ? (float *)node->out[0]->data + r * n : NULL;
    float *dw = node->out[1] ? (float *)node->out[1]->data + at : NULL;
    float *db = node->out[2] ? (float *)node->out[2]->data + at : NULL;
    double mean = 0, dot = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = dy[i] * (w ? element(w, at + i) + node->f[1] : 1);
        mean += node->i[0] == NORM_LAYER ? d / (double)n : 0;
        dot += d * (x[i] - s.shift) * s.factor / (double)n;
        squares += (double)x[i] * x[i];
    }
    if (node->i[0] == NORM_L2 && sqrt(squares) <= node->f[0])
        dot = 0;
    for (int64_t i = 0; i < n; i++) {
        double y = (x[i] - s.shift) * s.factor;
        if (dx != NULL)
            dx[i] = (float)(s.factor * (dy[i] * (w ? element(w, at + i) + node->f[1] : 1) - mean - y * dot));
        if (dw != NULL)
            dw[i] += (float)(dy[i] * y);
        if (db != NULL)
            db[i] += dy[i];
    }
}

bool ref_norm_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[1], *w = node->in[2], *index = node->in[3];
    int64_t rows = leading_rows(x), n = last_dim(x);
    if (index != NULL && !cpu_check_index(node, index, w->shape[0], err))
        return false;
    for (int64_t r = 0; r < rows; r++)
        norm_grad_row(node, r, measure((Norm)node->i[0], node->f[0], (const float *)x->data + r * n, n));
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

bool ref_gate_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *gate = node->in[2], *index = node->in[3];
    const float *dy = node->in[0]->data, *y = node->in[1]->data;
    float *d = node->out[0] ? node->out[0]->data : NULL, *dgate = node->out[1] ? node->out[1]->data : NULL;
    if (!cpu_check_index(node, index, gate->shape[0], err))
        return false;
    int64_t rows = tensor_numel(index), n = last_dim(gate);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++) {
            int64_t at = ((const int32_t *)index->data)[r] * n + i;
            if (d != NULL)
                d[r * n + i] = dy[r * n + i] * element(gate, at);
            if (dgate != NULL)
                dgate[at] += dy[r * n + i] * y[r * n + i];
        }
    return true;
}
