/* Convolutions cut into slabs: some samples, times and rows of the output and what they need of the input,
 * padding written out as zeros. All slabs of a convolution have one shape, so one oneDNN primitive made for
 * one thread does them all; what a slab at the edge computes too much is dropped. */
#include <stdatomic.h>
#include <string.h>

#include "cpu/gemm.h"
#include "cpu/onednn.h"

enum {
    SLAB_BYTES = 384 << 10, /* of operands: stays in a core's own cache */
    SMALL_SLAB = 32 << 10,
    MIN_SLABS = 16,
    MAX_LANES = 16, /* partial sums of a weight gradient */
    SUM_CHUNK = 1 << 14,
    LANE_BYTES = 96 << 20, /* of all of them */
};

/* y[b, t, h, w] = sum over taps of w[tap] x[b, (t, h, w) * stride + tap - before], where x has dilate - 1
 * zeros between neighbours. */
typedef struct Conv {
    int64_t x[5], y[5]; /* shapes, channels last */
    int64_t size[3], stride[3], before[3], dilate[3];
} Conv;

typedef struct Plan {
    Conv c;
    bool bf16;
    size_t size; /* bytes of an operand's element */
    int64_t slab[4],
        counts[4]; /* of the output: samples, times, rows; and how many slabs that makes. [3]: columns */
    int64_t in[3]; /* times, rows, columns of the slab's input */
    int64_t total; /* slabs */
    const Tile *tile;
    size_t in_bytes, out_bytes, weight_bytes, scratch_bytes;
} Plan;

static size_t pad64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static Conv describe(const Node *node, const Tensor *x, const Tensor *w, const Tensor *y)
{
    Conv c;
    memcpy(c.x, x->shape, sizeof c.x);
    memcpy(c.y, y->shape, sizeof c.y);
    for (int d = 0; d < 3; d++) {
        c.size[d] = w->shape[2 + d];
        c.stride[d] = node->i[d];
        c.before[d] = node->i[3 + 2 * d];
        c.dilate[d] = 1;
    }
    return c;
}

/* Without a kernel along time, times are samples. */
static void fold_time(Conv *c)
{
    if (c->size[0] != 1 || c->stride[0] != 1 || c->dilate[0] != 1 || c->before[0] != 0 || c->x[1] != c->y[1])
        return;
    c->x[0] *= c->x[1];
    c->y[0] *= c->y[1];
    c->x[1] = c->y[1] = 1;
}

static void measure(Plan *p, bool both)
{
    const Conv *c = &p->c;
    int64_t in = p->slab[0] * c->x[4], out = c->y[4];
    for (int d = 0; d < 3; d++) {
        p->in[d] = (p->slab[1 + d] - 1) * c->stride[d] + c->size[d];
        in *= p->in[d];
    }
    p->total = 1;
    for (int d = 0; d < 4; d++) {
        p->counts[d] = (c->y[d] + p->slab[d] - 1) / p->slab[d];
        p->total *= p->counts[d];
        out *= p->slab[d];
    }
    p->in_bytes = pad64((size_t)in * p->size);
    p->out_bytes = pad64((size_t)out * (both ? p->size : sizeof(float)));
}

/* Halves dimension d of the slab, evenly. */
static void split(Plan *p, int d, bool both)
{
    int64_t parts = 2 * p->counts[d];
    p->slab[d] = (p->c.y[d] + parts - 1) / parts;
    measure(p, both);
}

/* From the shape alone. both: the output is an operand too. */
static Plan make_plan(const CpuContext *ctx, const Conv *c, bool both)
{
    Plan p = {.c = *c, .bf16 = ctx->bf16, .size = ctx->bf16 ? 2 : 4, .slab = {1, c->y[1], c->y[2], c->y[3]}};
    fold_time(&p.c);
    p.slab[1] = p.c.y[1];
    measure(&p, both);
    while (p.in_bytes + (both ? p.out_bytes : 0) > SLAB_BYTES && (p.slab[2] > 2 || p.slab[1] > 1))
        split(&p, p.slab[2] > 2 * p.c.size[1] || p.slab[1] == 1 ? 2 : 1, both);
    while (p.total < MIN_SLABS && p.slab[2] >= 8 && p.in_bytes > SMALL_SLAB)
        split(&p, 2, both);
    while (p.in_bytes < SMALL_SLAB && p.total > MIN_SLABS && p.slab[0] < p.c.y[0]) {
        p.slab[0] *= 2;
        measure(&p, both);
    }
    return p;
}

