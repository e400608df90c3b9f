/* What a request may give and say: given[] and passages[], through the public interface, on tiny models with random
 * weights: where everything comes to lie, that all of it counts, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jansson.h>

#include "engine/encode.h"
#include "engine/engine.h"
#include "engine/video.h"
#include "media/image.h"
#include "media/video_writer.h"
#include "tiny_model.h"
#include "unit/temp_dir.h"

enum { WIDTH = 32, HEIGHT = 16, FRAMES = 13, SIZE = WIDTH * HEIGHT * 3 };

#define MANIFEST                                                                                                       \
    "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 33}, \"defaults\": {\"width\": 32, "   \
    "\"height\": 16, \"frames\": 13, \"fps\": 8, \"steps\": 3, \"guidance_scale\": 2}}"
#define TOKENIZER "models/nano/tokenizer.model" /* from the top of the source tree */

/* A timestep for every patch; one for all; frames beside the latent. */
static const TinyModel MODELS[3] = {{MANIFEST, TOKENIZER, TINY_TRANSFORMER, NULL, NULL, NULL},
                                    {MANIFEST, TOKENIZER, TINY_TRANSFORMER_OF("t2v", "4", ""), TINY_FLAT_VAE, NULL, NULL},
                                    {MANIFEST, TOKENIZER, TINY_TRANSFORMER_OF("i2v", "12", ""), TINY_FLAT_VAE, NULL, NULL}};
static SoraEngine *engines[3];
static uint8_t frames[33 * SIZE]; /* of a video: a gradient that moves */
static char video_path[512], picture_path[512];

static void write_files(void)
{
    SoraError err = {0};
    VideoFormat format = {WIDTH, HEIGHT, 8, NULL, NULL};
    snprintf(video_path, sizeof video_path, "%s/clip.mp4", dir);
    VideoWriter *w = video_writer_open(video_path, &format, &err);
    assert_non_null(w);
    for (int f = 0; f < 17; f++)
        assert_true(video_writer_write(w, frames + f * SIZE, &err));
    assert_true(video_writer_commit(w, &err));
    Image picture = {WIDTH, HEIGHT, frames};
    snprintf(picture_path, sizeof picture_path, "%s/picture.png", dir);
    assert_true(image_write_png(&picture, picture_path, NULL, NULL, &err));
}

static int open_engines(void **state)
{
    if (setup(state) != 0)
        return -1;
    for (int i = 0; i < 33 * SIZE; i++)
        frames[i] = (uint8_t)(i / SIZE * 5 + i % SIZE * 3 % 120);
    write_files();
    for (int i = 0; i < 3; i++) {
        SoraError err = {0};
        char path[64];
        snprintf(path, sizeof path, "%.40s/model-%d", dir, i);
        tiny_model_write(path, &MODELS[i]);
        engines[i] = sora_engine_open(path, NULL, &err);
        if (engines[i] == NULL)
            fail_msg("%s", err.message);
    }
    return 0;
}

static int close_engines(void **state)
{
    for (int i = 0; i < 3; i++)
        sora_engine_close(engines[i]);
    return teardown(state);
}

static SoraRequest request_of(const SoraGiven *given, int count)
{
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = "a dog runs";
    r.given = given;
    r.given_count = count;
    return r;
}

static SoraGiven clip_of(int first, int count)
{
    return (SoraGiven){.pixels = frames + first * SIZE, .pixel_frames = count, .pixel_width = WIDTH, .pixel_height = HEIGHT};
}

static SoraVideo *generate(SoraEngine *engine, const SoraRequest *r)
{
    SoraError err = {0};
    SoraVideo *video = sora_generate(engine, r, &err);
    if (video == NULL)
        fail_msg("%s", err.message);
    SoraError checked = {0};
    assert_true(sora_request_check(engine, r, &checked));
    return video;
}

