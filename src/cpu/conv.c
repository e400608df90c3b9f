/* Convolutions. The input is written out once as tiles read it (operand.h); then tiles of some rows, all of one shape,
 * so that one oneDNN primitive made for one thread does them all. What a tile at the edge computes too much is
 * dropped. */
#include <stdatomic.h>
#include <string.h>

#include "cpu/gemm.h"
#include "cpu/onednn.h"
#include "cpu/operand.h"
#include "cpu/simd.h"

enum {
    TILE_BYTES = 512 << 10, /* of what a tile reads and writes: stays in a core's own cache */
    LARGE_WEIGHTS = 1 << 20, /* bytes that do not: few tiles, because each reads them all */
    MIN_TILES = 16,
    MIN_LARGE_TILES = 4,
    SMALL_TILE = 32 << 10,
    MAX_LANES = 16, /* partial sums of a weight gradient */
    SUM_CHUNK = 1 << 14,
    LANE_BYTES = 96 << 20, /* of all of them */
};

/* y[b, t, h, w] = sum over taps of w[tap] v[b, (t, h, w) * stride + tap - before], see Operand for v. */
typedef struct Conv {
    Operand in;
    int64_t y[5]; /* B, T, H, W, C */
    int64_t size[3], stride[3];
} Conv;

typedef struct ConvPlan {
    Conv c;
    size_t size;              /* bytes of an operand's element */
    int64_t samples, times;   /* of the output, as the operand counts them */
    int64_t slab[2], counts[2]; /* samples and rows of a tile; how many tiles that makes */
    const Tile *tile;
    size_t in_bytes, out_bytes, weight_bytes, scratch_bytes; /* of a tile; in_bytes as it lies in the operand */
    size_t operand_bytes;
} ConvPlan;

static Conv describe(const Node *node, const Tensor *x, const Tensor *w, const Tensor *y)
{
    Conv c = {.in = {.x = x, .repeat = 1}};
    memcpy(c.y, y->shape, sizeof c.y);
    for (int d = 0; d < 3; d++) {
        c.size[d] = w->shape[2 + d];
        c.stride[d] = node->i[CONV_STRIDE + d];
        c.in.before[d] = node->i[CONV_PADDING + 2 * d];
        c.in.dilate[d] = 1;
    }
    return c;
}

/* Bytes that a tile of n rows reads and writes for one sample. */
static size_t tile_bytes(const CpuContext *ctx, const ConvPlan *p, int64_t n, bool both)
{
    size_t out = (size_t)(n * p->times * p->c.y[3] * p->c.y[4]) * (both ? p->size : sizeof(float));
    return (size_t)((n - 1) * p->c.stride[1] + p->c.size[1]) * operand_row_bytes(ctx, &p->c.in) + out;
}

/* Tiles of n rows, or of n samples when all rows of one are little. */
static void cut(const CpuContext *ctx, ConvPlan *p, bool both)
{
    int64_t rows = p->c.y[2], n = rows;
    size_t weights = (size_t)(p->c.size[0] * p->c.size[1] * p->c.size[2] * p->c.y[4] * last_dim(p->c.in.x)) * p->size;
    bool large = weights > LARGE_WEIGHTS;
    int64_t least = large ? MIN_LARGE_TILES : MIN_TILES, parts = 1;
    while (n > 1 && tile_bytes(ctx, p, n, both) > (large ? 4 : 1) * (size_t)TILE_BYTES)
        parts++, n = round_up(rows, parts) / parts;
    while (n > 1 && p->samples * parts < least && tile_bytes(ctx, p, n, both) > 2 * SMALL_TILE)
        parts++, n = round_up(rows, parts) / parts;
    p->slab[0] = 1;
    p->slab[1] = n;
    p->counts[1] = (rows + n - 1) / n;
    while (n == rows && p->slab[0] < p->samples && p->samples / p->slab[0] > least &&
           (size_t)p->slab[0] * tile_bytes(ctx, p, n, both) < SMALL_TILE)
        p->slab[0] *= 2;
    p->counts[0] = (p->samples + p->slab[0] - 1) / p->slab[0];
}

