/* Emoji Stage: packs, clips, physics, truth, splits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <pthread.h>

#include "base/rng.h"
#include "stage_art.h"

static Stage *stage;

static int setup(void **state)
{
    SoraError err = {0};
    return art_setup(state) != 0 || (stage = stage_open(art_pack, &err)) == NULL;
}

static int teardown(void **state)
{
    stage_close(stage);
    return art_teardown(state);
}

static void render(const StageSpec *spec, StageClip *clip)
{
    SoraError err = {0};
    if (!stage_render(stage, spec, clip, &err))
        fail_msg("%s", err.message);
}

static StageSpec spec_of(const char *noun, int action, int direction, int place)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.scene = (StageScene){.noun = stage_noun_find(stage, noun),
                              .count = 1,
                              .action = action,
                              .direction = direction,
                              .other = STAGE_NOBODY,
                              .place = place};
    return spec;
}

static size_t clip_bytes(const StageClip *c)
{
    return (size_t)c->width * (size_t)c->height * (size_t)c->frames * 3;
}

static void a_pack_keeps_nouns_and_pictures(void **state)
{
    SoraError err = {0};
    Pack *pack = pack_open(art_pack, &err);
    assert_non_null(pack);
    assert_int_equal(pack_count(pack), LEXICON_COUNT);
    for (int i = 0; i < pack_count(pack); i++) {
        const Noun *n = pack_noun(pack, i);
        assert_string_equal(n->en, LEXICON[i].en);
        assert_string_equal(n->ja, LEXICON[i].ja);
        assert_int_equal(n->role, LEXICON[i].role);
        const Art *art = pack_art(pack, i, &err);
        assert_non_null(art);
        assert_int_equal(art->frames, strcmp(LEXICON[i].hex, "1f415") == 0 ? 3 : 1);
        uint32_t middle =
            art->level[0][(size_t)(art->height / 2) * (size_t)art->width + (size_t)art->width * 3 / 4];
        assert_true((middle & 255) > 225 && (middle >> 8 & 255) > 125 && (middle >> 8 & 255) < 155 &&
                    middle >> 24 == 255);
        assert_true(art->hue > 20 && art->hue < 45); /* orange */
    }
    const Art *dog = pack_art(pack, stage_noun_find(stage, "dog"), &err);
    size_t frame = (size_t)dog->width * (size_t)dog->height;
    assert_memory_not_equal(dog->level[0], dog->level[0] + frame, frame * 4);
    pack_close(pack);
}

static void a_clip_depends_on_seed_and_index_alone(void **state)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.seed = 5;
    for (spec.index = 0; spec.index < 12; spec.index++) {
        StageClip a, b, c;
        render(&spec, &a);
        spec.index += 1000;
        render(&spec, &c);
        spec.index -= 1000;
        render(&spec, &b);
        assert_memory_equal(a.rgb, b.rgb, clip_bytes(&a));
        assert_memory_not_equal(a.rgb, c.rgb, clip_bytes(&a));
        assert_int_equal(a.caption_count, b.caption_count);
        for (int i = 0; i < a.caption_count; i++)
            assert_string_equal(a.captions[i].text, b.captions[i].text);
        stage_clip_deinit(&a);
        stage_clip_deinit(&b);
        stage_clip_deinit(&c);
    }
}

static uint32_t sum_of(const Stage *s, uint64_t index)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.index = index;
    StageClip clip;
    if (!stage_render(s, &spec, &clip, NULL))
        return 0;
    uint32_t sum = 1;
    for (size_t i = 0; i < clip_bytes(&clip); i++)
        sum = sum * 31 + clip.rgb[i];
    stage_clip_deinit(&clip);
    return sum;
}

typedef struct Worker {
    const Stage *stage;
    uint32_t sums[16];
} Worker;

static void *work(void *user)
{
    Worker *w = user;
    for (uint64_t i = 0; i < 16; i++)
        w->sums[i] = sum_of(w->stage, i);
    return NULL;
}

static void threads_share_a_stage(void **state)
{
    SoraError err = {0};
    Stage *fresh = stage_open(art_pack, &err); /* no art decoded yet */
    assert_non_null(fresh);
    Worker workers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        workers[i].stage = fresh;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (uint64_t k = 0; k < 16; k++) {
        assert_int_not_equal(workers[0].sums[k], 0);
        for (int i = 1; i < 4; i++)
            assert_int_equal(workers[i].sums[k], workers[0].sums[k]);
        assert_int_equal(sum_of(stage, k), workers[0].sums[k]);
    }
    stage_close(fresh);
}

