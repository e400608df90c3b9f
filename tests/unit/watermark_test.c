#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "media/watermark.h"

typedef struct Box {
    int x0, y0, x1, y1; /* of what changed; x1 and y1 exclusive, 0 when nothing did */
    int lightest, darkest, most; /* luma in it, and the most that a pixel changed */
} Box;

/* Draws into a frame of one grey and looks at what became of it. */
static Box draw(int width, int height, int grey, WatermarkTime time)
{
    size_t size = (size_t)width * (size_t)height * 3;
    uint8_t *rgb = malloc(size);
    Watermark *w = watermark_new(width, height, NULL);
    assert_true(rgb != NULL && w != NULL);
    memset(rgb, grey, size);
    watermark_draw(w, rgb, &time);
    Box b = {width, height, 0, 0, 0, 255, 0};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int v = rgb[3 * (y * width + x)], apart = abs(v - grey);
            if (apart <= 8)
                continue;
            b.x0 = x < b.x0 ? x : b.x0;
            b.x1 = x >= b.x1 ? x + 1 : b.x1;
            b.y0 = y < b.y0 ? y : b.y0;
            b.y1 = y >= b.y1 ? y + 1 : b.y1;
            b.lightest = v > b.lightest ? v : b.lightest;
            b.darkest = v < b.darkest ? v : b.darkest;
            b.most = apart > b.most ? apart : b.most;
        }
    watermark_free(w);
    free(rgb);
    return b;
}

static void test_seen_on_light_and_dark(void **state)
{
    static const int sizes[][2] = {{128, 128}, {480, 832}, {832, 480}, {1280, 720}, {160, 96}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int grey = 0; grey <= 255; grey += 51) {
            int width = sizes[k][0], height = sizes[k][1];
            Box b = draw(width, height, grey, (WatermarkTime){0, 10});
            assert_true(b.most > 100);
            /* Its letters are light, and something dark surrounds them where the picture is light. */
            assert_true(b.lightest > 200);
            assert_true(grey < 100 || b.darkest < 90);
            assert_true((b.x1 - b.x0) * 2 < width + 40 && (b.y1 - b.y0) * 4 < height);
        }
}

static void test_moves(void **state)
{
    Box first = draw(128, 128, 0, (WatermarkTime){0.5, 30}), same = draw(128, 128, 0, (WatermarkTime){2.9, 30});
    assert_memory_equal(&first, &same, sizeof first);
    for (int i = 1; i < 7; i++) {
        Box a = draw(128, 128, 0, (WatermarkTime){3 * i - 0.5, 30});
        Box b = draw(128, 128, 0, (WatermarkTime){3 * i + 0.5, 30});
        assert_true(abs(a.x0 - b.x0) + abs(a.y0 - b.y0) > 30);
    }
    /* In a short video it moves too; a picture has one. */
    Box begin = draw(128, 128, 0, (WatermarkTime){0, 17 / 12.}), end = draw(128, 128, 0, (WatermarkTime){16 / 12., 17 / 12.});
    assert_true(abs(begin.x0 - end.x0) + abs(begin.y0 - end.y0) > 30);
    assert_true(draw(128, 128, 0, (WatermarkTime){0, 0}).most > 100);
}

static void test_never_gone(void **state)
{
    for (double t = 0; t < 12; t += 0.02)
        assert_true(draw(128, 128, 0, (WatermarkTime){t, 12}).most > 90);
}

/* Frames smaller than the mark, one pixel, odd ones: nothing is written outside. */
static void test_any_size(void **state)
{
    for (int width = 1; width < 90; width += 7)
        for (int height = 1; height < 90; height += 11)
            for (double t = 0; t < 20; t += 3.1)
                draw(width, height, 128, (WatermarkTime){t, 20});
    draw(4096, 16, 0, (WatermarkTime){1, 2});
}

static void test_odd_times(void **state)
{
    draw(64, 64, 0, (WatermarkTime){-1, 10});
    draw(64, 64, 0, (WatermarkTime){1e12, 1e12});
    draw(64, 64, 0, (WatermarkTime){5, 1e-9});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen_on_light_and_dark), cmocka_unit_test(test_moves), cmocka_unit_test(test_never_gone),
        cmocka_unit_test(test_any_size), cmocka_unit_test(test_odd_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
