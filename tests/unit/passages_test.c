/* Texts that differ by frame: which tokens of the transformer listen to which text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "cpu/backend.h"
#include "model/transformer.h"
#include "weights/param_sources.h"

/* Two samples: 3 frames of 2 x 2 patches, and 2 of 1 x 2. Texts of up to 3 rows. */
enum { FRAME = 4, FIRST = 3 * FRAME, TOKENS = FIRST + 4, WIDTH = 3 * 4, OUT = 2 * 4, ROWS = 3, TEXT_DIM = 6 };

static const int64_t GRID[2][3] = {{3, 2, 2}, {2, 1, 2}};

static const DitConfig DIT = {.in_dim = 3,
                              .out_dim = 2,
                              .dim = 24,
                              .ffn_dim = 20,
                              .num_heads = 2,
                              .num_layers = 1,
                              .patch_size = {1, 2, 2},
                              .text_len = 5,
                              .text_dim = TEXT_DIM,
                              .freq_dim = 8,
                              .eps = 1e-6};

typedef struct Net {
    RandomSource source;
    Params params;
    Backend *backend;
    Graph *g;
    Dit dit;
    float patches[TOKENS * WIDTH], texts[3][ROWS * TEXT_DIM]; /* A, B, C */
} Net;

static void open_net(Net *n, int layers, bool pooled)
{
    SoraError err = {0};
    Rng rng;
    DitConfig c = DIT;
    c.num_layers = layers;
    c.pooled_text = pooled;
    random_source_init(&n->source, 5);
    params_init(&n->params, &n->source.source);
    dit_bind(&n->dit, &c, &n->params);
    assert_true(params_ok(&n->params, &err));
    rng_init(&rng, 3, 0);
    for (int i = 0; i < n->params.count; i++) /* nothing is exactly zero */
        for (int64_t k = 0; k < tensor_numel(&n->params.items[i]->tensor); k++)
            ((float *)n->params.items[i]->tensor.data)[k] += 0.2f * rng_normal(&rng);
    rng_fill_normal(&rng, n->patches, TOKENS * WIDTH);
    rng_fill_normal(&rng, n->texts[0], 3 * ROWS * TEXT_DIM);
    n->backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    assert_non_null(n->backend);
    n->g = graph_new(n->backend);
}

static void close_net(Net *n)
{
    graph_free(n->g);
    cpu_backend_free(n->backend);
    params_deinit(&n->params);
    random_source_deinit(&n->source);
}

typedef struct Board {
    int texts;
    int which[5];        /* of A, B, C */
    int64_t span[5];     /* tokens; all 0: one text a sample */
    const char *message; /* NULL: it works */
} Board;

/* The velocities under that board, or the failure that it names. */
static void run(Net *n, const Board *board, float out[TOKENS * OUT])
{
    static const float LEVELS[5] = {700, 700, 700, 700, 700};
    static const int32_t OWN[5] = {0, 1, 2, 3, 4};
    int32_t index[TOKENS] = {0};
    float text[5 * ROWS * TEXT_DIM];
    int64_t rows[5], spans[2] = {FIRST, TOKENS - FIRST};
    SoraError err = {0};
    for (int i = 0, token = 0; i < board->texts; i++) {
        rows[i] = ROWS;
        memcpy(text + i * ROWS * TEXT_DIM, n->texts[board->which[i]], sizeof n->texts[0]);
        for (int64_t k = board->span[0] != 0 ? board->span[i] : spans[i]; k > 0 && token < TOKENS; k--)
            index[token++] = i;
    }
    graph_reset(n->g);
    DitBatch b = {.samples = 2, .grid = GRID, .text_rows = rows, .texts = board->texts};
    b.text_span = board->span[0] != 0 ? board->span : NULL;
    b.patches = graph_input(n->g, DTYPE_F32, SHAPE(TOKENS, WIDTH), n->patches);
    b.timesteps = graph_input(n->g, DTYPE_F32, SHAPE(board->texts), LEVELS);
    b.t_index = graph_input(n->g, DTYPE_I32, SHAPE(TOKENS), index);
    b.t_sample = graph_input(n->g, DTYPE_I32, SHAPE(board->texts), OWN);
    b.text = graph_input(n->g, DTYPE_F32, SHAPE(board->texts * ROWS, TEXT_DIM), text);
    Tensor *y = dit_forward(n->g, &n->dit, &b);
    if (board->message != NULL) {
        assert_null(y);
        assert_false(graph_ok(n->g, &err));
        assert_string_equal(err.message, board->message);
        return;
    }
    if (!graph_ok(n->g, &err))
        fail_msg("%s", err.message);
    assert_int_equal(tensor_numel(y), TOKENS * OUT);
    memcpy(out, y->data, TOKENS * OUT * sizeof *out);
}

