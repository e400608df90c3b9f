#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <ftw.h>
#include <jansson.h>

#include "engine/video.h"
#include "media/image.h"
#include "media/video_reader.h"
#include "threads.h"
#include "tiny_model.h"

static const TinyModel MODEL = {
    .manifest =
        "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 17}, \"defaults\": "
        "{\"width\": 32, "
        "\"height\": 16, \"frames\": 5, \"fps\": 8, \"steps\": 3, \"shift\": 3, \"guidance_scale\": 4, "
        "\"negative_prompt\": \"blurry\", \"solver\": \"unipc\"}}",
    .tokenizer = "models/nano/tokenizer.model", /* from the top of the source tree */
};

/* A fresh folder with the tiny model; one for all tests, who put back what they break. */
static char dir[] = "/tmp/sora-engine-test-XXXXXX";

static int set_up(void **state)
{
    assert_non_null(mkdtemp(dir));
    tiny_model_write(dir, &MODEL);
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    return remove(path);
}

static int tear_down(void **state)
{
    return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static char *in_dir(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", dir, name);
    return path;
}

static SoraEngine *open_engine(int threads)
{
    SoraError err = {0};
    SoraEngine *engine = sora_engine_open(dir, &(SoraOptions){.threads = threads}, &err);
    if (engine == NULL)
        print_error("%s\n", err.message);
    assert_non_null(engine);
    return engine;
}

static SoraRequest request_of(const char *prompt)
{
    SoraRequest request;
    sora_request_init(&request);
    request.prompt = prompt;
    return request;
}

static SoraVideo *generate(SoraEngine *engine, const SoraRequest *request)
{
    SoraError err = {0};
    SoraVideo *video = sora_generate(engine, request, &err);
    if (video == NULL)
        print_error("%s\n", err.message);
    assert_non_null(video);
    return video;
}

/* Mean distance of two videos' bytes; 0 when they are equal. */
static double distance(const SoraVideo *a, const SoraVideo *b)
{
    size_t n = (size_t)sora_video_width(a) * (size_t)sora_video_height(a) * 3;
    double sum = 0;
    assert_int_equal(sora_video_frames(a), sora_video_frames(b));
    for (int f = 0; f < sora_video_frames(a); f++)
        for (size_t i = 0; i < n; i++)
            sum += abs(sora_video_frame(a, f)[i] - sora_video_frame(b, f)[i]);
    return sum / (double)n / sora_video_frames(a);
}

static double distance_of(SoraEngine *engine, const SoraRequest *x, const SoraRequest *y)
{
    SoraVideo *a = generate(engine, x), *b = generate(engine, y);
    double d = distance(a, b);
    sora_video_free(a);
    sora_video_free(b);
    return d;
}

/* --- what comes out --- */

static void defaults_are_the_models(void **state)
{
    SoraEngine *engine = open_engine(0);
    SoraRequest own;
    assert_string_equal(sora_engine_name(engine), "tiny");
    sora_engine_defaults(engine, &own);
    assert_int_equal(own.width, 32);
    assert_int_equal(own.steps, 3);
    assert_string_equal(own.negative_prompt, "blurry");
    SoraRequest plain = request_of("a dog runs");
    own.prompt = plain.prompt;
    assert_true(distance_of(engine, &plain, &own) == 0);
    SoraVideo *video = generate(engine, &plain);
    assert_int_equal(sora_video_width(video), 32);
    assert_int_equal(sora_video_height(video), 16);
    assert_int_equal(sora_video_frames(video), 5);
    assert_true(sora_video_fps(video) == 8);
    assert_non_null(sora_video_frame(video, 4));
    assert_null(sora_video_frame(video, 5));
    assert_null(sora_video_frame(video, -1));
    json_t *json = json_loads(sora_video_parameters(video), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "prompt")), "a dog runs");
    assert_string_equal(json_string_value(json_object_get(json, "model")), "tiny");
    assert_string_equal(json_string_value(json_object_get(json, "solver")), "unipc");
    assert_int_equal(json_integer_value(json_object_get(json, "frames")), 5);
    json_decref(json);
    sora_video_free(video);
    sora_engine_close(engine);
}

typedef struct Frames {
    int frames, width, height, fail_at;
    bool ended;
    uint8_t *seen; /* [frames, height, width, 3] */
} Frames;

