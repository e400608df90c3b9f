/* The gradient of a linear layer in one go. In BF16 each row of dy is read once: it is laid out as the left operand of
 * dx = dy w and of dw = dy^T x, and is added to db, while it is in cache. Otherwise two products and a sum. */
#include <stdatomic.h>
#include <string.h>

#include "cpu/gemm.h"
#include "cpu/onednn.h"
#include "cpu/simd.h"

enum {
    GROUP = 64,         /* rows of dy that are laid out at one time; divides SLICE */
    SLICE = 1024,       /* rows of dy and x that one tile of dw adds up */
    TILE_ROWS = 64,     /* of dw */
    MAX_COLUMNS = 512,  /* of a tile */
    SOME_TILES = 8,     /* of dw, for the threads to share */
    SUM_COLUMNS = 64,   /* of db, that one thread adds up */
    BLOCK = 64          /* tile_block() of columns that are a multiple of it */
};

/* Work smaller than this is not worth waking threads for, in multiplications. */
static const double SMALL_PRODUCT = 1 << 17;

/* The columns of an operand with k rows, cut into tiles. */
typedef struct Columns {
    int64_t n, width, count, last;
} Columns;

typedef struct LinearGradPlan {
    CpuContext *ctx;
    const float *dy, *x;
    const Tensor *w;
    float *dx, *dw, *db; /* NULL: not wanted */
    int64_t m, n, k;     /* rows; outputs and inputs of the layer */
    int64_t groups, slices, last_slice, n_k; /* last_slice: padded; n_k: n padded as k of a product */
    int64_t row_tiles, last_rows, n_rows;    /* of dw; n_rows: all of them, padded */
    Columns of_x, of_w;                      /* tiles of dx and dw */
    const Tile *x_tiles[2][2], *w_tiles[2][2][2]; /* [last rows][last columns][last slice] */
    size_t x_bytes, w_bytes; /* a packed tile of w, and of x */
    size_t a_bytes, c_bytes, thread_bytes;
    char *threads, *packed_w, *packed_x;
    uint16_t *transposed; /* dy^T: slices of [n_rows, slice] */
    float *sums;          /* [groups, n] */
    _Atomic bool failed;
} LinearGradPlan;

static int64_t divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static Columns cut(int64_t n, int64_t count)
{
    int64_t most = divide_up(n, BLOCK), wanted = divide_up(n, MAX_COLUMNS);
    wanted = count > wanted ? count : wanted;
    Columns c = {.n = n, .width = round_up(divide_up(n, wanted < most ? wanted : most), BLOCK)};
    c.width = c.width < n ? c.width : n;
    c.count = divide_up(n, c.width);
    c.last = n - (c.count - 1) * c.width;
    return c;
}

static int64_t width_of(const Columns *c, int64_t tile)
{
    return tile == c->count - 1 ? c->last : c->width;
}

/* Everything here follows from the shape alone. */
static void make_plan(LinearGradPlan *p)
{
    p->groups = divide_up(p->m, GROUP);
    p->slices = divide_up(p->m, SLICE);
    p->last_slice = round_up(p->m - (p->slices - 1) * SLICE, 32);
    p->n_k = round_up(p->n, 32);
    p->row_tiles = divide_up(p->n, TILE_ROWS);
    p->last_rows = round_up(p->n - (p->row_tiles - 1) * TILE_ROWS, 16);
    p->n_rows = (p->row_tiles - 1) * TILE_ROWS + p->last_rows;
    p->of_x = cut(p->k, 1);
    p->of_w = cut(p->k, divide_up(SOME_TILES, p->row_tiles));
}

typedef struct Need {
    size_t weights, scratch;
} Need;

static const Tile *find_tile(const LinearGradPlan *p, TileShape shape, Need *need, SoraError *err)
{
    shape.kind = TILE_MATMUL;
    shape.type = TILE_BF16;
    const Tile *t = onednn_tile(p->ctx->onednn, &shape, err);
    if (t == NULL)
        return NULL;
    size_t weights = pad64(tile_weight_bytes(t)), scratch = pad64(tile_scratch_bytes(t));
    need->weights = weights > need->weights ? weights : need->weights;
    need->scratch = scratch > need->scratch ? scratch : need->scratch;
    return t;
}