static bool find_tile(CpuContext *ctx, Plan *p, TileKind kind, bool bias, SoraError *err)
{
    TileShape s = {.kind = (int32_t)kind,
                   .type = p->bf16 ? TILE_BF16 : TILE_F32,
                   .bias = bias,
                   .batch = (int32_t)p->slab[0],
                   .cin = (int32_t)p->c.x[4],
                   .cout = (int32_t)p->c.y[4]};
    for (int d = 0; d < 3; d++) {
        s.out[d] = (int32_t)p->slab[1 + d];
        s.size[d] = (int32_t)p->c.size[d];
        s.stride[d] = (int32_t)p->c.stride[d];
    }
    onednn_tidy(ctx->onednn);
    p->tile = onednn_tile(ctx->onednn, &s, err);
    if (p->tile == NULL)
        return false;
    p->weight_bytes = pad64(tile_weight_bytes(p->tile));
    p->scratch_bytes = pad64(tile_scratch_bytes(p->tile));
    return true;
}

static void put(const Plan *p, char *out, const float *from, int64_t n)
{
    if (p->bf16)
        pack_bf16((uint16_t *)out, from, n);
    else
        memcpy(out, from, (size_t)n * sizeof *from);
}

/* One row of x, from column -before on, zeros where it has none. */
static void fill_row(const Plan *p, char *out, const float *row)
{
    int64_t cin = p->c.x[4], dilate = p->c.dilate[2], before = p->c.before[2];
    size_t pixel = (size_t)cin * p->size;
    int64_t width = (p->c.x[3] - 1) * dilate + 1, first = before > 0 ? before : 0;
    int64_t last = before + width < p->in[2] ? before + width : p->in[2];
    if (first > 0 || dilate > 1 || last < p->in[2])
        memset(out, 0, (size_t)p->in[2] * pixel);
    if (dilate == 1 && last > first) {
        put(p, out + (size_t)first * pixel, row + (first - before) * cin, (last - first) * cin);
        return;
    }
    for (int64_t i = 0; i < p->c.x[3] && dilate > 1; i++) {
        int64_t at = i * dilate + before;
        if (at >= 0 && at < p->in[2])
            put(p, out + (size_t)at * pixel, row + i * cin, cin);
    }
}

/* Where place i of the zero-filled, padded dimension d comes from; -1: a zero. */
static int64_t source(const Conv *c, int d, int64_t i)
{
    i -= c->before[d];
    if (i < 0 || i % c->dilate[d] != 0 || i / c->dilate[d] >= c->x[1 + d])
        return -1;
    return i / c->dilate[d];
}

/* at: the slab's first sample, time and row of the output. */
static void fill_input(const Plan *p, const float *x, const int64_t at[3], char *out)
{
    const Conv *c = &p->c;
    size_t bytes = (size_t)(p->in[2] * c->x[4]) * p->size;
    for (int64_t b = at[0]; b < at[0] + p->slab[0]; b++)
        for (int64_t i = 0; i < p->in[0]; i++)
            for (int64_t j = 0; j < p->in[1]; j++, out += bytes) {
                int64_t t = source(c, 0, at[1] * c->stride[0] + i),
                        h = source(c, 1, at[2] * c->stride[1] + j);
                if (b < c->x[0] && t >= 0 && h >= 0)
                    fill_row(p, out, x + ((b * c->x[1] + t) * c->x[2] + h) * c->x[3] * c->x[4]);
                else
                    memset(out, 0, bytes);
            }
}

static void locate(const Plan *p, int64_t slab, int64_t at[3])
{
    at[2] = slab % p->counts[2] * p->slab[2];
    at[1] = slab / p->counts[2] % p->counts[1] * p->slab[1];
    at[0] = slab / p->counts[2] / p->counts[1] * p->slab[0];
}

/* Calls for the part of the slab's output that exists: each run of rows in y and in the slab. */
typedef struct Run {
    int64_t y, slab, length; /* elements */
} Run;

