/* A convolution with all that stands around it (op_conv_block), in pieces of time and of space, against the plain ops
 * on the whole input, at every level of the CPU backend. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "cpu/backend.h"
#include "tensor/ops.h"

enum { FRAMES = 5, ROWS = 11, COLUMNS = 9, IN = 20, OUT = 18, CHUNKS = 2, MAX_PIECES = 3 };

static const int64_t CHUNK[CHUNKS] = {2, 3};

typedef struct Level {
    const char *name;
    SoraPrecision precision;
    double tolerance; /* of values of about 1 */
} Level;

/* AVX2 comes last: used first it would keep oneDNN to it for good. */
static const Level LEVELS[] = {{"reference", SORA_PRECISION_F32, 1e-5},
                               {"avx512", SORA_PRECISION_F32, 1e-4},
                               {"avx512", SORA_PRECISION_BF16, 0.05},
                               {"avx2", SORA_PRECISION_F32, 1e-4}};

typedef struct Data {
    float x[FRAMES * ROWS * COLUMNS * IN], w[OUT * IN * 27], b[OUT], norm[IN];
    float add[FRAMES * 4 * ROWS * COLUMNS * OUT]; /* room for what is repeated */
} Data;

static const Data *data(void)
{
    static Data d;
    Rng rng;
    rng_init(&rng, 7, 0);
    rng_fill_normal(&rng, d.x, sizeof d.x / sizeof *d.x);
    rng_fill_normal(&rng, d.w, sizeof d.w / sizeof *d.w);
    rng_fill_normal(&rng, d.b, OUT);
    rng_fill_normal(&rng, d.norm, IN);
    rng_fill_normal(&rng, d.add, sizeof d.add / sizeof *d.add);
    for (size_t i = 0; i < sizeof d.w / sizeof *d.w; i++)
        d.w[i] /= 20;
    return &d;
}

/* The whole input's block, padded by one on each side and two frames before; only add depends on the case. */
static ConvBlock whole_block(Graph *g, const Data *d, int repeat)
{
    ConvBlock c = {.x = graph_input(g, DTYPE_F32, SHAPE(1, FRAMES, ROWS, COLUMNS, IN), d->x),
                   .w = graph_view(g, (void *)d->w, DTYPE_F32, SHAPE(OUT, IN, 3, 3, 3)), /* at one address always */
                   .b = graph_input(g, DTYPE_F32, SHAPE(OUT), d->b),
                   .norm = graph_input(g, DTYPE_F32, SHAPE(IN), d->norm),
                   .add = graph_input(g, DTYPE_F32, SHAPE(1, FRAMES, repeat * ROWS, repeat * COLUMNS, OUT), d->add),
                   .repeat = repeat,
                   .shape = {{1, 1, 1}, {2, 0, 1, 1, 1, 1}}};
    return c;
}

/* The plain ops, on the reference kernels. [FRAMES, repeat ROWS, repeat COLUMNS, OUT]; heap. */
static float *plain(const Data *d, int repeat)
{
    Backend *backend = cpu_backend_new(&(CpuOptions){.level = "reference"}, NULL);
    Graph *g = graph_new(backend);
    graph_record(g, true);
    ConvBlock c = whole_block(g, d, repeat);
    Tensor *y = op_conv_block(g, &c, NULL);
    assert_non_null(y);
    float *out = malloc(tensor_bytes(y));
    graph_download(g, y, out);
    graph_free(g);
    cpu_backend_free(backend);
    return out;
}

static double error_of(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - b[i]));
    return most;
}

/* y's place in the whole output, from there on. */
static double piece_error(Graph *g, const Tensor *y, const float *want, const int64_t at[3])
{
    float *got = malloc(tensor_bytes(y));
    graph_download(g, y, got);
    double most = 0;
    int64_t row = y->shape[3] * OUT;
    for (int64_t t = 0; t < y->shape[1]; t++)
        for (int64_t h = 0; h < y->shape[2]; h++) {
            int64_t from = (((at[0] + t) * ROWS + at[1] + h) * COLUMNS + at[2]) * OUT;
            most = fmax(most, error_of(got + (t * y->shape[2] + h) * row, want + from, (size_t)row));
        }
    free(got);
    return most;
}