/* All variants: those that do not occur cost a look into the cache. */
static bool find_tiles(LinearGradPlan *p, size_t *scratch, SoraError *err)
{
    Need x = {0}, w = {0};
    int64_t rest = p->m - (p->groups - 1) * GROUP;
    for (int v = 0; v < 8; v++) {
        int r = v >> 2, c = v >> 1 & 1, s = v & 1;
        int32_t x_columns = (int32_t)(c ? p->of_x.last : p->of_x.width);
        int32_t w_columns = (int32_t)(c ? p->of_w.last : p->of_w.width);
        TileShape of_x = {.m = (int32_t)(r ? round_up(rest, 16) : GROUP), .n = x_columns, .k = (int32_t)p->n_k};
        TileShape of_w = {.accumulate = p->slices > 1, .m = (int32_t)(r ? p->last_rows : TILE_ROWS), .n = w_columns,
                          .k = (int32_t)(s ? p->last_slice : SLICE)};
        if (p->dx != NULL && (r || p->groups > 1) && (c || p->of_x.count > 1) &&
            (p->x_tiles[r][c] = find_tile(p, of_x, &x, err)) == NULL)
            return false;
        if (p->dw != NULL && (r || p->row_tiles > 1) && (c || p->of_w.count > 1) && (s || p->slices > 1) &&
            (p->w_tiles[r][c][s] = find_tile(p, of_w, &w, err)) == NULL)
            return false;
    }
    p->x_bytes = x.weights;
    p->w_bytes = w.weights;
    *scratch = x.scratch > w.scratch ? x.scratch : w.scratch;
    return true;
}

/* Threads' memory, then what they share. */
static bool lay_out(LinearGradPlan *p, size_t tile_scratch, SoraError *err)
{
    int64_t x_cells = GROUP * p->of_x.width, w_cells = TILE_ROWS * p->of_w.width;
    p->a_bytes = pad64((size_t)(GROUP * p->n_k) * sizeof(uint16_t));
    p->c_bytes = pad64((size_t)(x_cells > w_cells ? x_cells : w_cells) * sizeof(float));
    p->thread_bytes = p->a_bytes + p->c_bytes + tile_scratch;
    int64_t rows = (p->slices - 1) * SLICE + p->last_slice;
    size_t threads = (size_t)p->ctx->threads * p->thread_bytes;
    size_t weights = p->dx ? (size_t)p->of_x.count * p->x_bytes : 0;
    size_t inputs = p->dw ? (size_t)(p->of_w.count * p->slices) * p->w_bytes : 0;
    size_t transposed = p->dw ? pad64((size_t)(rows * p->n_rows) * sizeof(uint16_t)) : 0;
    size_t sums = (size_t)(p->groups * p->n) * sizeof(float);
    p->threads = cpu_scratch(p->ctx, threads + weights + inputs + transposed + sums, err);
    if (p->threads == NULL)
        return false;
    p->packed_w = p->threads + threads;
    p->packed_x = p->packed_w + weights;
    p->transposed = (uint16_t *)(p->packed_x + inputs);
    p->sums = (float *)((char *)p->transposed + transposed);
    return true;
}

/* Rows [row, row + rows) of b [.., c->n], within one slice of `length` rows that begins at `first`, into its tiles. */
static void pack_rows_of(const Columns *c, PackSource b, int64_t within, int64_t length, char *out, size_t step)
{
    const char *data = b.data;
    for (int64_t tile = 0; tile < c->count; tile++) {
        int block = tile_block(width_of(c, tile));
        b.n = width_of(c, tile);
        b.data = data + (size_t)(tile * c->width) * (b.dtype == DTYPE_F32 ? 4 : 2);
        pack_pairs((uint16_t *)(out + (size_t)tile * step) + within * block, &b, block, length);
    }
}

static void pack_weights(void *arg, int64_t group, int worker)
{
    const LinearGradPlan *p = arg;
    int64_t row = group * GROUP, left = p->n - row;
    PackSource b = {(const char *)p->w->data + (size_t)(row * p->k) * dtype_size(p->w->dtype), p->w->dtype,
                    left < GROUP ? left : GROUP, 0, p->k, 1};
    pack_rows_of(&p->of_x, b, row, p->n_k, p->packed_w, p->x_bytes);
}

