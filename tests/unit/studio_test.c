/* The studio on tiny models with random weights: how many frames there are, that what is given comes back as it was, that
 * windows, bridges and rings are made of what they should be, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jansson.h>

#include "media/image.h"
#include "media/video_writer.h"
#include "studio/context.h"
#include "studio/seam.h"
#include "tiny_model.h"
#include "unit/temp_dir.h"

enum { WIDTH = 32, HEIGHT = 16, CLIP = 14, SIZE = WIDTH * HEIGHT * 3, RATE = 8 };

#define MANIFEST                                                                                                       \
    "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 33}, \"defaults\": {\"width\": 32, "   \
    "\"height\": 16, \"frames\": 13, \"fps\": 8, \"steps\": 3, \"guidance_scale\": 2}}"
#define TOKENIZER "models/nano/tokenizer.model" /* from the top of the source tree */

enum { PATCHES, PLAIN, FIRST, ENDS, MODELS_COUNT }; /* a timestep for every patch; one for all; frames beside the latent */
static const TinyModel MODELS[MODELS_COUNT] = {
    {MANIFEST, TOKENIZER, TINY_TRANSFORMER, NULL, NULL, NULL},
    {MANIFEST, TOKENIZER, TINY_TRANSFORMER_OF("t2v", "4", ""), TINY_FLAT_VAE, NULL, NULL},
    {MANIFEST, TOKENIZER, TINY_TRANSFORMER_OF("i2v", "12", ""), TINY_FLAT_VAE, NULL, NULL},
    {MANIFEST, TOKENIZER, TINY_TRANSFORMER_OF("flf2v", "12", ", \"clip_dim\": 8, \"clip_rows\": 10"), TINY_FLAT_VAE, NULL, TINY_CLIP},
};
static SoraEngine *engines[MODELS_COUNT];
static uint8_t frames[CLIP * SIZE], other[CLIP * SIZE]; /* of two videos, which are written without loss */
static char clip_path[512], other_path[512], picture_path[512], mask_path[512];

/* A GIF keeps few colours as they are. */
static void write_clip(const char *path, uint8_t *rgb, int first)
{
    SoraError err = {0};
    VideoFormat format = {WIDTH, HEIGHT, RATE, "a dog runs", NULL};
    for (int i = 0; i < CLIP * SIZE; i++)
        rgb[i] = (uint8_t)((first + i / SIZE % 3 * 40 + i % SIZE / 3 / 8 % 4 * 20 + i % 3 * 10) & 0xff);
    VideoWriter *w = video_writer_open(path, &format, &err);
    assert_non_null(w);
    for (int f = 0; f < CLIP; f++)
        assert_true(video_writer_write(w, rgb + f * SIZE, &err));
    assert_true(video_writer_commit(w, &err));
}

static void write_picture(const char *path, const uint8_t *rgb)
{
    SoraError err = {0};
    Image image = {WIDTH, HEIGHT, (uint8_t *)rgb};
    assert_true(image_write_png(&image, path, NULL, NULL, &err));
}

