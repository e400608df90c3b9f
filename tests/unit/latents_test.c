/* Shards of latents: labels against the boxes themselves, windows around the subject, shards of something else; batches
 * drawn from them; the loss of the classes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu/backend.h"
#include "stage_art.h"
#include "threads.h"
#include "train/classes.h"
#include "train/latents.h"
#include "weights/param_sources.h"

enum { CLIPS = 6, STRIDE = 8, TIME = 4 }; /* strides of the codec below */


typedef struct World {
    RandomSource random;
    Params params;
    Vae codec;
    Backend *backend;
    Graph *graph;
    ClipSource *source;
    char folder[64];
} World;

static void open_world(World *w)
{
    SoraError err = {0};
    VaeConfig config = {.dim = 16, .dec_dim = 8, .z_dim = 12, .levels = 3, .dim_mult = {1, 2, 2}, .num_res_blocks = 1,
                        .temperal_downsample = {true, true}, .patchify = 2};
    for (int i = 0; i < config.z_dim; i++)
        config.std[i] = 1;
    *w = (World){.folder = "/tmp/sora-latents-XXXXXX"};
    assert_non_null(mkdtemp(w->folder));
    random_source_init(&w->random, 3);
    params_init(&w->params, &w->random.source);
    vae_bind(&w->codec, &config, &w->params);
    assert_true(params_ok(&w->params, &err));
    assert_non_null(w->backend = cpu_backend_new(&(CpuOptions){.threads = 3, .precision = SORA_PRECISION_F32}, &err));
    assert_non_null(w->graph = graph_new(w->backend));
    assert_non_null(w->source = clip_source_open(&(ClipSourceConfig){.stage_pack = art_pack, .seed = 4, .everyday = -1}, &err));
}

