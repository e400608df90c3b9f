/* What a transformer has beyond Wan's: preconditioning, text without padding, pooled text, absolute positions; and what
 * its configuration may say of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "cpu/backend.h"
#include "model/precondition.h"
#include "model/transformer.h"
#include "weights/param_sources.h"

enum { CHANNELS = 3, CELLS = 4, TOKENS = 12, WIDTH = CHANNELS * CELLS, ROWS = 3 };

static const DitConfig CONFIG = {.in_dim = CHANNELS, .out_dim = CHANNELS, .dim = 24, .ffn_dim = 32, .num_heads = 2,
                                 .num_layers = 2, .patch_size = {1, 2, 2}, .text_len = 6, .text_dim = 8, .freq_dim = 8,
                                 .eps = 1e-6};
static const float VARIANCE[CHANNELS] = {10, 1, 0.2f};

typedef struct Net {
    RandomSource random;
    Params params;
    Backend *backend;
    Graph *g;
    Dit dit;
    float patches[2 * TOKENS * WIDTH], text[2 * ROWS * 8];
} Net;

static void open_net(Net *n, const DitConfig *c)
{
    random_source_init(&n->random, 3);
    params_init(&n->params, &n->random.source);
    n->backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, NULL);
    n->g = graph_new(n->backend);
    dit_bind(&n->dit, c, &n->params);
    assert_true(params_ok(&n->params, NULL));
    Rng rng;
    rng_init(&rng, 7, 0);
    rng_fill_normal(&rng, n->patches, sizeof n->patches / sizeof n->patches[0]);
    rng_fill_normal(&rng, n->text, sizeof n->text / sizeof n->text[0]);
}

static void close_net(Net *n)
{
    graph_free(n->g);
    cpu_backend_free(n->backend);
    params_deinit(&n->params);
    random_source_deinit(&n->random);
}

/* New networks have a head of zeros and do not look at time: numbers for those. */
static void stir(Net *n)
{
    Rng rng;
    rng_init(&rng, 9, 0);
    for (int i = 0; i < n->params.count; i++) {
        Tensor *t = &n->params.items[i]->tensor;
        for (int64_t k = 0; k < tensor_numel(t); k++)
            ((float *)t->data)[k] += 0.3f * rng_normal(&rng);
    }
}

/* samples of [1, 3, 4] patches, each with ROWS rows of text and noise levels 0.3, 0.6 ... */
static void run(Net *n, int samples, DitTap *tap, float *out)
{
    const int64_t grid[2][3] = {{1, 3, 4}, {1, 3, 4}}, rows[2] = {ROWS, ROWS};
    const float timesteps[2] = {300, 600};
    const int32_t own[2] = {0, 1};
    int32_t index[2 * TOKENS];
    for (int i = 0; i < 2 * TOKENS; i++)
        index[i] = i / TOKENS;
    graph_reset(n->g);
    DitBatch b = {.samples = samples, .grid = grid, .text_rows = rows, .tap = tap};
    b.patches = graph_input(n->g, DTYPE_F32, SHAPE(samples * TOKENS, WIDTH), n->patches);
    b.timesteps = graph_input(n->g, DTYPE_F32, SHAPE(samples), timesteps);
    b.t_index = graph_input(n->g, DTYPE_I32, SHAPE(samples * TOKENS), index);
    b.t_sample = graph_input(n->g, DTYPE_I32, SHAPE(samples), own);
    b.text = graph_input(n->g, DTYPE_F32, SHAPE(samples * ROWS, 8), n->text);
    graph_download(n->g, dit_forward(n->g, &n->dit, &b), out);
    SoraError err = {0};
    if (!graph_ok(n->g, &err))
        fail_msg("%s", err.message);
}