/* From the shape alone. both: the output is an operand too. */
static ConvPlan make_plan(const CpuContext *ctx, const Conv *c, bool both)
{
    ConvPlan p = {.c = *c, .size = ctx->bf16 ? 2 : 4, .samples = c->y[0], .times = c->y[1]};
    Operand *in = &p.c.in;
    if (c->size[0] == 1 && c->stride[0] == 1 && in->dilate[0] == 1 && in->before[0] == 0 && in->past == NULL &&
        in->x->shape[1] == c->y[1]) {
        in->times_are_samples = true;
        p.samples *= p.times;
        p.times = 1;
    }
    in->times = (p.times - 1) * c->stride[0] + c->size[0];
    in->columns = (c->y[3] - 1) * c->stride[2] + c->size[2];
    cut(ctx, &p, both);
    in->samples = p.counts[0] * p.slab[0];
    in->rows = (p.counts[1] * p.slab[1] - 1) * c->stride[1] + c->size[1];
    p.in_bytes = (size_t)((p.slab[1] - 1) * c->stride[1] + c->size[1]) * operand_row_bytes(ctx, in);
    p.out_bytes =
        pad64((size_t)(p.slab[0] * p.slab[1] * p.times * c->y[3] * c->y[4]) * (both ? p.size : sizeof(float)));
    p.operand_bytes = pad64(operand_bytes(ctx, in));
    return p;
}

static bool find_tile(CpuContext *ctx, ConvPlan *p, TileKind kind, bool bias, SoraError *err)
{
    const Conv *c = &p->c;
    TileShape s = {.kind = (int32_t)kind,
                   .type = ctx->bf16 ? TILE_BF16 : TILE_F32,
                   .bias = bias,
                   .batch = (int32_t)p->slab[0],
                   .cin = (int32_t)last_dim(c->in.x),
                   .cout = (int32_t)c->y[4],
                   .out = {(int32_t)p->slab[1], (int32_t)p->times, (int32_t)c->y[3]},
                   .size = {(int32_t)c->size[1], (int32_t)c->size[0], (int32_t)c->size[2]},
                   .stride = {(int32_t)c->stride[1], (int32_t)c->stride[0], (int32_t)c->stride[2]}};
    onednn_tidy(ctx->onednn);
    p->tile = onednn_tile(ctx->onednn, &s, err);
    if (p->tile == NULL)
        return false;
    p->weight_bytes = pad64(tile_weight_bytes(p->tile));
    p->scratch_bytes = pad64(tile_scratch_bytes(p->tile));
    return true;
}

/* A plan at work. */
typedef struct ConvJob {
    CpuContext *ctx;
    const ConvPlan *plan;
    const float *bias, *add;
    float *y;
    char *dy; /* of a weight gradient: the output as an operand */
    const void *weights;
    char *sums;    /* of a weight gradient, one for each lane */
    int64_t lanes;
    char *threads; /* thread_bytes for each */
    size_t thread_bytes;
    _Atomic bool failed;
} ConvJob;

/* The first sample and row of a tile, and how many of each exist. */
typedef struct Part {
    int64_t sample, row, samples, rows;
} Part;

static Part locate(const ConvPlan *p, int64_t tile)
{
    Part a = {.sample = tile / p->counts[1] * p->slab[0], .row = tile % p->counts[1] * p->slab[1]};
    a.samples = p->samples - a.sample < p->slab[0] ? p->samples - a.sample : p->slab[0];
    a.rows = p->c.y[2] - a.row < p->slab[1] ? p->c.y[2] - a.row : p->slab[1];
    return a;
}

static char *tile_input(const CpuContext *ctx, const ConvPlan *p, Part at)
{
    return p->c.in.data +
           (size_t)(at.sample * p->c.in.rows + at.row * p->c.stride[1]) * operand_row_bytes(ctx, &p->c.in);
}

/* Element of y where a row of a sample and time begins. */
static int64_t row_at(const ConvPlan *p, int64_t sample, int64_t time, int64_t row)
{
    return ((sample * p->times + time) * p->c.y[2] + row) * p->c.y[3] * p->c.y[4];
}

