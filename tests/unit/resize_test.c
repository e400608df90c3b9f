/* Pictures in other sizes: Pillow's Lanczos against the reference's fixtures, and PyTorch's bicubic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "media/pixels.h"
#include "media/video_writer.h"

/* The bytes of a U8 tensor of a safetensors file that is in memory. */
static const uint8_t *find_tensor(const FileMap *file, json_t *header, const char *name, int *height,
                                  int *width)
{
    json_t *entry = json_object_get(header, name), *shape = json_object_get(entry, "shape");
    *height = (int)json_integer_value(json_array_get(shape, 0));
    *width = (int)json_integer_value(json_array_get(shape, 1));
    uint64_t length;
    memcpy(&length, file->data, 8);
    return file->data + 8 + length +
           json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0));
}

static void lanczos_is_pils(void **state)
{
    const char *fixtures = getenv("SORA_FIXTURES");
    char path[512];
    snprintf(path, sizeof path, "%s/ops.safetensors", fixtures ? fixtures : "../shared/fixtures/wan");
    SoraError err = {0};
    FileMap file;
    if (!file_map_open(&file, path, &err)) {
        print_message("skipped: %s\n", err.message);
        skip();
    }
    uint64_t length;
    memcpy(&length, file.data, 8);
    json_t *header = json_loadb((const char *)file.data + 8, length, 0, NULL);
    assert_non_null(header);
    int height, width;
    const uint8_t *source = find_tensor(&file, header, "resize.u8_hwc", &height, &width);
    Image in = {width, height, (uint8_t *)(uintptr_t)source}, out;
    static const char *const names[] = {"48x64", "24x32", "37x40"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "resize.pil_lanczos_u8.%s", names[i]);
        const uint8_t *expected = find_tensor(&file, header, name, &height, &width);
        assert_true(image_resize(&out, &in, width, height, &err));
        int worst = 0;
        for (int k = 0; k < 3 * width * height; k++)
            worst = abs(out.rgb[k] - expected[k]) > worst ? abs(out.rgb[k] - expected[k]) : worst;
        print_message("lanczos %s: worst difference %d\n", names[i], worst);
        assert_true(worst <= 1);
        image_deinit(&out);
    }
    json_decref(header);
    file_map_close(&file);
}

/* That it is PyTorch's is a golden case. */
static void bicubic_keeps_what_need_not_change(void **state)
{
    SoraError err = {0};
    Pixels in, out;
    assert_true(pixels_init(&in, 5, 3, &err));
    for (int i = 0; i < 5 * 3 * 3; i++)
        in.rgb[i] = (float)(i * 7 % 11) / 5 - 1;
    assert_true(pixels_resize(&out, &in, 5, 3, &err));
    assert_memory_equal(out.rgb, in.rgb, 5 * 3 * 3 * sizeof(float));
    pixels_deinit(&out);
    for (int i = 0; i < 5 * 3 * 3; i++)
        in.rgb[i] = 0.25f;
    assert_true(pixels_resize(&out, &in, 64, 1, &err)); /* the edges are repeated */
    for (int i = 0; i < 64 * 3; i++)
        assert_float_equal(out.rgb[i], 0.25f, 1e-6);
    pixels_deinit(&out);
    assert_false(pixels_resize(&out, &in, 0, 3, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_null(out.rgb);
    pixels_deinit(&in);
}

/* What a scaled writer puts into its file is the frame, resized. */
static void frames_are_written_larger(void **state)
{
    char path[] = "/tmp/sora-scaled-XXXXXX.png";
    SoraError err = {0};
    Image frame, larger, read;
    assert_true(close(mkstemps(path, 4)) == 0);
    assert_true(image_init(&frame, 7, 5, &err));
    for (int i = 0; i < 7 * 5 * 3; i++)
        frame.rgb[i] = (uint8_t)(i * 37);
    VideoWriter *w = video_writer_open_scaled(path, &(VideoFormat){7, 5, 12, NULL, NULL}, 3, &err);
    assert_non_null(w);
    assert_true(video_writer_write(w, frame.rgb, &err) && video_writer_commit(w, &err));
    assert_true(image_read(&read, path, &err) && image_resize(&larger, &frame, 21, 15, &err));
    assert_int_equal(read.width, 21);
    assert_int_equal(read.height, 15);
    assert_memory_equal(read.rgb, larger.rgb, 21 * 15 * 3);
    image_deinit(&frame);
    image_deinit(&larger);
    image_deinit(&read);
    remove(path);
    /* The size that is written is the one that must be possible. */
    assert_null(video_writer_open_scaled("a.mp4", &(VideoFormat){4096, 2, 12, NULL, NULL}, 8, &err));
    assert_string_equal(err.message, "a.mp4: a video of 32768x16 pixels cannot be written");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanczos_is_pils),
        cmocka_unit_test(bicubic_keeps_what_need_not_change),
        cmocka_unit_test(frames_are_written_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
