/* The transformer, the text encoder and the image encoder, one block each: gradients by finite differences;
 * that what is recorded, what is not and what is prepared beforehand give the same numbers; names,
 * configurations and bad batches. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "model/clip.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "model/vae.h"
#include "weights/param_sources.h"

enum { SAMPLES = 2, TOKENS = 2 * 2 * 3 + 2, TEXT_ROWS = 4, PICTURE_ROWS = 6 };

static const DitConfig DIT = {.in_dim = 3,
                              .out_dim = 2,
                              .dim = 24,
                              .ffn_dim = 20,
                              .num_heads = 2,
                              .num_layers = 1,
                              .patch_size = {1, 2, 2},
                              .text_len = 5,
                              .text_dim = 6,
                              .freq_dim = 8,
                              .eps = 1e-6};
static const Umt5Config UMT5 = {.vocab = 11,
                                .dim = 12,
                                .dim_attn = 8,
                                .dim_ffn = 10,
                                .num_heads = 2,
                                .num_layers = 1,
                                .num_buckets = 8,
                                .max_dist = 8,
                                .eps = 1e-6};

static const ClipConfig CLIP = {.image_size = 6,
                                .patch_size = 3,
                                .dim = 8,
                                .mlp_dim = 12,
                                .num_heads = 2,
                                .num_layers = 2,
                                .eps = 1e-5};

typedef struct Net {
    RandomSource source;
    Params params;
    Backend *backend;
    Graph *g;
    Dit dit;
    Umt5 umt5;
    Clip clip;
    Tensor *patches, *text, *pictures; /* parameters too, so that their gradients are checked */
} Net;

/* A new network has zeros where a check needs numbers. */
static void open_net(Net *n)
{
    random_source_init(&n->source, 5);
    params_init(&n->params, &n->source.source);
    n->backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, NULL);
    n->g = graph_new(n->backend);
}

static void stir(Net *n)
{
    Rng rng;
    rng_init(&rng, 3, 0);
    assert_true(params_ok(&n->params, NULL));
    for (int i = 0; i < n->params.count; i++) {
        Tensor *t = &n->params.items[i]->tensor;
        for (int64_t k = 0; k < tensor_numel(t); k++)
            ((float *)t->data)[k] += 0.2f * rng_normal(&rng);
    }
}

static void open_dit(Net *n, const DitConfig *c)
{
    open_net(n);
    dit_bind(&n->dit, c, &n->params);
    Init normal = {INIT_NORMAL, 1};
    n->patches = params_get(&n->params, normal, SHAPE(TOKENS, c->in_dim * 4), "patches");
    n->text = params_get(&n->params, normal, SHAPE(TEXT_ROWS, c->text_dim), "text");
    n->pictures = NULL;
    if (c->clip_dim > 0)
        n->pictures = params_get(&n->params, normal, SHAPE(PICTURE_ROWS, c->clip_dim), "pictures");
    stir(n);
}

static void open_umt5(Net *n, const Umt5Config *c)
{
    open_net(n);
    umt5_bind(&n->umt5, c, &n->params);
    stir(n);
}

static void open_clip(Net *n, const ClipConfig *c)
{
    open_net(n);
    clip_bind(&n->clip, c, &n->params);
    n->pictures = params_get(&n->params, (Init){INIT_NORMAL, 1},
                             SHAPE(SAMPLES, c->image_size, c->image_size, 3), "pictures");
    stir(n);
}

static void close_net(Net *n)
{
    graph_free(n->g);
    cpu_backend_free(n->backend);
    params_deinit(&n->params);
    random_source_deinit(&n->source);
}

/* Two samples of different sizes, three timesteps, one of them within the first sample. */
static DitBatch dit_batch(Net *n)
{
    static const int64_t GRID[SAMPLES][3] = {{2, 2, 3}, {1, 1, 2}}, ROWS[SAMPLES] = {3, 1};
    static const int32_t INDEX[TOKENS] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2};
    return (DitBatch){
        .samples = SAMPLES,
        .grid = GRID,
        .patches = n->patches,
        .timesteps = graph_input(n->g, DTYPE_F32, SHAPE(3), (const float[]){0, 700, 31.5f}),
        .t_index = graph_input(n->g, DTYPE_I32, SHAPE(TOKENS), INDEX),
        .t_sample = graph_input(n->g, DTYPE_I32, SHAPE(3), (const int32_t[]){0, 0, 1}),
        .text = n->text,
        .text_rows = ROWS,
        .pictures = n->pictures,
    };
}