/* The run of (sample b, time t) of the slab; length 0 where there is none. */
static Run find_run(const Plan *p, const int64_t at[3], int64_t b, int64_t t)
{
    const int64_t *y = p->c.y;
    int64_t row = y[3] * y[4], rows = y[2] - at[2] < p->slab[2] ? y[2] - at[2] : p->slab[2];
    if (at[0] + b >= y[0] || at[1] + t >= y[1])
        rows = 0;
    return (Run){(((at[0] + b) * y[1] + at[1] + t) * y[2] + at[2]) * row,
                 (b * p->slab[1] + t) * p->slab[2] * row, rows * row};
}

static bool whole(const Plan *p, const int64_t at[3])
{
    bool one_run =
        (p->slab[0] == 1 || p->counts[1] * p->counts[2] == 1) && (p->slab[1] == 1 || p->counts[2] == 1);
    return one_run && at[0] + p->slab[0] <= p->c.y[0] && at[1] + p->slab[1] <= p->c.y[1] &&
           at[2] + p->slab[2] <= p->c.y[2];
}

typedef struct Operands {
    const float *x, *bias;
    float *y;
    char *weights, *threads; /* in scratch */
} Operands;

static bool convolve_slab(const Plan *p, const Operands *o, int64_t slab, char *mine)
{
    int64_t at[3];
    locate(p, slab, at);
    fill_input(p, o->x, at, mine);
    float *out = (float *)(mine + p->in_bytes);
    bool direct = whole(p, at);
    TileData data = {mine, o->weights, o->bias, direct ? o->y + find_run(p, at, 0, 0).y : out,
                     mine + p->in_bytes + p->out_bytes};
    if (!tile_run(p->tile, &data))
        return false;
    for (int64_t i = 0; i < p->slab[0] * p->slab[1] && !direct; i++) {
        Run run = find_run(p, at, i / p->slab[1], i % p->slab[1]);
        memcpy(o->y + run.y, out + run.slab, (size_t)run.length * sizeof *out);
    }
    return true;
}

/* A plan at work. */
typedef struct Job {
    const Plan *plan;
    const Operands *operands;
    int64_t lanes; /* of a weight gradient */
    size_t thread_bytes;
    _Atomic bool failed;
} Job;

static void convolve_piece(void *arg, int64_t slab, int worker)
{
    Job *job = arg;
    if (!convolve_slab(job->plan, job->operands, slab,
                       job->operands->threads + (size_t)worker * job->thread_bytes))
        atomic_store(&job->failed, true);
}

/* plain: weights [cout, cin, taps], F32, at the start of the scratch or elsewhere. */
static bool convolve(CpuContext *ctx, const Plan *p, const Operands *o, const float *plain)
{
    Job job = {.plan = p, .operands = o, .thread_bytes = p->in_bytes + p->out_bytes + p->scratch_bytes};
    if (!tile_pack(p->tile, plain, o->weights))
        return false;
    pool_run(ctx->pool, p->total, convolve_piece, &job);
    return !atomic_load(&job.failed);
}

/* F32 weights from those of a node. */
typedef struct Widening {
    const Tensor *w;
    float *plain;
    int64_t cout, cin, taps;
} Widening;

static void widen_output(void *arg, int64_t o, int worker)
{
    const Widening *w = arg;
    int64_t n = w->cin * w->taps;
    for (int64_t i = o * n; i < (o + 1) * n; i++)
        w->plain[i] = element(w->w, i);
}

/* [cin, cout, taps] with the taps turned round, for input channel i. */
static void turn_input(void *arg, int64_t i, int worker)
{
    const Widening *w = arg;
    for (int64_t j = 0; j < w->cout; j++)
        for (int64_t k = 0; k < w->taps; k++)
            w->plain[(i * w->cout + j) * w->taps + k] =
                element(w->w, (j * w->cin + i) * w->taps + w->taps - 1 - k);
}

/* Scratch for plain weights (if any), packed weights, and the threads. */
static float *take_scratch(CpuContext *ctx, const Plan *p, Operands *o, int64_t plain, SoraError *err)
{
    size_t bytes = p->in_bytes + p->out_bytes + p->scratch_bytes,
           first = pad64((size_t)plain * sizeof(float));
    char *scratch = cpu_scratch(ctx, first + p->weight_bytes + (size_t)ctx->threads * bytes, err);
    if (scratch == NULL)
        return NULL;
    o->weights = scratch + first;
    o->threads = o->weights + p->weight_bytes;
    return (float *)scratch;
}