static void any_size_length_and_rate(void **state)
{
    static const int SIZES[][4] = {{128, 128, 17, 12}, {160, 96, 33, 16}, {96, 160, 17, 8},
                                   {32, 32, 1, 12},    {255, 131, 2, 10}, {64, 48, 120, 24}};
    for (size_t k = 0; k < sizeof SIZES / sizeof SIZES[0]; k++) {
        StageSpec spec;
        stage_spec_init(&spec);
        spec.width = SIZES[k][0];
        spec.height = SIZES[k][1];
        spec.frames = SIZES[k][2];
        spec.fps = SIZES[k][3];
        for (spec.index = 0; spec.index < 8; spec.index++) {
            StageClip clip;
            render(&spec, &clip);
            assert_int_equal(clip.width, spec.width);
            assert_int_equal(clip.frames, spec.frames);
            uint64_t sum = 0; /* reads every byte: a sanitizer sees a short buffer */
            for (size_t i = 0; i < clip_bytes(&clip); i++)
                sum += clip.rgb[i];
            assert_true(sum > 0);
            stage_clip_deinit(&clip);
        }
    }
}

static void wrong_requests_are_refused(void **state)
{
    struct {
        int width, height, frames;
        double fps;
        int noun, action, count;
    } cases[] = {{31, 128, 17, 12, -1, -1, -1},
                 {128, 1025, 17, 12, -1, -1, -1},
                 {128, 128, 0, 12, -1, -1, -1},
                 {128, 128, 1025, 12, -1, -1, -1},
                 {128, 128, 17, 0, -1, -1, -1},
                 {128, 128, 17, NAN, -1, -1, -1},
                 {128, 128, 17, 12, (int)LEXICON_COUNT, -1, -1},
                 {128, 128, 17, 12, -2, -1, -1},
                 {128, 128, 17, 12, -1, ACTION_COUNT, -1},
                 {128, 128, 17, 12, -1, -1, 0},
                 {128, 128, 17, 12, -1, -1, 6}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        StageSpec spec;
        stage_spec_init(&spec);
        spec.width = cases[k].width;
        spec.height = cases[k].height;
        spec.frames = cases[k].frames;
        spec.fps = cases[k].fps;
        spec.scene.noun = cases[k].noun;
        spec.scene.action = cases[k].action;
        spec.scene.count = cases[k].count;
        StageClip clip;
        SoraError err = {0};
        assert_false(stage_render(stage, &spec, &clip, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_null(clip.rgb);
    }
}

/* Any scene that can be asked for renders, sensible or not. */
static void every_wish_is_granted(void **state)
{
    Rng rng;
    rng_init(&rng, 11, 0);
    for (int k = 0; k < 3000; k++) {
        StageSpec spec;
        stage_spec_init(&spec);
        spec.width = spec.height = 32;
        spec.frames = 2;
        spec.scene = (StageScene){rng_int(&rng, LEXICON_COUNT),
                                  rng_int(&rng, COLOUR_COUNT + 1) - 1,
                                  1 + rng_int(&rng, 5),
                                  rng_int(&rng, ACTION_COUNT + 1) - 1,
                                  rng_int(&rng, DIRECTION_COUNT + 1) - 1,
                                  rng_int(&rng, LEXICON_COUNT + 2) - 2,
                                  rng_int(&rng, COLOUR_COUNT + 1) - 1,
                                  rng_int(&rng, PLACE_COUNT + 1) - 1,
                                  rng_int(&rng, TIME_COUNT + 1) - 1,
                                  rng_int(&rng, WEATHER_COUNT + 1) - 1,
                                  rng_int(&rng, CAMERA_COUNT + 1) - 1};
        StageClip clip;
        render(&spec, &clip);
        assert_true(clip.scene.count >= 1 && clip.actor_count >= clip.scene.count);
        assert_int_equal(clip.caption_count, 10);
        stage_clip_deinit(&clip);
    }
}

typedef struct Box {
    int x0, y0, x1, y1;
} Box;

/* Of the pixels that differ clearly between two frames. */
static Box difference(const StageClip *c, int a, int b)
{
    Box box = {c->width, c->height, 0, 0};
    size_t frame = (size_t)c->width * (size_t)c->height * 3;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            const uint8_t *p = c->rgb + frame * (size_t)a + ((size_t)y * (size_t)c->width + (size_t)x) * 3;
            const uint8_t *q = p + frame * (size_t)(b - a);
            if (abs(p[0] - q[0]) + abs(p[1] - q[1]) + abs(p[2] - q[2]) < 60)
                continue;
            box =
                (Box){x < box.x0 ? x : box.x0, y < box.y0 ? y : box.y0, x >= box.x1 ? x + 1 : box.x1, y + 1};
        }
    return box;
}

static void everyday_scenes_as_often_as_asked(void **state)
{
    SoraError err = {0};
    int at_home[2] = {0};
    for (int often = 0; often < 2; often++)
        for (uint64_t i = 0; i < 40; i++) {
            StageSpec spec;
            StageClip clip;
            stage_spec_init(&spec);
            spec.width = spec.height = 32;
            spec.frames = 1;
            spec.index = i;
            spec.everyday = (float)often;
            spec.scene.noun = stage_noun_find(stage, "dolphin");
            assert_true(stage_render(stage, &spec, &clip, &err));
            at_home[often] += clip.scene.action == ACTION_SWIM && clip.scene.place == PLACE_UNDERWATER &&
                              clip.scene.other == STAGE_NOBODY;
            stage_clip_deinit(&clip);
        }
    assert_int_equal(at_home[1], 40);
    assert_true(at_home[0] < 40);
}

/* Styles change pixels alone: who is where stays, and of (seed, index) the same share comes with and without other clips. */
static void styles_paint_the_same_scene(void **state)
{
    SoraError err = {0};
    StageSpec spec;
    StageClip plain, styled, again;
    stage_spec_init(&spec);
    spec.width = 70; /* odd rests of squares and radii */
    spec.height = 46;
    spec.frames = 3;
    spec.index = 3;
    size_t bytes = (size_t)70 * 46 * 3 * 3;
    assert_true(stage_render(stage, &spec, &plain, &err));
    for (spec.style = 1; spec.style < STYLE_COUNT; spec.style++) {
        assert_true(stage_render(stage, &spec, &styled, &err) && stage_render(stage, &spec, &again, &err));
        assert_memory_equal(styled.rgb, again.rgb, bytes);
        double change = 0, colour = 0;
        for (size_t i = 0; i < bytes; i += 3) {
            change += abs(styled.rgb[i] - plain.rgb[i]);
            colour += abs(styled.rgb[i] - styled.rgb[i + 1]);
        }
        assert_true(change / (double)(bytes / 3) > 4);
        assert_true((spec.style != STYLE_NOIR && spec.style != STYLE_PENCIL) || colour / (double)(bytes / 3) < 2);
        assert_memory_equal(&styled.scene, &plain.scene, sizeof plain.scene);
        for (int i = 0; i < plain.actor_count; i++)
            assert_memory_equal(styled.actors[i].states, plain.actors[i].states, 3 * sizeof(StageState));
        char *truth = stage_truth_json(stage, &styled);
        assert_non_null(strstr(truth, stage_style_name(spec.style)));
        free(truth);
        stage_clip_deinit(&styled);
        stage_clip_deinit(&again);
    }
    stage_clip_deinit(&plain);
    spec.style = STYLE_COUNT;
    assert_false(stage_render(stage, &spec, &styled, &err));
    int painted = 0;
    spec.style = STAGE_ANY;
    spec.width = spec.height = 32;
    spec.frames = 1;
    for (int share = 0; share < 2; share++)
        for (spec.index = 0; spec.index < 60; spec.index++) {
            spec.styled = 0.3f * (float)share;
            assert_true(stage_render(stage, &spec, &styled, &err));
            painted += styled.style != STYLE_PLAIN;
            assert_true(share > 0 || painted == 0);
            stage_clip_deinit(&styled);
        }
    assert_in_range(painted, 8, 30);
}

static void truth_boxes_agree_with_pixels(void **state)
{
    for (int k = 0; k < 40; k++) {
        StageSpec spec =
            spec_of("helicopter", ACTION_FLY, k % 2 ? DIRECTION_LEFT : DIRECTION_RIGHT, PLACE_SKY);
        spec.index = (uint64_t)k;
        spec.width = k % 3 ? 128 : 160;
        spec.scene.colour = COLOUR_RED;
        StageClip clip;
        render(&spec, &clip);
        int last = clip.frames - 1;
        const StageState *a = &clip.actors[0].states[0], *b = &clip.actors[0].states[last];
        Box d = difference(&clip, 0, last);
        Box both = {a->x0 < b->x0 ? a->x0 : b->x0, a->y0 < b->y0 ? a->y0 : b->y0,
                    a->x1 > b->x1 ? a->x1 : b->x1, a->y1 > b->y1 ? a->y1 : b->y1};
        assert_true(abs(d.x0 - both.x0) <= 2 && abs(d.x1 - both.x1) <= 2 && abs(d.y0 - both.y0) <= 2 &&
                    abs(d.y1 - both.y1) <= 2);
        stage_clip_deinit(&clip);
    }
}

static void what_goes_behind_comes_out(void **state)
{
    for (int k = 0; k < 20; k++) {
        StageSpec spec =
            spec_of("cat", ACTION_BEHIND, k % 2 ? DIRECTION_LEFT : DIRECTION_RIGHT, PLACE_FOREST);
        spec.index = (uint64_t)k;
        spec.frames = 33;
        spec.scene.other = stage_noun_find(stage, "tree");
        StageClip clip;
        render(&spec, &clip);
        const StageState *s = clip.actors[0].states;
        float least = 1, before = 0, after = 0;
        int hidden = 0;
        for (int f = 0; f < clip.frames; f++)
            if (s[f].visible < least) {
                least = s[f].visible;
                hidden = f;
            }
        for (int f = 0; f < clip.frames; f++) {
            if (f < hidden)
                before = fmaxf(before, s[f].visible);
            else
                after = fmaxf(after, s[f].visible);
            if (f > 0)
                assert_true(clip.scene.direction == DIRECTION_LEFT ? s[f].x < s[f - 1].x
                                                                   : s[f].x > s[f - 1].x);
        }
        assert_true(least < 0.2f);
        assert_true(before > 0.6f && after > 0.6f);
        stage_clip_deinit(&clip);
    }
}

static void motion_agrees_with_the_direction(void **state)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = spec.height = 96;
    int checked = 0;
    for (spec.index = 0; spec.index < 300; spec.index++) {
        StageClip clip;
        render(&spec, &clip);
        int d = clip.scene.direction, last = clip.frames - 1;
        for (int i = 0; i < clip.scene.count; i++) {
            const StageState *s = clip.actors[i].states;
            float dx = s[last].x - s[0].x, dy = s[last].y - s[0].y;
            if ((d == DIRECTION_LEFT || d == DIRECTION_RIGHT) && clip.scene.camera == CAMERA_STATIC) {
                float along = d == DIRECTION_LEFT ? -dx : dx;
                assert_true(along > 0.15f * (float)clip.width);
                for (int f = 0; f <= last && s[f].facing != 0; f++) /* nobody walks backwards */
                    assert_int_equal(s[f].facing, d == DIRECTION_LEFT ? -1 : 1);
                checked++;
            }
            if (d == DIRECTION_UP)
                assert_true(dy < -0.3f * (float)clip.height);
        }
        stage_clip_deinit(&clip);
    }
    assert_true(checked > 60);
}

