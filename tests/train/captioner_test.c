/* The captioner: saying a token at a time gives the numbers of saying all at once, beams find what is likelier, a tiny one learns
 * from clips of the stage and goes on where it was stopped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../unit/stage_art.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "media/image.h"
#include "sample/say.h"
#include "train/clips.h"
#include "train/train.h"
#include "weights/param_sources.h"

enum { MAX_PATH = 512, VOCAB = 40, FRAMES = 3, SIDE = 4, CHANNELS = 5 };

static const CaptionerConfig SMALL = {.z_dim = CHANNELS, .frames = FRAMES, .side = SIDE, .channels = 8, .residuals = 1, .dim = 24,
                                      .num_heads = 2, .look_layers = 2, .say_layers = 2, .fps = 12, .vocab = VOCAB, .text_len = 12,
                                      .latent_variance = {1, 2, 3, 4, 5}};

typedef struct Net {
    RandomSource source;
    Params params;
    Backend *backend;
    Graph *g;
    Captioner model;
} Net;

static void net_init(Net *n, const char *level)
{
    SoraError err = {0};
    n->backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32, .level = level}, &err);
    n->g = graph_new(n->backend);
    random_source_init(&n->source, 3);
    params_init(&n->params, &n->source.source);
    captioner_bind(&n->model, &SMALL, &n->params);
    assert_true(params_ok(&n->params, &err));
}

static void net_deinit(Net *n)
{
    graph_free(n->g);
    params_deinit(&n->params);
    random_source_deinit(&n->source);
    cpu_backend_free(n->backend);
}

static Tensor *latents(Net *n, int clips, int frames)
{
    static float values[4 * FRAMES * SIDE * SIDE * CHANNELS];
    Rng rng;
    rng_init(&rng, 8, 0);
    rng_fill_normal(&rng, values, sizeof values / sizeof *values);
    return graph_input(n->g, DTYPE_F32, SHAPE(clips, frames, SIDE, SIDE, CHANNELS), values);
}

/* Logits of texts of two clips at once against one token after another; what one clip sees and one text says does not reach
 * another. */
static void cached_is_uncached(const char *level)
{
    enum { WIDTH = VOCAB + CAPTIONER_CONTROLS, IDS = 12 };
    static const int32_t of_clip[] = {2, 1}, rows[] = {5, 3, 4};
    int32_t ids[IDS] = {captioner_control(&SMALL, 0, FORM_SHORT), 7, 3, 39, 0, captioner_control(&SMALL, 1, FORM_DETAILED), 9, 9,
                        captioner_control(&SMALL, 1, FORM_TAGS), 20, 1, 5};
    static float whole[IDS][WIDTH], one[WIDTH];
    Net n;
    SoraError err = {0};
    net_init(&n, level);
    Tensor *memory = captioner_look(n.g, &n.model, latents(&n, 2, 2), NULL);
    graph_download(n.g, captioner_say(n.g, &n.model, memory, &(CaptionTexts){2, 3, of_clip, rows, ids}), whole);
    double largest = 0, size = 0;
    for (int text = 0, at = 0; text < 3; at += rows[text++]) {
        int64_t seen = memory->shape[0] / 2;
        CaptionState s = captioner_begin(n.g, &n.model, op_slice(n.g, memory, 0, text == 2 ? seen : 0, seen));
        for (int i = 0; i < rows[text]; i++) {
            graph_download(n.g, captioner_next(n.g, &n.model, &s, ids[at + i]), one);
            for (int k = 0; k < WIDTH; k++) {
                largest = fmax(largest, fabs((double)(one[k] - whole[at + i][k])));
                size = fmax(size, fabs((double)one[k]));
            }
        }
    }
    assert_true(graph_ok(n.g, &err));
    print_message("%s: largest difference %.2g of %.2g\n", level, largest, size);
    assert_true(size > 0.1 && largest < 2e-5 * size);
    net_deinit(&n);
}

