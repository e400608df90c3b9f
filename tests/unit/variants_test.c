/* The kinds of models beside nano's, each tiny and with random weights, through the public interface: what
 * they ask of a request and that all of it counts. That the numbers are right is tests/golden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <ftw.h>
#include <jansson.h>

#include "engine/manifest.h"
#include "engine/variant.h"
#include "media/image.h"
#include "tiny_model.h"

#define MANIFEST(more)                                                                                       \
    "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 17}, " more                  \
    "\"defaults\": {\"width\": 32, \"height\": 16, \"frames\": 9, \"steps\": 4, \"guidance_scale\": 4,"      \
    " \"low_guidance_scale\": 3, \"follow_picture\": true}}"
#define TOKENIZER "models/nano/tokenizer.model" /* from the top of the source tree */

/* As Wan 2.1 I2V, FLF2V; Wan 2.2 T2V and I2V with two experts. */
static const TinyModel I2V = {MANIFEST(""),  TOKENIZER, TINY_TRANSFORMER_OF("i2v", "12", ", \"clip_dim\": 8"),
                              TINY_FLAT_VAE, NULL,      TINY_CLIP};
static const TinyModel FLF2V = {
    MANIFEST(""),  TOKENIZER, TINY_TRANSFORMER_OF("flf2v", "12", ", \"clip_dim\": 8, \"clip_rows\": 10"),
    TINY_FLAT_VAE, NULL,      TINY_CLIP};
static const TinyModel T2V_EXPERTS = {MANIFEST("\"boundary\": 0.9, "),     TOKENIZER,
                                      TINY_TRANSFORMER_OF("t2v", "4", ""), TINY_FLAT_VAE,
                                      TINY_TRANSFORMER_OF("t2v", "4", ""), NULL};
static const TinyModel I2V_EXPERTS = {MANIFEST("\"boundary\": 0.9, "),      TOKENIZER,
                                      TINY_TRANSFORMER_OF("i2v", "12", ""), TINY_FLAT_VAE,
                                      TINY_TRANSFORMER_OF("i2v", "12", ""), NULL};

static char dir[] = "/tmp/sora-variants-test-XXXXXX";
static char first[64], other[64]; /* pictures */

static char *in_dir(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", dir, name);
    return path;
}

static void write_picture(char path[64], const char *name, int width, int factor)
{
    SoraError err = {0};
    Image image;
    snprintf(path, 64, "%s/%s", dir, name);
    assert_true(image_init(&image, width, 40, &err));
    for (int i = 0; i < width * 40 * 3; i++)
        image.rgb[i] = (uint8_t)(i * factor % 256);
    assert_true(image_write_png(&image, path, NULL, NULL, &err));
    image_deinit(&image);
}