/* A kernel of one tap and nothing else: a matrix product over all places. */
static bool is_product(const Conv *c)
{
    for (int d = 0; d < 3; d++)
        if (c->size[d] != 1 || c->stride[d] != 1 || c->before[d] != 0 || c->x[1 + d] != c->y[1 + d])
            return false;
    return c->x[4] > 0;
}

static bool is_empty(const Conv *c)
{
    int64_t n = 1;
    for (int d = 0; d < 5; d++)
        n *= c->x[d] * c->y[d];
    return n == 0;
}

static bool result(bool ok, const Node *node, SoraError *err)
{
    return ok || error_set(err, SORA_ERROR_INTERNAL, "%s: onednn failed", op_name(node->op));
}

bool fast_conv(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = node->out[0];
    Conv c = describe(node, x, w, y);
    if (is_empty(&c))
        return ref_conv(ctx, node, err);
    if (is_product(&c)) {
        Product p = {.m = leading_rows(x),
                     .a = x->data,
                     .b = {w->data, w->dtype, c.x[4], c.y[4], 1, c.x[4]},
                     .bias = b ? b->data : NULL,
                     .c = y->data};
        return gemm(ctx, &p, node->op, err);
    }
    Plan p = make_plan(ctx, &c, false);
    Operands o = {.x = x->data, .bias = b ? b->data : NULL, .y = y->data};
    if (!find_tile(ctx, &p, TILE_CONV, b != NULL, err))
        return false;
    int64_t n = w->dtype == DTYPE_F32 ? 0 : tensor_numel(w);
    float *plain = take_scratch(ctx, &p, &o, n, err);
    if (plain == NULL)
        return false;
    Widening widening = {w, plain, c.y[4], c.x[4], c.size[0] * c.size[1] * c.size[2]};
    pool_run(cpu_pool(ctx, n), n ? c.y[4] : 0, widen_output, &widening);
    return result(convolve(ctx, &p, &o, n ? plain : w->data), node, err);
}

/* The gradient of x is the convolution of dy, spread by the stride, with the kernel turned round. */
bool fast_conv_grad_x(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dy = node->in[0], *w = node->in[1], *dx = node->out[0];
    Conv forward = describe(node, dx, w, dy), c = describe(node, dy, w, dx);
    if (is_empty(&forward))
        return ref_conv_grad_x(ctx, node, err);
    if (is_product(&forward)) {
        Product p = {.m = leading_rows(dy),
                     .a = dy->data,
                     .b = {w->data, w->dtype, forward.y[4], forward.x[4], forward.x[4], 1},
                     .c = dx->data};
        return gemm(ctx, &p, node->op, err);
    }
    for (int d = 0; d < 3; d++) {
        c.dilate[d] = c.stride[d];
        c.stride[d] = 1;
        c.before[d] = c.size[d] - 1 - c.before[d];
    }
    Plan p = make_plan(ctx, &c, false);
    Operands o = {.x = dy->data, .y = dx->data};
    int64_t cout = w->shape[0], cin = w->shape[1], taps = c.size[0] * c.size[1] * c.size[2];
    if (!find_tile(ctx, &p, TILE_CONV, false, err))
        return false;
    float *plain = take_scratch(ctx, &p, &o, cout * cin * taps, err);
    if (plain == NULL)
        return false;
    Widening widening = {w, plain, cout, cin, taps};
    pool_run(cpu_pool(ctx, cout * cin * taps), cin, turn_input, &widening);
    return result(convolve(ctx, &p, &o, plain), node, err);
}

/* Rows of dy as operands, zeros beyond the edge. */
static void fill_output(const Plan *p, const float *dy, const int64_t at[3], char *out)
{
    int64_t full = p->slab[2] * p->c.y[3] * p->c.y[4];
    for (int64_t i = 0; i < p->slab[0] * p->slab[1]; i++) {
        Run run = find_run(p, at, i / p->slab[1], i % p->slab[1]);
        char *to = out + (size_t)run.slab * p->size;
        if (run.length > 0)
            put(p, to, dy + run.y, run.length);
        if (run.length < full)
            memset(to + (size_t)(run.length > 0 ? run.length : 0) * p->size, 0,
                   (size_t)(full - (run.length > 0 ? run.length : 0)) * p->size);
    }
}