static void a_token_at_a_time(void **state)
{
    cached_is_uncached("reference");
    cached_is_uncached("best");
}

static void bad_batches_fail(void **state)
{
    static const int32_t one[] = {1}, ones[] = {1, 1}, two[] = {2}, long_text[] = {13}, ids[13] = {0};
    Net n;
    SoraError err = {0};
    net_init(&n, "best");
    const CaptionTexts CASES[] = {{1, 1, two, one, ids}, {1, 1, one, long_text, ids}, {2, 1, ones, one, ids}, {0, 0, one, one, ids}};
    for (int i = 0; i < 4; i++) {
        graph_reset(n.g);
        Tensor *memory = captioner_look(n.g, &n.model, latents(&n, 1, 1), NULL);
        assert_non_null(memory);
        assert_null(captioner_say(n.g, &n.model, memory, &CASES[i]));
        assert_false(graph_ok(n.g, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
    }
    graph_reset(n.g);
    assert_null(captioner_look(n.g, &n.model, latents(&n, 1, 1 + FRAMES), NULL));
    assert_false(graph_ok(n.g, &err));
    net_deinit(&n);
}

static Said say_with(Net *n, SayRules rules)
{
    SoraError err = {0};
    Said said;
    graph_reset(n->g);
    Tensor *memory = captioner_look(n->g, &n->model, latents(n, 1, 3), NULL);
    rules.control = captioner_control(&SMALL, 0, FORM_SHORT);
    rules.end = 1;
    assert_true(say(n->g, &n->model, memory, &rules, &said, &err));
    return said;
}

/* What one beam says is the largest logit each time; 16 beams find nothing less likely; a seed repeats what it drew. */
static void beams_and_draws(void **state)
{
    Net n;
    net_init(&n, "best");
    Said greedy = say_with(&n, (SayRules){.beams = 1}), wide = say_with(&n, (SayRules){.beams = 16});
    assert_true(wide.mean_log >= greedy.mean_log - 1e-6);
    graph_reset(n.g);
    CaptionState s = captioner_begin(n.g, &n.model, captioner_look(n.g, &n.model, latents(&n, 1, 3), NULL));
    int32_t token = captioner_control(&SMALL, 0, FORM_SHORT);
    for (int i = 0; i < greedy.count; i++) {
        float logits[VOCAB + CAPTIONER_CONTROLS];
        graph_download(n.g, captioner_next(n.g, &n.model, &s, token), logits);
        token = 0;
        for (int k = 1; k < VOCAB; k++)
            token = logits[k] > logits[token] ? k : token;
        assert_int_equal(token, greedy.ids[i]);
    }
    Said a = say_with(&n, (SayRules){.beams = 1, .temperature = 1, .seed = 5}), b = say_with(&n, (SayRules){.beams = 1, .temperature = 1, .seed = 5});
    Said other = say_with(&n, (SayRules){.beams = 1, .temperature = 1, .seed = 6});
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.ids, b.ids, (size_t)a.count * sizeof *a.ids);
    assert_true(a.count != other.count || memcmp(a.ids, other.ids, (size_t)a.count * sizeof *a.ids) != 0);
    SoraError err = {0};
    assert_false(say(n.g, &n.model, NULL, &(SayRules){.beams = 17}, &a, &err));
    net_deinit(&n);
}

/* --- training --- */

static const char CONFIG[] =
    "{\"seed\": 1, \"captioner\": {%s, \"channels\": 16, \"residuals\": 1, \"dim\": 32,"
    "\"num_heads\": 2, \"look_layers\": 1, \"say_layers\": 1, \"text_len\": 64}, \"tokenizer\": "
    "\"models/nano/tokenizer.model\", \"codec\": \"models/nano/vae\", \"noise\": 0.1, \"data\": {\"seed\": 3, \"nouns\": [\"dog\", \"car\"]%s},"
    "\"buckets\": [{\"size\": \"64x64\", \"frames\": 1, \"batch\": 8, \"shard_clips\": 32, \"shards\": 1},"
    "{\"size\": \"64x64\", \"frames\": 5, \"batch\": 4, \"shard_clips\": 16, \"shards\": 1}],"
    "\"optimizer\": {\"learning_rate\": 0.004, \"warmup\": 5, \"steps\": 40, \"ema\": 0.9}, \"log_every\": 10, \"checkpoint_every\": 30}";

static const char SIZES[] = "\"z_dim\": 48, \"frames\": 5, \"side\": 4, \"vocab\": 3072";

static void write_config(const char *name, const char *sizes, const char *data)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s", art_dir, name);
    FILE *f = fopen(path, "w");
    fprintf(f, CONFIG, sizes, data);
    fclose(f);
}