/* A new network says 0, so what comes out is the linear guess. */
static void new_network_gives_the_linear_guess(void **state)
{
    Net n;
    DitConfig c = CONFIG;
    c.preconditioned = true;
    memcpy(c.latent_variance, VARIANCE, sizeof VARIANCE);
    open_net(&n, &c);
    float out[TOKENS * WIDTH];
    run(&n, 1, NULL, out);
    double s = 0.3;
    for (int token = 0; token < TOKENS; token++)
        for (int k = 0; k < CELLS; k++)
            for (int channel = 0; channel < CHANNELS; channel++) {
                double v = (double)VARIANCE[channel], x = (double)n.patches[token * WIDTH + channel * CELLS + k];
                double expected = (s - v * (1 - s)) / (v * (1 - s) * (1 - s) + s * s) * x;
                assert_float_equal(out[token * WIDTH + k * CHANNELS + channel], expected, 1e-4);
            }
    close_net(&n);
}

/* On normal numbers of that variance: what is left of the velocity after the guess has variance V/D and no correlation
 * with x, and what the network sees has variance 1. */
static void guess_leaves_what_the_formula_says(void **state)
{
    Rng rng;
    rng_init(&rng, 1, 0);
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, NULL);
    Graph *g = graph_new(backend);
    const double levels[3] = {0.05, 0.5, 0.97};
    Tensor *t = graph_input(g, DTYPE_F32, SHAPE(3), (const float[]){50, 500, 970});
    Precondition p = precondition_tables(g, t, VARIANCE, CHANNELS, 1);
    for (int i = 0; i < 3 * CHANNELS; i++) {
        double s = levels[i / CHANNELS], v = (double)VARIANCE[i % CHANNELS], seen = 0, left = 0, product = 0;
        enum { N = 40000 };
        for (int k = 0; k < N; k++) {
            double x0 = sqrt(v) * (double)rng_normal(&rng), noise = (double)rng_normal(&rng), x = (1 - s) * x0 + s * noise;
            double rest = noise - x0 - (double)((float *)p.skip->data)[i] * x;
            double in = x * (1 + (double)((float *)p.in->data)[i]), out = rest / (1 + (double)((float *)p.out->data)[i]);
            seen += in * in / N;
            left += out * out / N;
            product += in * out / N;
        }
        assert_float_equal(seen, 1, 0.04);
        assert_float_equal(left, 1, 0.04);
        assert_float_equal(product, 0, 0.03);
    }
    graph_free(g);
    cpu_backend_free(backend);
}

/* Without padding it does not matter how much room the text has; with padding it does. */
static void masked_text_has_no_padding(void **state)
{
    for (int masked = 0; masked < 2; masked++) {
        float out[2][TOKENS * WIDTH];
        for (int i = 0; i < 2; i++) {
            Net n;
            DitConfig c = CONFIG;
            c.masked_text = masked;
            c.text_len = i ? 50 : 6;
            open_net(&n, &c);
            stir(&n);
            run(&n, 1, NULL, out[i]);
            close_net(&n);
        }
        double difference = 0;
        for (int i = 0; i < TOKENS * WIDTH; i++)
            difference = fmax(difference, fabs((double)out[0][i] - (double)out[1][i]));
        if (masked)
            assert_true(difference < 1e-6);
        else
            assert_true(difference > 1e-4);
    }
}

static void everything_on(DitConfig *c)
{
    c->masked_text = c->pooled_text = c->absolute_positions = c->preconditioned = true;
    memcpy(c->latent_variance, VARIANCE, sizeof VARIANCE);
}

/* A sample does not see its neighbour in a batch, and sees its own pooled text. */
static void samples_of_a_batch_are_apart(void **state)
{
    Net n;
    DitConfig c = CONFIG;
    everything_on(&c);
    open_net(&n, &c);
    stir(&n);
    float both[2 * TOKENS * WIDTH], one[TOKENS * WIDTH], other[2 * TOKENS * WIDTH];
    run(&n, 2, NULL, both);
    run(&n, 1, NULL, one);
    for (int i = 0; i < TOKENS * WIDTH; i++)
        assert_float_equal(one[i], both[i], 1e-4);
    for (int i = ROWS * 8; i < 2 * ROWS * 8; i++)
        n.text[i] = -n.text[i];
    run(&n, 2, NULL, other);
    double difference = 0;
    for (int i = 0; i < TOKENS * WIDTH; i++) {
        assert_float_equal(other[i], both[i], 1e-5);
        difference = fmax(difference, fabs((double)other[TOKENS * WIDTH + i] - (double)both[TOKENS * WIDTH + i]));
    }
    assert_true(difference > 1e-3);
    close_net(&n);
}

