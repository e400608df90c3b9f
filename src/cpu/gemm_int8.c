#include "cpu/gemm_int8.h"

#include <stdatomic.h>

#include "cpu/onednn.h"
#include "cpu/pack_int8.h"
#include "cpu/simd.h"

enum { TILE_ROWS = 64, TILE_ROWS_LARGE = 128, MANY_ROWS = 1024, TILE_COLUMNS = 512, BLOCK = INT8_BLOCK, K_UNIT = 64, LONGEST_K = 1 << 16 };

typedef struct Int8Plan {
    const Product *p;
    const Simd *simd;
    int64_t n, k_padded;
    int64_t rows, row_tiles, last_rows; /* last_rows: rounded up */
    int64_t column_tiles, last_columns;
    const Tile *tiles[2][2]; /* [last rows][last columns] */
    size_t a_bytes, c_bytes, scratch_bytes, thread_bytes;
    int8_t *weights; /* blocks of columns, each [k_padded / 4][BLOCK][4] */
    Int8Columns columns;
    char *threads;
} Int8Plan;

bool int8_fits(const CpuContext *ctx, const Product *p)
{
    int64_t least = ctx->int8_smallest;
    return ctx->int8 && !p->a_transposed && p->b.k_stride == 1 && p->m >= least && p->b.n >= least &&
           p->b.k >= least && p->b.n % BLOCK == 0 && p->b.k <= LONGEST_K && p->m <= INT32_MAX / 2 &&
           p->b.n <= INT32_MAX / 2;
}

static bool find_tiles(CpuContext *ctx, Int8Plan *plan, SoraError *err)
{
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 2; c++) {
            TileShape shape = {.kind = TILE_MATMUL,
                               .type = TILE_INT8,
                               .m = (int32_t)(r ? plan->last_rows : plan->rows),
                               .n = (int32_t)(c ? plan->last_columns : TILE_COLUMNS),
                               .k = (int32_t)plan->k_padded};
            if ((r == 0 && plan->row_tiles == 1) || (c == 0 && plan->column_tiles == 1))
                continue; /* there is only a last one */
            const Tile *t = plan->tiles[r][c] = onednn_tile(ctx->onednn, &shape, err);
            if (t == NULL)
                return false;
            size_t scratch = (size_t)round_up((int64_t)tile_scratch_bytes(t), 64);
            plan->scratch_bytes = scratch > plan->scratch_bytes ? scratch : plan->scratch_bytes;
        }
    return true;
}

/* What a thread has at hand: the rows of the last tile serve the next one too. */
typedef struct Worker {
    uint8_t *a;
    float *scales;
    int32_t *c;
    char *scratch;
    int64_t ready_row; /* -1: none */
} Worker;

typedef struct Int8Job {
    const Int8Plan *plan;
    Worker *workers;
    _Atomic bool failed;
} Int8Job;

static void pack_block(void *arg, int64_t block, int worker)
{
    const Int8Plan *plan = ((Int8Job *)arg)->plan;
    PackSource b = plan->p->b;
    b.data = (const char *)b.data + block * BLOCK * b.n_stride * (b.dtype == DTYPE_F32 ? 4 : 2);
    b.n = BLOCK;
    Int8Columns columns = {plan->columns.scales + block * BLOCK, plan->columns.sums + block * BLOCK};
    pack_int8_columns(plan->weights + block * BLOCK * plan->k_padded, &columns, &b, NULL, plan->k_padded);
}

