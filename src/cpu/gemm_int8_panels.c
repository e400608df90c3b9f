#include "cpu/gemm_int8.h"
#include "cpu/panels_int8.h"
#include "cpu/simd.h"

/* A panel of SLICE words of k is 20 kB and stays in the first cache; sums of a tile stay in the second. */
enum {
    SLICE = 320,
    ROWS = 144,      /* of a tile */
    COLUMNS = 256,   /* of a tile */
    ROWS_AT_ONCE = 8 /* that are rounded as one piece of work */
};

typedef struct PanelsPlan {
    const Product *p;
    const Simd *simd;
    const Int8Panels *panels;
    int64_t n, k_padded, words;
    int64_t rows, columns, column_tiles, tiles; /* of a tile; and tiles */
    int32_t *a, *b;                             /* all rows, all panels */
    float *a_scales;
    Int8Columns steps; /* of all columns */
    char *threads;
    size_t thread_bytes;
} PanelsPlan;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static void pack_some_rows(void *arg, int64_t piece, int worker)
{
    const PanelsPlan *plan = arg;
    const Product *p = plan->p;
    int64_t row = piece * ROWS_AT_ONCE, k = p->b.k;
    Int8Rows rows = {p->a + row * k, k, least(ROWS_AT_ONCE, p->m - row), k, plan->k_padded};
    plan->panels->pack_rows(plan->a + row * plan->words, plan->a_scales + row, &rows);
}

static void pack_panel(void *arg, int64_t panel, int worker)
{
    const PanelsPlan *plan = arg;
    int64_t column = panel * PANEL_COLUMNS;
    PackSource b = plan->p->b;
    b.data = (const char *)b.data + column * b.n_stride * (b.dtype == DTYPE_F32 ? 4 : 2);
    b.n = PANEL_COLUMNS;
    Int8Columns steps = {plan->steps.scales + column, plan->steps.sums + column};
    plan->panels->pack_columns(plan->b + column * plan->words, &steps, &b, plan->k_padded);
}

static void compute_tile(void *arg, int64_t tile, int worker)
{
    const PanelsPlan *plan = arg;
    const Product *p = plan->p;
    int64_t row = tile / plan->column_tiles * plan->rows, rows = least(plan->rows, p->m - row);
    int64_t column = tile % plan->column_tiles * plan->columns, columns = least(plan->columns, plan->n - column);
    int32_t *sums = (int32_t *)(plan->threads + (size_t)worker * plan->thread_bytes);
    Int8Product product = {.rows = rows, .lda = plan->words, .ldc = columns};
    for (int64_t k = 0; k < plan->words; k += SLICE) {
        product.words = least(SLICE, plan->words - k);
        product.a = plan->a + row * plan->words + k;
        product.accumulate = k > 0;
        for (int64_t j = 0; j < columns; j += PANEL_COLUMNS) {
            product.b = plan->b + (column + j) * plan->words + k * PANEL_COLUMNS;
            product.c = sums + j;
            plan->panels->multiply(&product);
        }
    }
    Int8Columns steps = {plan->steps.scales + column, plan->steps.sums + column};
    for (int64_t r = 0; r < rows; r++) {
        float *out = p->c + (row + r) * plan->n + column;
        plan->panels->unpack_row(out, sums + r * columns, plan->a_scales[row + r], &steps, p->bias ? p->bias + column : NULL,
                                 columns);
        if (p->act != UNARY_NONE)
            plan->simd->unary(p->act, out, out, columns);
    }
}

bool gemm_int8_panels(CpuContext *ctx, const Product *p, SoraError *err)
{
    PanelsPlan plan = {.p = p, .simd = ctx->simd, .panels = ctx->int8_panels, .n = p->b.n, .k_padded = round_up(p->b.k, INT8_UNIT)};
    plan.words = plan.k_padded / plan.panels->in_word;
    plan.rows = round_up(divide_up(p->m, divide_up(p->m, ROWS)), PANEL_ROWS);
    plan.columns = round_up(divide_up(plan.n, divide_up(plan.n, COLUMNS)), PANEL_COLUMNS);
    plan.column_tiles = divide_up(plan.n, plan.columns);
    plan.tiles = divide_up(p->m, plan.rows) * plan.column_tiles;
    plan.thread_bytes = pad64((size_t)(plan.rows * plan.columns) * sizeof(int32_t));
    size_t a = pad64((size_t)(p->m * plan.words) * sizeof *plan.a), b = pad64((size_t)(plan.n * plan.words) * sizeof *plan.b);
    size_t rows = pad64((size_t)p->m * sizeof(float)), columns = pad64((size_t)plan.n * sizeof(float));
    char *scratch = cpu_scratch(ctx, a + b + rows + 2 * columns + (size_t)ctx->threads * plan.thread_bytes, err);
    if (scratch == NULL)
        return false;
    plan.a = (int32_t *)scratch;
    plan.b = (int32_t *)(scratch + a);
    plan.a_scales = (float *)(scratch + a + b);
    plan.steps.scales = (float *)(scratch + a + b + rows);
    plan.steps.sums = (int32_t *)(scratch + a + b + rows + columns);
    plan.threads = scratch + a + b + rows + 2 * columns;
    pool_run(ctx->pool, divide_up(p->m, ROWS_AT_ONCE), pack_some_rows, &plan);
    pool_run(ctx->pool, plan.n / PANEL_COLUMNS, pack_panel, &plan);
    pool_run(ctx->pool, plan.tiles, compute_tile, &plan);
    return true;
}