static Tensor *run_dit(Net *n)
{
    DitBatch batch = dit_batch(n);
    return dit_forward(n->g, &n->dit, &batch);
}

static Tensor *run_umt5(Net *n)
{
    static const int64_t ROWS[] = {9, 1, 4};
    static const int32_t IDS[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 3, 3, 10, 1};
    return umt5_forward(n->g, &n->umt5, &(Umt5Batch){3, ROWS, IDS});
}

static Tensor *run_clip(Net *n)
{
    return clip_forward(n->g, &n->clip, clip_normalise(n->g, n->pictures));
}

/* --- gradients --- */

/* The weight of result i in the loss. */
static float loss_weight(int64_t i)
{
    return (float)cos(1.7 * (double)i + 1);
}

static double loss(Net *n, Tensor *(*run)(Net *))
{
    graph_reset(n->g);
    Tensor *y = run(n);
    assert_non_null(y);
    double sum = 0;
    for (int64_t i = 0; i < tensor_numel(y); i++)
        sum += (double)loss_weight(i) * ((float *)y->data)[i];
    return sum;
}

static void backward(Net *n, Tensor *(*run)(Net *))
{
    for (int i = 0; i < n->params.count; i++) {
        Tensor *t = &n->params.items[i]->tensor;
        t->requires_grad = true;
        t->grad = calloc(1, sizeof *t->grad);
        *t->grad = tensor_over(calloc((size_t)tensor_numel(t), 4), DTYPE_F32, t->ndim, t->shape);
    }
    graph_reset(n->g);
    graph_record(n->g, true);
    Tensor *y = run(n);
    assert_non_null(y);
    Tensor *weights = graph_tensor(n->g, DTYPE_F32, y->ndim, y->shape);
    for (int64_t i = 0; i < tensor_numel(y); i++)
        ((float *)weights->data)[i] = loss_weight(i);
    assert_true(graph_backward(n->g, op_sum(n->g, op_mul(n->g, y, weights))));
    graph_record(n->g, false);
}

/* The loss's slope along a direction of length 1, by central differences at one, two and four steps, extrapolated twice
 * (Richardson), so that the error is of the sixth order and the step can be large. Rounding changes the loss by up to
 * 3e-6 on every processor, the slope by that over the step: 2e-4. With one difference, a step small enough for the
 * third derivative would let rounding change the slope by 1e-3. */
static double slope(Net *n, Tensor *(*run)(Net *), Tensor *t, const float *direction)
{
    enum { STEPS = 3 };
    const double step = 1.6e-2;
    double d[STEPS];
    size_t count = (size_t)tensor_numel(t);
    float *data = t->data, *saved = malloc(count * sizeof *saved);
    memcpy(saved, data, count * sizeof *saved);
    for (int i = 0; i < STEPS; i++) {
        double h = step * (1 << i), side[2];
        for (int s = 0; s < 2; s++) {
            for (size_t k = 0; k < count; k++)
                data[k] = saved[k] + (float)(s ? h : -h) * direction[k];
            side[s] = loss(n, run);
        }
        d[i] = (side[1] - side[0]) / (2 * h);
    }
    memcpy(data, saved, count * sizeof *saved);
    free(saved);
    return (64 * d[0] - 20 * d[1] + d[2]) / 45;
}