/* Which frames of two videos are equal: bit i. */
static uint32_t equal_frames(SoraEngine *engine, const SoraRequest *a, const SoraRequest *b)
{
    SoraVideo *v = generate(engine, a), *w = generate(engine, b);
    uint32_t equal = 0;
    assert_int_equal(sora_video_frames(v), sora_video_frames(w));
    for (int f = 0; f < sora_video_frames(v); f++)
        if (memcmp(sora_video_frame(v, f), sora_video_frame(w, f), SIZE) == 0)
            equal |= 1u << f;
    sora_video_free(v);
    sora_video_free(w);
    return equal;
}

enum { ALL = (1 << FRAMES) - 1 };

/* Frames first to last of the video, as bits. */
static uint32_t frames_from(int first, int last)
{
    return (uint32_t)(((uint64_t)1 << (last + 1)) - ((uint64_t)1 << first));
}

/* Asserts first frame and number of frames of each given in the parameters. */
static void assert_placed(const SoraGiven *given, int count, const int (*expected)[2])
{
    SoraRequest r = request_of(given, count);
    SoraVideo *video = generate(engines[0], &r);
    json_t *json = json_loads(sora_video_parameters(video), 0, NULL);
    const json_t *list = json_object_get(json, "given");
    assert_int_equal(json_array_size(list), count);
    for (int i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, (size_t)i);
        assert_int_equal(json_integer_value(json_object_get(entry, "first_frame")), expected[i][0]);
        assert_int_equal(json_integer_value(json_object_get(entry, "frames")), expected[i][1]);
    }
    json_decref(json);
    sora_video_free(video);
}

/* In groups of frames 0, 1 to 4, 5 to 8, 9 to 12. */
static void a_clip_gives_the_groups_that_it_fills(void **state)
{
    SoraGiven g = clip_of(0, 7);
    assert_placed(&g, 1, (const int[][2]){{0, 5}}); /* two frames are left over */
    g.at_frame = 3;
    assert_placed(&g, 1, (const int[][2]){{5, 4}}); /* frames 3 to 9 */
    g.at_frame = 0;
    g.at_end = true;
    assert_placed(&g, 1, (const int[][2]){{9, 4}}); /* 6 to 12 */
    g.at_frame = 1;
    g.at = 0.25; /* two frames: they add up */
    assert_placed(&g, 1, (const int[][2]){{5, 4}}); /* 3 to 9 */
    SoraGiven two[2] = {clip_of(0, 1), clip_of(0, 1)};
    two[1].at_end = true;
    assert_placed(two, 2, (const int[][2]){{0, 1}, {9, 4}}); /* a still fills its group */
    two[1].at_frame = 5;
    assert_placed(two, 2, (const int[][2]){{0, 1}, {5, 4}});
}

/* The same frames however they come, and those alone. */
static void files_bytes_and_frames_are_the_same(void **state)
{
    SoraError err = {0};
    size_t size;
    char *bytes = file_read(picture_path, 1 << 20, &size, &err);
    SoraGiven path = {.path = picture_path}, encoded = {.encoded = bytes, .encoded_size = size}, pixels = clip_of(0, 1);
    SoraRequest none = request_of(NULL, 0), a = request_of(&path, 1), b = request_of(&encoded, 1), c = request_of(&pixels, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(equal_frames(engines[i], &a, &b), ALL);
        assert_int_equal(equal_frames(engines[i], &a, &c), ALL);
        assert_int_equal(equal_frames(engines[i], &a, &none) & 1, 0);
    }
    free(bytes);
}