static bool take_frame(const SoraVideo *video, int i, void *user, SoraError *err)
{
    Frames *w = user;
    assert_int_equal(i, w->frames);
    assert_false(w->ended);
    assert_non_null(sora_video_parameters(video));
    size_t n = (size_t)sora_video_width(video) * (size_t)sora_video_height(video) * 3;
    w->seen = realloc(w->seen, (size_t)(i + 1) * n);
    memcpy(w->seen + (size_t)i * n, sora_video_frame(video, i), n);
    w->frames++;
    return i != w->fail_at || error_set(err, SORA_ERROR_IO, "the disk is full");
}

static bool end_of_frames(const SoraProgress *p, void *user)
{
    Frames *w = user;
    w->ended = p->phase == SORA_PHASE_DECODE && p->done == p->total;
    return true;
}

/* Each frame comes once, in order, as it will stay, before the decoder is through. */
static void frames_come_as_they_are_made(void **state)
{
    SoraEngine *engine = open_engine(0);
    SoraRequest a = request_of("a dog runs");
    Frames w = {.fail_at = -1};
    a.frame = take_frame;
    a.progress = end_of_frames;
    a.user = &w;
    a.watermark = true;
    SoraVideo *video = generate(engine, &a);
    assert_int_equal(w.frames, sora_video_frames(video));
    for (int i = 0; i < w.frames; i++)
        assert_memory_equal(sora_video_frame(video, i), w.seen + i * 32 * 16 * 3, 32 * 16 * 3);
    sora_video_free(video);
    SoraError err = {0};
    w.frames = 0;
    w.ended = false;
    w.fail_at = 2;
    assert_null(sora_generate(engine, &a, &err));
    assert_int_equal(w.frames, 3);
    assert_int_equal(err.code, SORA_ERROR_IO);
    assert_string_equal(err.message, "the disk is full");
    free(w.seen);
    sora_engine_close(engine);
}

static void a_seed_names_one_video(void **state)
{
    SoraEngine *one = open_engine(1), *two = open_engine(2);
    SoraRequest a = request_of("a dog runs"), b = a;
    SoraVideo *x = generate(one, &a), *y = generate(two, &a), *again = generate(one, &a);
    assert_true(distance(x, again) == 0);
    assert_true(distance(x, y) == 0); /* whatever the number of threads */
    sora_video_free(x);
    sora_video_free(y);
    sora_video_free(again);
    b.seed = 1;
    assert_true(distance_of(one, &a, &b) > 1);
    b.seed = UINT64_MAX;
    assert_true(distance_of(one, &a, &b) > 1);
    sora_engine_close(one);
    sora_engine_close(two);
}

static void every_part_of_a_request_counts(void **state)
{
    SoraEngine *engine = open_engine(0);
    SoraRequest a = request_of("a dog runs"), b;
    b = a, b.prompt = "a red fish swims in the sea";
    assert_true(distance_of(engine, &a, &b) > 0);
    b = a, b.negative_prompt = "";
    assert_true(distance_of(engine, &a, &b) > 0);
    b = a, b.guidance_scale = 1;
    assert_true(distance_of(engine, &a, &b) > 0);
    b = a, b.shift = 9;
    assert_true(distance_of(engine, &a, &b) > 0);
    b = a, b.solver = SORA_SOLVER_EULER;
    assert_true(distance_of(engine, &a, &b) > 0);
    b = a, b.low_guidance_scale = 9; /* this model has no experts */
    assert_true(distance_of(engine, &a, &b) == 0);
    b = a, b.prompt = " a  dog\truns\n"; /* cleaned */
    assert_true(distance_of(engine, &a, &b) == 0);
    a.guidance_scale = b.guidance_scale = 1; /* without guidance the opposite does not matter */
    b.negative_prompt = "water";
    assert_true(distance_of(engine, &a, &b) == 0);
    sora_engine_close(engine);
}

