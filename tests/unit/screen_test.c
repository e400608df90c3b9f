/* The judge of pictures against the package that it is from: tests/data/judge.json has what nsfwjs says of pictures
 * that are drawn here, written by tests/e2e/judge.mjs. With --write DIR the pictures go to DIR for it. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json_file.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "screen/picture_judge.h"
#include "temp_dir.h"
#include "tensor/ops.h"
#include "weights/convert.h"
#include "weights/tfjs.h"

/* --- pictures --- */

static void gradient(Image *p)
{
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            image_set_pixel(p, x, y, (uint32_t)(x * 255 / p->width) << 16 | (uint32_t)(y * 255 / p->height) << 8 | 96);
}

static void noise(Image *p)
{
    Rng rng;
    rng_init(&rng, 4, 2);
    for (int i = 0; i < 3 * p->width * p->height; i++)
        p->rgb[i] = (uint8_t)(rng_u32(&rng) >> 24);
}

static void squares(Image *p)
{
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            image_set_pixel(p, x, y, (x / 23 + y / 17) % 2 ? 0xf0e0c0 : 0x203050);
}

/* Discs of warm colours on a light ground. */
static void discs(Image *p)
{
    static const int AT[][4] = {
        {50, 45, 28, 0xd8a888}, {40, 70, 22, 0xc08868}, {62, 72, 20, 0xe0b090}, {50, 20, 10, 0x503020}};
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            image_set_pixel(p, x, y, 0xf2eee8);
            for (int i = 0; i < 4; i++) {
                int dx = 100 * x / p->width - AT[i][0], dy = 100 * y / p->height - AT[i][1];
                if (dx * dx + dy * dy < AT[i][2] * AT[i][2])
                    image_set_pixel(p, x, y, (uint32_t)AT[i][3]);
            }
        }
}

static void stripes(Image *p)
{
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            image_set_pixel(p, x, y, (uint32_t)((x + 2 * y) % 64 * 4) * 0x010001 + (uint32_t)(y % 32 * 8) * 0x000100);
}

static const struct {
    const char *name;
    int width, height;
    void (*draw)(Image *p);
} PICTURES[] = {{"gradient", 224, 224, gradient},    {"noise", 224, 224, noise},
                {"squares", 224, 224, squares},      {"discs", 224, 224, discs},
                {"discs-wide", 640, 360, discs},     {"stripes", 131, 300, stripes},
                {"gradient-small", 17, 9, gradient}, {"dot", 1, 1, discs}};
enum { COUNT = sizeof PICTURES / sizeof *PICTURES };

static void draw(Image *p, int i)
{
    SoraError err = {0};
    if (!image_init(p, PICTURES[i].width, PICTURES[i].height, &err))
        fail_msg("%s", err.message);
    PICTURES[i].draw(p);
}

static int write_pictures(const char *folder)
{
    for (int i = 0; i < COUNT; i++) {
        char path[4096];
        Image p = {0};
        draw(&p, i);
        snprintf(path, sizeof path, "%s/%s-%dx%d.rgb", folder, PICTURES[i].name, p.width, p.height);
        FILE *f = fopen(path, "wb");
        if (f == NULL || fwrite(p.rgb, 3, (size_t)(p.width * p.height), f) != (size_t)(p.width * p.height) ||
            fclose(f) != 0)
            return 1;
        image_deinit(&p);
    }
    return 0;
}

/* --- tests --- */

static PictureJudge *open_judge(void)
{
    SoraError err = {0};
    PictureJudge *j = picture_judge_open(NULL, 2, &err);
    if (j == NULL)
        fail_msg("%s", err.message);
    return j;
}

static void says_what_the_original_says(void **state)
{
    SoraError err = {0};
    json_t *expected = json_file_read("tests/data/judge.json", &err);
    assert_non_null(expected);
    assert_int_equal(json_object_size(expected), COUNT);
    PictureJudge *j = open_judge();
    Image all[COUNT] = {{0}};
    PictureScores together[COUNT], one;
    for (int i = 0; i < COUNT; i++)
        draw(&all[i], i);
    assert_true(picture_judge_look(j, all, COUNT, together, &err));
    for (int i = 0; i < COUNT; i++) {
        const json_t *row = json_object_get(expected, PICTURES[i].name);
        assert_int_equal(json_array_size(row), PICTURE_CLASSES);
        assert_true(picture_judge_look(j, &all[i], 1, &one, &err));
        for (int c = 0; c < PICTURE_CLASSES; c++) {
            float want = (float)json_real_value(json_array_get(row, (size_t)c));
            if (!(together[i].p[c] - want < 2e-4f && want - together[i].p[c] < 2e-4f) ||
                !(one.p[c] - want < 2e-4f && want - one.p[c] < 2e-4f))
                fail_msg("%s: %s is %.6f, alone %.6f; nsfwjs says %.6f", PICTURES[i].name, PICTURE_CLASS_NAMES[c],
                         (double)together[i].p[c], (double)one.p[c], (double)want);
        }
        image_deinit(&all[i]);
    }
    picture_judge_close(j);
    json_decref(expected);
}