/* A video's frames at its own rate, and which of them: x264 changes them, so a still of the same file is the measure. */
static void a_part_of_a_video_is_taken(void **state)
{
    SoraGiven third = {.path = video_path, .from = 0.375, .to = 0.5}; /* frame 3 of 17, at 8 a second */
    SoraGiven still = {.path = video_path, .from = 0.375, .still = true};
    SoraGiven from_end = {.path = video_path, .from = -14 / 8.0, .still = true};
    SoraGiven first = {.path = video_path, .still = true};
    SoraRequest a = request_of(&third, 1), b = request_of(&still, 1), c = request_of(&from_end, 1), d = request_of(&first, 1);
    assert_int_equal(equal_frames(engines[0], &a, &b), ALL);
    assert_int_equal(equal_frames(engines[0], &b, &c), ALL);
    assert_int_equal(equal_frames(engines[0], &b, &d) & 1, 0);
    SoraGiven end = {.path = video_path, .from = -1}; /* eight frames: 9 to 16 */
    assert_placed(&end, 1, (const int[][2]){{0, 5}});
    SoraGiven twice = {.path = video_path, .to = 1}; /* at 16 a second there are 16 of them */
    SoraRequest fast = request_of(&twice, 1);
    fast.fps = 16;
    fast.frames = 17;
    SoraVideo *video = generate(engines[0], &fast);
    assert_non_null(strstr(sora_video_parameters(video), "\"frames\":13,\"level\""));
    sora_video_free(video);
}

/* Whatever the seed, what is given comes out the same; what lies after it in time does not. */
static void what_is_given_stays(void **state)
{
    SoraGiven g[2] = {clip_of(0, 5), clip_of(8, 1)};
    for (int i = 0; i < 2; i++) {
        SoraRequest a = request_of(g, 1), b = a;
        b.seed = 1;
        assert_int_equal(equal_frames(engines[i], &a, &b), frames_from(0, 4));
    }
    /* Beside the latent, frame by frame and anywhere. */
    g[1].at_frame = 7;
    SoraRequest one = request_of(g, 1), both = request_of(g, 2);
    assert_int_equal(equal_frames(engines[2], &one, &one), ALL);
    assert_int_not_equal(equal_frames(engines[2], &one, &both), ALL);
}

/* From kept, over beginnings, to not given: the more noise, the farther from the given clip. */
static void a_level_is_a_beginning(void **state)
{
    static const double LEVELS[] = {0, 0.2, 0.5, 0.8, 1};
    SoraGiven g = clip_of(0, FRAMES);
    for (int i = 0; i < 2; i++) {
        double last = -1;
        SoraRequest r = request_of(&g, 1), none = request_of(NULL, 0);
        r.steps = none.steps = 10;
        SoraVideo *kept = generate(engines[i], &r);
        for (int k = 0; k < 5; k++) {
            g.level = LEVELS[k];
            SoraVideo *video = generate(engines[i], &r);
            double sum = 0;
            for (int f = 0; f < FRAMES; f++)
                for (int at = 0; at < SIZE; at++)
                    sum += abs(sora_video_frame(video, f)[at] - sora_video_frame(kept, f)[at]);
            if (!(sum > last))
                fail_msg("model %d, level %g: %g is not farther than %g", i, LEVELS[k], sum, last);
            last = sum;
            sora_video_free(video);
        }
        assert_int_equal(equal_frames(engines[i], &r, &none), ALL); /* level 1 is not given */
        g.level = 0;
        sora_video_free(kept);
    }
}

/* The left half is black, which is given, the right half white: 16 x 16 pixels are a patch. The left
 * patch stays what it was, whatever the seed, and the right one is made; they reach a little into each other in the decoder,
 * whose middle attends to whole frames. */
