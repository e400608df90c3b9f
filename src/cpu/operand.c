#include "cpu/operand.h"

#include <string.h>

#include "cpu/pack.h"
#include "cpu/simd.h"

enum {
    TIME = 1,
    HEIGHT,
    WIDTH,
    CHANNELS,
    PART = 4096,         /* floats of a row that are normalised before they are rounded */
    LINES_TOGETHER = 1 << 15, /* elements of a piece of work, about */
};

/* One line: the columns of a sample, row and time. */
typedef struct Line {
    int64_t b, t, h; /* sample, time and row of the input with past and edge, before anything is repeated; t or h -1: zeros */
    char *out;
} Line;

typedef struct Fill {
    CpuContext *ctx;
    const Operand *o;
    size_t size;              /* bytes of an element */
    int64_t past, edge;       /* frames of the past, rows or columns of the edge */
    int64_t frames, height, width; /* of the input with them */
    int64_t together, lines;
} Fill;

static size_t element_bytes(const CpuContext *ctx)
{
    return ctx->bf16 ? sizeof(uint16_t) : sizeof(float);
}

size_t operand_row_bytes(const CpuContext *ctx, const Operand *o)
{
    return (size_t)(o->times * o->columns * o->x->shape[CHANNELS]) * element_bytes(ctx);
}

size_t operand_bytes(const CpuContext *ctx, const Operand *o)
{
    return (size_t)(o->samples * o->rows) * operand_row_bytes(ctx, o);
}

static void put(const Fill *f, char *out, const float *from, int64_t n)
{
    if (f->ctx->bf16)
        pack_bf16((uint16_t *)out, from, n);
    else
        memcpy(out, from, (size_t)n * sizeof *from);
}

/* Some places of x, normalised if that is asked for. */
static void put_places(const Fill *f, char *out, const float *from, int64_t places)
{
    const Operand *o = f->o;
    int64_t n = o->x->shape[CHANNELS], most = n < PART ? PART / n : 0;
    if (o->norm == NULL || most == 0) {
        put(f, out, from, places * n);
        return;
    }
    float part[PART];
    for (int64_t i = 0; i < places; i += most) {
        int64_t count = places - i < most ? places - i : most;
        f->ctx->simd->norm_silu(part, from + i * n, o->norm->data, count, n);
        put(f, out + (size_t)(i * n) * f->size, part, count * n);
    }
}

/* The places of a line of x, apart: columns dilate or repeat ones. */
static void spread_places(const Fill *f, char *out, const float *from, int64_t first, int64_t end)
{
    const Operand *o = f->o;
    int64_t n = o->x->shape[CHANNELS], step = o->dilate[2];
    size_t pixel = (size_t)n * f->size;
    for (int64_t i = first; i < end; i++) {
        if (o->repeat == 1 && i % step != 0)
            memset(out, 0, pixel);
        else if (o->repeat == 2 && i % 2 == 1 && i > first)
            memcpy(out, out - pixel, pixel);
        else
            put_places(f, out, from + (o->repeat == 2 ? i / 2 : i / step) * n, 1);
        out += pixel;
    }
}

/* Element where a line of t begins. */
static int64_t line_at(const Tensor *t, int64_t b, int64_t time, int64_t row)
{
    return ((b * t->shape[TIME] + time) * t->shape[HEIGHT] + row) * t->shape[WIDTH] * t->shape[CHANNELS];
}

/* Columns first .. end of the input's line, which is no line of zeros. */
static void put_columns(const Fill *f, const Line *line, char *out, int64_t first, int64_t end)
{
    const Operand *o = f->o;
    int64_t n = o->x->shape[CHANNELS], t = line->t - f->past, h = line->h;
    size_t pixel = (size_t)n * f->size;
    const Tensor *whole = NULL; /* where the whole line is already as it should be */
    int64_t time = t, row = h;
    if (t < 0) {
        whole = o->past;
        time = line->t;
    } else if (f->edge > 0 && o->edge_dim == HEIGHT && h < f->edge) {
        whole = o->edge;
    }
    if (whole != NULL) {
        memcpy(out, (char *)whole->data + (size_t)(line_at(whole, line->b, time, row) + first * n) * f->size,
               (size_t)(end - first) * pixel);
        return;
    }
    if (f->edge > 0 && o->edge_dim == HEIGHT)
        row -= f->edge;
    int64_t columns = f->edge > 0 && o->edge_dim == WIDTH ? f->edge : 0;
    if (first < columns) {
        int64_t count = (end < columns ? end : columns) - first;
        memcpy(out, (char *)o->edge->data + (size_t)(line_at(o->edge, line->b, time, row) + first * n) * f->size,
               (size_t)count * pixel);
        out += (size_t)count * pixel;
        first += count;
    }
    const float *from = (const float *)o->x->data + line_at(o->x, line->b, time, row);
    if (o->repeat == 1 && o->dilate[2] == 1)
        put_places(f, out, from + (first - columns) * n, end - first);
    else
        spread_places(f, out, from, first, end);
}

