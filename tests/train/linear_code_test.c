/* The best linear code of clips: against a code by all eigenvectors, and against the autoencoder that begins as it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "base/file.h"
#include "cpu/backend.h"
#include "unit/stage_art.h"
#include "train/codec.h"
#include "train/eigen.h"
#include "train/linear_start.h"
#include "train/train.h"
#include "weights/param_sources.h"

enum { SIDE = 16, FRAMES = 9, SPACE = 8, TIME = 4, PIXELS = FRAMES * SIDE * SIDE * 3 };

/* Clips of a few patterns that fade in and out: `rank` numbers say what a block shows. */
typedef struct Patterns {
    ClipInput base;
    int rank;
} Patterns;

static double pattern(int k, int t, int y, int x, int c)
{
    return sin(0.7 * k + (0.3 + 0.2 * k) * x + (0.9 - 0.1 * k) * y + c) * cos(0.4 * k * (t % TIME));
}

static bool get_clip(ClipInput *base, int index, Clip *clip, SoraError *err)
{
    *clip = (Clip){.width = SIDE, .height = SIDE, .frames = FRAMES, .rgb = malloc(PIXELS)};
    Rng rng;
    rng_init(&rng, 7, (uint64_t)index);
    float strength[(1 + (FRAMES - 1) / TIME) * 4][4];
    for (size_t i = 0; i < sizeof strength / sizeof strength[0]; i++)
        for (int k = 0; k < 4; k++)
            strength[i][k] = rng_normal(&rng) * 20 / (float)(1 + k);
    for (int i = 0; i < PIXELS; i++) {
        int c = i % 3, x = i / 3 % SIDE, y = i / 3 / SIDE % SIDE, t = i / 3 / SIDE / SIDE, f = (t + TIME - 1) / TIME;
        double v = 127.5;
        for (int k = 0; k < ((Patterns *)base)->rank; k++)
            v += (double)strength[f * 4 + y / SPACE * 2 + x / SPACE][k] * pattern(k, (t + TIME - 1) % TIME, y % SPACE, x % SPACE, c);
        clip->rgb[i] = (uint8_t)fmin(255, fmax(0, rint(v)));
    }
    return true;
}

/* Mean squared error over pixels in 0..255. */
static double error_of(const Clip *clip, const float *out)
{
    double sum = 0;
    for (int i = 0; i < PIXELS; i++) {
        double d = (double)out[i] * 127.5 + 127.5 - clip->rgb[i];
        sum += d * d;
    }
    return sum / PIXELS;
}

static void leading_eigenvectors_are_the_first_of_all(void **state)
{
    enum { N = 60, K = 5 };
    static double a[N * N], copy[N * N], all[N * N], some[K * N];
    double values[N], leading[K];
    Rng rng;
    rng_init(&rng, 2, 0);
    for (int k = 0; k < 20; k++) {
        double v[N];
        for (int i = 0; i < N; i++)
            v[i] = rng_normal(&rng) / (1 + k);
        for (int i = 0; i < N * N; i++)
            a[i] += v[i / N] * v[i % N];
    }
    memcpy(copy, a, sizeof a);
    eigen_symmetric(N, copy, values, all);
    assert_true(eigen_leading(NULL, N, a, K, leading, some));
    for (int k = 0; k < K; k++) {
        assert_true(fabs(leading[k] - values[k]) < 1e-9 * values[0]);
        double dot = 0;
        for (int i = 0; i < N; i++)
            dot += all[k * N + i] * some[k * N + i];
        assert_true(fabs(fabs(dot) - 1) < 1e-9);
    }
}

typedef struct Network {
    RandomSource random;
    Params params;
    Vae vae;
    Backend *backend;
    Graph *graph;
} Network;

