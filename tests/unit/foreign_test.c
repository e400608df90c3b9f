/* Files that users bring, decoded in a child: the same as without one, turned upright, within limits; and what the caller
 * hears when the child dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "media/child.h"
#include "media/foreign.h"
#include "media/video_writer.h"
#include "unit/temp_dir.h"

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
    return paths[next];
}

static void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static const ForeignLimits HERE = {.here = true};

/* --- the same as in this process --- */

static void a_picture_is_the_same(void **state)
{
    static const char *const KINDS[] = {"jpg", "webp", "bmp", "gif", "tiff"};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        char path[64];
        SoraError err = {0};
        Image there, here, plain, memory;
        size_t size;
        snprintf(path, sizeof path, "tests/data/pictures/corners.%s", KINDS[i]);
        if (!foreign_picture(&there, path, NULL, &err) || !foreign_picture(&here, path, &HERE, &err) ||
            !image_read(&plain, path, &err))
            fail_msg("%s", err.message);
        assert_true(there.width == 32 && there.height == 16 && here.width == 32 && here.height == 16);
        assert_memory_equal(there.rgb, here.rgb, 32 * 16 * 3);
        assert_memory_equal(there.rgb, plain.rgb, 32 * 16 * 3);
        char *bytes = file_read(path, 1 << 20, &size, &err);
        for (int k = 0; k < 2; k++) {
            assert_true(foreign_picture_memory(&memory, bytes, size, "encoded", k == 0 ? NULL : &HERE, &err));
            assert_memory_equal(memory.rgb, plain.rgb, 32 * 16 * 3);
            image_deinit(&memory);
        }
        assert_false(foreign_picture_memory(&memory, bytes, 10, "encoded", NULL, &err));
        assert_memory_equal(err.message, "encoded: ", 9);
        free(bytes);
        image_deinit(&there);
        image_deinit(&here);
        image_deinit(&plain);
    }
}

static void write_video(const char *path, int frames)
{
    SoraError err = {0};
    uint8_t rgb[64 * 48 * 3];
    VideoWriter *w = video_writer_open(path, &(VideoFormat){64, 48, 12, NULL, NULL}, &err);
    assert_non_null(w);
    for (int i = 0; i < frames; i++) {
        for (size_t k = 0; k < sizeof rgb; k++)
            rgb[k] = (uint8_t)(k / 3 % 64 * 3 + (size_t)i * 20);
        assert_true(video_writer_write(w, rgb, &err));
    }
    assert_true(video_writer_commit(w, &err));
}

static void a_video_is_the_same(void **state)
{
    static const VideoReaderOptions OPTIONS[] = {{0}, {.width = 20, .height = 31, .fps = 7}};
    write_video(in_dir("a.mp4"), 9);
    for (int i = 0; i < 2; i++) {
        SoraError err = {0};
        ForeignVideo *there = foreign_video_open(in_dir("a.mp4"), &OPTIONS[i], NULL, &err);
        ForeignVideo *here = foreign_video_open(in_dir("a.mp4"), &OPTIONS[i], &HERE, &err);
        assert_true(there != NULL && here != NULL);
        size_t bytes = 3 * (size_t)foreign_video_width(here) * (size_t)foreign_video_height(here);
        assert_int_equal(foreign_video_width(there), foreign_video_width(here));
        assert_int_equal(foreign_video_height(there), foreign_video_height(here));
        assert_true(foreign_video_fps(there) == foreign_video_fps(here));
        const uint8_t *a, *b;
        int frames = 0;
        do {
            assert_true(foreign_video_read(there, &a, &err) && foreign_video_read(here, &b, &err));
            assert_true((a == NULL) == (b == NULL));
            if (a != NULL)
                assert_memory_equal(a, b, bytes);
            frames += a != NULL;
        } while (a != NULL);
        assert_true(i == 0 ? frames == 9 : frames > 3);
        assert_true(foreign_video_read(there, &a, &err) && a == NULL); /* it stays at its end */
        foreign_video_close(there);
        foreign_video_close(here);
    }
    /* Nobody waits for a child whose reader has had enough. */
    SoraError err = {0};
    const uint8_t *rgb;
    ForeignVideo *v = foreign_video_open(in_dir("a.mp4"), &OPTIONS[0], NULL, &err);
    assert_true(foreign_video_read(v, &rgb, &err) && rgb != NULL);
    foreign_video_close(v);
}

