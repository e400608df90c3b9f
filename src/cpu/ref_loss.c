/* Reference kernels of losses. */
#include <math.h>

#include "cpu/kernel.h"

/* log of the sum of exponents of a row. */
static double log_sum_exp(const float *x, int64_t n)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - max);
    return max + log(sum);
}

bool ref_cross_entropy(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *logits = node->in[0];
    int64_t rows = leading_rows(logits), n = last_dim(logits);
    if (!cpu_check_index(node, node->in[1], n, err))
        return false;
    const int32_t *label = node->in[1]->data;
    const float *x = logits->data, *weight = node->in[2]->data;
    double sum = 0;
    for (int64_t r = 0; r < rows; r++, x += n)
        if (weight[r] != 0)
            sum += weight[r] * (log_sum_exp(x, n) - x[label[r]]);
    *(float *)node->out[0]->data = (float)sum;
    return true;
}

bool ref_cross_entropy_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *logits = node->in[1];
    int64_t rows = leading_rows(logits), n = last_dim(logits);
    if (!cpu_check_index(node, node->in[2], n, err))
        return false;
    const int32_t *label = node->in[2]->data;
    const float *x = logits->data, *weight = node->in[3]->data;
    double dy = *(const float *)node->in[0]->data;
    float *dx = node->out[0]->data;
    for (int64_t r = 0; r < rows; r++, x += n, dx += n) {
        double norm = log_sum_exp(x, n), factor = dy * weight[r];
        for (int64_t i = 0; i < n; i++)
            dx[i] = (float)(factor * (exp(x[i] - norm) - (i == label[r])));
    }
    return true;
}