static int open_engines(void **state)
{
    if (setup(state) != 0)
        return -1;
    snprintf(clip_path, sizeof clip_path, "%s/clip.gif", dir);
    snprintf(other_path, sizeof other_path, "%s/other.gif", dir);
    snprintf(picture_path, sizeof picture_path, "%s/picture.png", dir);
    snprintf(mask_path, sizeof mask_path, "%s/mask.png", dir);
    write_clip(clip_path, frames, 20);
    write_clip(other_path, other, 100);
    write_picture(picture_path, other);
    uint8_t mask[SIZE] = {0};
    for (int i = 0; i < SIZE; i++)
        mask[i] = i / 3 % WIDTH < 10 ? 255 : 0;
    write_picture(mask_path, mask);
    for (int i = 0; i < MODELS_COUNT; i++) {
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
    for (int i = 0; i < MODELS_COUNT; i++)
        sora_engine_close(engines[i]);
    return teardown(state);
}

/* An edit of a kind, and what it needs. */
typedef struct Job {
    SoraEdit edit;
    SoraRequest request;
    const char *inputs[4];
} Job;

static Job *job_of(Job *j, SoraEditKind kind, const char *a, const char *b)
{
    sora_edit_init(&j->edit);
    sora_request_init(&j->request);
    j->edit.kind = kind;
    j->inputs[0] = a;
    j->inputs[1] = b;
    j->edit.inputs = j->inputs;
    j->edit.input_count = (a != NULL) + (b != NULL);
    j->request.prompt = "a dog runs";
    j->request.fps = RATE;
    return j;
}

static SoraVideo *make_with(int model, const Job *j)
{
    SoraError err = {0};
    SoraFormat format;
    if (!sora_edit_check(engines[model], &j->edit, &j->request, &format, &err))
        fail_msg("check: %s", err.message);
    SoraVideo *v = sora_edit(engines[model], &j->edit, &j->request, &err);
    if (v == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(sora_video_frames(v), format.frames);
    assert_int_equal(sora_video_width(v), format.width);
    return v;
}

static void refused_by(int model, const Job *j, const char *part)
{
    SoraError err = {0};
    assert_null(sora_edit(engines[model], &j->edit, &j->request, &err));
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.message, part);
    SoraError checked = {0};
    assert_false(sora_edit_check(engines[model], &j->edit, &j->request, NULL, &checked));
    assert_string_equal(checked.message, err.message);
}

/* Are the video's frames from `at` on those of a clip from `from` on? */
static void shows(const SoraVideo *v, int at, const uint8_t *rgb, int from, int count)
{
    for (int i = 0; i < count; i++)
        if (memcmp(sora_video_frame(v, at + i), rgb + (from + i) * SIZE, SIZE) != 0)
            fail_msg("frame %d is not frame %d of what was given", at + i, from + i);
}

static bool same_frames(const SoraVideo *a, const SoraVideo *b, int count)
{
    bool same = true;
    for (int i = 0; i < count; i++)
        same = same && memcmp(sora_video_frame(a, i), sora_video_frame(b, i), SIZE) == 0;
    return same;
}

static void a_short_video_is_what_generate_makes(void **state)
{
    static const int COUNTS[] = {1, 5, 13};
    for (int model = PATCHES; model <= PLAIN; model++)
        for (int i = 0; i < 3; i++) {
            Job j;
            SoraError err = {0};
            job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.frames = COUNTS[i];
            SoraVideo *a = make_with(model, &j), *b = sora_generate(engines[model], &j.request, &err);
            assert_non_null(b);
            assert_int_equal(sora_video_frames(a), COUNTS[i]);
            assert_true(same_frames(a, b, COUNTS[i]));
            sora_video_free(a);
            sora_video_free(b);
        }
}

static void any_number_of_frames_is_made(void **state)
{
    for (int n = 1; n <= 60; n += n < 16 ? 1 : 7) {
        Job j;
        job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.frames = n;
        SoraVideo *v = make_with(PATCHES, &j);
        assert_int_equal(sora_video_frames(v), n);
        sora_video_free(v);
    }
    Job j;
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->edit.seconds = 3.3;
    SoraVideo *v = make_with(PLAIN, &j);
    assert_int_equal(sora_video_frames(v), 26); /* 3.3 x 8 = 26.4 */
    sora_video_free(v);
}

/* The beginning does not depend on how long the rest is, the seed counts, and the same numbers give the same video. */
static void windows_follow_from_the_seed(void **state)
{
    Job j;
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.frames = 41;
    SoraVideo *a = make_with(PATCHES, &j), *b = make_with(PATCHES, &j);
    assert_true(same_frames(a, b, 41));
    sora_video_free(b);
    j.request.frames = 60;
    b = make_with(PATCHES, &j);
    assert_true(same_frames(a, b, 13));
    sora_video_free(b);
    j.request.frames = 41;
    j.request.seed = 1;
    b = make_with(PATCHES, &j);
    assert_false(same_frames(a, b, 13));
    sora_video_free(a);
    sora_video_free(b);
}

/* What comes of each edit: how many frames, and where which of the inputs lie. */
static void what_is_given_comes_back(void **state)
{
    for (int model = PATCHES; model <= PLAIN; model++) {
        Job j;
        job_of(&j, SORA_EDIT_EXTEND, clip_path, NULL)->edit.seconds = 2.5;
        SoraVideo *v = make_with(model, &j);
        assert_int_equal(sora_video_frames(v), CLIP + 20);
        shows(v, 0, frames, 0, CLIP);
        sora_video_free(v);
        j.edit.at_start = true;
        v = make_with(model, &j);
        assert_int_equal(sora_video_frames(v), 20 + CLIP);
        shows(v, 20, frames, 0, CLIP);
        sora_video_free(v);
        job_of(&j, SORA_EDIT_LOOP, clip_path, NULL)->edit.seconds = 0.75;
        v = make_with(model, &j);
        assert_int_equal(sora_video_frames(v), CLIP + 6);
        shows(v, 0, frames, 0, CLIP);
        sora_video_free(v);
        job_of(&j, SORA_EDIT_BLEND, clip_path, other_path)->edit.seconds = 2;
        v = make_with(model, &j);
        assert_int_equal(sora_video_frames(v), CLIP + 16 + CLIP);
        shows(v, 0, frames, 0, CLIP);
        shows(v, CLIP + 16, other, 0, CLIP);
        sora_video_free(v);
        job_of(&j, SORA_EDIT_RECUT, clip_path, NULL)->edit.from = 0.5;
        j.edit.to = -0.25;
        j.edit.before = 1.25;
        j.edit.after = 0.125;
        v = make_with(model, &j);
        assert_int_equal(sora_video_frames(v), 10 + (CLIP - 2 - 4) + 1);
        shows(v, 10, frames, 4, CLIP - 6);
        sora_video_free(v);
    }
}

static void pictures_lie_at_their_times(void **state)
{
    const double TIMES[3] = {0, 0.5, 1.5};
    Job j;
    job_of(&j, SORA_EDIT_INTERPOLATE, picture_path, clip_path);
    j.inputs[2] = picture_path;
    j.edit.input_count = 3;
    j.edit.times = TIMES;
    SoraVideo *v = make_with(PATCHES, &j);
    assert_int_equal(sora_video_frames(v), 13);
    shows(v, 0, other, 0, 1);
    shows(v, 4, frames, 0, 1);
    shows(v, 12, other, 0, 1);
    sora_video_free(v);
    v = make_with(ENDS, &j);
    shows(v, 4, frames, 0, 1);
    sora_video_free(v);
    j.edit.times = NULL;
    j.edit.seconds = 4;
    v = make_with(PATCHES, &j);
    assert_int_equal(sora_video_frames(v), 32);
    shows(v, 16, frames, 0, 1); /* 31 / 2, rounded */
    shows(v, 31, other, 0, 1);
    sora_video_free(v);
}

/* At strength 1 nothing of what is given is left, below something is; what a trained model makes of it bench/studio.sh measures. */
static void strength_counts(void **state)
{
    Job j, fresh;
    job_of(&fresh, SORA_EDIT_NEW, NULL, NULL)->request.frames = CLIP;
    job_of(&j, SORA_EDIT_REMIX, clip_path, NULL)->edit.strength = 1;
    SoraVideo *all = make_with(PATCHES, &j), *none = make_with(PATCHES, &fresh);
    assert_int_equal(sora_video_frames(all), CLIP);
    assert_true(same_frames(all, none, CLIP));
    sora_video_free(none);
    for (int model = PATCHES; model <= PLAIN; model++)
        for (int i = 0; i < 2; i++) {
            j.edit.strength = i == 0 ? 0.5 : 0.9;
            SoraVideo *v = make_with(model, &j);
            assert_false(same_frames(all, v, 1));
            sora_video_free(all);
            all = v;
        }
    sora_video_free(all);
}

static void what_a_mask_has_black_stays(void **state)
{
    Job j;
    job_of(&j, SORA_EDIT_FILL, clip_path, NULL)->edit.mask_path = mask_path;
    SoraVideo *v = make_with(PATCHES, &j);
    int changed = 0;
    assert_int_equal(sora_video_frames(v), CLIP);
    for (int f = 0; f < CLIP; f++)
        for (int i = 0; i < SIZE; i++) {
            bool same = sora_video_frame(v, f)[i] == frames[f * SIZE + i];
            if (i / 3 % WIDTH >= 10)
                assert_true(same);
            changed += !same;
        }
    assert_true(changed > CLIP * 16 * 5);
    sora_video_free(v);
    /* A picture that moves where the mask is white; one that becomes larger. */
    job_of(&j, SORA_EDIT_FILL, picture_path, NULL)->edit.mask_path = mask_path;
    j.edit.seconds = 1;
    v = make_with(PLAIN, &j);
    assert_int_equal(sora_video_frames(v), 8);
    assert_memory_equal(sora_video_frame(v, 7) + 3 * 10, other + 3 * 10, 3 * (WIDTH - 10));
    sora_video_free(v);
    job_of(&j, SORA_EDIT_FILL, clip_path, NULL)->request.width = 64;
    j.request.height = 32;
    v = make_with(PATCHES, &j);
    assert_int_equal(sora_video_width(v), 64);
    for (int y = 0; y < HEIGHT; y++)
        assert_memory_equal(sora_video_frame(v, 5) + 3 * ((8 + y) * 64 + 16), frames + 5 * SIZE + 3 * y * WIDTH, 3 * WIDTH);
    sora_video_free(v);
}

static void a_mix_begins_with_one_and_ends_with_the_other(void **state)
{
    Job j;
    job_of(&j, SORA_EDIT_BLEND, clip_path, other_path)->edit.curve = SORA_CURVE_LINEAR;
    j.edit.strength = 0.05;
    SoraVideo *v = make_with(PATCHES, &j);
    assert_int_equal(sora_video_frames(v), CLIP);
    sora_video_free(v);
}

static void rings_close(void **state)
{
    for (int n = 8; n <= 28; n += 4)
        for (int model = PATCHES; model <= PLAIN; model++) {
            Job j;
            job_of(&j, SORA_EDIT_LOOP, NULL, NULL)->request.frames = n;
            SoraVideo *v = make_with(model, &j);
            assert_int_equal(sora_video_frames(v), n);
            sora_video_free(v);
        }
    Job j;
    job_of(&j, SORA_EDIT_LOOP, NULL, NULL)->request.frames = 18;
    refused_by(PATCHES, &j, "a loop of 18 does not close; 20 do, 2.5 seconds");
    j.request.frames = 4;
    refused_by(PATCHES, &j, "8 do");
    j.request.frames = 8;
    refused_by(FIRST, &j, "cannot close a video on itself");
}

static void passages_are_heard_in_their_windows(void **state)
{
    SoraPassage passages[3] = {{"a dog runs", 0}, {"a red car", 1}, {"rain", 3.1}};
    Job j;
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->edit.seconds = 5;
    j.request.prompt = NULL;
    j.request.passages = passages;
    j.request.passage_count = 3;
    SoraVideo *a = make_with(PATCHES, &j);
    passages[2].prompt = "snow";
    SoraVideo *b = make_with(PATCHES, &j);
    assert_true(same_frames(a, b, 13));
    assert_false(same_frames(a, b, 40));
    json_t *o = json_loads(sora_video_parameters(a), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "passages")), 3);
    assert_int_equal(json_integer_value(json_object_get(o, "frames")), 40);
    json_decref(o);
    sora_video_free(a);
    sora_video_free(b);
    passages[2].from = 5;
    refused_by(PATCHES, &j, "passage 3: begins at 5 seconds, the video ends at 5");
    passages[2].from = 0.5;
    refused_by(PATCHES, &j, "passage 3: begins at 0.5 seconds, not after the one before it");
}