static void open_network(Network *n, int z)
{
    SoraError err = {0};
    VaeConfig config = {.dim = 1, .dec_dim = 8, .z_dim = z, .levels = 3, .dim_mult = {1, 2, 2}, .num_res_blocks = 1,
                        .temperal_downsample = {true, true}, .patchify = 2, .linear_code = true};
    random_source_init(&n->random, 3);
    params_init(&n->params, &n->random.source);
    vae_bind(&n->vae, &config, &n->params);
    assert_true(params_ok(&n->params, &err));
    assert_non_null(n->backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err));
    assert_non_null(n->graph = graph_new(n->backend));
}

static void close_network(Network *n)
{
    graph_free(n->graph);
    cpu_backend_free(n->backend);
    params_deinit(&n->params);
    random_source_deinit(&n->random);
}

/* As many channels as patterns lose nothing but the rounding of pixels (1/12 of a squared step and less); one channel
 * too few loses the weakest pattern. */
static void as_many_channels_as_patterns_lose_nothing(void **state)
{
    Network n;
    open_network(&n, 3);
    Patterns clips = {{get_clip, 40, 1}, 3};
    for (int z = 2; z <= 3; z++) {
        LinearCode code;
        SoraError err = {0};
        LinearCodeShape shape = {z, TIME, SPACE, 1};
        assert_true(linear_code_fit(n.graph, &code, shape, &clips.base, &err));
        Clip clip;
        assert_true(get_clip(&clips.base, 1000, &clip, &err));
        float *out = malloc(PIXELS * sizeof *out);
        assert_true(linear_code_show(graph_pool(n.graph), &code, &clip, out, &err));
        double error = error_of(&clip, out);
        print_message("%d channels: %.3f\n", z, error);
        assert_true(z == 3 ? error < 0.15 : error > 1);
        free(out);
        clip_deinit(&clip);
        linear_code_deinit(&code);
    }
    close_network(&n);
}

/* The network that begins as the code shows what the code shows, and its latents are as wide as they should be. */
static void a_network_begins_as_the_code(void **state)
{
    Network n;
    open_network(&n, 2);
    Patterns clips = {{get_clip, 40, 1}, 3};
    SoraError err = {0};
    VaeConfig config = n.vae.config;
    assert_true(linear_start(n.graph, &n.vae, &config, &clips.base, &err));
    LinearCode code;
    assert_true(linear_code_fit(n.graph, &code, linear_code_shape(&config), &clips.base, &err));
    Clip clip;
    assert_true(get_clip(&clips.base, 1000, &clip, &err));
    float *video = malloc(3 * PIXELS * sizeof *video), *by_code = video + PIXELS, *by_network = by_code + PIXELS;
    assert_true(linear_code_show(graph_pool(n.graph), &code, &clip, by_code, &err));
    clip_to_float(&clip, &(ClipCrop){0, 0, SIDE, SIDE, 0, FRAMES}, video);
    graph_reset(n.graph);
    Tensor *z = vae_encode(n.graph, &n.vae, graph_input(n.graph, DTYPE_F32, SHAPE(1, FRAMES, SIDE, SIDE, 3), video));
    assert_int_equal(z->shape[1], 3);
    assert_int_equal(z->shape[2], SIDE / SPACE);
    graph_download(n.graph, vae_decode(n.graph, &n.vae, z), by_network);
    assert_true(graph_ok(n.graph, &err));
    for (int i = 0; i < PIXELS; i++)
        assert_true(fabsf(by_code[i] - by_network[i]) < 1e-4f);
    double squares = 0;
    float latent[3 * 4 * 2];
    graph_download(n.graph, z, latent);
    for (int i = 0; i < 24; i++)
        squares += (double)latent[i] * latent[i] / 24;
    assert_true(squares > 0.3 && squares < 3);
    free(video);
    clip_deinit(&clip);
    linear_code_deinit(&code);
    close_network(&n);
}