static void errors_come_through(void **state)
{
    for (int i = 0; i < 2; i++) {
        const ForeignLimits *limits = i == 0 ? NULL : &HERE;
        SoraError err = {0};
        Image image;
        assert_false(foreign_picture(&image, in_dir("none.png"), limits, &err));
        assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
        write_bytes(in_dir("text.png"), "hello", 5);
        assert_false(foreign_picture(&image, in_dir("text.png"), limits, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_non_null(strstr(err.message, "text.png: not a picture"));
        assert_null(image.rgb);
        assert_null(foreign_video_open(in_dir("text.png"), &(VideoReaderOptions){0}, limits, &err));
        assert_non_null(strstr(err.message, "text.png: not a video"));
    }
}

/* --- upright --- */

/* 'r', 'l', 'b' or 'y': red, lime, blue, yellow. */
static char colour_at(const Image *image, int x, int y)
{
    const uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
    return p[0] > 128 ? (p[1] > 128 ? 'y' : 'r') : p[1] > 128 ? 'l' : 'b';
}

static void expect_corners(const char *path, int orientation)
{
    static const char *const UPRIGHT[] = {"rlby", "lryb", "yblr", "byrl", "rbly", "bryl", "ylbr", "lyrb"};
    SoraError err = {0};
    Image i;
    if (!foreign_picture(&i, path, NULL, &err))
        fail_msg("%s", err.message);
    char found[5] = {colour_at(&i, 2, 2), colour_at(&i, i.width - 3, 2), colour_at(&i, 2, i.height - 3),
                     colour_at(&i, i.width - 3, i.height - 3), 0};
    if (i.width != (orientation < 5 ? 32 : 16) || strcmp(found, UPRIGHT[orientation - 1]) != 0)
        fail_msg("%s, orientation %d: %dx%d, %s", path, orientation, i.width, i.height, found);
    image_deinit(&i);
}

/* A TIFF structure with nothing but the tag. */
static size_t make_exif(uint8_t *out, int orientation, bool little)
{
    static const uint8_t LITTLE[] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t BIG[] = {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(out, little ? LITTLE : BIG, sizeof LITTLE);
    out[little ? 18 : 19] = (uint8_t)orientation;
    return sizeof LITTLE;
}

static uint32_t crc(const uint8_t *data, size_t size)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        c ^= data[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
    }
    return ~c;
}

static void put_big(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void png_is_turned_upright(void **state)
{
    SoraError err = {0};
    Image corners;
    size_t size;
    assert_true(image_read(&corners, "tests/data/pictures/corners.bmp", &err));
    assert_true(image_write_png(&corners, in_dir("plain.png"), NULL, NULL, &err));
    image_deinit(&corners);
    uint8_t *png = (uint8_t *)file_read(in_dir("plain.png"), 1 << 20, &size, &err);
    for (int i = 1; i <= 8; i++) {
        uint8_t chunk[64];
        size_t n = make_exif(chunk + 8, i, i % 2);
        put_big(chunk, (uint32_t)n);
        memcpy(chunk + 4, "eXIf", 4);
        put_big(chunk + 8 + n, crc(chunk + 4, n + 4));
        FILE *f = fopen(in_dir("turned.png"), "wb");
        fwrite(png, 1, 33, f); /* signature and IHDR */
        fwrite(chunk, 1, n + 12, f);
        fwrite(png + 33, 1, size - 33, f);
        fclose(f);
        expect_corners(in_dir("turned.png"), i);
    }
    free(png);
}

static void webp_is_turned_upright(void **state)
{
    SoraError err = {0};
    size_t size;
    uint8_t *webp = (uint8_t *)file_read("tests/data/pictures/corners.webp", 1 << 20, &size, &err);
    for (int i = 1; i <= 8; i++) {
        uint8_t chunk[64] = "EXIF";
        memcpy(chunk + 8, "Exif\0\0", 6); /* some writers put it before */
        size_t before = i > 4 ? 6 : 0, n = before + make_exif(chunk + 8 + before, i, i % 2);
        chunk[4] = (uint8_t)n;
        uint32_t riff = (uint32_t)(size + n); /* 8 less, and 8 more for the chunk's header */
        memcpy(webp + 4, &riff, 4);
        FILE *f = fopen(in_dir("turned.webp"), "wb");
        fwrite(webp, 1, size, f);
        fwrite(chunk, 1, n + 8, f);
        fclose(f);
        expect_corners(in_dir("turned.webp"), i);
    }
    free(webp);
}

/* The directory is written again at the end, with one more entry. */
static void tiff_is_turned_upright(void **state)
{
    SoraError err = {0};
    size_t size;
    uint8_t *tiff = (uint8_t *)file_read("tests/data/pictures/corners.tiff", 1 << 20, &size, &err);
    assert_memory_equal(tiff, "II*\0", 4);
    uint32_t at;
    uint16_t count;
    memcpy(&at, tiff + 4, 4);
    memcpy(&count, tiff + at, 2);
    for (int i = 1; i <= 8; i++) {
        uint8_t exif[64], none[4] = {0};
        make_exif(exif, i, true);
        uint32_t end = (uint32_t)(size + (size & 1));
        uint16_t entries = 0;
        FILE *f = fopen(in_dir("turned.tiff"), "wb+");
        fwrite(tiff, 1, size, f);
        fseek(f, 4, SEEK_SET);
        fwrite(&end, 4, 1, f);
        fseek(f, end + 2, SEEK_SET);
        bool written = false;
        for (int k = 0; k <= count; k++) { /* in ascending order of their tags */
            const uint8_t *entry = tiff + at + 2 + 12 * k;
            uint16_t tag = 0xffff;
            if (k < count)
                memcpy(&tag, entry, 2);
            if (!written && tag >= 0x0112) {
                fwrite(exif + 10, 1, 12, f);
                entries++;
                written = true;
            }
            if (k < count && tag != 0x0112) {
                fwrite(entry, 1, 12, f);
                entries++;
            }
        }
        fwrite(none, 1, 4, f);
        fseek(f, end, SEEK_SET);
        fwrite(&entries, 2, 1, f);
        fclose(f);
        expect_corners(in_dir("turned.tiff"), i);
    }
    free(tiff);
}

/* --- limits --- */

static void large_pictures_are_counted_before(void **state)
{
    SoraError err = {0};
    Image big;
    assert_true(image_init(&big, 2000, 1000, &err)); /* 2 million pixels: 6 MB here, 12 in the child */
    assert_true(image_write_png(&big, in_dir("big.png"), NULL, NULL, &err));
    image_deinit(&big);
    for (int here = 0; here < 2; here++) {
        ForeignLimits limits = {.memory = 10000000, .here = here};
        assert_false(foreign_picture(&big, in_dir("big.png"), &limits, &err));
        assert_int_equal(err.code, SORA_ERROR_MEMORY);
        assert_non_null(strstr(err.message, "big.png: a picture of 2000x1000 pixels takes 0.02 GB to decode, 0.01 GB are left"));
        limits.memory = 30000000;
        assert_true(foreign_picture(&big, in_dir("big.png"), &limits, &err));
        image_deinit(&big);
        limits.bytes_per_pixel = 15; /* what the caller makes of it */
        assert_false(foreign_picture(&big, in_dir("big.png"), &limits, &err));
        assert_int_equal(err.code, SORA_ERROR_MEMORY);
    }
    /* The header of a JPEG is enough to know; FFmpeg wants to see some bytes for so many pixels. */
    static const uint8_t HEADER[] = {0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0x3e, 0x80, 0x3e, 0x80, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0};
    static uint8_t jpeg[3 << 19];
    memcpy(jpeg, HEADER, sizeof HEADER);
    write_bytes(in_dir("huge.jpg"), jpeg, sizeof jpeg);
    assert_false(foreign_picture(&big, in_dir("huge.jpg"), NULL, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    if (strstr(err.message, "huge.jpg: 16000x16000 pixels: 134 million and 16384 a side are read") == NULL)
        fail_msg("%s", err.message);
}

/* --- the child --- */

typedef enum Deed { CRASH, ABORT, LOOP, VANISH, GARBAGE, FAIL, GREED, TALK } Deed;

static bool misbehave(void *user, const Outlet *out, SoraError *err)
{
    Message m = {.kind = MESSAGE_DATA, .bytes = 3};
    switch (*(Deed *)user) {
    case CRASH:
        raise(SIGSEGV);
        break;
    case ABORT:
        abort();
    case LOOP:
        for (volatile unsigned i = 0;; i++)
            ;
    case VANISH:
        _exit(0);
    case GARBAGE:
        outlet_append(out, "xyz", 3);
        _exit(0);
    case FAIL:
        return error_set(err, SORA_ERROR_UNSUPPORTED, "x: \033[31m");
    case GREED:
        return malloc((size_t)1 << 40) != NULL || error_set(err, SORA_ERROR_MEMORY, "x: out of memory");
    case TALK:
        return outlet_send(out, &m, "abc");
    }
    return true;
}

static void a_child_that_dies_is_explained(void **state)
{
    static const struct {
        Deed deed;
        SoraErrorCode code;
        const char *words;
    } CASES[] = {
        {CRASH, SORA_ERROR_INPUT, "a.webp: the decoder crashed on this file"},
        {ABORT, SORA_ERROR_INPUT, "a.webp: the decoder crashed on this file"},
        {LOOP, SORA_ERROR_INPUT, "a.webp: decoding it took more than 1 s of processor time"},
        {VANISH, SORA_ERROR_INPUT, "a.webp: the decoder crashed on this file (it ended without a word)"},
        {GARBAGE, SORA_ERROR_INPUT, "a.webp: the decoder crashed on this file"},
        {FAIL, SORA_ERROR_UNSUPPORTED, "x: ?[31m"},
        {GREED, SORA_ERROR_MEMORY, "x: out of memory"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SoraError err = {0};
        Message m;
        Deed deed = CASES[i].deed;
        ChildPlan plan = {misbehave, &deed, "a.webp", 1 << 30, deed == LOOP ? 1 : 60};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        if (deed == GREED) /* their allocators end the process */
            continue;
#endif
        Child *c = child_start(&plan, &err);
        assert_non_null(c);
        assert_false(child_receive(c, &m, &err));
        child_end(c);
        if (err.code != CASES[i].code || strstr(err.message, CASES[i].words) == NULL)
            fail_msg("case %zu: %d: %s", i, (int)err.code, err.message);
    }
}

static void a_child_talks_and_ends(void **state)
{
    SoraError err = {0};
    Message m;
    Deed deed = TALK;
    char text[4] = "";
    ChildPlan plan = {misbehave, &deed, "a.webp", 1 << 30, 60};
    Child *c = child_start(&plan, &err);
    assert_non_null(c);
    assert_true(child_receive(c, &m, &err));
    assert_true(m.kind == MESSAGE_DATA && m.bytes == 3);
    assert_true(child_read(c, text, 3, &err));
    assert_string_equal(text, "abc");
    assert_true(child_receive(c, &m, &err));
    assert_int_equal(m.kind, MESSAGE_END);
    child_end(c);
    deed = LOOP; /* one that is still at it */
    c = child_start(&plan, &err);
    child_end(c);
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
/* Says which of the things that a decoder never does could be done. */
static bool reach_out(void *user, const Outlet *out, SoraError *err)
{
    const char *path = user;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
        return error_set(err, SORA_ERROR_INTERNAL, "a socket");
    if (unlink(path) == 0 || mkdir(path, 0700) == 0 || rename(path, path) == 0)
        return error_set(err, SORA_ERROR_INTERNAL, "a change in the file system");
    char *const arguments[] = {(char *)"true", NULL};
    execv("/bin/true", arguments);
    return errno == EPERM || error_set(err, SORA_ERROR_INTERNAL, "a program");
}

static void a_child_reaches_nothing(void **state)
{
    SoraError err = {0};
    Message m;
    const char *path = in_dir("kept");
    write_bytes(path, "x", 1);
    ChildPlan plan = {reach_out, (void *)path, "a.webp", 1 << 30, 60};
    Child *c = child_start(&plan, &err);
    assert_non_null(c);
    if (!child_receive(c, &m, &err))
        print_error("%s\n", err.message);
    assert_int_equal(err.code, SORA_OK);
    assert_int_equal(m.kind, MESSAGE_END);
    child_end(c);
    assert_int_equal(access(path, F_OK), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(a_child_reaches_nothing),
#endif
        cmocka_unit_test(a_picture_is_the_same),
        cmocka_unit_test(a_video_is_the_same),
        cmocka_unit_test(errors_come_through),
        cmocka_unit_test(png_is_turned_upright),
        cmocka_unit_test(webp_is_turned_upright),
        cmocka_unit_test(tiff_is_turned_upright),
        cmocka_unit_test(large_pictures_are_counted_before),
        cmocka_unit_test(a_child_that_dies_is_explained),
        cmocka_unit_test(a_child_talks_and_ends),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