typedef struct Watch {
    int frames, stop; /* after so many frames, or progress */
    int most;
} Watch;

static bool count_frame(const SoraVideo *video, int i, void *user, SoraError *err)
{
    Watch *w = user;
    assert_int_equal(i, w->frames++);
    assert_non_null(sora_video_parameters(video));
    return true;
}

static bool watch_progress(const SoraProgress *p, void *user)
{
    Watch *w = user;
    assert_int_equal(p->phase, SORA_PHASE_FRAMES);
    assert_true(p->done >= w->most && p->done <= p->total);
    w->most = p->done;
    return w->stop == 0 || w->frames < w->stop;
}

static void frames_are_told_of_in_order(void **state)
{
    Watch w = {0};
    Job j;
    job_of(&j, SORA_EDIT_RECUT, clip_path, NULL)->edit.before = 3;
    j.edit.after = 2;
    j.request.frame = count_frame;
    j.request.progress = watch_progress;
    j.request.user = &w;
    SoraVideo *v = make_with(PATCHES, &j);
    assert_int_equal(w.frames, 24 + CLIP + 16);
    assert_int_equal(w.most, w.frames);
    sora_video_free(v);
}

static void what_was_stopped_is_kept_when_asked_for(void **state)
{
    Watch w = {.stop = 20};
    SoraError err = {0};
    Job j;
    job_of(&j, SORA_EDIT_EXTEND, clip_path, NULL)->edit.seconds = 4;
    j.request.frame = count_frame;
    j.request.progress = watch_progress;
    j.request.user = &w;
    assert_null(sora_edit(engines[PATCHES], &j.edit, &j.request, &err));
    assert_int_equal(err.code, SORA_ERROR_CANCELLED);
    w = (Watch){.stop = 20};
    j.edit.keep_partial = true;
    SoraVideo *v = sora_edit(engines[PATCHES], &j.edit, &j.request, &err);
    assert_non_null(v);
    assert_int_equal(sora_video_frames(v), w.frames);
    assert_true(w.frames >= 20 && w.frames < CLIP + 32);
    assert_string_equal(sora_video_note(v, 0)->about, "partial");
    shows(v, 0, frames, 0, CLIP);
    sora_video_free(v);
}

