/* Reference kernels, element by element, and sums. */
#include <math.h>
#include <string.h>

#include "cpu/kernel.h"

bool ref_fill(CpuContext *ctx, const Node *node, SoraError *err)
{
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)node->f[0];
    return true;
}

bool ref_copy(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *out = node->out[0];
    int64_t n = tensor_numel(out);
    if (x->dtype == out->dtype) {
        memmove(out->data, x->data, tensor_bytes(out));
        return true;
    }
    bool from = x->dtype == DTYPE_F32 || x->dtype == DTYPE_BF16 || x->dtype == DTYPE_F16;
    if (!from || (out->dtype != DTYPE_F32 && out->dtype != DTYPE_BF16))
        return error_set(err, SORA_ERROR_UNSUPPORTED, "copy: %s to %s is not supported", dtype_name(x->dtype),
                         dtype_name(out->dtype));
    for (int64_t i = 0; i < n; i++)
        if (out->dtype == DTYPE_F32)
            ((float *)out->data)[i] = element(x, i);
        else
            ((uint16_t *)out->data)[i] = f32_to_bf16(element(x, i));
    return true;
}

bool ref_add_into(CpuContext *ctx, const Node *node, SoraError *err)
{
    float *out = node->out[0]->data;
    const float *b = node->in[1]->data;
    int64_t n = tensor_numel(node->out[0]);
    for (int64_t i = 0; i < n; i++)
        out[i] += b[i];
    return true;
}

bool ref_add(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *a = node->in[0]->data, *b = node->in[1]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]), nb = tensor_numel(node->in[1]);
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] + b[i % nb];
    return true;
}

bool ref_sub(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *a = node->in[0]->data, *b = node->in[1]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]), nb = tensor_numel(node->in[1]);
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] - b[i % nb];
    return true;
}

bool ref_mul(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *a = node->in[0]->data, *b = node->in[1]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]), nb = tensor_numel(node->in[1]);
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] * b[i % nb];
    return true;
}

bool ref_scale(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(x[i] * node->f[0] + node->f[1]);
    return true;
}

static const double SQRT_2_OVER_PI = 0.79788456080286535588, SQRT_HALF = 0.70710678118654752440,
                    INV_SQRT_2PI = 0.39894228040143267794;

double ref_unary_value(Unary kind, double x)
{
    switch (kind) {
    case UNARY_SILU:
        return x / (1 + exp(-x));
    case UNARY_GELU_TANH:
        return 0.5 * x * (1 + tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));
    case UNARY_GELU_ERF:
        return 0.5 * x * (1 + erf(x * SQRT_HALF));
    case UNARY_ABS:
        return fabs(x);
    case UNARY_RELU:
        return x > 0 ? x : 0;
    case UNARY_RELU6:
        return x > 6 ? 6 : x > 0 ? x : 0;
    default:
        return x;
    }
}

static double derivative(Unary kind, double x)
{
    double s, t;
    switch (kind) {
    case UNARY_SILU:
        s = 1 / (1 + exp(-x));
        return s * (1 + x * (1 - s));
    case UNARY_GELU_TANH:
        t = tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * SQRT_2_OVER_PI * (1 + 3 * 0.044715 * x * x);
    case UNARY_GELU_ERF:
        return 0.5 * (1 + erf(x * SQRT_HALF)) + x * INV_SQRT_2PI * exp(-0.5 * x * x);
    case UNARY_ABS:
        return (x > 0) - (x < 0);
    case UNARY_RELU:
        return x > 0;
    case UNARY_RELU6:
        return x > 0 && x < 6;
    default:
        return 1;
    }
}

bool ref_unary(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)ref_unary_value((Unary)node->i[0], x[i]);
    return true;
}

bool ref_unary_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *dy = node->in[0]->data, *x = node->in[1]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(dy[i] * derivative((Unary)node->i[0], x[i]));
    return true;
}

bool ref_sum(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    int64_t n = tensor_numel(node->in[0]);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    *(float *)node->out[0]->data = (float)sum;
    return true;
}

bool ref_sum_leading(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t rows = node->i[0], cols = node->i[1];
    for (int64_t c = 0; c < cols; c++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += x[r * cols + c];
        out[c] = (float)sum;
    }
    return true;
}

bool ref_group_mean(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]), group = node->i[0];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < group; j++)
            sum += x[i * group + j];
        out[i] = (float)(sum / (double)group);
    }
    return true;
}

bool ref_group_repeat(CpuContext *ctx, const Node *node, SoraError *err)
{
    const float *x = node->in[0]->data;
    float *out = node->out[0]->data;
    int64_t n = tensor_numel(node->out[0]), times = node->i[0];
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i / times];
    return true;
}