static void sum_rows(const LinearGradPlan *p, float *sum, int64_t row, int64_t rows)
{
    memcpy(sum, p->dy + row * p->n, (size_t)p->n * sizeof *sum);
    for (int64_t r = row + 1; r < row + rows; r++)
        p->ctx->simd->add(sum, sum, p->dy + r * p->n, p->n);
}

static bool multiply_dx(const LinearGradPlan *p, char *memory, int64_t group)
{
    int64_t row = group * GROUP, last = group == p->groups - 1, rows = last ? p->m - row : GROUP;
    int64_t padded = round_up(rows, 16);
    uint16_t *a = (uint16_t *)memory;
    float *c = (float *)(memory + p->a_bytes);
    for (int64_t r = 0; r < rows; r++) {
        pack_bf16(a + r * p->n_k, p->dy + (row + r) * p->n, p->n);
        memset(a + r * p->n_k + p->n, 0, (size_t)(p->n_k - p->n) * sizeof *a);
    }
    memset(a + rows * p->n_k, 0, (size_t)((padded - rows) * p->n_k) * sizeof *a);
    bool direct = rows == padded && p->of_x.count == 1;
    for (int64_t tile = 0; tile < p->of_x.count; tile++) {
        int64_t width = width_of(&p->of_x, tile);
        float *out = p->dx + row * p->k + tile * p->of_x.width;
        TileData data = {a, p->packed_w + (size_t)tile * p->x_bytes, NULL, direct ? out : c,
                         memory + p->a_bytes + p->c_bytes};
        if (!tile_run(p->x_tiles[last][tile == p->of_x.count - 1], &data))
            return false;
        for (int64_t r = 0; r < rows && !direct; r++)
            memcpy(out + r * p->k, c + r * width, (size_t)width * sizeof *c);
    }
    return true;
}

/* Everything that is done with some rows of dy and x. */
static void do_group(void *arg, int64_t group, int worker)
{
    LinearGradPlan *p = arg;
    int64_t row = group * GROUP, left = p->m - row, rows = left < GROUP ? left : GROUP;
    int64_t slice = row / SLICE, within = row % SLICE, length = slice == p->slices - 1 ? p->last_slice : SLICE;
    if (p->dx != NULL && !multiply_dx(p, p->threads + (size_t)worker * p->thread_bytes, group))
        atomic_store(&p->failed, true);
    if (p->db != NULL)
        sum_rows(p, p->sums + group * p->n, row, rows);
    if (p->dw == NULL)
        return;
    PackSource dy = {p->dy + row * p->n, DTYPE_F32, rows, p->n, p->n, 1};
    PackSource x = {p->x + row * p->k, DTYPE_F32, rows, 0, p->k, 1};
    pack_strip_bf16(p->transposed + slice * SLICE * p->n_rows + within, &dy, round_up(rows, 32), length);
    pack_rows_of(&p->of_w, x, within, length, p->packed_x + (size_t)(slice * p->of_w.count) * p->w_bytes, p->w_bytes);
}

/* Adds the groups' sums to db, in order. */
static void finish_sums(const LinearGradPlan *p)
{
    for (int64_t group = 1; group < p->groups; group++)
        p->ctx->simd->add(p->sums, p->sums, p->sums + group * p->n, p->n);
    p->ctx->simd->add(p->db, p->db, p->sums, p->n);
}

static bool multiply_dw(const LinearGradPlan *p, char *memory, int64_t row_tile, int64_t tile)
{
    int64_t row = row_tile * TILE_ROWS, left = p->n - row, rows = left < TILE_ROWS ? left : TILE_ROWS;
    int64_t width = width_of(&p->of_w, tile);
    bool last_row = row_tile == p->row_tiles - 1, last_column = tile == p->of_w.count - 1;
    float *c = (float *)(memory + p->a_bytes);
    if (p->slices > 1)
        memset(c, 0, (size_t)((last_row ? p->last_rows : TILE_ROWS) * width) * sizeof *c);
    for (int64_t s = 0; s < p->slices; s++) {
        bool last = s == p->slices - 1;
        TileData data = {p->transposed + s * SLICE * p->n_rows + row * (last ? p->last_slice : SLICE),
                         p->packed_x + (size_t)(s * p->of_w.count + tile) * p->w_bytes, NULL, c,
                         memory + p->a_bytes + p->c_bytes};
        if (!tile_run(p->w_tiles[last_row][last_column][last], &data))
            return false;
    }
    for (int64_t r = 0; r < rows; r++) {
        float *out = p->dw + (row + r) * p->k + tile * p->of_w.width;
        p->ctx->simd->add(out, out, c + r * width, width);
    }
    return true;
}