/* The weight gradient of every lanes-th slab, added up in sum. */
static bool sum_lane(const Plan *p, const Operands *o, int64_t lane, int64_t lanes, char *mine)
{
    float *sum = (float *)(o->weights + (size_t)lane * p->weight_bytes);
    float *one = (float *)(mine + p->in_bytes + p->out_bytes + p->scratch_bytes);
    for (int64_t slab = lane; slab < p->total; slab += lanes) {
        int64_t at[3];
        locate(p, slab, at);
        fill_input(p, o->x, at, mine);
        fill_output(p, o->y, at, mine + p->in_bytes);
        TileData data = {mine, slab == lane ? sum : one, NULL, mine + p->in_bytes,
                         mine + p->in_bytes + p->out_bytes};
        if (!tile_run(p->tile, &data))
            return false;
        for (size_t i = 0; i < p->weight_bytes / sizeof *sum && slab != lane; i++)
            sum[i] += one[i];
    }
    return true;
}

static void lane_piece(void *arg, int64_t lane, int worker)
{
    Job *job = arg;
    char *mine = job->operands->threads + (size_t)worker * job->thread_bytes;
    if (!sum_lane(job->plan, job->operands, lane, job->lanes, mine))
        atomic_store(&job->failed, true);
}

/* Adds the lanes' sums to the first one's, in order. */
static void add_lanes(void *arg, int64_t chunk, int worker)
{
    const Job *job = arg;
    float *sum = (float *)job->operands->weights;
    int64_t n = (int64_t)(job->plan->weight_bytes / sizeof *sum), end = (chunk + 1) * SUM_CHUNK;
    for (int64_t l = 1; l < job->lanes; l++)
        for (int64_t i = chunk * SUM_CHUNK; i < n && i < end; i++)
            sum[i] += sum[l * n + i];
}

static bool product_grad_w(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dy = node->in[0], *x = node->in[1];
    int64_t cin = last_dim(x), cout = last_dim(dy), places = leading_rows(x);
    Product p = {.m = cout,
                 .a = dy->data,
                 .a_transposed = true,
                 .b = {x->data, DTYPE_F32, places, cin, cin, 1},
                 .c = node->out[0]->data};
    return gemm(ctx, &p, node->op, err);
}

bool fast_conv_grad_w(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dy = node->in[0], *x = node->in[1], *dw = node->out[0];
    Conv c = describe(node, x, dw, dy);
    if (is_empty(&c))
        return ref_conv_grad_w(ctx, node, err);
    if (is_product(&c))
        return product_grad_w(ctx, node, err);
    Plan p = make_plan(ctx, &c, true);
    if (!find_tile(ctx, &p, TILE_CONV_GRAD_W, false, err))
        return false;
    int64_t lanes = p.total < MAX_LANES ? p.total : MAX_LANES;
    while (lanes > 2 && (size_t)lanes * p.weight_bytes > LANE_BYTES)
        lanes /= 2;
    size_t bytes = p.in_bytes + p.out_bytes + p.scratch_bytes + p.weight_bytes;
    char *scratch = cpu_scratch(ctx, (size_t)lanes * p.weight_bytes + (size_t)ctx->threads * bytes, err);
    if (scratch == NULL)
        return false;
    Operands o = {
        .x = x->data, .y = dy->data, .weights = scratch, .threads = scratch + (size_t)lanes * p.weight_bytes};
    Job job = {.plan = &p, .operands = &o, .lanes = lanes, .thread_bytes = bytes};
    pool_run(ctx->pool, lanes, lane_piece, &job);
    int64_t n = (int64_t)(p.weight_bytes / sizeof(float));
    pool_run(cpu_pool(ctx, n), (n + SUM_CHUNK - 1) / SUM_CHUNK, add_lanes, &job);
    bool ok = !atomic_load(&job.failed);
    return result(ok && tile_unpack(p.tile, scratch, dw->data), node, err);
}