/* Piece after piece along dim, each through all chunks of time: what each remembers is all that the next sees. */
static double streamed_error(Graph *g, const Data *d, const float *want, int dim)
{
    static const int64_t PIECE[2][MAX_PIECES] = {{4, 2, 5}, {3, 1, 5}};
    const int64_t *piece = PIECE[dim - 2];
    Tensor *rims[CHUNKS] = {0};
    double most = 0;
    for (int64_t p = 0, first = 0; p < MAX_PIECES; first += piece[p++]) {
        Tensor *past = NULL;
        int before = p == 0, after = p == MAX_PIECES - 1;
        int64_t begin = before ? 0 : first - 1, end = after ? first + piece[p] : first + piece[p] - 1;
        for (int64_t k = 0, frame = 0; k < CHUNKS; frame += CHUNK[k++]) {
            ConvBlock c = whole_block(g, d, 1);
            c.x = op_slice(g, op_slice(g, c.x, 1, frame, CHUNK[k]), dim, first, piece[p]);
            c.add = op_slice(g, op_slice(g, c.add, 1, frame, CHUNK[k]), dim, begin, end - begin);
            c.past = past;
            c.edge = rims[k];
            c.edge_dim = dim;
            c.keep_frames = 2;
            c.keep_edge = after ? 0 : 2;
            c.shape.padding[0] = k == 0 ? 2 : 0;
            c.shape.padding[2 * (dim - 1)] = before;
            c.shape.padding[2 * (dim - 1) + 1] = after;
            ConvMemory memory;
            Tensor *y = op_conv_block(g, &c, &memory);
            SoraError err = {0};
            if (!graph_ok(g, &err))
                fail_msg("%s", err.message);
            assert_int_equal(y->shape[dim], end - begin);
            past = memory.last;
            rims[k] = memory.rim;
            int64_t at[3] = {frame, dim == 2 ? begin : 0, dim == 3 ? begin : 0};
            most = fmax(most, piece_error(g, y, want, at));
        }
    }
    return most;
}

static double repeated_error(Graph *g, const Data *d, const float *want)
{
    ConvBlock c = whole_block(g, d, 2);
    Tensor *y = op_conv_block(g, &c, NULL);
    assert_non_null(y);
    float *got = malloc(tensor_bytes(y));
    graph_download(g, y, got);
    double e = error_of(got, want, (size_t)tensor_numel(y));
    free(got);
    return e;
}

typedef double (*Check)(Graph *g, const Data *d, const float *want);

static double by_rows(Graph *g, const Data *d, const float *want)
{
    return streamed_error(g, d, want, 2);
}

static double by_columns(Graph *g, const Data *d, const float *want)
{
    return streamed_error(g, d, want, 3);
}

static void check_levels(Check check, int repeat, bool keep_weights)
{
    const Data *d = data();
    float *want = plain(d, repeat);
    for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++) {
        Backend *backend =
            cpu_backend_new(&(CpuOptions){.level = LEVELS[i].name, .precision = LEVELS[i].precision, .threads = 3}, NULL);
        if (backend == NULL)
            continue; /* this processor lacks it */
        Graph *g = graph_new(backend);
        graph_keep_weights(g, keep_weights);
        for (int round = 0; round < 1 + keep_weights; round++) {
            double e = check(g, d, want);
            if (!(e <= LEVELS[i].tolerance))
                fail_msg("%s, precision %d: error %g, at most %g", LEVELS[i].name, (int)LEVELS[i].precision, e,
                         LEVELS[i].tolerance);
        }
        graph_keep_weights(g, false);
        graph_free(g);
        cpu_backend_free(backend);
    }
    free(want);
}

static void pieces_of_rows_are_the_whole(void **state)
{
    check_levels(by_rows, 1, false);
}

static void pieces_of_columns_are_the_whole(void **state)
{
    check_levels(by_columns, 1, false);
}

static void repeated_places_are_upsampled(void **state)
{
    check_levels(repeated_error, 2, false);
}

static void kept_weights_are_the_same(void **state)
{
    check_levels(repeated_error, 2, true);
}

/* What does not fit is refused, with the shapes. */
static void wrong_shapes_are_refused(void **state)
{
    Backend *backend = cpu_backend_new(&(CpuOptions){.level = "reference"}, NULL);
    Graph *g = graph_new(backend);
    const Data *d = data();
    for (int wrong = 0; wrong < 6; wrong++) {
        graph_reset(g);
        ConvBlock c = whole_block(g, d, 1);
        c.past = wrong == 0 ? op_slice(g, c.x, 2, 0, 4) : NULL;
        c.edge = wrong == 1 ? op_slice(g, c.x, 1, 0, 1) : NULL;
        c.edge_dim = wrong == 2 ? 1 : 2;
        c.keep_edge = wrong == 2 ? 1 : wrong == 3 ? ROWS + 1 : 0;
        c.repeat = wrong == 4 ? 3 : 1;
        c.add = wrong == 5 ? c.x : c.add;
        ConvMemory memory;
        assert_null(op_conv_block(g, &c, &memory));
        SoraError err;
        assert_false(graph_ok(g, &err));
        assert_non_null(strstr(err.message, "conv: "));
    }
    graph_free(g);
    cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_rows_are_the_whole),   cmocka_unit_test(pieces_of_columns_are_the_whole),
        cmocka_unit_test(repeated_places_are_upsampled), cmocka_unit_test(kept_weights_are_the_same),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
