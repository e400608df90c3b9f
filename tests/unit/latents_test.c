/* Shards of latents: what is marked as acting against the boxes themselves, windows around the subject, and shards of
 * something else. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_where_the_boxes_are),
        cmocka_unit_test(windows_hold_the_subject),
        cmocka_unit_test(clips_are_drawn_by_the_backends_threads),
        cmocka_unit_test(shards_of_another_window_are_refused),
    };
    return cmocka_run_group_tests(tests, art_setup, art_teardown);
}