/* A line of t, which is remembered: where the input's line belongs there. */
static void remember(const Fill *f, Tensor *t, int64_t b, int64_t time, int64_t row, const char *from)
{
    if (t == NULL || time < 0 || row < 0)
        return;
    memcpy((char *)t->data + (size_t)line_at(t, b, time, row) * f->size, from,
           (size_t)(t->shape[WIDTH] * t->shape[CHANNELS]) * f->size);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static void fill_line(const Fill *f, const Line *line)
{
    const Operand *o = f->o;
    size_t pixel = (size_t)o->x->shape[CHANNELS] * f->size;
    if (line->t < 0 || line->h < 0) {
        memset(line->out, 0, (size_t)o->columns * pixel);
        return;
    }
    int64_t width = ((f->width - 1) * o->dilate[2] + 1) * o->repeat;
    int64_t skip = o->before[2] < 0 ? -o->before[2] : 0, first = clamp(o->before[2], 0, o->columns);
    int64_t count = clamp(width - skip, 0, o->columns - first);
    memset(line->out, 0, (size_t)first * pixel);
    char *from = line->out + (size_t)first * pixel;
    put_columns(f, line, from, skip, skip + count);
    memset(from + (size_t)count * pixel, 0, (size_t)(o->columns - first - count) * pixel);
    if (o->last != NULL)
        remember(f, o->last, line->b, line->t - (f->frames - o->last->shape[TIME]), line->h, from);
    if (o->rim != NULL && o->edge_dim == HEIGHT)
        remember(f, o->rim, line->b, line->t - f->past, line->h - (f->height - o->rim->shape[HEIGHT]), from);
    if (o->rim != NULL && o->edge_dim == WIDTH)
        remember(f, o->rim, line->b, line->t - f->past, line->h,
                 from + (size_t)(f->width - o->rim->shape[WIDTH]) * pixel);
}

/* Place i of the operand's dimension d (time or row) in an input of n; -1: zeros. */
static int64_t source(const Operand *o, int d, int64_t i, int64_t n)
{
    i -= o->before[d];
    if (i < 0 || i % o->dilate[d] != 0)
        return -1;
    i /= o->dilate[d] * (d > 0 ? o->repeat : 1);
    return i < n ? i : -1;
}

static void fill_lines(void *arg, int64_t piece, int worker)
{
    const Fill *f = arg;
    const Operand *o = f->o;
    int64_t end = (piece + 1) * f->together, real = o->x->shape[0] * (o->times_are_samples ? f->frames : 1);
    size_t bytes = (size_t)(o->columns * o->x->shape[CHANNELS]) * f->size;
    for (int64_t i = piece * f->together; i < end && i < f->lines; i++) {
        int64_t sample = i / (o->times * o->rows), row = i / o->times % o->rows, time = i % o->times;
        Line line = {sample, source(o, 0, time, f->frames), source(o, 1, row, f->height), o->data + (size_t)i * bytes};
        if (o->times_are_samples) {
            line.b = sample / f->frames;
            line.t = sample % f->frames;
        }
        if (sample >= real)
            line.t = -1;
        fill_line(f, &line);
    }
}

void operand_fill(CpuContext *ctx, const Operand *o)
{
    const int64_t *x = o->x->shape;
    Fill f = {.ctx = ctx, .o = o, .size = element_bytes(ctx), .frames = x[TIME], .height = x[HEIGHT], .width = x[WIDTH]};
    if (o->edge != NULL) {
        f.edge = o->edge->shape[o->edge_dim];
        *(o->edge_dim == HEIGHT ? &f.height : &f.width) += f.edge;
    }
    if (o->past != NULL) {
        f.past = o->past->shape[TIME];
        f.frames += f.past;
    }
    f.lines = o->samples * o->rows * o->times;
    int64_t line = o->columns * x[CHANNELS];
    f.together = line >= LINES_TOGETHER ? 1 : LINES_TOGETHER / (line > 0 ? line : 1);
    pool_run(cpu_pool(ctx, f.lines * line), (f.lines + f.together - 1) / f.together, fill_lines, &f);
}