/* From a tile's output [samples, rows, times, columns, channels] to where it belongs. */
static void put_output(const ConvJob *job, Part at, const float *from)
{
    const ConvPlan *p = job->plan;
    int64_t n = p->c.y[3] * p->c.y[4];
    for (int64_t s = 0; s < at.samples; s++)
        for (int64_t t = 0; t < p->times; t++)
            for (int64_t r = 0; r < at.rows; r++) {
                int64_t to = row_at(p, at.sample + s, t, at.row + r);
                const float *row = from + ((s * p->slab[1] + r) * p->times + t) * n;
                if (job->add != NULL)
                    job->ctx->simd->add(job->y + to, row, job->add + to, n);
                else
                    memcpy(job->y + to, row, (size_t)n * sizeof *row);
            }
}

static void convolve_tile(void *arg, int64_t tile, int worker)
{
    ConvJob *job = arg;
    const ConvPlan *p = job->plan;
    Part at = locate(p, tile);
    char *mine = job->threads + (size_t)worker * job->thread_bytes;
    bool direct = job->add == NULL && p->times == 1 && at.rows == p->slab[1] && at.samples == p->slab[0] &&
                  (p->slab[0] == 1 || p->counts[1] == 1);
    TileData data = {tile_input(job->ctx, p, at), (void *)job->weights, job->bias,
                     direct ? job->y + row_at(p, at.sample, 0, at.row) : (float *)mine, mine + p->out_bytes};
    if (!tile_run(p->tile, &data))
        atomic_store(&job->failed, true);
    else if (!direct)
        put_output(job, at, (float *)mine);
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

static Widening weights_of(const Tensor *w, float *plain)
{
    return (Widening){w, plain, w->shape[0], w->shape[1], w->shape[2] * w->shape[3] * w->shape[4]};
}

/* Packs w for the plan's tile. turned: as the gradient of x wants it. plain: scratch for its elements in F32. */
static bool pack_weights(CpuContext *ctx, const ConvPlan *p, const Tensor *w, float *plain, char *packed, bool turned)
{
    Widening widening = weights_of(w, plain);
    int64_t n = tensor_numel(w);
    if (turned)
        pool_run(cpu_pool(ctx, n), widening.cin, turn_input, &widening);
    else if (w->dtype == DTYPE_F16 || (w->dtype == DTYPE_BF16 && !ctx->bf16)) /* oneDNN has no such reorder everywhere */
        pool_run(cpu_pool(ctx, n), widening.cout, widen_output, &widening);
    else
        return tile_pack(p->tile, w->data, w->dtype, packed);
    return tile_pack(p->tile, plain, DTYPE_F32, packed);
}

/* Packed weights: kept ones, or packed now, into the scratch or to be kept. NULL on failure. */
static const void *find_weights(CpuContext *ctx, const ConvPlan *p, const Tensor *w, char *scratch, SoraError *err)
{
    size_t plain = pad64((size_t)tensor_numel(w) * sizeof(float));
    const void *kept = onednn_kept(ctx->onednn, p->tile, w->data);
    if (kept != NULL)
        return kept;
    char *packed = ctx->keep_weights ? onednn_keep(ctx->onednn, p->tile, w->data) : scratch + plain;
    if (packed == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "no memory for packed weights");
        return NULL;
    }
    if (pack_weights(ctx, p, w, (float *)scratch, packed, false))
        return packed;
    error_set(err, SORA_ERROR_INTERNAL, "onednn failed");
    return NULL;
}

/* A kernel of one tap and nothing else: a matrix product over all places. */
static bool is_product(const Conv *c)
{
    const int64_t *x = c->in.x->shape;
    for (int d = 0; d < 3; d++)
        if (c->size[d] != 1 || c->stride[d] != 1 || c->in.before[d] != 0 || x[1 + d] != c->y[1 + d])
            return false;
    return x[4] > 0;
}

static bool is_empty(const Conv *c)
{
    int64_t n = tensor_numel(c->in.x);
    for (int d = 0; d < 5; d++)
        n *= c->y[d];
    return n == 0;
}