static float width_of(const StageState *s)
{
    return (float)(s->x1 - s->x0);
}

static void collisions_keep_momentum(void **state)
{
    static const char *const OTHERS[] = {"ball", "soccer ball", "basketball"};
    for (int k = 0; k < 30; k++) {
        StageSpec spec = spec_of("ball", ACTION_KNOCK, k % 2 ? DIRECTION_LEFT : DIRECTION_RIGHT, PLACE_ROOM);
        spec.index = (uint64_t)k;
        spec.frames = 65;
        spec.fps = 48;
        spec.scene.colour = COLOUR_GREEN;
        spec.scene.other = stage_noun_find(stage, OTHERS[k % 3]);
        spec.scene.other_colour = COLOUR_PURPLE;
        StageClip clip;
        render(&spec, &clip);
        const StageState *a = clip.actors[0].states, *b = clip.actors[1].states;
        int hit = 0;
        while (hit < clip.frames && a[hit].contact != 1)
            hit++;
        assert_in_range(hit, 10, 40);
        assert_int_equal(b[hit].contact, 0);
        float wa = width_of(&a[hit - 2]), wb = width_of(&b[hit - 2]), ma = wa * wa, mb = wb * wb;
        assert_true(fabsf(fabsf(a[hit].x - b[hit].x) - (wa + wb) / 2) < 4); /* they touch */
        assert_float_equal(b[hit - 3].vx, 0, 1e-3);
        float before = ma * a[hit - 3].vx, after = ma * a[hit + 3].vx + mb * b[hit + 3].vx;
        assert_true(fabsf(after - before) < 0.1f * fabsf(before)); /* masses from boxes of whole pixels */
        float energy = ma * a[hit + 3].vx * a[hit + 3].vx + mb * b[hit + 3].vx * b[hit + 3].vx;
        assert_true(energy < ma * a[hit - 3].vx * a[hit - 3].vx * 1.05f);
        stage_clip_deinit(&clip);
    }
}