typedef struct Show {
    int frames, stop;
    const char *words; /* after 30 frames */
    uint64_t sum;      /* of the first 13 and of all */
    uint64_t first;
} Show;

static bool show_frame(const uint8_t *rgb, int width, int height, int64_t i, void *user, SoraError *err)
{
    Show *s = user;
    assert_int_equal(i, s->frames);
    for (int k = 0; k < width * height * 3; k++)
        s->sum = s->sum * 31 + rgb[k];
    s->frames++;
    if (s->frames == 13)
        s->first = s->sum;
    return s->frames < s->stop;
}

static const char *say(void *user)
{
    Show *s = user;
    return s->frames >= 13 ? s->words : NULL;
}

static void live_goes_on_and_listens(void **state)
{
    SoraError err = {0};
    Show shows[3] = {{.stop = 60}, {.stop = 60}, {.stop = 60, .words = "rain falls"}};
    for (int i = 0; i < 3; i++) {
        SoraRequest r;
        sora_request_init(&r);
        r.prompt = "a dog runs";
        assert_true(sora_live(engines[PATCHES], &r, &(SoraLive){show_frame, say, &shows[i], NULL}, &err));
        assert_int_equal(shows[i].frames, 60);
    }
    assert_true(shows[0].sum == shows[1].sum && shows[0].sum != shows[2].sum && shows[0].first == shows[2].first);
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = "a dog runs";
    Show after = {.stop = 40};
    assert_true(sora_live(engines[PATCHES], &r, &(SoraLive){show_frame, NULL, &after, clip_path}, &err));
    assert_int_equal(after.frames, 40);
}