static void close_world(World *w)
{
    clip_source_close(w->source);
    graph_free(w->graph);
    cpu_backend_free(w->backend);
    params_deinit(&w->params);
    random_source_deinit(&w->random);
    nftw(w->folder, art_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static LatentCache *open_cache(World *w, const Bucket *bucket)
{
    SoraError err = {0};
    LatentCache *c = latent_cache_new(&(LatentCacheConfig){.folder = w->folder, .source = w->source, .codec = &w->codec,
                                      .graph = w->graph, .buckets = bucket, .bucket_count = 1}, &err);
    assert_non_null(c);
    return c;
}

static Bucket bucket_of(int side, int drawn, int frames)
{
    return (Bucket){.width = side, .height = side, .drawn_width = drawn, .drawn_height = drawn, .frames = frames, .fps = 12,
                    .batch = 1, .weight = 1, .shard_clips = CLIPS, .shards = 2};
}

/* A cell is the first actor's of those whose boxes hold one of its pixels in one of its frames: said pixel by pixel. */
static void expect_labels(const Clip *clip, const CellLabel *labels)
{
    int side = clip->width / STRIDE, latent_frames = 1 + (clip->frames - 1) / TIME;
    CellLabel *expected = calloc((size_t)(latent_frames * side * side), sizeof *expected);
    for (int a = clip->actors - 1; a >= 0; a--)
        for (int t = 0; t < clip->frames; t++) {
            ClipBox b = clip->boxes[a * clip->frames + t];
            for (int y = b.y0; y < b.y1 && y < clip->height; y++)
                for (int x = b.x0; x < b.x1 && x < clip->width; x++)
                    if (x >= 0 && y >= 0) {
                        CellLabel *cell =
                            &expected[((t == 0 ? 0 : 1 + (t - 1) / TIME) * side + y / STRIDE) * side + x / STRIDE];
                        cell->noun = (uint8_t)(1 + clip->cast[a].noun);
                        cell->colour = (uint8_t)(1 + clip->cast[a].colour);
                        cell->motion = (uint8_t)(1 + (int)clip->cast[a].motion);
                    }
        }
    assert_memory_equal(labels, expected, (size_t)(latent_frames * side * side) * sizeof *labels);
    free(expected);
}

static void labels_are_where_the_boxes_are(void **state)
{
    World w;
    open_world(&w);
    Bucket bucket = bucket_of(64, 64, 9);
    LatentCache *cache = open_cache(&w, &bucket);
    SoraError err = {0};
    for (int i = 0; i < 2 * CLIPS; i++) {
        LatentSample sample;
        Clip clip;
        assert_true(latent_cache_get(cache, 0, i / CLIPS, i % CLIPS, &sample, &err));
        assert_true(clip_source_get(w.source, &(ClipRequest){.width = 64, .height = 64, .frames = 9, .fps = 12, .index = (uint64_t)i}, &clip, &err));
        assert_true(clip.actors > 0);
        assert_int_equal(sample.caption_count, clip.caption_count);
        assert_string_equal(sample.captions, clip.captions[0]);
        expect_labels(&clip, sample.labels);
        for (int k = 0; k < CLIP_CLASSES; k++) {
            assert_int_equal(sample.classes[k], clip.classes[k]);
            assert_in_range(sample.classes[k], 0, CLIP_CLASS_SIZES[k] - 1);
        }
        assert_int_equal(clip.cast[0].noun, clip.classes[CLASS_NOUN]);
        clip_deinit(&clip);
    }
    latent_cache_free(cache);
    close_world(&w);
}

/* Of the picture as it is drawn at 96x96, 32x32 pixels: the subject covers more of them than of the whole. */
static void windows_hold_the_subject(void **state)
{
    World w;
    open_world(&w);
    Bucket bucket = bucket_of(32, 96, 1);
    LatentCache *cache = open_cache(&w, &bucket);
    SoraError err = {0};
    double in_window = 0, in_whole = 0;
    for (int i = 0; i < 2 * CLIPS; i++) {
        LatentSample sample;
        Clip clip;
        assert_true(latent_cache_get(cache, 0, i / CLIPS, i % CLIPS, &sample, &err));
        assert_true(clip_source_get(w.source, &(ClipRequest){.width = 96, .height = 96, .frames = 1, .fps = 12, .index = (uint64_t)i}, &clip, &err));
        for (int k = 0; k < 16; k++)
            in_window += (sample.labels[k].noun != 0) / 16.0;
        ClipBox b = clip.boxes[0];
        in_whole += (double)(b.x1 - b.x0) * (b.y1 - b.y0) / (96.0 * 96.0);
        clip_deinit(&clip);
    }
    assert_true(in_window > 2 * in_whole);
    assert_true(in_window > 0.4 * 2 * CLIPS);
    latent_cache_free(cache);
    close_world(&w);
}

/* What a shard keeps of a clip against the codec itself: 8 bits lose a 3000th of a channel's
 * mean square at most. */
static void eight_bits_are_enough(void **state)
{
    enum { Z = 12, CELLS = 3 * 8 * 8, SIDE = 64, FRAMES = 9 };
    World w;
    open_world(&w);
    Bucket bucket = bucket_of(SIDE, SIDE, FRAMES);
    LatentCache *cache = open_cache(&w, &bucket);
    SoraError err = {0};
    assert_true(latent_cache_make(cache, 0, 1, &err));
    double error[Z] = {0}, squares[Z] = {0};
    for (int i = 0; i < CLIPS; i++) {
        LatentSample sample;
        Clip clip;
        float kept[CELLS * Z], latent[CELLS * Z], *video = malloc(FRAMES * SIDE * SIDE * 3 * sizeof *video);
        assert_true(latent_cache_get(cache, 0, 1, i, &sample, &err));
        latent_sample_read(&sample, CELLS * Z, Z, kept);
        ClipRequest request = {.width = SIDE, .height = SIDE, .frames = FRAMES, .fps = 12, .index = (uint64_t)(CLIPS + i)};
        assert_true(clip_source_get(w.source, &request, &clip, &err));
        clip_to_float(&clip, &(ClipCrop){0, 0, SIDE, SIDE, 0, FRAMES}, video);
        graph_reset(w.graph);
        graph_download(w.graph, vae_encode(w.graph, &w.codec, graph_input(w.graph, DTYPE_F32, SHAPE(1, FRAMES, SIDE, SIDE, 3), video)),
                       latent);
        assert_true(graph_ok(w.graph, &err));
        for (int k = 0; k < CELLS * Z; k++) {
            double d = (double)latent[k] - kept[k];
            error[k % Z] += d * d;
            squares[k % Z] += (double)latent[k] * latent[k];
        }
        clip_deinit(&clip);
        free(video);
    }
    for (int z = 0; z < Z; z++) {
        assert_true(error[z] > 0);
        assert_true(error[z] < squares[z] / 3000);
    }
    latent_cache_free(cache);
    close_world(&w);
}

static void clips_are_drawn_by_the_backends_threads(void **state)
{
    World w;
    open_world(&w);
    Bucket bucket = bucket_of(32, 32, 1);
    LatentCache *cache = open_cache(&w, &bucket);
    SoraError err = {0};
    LatentSample sample;
    assert_true(latent_cache_get(cache, 0, 0, 0, &sample, &err));
    assert_int_equal(thread_count(), 3);
    latent_cache_free(cache);
    close_world(&w);
}

static void shards_of_another_window_are_refused(void **state)
{
    World w;
    open_world(&w);
    Bucket bucket = bucket_of(32, 96, 1), other = bucket_of(32, 64, 1);
    LatentCache *cache = open_cache(&w, &bucket);
    SoraError err = {0};
    LatentSample sample;
    assert_true(latent_cache_get(cache, 0, 0, 0, &sample, &err));
    latent_cache_free(cache);
    cache = open_cache(&w, &other);
    assert_false(latent_cache_get(cache, 0, 0, 0, &sample, &err));
    assert_non_null(strstr(err.message, "delete it"));
    latent_cache_free(cache);
    close_world(&w);
}

/* --- batches of them --- */

static const DitConfig DIT = {.in_dim = 12, .out_dim = 12, .patch_size = {1, 2, 2}, .text_len = 16};

static BatchRules rules_of(LatentCache *cache, const Bucket *bucket, const Tokenizer *tokenizer)
{
    return (BatchRules){.dit = &DIT, .tokenizer = tokenizer, .latents = cache, .buckets = bucket, .bucket_count = 1,
                        .first_shards = 2, .shard_every = 100, .seed = 9, .noise = {.shift = 2},
                        .given = {.first_frame = 0.4, .both_ends = 0.2, .region = 0.3}, .condition_dropout = 0.3,
                        .actor_weight = 3};
}

static Tokenizer *open_tokenizer(void)
{
    SoraError err = {0};
    Tokenizer *t = tokenizer_open("models/nano/tokenizer.model", &err); /* from the top of the source tree */
    if (t == NULL)
        fail_msg("%s", err.message);
    return t;
}

/* A sample is the same in a batch of 3 and in one of 8, but for where its tokens lie. */
static void samples_do_not_depend_on_the_batch(void **state)
{
    World w;
    open_world(&w);
    Bucket small = bucket_of(64, 64, 9), large = small;
    small.batch = 3;
    large.batch = 8;
    LatentCache *cache = open_cache(&w, &small);
    Tokenizer *tokenizer = open_tokenizer();
    for (int64_t step = 0; step < 20; step++) {
        Batch a = {0}, b = {0};
        SoraError err = {0};
        BatchRules r = rules_of(cache, &small, tokenizer), s = rules_of(cache, &large, tokenizer);
        assert_true(batch_draw(&r, &(StepPart){step, 0, 1}, &a, &err) && batch_draw(&s, &(StepPart){step, 0, 1}, &b, &err));
        assert_memory_equal(a.patches, b.patches, (size_t)(a.tokens * a.in_width) * sizeof(float));
        assert_memory_equal(a.target, b.target, (size_t)(a.tokens * a.out_width) * sizeof(float));
        assert_memory_equal(a.labels, b.labels, (size_t)a.tokens * sizeof(CellLabel));
        assert_memory_equal(a.timesteps, b.timesteps, 3 * sizeof(float));
        assert_memory_equal(a.rows, b.rows, 3 * sizeof *a.rows);
        batch_deinit(&a);
        batch_deinit(&b);
    }
    tokenizer_close(tokenizer);
    latent_cache_free(cache);
    close_world(&w);
}

/* Of every token: (1 - s) x0 + s noise, noise - x0 and the weight fit each other and the timestep; about as many samples have
 * something given as the rule says. */
static void given_patches_are_clean(void **state)
{
    World w;
    open_world(&w);
    Bucket bucket = bucket_of(64, 64, 9);
    bucket.batch = 50;
    LatentCache *cache = open_cache(&w, &bucket);
    Tokenizer *tokenizer = open_tokenizer();
    BatchRules rules = rules_of(cache, &bucket, tokenizer);
    int with_given = 0, dropped = 0, all = 0;
    for (int64_t step = 0; step < 8; step++) {
        Batch b = {0};
        SoraError err = {0};
        assert_true(batch_draw(&rules, &(StepPart){step, 0, 1}, &b, &err));
        int64_t per_sample = b.tokens / b.samples;
        for (int i = 0; i < b.samples; i++, all++) {
            int clean = 0;
            for (int64_t token = i * per_sample; token < (i + 1) * per_sample; token++) {
                int row = b.t_index[token];
                assert_int_equal(b.t_sample[row], i);
                bool given = row >= b.samples;
                clean += given;
                assert_float_equal(b.weight[token * b.out_width], given ? 0 : b.labels[token].noun != 0 ? 3 : 1, 0);
                float s = b.timesteps[row] / 1000;
                assert_true(given == (s == 0));
                /* first cell, first channel: in both orders the first number; x0 = x - s (noise - x0) */
                float x0 = b.patches[token * b.in_width] - s * b.target[token * b.out_width];
                assert_true(x0 > -100 && x0 < 100);
                if (given)
                    assert_float_equal(b.patches[token * b.in_width], x0, 0);
            }
            assert_true(clean < per_sample);
            with_given += clean > 0;
            dropped += b.dropped[i];
            assert_true(!b.dropped[i] || b.rows[i] == 1);
        }
        batch_deinit(&b);
    }
    /* 400 samples: 0.4 + 0.2 + 0.3 (a rectangle may be the whole), and 0.3. */
    assert_in_range(with_given, (int)(0.78 * all), (int)(0.94 * all));
    assert_in_range(dropped, (int)(0.2 * all), (int)(0.4 * all));
    tokenizer_close(tokenizer);
    latent_cache_free(cache);
    close_world(&w);
}

/* What leads up to something: the last latent frame is given, and no other. */
static void the_last_frame_can_be_given(void **state)
{
    World w;
    open_world(&w);
    Bucket bucket = bucket_of(64, 64, 9);
    bucket.batch = 20;
    LatentCache *cache = open_cache(&w, &bucket);
    Tokenizer *tokenizer = open_tokenizer();
    BatchRules rules = rules_of(cache, &bucket, tokenizer);
    rules.given = (GivenRule){.last_frame = 1};
    Batch b = {0};
    SoraError err = {0};
    assert_true(batch_draw(&rules, &(StepPart){0, 0, 1}, &b, &err));
    int64_t per_sample = b.tokens / b.samples, plane = per_sample / 3; /* 9 frames are 3 latent frames */
    for (int64_t token = 0; token < b.tokens; token++)
        assert_int_equal(b.t_index[token] >= b.samples, token % per_sample >= 2 * plane);
    batch_deinit(&b);
    tokenizer_close(tokenizer);
    latent_cache_free(cache);
    close_world(&w);
}

/* Heads of zeros know nothing: log(classes) each, at the rule's weight, which fades. Nothing to say is no loss. */
static void class_loss_begins_at_log_of_classes(void **state)
{
    World w;
    open_world(&w);
    ClassHeads heads;
    class_heads_init(&heads, &w.random.source, 4, PATCH_HEAD_SIZES, PATCH_HEADS);
    enum { TOKENS = 3 };
    const float x[TOKENS * 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    float timesteps[4] = {900, 300, 0, 0};
    int32_t t_index[TOKENS] = {0, 1, 3}, t_sample[4] = {0, 1, 0, 1};
    CellLabel labels[TOKENS] = {{5, 2, 1}, {0, 0, 0}, {7, 1, 1}};
    bool dropped[2] = {false, false};
    Batch b = {.samples = 2, .tokens = TOKENS, .t_index = t_index, .timesteps = timesteps, .t_sample = t_sample,
               .labels = labels, .dropped = dropped};
    ClassRule rule = {.weight = 0.5, .nobody = 0.2, .fade = 10};
    double expected = 0;
    for (int i = 0; i < PATCH_HEADS; i++)
        expected += 0.5 * log(PATCH_HEAD_SIZES[i]) / PATCH_HEADS;
    Tensor *tokens = graph_input(w.graph, DTYPE_F32, SHAPE(TOKENS, 4), x);
    Tensor *loss = class_loss(w.graph, &heads, &rule, tokens, &b, 0, class_weights(&rule, &b));
    assert_float_equal(((float *)loss->data)[0], expected, 1e-5);
    loss = class_loss(w.graph, &heads, &rule, tokens, &b, 5, class_weights(&rule, &b));
    assert_float_equal(((float *)loss->data)[0], expected / 2, 1e-5);
    assert_null(class_loss(w.graph, &heads, &rule, tokens, &b, 10, class_weights(&rule, &b)));
    rule.above = 0.95; /* both samples are below */
    assert_null(class_loss(w.graph, &heads, &rule, tokens, &b, 0, class_weights(&rule, &b)));
    rule.above = 0;
    dropped[0] = dropped[1] = true;
    assert_null(class_loss(w.graph, &heads, &rule, tokens, &b, 0, class_weights(&rule, &b)));
    class_heads_deinit(&heads);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_where_the_boxes_are),
        cmocka_unit_test(windows_hold_the_subject),
        cmocka_unit_test(eight_bits_are_enough),
        cmocka_unit_test(clips_are_drawn_by_the_backends_threads),
        cmocka_unit_test(shards_of_another_window_are_refused),
        cmocka_unit_test(samples_do_not_depend_on_the_batch),
        cmocka_unit_test(given_patches_are_clean), cmocka_unit_test(the_last_frame_can_be_given),
        cmocka_unit_test(class_loss_begins_at_log_of_classes),
    };
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
