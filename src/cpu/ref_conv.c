/* Reference kernels: convolution over time, height and width, channels last, and its gradients. */
#include <math.h>
#include <string.h>

#include "cpu/kernel.h"

/* One pair of places that a kernel tap joins. */
typedef struct Tap {
    int64_t x, y; /* first channel's element in the input and the output */
    int64_t w;    /* offset of the tap in w's [Cout, Cin, taps] plane */
} Tap;

typedef struct Conv {
    const Tensor *x, *w, *y;
    int64_t cin, cout, taps;
} Conv;

static Conv describe(const Tensor *x, const Tensor *w, const Tensor *y)
{
    return (Conv){x, w, y, w->shape[1], w->shape[0], w->shape[2] * w->shape[3] * w->shape[4]};
}

/* Tap k at output place p (both flat); false where it falls on padding. */
static bool find_tap(const Conv *c, const Node *node, int64_t p, int64_t k, Tap *tap)
{
    const int64_t *out = c->y->shape, *in = c->x->shape, *size = c->w->shape + 2;
    tap->y = p * c->cout;
    tap->w = k;
    int64_t place[3] = {p / (out[3] * out[2]) % out[1], p / out[3] % out[2], p % out[3]};
    int64_t step[3] = {k / (size[1] * size[2]), k / size[2] % size[1], k % size[2]};
    int64_t at = p / (out[3] * out[2] * out[1]);
    for (int d = 0; d < 3; d++) {
        int64_t i = place[d] * node->i[CONV_STRIDE + d] + step[d] - node->i[CONV_PADDING + 2 * d];
        if (i < 0 || i >= in[1 + d])
            return false;
        at = at * in[1 + d] + i;
    }
    tap->x = at * c->cin;
    return true;
}

static int64_t places(const Tensor *y)
{
    return leading_rows(y);
}

/* Where a place of the convolution's input is, before rows and columns are repeated: in the past, the edge or x. */
typedef struct Place {
    const Tensor *t;
    int64_t first; /* element */
} Place;

/* at: sample, time, row and column of that input. */
static Place find_place(const Node *node, const int64_t at[4])
{
    const Tensor *x = node->in[CONV_X], *past = node->in[CONV_PAST], *edge = node->in[CONV_EDGE];
    int64_t frames = past != NULL ? past->shape[1] : 0, i[4] = {at[0], at[1] - frames, at[2], at[3]};
    int dim = (int)node->i[CONV_DIM];
    const Tensor *t = x;
    if (at[1] < frames) {
        t = past;
        i[1] = at[1];
    } else if (edge != NULL && at[dim] < edge->shape[dim]) {
        t = edge;
    } else if (edge != NULL) {
        i[dim] -= edge->shape[dim];
    }
    return (Place){t, (((i[0] * t->shape[1] + i[1]) * t->shape[2] + i[2]) * t->shape[3] + i[3]) * t->shape[4]};
}

static void read_place(const Node *node, Place place, float *out)
{
    const Tensor *norm = node->in[CONV_NORM];
    int64_t n = place.t->shape[4];
    double squares = 0;
    for (int64_t i = 0; i < n; i++) {
        out[i] = element(place.t, place.first + i);
        squares += (double)out[i] * out[i];
    }
    if (place.t != node->in[CONV_X] || norm == NULL)
        return;
    double length = sqrt(squares), factor = sqrt((double)n) / (length > 1e-12 ? length : 1e-12);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)ref_unary_value(UNARY_SILU, out[i] * factor * element(norm, i));
}

static void remember(Tensor *t, const Tensor *v, int dim)
{
    for (int64_t i = 0, n = t != NULL ? tensor_numel(t) : 0; i < n; i++) {
        int64_t at = 0, rest = i, step = 1;
        for (int d = 4; d >= 0; d--) {
            int64_t place = rest % t->shape[d] + (d == dim || d == 1 ? v->shape[d] - t->shape[d] : 0);
            rest /= t->shape[d];
            at += place * step;
            step *= v->shape[d];
        }
        float value = ((const float *)v->data)[at];
        if (t->dtype == DTYPE_BF16)
            ((uint16_t *)t->data)[i] = f32_to_bf16(value);
        else
            ((float *)t->data)[i] = value;
    }
}

/* The convolution's input as one tensor in scratch, see ConvBlock; and what is remembered of it. */
static bool build_input(CpuContext *ctx, const Node *node, Tensor *v, SoraError *err)
{
    const Tensor *x = node->in[CONV_X], *past = node->in[CONV_PAST], *edge = node->in[CONV_EDGE];
    int64_t repeat = node->i[CONV_REPEAT] > 1 ? 2 : 1;
    *v = tensor_over(NULL, DTYPE_F32, 5, x->shape);
    if (past != NULL)
        v->shape[1] += past->shape[1];
    if (edge != NULL)
        v->shape[node->i[CONV_DIM]] += edge->shape[node->i[CONV_DIM]];
    v->shape[2] *= repeat;
    v->shape[3] *= repeat;
    v->data = cpu_scratch(ctx, tensor_bytes(v), err);
    if (v->data == NULL)
        return false;
    for (int64_t p = 0, n = leading_rows(v); p < n; p++) {
        int64_t at[4], rest = p;
        for (int d = 3; d >= 0; rest /= v->shape[d], d--)
            at[d] = rest % v->shape[d] / (d >= 2 ? repeat : 1);
        read_place(node, find_place(node, at), (float *)v->data + p * v->shape[4]);
    }
    remember(node->out[CONV_LAST], v, 1);
    remember(node->out[CONV_RIM], v, (int)node->i[CONV_DIM]);
    return true;
}

