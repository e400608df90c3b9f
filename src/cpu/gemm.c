#include "cpu/gemm.h"

#include <stdatomic.h>
#include <string.h>

#include "cpu/gemm_f32.h"
#include "cpu/gemm_int8.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"

/* Rows and columns of a tile, and how much of k one tile takes where k counts tokens and so takes any value.
 */
enum {
    PACK_COLUMNS = 64, /* whole blocks */
    PACK_ROWS = 64,    /* divides SLICE; whole groups */
    TILE_ROWS = 64,
    TILE_ROWS_LARGE = 128,
    TILE_COLUMNS = 512,
    SLICE = 1024,
    MANY_TILES = 32,
    SOME_TILES = 8
};

/* Work smaller than this is not worth waking threads for, in multiplications. */
static const double SMALL_PRODUCT = 1 << 18;

typedef struct GemmPlan {
    const Product *p;
    const Simd *simd;
    bool bf16;
    size_t size; /* bytes of an operand's element */
    int64_t n, k;
    int64_t rows, row_tiles, last_rows; /* last_rows: of the last tile, rounded up */
    int64_t columns, column_tiles, last_columns;
    int64_t slice, slices, last_slice; /* along k, as in the tiles: rounded up */
    const Tile *tiles[2][2][2];        /* [last rows][last columns][last slice] */
    size_t weight_bytes;               /* packed weights of a whole column tile and slice */
    size_t a_bytes, c_bytes, scratch_bytes, thread_bytes;
    char *weights, *threads;
} GemmPlan;