/* Rotations alone see a patch's place relative to others; equal patches in a row of one sample differ only by absolute
 * positions when the text is all that attention can tell them apart by. */
static void absolute_positions_tell_equal_patches_apart(void **state)
{
    for (int absolute = 0; absolute < 2; absolute++) {
        Net n;
        DitConfig c = CONFIG;
        c.absolute_positions = absolute;
        open_net(&n, &c);
        stir(&n);
        for (int i = WIDTH; i < TOKENS * WIDTH; i++)
            n.patches[i] = n.patches[i % WIDTH];
        float out[TOKENS * WIDTH];
        run(&n, 1, NULL, out);
        double difference = 0;
        for (int i = 0; i < WIDTH; i++)
            difference = fmax(difference, fabs((double)out[i] - (double)out[5 * WIDTH + i]));
        if (absolute)
            assert_true(difference > 1e-3);
        else
            assert_true(difference < 1e-4);
        close_net(&n);
    }
}

static void tap_sees_a_block(void **state)
{
    Net n;
    open_net(&n, &CONFIG);
    stir(&n);
    float out[TOKENS * WIDTH];
    DitTap tap = {.block = 1};
    run(&n, 1, &tap, out);
    assert_non_null(tap.tokens);
    assert_int_equal(tap.tokens->shape[0], TOKENS);
    assert_int_equal(tap.tokens->shape[1], CONFIG.dim);
    close_net(&n);
}

/* --- configurations --- */

static void expect_error(const char *keys, const char *message)
{
    char text[512];
    snprintf(text, sizeof text, "{\"dim\": 24, \"ffn_dim\": 32, \"num_heads\": 2, \"num_layers\": 2, \"in_dim\": 3, %s}", keys);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    DitConfig c;
    SoraError err = {0};
    bool ok = dit_config_parse(&c, json, &err);
    json_decref(json);
    if (message == NULL)
        assert_true(ok);
    else {
        assert_false(ok);
        assert_string_equal(err.message, message);
    }
}

static void configurations_are_checked(void **state)
{
    const char *list = "config: \"latent_variance\" is no list of a number for each channel, 256 at most";
    const char *range = "config: \"latent_variance\" has a number outside of 1e-6 to 1e6";
    expect_error("\"out_dim\": 3, \"latent_variance\": [1, 2.5, 0.1], \"pooled_text\": true", NULL);
    expect_error("\"out_dim\": 3, \"latent_variance\": [1, 2]", list);
    expect_error("\"out_dim\": 2, \"latent_variance\": [1, 2, 3]", "config: \"latent_variance\" needs in_dim = out_dim");
    expect_error("\"out_dim\": 3, \"latent_variance\": 1", list);
    expect_error("\"out_dim\": 3, \"latent_variance\": [1, 2, 0]", range);
    expect_error("\"out_dim\": 3, \"latent_variance\": [1, 2, \"x\"]", range);
    expect_error("\"out_dim\": 3, \"latent_variance\": [1, 2, 1e7]", range);
    expect_error("\"masked_text\": 1", "config: \"masked_text\" is not true or false");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_network_gives_the_linear_guess),
        cmocka_unit_test(guess_leaves_what_the_formula_says),
        cmocka_unit_test(masked_text_has_no_padding),
        cmocka_unit_test(samples_of_a_batch_are_apart),
        cmocka_unit_test(absolute_positions_tell_equal_patches_apart),
        cmocka_unit_test(tap_sees_a_block),
        cmocka_unit_test(configurations_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