static void bounces_lose_height(void **state)
{
    for (int k = 0; k < 10; k++) {
        StageSpec spec = spec_of("soccer ball", ACTION_BOUNCE, DIRECTION_RIGHT, PLACE_BEACH);
        spec.index = (uint64_t)k;
        spec.frames = 96;
        spec.fps = 48;
        StageClip clip;
        render(&spec, &clip);
        const StageState *s = clip.actors[0].states;
        float tops[8], lowest = 0;
        int count = 0;
        for (int f = 0; f < clip.frames; f++)
            lowest = fmaxf(lowest, s[f].y);
        for (int f = 1; f + 1 < clip.frames && count < 8; f++)
            if (s[f].y < lowest - 5 && s[f].y < s[f - 1].y && s[f].y <= s[f + 1].y)
                tops[count++] = s[f].y;
        assert_true(count >= 2);
        for (int i = 1; i < count; i++)
            assert_true(tops[i] > tops[i - 1] + 1); /* y grows downward */
        stage_clip_deinit(&clip);
    }
}

static void held_out_pairs_stay_out_of_training(void **state)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = spec.height = 32;
    spec.frames = 1;
    for (spec.index = 0; spec.index < 1500; spec.index++) {
        spec.split = (StageSplit)(spec.index % 3);
        StageClip clip;
        render(&spec, &clip);
        assert_int_equal(stage_scene_held_out(stage, &clip.scene), spec.split == SPLIT_UNSEEN);
        assert_int_equal(clip.split, spec.split);
        stage_clip_deinit(&clip);
    }
    StageScene moon = {.noun = stage_noun_find(stage, "elephant"),
                       .colour = COLOUR_PINK,
                       .action = ACTION_WALK,
                       .place = PLACE_MOON,
                       .other = STAGE_NOBODY};
    assert_true(stage_scene_held_out(stage, &moon));
    moon.colour = COLOUR_NATIVE;
    assert_true(stage_scene_held_out(stage, &moon));
    moon.place = PLACE_DESERT;
    assert_false(stage_scene_held_out(stage, &moon));
    int out = 0, all = 0; /* of all pairs of noun and colour */
    for (int n = 0; n < stage_noun_count(stage); n++)
        for (int c = 1; c < COLOUR_COUNT; c++, all++)
            out +=
                stage_scene_held_out(stage, &(StageScene){.noun = n,
                                                          .colour = c,
                                                          .action = -1,
                                                          .place = PLACE_COUNT - 1,
                                                          .other = STAGE_NOBODY}) &&
                !stage_scene_held_out(
                    stage,
                    &(StageScene){.noun = n, .action = -1, .place = PLACE_COUNT - 1, .other = STAGE_NOBODY});
    assert_true(out > all * 4 / 100 && out < all * 10 / 100);
}