/* Along the gradient itself the slope is its length; along random directions it is the projection. */
static void check_param(Net *n, Tensor *(*run)(Net *), const Param *p)
{
    enum { DIRECTIONS = 4 };
    Tensor t = p->tensor;
    const float *grad = t.grad->data;
    size_t count = (size_t)tensor_numel(&t);
    float *direction = malloc(count * sizeof *direction);
    double length = 0;
    for (size_t k = 0; k < count; k++)
        length += (double)grad[k] * grad[k];
    length = sqrt(length);
    if (length == 0)
        fail_msg("%s has no gradient", p->name);
    Rng rng;
    rng_init(&rng, 9, 0);
    for (int d = 0; d < DIRECTIONS; d++) {
        double norm = 0, expected = 0;
        for (size_t k = 0; k < count; k++) {
            direction[k] = d == 0 ? grad[k] : rng_normal(&rng);
            norm += (double)direction[k] * direction[k];
        }
        for (size_t k = 0; k < count; k++) {
            direction[k] /= (float)sqrt(norm);
            expected += (double)direction[k] * grad[k];
        }
        double got = slope(n, run, &t, direction);
        double tolerance = 2e-3 * length / (d == 0 ? 1 : sqrt((double)count)) + 4e-4;
        if (!(fabs(got - expected) <= tolerance))
            fail_msg("%s, direction %d: slope %g, gradient says %g (its length is %g)", p->name, d, got,
                     expected, length);
    }
    free(direction);
}

static void check_all(Net *n, Tensor *(*run)(Net *))
{
    backward(n, run);
    for (int i = 0; i < n->params.count; i++)
        check_param(n, run, n->params.items[i]);
    for (int i = 0; i < n->params.count; i++) {
        free(n->params.items[i]->tensor.grad->data);
        free(n->params.items[i]->tensor.grad);
    }
    close_net(n);
}

static void transformer_gradients(void **state)
{
    Net n;
    open_dit(&n, &DIT);
    check_all(&n, run_dit);
}

/* With everything that Wan's configurations do not have. */
static void listening_gradients(void **state)
{
    Net n;
    DitConfig c = DIT;
    c.in_dim = c.out_dim;
    c.masked_text = c.pooled_text = c.absolute_positions = c.preconditioned = true;
    for (int i = 0; i < c.in_dim; i++)
        c.latent_variance[i] = 0.25f + (float)i;
    open_dit(&n, &c);
    check_all(&n, run_dit);
}

/* With pictures that have positions: first and last frame to video. */
static DitConfig dit_with_pictures(void)
{
    DitConfig c = DIT;
    c.clip_dim = 7;
    c.clip_rows = PICTURE_ROWS;
    return c;
}

static void picture_gradients(void **state)
{
    Net n;
    DitConfig c = dit_with_pictures();
    open_dit(&n, &c);
    check_all(&n, run_dit);
    open_clip(&n, &CLIP);
    check_all(&n, run_clip);
}

static void encoder_gradients(void **state)
{
    Net n;
    open_umt5(&n, &UMT5);
    check_all(&n, run_umt5);
}

/* --- the same numbers by every way --- */

static void assert_same(const Tensor *a, const float *b)
{
    for (int64_t i = 0; i < tensor_numel(a); i++)
        assert_float_equal(((float *)a->data)[i], b[i], 1e-5);
}

static float *copy_result(const Tensor *y)
{
    assert_non_null(y);
    float *copy = malloc(tensor_bytes(y));
    memcpy(copy, y->data, tensor_bytes(y));
    return copy;
}

static void recording_changes_nothing(Net *n, Tensor *(*run)(Net *))
{
    graph_reset(n->g);
    float *plain = copy_result(run(n));
    for (int i = 0; i < n->params.count; i++)
        n->params.items[i]->tensor.requires_grad = true;
    graph_reset(n->g);
    graph_record(n->g, true);
    assert_same(run(n), plain);
    graph_record(n->g, false);
    free(plain);
}

static void recorded_runs_agree(void **state)
{
    Net n;
    DitConfig dit = DIT;
    dit.num_layers = 3;
    open_dit(&n, &dit);
    recording_changes_nothing(&n, run_dit);
    close_net(&n);

    dit = dit_with_pictures();
    dit.num_layers = 2;
    open_dit(&n, &dit);
    recording_changes_nothing(&n, run_dit);
    close_net(&n);

    Umt5Config umt5 = UMT5;
    umt5.num_layers = 3;
    open_umt5(&n, &umt5);
    recording_changes_nothing(&n, run_umt5);
    close_net(&n);

    ClipConfig clip = CLIP;
    clip.num_layers = 4;
    open_clip(&n, &clip);
    recording_changes_nothing(&n, run_clip);
    close_net(&n);
}

