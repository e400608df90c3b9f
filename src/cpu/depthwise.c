/* Depthwise convolution: a run of places of a row at once, of those whose taps lie within the input; the weights turned
 * so that those of one tap lie together. */
#include "cpu/kernel.h"
#include "cpu/simd.h"

typedef struct DepthwiseJob {
    const CpuContext *ctx;
    const Node *node;
    const float *w; /* [kh kw, C] */
} DepthwiseJob;

/* Output places column .. column + count - 1 of a row, from the same taps each. */
static void some_places(const DepthwiseJob *job, int64_t frame, int64_t row, int64_t column, int64_t count)
{
    const Node *node = job->node;
    const Tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = node->out[0];
    const int64_t *in = x->shape, *size = w->shape + 2, stride = node->i[CONV_STRIDE + 2], c = in[4];
    int64_t i = row * node->i[CONV_STRIDE + 1] - node->i[CONV_PADDING + 2];
    int64_t j = column * stride - node->i[CONV_PADDING + 4];
    DepthwiseRow run = {.y = (float *)y->data + ((frame * y->shape[2] + row) * y->shape[3] + column) * c,
                        .b = b != NULL ? b->data : NULL,
                        .n = c,
                        .places = count,
                        .step = stride * c,
                        .act = (Unary)node->i[DEPTHWISE_ACT]};
    for (int64_t k = 0; k < size[0] * size[1]; k++) {
        int64_t at_row = i + k / size[1], at_column = j + k % size[1];
        if (at_row < 0 || at_row >= in[2] || at_column < 0 || at_column >= in[3])
            continue;
        run.x[run.count] = (const float *)x->data + ((frame * in[2] + at_row) * in[3] + at_column) * c;
        run.w[run.count++] = job->w + k * c;
    }
    job->ctx->simd->depthwise(&run);
}

static void one_row(void *arg, int64_t piece, int worker)
{
    const DepthwiseJob *job = arg;
    const Node *node = job->node;
    const int64_t *out = node->out[0]->shape, stride = node->i[CONV_STRIDE + 2], before = node->i[CONV_PADDING + 4];
    int64_t columns = node->in[0]->shape[3], taps = node->in[1]->shape[3], frame = piece / out[2], row = piece % out[2];
    int64_t first = (before + stride - 1) / stride; /* the first place all of whose taps are inside */
    int64_t end = columns + before >= taps ? (columns + before - taps) / stride + 1 : 0;
    end = end < out[3] ? end : out[3];
    for (int64_t i = 0; i < out[3];) {
        int64_t count = i == first && end > first ? end - first : 1;
        some_places(job, frame, row, i, count);
        i += count;
    }
}

bool fast_depthwise(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *w = node->in[1], *y = node->out[0];
    int64_t c = w->shape[0], taps = w->shape[2] * w->shape[3];
    float *turned = cpu_scratch(ctx, tensor_bytes(w), err);
    if (turned == NULL)
        return false;
    for (int64_t k = 0; k < taps; k++)
        for (int64_t i = 0; i < c; i++)
            turned[k * c + i] = ((const float *)w->data)[i * taps + k];
    DepthwiseJob job = {ctx, node, turned};
    pool_run(cpu_pool(ctx, tensor_numel(y)), y->shape[0] * y->shape[1] * y->shape[2], one_row, &job);
    return true;
}