static bool note(void *user, const TrainProgress *p)
{
    const int64_t *stop = user;
    return *stop == 0 || p->done < *stop || p->loss == 0;
}

static bool train(Backend *backend, const char *config, const char *out, int64_t stop, SoraError *err)
{
    char path[MAX_PATH], folder[MAX_PATH], checkpoint[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s", art_dir, config);
    snprintf(folder, sizeof folder, "%s/%s", art_dir, out);
    snprintf(checkpoint, sizeof checkpoint, "%s/%s/checkpoint.safetensors", art_dir, out);
    TrainOptions o = {.config_path = path, .folder = folder, .stage_pack = art_pack, .resume = file_exists(checkpoint),
                      .hooks = {.user = &stop, .progress = note}};
    return train_captioner(backend, &o, err);
}

static int losses_of(const char *out, double losses[16])
{
    char path[MAX_PATH], line[256];
    int count = 0, step;
    snprintf(path, sizeof path, "%s/%s/log.tsv", art_dir, out);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (count < 16 && fgets(line, sizeof line, f) != NULL)
        count += sscanf(line, "%d %lf", &step, &losses[count]) == 2;
    fclose(f);
    return count;
}

static void learns_and_resumes(void **state)
{
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    double whole[16], again[16];
    char path[MAX_PATH];
    write_config("captioner.json", SIZES, "");
    if (!train(backend, "captioner.json", "whole", 0, &err))
        fail_msg("%s", err.message);
    int count = losses_of("whole", whole);
    assert_int_equal(count, 4);
    print_message("loss %.3f -> %.3f\n", whole[0], whole[count - 1]);
    assert_true(whole[0] > 5 && whole[count - 1] < 0.8 * whole[0]);
    static const char *const FILES[] = {"captioner/config.json", "captioner/model.safetensors", "captioner/world.safetensors", "vae/config.json",
                                        "tokenizer.model"};
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/whole/model/%s", art_dir, FILES[i]);
        assert_true(file_exists(path));
    }
    assert_false(train(backend, "captioner.json", "again", 23, &err));
    assert_int_equal(err.code, SORA_ERROR_CANCELLED);
    assert_true(train(backend, "captioner.json", "again", 0, &err));
    assert_int_equal(losses_of("again", again), count);
    for (int i = 0; i < count; i++)
        assert_true(again[i] == whole[i]);
    cpu_backend_free(backend);
}

static void wrong_configurations_are_said(void **state)
{
    static const struct { const char *sizes, *data, *message; } CASES[] = {
        {SIZES, ", \"folder\": \"clips\"", "\"folder\""},
        {"\"z_dim\": 16, \"frames\": 5, \"side\": 4, \"vocab\": 3072", "", "\"z_dim\" is 16, the codec has 48"},
        {"\"z_dim\": 48, \"frames\": 5, \"side\": 8, \"vocab\": 3072", "", "bucket 64x64"},
        {"\"z_dim\": 48, \"frames\": 1, \"side\": 4, \"vocab\": 3072", "", "bucket 64x64, 5 frames"},
        {"\"z_dim\": 48, \"frames\": 5, \"side\": 4, \"vocab\": 300", "", "3072 pieces"},
        {"\"z_dim\": 48, \"frames\": 5, \"side\": 5, \"vocab\": 3072", "", "\"side\" is 5"},
        {"\"z_dim\": 48, \"vocab\": 3072, \"heads\": 3", "", "unknown key \"captioner.heads\""},
    };
    SoraError err = {0};
    Backend *backend = cpu_backend_new(NULL, &err);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        write_config("wrong.json", CASES[i].sizes, CASES[i].data);
        assert_false(train(backend, "wrong.json", "wrong", 0, &err));
        if (strstr(err.message, CASES[i].message) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", err.message, CASES[i].message);
    }
    cpu_backend_free(backend);
}

