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

/* out[i, j] (+)= the sum over k of a[i, k] b[k, j] with element (i, k) at i * a_i + k * a_k and so on. */
typedef struct Sum {
    const Tensor *a, *b;
    int64_t a_i, a_k, b_k, b_j, inner;
} Sum;

static double sum_of(const Sum *s, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t k = 0; k < s->inner; k++)
        sum += (double)element(s->a, i * s->a_i + k * s->a_k) * element(s->b, k * s->b_k + j * s->b_j);
    return sum;
}

bool ref_linear_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dy = node->in[0], *x = node->in[1], *w = node->in[2];
    int64_t rows = leading_rows(dy), n = last_dim(dy), inner = last_dim(x);
    float *dx = node->out[0] ? node->out[0]->data : NULL, *dw = node->out[1] ? node->out[1]->data : NULL,
          *db = node->out[2] ? node->out[2]->data : NULL;
    Sum of_x = {dy, w, n, 1, inner, 1, n}, of_w = {dy, x, 1, n, inner, 1, rows};
    for (int64_t m = 0; m < rows && dx != NULL; m++)
        for (int64_t k = 0; k < inner; k++)
            dx[m * inner + k] = (float)sum_of(&of_x, m, k);
    for (int64_t i = 0; i < n && dw != NULL; i++)
        for (int64_t k = 0; k < inner; k++)
            dw[i * inner + k] = (float)(dw[i * inner + k] + sum_of(&of_w, i, k));
    for (int64_t i = 0; i < n && db != NULL; i++) {
        double sum = db[i];
        for (int64_t m = 0; m < rows; m++)
            sum += element(dy, m * n + i);
        db[i] = (float)sum;
    }
    return true;
}