static void other_latents_have_another_fingerprint(void **state)
{
    Network n;
    open_network(&n, 3);
    Codec c = {.vae = n.vae, .params = n.params}; /* all still the network's */
    uint64_t before = codec_fingerprint(&c);
    ((float *)n.vae.decoder.head.w->data)[5] += 1;
    assert_true(codec_fingerprint(&c) == before);
    ((float *)n.vae.code.encode[CODE_REST]->data)[5] += 1;
    assert_true(codec_fingerprint(&c) != before);
    before = codec_fingerprint(&c);
    c.vae.config.mean[2] += 1;
    assert_true(codec_fingerprint(&c) != before);
    close_network(&n);
}

/* A product forwards, and its two gradients. */
static void operations_are_counted(void **state)
{
    Network n;
    open_network(&n, 2);
    float numbers[3 * 5 + 7 * 5] = {0};
    SoraError err = {0};
    Tensor *x = graph_input(n.graph, DTYPE_F32, SHAPE(3, 5), numbers), *w = graph_input(n.graph, DTYPE_F32, SHAPE(7, 5), numbers);
    x->leaf = x->requires_grad = w->leaf = w->requires_grad = true;
    double before = graph_flops(n.graph);
    graph_record(n.graph, true);
    Tensor *loss = op_mean(n.graph, op_linear(n.graph, x, w, NULL, UNARY_NONE));
    assert_true(graph_flops(n.graph) - before == 2 * 3 * 5 * 7);
    graph_backward(n.graph, loss);
    assert_true(graph_ok(n.graph, &err));
    assert_true(graph_flops(n.graph) - before == 3 * 2 * 3 * 5 * 7);
    close_network(&n);
}

static bool train_codec(const char *folder, const char *name, int z, const char *init, SoraError *err)
{
    char path[4096], out[4096], text[2048];
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    snprintf(out, sizeof out, "%s/%s", folder, name);
    snprintf(text, sizeof text,
             "{\"model\": {\"dim\": 1, \"dec_dim\": 8, \"z_dim\": %d, \"dim_mult\": [1, 2, 2], \"num_res_blocks\": 1,"
             "\"temperal_downsample\": [true, true], \"patchify\": 2, \"linear_code\": true}, \"width\": 32, \"height\": 32,"
             "\"frames\": 5, \"crop\": 32, \"crop_frames\": 5, \"batch\": 1, \"start_clips\": 4, \"optimizer\": {\"steps\": 2}%s%s%s}",
             z, init != NULL ? ", \"init\": \"" : "", init != NULL ? init : "", init != NULL ? "\"" : "");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, err);
    TrainOptions o = {.config_path = path, .folder = out, .stage_pack = art_pack};
    bool ok = train_autoencoder(backend, &o, err);
    cpu_backend_free(backend);
    return ok;
}

/* A decoder that learns on from another codec: the latents are the same to the bit. */
static void a_codec_begins_as_another(void **state)
{
    char folder[] = "/tmp/sora-codec-XXXXXX", first[4096], second[4096];
    SoraError err = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(first, sizeof first, "%s/first/model/vae", folder);
    snprintf(second, sizeof second, "%s/second/model/vae", folder);
    if (!train_codec(folder, "first", 4, NULL, &err) || !train_codec(folder, "second", 4, first, &err))
        fail_msg("%s", err.message);
    Codec a = {0}, b = {0};
    assert_true(codec_load(&a, first, &err) && codec_load(&b, second, &err));
    assert_true(codec_fingerprint(&a) == codec_fingerprint(&b));
    codec_unload(&a);
    codec_unload(&b);
    assert_false(train_codec(folder, "third", 5, first, &err));
    assert_non_null(strstr(err.message, "another encoder"));
    nftw(folder, art_remove, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leading_eigenvectors_are_the_first_of_all),
                                       cmocka_unit_test(as_many_channels_as_patterns_lose_nothing),
                                       cmocka_unit_test(a_network_begins_as_the_code),
                                       cmocka_unit_test(other_latents_have_another_fingerprint),
                                       cmocka_unit_test(operations_are_counted), cmocka_unit_test(a_codec_begins_as_another)};
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