static int set_up(void **state)
{
    assert_non_null(mkdtemp(dir));
    write_picture(first, "first.png", 50, 7);
    write_picture(other, "other.png", 90, 11);
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

/* Writes the model into a folder of its own. */
static SoraEngine *open_model(const char *name, const TinyModel *model)
{
    SoraError err = {0};
    char path[512];
    tiny_model_write(in_dir(path, name), model);
    SoraEngine *engine = sora_engine_open(path, NULL, &err);
    if (engine == NULL)
        fail_msg("%s", err.message);
    return engine;
}

/* Pictures to begin and to end with, NULL: none. */
static SoraRequest request_of(const char *image, const char *last)
{
    static SoraGiven kept[64][2];
    static int used;
    SoraGiven *given = kept[used++ % 64];
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = "a dog runs";
    r.given = given;
    if (image != NULL)
        given[r.given_count++] = (SoraGiven){.path = image};
    if (last != NULL)
        given[r.given_count++] = (SoraGiven){.path = last, .at_end = true};
    return r;
}

static SoraVideo *generate(SoraEngine *engine, const SoraRequest *r)
{
    SoraError err = {0};
    SoraVideo *video = sora_generate(engine, r, &err);
    if (video == NULL)
        fail_msg("%s", err.message);
    return video;
}

/* Do the two requests make the same video? Of the size of the first engine's. */
static bool same(SoraEngine *a, const SoraRequest *x, SoraEngine *b, const SoraRequest *y)
{
    SoraVideo *v = generate(a, x), *w = generate(b, y);
    size_t n = (size_t)sora_video_width(v) * (size_t)sora_video_height(v) * 3;
    bool equal = sora_video_width(v) == sora_video_width(w) && sora_video_height(v) == sora_video_height(w);
    for (int f = 0; f < sora_video_frames(v) && equal; f++)
        equal = memcmp(sora_video_frame(v, f), sora_video_frame(w, f), n) == 0;
    sora_video_free(v);
    sora_video_free(w);
    return equal;
}

static void refuse(SoraEngine *engine, const SoraRequest *r, const char *message)
{
    SoraError err = {0};
    assert_null(sora_generate(engine, r, &err));
    assert_true(err.code == SORA_ERROR_INPUT || err.code == SORA_ERROR_UNSUPPORTED);
    assert_string_equal(err.message, message);
}

static void image_to_video_needs_one_picture(void **state)
{
    SoraEngine *e = open_model("i2v", &I2V);
    SoraRequest none = request_of(NULL, NULL), a = request_of(first, NULL), b = request_of(other, NULL);
    SoraRequest two = request_of(first, other);
    refuse(e, &none, "image: this model needs one for the first frame");
    refuse(e, &two, "given 2: this model takes a picture for the first frame and nothing else");
    a.width = b.width = 32, a.height = b.height = 16; /* of neither picture's shape */
    assert_false(same(e, &a, e, &b));
    assert_true(same(e, &a, e, &a));
    a.frames = b.frames = 1;
    assert_false(same(e, &a, e, &b));
    sora_engine_close(e);
}

/* 512 pixels, in units of 16: 50x40 gives 25x20, 90x40 gives 33x15. */
static void a_video_takes_its_pictures_shape(void **state)
{
    SoraEngine *e = open_model("shape", &I2V);
    SoraRequest r = request_of(first, NULL);
    SoraVideo *video = generate(e, &r);
    assert_int_equal(sora_video_width(video), 16);
    assert_int_equal(sora_video_height(video), 16);
    sora_video_free(video);
    r = request_of(other, NULL);
    video = generate(e, &r);
    assert_int_equal(sora_video_width(video), 32);
    assert_int_equal(sora_video_height(video), 16);
    sora_video_free(video);
    r.height = 48; /* a size is asked for */
    video = generate(e, &r);
    assert_int_equal(sora_video_width(video), 32);
    assert_int_equal(sora_video_height(video), 48);
    sora_video_free(video);
    sora_engine_close(e);
}

static void first_and_last_frame_need_both(void **state)
{
    SoraEngine *e = open_model("flf2v", &FLF2V);
    SoraRequest one = request_of(first, NULL), a = request_of(first, first), b = request_of(first, other);
    SoraRequest end = request_of(NULL, other), c = request_of(other, first);
    refuse(e, &one, "last image: this model needs one for the last frame");
    refuse(e, &end, "image: this model needs one for the first frame");
    assert_false(same(e, &a, e, &b));
    a.width = b.width = c.width = 32, a.height = b.height = c.height = 16;
    assert_false(same(e, &a, e, &b));
    assert_false(same(e, &b, e, &c));
    SoraVideo *video = generate(e, &b);
    json_t *json = json_loads(sora_video_parameters(video), 0, NULL);
    const json_t *ending = json_array_get(json_object_get(json, "given"), 1);
    assert_int_equal(json_integer_value(json_object_get(ending, "first_frame")), sora_video_frames(video) - 1);
    json_decref(json);
    sora_video_free(video);
    a.frames = 1;
    refuse(e, &a, "frames: this model needs 2 or more, a first and a last one");
    sora_engine_close(e);
}

static void each_expert_has_its_steps_and_its_guidance(void **state)
{
    SoraEngine *e = open_model("experts", &T2V_EXPERTS);
    SoraRequest own = request_of(NULL, NULL), a = own, b;
    a.guidance_scale = 4, a.low_guidance_scale = 3;
    assert_true(same(e, &own, e, &a));
    b = a, b.low_guidance_scale = 5;
    assert_false(same(e, &a, e, &b));
    b = a, b.guidance_scale = 5;
    assert_false(same(e, &a, e, &b));
    a.guidance_scale = a.low_guidance_scale = 5; /* one number is for both */
    b = a, b.low_guidance_scale = -1;
    assert_true(same(e, &a, e, &b));
    a.low_guidance_scale = 1; /* one sample for the one, two for the other */
    assert_false(same(e, &a, e, &b));
    a.low_guidance_scale = 101;
    refuse(e, &a, "low-noise guidance: 101 is not between 0 and 100");
    SoraVideo *video = generate(e, &own);
    json_t *json = json_loads(sora_video_parameters(video), 0, NULL);
    assert_true(json_number_value(json_object_get(json, "low_guidance_scale")) == 3);
    json_decref(json);
    sora_video_free(video);
    sora_engine_close(e);
}

/* With the boundary above all steps, or below, one expert makes the video alone. */
static void the_boundary_chooses_the_expert(void **state)
{
    TinyModel all = T2V_EXPERTS, one = T2V_EXPERTS;
    SoraRequest r = request_of(NULL, NULL);
    r.guidance_scale = 4;
    one.manifest = MANIFEST("");
    one.low_noise = NULL;
    SoraEngine *high = open_model("high", &one), *both = open_model("both", &all);
    assert_false(same(high, &r, both, &r));
    sora_engine_close(both);
    all.manifest = MANIFEST("\"boundary\": 0.001, ");
    both = open_model("all-high", &all);
    assert_true(same(high, &r, both, &r));
    sora_engine_close(both);
    all.manifest = MANIFEST("\"boundary\": 1, ");
    both = open_model("all-low", &all);
    assert_false(same(high, &r, both, &r));
    sora_engine_close(both);
    sora_engine_close(high);
}

static void experts_with_a_condition_take_a_last_picture(void **state)
{
    SoraEngine *e = open_model("i2v-experts", &I2V_EXPERTS);
    SoraRequest none = request_of(NULL, NULL), a = request_of(first, NULL), b = request_of(first, other);
    refuse(e, &none, "image: this model needs one for the first frame");
    assert_false(same(e, &a, e, &b));
    sora_engine_close(e);
}

/* Opens a folder whose model.json is not the model's own, or whose parts do not fit. */
static void refuse_model(const char *name, const TinyModel *model, const char *part_of_message)
{
    SoraError err = {0};
    char path[512];
    tiny_model_write(in_dir(path, name), model);
    assert_null(sora_engine_open(path, NULL, &err));
    if (strstr(err.message, part_of_message) == NULL)
        fail_msg("%s", err.message);
}

static void parts_that_do_not_fit_are_refused(void **state)
{
    TinyModel m = I2V;
    m.image_encoder = NULL;
    refuse_model("deaf", &m, "listens to pictures, and there is no image encoder");
    m = I2V;
    m.image_encoder = "{\"image_size\": 8, \"patch_size\": 4, \"vision_dim\": 12, \"vision_heads\": 2,"
                      " \"vision_layers\": 3}";
    refuse_model("wide", &m, "pictures of 8 numbers a row, the image encoder makes 12");
    m = FLF2V;
    m.transformer = TINY_TRANSFORMER_OF("flf2v", "12", ", \"clip_dim\": 8, \"clip_rows\": 9");
    refuse_model("rows", &m, "positions for 9 rows, the image encoder makes 10 for two pictures");
    m = I2V;
    m.transformer = TINY_TRANSFORMER_OF("i2v", "11", ", \"clip_dim\": 8");
    refuse_model("odd", &m, "11 channels in and 4 out, expected 4 in or, with a condition, 12");
    m = I2V;
    m.transformer = TINY_TRANSFORMER_OF("ti2v", "12", ", \"clip_dim\": 8");
    refuse_model("patches", &m, "a condition beside the latent, and a timestep for every patch");
    m = T2V_EXPERTS;
    m.low_noise = TINY_TRANSFORMER_OF("i2v", "12", "");
    refuse_model("unlike", &m, "the two experts differ");
    m = T2V_EXPERTS;
    m.manifest = MANIFEST("");
    refuse_model("borderless", &m, "\"boundary\" is 0, and there are two experts");
}

/* --- the published models --- */

static void a_manifest_may_name_a_variant(void **state)
{
    SoraError err = {0};
    char path[512];
    Manifest m;
    tiny_write_text(dir, "variant.json", "{\"variant\": \"wan2.2-t2v-a14b\", \"defaults\": {\"steps\": 8}}");
    assert_true(manifest_load(&m, in_dir(path, "variant.json"), &err));
    assert_string_equal(m.name, "wan2.2-t2v-a14b");
    assert_int_equal(m.steps, 8);
    assert_int_equal(m.frames, 81);
    assert_true(m.boundary == 0.875 && m.guidance_scale == 4 && m.low_guidance_scale == 3 && m.shift == 12);
    assert_non_null(strstr(m.negative_prompt, "倒着走"));
    manifest_deinit(&m);
}

static void published_transformers_are_recognised(void **state)
{
    static const struct {
        DitConfig c;
        int experts;
        const char *name; /* NULL: none */
    } CASES[] = {
        {{.dim = 1536, .in_dim = 16, .out_dim = 16}, 1, "wan2.1-t2v-1.3b"},
        {{.dim = 5120, .in_dim = 16, .out_dim = 16}, 1, "wan2.1-t2v-14b"},
        {{.dim = 5120, .in_dim = 36, .out_dim = 16, .clip_dim = 1280}, 1, "wan2.1-i2v-14b"},
        {{.dim = 5120, .in_dim = 36, .out_dim = 16, .clip_dim = 1280, .clip_rows = 514},
         1,
         "wan2.1-flf2v-14b"},
        {{.dim = 3072, .in_dim = 48, .out_dim = 48}, 1, "wan2.2-ti2v-5b"},
        {{.dim = 5120, .in_dim = 16, .out_dim = 16}, 2, "wan2.2-t2v-a14b"},
        {{.dim = 5120, .in_dim = 36, .out_dim = 16}, 2, "wan2.2-i2v-a14b"},
        {{.dim = 5120, .in_dim = 36, .out_dim = 16}, 1, NULL},
        {{.dim = 5120, .in_dim = 36, .out_dim = 16, .clip_dim = 1280}, 2, NULL},
        {{.dim = 1536, .in_dim = 36, .out_dim = 16}, 1, NULL},
        {{.dim = 24, .in_dim = 4, .out_dim = 4}, 1, NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const Variant *v = variant_guess(&CASES[i].c, CASES[i].experts);
        assert_string_equal(v != NULL ? v->name : "none", CASES[i].name != NULL ? CASES[i].name : "none");
        Manifest m;
        SoraError err = {0};
        if (v == NULL)
            continue;
        if (!manifest_init(&m, v, &err)) /* its own numbers pass its own checks */
            fail_msg("%s: %s", v->name, err.message);
        assert_string_equal(m.name, v->name);
        assert_true((m.boundary > 0) == (CASES[i].experts == 2));
        manifest_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_to_video_needs_one_picture),
        cmocka_unit_test(a_video_takes_its_pictures_shape),
        cmocka_unit_test(first_and_last_frame_need_both),
        cmocka_unit_test(each_expert_has_its_steps_and_its_guidance),
        cmocka_unit_test(the_boundary_chooses_the_expert),
        cmocka_unit_test(experts_with_a_condition_take_a_last_picture),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(a_manifest_may_name_a_variant),
        cmocka_unit_test(published_transformers_are_recognised),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