static void a_picture_decides_the_first_frame(void **state)
{
    SoraError err = {0};
    Image image;
    char path[512];
    assert_true(image_init(&image, 50, 40, &err));
    for (int i = 0; i < 50 * 40 * 3; i++)
        image.rgb[i] = (uint8_t)(i * 7 % 256);
    assert_true(image_write_png(&image, in_dir(path, "picture.png"), NULL, NULL, &err));
    static const char *const TYPES[] = {TINY_TRANSFORMER, "t2v"};
    for (int type = 0; type < 2; type++) {
        char folder[512];
        if (type == 1) { /* one timestep for all: the known part is put in at the level of the noise */
            char config[sizeof TINY_TRANSFORMER];
            snprintf(config, sizeof config, "%s", TYPES[0]);
            memcpy(strstr(config, "\"ti2v\""), "\"t2v\" ", 6);
            tiny_write_text(in_dir(folder, "transformer"), "config.json", config);
        }
        SoraEngine *engine = open_engine(0);
        SoraRequest a = request_of("a dog runs"), b = a, with = a;
        b.seed = 1;
        SoraVideo *x = generate(engine, &a), *y = generate(engine, &b);
        size_t n = 32 * 16 * 3;
        assert_memory_not_equal(sora_video_frame(x, 0), sora_video_frame(y, 0), n);
        with.given = b.given = &(SoraGiven){.path = path};
        with.given_count = b.given_count = 1;
        SoraVideo *p = generate(engine, &with), *q = generate(engine, &b);
        assert_memory_equal(sora_video_frame(p, 0), sora_video_frame(q, 0), n); /* whatever the seed */
        assert_memory_not_equal(sora_video_frame(p, 0), sora_video_frame(x, 0), n);
        assert_memory_not_equal(sora_video_frame(p, 4), sora_video_frame(q, 4), n);
        sora_video_free(x);
        sora_video_free(y);
        sora_video_free(p);
        sora_video_free(q);
        sora_engine_close(engine);
        if (type == 1)
            tiny_write_text(folder, "config.json", TINY_TRANSFORMER);
    }
    image_deinit(&image);
}

static void pixels_are_truncated_and_clamped(void **state)
{
    float in[] = {-1, 1, 0, -3, 3, 0.999f, NAN, -0.9999f};
    uint8_t out[8], expected[] = {0, 255, 127, 0, 255, 254, 0, 0};
    pixels_to_bytes(in, out, 8);
    assert_memory_equal(out, expected, 8);
}