static bool result(const ConvJob *job, const Node *node, SoraError *err)
{
    return !atomic_load(&job->failed) || error_set(err, SORA_ERROR_INTERNAL, "%s: onednn failed", op_name(node->op));
}

/* Scratch: weights, in F32 and packed; the operand; the threads. */
static char *take_scratch(CpuContext *ctx, ConvPlan *p, ConvJob *job, int64_t weights, SoraError *err)
{
    size_t first = pad64((size_t)weights * sizeof(float)) + p->weight_bytes;
    job->ctx = ctx;
    job->plan = p;
    job->thread_bytes = p->out_bytes + p->scratch_bytes;
    char *scratch = cpu_scratch(ctx, first + p->operand_bytes + (size_t)ctx->threads * job->thread_bytes, err);
    if (scratch == NULL)
        return NULL;
    p->c.in.data = scratch + first;
    job->threads = p->c.in.data + p->operand_bytes;
    return scratch;
}

static bool convolve(CpuContext *ctx, const ConvPlan *p, ConvJob *job, const Node *node, SoraError *err)
{
    operand_fill(ctx, &p->c.in);
    pool_run(ctx->pool, p->counts[0] * p->counts[1], convolve_tile, job);
    return result(job, node, err);
}

bool fast_conv(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *w = node->in[CONV_W], *b = node->in[CONV_B], *add = node->in[CONV_ADD], *y = node->out[CONV_Y];
    Conv c = describe(node, node->in[CONV_X], w, y);
    bool bare = node->n_in <= CONV_B + 1 ||
                (node->in[CONV_NORM] == NULL && node->in[CONV_PAST] == NULL && node->in[CONV_EDGE] == NULL &&
                 add == NULL && node->out[CONV_LAST] == NULL && node->out[CONV_RIM] == NULL && node->i[CONV_REPEAT] < 2);
    if (is_empty(&c))
        return ref_conv(ctx, node, err);
    if (bare && is_product(&c)) {
        Product p = {.m = leading_rows(c.in.x),
                     .a = c.in.x->data,
                     .b = {w->data, w->dtype, last_dim(c.in.x), c.y[4], 1, last_dim(c.in.x)},
                     .bias = b ? b->data : NULL,
                     .c = y->data};
        return gemm(ctx, &p, node->op, err);
    }
    c.in.norm = node->in[CONV_NORM];
    c.in.past = node->in[CONV_PAST];
    c.in.edge = node->in[CONV_EDGE];
    c.in.last = node->out[CONV_LAST];
    c.in.rim = node->out[CONV_RIM];
    c.in.edge_dim = (int)node->i[CONV_DIM];
    c.in.repeat = node->i[CONV_REPEAT] > 1 ? 2 : 1;
    ConvPlan p = make_plan(ctx, &c, false);
    ConvJob job = {.bias = b ? b->data : NULL, .add = add ? add->data : NULL, .y = y->data};
    if (!find_tile(ctx, &p, TILE_CONV, b != NULL, err))
        return false;
    char *scratch = take_scratch(ctx, &p, &job, tensor_numel(w), err);
    return scratch != NULL && (job.weights = find_weights(ctx, &p, w, scratch, err)) != NULL &&
           convolve(ctx, &p, &job, node, err);
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
                     .b = {w->data, w->dtype, forward.y[4], last_dim(dx), last_dim(dx), 1},
                     .c = dx->data};
        return gemm(ctx, &p, node->op, err);
    }
    for (int d = 0; d < 3; d++) {
        c.in.dilate[d] = c.stride[d];
        c.stride[d] = 1;
        c.in.before[d] = c.size[d] - 1 - c.in.before[d];
    }
    ConvPlan p = make_plan(ctx, &c, false);
    ConvJob job = {.y = dx->data};
    if (!find_tile(ctx, &p, TILE_CONV, false, err))
        return false;
    int64_t n = tensor_numel(w);
    char *scratch = take_scratch(ctx, &p, &job, n, err);
    if (scratch == NULL)
        return false;
    char *packed = scratch + pad64((size_t)n * sizeof(float));
    job.weights = packed;
    atomic_store(&job.failed, !pack_weights(ctx, &p, w, (float *)scratch, packed, true));
    return convolve(ctx, &p, &job, node, err);
}