static void words_come_from_the_input_when_there_are_none(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/titled.mp4", dir);
    write_clip(path, frames, 20);
    Job j;
    job_of(&j, SORA_EDIT_EXTEND, path, NULL)->edit.seconds = 0.5;
    SoraVideo *a = make_with(PATCHES, &j);
    j.request.prompt = NULL;
    SoraVideo *b = make_with(PATCHES, &j);
    assert_string_equal(sora_video_prompt(b), "a dog runs");
    assert_true(same_frames(a, b, CLIP + 4));
    sora_video_free(b);
    j.inputs[0] = picture_path; /* says nothing */
    b = make_with(PATCHES, &j);
    assert_string_equal(sora_video_prompt(b), "");
    sora_video_free(a);
    sora_video_free(b);
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = NULL;
    refused_by(PATCHES, &j, "prompt: there is none");
}

/* By what each model can: docs/studio.md. */
static void models_that_see_frames(void **state)
{
    Job j;
    job_of(&j, SORA_EDIT_EXTEND, clip_path, NULL)->edit.seconds = 3;
    SoraVideo *v = make_with(FIRST, &j);
    assert_int_equal(sora_video_frames(v), CLIP + 24);
    shows(v, 0, frames, 0, CLIP);
    sora_video_free(v);
    refused_by(ENDS, &j, "makes what lies between two pictures");
    j.edit.at_start = true;
    refused_by(FIRST, &j, "needs a picture before what it makes");
    job_of(&j, SORA_EDIT_LOOP, clip_path, NULL)->edit.seconds = 1;
    v = make_with(FIRST, &j); /* Wan 2.2's: it may be given the last frame too */
    assert_int_equal(sora_video_frames(v), CLIP + 8);
    sora_video_free(v);
    v = make_with(ENDS, &j);
    assert_int_equal(sora_video_frames(v), CLIP + 8);
    shows(v, 0, frames, 0, CLIP);
    sora_video_free(v);
    j.edit.seconds = 2;
    refused_by(ENDS, &j, "at most 11 frames");
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->edit.seconds = 3;
    refused_by(FIRST, &j, "needs a picture");
    job_of(&j, SORA_EDIT_REMIX, clip_path, NULL);
    refused_by(FIRST, &j, "");
}