/* Everything here follows from the shape alone. */
static GemmPlan make_plan(const CpuContext *ctx, const Product *p)
{
    GemmPlan plan = {.p = p,
                 .simd = ctx->simd,
                 .bf16 = ctx->bf16,
                 .n = p->b.n,
                 .k = p->b.k};
    plan.size = plan.bf16 ? 2 : 4;
    plan.rows = plan.n * plan.k > 1 << 22 && p->m >= 1024 ? TILE_ROWS_LARGE : TILE_ROWS;
    plan.row_tiles = (p->m + plan.rows - 1) / plan.rows;
    plan.last_rows = round_up(p->m - (plan.row_tiles - 1) * plan.rows, 16);
    plan.columns = plan.n;
    if (plan.row_tiles < MANY_TILES) {
        int64_t count = (plan.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
        int64_t most = (plan.n + 63) / 64;
        if (plan.row_tiles * count < SOME_TILES)
            count = (SOME_TILES + plan.row_tiles - 1) / plan.row_tiles;
        plan.columns = round_up((plan.n + count - 1) / (count < most ? count : most), 64);
    }
    plan.columns = plan.columns < plan.n ? plan.columns : plan.n;
    plan.column_tiles = (plan.n + plan.columns - 1) / plan.columns;
    plan.last_columns = plan.n - (plan.column_tiles - 1) * plan.columns;
    int64_t k = plan.bf16 ? round_up(plan.k, 32) : p->a_transposed ? round_up(plan.k, 16) : plan.k;
    plan.slice = p->a_transposed && k > SLICE ? SLICE : k;
    plan.slices = (k + plan.slice - 1) / plan.slice;
    plan.last_slice = k - (plan.slices - 1) * plan.slice;
    return plan;
}

static bool find_tiles(CpuContext *ctx, GemmPlan *plan, SoraError *err)
{
    for (int v = 0; v < 8; v++) {
        int r = v >> 2, c = v >> 1 & 1, s = v & 1;
        TileShape shape = {.kind = TILE_MATMUL,
                           .type = plan->bf16 ? TILE_BF16 : TILE_F32,
                           .bias = plan->p->bias != NULL,
                           .accumulate = plan->slices > 1,
                           .m = (int32_t)(r ? plan->last_rows : plan->rows),
                           .n = (int32_t)(c ? plan->last_columns : plan->columns),
                           .k = (int32_t)(s ? plan->last_slice : plan->slice)};
        if ((r == 0 && plan->row_tiles == 1) || (c == 0 && plan->column_tiles == 1) ||
            (s == 0 && plan->slices == 1))
            continue; /* there is only a last one */
        const Tile *t = plan->tiles[r][c][s] = onednn_tile(ctx->onednn, &shape, err);
        if (t == NULL)
            return false;
        size_t weights = pad64(tile_weight_bytes(t)), scratch = pad64(tile_scratch_bytes(t));
        plan->weight_bytes = weights > plan->weight_bytes ? weights : plan->weight_bytes;
        plan->scratch_bytes = scratch > plan->scratch_bytes ? scratch : plan->scratch_bytes;
    }
    return true;
}

static char *weights_at(const GemmPlan *plan, int64_t column_tile, int64_t slice)
{
    return plan->weights + (size_t)(column_tile * plan->slices + slice) * plan->weight_bytes;
}

/* A part of b that is packed at one time: what lies together in memory. */
static int64_t pack_units(const GemmPlan *plan)
{
    if (plan->p->b.k_stride == 1)
        return plan->slices * ((plan->n + PACK_COLUMNS - 1) / PACK_COLUMNS);
    return (plan->k + PACK_ROWS - 1) / PACK_ROWS;
}

/* Packs rows [row, row + rows) of b, within one slice, of columns [column, column + columns), within one
 * tile. */
static void pack_part(const GemmPlan *plan, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    int64_t slice = row / plan->slice, tile = column / plan->columns;
    int64_t within = column - tile * plan->columns, first = row - slice * plan->slice;
    int block = tile_block(tile == plan->column_tiles - 1 ? plan->last_columns : plan->columns);
    int64_t length = slice == plan->slices - 1 ? plan->last_slice : plan->slice;
    PackSource b = plan->p->b;
    b.data = (const char *)b.data + (row * b.k_stride + column * b.n_stride) * (b.dtype == DTYPE_F32 ? 4 : 2);
    b.k = rows;
    b.n = columns;
    char *out = weights_at(plan, tile, slice);
    if (plan->bf16) {
        length = round_up(length, 32);
        pack_pairs((uint16_t *)out + within * length + first * block, &b, block, length);
    } else {
        length = round_up(length, 16);
        pack_rows((float *)out + within * length + first * block, &b, block, length);
    }
}

static void pack_weights(const GemmPlan *plan, int64_t unit)
{
    if (plan->p->b.k_stride == 1) {
        int64_t row = unit % plan->slices * plan->slice, column = unit / plan->slices * PACK_COLUMNS;
        pack_part(plan, row, plan->k - row < plan->slice ? plan->k - row : plan->slice, column,
                  plan->n - column < PACK_COLUMNS ? plan->n - column : PACK_COLUMNS);
        return;
    }
    int64_t row = unit * PACK_ROWS, rows = plan->k - row < PACK_ROWS ? plan->k - row : PACK_ROWS;
    for (int64_t tile = 0; tile < plan->column_tiles; tile++)
        pack_part(plan, row, rows, tile * plan->columns,
                  tile == plan->column_tiles - 1 ? plan->last_columns : plan->columns);
}

/* The rows of a as the tile wants them: where they are, or laid out in scratch, slice after slice. */
static const void *prepare_a(const GemmPlan *plan, int64_t row, int64_t rows, int64_t padded, void *scratch)
{
    const Product *p = plan->p;
    if (!p->a_transposed && !plan->bf16 && rows == padded)
        return p->a + row * plan->k;
    for (int64_t s = 0; s < plan->slices; s++) {
        int64_t k0 = s * plan->slice, length = s == plan->slices - 1 ? plan->last_slice : plan->slice;
        char *out = (char *)scratch + (size_t)(k0 * padded) * plan->size;
        int64_t valid = plan->k - k0 < length ? plan->k - k0 : length;
        if (rows < padded)
            memset(out + (size_t)(rows * length) * plan->size, 0,
                   (size_t)((padded - rows) * length) * plan->size);
        if (p->a_transposed) {
            PackSource a = {p->a + k0 * p->m + row, DTYPE_F32, valid, rows, p->m, 1};
            if (plan->bf16)
                pack_transposed_bf16((uint16_t *)out, &a, length);
            else
                pack_transposed_f32((float *)out, &a, length);
        } else if (plan->bf16 && valid == length) {
            pack_bf16((uint16_t *)out, p->a + row * plan->k, rows * length);
        } else {
            for (int64_t i = 0; i < rows; i++) {
                const float *from = p->a + (row + i) * plan->k;
                if (plan->bf16)
                    pack_bf16((uint16_t *)out + i * length, from, valid);
                else
                    memcpy((float *)out + i * length, from, (size_t)valid * sizeof *from);
                memset(out + (size_t)(i * length + valid) * plan->size, 0,
                       (size_t)(length - valid) * plan->size);
            }
        }
    }
    return scratch;
}

/* What a thread has at hand: the prepared rows of the last tile serve the next one too. */
typedef struct Worker {
    char *a, *c, *scratch;
    const void *ready;
    int64_t ready_row;
} Worker;

static bool compute(const GemmPlan *plan, Worker *w, int64_t tile)
{
    const Product *p = plan->p;
    int64_t row_tile = tile / plan->column_tiles, column_tile = tile % plan->column_tiles;
    bool last_row = row_tile == plan->row_tiles - 1, last_column = column_tile == plan->column_tiles - 1;
    int64_t row = row_tile * plan->rows, padded = last_row ? plan->last_rows : plan->rows;
    int64_t rows = p->m - row < padded ? p->m - row : padded;
    int64_t column = column_tile * plan->columns, columns = last_column ? plan->last_columns : plan->columns;
    if (w->ready == NULL || w->ready_row != row) {
        w->ready = prepare_a(plan, row, rows, padded, w->a);
        w->ready_row = row;
    }
    bool direct = rows == padded && plan->column_tiles == 1 && !p->accumulate;
    float *c = direct ? p->c + row * plan->n : (float *)w->c;
    if (plan->slices > 1)
        memset(c, 0, (size_t)(padded * columns) * sizeof *c);
    for (int64_t s = 0; s < plan->slices; s++) {
        TileData data = {(const char *)w->ready + (size_t)(s * plan->slice * padded) * plan->size,
                         weights_at(plan, column_tile, s), p->bias ? p->bias + column : NULL, c, w->scratch};
        if (!tile_run(plan->tiles[last_row][last_column][s == plan->slices - 1], &data))
            return false;
    }
    if (p->act != UNARY_NONE)
        plan->simd->unary(p->act, c, c, rows * columns);
    for (int64_t r = 0; r < rows && !direct; r++) {
        float *out = p->c + (row + r) * plan->n + column;
        if (p->accumulate)
            plan->simd->add(out, out, c + r * columns, columns);
        else
            memcpy(out, c + r * columns, (size_t)columns * sizeof *c);
    }
    return true;
}

/* The plan at work. */
typedef struct GemmJob {
    const GemmPlan *plan;
    Worker *workers;
    _Atomic bool failed;
} GemmJob;

static void pack_unit(void *arg, int64_t unit, int worker)
{
    pack_weights(((GemmJob *)arg)->plan, unit);
}

static void compute_tile(void *arg, int64_t tile, int worker)
{
    GemmJob *job = arg;
    if (!compute(job->plan, &job->workers[worker], tile))
        atomic_store(&job->failed, true);
}

static bool run_plan(const GemmPlan *plan, Pool *pool, Worker *workers, int threads)
{
    GemmJob job = {.plan = plan, .workers = workers};
    for (int i = 0; i < threads; i++) {
        char *mine = plan->threads + (size_t)i * plan->thread_bytes;
        workers[i] =
            (Worker){.a = mine, .c = mine + plan->a_bytes, .scratch = mine + plan->a_bytes + plan->c_bytes};
    }
    pool_run(pool, pack_units(plan), pack_unit, &job);
    pool_run(pool, plan->row_tiles * plan->column_tiles, compute_tile, &job);
    return !atomic_load(&job.failed);
}

bool gemm(CpuContext *ctx, const Product *p, Op op, SoraError *err)
{
    if (p->m > INT32_MAX / 2 || p->b.n > INT32_MAX / 2 || p->b.k > INT32_MAX / 2)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: a dimension is too large", op_name(op));
    if (ctx->level == CPU_AVX2)
        return gemm_f32(ctx, p, err);
    onednn_tidy(ctx->onednn);
    GemmPlan plan = make_plan(ctx, p);
    if (!find_tiles(ctx, &plan, err))
        return error_wrap(err, "%s", op_name(op));
    double work = (double)p->m * (double)plan.n * (double)plan.k;
    Pool *pool = work < SMALL_PRODUCT ? NULL : ctx->pool;
    int threads = pool ? ctx->threads : 1;
    size_t k = (size_t)((plan.slices - 1) * plan.slice + plan.last_slice);
    plan.a_bytes = pad64((size_t)plan.rows * k * plan.size);
    plan.c_bytes = pad64((size_t)(plan.rows * plan.columns) * sizeof(float));
    plan.thread_bytes = plan.a_bytes + plan.c_bytes + plan.scratch_bytes;
    size_t weights = (size_t)(plan.column_tiles * plan.slices) * plan.weight_bytes;
    size_t worker_bytes = pad64((size_t)threads * sizeof(Worker));
    char *scratch = cpu_scratch(ctx, worker_bytes + weights + (size_t)threads * plan.thread_bytes, err);
    if (scratch == NULL)
        return false;
    plan.weights = scratch + worker_bytes;
    plan.threads = plan.weights + weights;
    if (!run_plan(&plan, pool, (Worker *)scratch, threads))
        return error_set(err, SORA_ERROR_INTERNAL, "%s: onednn failed", op_name(op));
    return true;
}

static bool empty(const Node *node, int64_t k)
{
    return k == 0 || tensor_numel(node->out[0]) == 0;
}

bool fast_linear(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *x = node->in[0], *w = node->in[1], *b = node->in[2];
    int64_t k = last_dim(x), n = w->shape[0];
    if (empty(node, k))
        return ref_linear(ctx, node, err);
    Product p = {.m = leading_rows(x),
                 .a = x->data,
                 .b = {w->data, w->dtype, k, n, 1, k},
                 .bias = b ? b->data : NULL,
                 .act = (Unary)node->i[0],
                 .c = node->out[0]->data};
    return int8_fits(ctx, &p) ? gemm_int8(ctx, &p, node->op, err) : gemm(ctx, &p, node->op, err);
}

bool fast_matmul(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *a = node->in[0], *b = node->in[1];
    bool ta = node->i[0], tb = node->i[1];
    int64_t k = a->shape[!ta], n = b->shape[!tb];
    if (empty(node, k))
        return ref_matmul(ctx, node, err);
    Product p = {.m = a->shape[ta],
                 .a = a->data,
                 .a_transposed = ta,
                 .b = {b->data, b->dtype, k, n, tb ? 1 : n, tb ? k : 1},
                 .c = node->out[0]->data};
    return gemm(ctx, &p, node->op, err);
}
