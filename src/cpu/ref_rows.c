/* Reference kernels that move rows and blocks: gather, scatter, rotation, permute, concat, slice, pad. */
#include <string.h>

#include "cpu/kernel.h"

bool ref_gather(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *table = node->in[0], *index = node->in[1];
    if (!cpu_check_index(node, index, table->shape[0], err))
        return false;
    const int32_t *row = index->data;
    float *out = node->out[0]->data;
    int64_t rows = tensor_numel(index), n = last_dim(table);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] = element(table, row[r] * n + i);
    return true;
}

bool ref_scatter(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *in = node->in[0], *index = node->in[1], *out = node->out[0];
    if (!cpu_check_index(node, index, out->shape[0], err))
        return false;
    const int32_t *row = index->data;
    const float *x = in->data;
    float *y = out->data;
    int64_t rows = tensor_numel(index), n = last_dim(out);
    memset(y, 0, tensor_bytes(out));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i++)
            y[row[r] * n + i] += x[r * n + i];
    return true;
}

bool ref_rope(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *table = node->in[1];
    int64_t rows = leading_rows(x), n = last_dim(x), d = n / node->i[0];
    const float *in = x->data, *t = table->data;
    float *out = node->out[0]->data;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i += 2) {
            double c = t[r * d + i % d], s = t[r * d + i % d + 1], a = in[r * n + i], b = in[r * n + i + 1];
            if (node->i[1])
                s = -s;
            out[r * n + i] = (float)(a * c - b * s);
            out[r * n + i + 1] = (float)(a * s + b * c);
        }
    return true;
}

bool ref_permute(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *y = node->out[0];
    size_t size = dtype_size(x->dtype);
    int64_t stride[MAX_DIMS], numel = tensor_numel(y);
    for (int d = x->ndim - 1, s = 0; d >= 0; d--, s++)
        stride[d] = s == 0 ? 1 : stride[d + 1] * x->shape[d + 1];
    for (int64_t i = 0; i < numel; i++) {
        int64_t from = 0, rest = i;
        for (int d = y->ndim - 1; d >= 0; d--) {
            from += rest % y->shape[d] * stride[node->i[d]];
            rest /= y->shape[d];
        }
        memcpy((char *)y->data + (size_t)i * size, (const char *)x->data + (size_t)from * size, size);
    }
    return true;
}

/* A tensor as [before, here, after] around one dimension, in bytes of "here" rows. */
typedef struct Runs {
    int64_t count; /* product of the dimensions before */
    size_t bytes;  /* from one to the next */
    size_t step;   /* of one place in the dimension */
} Runs;

static Runs runs_of(const Tensor *t, int64_t dim)
{
    Runs r = {1, 0, dtype_size(t->dtype)};
    for (int64_t d = 0; d < dim; d++)
        r.count *= t->shape[d];
    for (int64_t d = dim + 1; d < t->ndim; d++)
        r.step *= (size_t)t->shape[d];
    r.bytes = r.step * (size_t)t->shape[dim];
    return r;
}

bool ref_concat(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs to = runs_of(node->out[0], node->i[0]);
    size_t at = 0;
    for (int k = 0; k < node->n_in; k++) {
        Runs from = runs_of(node->in[k], node->i[0]);
        for (int64_t r = 0; r < to.count; r++)
            memcpy((char *)node->out[0]->data + (size_t)r * to.bytes + at,
                   (const char *)node->in[k]->data + (size_t)r * from.bytes, from.bytes);
        at += from.bytes;
    }
    return true;
}

bool ref_slice(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs from = runs_of(node->in[0], node->i[0]), to = runs_of(node->out[0], node->i[0]);
    const char *first = (const char *)node->in[0]->data + (size_t)node->i[1] * from.step;
    for (int64_t r = 0; r < to.count; r++)
        memcpy((char *)node->out[0]->data + (size_t)r * to.bytes, first + (size_t)r * from.bytes, to.bytes);
    return true;
}

bool ref_pad(CpuContext *ctx, const Node *node, SoraError *err)
{
    Runs from = runs_of(node->in[0], node->i[0]), to = runs_of(node->out[0], node->i[0]);
    char *first = (char *)node->out[0]->data + (size_t)node->i[1] * to.step;
    memset(node->out[0]->data, 0, tensor_bytes(node->out[0]));
    for (int64_t r = 0; r < from.count; r++)
        memcpy(first + (size_t)r * to.bytes, (const char *)node->in[0]->data + (size_t)r * from.bytes,
               from.bytes);
    return true;
}