/* A folder's captions: its own, the captioner's, or a mix in which the own ones look typed. */
static void a_folder_is_recaptioned(void **state)
{
    static const struct { ClipCaptions captions; double own_share; int own; } CASES[] = {
        {CAPTIONS_OWN, 0, 400}, {CAPTIONS_CAPTIONER, 0, 0}, {CAPTIONS_MIX, 0, 0}, {CAPTIONS_MIX, 0.25, 100}, {CAPTIONS_MIX, 1, 400}};
    char folder[MAX_PATH], path[MAX_PATH + 32];
    SoraError err = {0};
    Image image;
    snprintf(folder, sizeof folder, "%s/clips", art_dir);
    assert_true(dir_make(folder, &err) && image_init(&image, 16, 16, &err));
    snprintf(path, sizeof path, "%s/fox.png", folder);
    assert_true(image_write_png(&image, path, NULL, NULL, &err));
    image_deinit(&image);
    static const char *const TEXTS[][2] = {{"fox.txt", "A fox runs to the Left."}, {"fox.captioner.txt", "a fox runs left"}};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, TEXTS[i][0]);
        FILE *f = fopen(path, "w");
        fprintf(f, "%s\n", TEXTS[i][1]);
        fclose(f);
    }
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ClipSourceConfig c = {.folder = folder, .captions = CASES[i].captions, .own_share = CASES[i].own_share};
        ClipSource *source = clip_source_open(&c, &err);
        int own = 0, bare = 0;
        assert_non_null(source);
        for (uint64_t k = 0; k < 400; k++) {
            Clip clip;
            assert_true(clip_source_get(source, &(ClipRequest){.width = 16, .height = 16, .frames = 1, .fps = 12, .index = k}, &clip, &err));
            assert_int_equal(clip.caption_count, 1);
            const char *text = clip.captions[0];
            bare += strcmp(text, "fox runs to left") == 0;
            own += strcmp(text, "a fox runs left") != 0;
            if (CASES[i].captions == CAPTIONS_OWN)
                assert_string_equal(text, TEXTS[0][1]);
            else
                assert_true(strcmp(text, "a fox runs left") == 0 || strcmp(text, "fox runs to left") == 0 ||
                            strcmp(text, "a fox runs to the left") == 0);
            clip_deinit(&clip);
        }
        clip_source_close(source);
        assert_true(abs(own - CASES[i].own) <= (CASES[i].own % 400 == 0 ? 0 : 30));
        if (CASES[i].captions == CAPTIONS_MIX)
            assert_true(abs(bare - own / 2) <= 30);
    }
    snprintf(path, sizeof path, "%s/fox.captioner.txt", folder);
    remove(path);
    ClipSourceConfig c = {.folder = folder, .captions = CAPTIONS_CAPTIONER};
    ClipSource *source = clip_source_open(&c, &err);
    Clip clip;
    assert_false(clip_source_get(source, &(ClipRequest){.width = 16, .height = 16, .frames = 1, .fps = 12}, &clip, &err));
    assert_non_null(strstr(err.message, "fox.captioner.txt"));
    clip_source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_at_a_time),   cmocka_unit_test(bad_batches_fail), cmocka_unit_test(beams_and_draws),
        cmocka_unit_test(learns_and_resumes),  cmocka_unit_test(a_folder_is_recaptioned),
        cmocka_unit_test(wrong_configurations_are_said),
    };
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
