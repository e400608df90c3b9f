/* Previews: what they show is what comes, and that they are shown changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "engine/engine.h"
#include "engine/preview.h"
#include "tiny_model.h"
#include "unit/temp_dir.h"

/* A copy of the first one, and how many there were. */
typedef struct Seen {
    SoraPreview first;
    uint8_t *pixels;
    int count, last;
} Seen;

static void see(const SoraPreview *preview, void *user)
{
    Seen *s = user;
    size_t size = (size_t)preview->frames * (size_t)preview->height * (size_t)preview->width * 3;
    if (s->count++ == 0) {
        s->first = *preview;
        s->pixels = malloc(size);
        assert_non_null(s->pixels);
        memcpy(s->pixels, preview->pixels, size);
    }
    assert_true(preview->step > s->last && preview->step <= preview->steps);
    s->last = preview->step;
}

static SoraEngine *open_engine(const char *path)
{
    SoraError err = {0};
    SoraEngine *engine = sora_engine_open(path, &(SoraOptions){.threads = 2}, &err);
    if (engine == NULL)
        fail_msg("%s", err.message);
    return engine;
}

static SoraVideo *generate(SoraEngine *engine, int frames, int steps, Seen *seen)
{
    SoraError err = {0};
    SoraRequest request;
    sora_request_init(&request);
    request.prompt = "a red car drives to the left in the desert";
    request.frames = frames;
    request.steps = steps;
    request.preview = seen != NULL ? see : NULL;
    request.user = seen;
    SoraVideo *video = sora_generate(engine, &request, &err);
    if (video == NULL)
        fail_msg("%s", err.message);
    return video;
}

/* The mean of the video's pixels that a byte of the preview stands for: group 0 is the first frame, each other one
 * four. */
static double mean_of(const SoraVideo *video, const SoraPreview *p, int group, int x, int y, int c)
{
    int first = group == 0 ? 0 : 4 * group - 3, count = group == 0 ? 1 : 4, width = sora_video_width(video);
    int square = width / p->width;
    double sum = 0;
    for (int f = first; f < first + count; f++)
        for (int v = y * square; v < (y + 1) * square; v++)
            for (int u = x * square; u < (x + 1) * square; u++)
                sum += sora_video_frame(video, f)[3 * (v * width + u) + c];
    return sum / (count * square * square);
}

/* With one step, what the step sees is the video's latent. */
static void shows_what_comes(void **state)
{
    Seen seen = {0};
    SoraEngine *engine = open_engine("models/nano");
    SoraVideo *video = generate(engine, 9, 1, &seen);
    const SoraPreview *p = &seen.first;
    assert_int_equal(seen.count, 1);
    assert_true(p->step == 1 && p->steps == 1 && p->frames == 3);
    assert_int_equal(sora_video_width(video) % p->width, 0);
    assert_int_equal(p->width * sora_video_height(video), p->height * sora_video_width(video));
    double difference = 0, spread = 0;
    int n = 0;
    for (int g = 0; g < p->frames; g++)
        for (int y = 0; y < p->height; y++)
            for (int x = 0; x < p->width; x++)
                for (int c = 0; c < 3; c++, n++) {
                    double mean = mean_of(video, p, g, x, y, c);
                    difference += fabs(mean - seen.pixels[((g * p->height + y) * p->width + x) * 3 + c]);
                    spread += fabs(mean - 128);
                }
    print_message("%dx%d: mean difference %.2f, mean distance from grey %.2f\n", p->width, p->height, difference / n,
                  spread / n);
    assert_true(difference < 0.1 * spread);
    free(seen.pixels);
    sora_video_free(video);
    sora_engine_close(engine);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    return remove(path);
}

static void changes_nothing(void **state)
{
    static const TinyModel MODEL = {
        .manifest = "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 17}, \"defaults\": "
                    "{\"width\": 32, \"height\": 16, \"frames\": 9, \"fps\": 8, \"steps\": 3, \"shift\": 3, "
                    "\"guidance_scale\": 4, \"negative_prompt\": \"\", \"solver\": \"unipc\"}}",
        .tokenizer = "models/nano/tokenizer.model",
    };
    char path[128];
    Seen seen = {0};
    snprintf(path, sizeof path, "%s/tiny", dir);
    tiny_model_write(path, &MODEL);
    SoraEngine *engine = open_engine(path);
    SoraVideo *with = generate(engine, 9, 3, &seen), *without = generate(engine, 9, 3, NULL);
    assert_true(seen.count >= 1 && seen.first.step == 1 && seen.first.steps == 3);
    assert_true(seen.first.frames == 3 && seen.first.width == 4 && seen.first.height == 2); /* a pixel for 8 x 8 */
    for (int i = 0; i < 9; i++)
        assert_memory_equal(sora_video_frame(with, i), sora_video_frame(without, i), 32 * 16 * 3);
    free(seen.pixels);
    sora_video_free(with);
    sora_video_free(without);
    sora_engine_close(engine);
    assert_int_equal(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The fit sees the decoder alone, and comes near to what the linear code in it says of itself. */
static void a_fit_is_near(void **state)
{
    SoraError err = {0};
    SoraEngine *engine = open_engine("models/nano");
    CanvasShape shape = {engine->grid.channels, 3, 4, 6, {1, 2, 2}};
    size_t cells = (size_t)(shape.channels * shape.frames * shape.height * shape.width);
    Preview p;
    Rng rng;
    assert_true(preview_init(&p, &engine->pipeline, &shape, &err));
    rng_init(&rng, 11, 0);
    rng_fill_normal(&rng, p.estimate, cells);
    for (size_t i = 0; i < cells; i++)
        p.estimate[i] *= 0.4f; /* few bytes are cut off at 0 and 255 */
    preview_draw(&p);
    size_t size = (size_t)p.frames * (size_t)p.width * (size_t)p.height * 3;
    uint8_t *code = malloc(size);
    assert_non_null(code);
    memcpy(code, p.rgb, size);
    if (!preview_fit(&p, &engine->pipeline, &err))
        fail_msg("%s", err.message);
    preview_draw(&p);
    double difference = 0, spread = 0;
    for (size_t i = 0; i < size; i++) {
        difference += abs(p.rgb[i] - code[i]);
        spread += abs(code[i] - 128);
    }
    print_message("mean difference %.2f, mean distance from grey %.2f\n", difference / (double)size,
                  spread / (double)size);
    assert_true(difference < 0.4 * spread);
    free(code);
    preview_deinit(&p);
    sora_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_comes),
        cmocka_unit_test(changes_nothing),
        cmocka_unit_test(a_fit_is_near),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
