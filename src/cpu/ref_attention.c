/* Reference kernels: attention over packed samples, and its gradient. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/kernel.h"

/* Where a head of a sample lies. Row strides of q, k, v and out are all n = heads * d. */
typedef struct Head {
    int64_t q0, k0, lq, lk; /* first rows and lengths */
    int64_t h, d, n;
    const float *bias; /* [lq, stride] of this head, or NULL */
    int64_t stride;
    double scale;
} Head;

static Head find_head(const Node *node, int first, int64_t b, int64_t h)
{
    const int32_t *cu_q = node->in[first]->data, *cu_k = node->in[first + 1]->data;
    const Tensor *bias = node->in[first + 2];
    int64_t n = last_dim(node->in[0]);
    Head head = {cu_q[b], cu_k[b],   cu_q[b + 1] - cu_q[b], cu_k[b + 1] - cu_k[b], h, n / node->i[0], n, NULL,
                 0,       node->f[0]};
    if (bias) {
        head.stride = bias->shape[2];
        head.bias = (const float *)bias->data + h * bias->shape[1] * bias->shape[2];
    }
    return head;
}

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Softmax of query row i's scores into p[lk]. */
static void weigh(const Head *s, const float *q, const float *k, int64_t i, double *p)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < s->lk; j++) {
        p[j] =
            s->scale * dot(q + (s->q0 + i) * s->n + s->h * s->d, k + (s->k0 + j) * s->n + s->h * s->d, s->d);
        if (s->bias)
            p[j] += s->bias[i * s->stride + j];
        max = fmax(max, p[j]);
    }
    for (int64_t j = 0; j < s->lk; j++)
        sum += p[j] = exp(p[j] - max);
    for (int64_t j = 0; j < s->lk; j++)
        p[j] /= sum;
}

static void attend(const Head *s, const Node *node, double *p)
{
    const float *q = node->in[0]->data, *k = node->in[1]->data, *v = node->in[2]->data;
    float *out = node->out[0]->data;
    for (int64_t i = 0; i < s->lq; i++) {
        weigh(s, q, k, i, p);
        for (int64_t c = 0; c < s->d; c++) {
            double sum = 0;
            for (int64_t j = 0; j < s->lk; j++)
                sum += p[j] * v[(s->k0 + j) * s->n + s->h * s->d + c];
            out[(s->q0 + i) * s->n + s->h * s->d + c] = (float)sum;
        }
    }
}

bool ref_attention(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t rows_q = node->in[0]->shape[0], rows_k = node->in[1]->shape[0];
    if (!cpu_check_samples(node, 3, rows_q, rows_k, err))
        return false;
    double *p = cpu_scratch(ctx, (size_t)rows_k * sizeof *p, err);
    if (p == NULL)
        return false;
    memset(node->out[0]->data, 0, tensor_bytes(node->out[0]));
    for (int64_t b = 0; b < tensor_numel(node->in[3]) - 1; b++)
        for (int64_t h = 0; h < node->i[0]; h++) {
            Head head = find_head(node, 3, b, h);
            attend(&head, node, p);
        }
    return true;
}

/* dS = P (dP - sum(dP P)), dP = dO V^T; then dQ = scale dS K, dK = scale dS^T Q, dV = P^T dO, dbias = dS. */
static void attend_grad(const Head *s, const Node *node, double *p, double *dp)
{
    const float *dy = node->in[0]->data, *q = node->in[1]->data, *k = node->in[2]->data,
                *v = node->in[3]->data;
    float *dq = node->out[0]->data, *dk = node->out[1]->data, *dv = node->out[2]->data;
    float *dbias = node->out[3] ? node->out[3]->data : NULL;
    for (int64_t i = 0; i < s->lq; i++) {
        int64_t row = (s->q0 + i) * s->n + s->h * s->d;
        double sum = 0;
        weigh(s, q, k, i, p);
        for (int64_t j = 0; j < s->lk; j++) {
            dp[j] = dot(dy + row, v + (s->k0 + j) * s->n + s->h * s->d, s->d);
            sum += dp[j] * p[j];
        }
        for (int64_t j = 0; j < s->lk; j++) {
            int64_t key = (s->k0 + j) * s->n + s->h * s->d;
            double ds = p[j] * (dp[j] - sum);
            for (int64_t c = 0; c < s->d; c++) {
                dq[row + c] += (float)(s->scale * ds * k[key + c]);
                dk[key + c] += (float)(s->scale * ds * q[row + c]);
                dv[key + c] += (float)(p[j] * dy[row + c]);
            }
            if (dbias)
                dbias[(s->h * node->out[3]->shape[1] + i) * node->out[3]->shape[2] + j] += (float)ds;
        }
    }
}

bool ref_attention_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    int64_t rows_q = node->in[1]->shape[0], rows_k = node->in[2]->shape[0];
    if (!cpu_check_samples(node, 4, rows_q, rows_k, err))
        return false;
    double *p = cpu_scratch(ctx, 2 * (size_t)rows_k * sizeof *p, err);
    if (p == NULL)
        return false;
    for (int k = 0; k < 4; k++)
        if (node->out[k])
            memset(node->out[k]->data, 0, tensor_bytes(node->out[k]));
    for (int64_t b = 0; b < tensor_numel(node->in[4]) - 1; b++)
        for (int64_t h = 0; h < node->i[0]; h++) {
            Head head = find_head(node, 4, b, h);
            attend_grad(&head, node, p, p + rows_k);
        }
    return true;
}
