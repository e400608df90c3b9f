/* Reference kernels: matrix products. */
#include "cpu/kernel.h"

bool ref_linear(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *w = node->in[1], *b = node->in[2];
    float *out = node->out[0]->data;
    int64_t rows = leading_rows(x), inner = last_dim(x), cols = w->shape[0];
    for (int64_t m = 0; m < rows; m++)
        for (int64_t n = 0; n < cols; n++) {
            double sum = b ? element(b, n) : 0;
            for (int64_t k = 0; k < inner; k++)
                sum += (double)element(x, m * inner + k) * element(w, n * inner + k);
            out[m * cols + n] = (float)ref_unary_value((Unary)node->i[0], sum);
        }
    return true;
}

bool ref_matmul(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *a = node->in[0], *b = node->in[1];
    float *out = node->out[0]->data;
    bool ta = node->i[0], tb = node->i[1];
    int64_t rows = a->shape[ta], inner = a->shape[!ta], cols = b->shape[!tb];
    for (int64_t m = 0; m < rows; m++)
        for (int64_t n = 0; n < cols; n++) {
            double sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += (double)element(a, ta ? k * rows + m : m * inner + k) *
                       element(b, tb ? n * inner + k : k * cols + n);
            out[m * cols + n] = (float)sum;
        }
    return true;
}