static void the_noun_alone_leaves_the_split_in_force(void **state)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = spec.height = 32;
    spec.frames = 1;
    spec.scene.noun = stage_noun_find(stage, "elephant");
    for (spec.index = 0; spec.index < 200; spec.index++) {
        StageClip clip;
        render(&spec, &clip);
        assert_int_equal(clip.scene.noun, spec.scene.noun);
        assert_int_equal(clip.split, SPLIT_TRAIN);
        stage_clip_deinit(&clip);
    }
}

static void truth_is_json(void **state)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.frames = 5;
    for (spec.index = 0; spec.index < 20; spec.index++) {
        StageClip clip;
        render(&spec, &clip);
        char *text = stage_truth_json(stage, &clip);
        assert_non_null(text);
        json_t *root = json_loads(text, 0, NULL), *actors = json_object_get(root, "actors");
        assert_int_equal(json_array_size(actors), clip.actor_count);
        assert_int_equal(json_array_size(json_object_get(root, "captions")), clip.caption_count);
        json_t *states = json_object_get(json_array_get(actors, 0), "frames"),
               *box = json_object_get(json_array_get(states, 4), "box");
        assert_int_equal(json_array_size(states), 5);
        assert_int_equal(json_integer_value(json_array_get(box, 2)), clip.actors[0].states[4].x1);
        assert_string_equal(json_string_value(json_object_get(json_object_get(root, "scene"), "place")),
                            stage_place_name(clip.scene.place));
        json_decref(root);
        free(text);
        stage_clip_deinit(&clip);
    }
}