/* --- the gradient of the weights --- */

/* The weight gradient of every lanes-th tile, added up. */
static bool sum_lane(const ConvJob *job, int64_t lane, char *mine)
{
    const ConvPlan *p = job->plan;
    float *sum = (float *)(job->sums + (size_t)lane * p->weight_bytes), *one = (float *)mine;
    int64_t total = p->counts[0] * p->counts[1], row = p->times * p->c.y[3] * p->c.y[4];
    for (int64_t tile = lane; tile < total; tile += job->lanes) {
        Part at = locate(p, tile);
        char *dy = job->dy + (size_t)((at.sample * p->counts[1] * p->slab[1] + at.row) * row) * p->size;
        TileData data = {tile_input(job->ctx, p, at), tile == lane ? sum : one, NULL, dy, mine + p->weight_bytes};
        if (!tile_run(p->tile, &data))
            return false;
        for (size_t i = 0; i < p->weight_bytes / sizeof *sum && tile != lane; i++)
            sum[i] += one[i];
    }
    return true;
}

static void lane_piece(void *arg, int64_t lane, int worker)
{
    ConvJob *job = arg;
    if (!sum_lane(job, lane, job->threads + (size_t)worker * job->thread_bytes))
        atomic_store(&job->failed, true);
}

/* Adds the lanes' sums to the first one's, in order. */
static void add_lanes(void *arg, int64_t chunk, int worker)
{
    const ConvJob *job = arg;
    float *sum = (float *)job->sums;
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

/* dy as the tiles of the plan read it: its own places, rows before times, zeros in rows and samples too many. */
static Operand output_operand(const ConvPlan *p, const Tensor *dy)
{
    return (Operand){.x = dy,
                     .repeat = 1,
                     .dilate = {1, 1, 1},
                     .times_are_samples = p->c.in.times_are_samples,
                     .samples = p->counts[0] * p->slab[0],
                     .rows = p->counts[1] * p->slab[1],
                     .times = p->times,
                     .columns = dy->shape[3]};
}

bool fast_conv_grad_w(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dy = node->in[0], *x = node->in[1], *dw = node->out[0];
    Conv c = describe(node, x, dw, dy);
    if (is_empty(&c))
        return ref_conv_grad_w(ctx, node, err);
    if (is_product(&c))
        return product_grad_w(ctx, node, err);
    ConvPlan p = make_plan(ctx, &c, true);
    if (!find_tile(ctx, &p, TILE_CONV_GRAD_W, false, err))
        return false;
    Operand out = output_operand(&p, dy);
    int64_t total = p.counts[0] * p.counts[1];
    ConvJob job = {.ctx = ctx, .plan = &p, .lanes = total < MAX_LANES ? total : MAX_LANES};
    while (job.lanes > 2 && (size_t)job.lanes * p.weight_bytes > LANE_BYTES)
        job.lanes /= 2;
    job.thread_bytes = p.weight_bytes + p.scratch_bytes;
    size_t sums = (size_t)job.lanes * p.weight_bytes, dy_bytes = pad64(operand_bytes(ctx, &out));
    job.sums = cpu_scratch(ctx, sums + p.operand_bytes + dy_bytes + (size_t)ctx->threads * job.thread_bytes, err);
    if (job.sums == NULL)
        return false;
    p.c.in.data = job.sums + sums;
    out.data = job.dy = p.c.in.data + p.operand_bytes;
    job.threads = job.dy + dy_bytes;
    operand_fill(ctx, &p.c.in);
    operand_fill(ctx, &out);
    pool_run(ctx->pool, job.lanes, lane_piece, &job);
    int64_t n = (int64_t)(p.weight_bytes / sizeof(float));
    pool_run(cpu_pool(ctx, n), (n + SUM_CHUNK - 1) / SUM_CHUNK, add_lanes, &job);
    if (!atomic_load(&job.failed))
        atomic_store(&job.failed, !tile_unpack(p.tile, job.sums, dw->data));
    return result(&job, node, err);
}