/* The judge computes with AVX2, which other backends of the process are not bound to: what they make at run time still
 * works. */
static void leaves_other_backends_alone(void **state)
{
    SoraError err = {0};
    static float x[2 * 24 * 24 * 12], w[32 * 12 * 9];
    PictureJudge *j = open_judge();
    Image p = {0};
    PictureScores scores;
    draw(&p, 0);
    assert_true(picture_judge_look(j, &p, 1, &scores, &err));
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = 1}, &err);
    Graph *g = graph_new(backend);
    op_conv(g, graph_input(g, DTYPE_F32, SHAPE(2, 1, 24, 24, 12), x),
            graph_input(g, DTYPE_F32, SHAPE(32, 12, 1, 3, 3), w), NULL, (ConvShape){{1, 1, 1}, {0, 0, 1, 1, 1, 1}});
    if (!graph_ok(g, &err))
        fail_msg("%s", err.message);
    graph_free(g);
    cpu_backend_free(backend);
    image_deinit(&p);
    picture_judge_close(j);
}

static void write_text(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_true(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* What npm's bundles look like, with a member name, a number and a truth as a minifier writes them. */
static void a_model_in_javascript_is_read(void **state)
{
    static const char MODEL[] =
        "!function(e){var s={};s.exports={modelTopology:{x:!0,y:[!1,null]},weightsManifest:[{paths:[\"%s\"],weights:["
        "{name:\"a/kernel\",shape:[2,2],dtype:\"float32\",quantization:{min:-.5,scale:25e-2,dtype:\"uint8\"}},"
        "{name:\"a/bias\",shape:[1],dtype:\"float32\",quantization:{min:-0,scale:1,dtype:\"uint8\"}}]}]}},{}]";
    SoraError err = {0};
    char text[1024];
    snprintf(text, sizeof text, MODEL, "s1of1");
    write_text("model.min.js", text);
    write_text("s1of1.min.js", "function(){t.exports=\"AAEC/wc=\"},{}]"); /* 0 1 2 255 7 */
    assert_true(tfjs_recognised(dir));
    TfjsModel *m = tfjs_open(dir, &err);
    if (m == NULL)
        fail_msg("%s", err.message);
    const TfjsTensor *kernel = tfjs_find(m, "a/kernel"), *bias = tfjs_find(m, "a/bias");
    assert_true(kernel != NULL && bias != NULL && tfjs_find(m, "a") == NULL);
    assert_int_equal(kernel->tensor.ndim, 2);
    assert_memory_equal(kernel->tensor.data, ((uint8_t[]){0, 1, 2, 255}), 4);
    assert_true(kernel->minimum == -0.5 && kernel->scale == 0.25);
    assert_int_equal(*(uint8_t *)bias->tensor.data, 7);
    tfjs_close(m);
    write_text("s1of1.min.js", "t.exports=\"AAEC/wc\"");
    assert_null(tfjs_open(dir, &err));
    assert_non_null(strstr(err.message, "no base64"));
    write_text("s1of1.min.js", "t.exports=\"AAEC\"");
    assert_null(tfjs_open(dir, &err));
    assert_non_null(strstr(err.message, "the files end before tensor \"a/kernel\""));
    snprintf(text, sizeof text, MODEL, "../s1of1");
    write_text("model.min.js", text);
    assert_null(tfjs_open(dir, &err));
    assert_non_null(strstr(err.message, "names no file beside it"));
    assert_false(mobilenet_convert(dir, "never", &err));
    assert_false(dir_exists("never"));
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_pictures(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_other_backends_alone),
        cmocka_unit_test(says_what_the_original_says),
        cmocka_unit_test(a_model_in_javascript_is_read),
    };
    return cmocka_run_group_tests_name("screen", tests, setup, teardown);
}