static bool compute(const Int8Plan *plan, Worker *w, int64_t tile)
{
    const Product *p = plan->p;
    int64_t row_tile = tile / plan->column_tiles, column_tile = tile % plan->column_tiles;
    bool last_row = row_tile == plan->row_tiles - 1, last_column = column_tile == plan->column_tiles - 1;
    int64_t row = row_tile * plan->rows, column = column_tile * TILE_COLUMNS;
    int64_t rows = p->m - row < plan->rows ? p->m - row : plan->rows;
    int64_t columns = last_column ? plan->last_columns : TILE_COLUMNS;
    if (w->ready_row != row) {
        pack_int8_rows(w->a, w->scales, &(Int8Rows){p->a + row * p->b.k, p->b.k, rows, p->b.k, plan->k_padded});
        w->ready_row = row;
    }
    TileData data = {w->a, plan->weights + column * plan->k_padded, NULL, w->c, w->scratch};
    if (!tile_run(plan->tiles[last_row][last_column], &data))
        return false;
    Int8Columns these = {plan->columns.scales + column, plan->columns.sums + column};
    for (int64_t r = 0; r < rows; r++) {
        float *out = p->c + (row + r) * plan->n + column;
        unpack_int8_row(out, w->c + r * columns, w->scales[r], &these, p->bias ? p->bias + column : NULL, columns);
        if (p->act != UNARY_NONE)
            plan->simd->unary(p->act, out, out, columns);
    }
    return true;
}

static void compute_tile(void *arg, int64_t tile, int worker)
{
    Int8Job *job = arg;
    if (!compute(job->plan, &job->workers[worker], tile))
        atomic_store(&job->failed, true);
}

static Int8Plan make_plan(const CpuContext *ctx, const Product *p)
{
    Int8Plan plan = {.p = p, .simd = ctx->simd, .n = p->b.n, .k_padded = round_up(p->b.k, K_UNIT)};
    plan.rows = p->m >= MANY_ROWS ? TILE_ROWS_LARGE : TILE_ROWS;
    plan.row_tiles = (p->m + plan.rows - 1) / plan.rows;
    plan.last_rows = round_up(p->m - (plan.row_tiles - 1) * plan.rows, 16);
    plan.column_tiles = (plan.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    plan.last_columns = plan.n - (plan.column_tiles - 1) * TILE_COLUMNS;
    plan.a_bytes = (size_t)plan.rows * (size_t)plan.k_padded;
    plan.c_bytes = (size_t)plan.rows * (TILE_COLUMNS + 1) * sizeof(int32_t); /* and the rows' scales */
    return plan;
}

bool gemm_int8(CpuContext *ctx, const Product *p, Op op, SoraError *err)
{
    if (ctx->int8_panels != NULL)
        return gemm_int8_panels(ctx, p, err);
    onednn_tidy(ctx->onednn);
    Int8Plan plan = make_plan(ctx, p);
    if (!find_tiles(ctx, &plan, err))
        return error_wrap(err, "%s", op_name(op));
    plan.thread_bytes = plan.a_bytes + plan.c_bytes + plan.scratch_bytes;
    size_t n = (size_t)plan.n, threads = (size_t)ctx->threads;
    size_t worker_bytes = (size_t)round_up((int64_t)(threads * sizeof(Worker)), 64);
    char *scratch = cpu_scratch(ctx, worker_bytes + n * (size_t)plan.k_padded + 2 * n * sizeof(float) +
                                         threads * plan.thread_bytes, err);
    if (scratch == NULL)
        return false;
    Worker *workers = (Worker *)scratch;
    plan.weights = (int8_t *)scratch + worker_bytes;
    plan.columns.scales = (float *)(plan.weights + n * (size_t)plan.k_padded);
    plan.columns.sums = (int32_t *)(plan.columns.scales + n);
    plan.threads = (char *)(plan.columns.sums + n);
    for (size_t i = 0; i < threads; i++) {
        char *mine = plan.threads + i * plan.thread_bytes;
        int32_t *c = (int32_t *)(mine + plan.a_bytes);
        workers[i] = (Worker){.a = (uint8_t *)mine, .c = c, .scales = (float *)(c + plan.rows * TILE_COLUMNS),
                              .scratch = mine + plan.a_bytes + plan.c_bytes, .ready_row = -1};
    }
    Int8Job job = {.plan = &plan, .workers = workers};
    pool_run(ctx->pool, plan.n / BLOCK, pack_block, &job);
    pool_run(ctx->pool, plan.row_tiles * plan.column_tiles, compute_tile, &job);
    if (atomic_load(&job.failed))
        return error_set(err, SORA_ERROR_INTERNAL, "%s: onednn failed", op_name(op));
    return true;
}