static void assert_tokens(const float *a, const float *b, int first, int count, bool same)
{
    for (int i = first; i < first + count; i++) {
        float most = 0;
        for (int k = 0; k < OUT; k++) {
            float d = a[i * OUT + k] - b[i * OUT + k];
            most = d > most ? d : -d > most ? -d : most;
        }
        if (same != (most <= 1e-5f))
            fail_msg("token %d differs by %g", i, (double)most);
    }
}

enum { A, B, C };

/* After one block, whose attention among the tokens comes before the text, a token has heard its own text alone. */
static void a_frame_hears_its_own_text(void **state)
{
    Net n;
    float a[TOKENS * OUT], b[TOKENS * OUT], board[TOKENS * OUT];
    open_net(&n, 1, false);
    run(&n, &(Board){2, {A, C}, {0}, NULL}, a);
    run(&n, &(Board){2, {B, C}, {0}, NULL}, b);
    run(&n, &(Board){3, {A, B, C}, {FRAME, 2 * FRAME, 4}, NULL}, board);
    assert_tokens(board, a, 0, FRAME, true);
    assert_tokens(board, a, FRAME, 2 * FRAME, false);
    assert_tokens(board, b, FRAME, 2 * FRAME, true);
    assert_tokens(board, b, 0, FRAME, false);
    assert_tokens(board, a, FIRST, TOKENS - FIRST, true); /* the other sample's text is its own */
    close_net(&n);
}

/* However deep, and however the words are heard: the same in several passages are those words said once. */
static void the_same_text_twice_is_one(void **state)
{
    for (int pooled = 0; pooled < 2; pooled++) {
        Net n;
        float once[TOKENS * OUT], spans[TOKENS * OUT], twice[TOKENS * OUT], other[TOKENS * OUT];
        open_net(&n, 3, pooled != 0);
        run(&n, &(Board){2, {A, C}, {0}, NULL}, once);
        run(&n, &(Board){2, {A, C}, {FIRST, 4}, NULL}, spans);
        run(&n, &(Board){5, {A, A, A, C, C}, {FRAME, FRAME, FRAME, 2, 2}, NULL}, twice);
        run(&n, &(Board){5, {A, A, B, C, C}, {FRAME, FRAME, FRAME, 2, 2}, NULL}, other);
        assert_memory_equal(once, spans, sizeof once);
        assert_tokens(twice, once, 0, TOKENS, true);
        assert_tokens(other, once, 0, FIRST, false); /* what one frame hears, the others see */
        assert_tokens(other, once, FIRST, TOKENS - FIRST, true);
        close_net(&n);
    }
}

static void spans_fill_every_sample(void **state)
{
    Net n;
    open_net(&n, 1, false);
    run(&n, &(Board){2, {A, C}, {FIRST - 1, 4}, "transformer: the spans of 2 texts do not fill sample 0"}, NULL);
    run(&n, &(Board){2, {A, C}, {FIRST + 1, 3}, "transformer: the spans of 2 texts do not fill sample 0"}, NULL);
    run(&n, &(Board){2, {A, C}, {FIRST, 3}, "transformer: the spans of 2 texts do not fill sample 1"}, NULL);
    run(&n, &(Board){1, {A}, {TOKENS}, "transformer: the spans of 1 texts do not fill sample 0"}, NULL);
    run(&n, &(Board){3, {A, B, C}, {FIRST, 4, 1}, "transformer: the spans of 3 texts do not fill sample 1"}, NULL);
    run(&n, &(Board){3, {A, B, C}, {FIRST, -1, 5}, "transformer: the spans of 3 texts do not fill sample 1"}, NULL);
    run(&n, &(Board){3, {A, B, C}, {FIRST, 0, 4}, "transformer: the spans of 3 texts do not fill sample 1"}, NULL);
    close_net(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_hears_its_own_text),
        cmocka_unit_test(the_same_text_twice_is_one),
        cmocka_unit_test(spans_fill_every_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