/* The first pieces are tiles of dw, the last one is db. */
static void do_weights(void *arg, int64_t piece, int worker)
{
    LinearGradPlan *p = arg;
    if (piece == (p->dw ? p->row_tiles * p->of_w.count : 0))
        finish_sums(p);
    else if (!multiply_dw(p, p->threads + (size_t)worker * p->thread_bytes, piece / p->of_w.count,
                          piece % p->of_w.count))
        atomic_store(&p->failed, true);
}

static bool grad_bf16(LinearGradPlan *p, SoraError *err)
{
    size_t tile_scratch;
    onednn_tidy(p->ctx->onednn);
    make_plan(p);
    if (!find_tiles(p, &tile_scratch, err))
        return error_wrap(err, "%s", op_name(OP_LINEAR_GRAD));
    if (!lay_out(p, tile_scratch, err))
        return false;
    Pool *pool = (double)p->m * (double)p->n * (double)p->k < SMALL_PRODUCT ? NULL : p->ctx->pool;
    if (p->dx != NULL)
        pool_run(pool, divide_up(p->n, GROUP), pack_weights, p);
    pool_run(pool, p->groups, do_group, p);
    pool_run(pool, (p->dw ? p->row_tiles * p->of_w.count : 0) + (p->db != NULL), do_weights, p);
    return !atomic_load(&p->failed) || error_set(err, SORA_ERROR_INTERNAL, "%s: onednn failed", op_name(OP_LINEAR_GRAD));
}

/* SUM_COLUMNS columns of all rows in order. */
static void sum_strip(void *arg, int64_t piece, int worker)
{
    const LinearGradPlan *p = arg;
    int64_t c = piece * SUM_COLUMNS, width = p->n - c < SUM_COLUMNS ? p->n - c : SUM_COLUMNS;
    for (int64_t r = 0; r < p->m; r++)
        p->ctx->simd->add(p->db + c, p->db + c, p->dy + r * p->n + c, width);
}

static bool grad_by_products(LinearGradPlan *p, SoraError *err)
{
    Product x = {.m = p->m, .a = p->dy, .b = {p->w->data, p->w->dtype, p->n, p->k, p->k, 1}, .c = p->dx};
    Product w = {.m = p->n, .a = p->dy, .a_transposed = true, .b = {p->x, DTYPE_F32, p->m, p->k, p->k, 1},
                 .accumulate = true, .c = p->dw};
    if ((p->dx != NULL && !gemm(p->ctx, &x, OP_LINEAR_GRAD, err)) ||
        (p->dw != NULL && !gemm(p->ctx, &w, OP_LINEAR_GRAD, err)))
        return false;
    if (p->db != NULL)
        pool_run(cpu_pool(p->ctx, p->m * p->n), divide_up(p->n, SUM_COLUMNS), sum_strip, p);
    return true;
}

static float *data_of(const Tensor *t)
{
    return t == NULL ? NULL : t->data;
}

bool fast_linear_grad(CpuContext *ctx, const Node *node, SoraError *err)
{
    const Tensor *dy = node->in[0], *x = node->in[1];
    LinearGradPlan p = {.ctx = ctx, .dy = dy->data, .x = x->data, .w = node->in[2], .dx = data_of(node->out[0]),
              .dw = data_of(node->out[1]), .db = data_of(node->out[2]), .m = leading_rows(dy), .n = last_dim(dy),
              .k = last_dim(x)};
    if (p.m == 0 || p.n == 0 || p.k == 0)
        return ref_linear_grad(ctx, node, err);
    if (p.m > INT32_MAX / 2 || p.n > INT32_MAX / 2 || p.k > INT32_MAX / 2)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: a dimension is too large", op_name(node->op));
    return ctx->bf16 ? grad_bf16(&p, err) : grad_by_products(&p, err);
}