/* Positions are added to the pictures: adding them beforehand to a network without any is the same. And every
 * sample hears all pictures. */
static void positions_of_pictures_are_added(void **state)
{
    Net n;
    DitConfig c = dit_with_pictures();
    open_dit(&n, &c);
    graph_reset(n.g);
    float *with = copy_result(run_dit(&n));
    const float *add = n.dit.img_emb.positions->data;
    for (int i = 0; i < PICTURE_ROWS * c.clip_dim; i++)
        ((float *)n.pictures->data)[i] += add[i];
    n.dit.img_emb.positions = NULL;
    graph_reset(n.g);
    Tensor *y = run_dit(&n);
    assert_non_null(y);
    assert_same(y, with);
    graph_reset(n.g);
    memset((float *)n.pictures->data + 5 * c.clip_dim, 0, (size_t)c.clip_dim * sizeof(float));
    y = run_dit(&n);
    for (int64_t row = 0; row < TOKENS; row++)
        assert_true(fabsf(((float *)y->data)[row * 8] - with[row * 8]) > 1e-6f);
    free(with);
    close_net(&n);
}

/* One preparation serves many steps, each in a scope of its own. */
static void prepared_steps_agree(void **state)
{
    Net n;
    open_dit(&n, &DIT);
    graph_reset(n.g);
    float *whole = copy_result(run_dit(&n));
    graph_reset(n.g);
    DitBatch b = dit_batch(&n);
    DitContext c = dit_prepare(n.g, &n.dit, &b);
    for (int step = 0; step < 3; step++) {
        GraphScope scope = graph_scope(n.g);
        Tensor *y = dit_step(n.g, &n.dit, &c, b.patches, b.timesteps, b.t_index);
        assert_non_null(y);
        assert_same(y, whole);
        graph_keep(n.g, scope, b.patches);
    }
    free(whole);
    close_net(&n);
}

static void patches_and_latents_agree(void **state)
{
    Net n;
    open_dit(&n, &DIT);
    DitConfig c = {.in_dim = 2, .out_dim = 2, .patch_size = {2, 1, 3}};
    float video[2 * 4 * 2 * 6];
    for (int i = 0; i < 2 * 4 * 2 * 6; i++)
        video[i] = (float)i;
    Tensor *latent = graph_input(n.g, DTYPE_F32, SHAPE(2, 4, 2, 6), video);
    Tensor *rows = dit_patchify_head(n.g, &c, latent);
    assert_int_equal(rows->shape[0], 8);
    assert_int_equal(rows->shape[1], 12);
    assert_same(dit_unpatchify(n.g, &c, rows, (const int64_t[]){2, 2, 2}), video);
    /* The second patch, (c, pt, ph, pw): columns 3 to 5 of row 0 of frames 0 and 1 of both channels. */
    const float *second = (const float *)dit_patchify(n.g, &c, latent)->data + 12;
    const float expected[12] = {3, 4, 5, 15, 16, 17, 51, 52, 53, 63, 64, 65};
    assert_memory_equal(second, expected, sizeof expected);
    close_net(&n);
}

/* --- what comes from outside --- */

static void assert_fails(Net *n, const Tensor *y, const char *message)
{
    SoraError err;
    assert_null(y);
    assert_false(graph_ok(n->g, &err));
    assert_string_equal(err.message, message);
    graph_reset(n->g);
}

static void bad_pictures_fail(void **state)
{
    Net n;
    DitConfig c = dit_with_pictures();
    open_dit(&n, &c);
    DitBatch b = dit_batch(&n);
    b.pictures = NULL;
    assert_fails(&n, dit_forward(n.g, &n.dit, &b), "transformer: pictures are none, expected [6, 7]");
    b = dit_batch(&n);
    b.pictures = op_slice(n.g, n.pictures, 0, 0, 5);
    assert_fails(&n, dit_forward(n.g, &n.dit, &b), "transformer: pictures are [5, 7], expected [6, 7]");
    close_net(&n);
    c.clip_rows = 0;
    open_dit(&n, &c);
    b = dit_batch(&n);
    b.pictures = op_slice(n.g, n.pictures, 1, 0, 5);
    assert_fails(&n, dit_forward(n.g, &n.dit, &b), "transformer: pictures are [6, 5], expected [rows, 7]");
    close_net(&n);
    open_clip(&n, &CLIP);
    assert_fails(&n, clip_forward(n.g, &n.clip, op_slice(n.g, n.pictures, 1, 0, 5)),
                 "image encoder: pictures [2, 5, 6, 3], expected [1 to 64, 6, 6, 3]");
    close_net(&n);
}