static void a_mask_gives_a_region(void **state)
{
    uint8_t mask[WIDTH * HEIGHT];
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        mask[i] = i % WIDTH < WIDTH / 2 ? 0 : 255;
    SoraGiven all = clip_of(0, 1), half = all;
    half.mask = mask;
    half.mask_width = WIDTH;
    half.mask_height = HEIGHT;
    SoraRequest a = request_of(&all, 1), b = request_of(&half, 1), other = b;
    other.seed = 1;
    SoraVideo *x = generate(engines[0], &b), *y = generate(engines[0], &other), *whole = generate(engines[0], &a);
    double left[2] = {0}, right = 0;
    for (int at = 0; at < SIZE; at++) {
        const uint8_t *a0 = sora_video_frame(x, 0), *b0 = sora_video_frame(y, 0), *c0 = sora_video_frame(whole, 0);
        bool is_left = at / 3 % WIDTH < WIDTH / 4, is_right = at / 3 % WIDTH >= WIDTH * 3 / 4;
        left[0] += is_left * abs(a0[at] - b0[at]);
        left[1] += is_left * abs(a0[at] - c0[at]);
        right += is_right * abs(a0[at] - b0[at]);
    }
    if (!(left[0] < right / 2 && left[1] < right / 2))
        fail_msg("%g and %g on the left, %g on the right", left[0], left[1], right);
    sora_video_free(x);
    sora_video_free(y);
    sora_video_free(whole);
    memset(mask, 255, sizeof mask); /* nothing is given */
    SoraRequest none = request_of(NULL, 0);
    assert_int_equal(equal_frames(engines[0], &b, &none), ALL);
    memset(mask, 0, sizeof mask); /* all of it */
    assert_int_equal(equal_frames(engines[0], &b, &a), ALL);
    mask[WIDTH - 1] = 128; /* grey: the right patch begins at half */
    assert_int_equal(equal_frames(engines[0], &b, &a) & 1, 0);
}

static void passages_are_heard(void **state)
{
    SoraPassage same[3] = {{"a dog runs", 0}, {"a dog runs", 0.5}, {"a dog runs", 1.1}}, two[2] = {{"a dog runs", 0}, {"it rains", 1}};
    for (int i = 0; i < 2; i++) {
        SoraRequest one = request_of(NULL, 0), a = one, b = one;
        a.prompt = b.prompt = NULL;
        a.passages = same;
        a.passage_count = 1;
        assert_int_equal(equal_frames(engines[i], &one, &a), ALL);
        b.passages = two;
        b.passage_count = 2;
        assert_int_not_equal(equal_frames(engines[i], &one, &b), ALL);
        SoraVideo *video = generate(engines[i], &b); /* frame 8 is nearest to 9, where a group begins */
        json_t *json = json_loads(sora_video_parameters(video), 0, NULL);
        const json_t *second = json_array_get(json_object_get(json, "passages"), 1);
        assert_string_equal(json_string_value(json_object_get(second, "prompt")), "it rains");
        assert_true(json_real_value(json_object_get(second, "from")) == 9 / 8.0);
        assert_null(json_object_get(json, "prompt"));
        json_decref(json);
        sora_video_free(video);
    }
}

/* What is signed follows from what is given. */
static void the_files_given_are_the_inputs(void **state)
{
    SoraGiven g[5] = {clip_of(0, 1), {.path = "b", .at_end = true}, {.path = "a", .mask_path = "m"}, {.path = "b"}, {.path = "c"}};
    SoraRequest r = request_of(g, 5);
    SoraInput list[5];
    assert_int_equal(sora_request_inputs(&r, list, 5), 4);
    static const SoraInput EXPECTED[] = {{"b", NULL, SORA_INPUT_COMPONENT}, {"a", NULL, SORA_INPUT_PARENT},
                                         {"c", NULL, SORA_INPUT_COMPONENT}, {"m", NULL, SORA_INPUT_SOURCE}};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(list[i].path, EXPECTED[i].path);
        assert_int_equal(list[i].role, EXPECTED[i].role);
    }
    assert_int_equal(sora_request_inputs(&r, list, 2), 2);
}

/* --- nonsense --- */

static void refuse(SoraEngine *engine, const SoraRequest *r, const char *message)
{
    SoraError err = {0}, checked = {0};
    assert_null(sora_generate(engine, r, &err));
    if (strcmp(err.message, message) != 0)
        fail_msg("%s", err.message);
    assert_true(err.code == SORA_ERROR_INPUT || err.code == SORA_ERROR_UNSUPPORTED || err.code == SORA_ERROR_NOT_FOUND);
    assert_false(sora_request_check(engine, r, &checked));
    assert_string_equal(checked.message, message);
}

static void refuse_given(SoraGiven given, const char *message)
{
    SoraRequest r = request_of(&given, 1);
    refuse(engines[0], &r, message);
}