static void bad_input_is_named(void **state)
{
    Job j;
    job_of(&j, SORA_EDIT_EXTEND, "/nothing/there.mp4", NULL);
    refused_by(PATCHES, &j, "/nothing/there.mp4");
    job_of(&j, SORA_EDIT_EXTEND, dir, NULL);
    refused_by(PATCHES, &j, "it is a folder");
    job_of(&j, SORA_EDIT_EXTEND, TOKENIZER, NULL);
    refused_by(PATCHES, &j, "tokenizer.model: not a picture or a video that can be read");
    job_of(&j, SORA_EDIT_EXTEND, NULL, NULL);
    refused_by(PATCHES, &j, "inputs: 0, 1 are needed");
    job_of(&j, SORA_EDIT_EXTEND, clip_path, NULL)->edit.seconds = -1;
    refused_by(PATCHES, &j, "seconds: -1 is not between 0 and 86400");
    j.edit.seconds = 0.01;
    refused_by(PATCHES, &j, "seconds: 0.01 seconds are less than a frame");
    job_of(&j, SORA_EDIT_REMIX, clip_path, NULL)->edit.strength = 1.5;
    refused_by(PATCHES, &j, "strength: 1.5 is not above 0 and at most 1");
    job_of(&j, SORA_EDIT_FILL, clip_path, NULL);
    refused_by(PATCHES, &j, "mask: there is none");
    job_of(&j, SORA_EDIT_RECUT, clip_path, NULL)->edit.from = 5;
    refused_by(PATCHES, &j, "from 5 to 0 seconds: it has 14 frames");
    job_of(&j, SORA_EDIT_NEW, NULL, NULL)->request.width = 33;
    refused_by(PATCHES, &j, "width: 33 is not a multiple of 16; 32 works");
    job_of(&j, (SoraEditKind)99, NULL, NULL);
    refused_by(PATCHES, &j, "kind: 99 is none");
    SoraError err = {0};
    assert_null(sora_edit(NULL, &j.edit, &j.request, &err));
    assert_string_equal(err.message, "engine: there is none");
}

/* A step of the codec's is taken off beside a join and gone SEAM_FRAMES later; where something moved, nothing is changed, the
 * means stay, and a frame whose size is odd is one as well. */
static void a_step_is_taken_off(void **state)
{
    enum { ACROSS = 61, DOWN = 45, ALL = ACROSS * DOWN * 3 };
    static uint8_t given[ALL], made[ALL], frame[ALL];
    SoraError err = {0};
    Seam seam;
    for (int i = 0; i < ALL; i++) {
        int x = i / 3 % ACROSS, own = i / 3 % 2 != 0 ? 6 : -6;
        given[i] = (uint8_t)(100 + i % 7);
        made[i] = (uint8_t)(x < 30 ? 100 + i % 7 + own : 200); /* on the left other tones, on the right another thing */
    }
    assert_true(seam_measure(&seam, &(SeamSides){given, made, ACROSS, DOWN}, &err));
    double last = 1e9;
    for (int k = 0; k <= SEAM_FRAMES; k++) {
        double left = 0, mean = 0;
        memcpy(frame, made, ALL);
        seam_close(&seam, k, SEAM_FRAMES, frame);
        for (int i = 0; i < ALL; i++) {
            int x = i / 3 % ACROSS;
            left += x < 24 ? abs(frame[i] - made[i]) : 0;
            mean += frame[i] - made[i];
            assert_true(x < 36 || abs(frame[i] - made[i]) <= 2);
            assert_true(k < SEAM_FRAMES || frame[i] == made[i]);
            assert_true(x >= 24 || k > 0 || abs(frame[i] - given[i]) <= 1);
        }
        assert_true(left < last && fabs(mean / ALL) < 0.5);
        last = left;
    }
    /* Something comes there later: it gets no part of the step. */
    memset(frame, 20, ALL);
    seam_close(&seam, 1, SEAM_FRAMES, frame);
    for (int i = 0; i < ALL; i++)
        assert_int_equal(frame[i], 20);
    seam_deinit(&seam);
}