static void bad_batches_fail(void **state)
{
    Net n;
    open_dit(&n, &DIT);
    umt5_bind(&n.umt5, &UMT5, &n.params);
    DitBatch b = dit_batch(&n);
    b.text_rows = (const int64_t[]){6, 1};
    assert_fails(&n, dit_forward(n.g, &n.dit, &b), "transformer: 6 rows of text, expected 0 to 5");
    b = dit_batch(&n);
    b.text_rows = (const int64_t[]){3, 2};
    assert_fails(&n, dit_forward(n.g, &n.dit, &b), "transformer: text has 4 rows, the batch says 5");
    b = dit_batch(&n);
    b.grid = (const int64_t[][3]){{2, 2, 3}, {1 << 20, 1 << 20, INT64_MAX}};
    Tensor *y = dit_forward(n.g, &n.dit, &b);
    assert_fails(&n, y,
                 "transformer: a grid of 1048576 x 1048576 x 9223372036854775807 patches is out of range");

    assert_fails(&n,
                 umt5_forward(n.g, &n.umt5, &(Umt5Batch){1, (const int64_t[]){2}, (const int32_t[]){1, 11}}),
                 "text encoder: token id 11 is outside the vocabulary of 11");
    assert_fails(&n, umt5_forward(n.g, &n.umt5, &(Umt5Batch){1, (const int64_t[]){0}, NULL}),
                 "text encoder: a text of 0 tokens, expected 1 to 8192");
    close_net(&n);
}

/* A batch without any text: all of it padding. */
static void no_text_is_padding(void **state)
{
    Net n;
    open_dit(&n, &DIT);
    graph_reset(n.g);
    DitBatch b = dit_batch(&n);
    memset(n.text->data, 0, tensor_bytes(n.text));
    float *zeros = copy_result(dit_forward(n.g, &n.dit, &b));
    b.text = NULL;
    b.text_rows = (const int64_t[]){0, 0};
    Tensor *y = dit_forward(n.g, &n.dit, &b);
    assert_non_null(y);
    assert_same(y, zeros);
    free(zeros);
    close_net(&n);
}