static void nonsense_in_given_is_refused(void **state)
{
    SoraGiven g = clip_of(0, 5), k;
    refuse_given((SoraGiven){0}, "given 1: none of path, encoded and pixels");
    k = g, k.path = picture_path, refuse_given(k, "given 1: more than one of path, encoded and pixels");
    refuse_given((SoraGiven){.encoded = frames}, "given 1: encoded: 0 bytes");
    refuse_given((SoraGiven){.encoded = frames, .encoded_size = 100},
                 "given 1: encoded: not a picture (PNG, JPEG, WebP, GIF, BMP and TIFF are read)");
    k = g, k.pixel_frames = 0, refuse_given(k, "given 1: pixels: 0 frames");
    k = g, k.pixel_width = -3, refuse_given(k, "given 1: pixels: picture of -3x16 pixels: 1x1 to 16384x16384 and 134 million pixels work");
    k = g, k.level = 1.5, refuse_given(k, "given 1: level: 1.5 is not between 0 and 1");
    k = g, k.level = (double)NAN, refuse_given(k, "given 1: level: nan is not between 0 and 1");
    k = g, k.at = (double)INFINITY, refuse_given(k, "given 1: at: inf seconds is out of range");
    k = g, k.from = (double)NAN, refuse_given(k, "given 1: from: nan seconds is out of range");
    k = g, k.to = 1e7, refuse_given(k, "given 1: to: 1e+07 seconds is out of range");
    k = g, k.at_frame = INT32_MIN, refuse_given(k, "given 1: at_frame: -2147483648 is out of range");
    k = g, k.at_frame = 9, refuse_given(k, "given 1: frames 9 to 13 are not within the video's 0 to 12");
    k = g, k.at_frame = 9, k.at_end = true, refuse_given(k, "given 1: frames -1 to 3 are not within the video's 0 to 12");
    k = g, k.from = 1, refuse_given(k, "given 1: from 1 to 0 seconds: it has 5 frames, 0.62 seconds at this rate");
    k = clip_of(0, 2), k.at_frame = 6, refuse_given(k, "given 1: frames 6 to 7 fill no group of 4 frames; 9 to 12 would");
    k = g, k.mask = frames, k.mask_width = 8, k.mask_height = 8,
    refuse_given(k, "given 1: mask: is 8x8, and what it masks 32x16");
    k = g, k.mask = frames, refuse_given(k, "given 1: mask: picture of 0x0 pixels: 1x1 to 16384x16384 and 134 million pixels work");
    k = g, k.mask = frames, k.mask_path = "x", refuse_given(k, "given 1: mask: both in memory and x");
    SoraGiven two[2] = {clip_of(0, 1), clip_of(0, 5)};
    SoraRequest r = request_of(two, 2);
    refuse(engines[0], &r, "given 1: given 2 lies over all of it");
    r = request_of(two, -1), refuse(engines[0], &r, "given: -1, at most 64 are accepted");
    r = request_of(two, 65), refuse(engines[0], &r, "given: 65, at most 64 are accepted");
    r = request_of(NULL, 2), refuse(engines[0], &r, "given: 2 of none, at most 64 are accepted");
    r = request_of(NULL, 0), refuse(engines[2], &r, "image: this model needs one for the first frame");
    two[0].level = 0.5;
    r = request_of(two, 1), refuse(engines[2], &r, "given 1: this model takes whole frames, without a mask or a level");
    refuse(NULL, &r, "engine: there is none");
    refuse(engines[0], NULL, "request: there is none");
}