bool ref_conv(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *b = node->in[CONV_B], *add = node->in[CONV_ADD];
    Tensor input;
    if (!build_input(ctx, node, &input, err))
        return false;
    Conv c = describe(&input, node->in[CONV_W], node->out[CONV_Y]);
    const float *x = c.x->data;
    float *y = c.y->data;
    Tap tap;
    for (int64_t p = 0, n = places(c.y); p < n; p++)
        for (int64_t o = 0; o < c.cout; o++) {
            double sum = (b ? element(b, o) : 0) + (add ? element(add, p * c.cout + o) : 0);
            for (int64_t k = 0; k < c.taps; k++)
                for (int64_t i = 0, n_in = find_tap(&c, node, p, k, &tap) ? c.cin : 0; i < n_in; i++)
                    sum += (double)x[tap.x + i] * element(c.w, (o * c.cin + i) * c.taps + k);
            y[p * c.cout + o] = (float)sum;
        }
    return true;
}

bool ref_conv_grad_x(CpuContext *ctx, const Node *node, SoraError *err)
{
    Conv c = describe(node->out[0], node->in[1], node->in[0]);
    float *dx = c.x->data;
    const float *dy = c.y->data;
    memset(dx, 0, tensor_bytes(c.x));
    Tap tap;
    for (int64_t p = 0, n = places(c.y); p < n; p++)
        for (int64_t k = 0; k < c.taps; k++)
            for (int64_t i = 0, n_in = find_tap(&c, node, p, k, &tap) ? c.cin : 0; i < n_in; i++) {
                double sum = 0;
                for (int64_t o = 0; o < c.cout; o++)
                    sum += (double)dy[tap.y + o] * element(c.w, (o * c.cin + i) * c.taps + k);
                dx[tap.x + i] += (float)sum;
            }
    return true;
}

bool ref_conv_grad_w(CpuContext *ctx, const Node *node, SoraError *err)
{
    Conv c = describe(node->in[1], node->out[0], node->in[0]);
    const float *x = c.x->data, *dy = c.y->data;
    float *dw = c.w->data;
    Tap tap;
    for (int64_t o = 0; o < c.cout; o++)
        for (int64_t i = 0; i < c.cin; i++)
            for (int64_t k = 0; k < c.taps; k++) {
                double sum = 0;
                for (int64_t p = 0, n = places(c.y); p < n; p++)
                    if (find_tap(&c, node, p, k, &tap))
                        sum += (double)x[tap.x + i] * dy[tap.y + o];
                dw[(o * c.cin + i) * c.taps + k] = (float)sum;
            }
    return true;
}

bool ref_depthwise(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = node->out[0];
    const int64_t *in = x->shape, *out = y->shape, *size = w->shape + 2, *stride = node->i + CONV_STRIDE;
    const int64_t *padding = node->i + CONV_PADDING;
    for (int64_t p = 0, n = tensor_numel(y); p < n; p++) {
        int64_t c = p % out[4], column = p / out[4] % out[3], row = p / (out[4] * out[3]) % out[2];
        int64_t frame = p / (out[4] * out[3] * out[2]);
        double sum = b != NULL ? element(b, c) : 0;
        for (int64_t k = 0; k < size[0] * size[1]; k++) {
            int64_t i = row * stride[1] + k / size[1] - padding[2], j = column * stride[2] + k % size[1] - padding[4];
            if (i >= 0 && i < in[2] && j >= 0 && j < in[3])
                sum += (double)element(x, ((frame * in[2] + i) * in[3] + j) * in[4] + c) * element(w, c * size[0] * size[1] + k);
        }
        ((float *)y->data)[p] = (float)ref_unary_value((Unary)node->i[DEPTHWISE_ACT], sum);
    }
    return true;
}

bool ref_upsample(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *y = node->out[0];
    int64_t h = y->shape[2], w = y->shape[3], c = y->shape[4];
    const float *in = x->data;
    float *out = y->data;
    for (int64_t p = 0, n = places(y); p < n; p++) {
        int64_t image = p / (h * w), row = p / w % h, col = p % w;
        memcpy(out + p * c, in + ((image * (h / 2) + row / 2) * (w / 2) + col / 2) * c,
               (size_t)c * sizeof *out);
    }
    return true;
}

bool ref_upsample_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dy = node->in[0], *dx = node->out[0];
    int64_t h = dx->shape[2], w = dx->shape[3], c = dx->shape[4];
    const float *in = dy->data;
    float *out = dx->data;
    for (int64_t p = 0, n = places(dx); p < n; p++)
        for (int64_t i = 0; i < c; i++) {
            int64_t image = p / (h * w), row = p / w % h * 2, col = p % w * 2;
            const float *a = in + ((image * 2 * h + row) * 2 * w + col) * c + i;
            out[p * c + i] = (a[0] + a[c]) + (a[2 * w * c] + a[(2 * w + 1) * c]);
        }
    return true;
}