static void random_parameters_depend_on_name_and_seed(void **state)
{
    float got[3][4];
    const uint64_t seeds[3] = {1, 1, 2};
    for (int i = 0; i < 3; i++) {
        RandomSource s;
        Params p;
        random_source_init(&s, seeds[i]);
        params_init(&p, &s.source);
        if (i == 1)
            params_get(&p, (Init){INIT_NORMAL, 1}, SHAPE(7), "other");
        memcpy(got[i], params_get(&p, (Init){INIT_UNIFORM, 0.5f}, SHAPE(2, 2), "a.%d", 3)->data,
               sizeof got[i]);
        assert_ptr_equal(params_find(&p, "a.3")->tensor.data, p.items[p.count - 1]->tensor.data);
        assert_int_equal(params_numel(&p), i == 1 ? 11 : 4);
        SoraError err;
        assert_null(params_get(&p, (Init){INIT_ZERO, 0}, SHAPE(4), "a.3"));
        assert_false(params_ok(&p, &err));
        assert_string_equal(err.message, "tensor \"a.3\": asked for twice");
        params_deinit(&p);
        random_source_deinit(&s);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    assert_memory_not_equal(got[0], got[2], sizeof got[0]);
    for (int k = 0; k < 4; k++)
        assert_true(fabsf(got[0][k]) <= 0.5f);
}

/* --- published checkpoints --- */

/* Notes what is asked for as a line of wan_keys.tsv, "1536x16x1x2x2", and gives no memory. */
typedef struct KeySource {
    ParamSource source;
    const char *model;
    const char *keys; /* the whole table */
} KeySource;

static bool find_key(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    KeySource *s = (KeySource *)source;
    char line[256];
    size_t used = (size_t)snprintf(line, sizeof line, "\n%s\t%s\t", s->model, name);
    for (int d = 0; d < tensor->ndim; d++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%lld", d ? "x" : "",
                                 (long long)tensor->shape[d]);
    snprintf(line + used, sizeof line - used, "\t");
    return strstr(s->keys, line) != NULL || error_set(err, SORA_ERROR_INPUT, "no line %s", line + 1);
}

static bool bind_published(const char *model, const json_t *json, Params *p, SoraError *err)
{
    DitConfig dit;
    Umt5Config umt5;
    VaeConfig vae;
    ClipConfig clip;
    if (strstr(model, "UMT5") != NULL) {
        if (umt5_config_parse(&umt5, json, err))
            umt5_bind(&(Umt5){0}, &umt5, p);
    } else if (strstr(model, "VAE") != NULL) {
        if (vae_config_read(&vae, json, err))
            vae_bind(&(Vae){0}, &vae, p);
    } else if (strstr(model, "CLIP") != NULL) {
        if (clip_config_parse(&clip, json, err))
            clip_bind(&(Clip){0}, &clip, p);
    } else if (dit_config_parse(&dit, json, err)) {
        dit_bind(&(Dit){0}, &dit, p);
    }
    return params_ok(p, err);
}

#define LEVELS "\"dim_mult\": [1, 2, 4, 4], \"temperal_downsample\": [false, true, true]"

static void published_names_are_asked_for(void **state)
{
    static const struct {
        const char *model, *json;
        int tensors;
        int64_t numbers;
    } MODELS[] = {
        {"Wan2.1-T2V-1.3B", "{\"dim\": 1536, \"ffn_dim\": 8960, \"num_heads\": 12, \"num_layers\": 30}", 825,
         1418996800},
        {"Wan2.1-T2V-14B", "{\"dim\": 5120, \"ffn_dim\": 13824, \"num_heads\": 40, \"num_layers\": 40}", 1095,
         14288491584},
        {"Wan2.2-TI2V-5B",
         "{\"dim\": 3072, \"ffn_dim\": 14336, \"num_heads\": 24, \"num_layers\": 30,"
         " \"in_dim\": 48, \"out_dim\": 48}",
         825, 4999787712},
        {"Wan2.1-I2V-14B",
         "{\"dim\": 5120, \"ffn_dim\": 13824, \"num_heads\": 40, \"num_layers\": 40, \"in_dim\": 36,"
         " \"clip_dim\": 1280}",
         1303, 16394878784},
        {"Wan2.1-FLF2V-14B",
         "{\"dim\": 5120, \"ffn_dim\": 13824, \"num_heads\": 40, \"num_layers\": 40, \"in_dim\": 36,"
         " \"clip_dim\": 1280, \"clip_rows\": 514}",
         1304, 16395536704},
        {"Wan2.2-T2V-A14B(each expert)",
         "{\"dim\": 5120, \"ffn_dim\": 13824, \"num_heads\": 40, \"num_layers\": 40}", 1095, 14288491584},
        {"Wan2.2-I2V-A14B(each expert)",
         "{\"dim\": 5120, \"ffn_dim\": 13824, \"num_heads\": 40,"
         " \"num_layers\": 40, \"in_dim\": 36}",
         1095, 14288901184},
        {"UMT5-XXL-encoder",
         "{\"dim\": 4096, \"dim_attn\": 4096, \"dim_ffn\": 10240, \"num_heads\": 64,"
         " \"num_layers\": 24}",
         242, 5680910336},
        {"Wan2.1_VAE", "{\"dim\": 96, \"z_dim\": 16, \"num_res_blocks\": 2," LEVELS "}", 194, 126892531},
        {"Wan2.2_VAE",
         "{\"dim\": 160, \"dec_dim\": 256, \"z_dim\": 48, \"num_res_blocks\": 2, \"patchify\": 2," LEVELS "}", 196,
         704688668},
        /* Of 784: 31 layers of 12, and 5 around them. */
        {"CLIP-xlm-roberta-vit-h-14", "{}", 377, 611086080},
    };
    const char *fixtures = getenv("SORA_FIXTURES");
    char path[512];
    snprintf(path, sizeof path, "%s/../wan_keys.tsv", fixtures ? fixtures : "../shared/fixtures/wan");
    char *keys = file_exists(path) ? file_read(path, 1 << 24, NULL, NULL) : NULL;
    if (keys == NULL) {
        print_message("published_names_are_asked_for: no %s\n", path);
        skip();
    }
    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
        KeySource source = {{find_key}, MODELS[i].model, keys};
        Params p;
        SoraError err = {0};
        params_init(&p, &source.source);
        json_t *json = json_loads(MODELS[i].json, 0, NULL);
        if (!bind_published(MODELS[i].model, json, &p, &err))
            fail_msg("%s: %s", MODELS[i].model, err.message);
        assert_int_equal(p.count, MODELS[i].tensors);
        assert_int_equal(params_numel(&p), MODELS[i].numbers);
        json_decref(json);
        params_deinit(&p);
    }
    free(keys);
}