static void tones_are_matched(void **state)
{
    uint8_t dark[SIZE], light[SIZE];
    for (int i = 0; i < SIZE; i++) {
        dark[i] = (uint8_t)(60 + i / 3 % 20);
        light[i] = (uint8_t)(90 + i / 3 % 20 * 11 / 10);
    }
    Tone from = tone_of(light, WIDTH, HEIGHT), to = tone_of(dark, WIDTH, HEIGHT);
    ToneMatch m = tone_match(&from, &to);
    tone_apply(&m, 0, light, WIDTH, HEIGHT);
    assert_true(tone_of(light, WIDTH, HEIGHT).mean[1] == from.mean[1]);
    tone_apply(&m, 1, light, WIDTH, HEIGHT);
    Tone now = tone_of(light, WIDTH, HEIGHT);
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(now.mean[c] - to.mean[c]) < 0.5);
        assert_true(fabs(now.deviation[c] - to.deviation[c]) < 0.5);
    }
    /* Most of it is black already: what is lit goes further. */
    uint8_t space[SIZE];
    for (int i = 0; i < SIZE; i++)
        space[i] = i / 3 % 4 == 0 ? 160 : (uint8_t)(i / 3 % 3);
    from = tone_of(space, WIDTH, HEIGHT);
    Tone less = from;
    for (int c = 0; c < 3; c++)
        less.mean[c] -= 2.5;
    m = tone_match(&from, &less);
    tone_settle(&m, &less, space, WIDTH, HEIGHT);
    tone_apply(&m, 1, space, WIDTH, HEIGHT);
    now = tone_of(space, WIDTH, HEIGHT);
    assert_true(fabs(now.mean[0] - less.mean[0]) < 0.5);
    /* A frame of one colour is not stretched into noise. */
    uint8_t flat[SIZE];
    memset(flat, 50, SIZE);
    from = tone_of(flat, WIDTH, HEIGHT);
    m = tone_match(&from, &to);
    assert_true(m.gain[0] == 1);
    tone_pull(&from, &to, 0.5);
    assert_true(fabs(from.mean[0] - (50 + to.mean[0]) / 2) < 1e-9);
}

static void inputs_have_roles(void **state)
{
    SoraInput list[8];
    char text[160];
    Job j;
    job_of(&j, SORA_EDIT_BLEND, clip_path, other_path)->edit.seconds = 3;
    assert_int_equal(sora_edit_inputs(&j.edit, &j.request, list, 8), 2);
    assert_int_equal(list[0].role, SORA_INPUT_COMPONENT);
    assert_string_equal(list[1].path, other_path);
    sora_edit_operation(&j.edit, text, sizeof text);
    assert_string_equal(text, "two videos joined by 3 s");
    job_of(&j, SORA_EDIT_FILL, clip_path, NULL)->edit.mask_path = mask_path;
    assert_int_equal(sora_edit_inputs(&j.edit, &j.request, list, 8), 2);
    assert_int_equal(list[0].role, SORA_INPUT_PARENT);
    assert_int_equal(list[1].role, SORA_INPUT_SOURCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_video_is_what_generate_makes),
        cmocka_unit_test(any_number_of_frames_is_made),
        cmocka_unit_test(windows_follow_from_the_seed),
        cmocka_unit_test(what_is_given_comes_back),
        cmocka_unit_test(pictures_lie_at_their_times),
        cmocka_unit_test(strength_counts),
        cmocka_unit_test(what_a_mask_has_black_stays),
        cmocka_unit_test(a_mix_begins_with_one_and_ends_with_the_other),
        cmocka_unit_test(rings_close),
        cmocka_unit_test(passages_are_heard_in_their_windows),
        cmocka_unit_test(frames_are_told_of_in_order),
        cmocka_unit_test(what_was_stopped_is_kept_when_asked_for),
        cmocka_unit_test(live_goes_on_and_listens),
        cmocka_unit_test(words_come_from_the_input_when_there_are_none),
        cmocka_unit_test(models_that_see_frames),
        cmocka_unit_test(bad_input_is_named),
        cmocka_unit_test(a_step_is_taken_off),
        cmocka_unit_test(tones_are_matched),
        cmocka_unit_test(inputs_have_roles),
    };
    return cmocka_run_group_tests(tests, open_engines, close_engines);
}