/* Opens bytes as a pack and, if that works, everything in it. */
static bool opens(const uint8_t *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/damaged.pack", art_dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
    SoraError err = {0};
    Pack *pack = pack_open(path, &err);
    if (pack == NULL) {
        assert_int_not_equal(err.code, SORA_OK);
        assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
        return false;
    }
    bool ok = true;
    for (int i = 0; i < pack_count(pack); i++)
        ok = pack_art(pack, i, &err) != NULL && ok;
    pack_close(pack);
    return ok;
}

static void damaged_packs_are_refused(void **state)
{
    size_t size;
    SoraError err = {0};
    uint8_t *bytes = (uint8_t *)file_read(art_pack, 64 << 20, &size, &err);
    assert_non_null(bytes);
    assert_true(opens(bytes, size));
    uint32_t table = bytes[12] | bytes[13] << 8 | (uint32_t)bytes[14] << 16;
    for (size_t n = 0; n < size; n += n < 400 ? 1 : size / 150)
        assert_false(opens(bytes, n));
    assert_false(opens(bytes, size - 1));
    static const struct {
        size_t at;
        uint8_t value;
    } WRONG[] = {{0, 'X'}, {7, '2'},  {8, 0},    {9, 255},  {11, 1},
                 {12, 1},  {15, 255}, {16, 255}, {17, 255}, {18, 0}};
    for (size_t k = 0; k < sizeof WRONG / sizeof WRONG[0]; k++) {
        uint8_t keep = bytes[WRONG[k].at];
        bytes[WRONG[k].at] = WRONG[k].value;
        assert_false(opens(bytes, size));
        bytes[WRONG[k].at] = keep;
    }
    Rng rng; /* any byte of the table or of a picture: no crash, whatever the verdict */
    rng_init(&rng, 3, 3);
    for (int k = 0; k < 150; k++) {
        size_t at = k % 2 ? 16 + (size_t)rng_int(&rng, (int)table) : (size_t)rng_int(&rng, (int)size);
        uint8_t keep = bytes[at];
        bytes[at] ^= (uint8_t)(1 + rng_int(&rng, 255));
        opens(bytes, size);
        bytes[at] = keep;
    }
    free(bytes);
}