static void configs_are_checked(void **state)
{
    static const struct {
        const char *json, *message;
    } BAD[] = {
        {"[]", "config: no JSON object"},
        {"{}", "config: \"dim\" is missing"},
        {"{\"dim\": \"x\"}", "config: \"dim\" is no integer"},
        {"{\"dim\": 99999999999}", "config: \"dim\" is 99999999999, expected 1 to 65536"},
        {"{\"dim\": 9, \"ffn_dim\": 8, \"num_heads\": 2, \"num_layers\": 1}",
         "config: \"dim\" is 9, no multiple of the 2 heads"},
        {"{\"dim\": 6, \"ffn_dim\": 8, \"num_heads\": 2, \"num_layers\": 1}",
         "config: heads of 3 numbers, expected an even number"},
        {"{\"dim\": 8, \"ffn_dim\": 8, \"num_heads\": 2, \"num_layers\": 1, \"patch_size\": [1, 2]}",
         "config: \"patch_size\" is no list of 3 integers"},
        {"{\"dim\": 8, \"ffn_dim\": 8, \"num_heads\": 2, \"num_layers\": 1, \"patch_size\": [1, 0, 2]}",
         "config: \"patch_size\" is 0, expected 1 to 16"},
        {"{\"dim\": 8, \"ffn_dim\": 8, \"num_heads\": 2, \"num_layers\": 1, \"eps\": \"a\"}",
         "config: \"eps\" is no number between 0 and 1"},
        {"{\"dim\": 8, \"ffn_dim\": 8, \"num_heads\": 2, \"num_layers\": 1, \"qk_norm\": false}",
         "config: \"qk_norm\" must be true"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        SoraError err = {0};
        DitConfig c;
        json_t *json = json_loads(BAD[i].json, 0, NULL);
        assert_false(dit_config_parse(&c, json, &err));
        assert_string_equal(err.message, BAD[i].message);
        json_decref(json);
    }
    /* As published beside Wan2.1-T2V-1.3B. */
    json_t *json =
        json_loads("{\"_class_name\": \"WanModel\", \"dim\": 1536, \"eps\": 1e-06, \"ffn_dim\": 8960,"
                   " \"freq_dim\": 256, \"in_dim\": 16, \"model_type\": \"t2v\", \"num_heads\": 12,"
                   " \"num_layers\": 30, \"out_dim\": 16, \"text_len\": 512}",
                   0, NULL);
    DitConfig c;
    assert_true(dit_config_parse(&c, json, NULL));
    assert_int_equal(c.text_dim, 4096);
    assert_int_equal(c.patch_size[2], 2);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transformer_gradients),
        cmocka_unit_test(listening_gradients),
        cmocka_unit_test(picture_gradients),
        cmocka_unit_test(encoder_gradients),
        cmocka_unit_test(recorded_runs_agree),
        cmocka_unit_test(prepared_steps_agree),
        cmocka_unit_test(patches_and_latents_agree),
        cmocka_unit_test(positions_of_pictures_are_added),
        cmocka_unit_test(bad_pictures_fail),
        cmocka_unit_test(bad_batches_fail),
        cmocka_unit_test(no_text_is_padding),
        cmocka_unit_test(random_parameters_depend_on_name_and_seed),
        cmocka_unit_test(published_names_are_asked_for),
        cmocka_unit_test(configs_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