static void a_video_is_written(void **state)
{
    SoraError err = {0};
    char path[512];
    SoraEngine *engine = open_engine(0);
    SoraRequest request = request_of("a dog runs");
    SoraVideo *video = generate(engine, &request);
    sora_engine_close(engine); /* a video needs no engine */
    assert_true(sora_video_write(video, in_dir(path, "dog.mp4"), &err));
    VideoReader *reader = video_reader_open(path, &(VideoReaderOptions){0}, &err);
    assert_non_null(reader);
    assert_string_equal(video_reader_metadata(reader, "title"), "a dog runs");
    assert_string_equal(video_reader_metadata(reader, "comment"), sora_video_parameters(video));
    const uint8_t *rgb;
    int frames = 0;
    while (video_reader_read(reader, &rgb, &err) && rgb != NULL)
        frames++;
    assert_int_equal(frames, 5);
    video_reader_close(reader);
    assert_false(sora_video_write(video, in_dir(path, "dog.txt"), &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_false(sora_video_write(video, in_dir(path, "nowhere/dog.mp4"), &err));
    assert_false(file_exists(path));
    sora_video_free(video);
}

/* --- progress --- */

typedef struct Watch {
    int calls, cancel_at; /* the call that says stop; 0: none */
    int stage, done;
    bool ordered;
    int total; /* of the last stage */
} Watch;

static bool watch(const SoraProgress *p, void *user)
{
    Watch *w = user;
    bool next = (int)p->phase == w->stage ? p->done > w->done : (int)p->phase == w->stage + 1 && p->done == 0;
    w->ordered = w->ordered && next && p->done <= p->total && p->seconds >= 0;
    w->stage = (int)p->phase;
    w->done = p->done;
    w->total = p->total;
    return ++w->calls != w->cancel_at;
}

static void progress_counts_and_cancels(void **state)
{
    SoraEngine *engine = open_engine(0);
    SoraRequest request = request_of("a dog runs");
    Watch all = {.stage = -1, .ordered = true};
    request.progress = watch;
    request.user = &all;
    SoraVideo *video = generate(engine, &request);
    sora_video_free(video);
    assert_true(all.ordered);
    assert_int_equal(all.calls,
                     3 + 4 + 2); /* 2 texts, 3 steps, 1 chunk of latent frames, and the beginnings */
    assert_int_equal(all.done, all.total);
    for (int at = 1; at <= all.calls; at++) {
        SoraError err = {0};
        Watch w = {.cancel_at = at};
        request.user = &w;
        assert_null(sora_generate(engine, &request, &err));
        assert_int_equal(err.code, SORA_ERROR_CANCELLED);
        assert_int_equal(w.calls, at);
    }
    request.progress = NULL; /* the engine is as good as new */
    sora_video_free(generate(engine, &request));
    sora_engine_close(engine);
}

/* --- bad input --- */

static void bad_options_are_refused(void **state)
{
    static const struct {
        SoraOptions options;
        const char *message;
    } CASES[] = {
        {{.threads = -1}, "threads: -1 is not between 1 and 4096, or 0 for all cores"},
        {{.threads = 4097}, "threads: 4097 is not between 1 and 4096, or 0 for all cores"},
        {{.precision = (SoraPrecision)-1}, "precision: -1 is none"},
        {{.precision = (SoraPrecision)4}, "precision: 4 is none"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        assert_null(sora_engine_open(dir, &CASES[i].options, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_string_equal(err.message, CASES[i].message);
    }
    assert_string_equal(sora_version(), SORA_VERSION);
}

static void refuse(SoraEngine *engine, const SoraRequest *request, const char *message)
{
    SoraError err = {0};
    assert_null(sora_generate(engine, request, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_string_equal(err.message, message);
}

static void bad_sizes_name_the_nearest_that_works(void **state)
{
    SoraEngine *engine = open_engine(0);
    SoraRequest base = request_of("a dog runs"), r;
    r = base, r.width = 30, refuse(engine, &r, "width: 30 is not a multiple of 16; 32 works");
    r = base, r.width = 7, refuse(engine, &r, "width: 7 is too small; 16 works");
    r = base, r.height = -16, refuse(engine, &r, "height: -16 is too small; 16 works");
    r = base, r.height = 80, refuse(engine, &r, "height: 80 is more than this model makes; 64 works");
    r = base, r.width = INT32_MAX,
    refuse(engine, &r, "width: 2147483647 is more than this model makes; 64 works");
    r = base, r.frames = 16, refuse(engine, &r, "frames: 16 is not 1 + a multiple of 4; 17 works");
    r = base, r.frames = 21, refuse(engine, &r, "frames: 21 is more than this model makes; 17 works");
    r = base, r.frames = INT32_MIN, refuse(engine, &r, "frames: -2147483648 is too small; 1 works");
    r = base, r.fps = 121, refuse(engine, &r, "fps: 121 is not between 1 and 120");
    r = base, r.fps = (double)NAN, refuse(engine, &r, "fps: nan is not between 1 and 120");
    r = base, r.steps = 1001, refuse(engine, &r, "steps: 1001 is not between 1 and 1000");
    r = base, r.steps = -1, refuse(engine, &r, "steps: -1 is not between 1 and 1000");
    r = base, r.guidance_scale = 101, refuse(engine, &r, "guidance: 101 is not between 0 and 100");
    r = base, r.shift = 0.01, refuse(engine, &r, "shift: 0.01 is not between 0.1 and 100");
    r = base, r.solver = (SoraSolver)7, refuse(engine, &r, "solver: 7 is none");
    r = base, r.solver = (SoraSolver)-1, refuse(engine, &r, "solver: -1 is none");
    r = base, r.frames = 1, r.width = r.height = 64; /* the edges work */
    SoraVideo *video = generate(engine, &r);
    assert_int_equal(sora_video_frames(video), 1);
    sora_video_free(video);
    sora_engine_close(engine);
}

static char *repeat(const char *word, size_t bytes)
{
    char *text = malloc(bytes + 1);
    assert_non_null(text);
    for (size_t i = 0; i < bytes; i++)
        text[i] = word[i % strlen(word)];
    text[bytes] = 0;
    return text;
}

static void bad_prompts_are_refused(void **state)
{
    SoraError err = {0};
    SoraEngine *engine = open_engine(0);
    SoraRequest r = request_of(NULL);
    refuse(engine, &r, "prompt: there is none");
    r.prompt = "";
    refuse(engine, &r, "prompt: is empty");
    r.prompt = " \t\n";
    refuse(engine, &r, "prompt: is empty");
    r.prompt = "a \xff dog";
    assert_null(sora_generate(engine, &r, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_non_null(strstr(err.message, "UTF-8"));
    char *text = repeat("dog ", 100000);
    r.prompt = text;
    refuse(engine, &r, "prompt: 100000 bytes, at most 32000 are accepted");
    text[32000] = 0; /* long, but accepted: cut to the text length */
    SoraVideo *video = generate(engine, &r);
    sora_video_free(video);
    r.prompt = "a dog";
    r.negative_prompt = "\xc3";
    assert_null(sora_generate(engine, &r, &err));
    assert_non_null(strstr(err.message, "negative prompt"));
    free(text);
    sora_engine_close(engine);
}

static void bad_pictures_are_refused(void **state)
{
    SoraError err = {0};
    char path[512];
    SoraEngine *engine = open_engine(0);
    SoraRequest r = request_of("a dog runs");
    SoraGiven given = {.path = in_dir(path, "missing.png")};
    r.given = &given;
    r.given_count = 1;
    assert_null(sora_generate(engine, &r, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "missing.png"));
    in_dir(path, "model.json");
    assert_null(sora_generate(engine, &r, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_non_null(strstr(err.message, "model.json"));
    sora_engine_close(engine);
}

/* Opens the folder with one file replaced, and puts the file back. */
static void open_broken(const char *name, const void *data, size_t size, const char *part_of_message)
{
    SoraError err = {0};
    char path[512];
    size_t old_size;
    char *old = file_read(in_dir(path, name), 1 << 26, &old_size, &err);
    assert_non_null(old);
    if (data == NULL)
        assert_int_equal(unlink(path), 0);
    else
        tiny_write(dir, name, data, size);
    SoraEngine *engine = sora_engine_open(dir, NULL, &err);
    if (engine != NULL || strstr(err.message, part_of_message) == NULL || strstr(err.message, name) == NULL)
        print_error("%s: %s\n", name, engine != NULL ? "opened" : err.message);
    assert_null(engine);
    assert_non_null(strstr(err.message, part_of_message));
    assert_non_null(strstr(err.message, name));
    assert_null(strchr(err.message, '\n'));
    SoraErrorCode code =
        strstr(part_of_message, "not supported") != NULL ? SORA_ERROR_UNSUPPORTED : SORA_ERROR_INPUT;
    assert_int_equal(err.code, data == NULL ? SORA_ERROR_NOT_FOUND : code);
    tiny_write(dir, name, old, old_size);
    free(old);
}

static void open_with_text(const char *name, const char *text, const char *part_of_message)
{
    open_broken(name, text, strlen(text), part_of_message);
}

static void broken_folders_say_what_is_wrong(void **state)
{
    SoraError err = {0};
    assert_null(sora_engine_open("/nonexistent/model", NULL, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_string_equal(err.message, "/nonexistent/model: no such model folder");
    assert_null(sora_engine_open("nowhere", NULL, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "no model \"nowhere\" in ./models or "));
    open_broken("model.json", NULL, 0, "cannot open");
    open_broken("tokenizer.model", NULL, 0, "cannot open");
    open_broken("vae/config.json", NULL, 0, "cannot open");
    open_with_text("model.json", "", "model.json:1");
    open_with_text("model.json", "{\"name\": \"a\nb\"}", "model.json:1");
    open_with_text("model.json", "[]", "no JSON object");
    open_with_text("model.json", "{}", "\"name\" is missing");
    open_with_text("model.json", "{\"name\": 3}", "\"name\" is no string");
    open_with_text("model.json", "{\"name\": \"x\", \"format\": 2}", "\"format\" is 2");
    open_with_text("model.json", "{\"name\": \"x\", \"variant\": \"wan3\"}", "\"variant\" is none that is known");
    open_with_text("model.json", "{\"name\": \"x\", \"boundary\": 2}", "\"boundary\" is 2, expected 0 to 1");
    open_with_text("model.json", "{\"name\": \"x\", \"boundary\": 0.5}", "\"boundary\" is 0.5, and there is one");
    open_with_text("model.json", "{\"name\": \"x\", \"defaults\": {\"follow_picture\": 1}}", "is no boolean");
    open_with_text("model.json", "{\"name\": \"x\", \"defaults\": []}", "\"defaults\" is no object");
    open_with_text("model.json", "{\"name\": \"x\", \"defaults\": {\"steps\": 0}}", "\"steps\" is 0");
    open_with_text("model.json", "{\"name\": \"x\", \"defaults\": {\"steps\": 2.5}}", "expected an integer");
    open_with_text("model.json", "{\"name\": \"x\", \"defaults\": {\"fps\": \"8\"}}", "\"fps\" is no number");
    open_with_text("model.json", "{\"name\": \"x\", \"defaults\": {\"solver\": \"auto\"}}",
                   "\"solver\" is none");
    open_with_text("model.json", "{\"name\": \"x\", \"limits\": {\"side\": 1e9}}", "\"side\" is 1e+09");
    open_with_text("tokenizer.model", "no tokenizer", "");
    open_with_text("transformer/config.json", "{\"dim\": \"wide\"}", "\"dim\"");
    open_with_text("text_encoder/model.safetensors", "short", "");
    open_with_text("vae/model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", "");
    open_with_text(
        "transformer/config.json",
        "{\"model_type\": \"s2v\", \"in_dim\": 4, \"out_dim\": 4, \"dim\": 24, \"ffn_dim\": 32,"
        " \"num_heads\": 2, \"num_layers\": 2, \"text_len\": 16, \"text_dim\": 16, \"freq_dim\": 16}",
        "\"model_type\" s2v is not supported");
}

/* The rest of a folder is whole, but its parts do not belong together. */
static void parts_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *name, *text, *message;
    } CASES[] = {
        {"transformer",
         "{\"in_dim\": 4, \"out_dim\": 4, \"dim\": 24, \"ffn_dim\": 40, \"num_heads\": 2,"
         " \"num_layers\": 2, \"text_len\": 16, \"text_dim\": 16, \"freq_dim\": 16}",
         "[32, 24], expected [40, 24]"},
        {"transformer",
         "{\"in_dim\": 4, \"out_dim\": 4, \"dim\": 24, \"ffn_dim\": 32, \"num_heads\": 2,"
         " \"num_layers\": 3, \"text_len\": 16, \"text_dim\": 16, \"freq_dim\": 16}",
         "blocks.2"},
        {"text_encoder",
         "{\"vocab\": 4000, \"dim\": 16, \"dim_attn\": 16, \"dim_ffn\": 24, \"num_heads\": 2, "
         "\"num_layers\": 1}",
         "[4096, 16], expected [4000, 16]"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        char folder[512];
        in_dir(folder, CASES[i].name);
        const char *old = strcmp(CASES[i].name, "transformer") == 0 ? TINY_TRANSFORMER : TINY_TEXT;
        tiny_write_text(folder, "config.json", CASES[i].text);
        assert_null(sora_engine_open(dir, NULL, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_non_null(strstr(err.message, CASES[i].message));
        tiny_write_text(folder, "config.json", old);
    }
}

static bool count_threads(const SoraProgress *progress, void *user)
{
    int *most = user, now = thread_count();
    *most = now > *most ? now : *most;
    return true;
}

/* One pool does it all: the pager's widening, the kernels, and oneDNN within them. */
static void no_more_threads_than_asked_for(void **state)
{
    assert_int_equal(thread_count(), 1);
    for (int threads = 1; threads <= 3; threads += 2) {
        int most = 0;
        SoraEngine *engine = open_engine(threads);
        SoraRequest request = request_of("a dog runs");
        request.progress = count_threads;
        request.user = &most;
        sora_video_free(generate(engine, &request));
        assert_int_equal(most, threads);
        sora_engine_close(engine);
    }
}

/* Every line of the program stands in that file, in order, after the margin. */
static void expect_program(const char *path, const char *margin)
{
    SoraError err = {0};
    char *text = file_read(path, 1 << 20, NULL, &err), *example = file_read("tests/e2e/example.c", 1 << 20, NULL, &err);
    assert_non_null(text);
    assert_non_null(example);
    char *at = text;
    for (char *line = strtok(example, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char wanted[256];
        snprintf(wanted, sizeof wanted, "\n%s%s\n", margin, line);
        at = strstr(at, wanted);
        if (at == NULL)
            fail_msg("not in %s: %s", path, line);
        at += strlen(wanted) - 1;
    }
    free(text);
    free(example);
}

/* The program in sora.h and in README.md is tests/e2e/example.c, which is compiled. */
static void the_header_shows_the_example(void **state)
{
    expect_program("include/sora.h", " *     ");
    expect_program("README.md", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_threads_than_asked_for),
        cmocka_unit_test(defaults_are_the_models),
        cmocka_unit_test(frames_come_as_they_are_made),
        cmocka_unit_test(a_seed_names_one_video),
        cmocka_unit_test(every_part_of_a_request_counts),
        cmocka_unit_test(a_picture_decides_the_first_frame),
        cmocka_unit_test(pixels_are_truncated_and_clamped),
        cmocka_unit_test(a_video_is_written),
        cmocka_unit_test(progress_counts_and_cancels),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(bad_sizes_name_the_nearest_that_works),
        cmocka_unit_test(bad_prompts_are_refused),
        cmocka_unit_test(bad_pictures_are_refused),
        cmocka_unit_test(broken_folders_say_what_is_wrong),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(the_header_shows_the_example),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