static void a_missing_pack_says_so(void **state)
{
    SoraError err = {0};
    assert_null(stage_open("/nonexistent/stage.pack", &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/stage.pack"));
}

/* A program named npm that runs the shell lines given. */
static void fake_npm(const char *lines)
{
    char path[128];
    snprintf(path, sizeof path, "%s/bin", art_dir);
    mkdir(path, 0777);
    strcat(path, "/npm");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", lines);
    fclose(f);
    chmod(path, 0755);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", art_dir);
    setenv("PATH", path, 1);
}

static int left_in_out(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/out", art_dir);
    DIR *d = opendir(path);
    int count = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return count;
}

static void fetch_explains_what_is_wrong(void **state)
{
    char *old = strdup(getenv("PATH")), out[128];
    snprintf(out, sizeof out, "%s/out/stage.pack", art_dir);
    StageFetch fetch = {.out_path = out};
    SoraError err = {0};
    setenv("PATH", "/nonexistent", 1);
    assert_false(stage_fetch(&fetch, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "npm: this program is needed and not installed"));

    fake_npm("echo 'npm error code E404' >&2; exit 1");
    assert_false(stage_fetch(&fetch, &err));
    assert_int_equal(err.code, SORA_ERROR_IO);
    assert_non_null(strstr(err.message, "E404"));

    fake_npm("while [ $# -gt 1 ]; do [ $1 = --pack-destination ] && dir=$2; shift; done; echo no > "
             "$dir/lobehub-fluent-emoji-3d-1.1.0.tgz");
    assert_false(stage_fetch(&fetch, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_non_null(strstr(err.message, "wrong SHA-512"));

    fake_npm("exit 0");
    assert_false(stage_fetch(&fetch, &err));
    assert_non_null(strstr(err.message, "npm brought no"));
    assert_int_equal(left_in_out(), 0);
    setenv("PATH", old, 1);
    free(old);

    fetch.art = "/nonexistent";
    assert_false(stage_fetch(&fetch, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    fetch.art = art_dir;
    assert_true(stage_fetch(&fetch, &err));
    assert_int_equal(left_in_out(), 1);
}

/* Says no at the call number `last`, and keeps what it was told then. */
typedef struct Patience {
    int calls, last, done;
    char what[32];
} Patience;

static bool lose_patience(const char *what, int done, int total, void *user)
{
    Patience *p = user;
    snprintf(p->what, sizeof p->what, "%s", what);
    p->done = done;
    return ++p->calls < p->last;
}

static void fetch_stops_when_it_is_told_to(void **state)
{
    char *old = strdup(getenv("PATH")), out[128];
    snprintf(out, sizeof out, "%s/stopped/stage.pack", art_dir);
    Patience p = {.last = 5};
    StageFetch fetch = {.out_path = out, .art = art_dir, .note = lose_patience, .user = &p};
    SoraError err = {0};
    assert_false(stage_fetch(&fetch, &err)); /* while it packs */
    assert_int_equal(err.code, SORA_ERROR_CANCELLED);
    assert_string_equal(p.what, "packing");
    assert_int_equal(p.done, 4);
    assert_false(file_exists(out));

    fake_npm("exec sleep 100000"); /* while npm is at work, which has a cache of its own */
    p = (Patience){.last = 5};
    fetch.art = NULL;
    assert_false(stage_fetch(&fetch, &err));
    assert_int_equal(err.code, SORA_ERROR_CANCELLED);
    assert_string_equal(p.what, "fluent-emoji-3d");
    fake_npm("while [ $# -gt 1 ]; do [ $1 = --cache ] && mkdir $2 && echo much >$2/file && exit 7; shift; done");
    fetch.note = NULL;
    assert_false(stage_fetch(&fetch, &err));
    assert_non_null(strstr(err.message, "npm: failed (exit 7)"));
    setenv("PATH", old, 1);
    free(old);
    *strrchr(out, '/') = 0;
    assert_int_equal(rmdir(out), 0); /* nothing is left, npm's cache neither */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_keeps_nouns_and_pictures),
        cmocka_unit_test(a_clip_depends_on_seed_and_index_alone),
        cmocka_unit_test(threads_share_a_stage),
        cmocka_unit_test(any_size_length_and_rate),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(every_wish_is_granted),
        cmocka_unit_test(everyday_scenes_as_often_as_asked),
        cmocka_unit_test(styles_paint_the_same_scene),
        cmocka_unit_test(truth_boxes_agree_with_pixels),
        cmocka_unit_test(what_goes_behind_comes_out),
        cmocka_unit_test(motion_agrees_with_the_direction),
        cmocka_unit_test(collisions_keep_momentum),
        cmocka_unit_test(bounces_lose_height),
        cmocka_unit_test(held_out_pairs_stay_out_of_training),
        cmocka_unit_test(the_noun_alone_leaves_the_split_in_force),
        cmocka_unit_test(truth_is_json),
        cmocka_unit_test(damaged_packs_are_refused),
        cmocka_unit_test(a_missing_pack_says_so),
        cmocka_unit_test(fetch_explains_what_is_wrong),
        cmocka_unit_test(fetch_stops_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