static void nonsense_in_passages_is_refused(void **state)
{
    SoraPassage p[3] = {{"a dog runs", 0}, {"it rains", 1}, {"it snows", 1.5}};
    SoraRequest base = request_of(NULL, 0), r;
    base.passages = p;
    base.passage_count = 3;
    refuse(engines[0], &base, "prompt: there are passages, which have words of their own");
    base.prompt = NULL;
    r = base, r.passage_count = -1, refuse(engines[0], &r, "passages: -1, at most 64 are accepted");
    r = base, r.passages = NULL, refuse(engines[0], &r, "passages: 3 of none, at most 64 are accepted");
    r = base, p[0].from = 0.5, refuse(engines[0], &r, "passage 1: begins at 0.5 seconds, the first one at 0");
    p[0].from = 0, p[1].from = 1.5, p[2].from = 1, refuse(engines[0], &r, "passage 3: begins at 1 seconds, not after passage 2");
    p[1].from = 1, p[2].from = 1.2, refuse(engines[0], &r, "passage 2: is shorter than the 4 frames that hear the same words");
    p[2].from = 9, refuse(engines[0], &r, "passage 3: begins at frame 72 of 13");
    p[2].from = (double)NAN, refuse(engines[0], &r, "passage 3: begins at nan seconds, which is out of range");
    p[2].from = 1.5, p[1].prompt = "", refuse(engines[0], &r, "passage 2: prompt: is empty");
    p[1].prompt = NULL, refuse(engines[0], &r, "passage 2: prompt: there is none");
}

/* --- encoding --- */

/* Frame by frame, whatever the length, it is what the whole clip at once gives. */
static void a_clip_is_encoded_as_it_comes(void **state)
{
    SoraError err = {0};
    for (int i = 0; i < 2; i++) {
        const Pipeline *p = &engines[i]->pipeline;
        const VaeConfig *config = &p->autoencoder->config;
        enum { N = 13, LATENTS = 4 };
        float *clip = malloc(N * SIZE * sizeof *clip);
        for (int k = 0; k < N * SIZE; k++)
            clip[k] = (float)frames[k] / 127.5f - 1;
        LatentClip latents;
        EncodeJob job = {WIDTH, HEIGHT, 0, latent_clip_take, &latents};
        assert_true(latent_clip_init(&latents, config, &job, LATENTS, &err));
        Encoder *e = encoder_open(p, &job, &err);
        for (int f = 0; f < N; f++)
            assert_true(encoder_push(e, clip + f * SIZE, &err));
        assert_true(encoder_finish(e, &err));
        encoder_close(e);
        Graph *g = p->graph;
        graph_reset(g);
        Tensor *z = vae_encode(g, p->autoencoder, graph_input(g, DTYPE_F32, SHAPE(1, N, HEIGHT, WIDTH, 3), clip));
        assert_true(graph_ok(g, &err));
        int64_t plane = z->shape[2] * z->shape[3], channels = z->shape[4], n = tensor_numel(z);
        assert_int_equal(n, LATENTS * plane * channels);
        float *whole = malloc((size_t)n * sizeof *whole);
        graph_download(g, z, whole);
        for (int64_t k = 0; k < n; k++) /* [F, plane, C] and [C, F, plane] */
            assert_float_equal(whole[k], latents.data[k % channels * LATENTS * plane + k / channels], 0.02);
        graph_reset(g);
        e = encoder_open(p, &job, &err);
        for (int f = 0; f < 3; f++)
            assert_true(encoder_push(e, clip + f * SIZE, &err));
        assert_false(encoder_finish(e, &err)); /* two frames fill none */
        encoder_close(e);
        latent_clip_deinit(&latents);
        free(whole);
        free(clip);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clip_gives_the_groups_that_it_fills),
        cmocka_unit_test(files_bytes_and_frames_are_the_same),
        cmocka_unit_test(a_part_of_a_video_is_taken),
        cmocka_unit_test(what_is_given_stays),
        cmocka_unit_test(a_level_is_a_beginning),
        cmocka_unit_test(a_mask_gives_a_region),
        cmocka_unit_test(passages_are_heard),
        cmocka_unit_test(the_files_given_are_the_inputs),
        cmocka_unit_test(nonsense_in_given_is_refused),
        cmocka_unit_test(nonsense_in_passages_is_refused),
        cmocka_unit_test(a_clip_is_encoded_as_it_comes),
    };
    return cmocka_run_group_tests(tests, open_engines, close_engines);
}
