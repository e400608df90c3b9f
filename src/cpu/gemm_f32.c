#include "cpu/gemm_f32.h"

#include <string.h>

#include "cpu/panels_avx2.h"
#include "cpu/simd.h"

/* A panel of SLICE values of k is 20 kB: with the rows that it meets it stays in the first cache. A strip of panels and BLOCK
 * rows of a slice stay in the second. */
enum {
    SLICE = 320,
    STRIP = 256,     /* columns that a task has at most, */
    STRIP_LEAST = 80, /* and that a task is cut down to at most */
    GROUP = 480,     /* rows that a task has at most: each widens its weights for itself */
    GROUP_LEAST = 160,
    BLOCK = 144,
    MOST_TASKS = 64  /* that small products are cut into, for the threads to share */
};

/* Multiplications that are worth a task. */
static const double TASK_WORK = 4e6;

typedef struct F32Plan {
    const Product *p;
    const Simd *simd;
    int64_t n, k, slice;
    int64_t strip, strips; /* columns of a task */
    int64_t group, groups; /* rows of a task */
    size_t panel_bytes, thread_bytes;
    char *threads;
} F32Plan;

static int64_t divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

/* Pieces of about the same size, a multiple of unit. */
static int64_t piece(int64_t n, int64_t pieces, int64_t unit)
{
    return round_up(divide_up(n, pieces), unit);
}

/* How many tasks the work is cut into changes no result: see panels_avx2.h. */
static F32Plan make_plan(const CpuContext *ctx, const Product *p)
{
    F32Plan plan = {.p = p, .simd = ctx->simd, .n = p->b.n, .k = p->b.k};
    double wanted = (double)p->m * (double)plan.n * (double)plan.k / TASK_WORK;
    int64_t tasks = wanted > MOST_TASKS ? MOST_TASKS : (int64_t)wanted;
    plan.slice = piece(plan.k, divide_up(plan.k, SLICE), 8);
    plan.strips = divide_up(plan.n, STRIP);
    plan.groups = divide_up(p->m, GROUP);
    if (plan.strips * plan.groups < tasks) {
        int64_t most = divide_up(plan.n, STRIP_LEAST), few = divide_up(tasks, plan.groups);
        plan.strips = most < plan.strips ? plan.strips : most < few ? most : few;
    }
    if (plan.strips * plan.groups < tasks) {
        int64_t most = divide_up(p->m, GROUP_LEAST), few = divide_up(tasks, plan.strips);
        plan.groups = most < plan.groups ? plan.groups : most < few ? most : few;
    }
    plan.strip = piece(plan.n, plan.strips, PANEL_COLUMNS);
    plan.strips = divide_up(plan.n, plan.strip);
    plan.group = piece(p->m, plan.groups, PANEL_ROWS);
    plan.groups = divide_up(p->m, plan.group);
    plan.panel_bytes = pad64((size_t)(plan.slice * plan.strip) * sizeof(float));
    plan.thread_bytes = plan.panel_bytes + (p->a_transposed ? pad64((size_t)(plan.slice * BLOCK) * sizeof(float)) : 0);
    return plan;
}

/* Some of the rows and columns, and of k. */
typedef struct Part {
    int64_t row, rows, column, columns, k, length;
} Part;

/* The last panel, where c has fewer columns than it. */
static void multiply_narrow(PanelProduct p, int64_t columns)
{
    float tile[PANEL_ROWS * PANEL_COLUMNS] = {0};
    int64_t rows = p.rows, ld_start = p.ld_start, ldc = p.ldc;
    const float *start = p.start;
    float *c = p.c;
    p.start = p.c = tile;
    p.ld_start = p.ldc = PANEL_COLUMNS;
    for (int64_t r = 0; r < rows; r += PANEL_ROWS) {
        p.rows = rows - r < PANEL_ROWS ? rows - r : PANEL_ROWS;
        for (int64_t i = 0; i < p.rows; i++)
            memcpy(tile + i * PANEL_COLUMNS, start + (r + i) * ld_start, (size_t)columns * sizeof *c);
        panel_multiply(&p);
        for (int64_t i = 0; i < p.rows; i++)
            memcpy(c + (r + i) * ldc, tile + i * PANEL_COLUMNS, (size_t)columns * sizeof *c);
        p.a += PANEL_ROWS * (p.a_transposed ? 1 : p.lda);
    }
}

/* rows: room for those of a transposed a, which are far apart. */
static void multiply_part(const F32Plan *plan, const Part *t, const float *panels, float *rows)
{
    static const float NOTHING[PANEL_COLUMNS];
    const Product *p = plan->p;
    PanelProduct product = {.rows = t->rows, .k = t->length, .ldb = PANEL_COLUMNS, .ldc = plan->n, .a_transposed = p->a_transposed};
    if (p->a_transposed) {
        for (int64_t i = 0; i < t->length; i++)
            memcpy(rows + i * t->rows, p->a + (t->k + i) * p->m + t->row, (size_t)t->rows * sizeof *rows);
        product.a = rows;
        product.lda = t->rows;
    } else {
        product.a = p->a + t->row * plan->k + t->k;
        product.lda = plan->k;
    }
    for (int64_t j = 0; j < t->columns; j += PANEL_COLUMNS) {
        int64_t column = t->column + j;
        product.b = panels + j * t->length;
        product.c = p->c + t->row * plan->n + column;
        bool sums = t->k > 0 || p->accumulate;
        product.start = sums ? product.c : p->bias != NULL ? p->bias + column : NOTHING;
        product.ld_start = sums ? plan->n : 0;
        if (t->columns - j < PANEL_COLUMNS)
            multiply_narrow(product, t->columns - j);
        else
            panel_multiply(&product);
    }
    for (int64_t r = 0; r < t->rows && p->act != UNARY_NONE && t->k + t->length == plan->k; r++) {
        float *row = p->c + (t->row + r) * plan->n + t->column;
        plan->simd->unary(p->act, row, row, t->columns);
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void compute_task(void *arg, int64_t task, int worker)
{
    const F32Plan *plan = arg;
    const Product *p = plan->p;
    char *mine = plan->threads + (size_t)worker * plan->thread_bytes;
    int64_t first = task / plan->strips * plan->group, rows = least(plan->group, p->m - first);
    int64_t block = piece(rows, divide_up(rows, BLOCK), PANEL_ROWS);
    Part t = {.column = task % plan->strips * plan->strip};
    t.columns = least(plan->strip, plan->n - t.column);
    for (t.k = 0; t.k < plan->k; t.k += plan->slice) {
        t.length = least(plan->slice, plan->k - t.k);
        PackSource b = p->b;
        b.data = (const char *)b.data + (t.k * b.k_stride + t.column * b.n_stride) * (b.dtype == DTYPE_F32 ? 4 : 2);
        b.k = t.length;
        b.n = t.columns;
        panels_pack((float *)mine, &b, t.length);
        for (int64_t r = 0; r < rows; r += block) {
            t.row = first + r;
            t.rows = least(block, rows - r);
            multiply_part(plan, &t, (const float *)mine, (float *)(mine + plan->panel_bytes));
        }
    }
}

bool gemm_f32(CpuContext *ctx, const Product *p, SoraError *err)
{
    F32Plan plan = make_plan(ctx, p);
    plan.threads = cpu_scratch(ctx, (size_t)ctx->threads * plan.thread_bytes, err);
    if (plan.threads == NULL)
        return false;
    int64_t tasks = plan.strips * plan.groups;
    pool_run(tasks > 1 ? ctx->pool : NULL, tasks, compute_task, &plan);
    return true;
}
