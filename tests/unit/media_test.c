#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "media/image.h"
#include "media/lettering.h"
#include "media/sheet.h"
#include "media/video_reader.h"
#include "media/video_writer.h"

static char dir[] = "/tmp/sora-media-test-XXXXXX";

static int make_dir(void **state)
{
    return mkdtemp(dir) == NULL;
}

static const char *in_dir(const char *name)
{
    static char paths[4][320];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* Removes every file of the folder and says how many there were. */
static int empty_dir(void)
{
    int count = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] != '.') {
            unlink(in_dir(e->d_name));
            count++;
        }
    }
    closedir(d);
    return count;
}

static int remove_dir(void **state)
{
    empty_dir();
    return rmdir(dir);
}

static void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

/* A square that moves right over four plain colours. */
static void draw_frame(uint8_t *rgb, int width, int height, int t)
{
    static const uint8_t colors[4][3] = {{200, 30, 40}, {30, 160, 60}, {40, 60, 200}, {220, 200, 40}};
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const uint8_t *c = colors[(x >= width / 2) + 2 * (y >= height / 2)];
            int inside = x >= 2 * t && x < 2 * t + 8 && y >= 4 && y < 12;
            for (int k = 0; k < 3; k++)
                rgb[3 * (y * width + x) + k] = inside ? 250 : c[k];
        }
    }
}

static bool write_video(const char *path, int width, int height, int frames, double fps, SoraError *err)
{
    VideoFormat format = {width, height, fps, "a \"dog\" walks",
                          "{\"seed\": 7, \"prompt\": \"\xe7\x8a\xac\"}"};
    VideoWriter *w = video_writer_open(path, &format, err);
    if (w == NULL)
        return false;
    uint8_t *rgb = malloc(3 * (size_t)width * (size_t)height);
    for (int t = 0; t < frames; t++) {
        draw_frame(rgb, width, height, t);
        if (!video_writer_write(w, rgb, err)) {
            video_writer_abort(w);
            free(rgb);
            return false;
        }
    }
    free(rgb);
    return video_writer_commit(w, err);
}

/* Mean absolute difference of the frames of a file from draw_frame()'s. */
static double read_back(const char *path, int width, int height, int frames, double fps)
{
    SoraError err = {0};
    VideoReader *r = video_reader_open(path, &(VideoReaderOptions){0}, &err);
    if (r == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(video_reader_width(r), width);
    assert_int_equal(video_reader_height(r), height);
    assert_true(video_reader_fps(r) > fps * 0.95 && video_reader_fps(r) < fps * 1.05);
    uint8_t *expected = malloc(3 * (size_t)width * (size_t)height);
    const uint8_t *rgb;
    double sum = 0;
    int t = 0;
    for (; video_reader_read(r, &rgb, &err) && rgb != NULL; t++) {
        draw_frame(expected, width, height, t);
        for (int i = 0; i < 3 * width * height; i++)
            sum += abs(rgb[i] - expected[i]);
    }
    assert_string_equal(err.message, "");
    assert_int_equal(t, frames);
    free(expected);
    video_reader_close(r);
    return sum / (3.0 * width * height * frames);
}

static void videos_survive_writing_and_reading(void **state)
{
    SoraError err = {0};
    static const struct {
        const char *name;
        int width, height;
        double error; /* mean, of 255; BT.601 taken for BT.709 gives more than 6 */
    } cases[] = {
        {"a.mp4", 64, 48, 2.5}, {"b.webm", 64, 48, 3}, {"c.WEBM", 63, 47, 5}, {"d.gif", 64, 48, 0.01}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!write_video(in_dir(cases[i].name), cases[i].width, cases[i].height, 17, 12, &err))
            fail_msg("%s", err.message);
        print_message("%s: ", cases[i].name);
        double error = read_back(in_dir(cases[i].name), cases[i].width, cases[i].height, 17, 12);
        print_message("mean error %.3f of 255\n", error);
        if (error > cases[i].error)
            fail_msg("%s: mean error %g", cases[i].name, error);
    }
    assert_int_equal(empty_dir(), 4);
}

static bool contains(const char *path, const char *text)
{
    size_t size, n = strlen(text);
    char *data = file_read(path, 1 << 24, &size, NULL);
    bool found = false;
    for (size_t i = 0; data != NULL && i + n <= size && !found; i++)
        found = memcmp(data + i, text, n) == 0;
    free(data);
    return found;
}

static void parameters_are_stored(void **state)
{
    SoraError err = {0};
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif", "a.png", "a.jpg", "a.webp"};
    for (int i = 0; i < 6; i++) {
        assert_true(write_video(in_dir(names[i]), 32, 32, i >= 3 ? 1 : 13, 12, &err));
        assert_true(contains(in_dir(names[i]), "{\"seed\": 7, \"prompt\": \"\xe7\x8a\xac\"}"));
    }
    VideoReader *r = video_reader_open(in_dir("a.mp4"), &(VideoReaderOptions){0}, &err);
    assert_non_null(r);
    assert_string_equal(video_reader_metadata(r, "title"), "a \"dog\" walks");
    assert_null(video_reader_metadata(r, "no such key"));
    video_reader_close(r);
    /* The comment must not hurt the GIF, nor the text chunk the PNG. */
    assert_true(read_back(in_dir("a.gif"), 32, 32, 13, 12) < 0.01);
    Image image;
    assert_true(image_read(&image, in_dir("a.png"), &err));
    assert_true(contains(in_dir("a.png"), "tEXtTitle"));
    assert_true(contains(in_dir("a.png"), "iTXtComment"));
    image_deinit(&image);
    empty_dir();
}

static void mp4_can_start_before_it_is_loaded(void **state)
{
    SoraError err = {0};
    assert_true(write_video(in_dir("a.mp4"), 64, 64, 9, 12, &err));
    size_t size;
    char *data = file_read(in_dir("a.mp4"), 1 << 24, &size, &err);
    char *moov = memmem(data, size, "moov", 4), *mdat = memmem(data, size, "mdat", 4);
    assert_true(moov != NULL && mdat != NULL && moov < mdat);
    free(data);
    /* The same frames give the same bytes. */
    assert_true(write_video(in_dir("b.mp4"), 64, 64, 9, 12, &err));
    size_t size2;
    data = file_read(in_dir("a.mp4"), 1 << 24, &size, &err);
    char *data2 = file_read(in_dir("b.mp4"), 1 << 24, &size2, &err);
    assert_int_equal(size, size2);
    assert_memory_equal(data, data2, size);
    free(data);
    free(data2);
    empty_dir();
}

/* JPEG and WebP lose little, and are read again by what reads everybody's. */
static void pictures_lose_little(void **state)
{
    static const struct {
        const char *name;
        double error; /* mean, of 255 */
    } cases[] = {{"a.jpg", 2}, {"b.JPEG", 2}, {"c.webp", 6}}; /* WebP halves the colours; the frame is full of them */
    SoraError err = {0};
    uint8_t expected[3 * 63 * 47];
    draw_frame(expected, 63, 47, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!write_video(in_dir(cases[i].name), 63, 47, 1, 12, &err))
            fail_msg("%s", err.message);
        Image image;
        double sum = 0;
        assert_true(image_read(&image, in_dir(cases[i].name), &err));
        assert_int_equal(image.width, 63);
        assert_int_equal(image.height, 47);
        for (size_t k = 0; k < sizeof expected; k++)
            sum += abs(image.rgb[k] - expected[k]);
        print_message("%s: mean error %.3f of 255\n", cases[i].name, sum / sizeof expected);
        assert_true(sum / sizeof expected < cases[i].error);
        image_deinit(&image);
    }
    assert_true(write_video(in_dir("d.webp"), 20, 16, 2, 12, &err));
    assert_true(file_exists(in_dir("d-0001.webp")) && file_exists(in_dir("d-0002.webp")));
    assert_int_equal(empty_dir(), 5);
}

/* A comment longer than a JPEG's segment goes into several. */
static void long_comments_are_stored(void **state)
{
    static const char *const names[] = {"a.jpg", "a.webp", "a.png"};
    SoraError err = {0};
    static char comment[200001];
    memset(comment, 'x', sizeof comment - 1);
    memcpy(comment + sizeof comment - 6, "<end>", 5);
    uint8_t rgb[3 * 16 * 16] = {0};
    for (size_t i = 0; i < 3; i++) {
        VideoFormat format = {16, 16, 12, comment, comment};
        VideoWriter *w = video_writer_open(in_dir(names[i]), &format, &err);
        assert_non_null(w);
        assert_true(video_writer_write(w, rgb, &err) && video_writer_commit(w, &err));
        assert_true(contains(in_dir(names[i]), i == 1 ? "&lt;end&gt;" : "<end>"));
        Image image;
        assert_true(image_read(&image, in_dir(names[i]), &err));
        image_deinit(&image);
    }
    empty_dir();
}

static void png_is_one_file_or_numbered(void **state)
{
    SoraError err = {0};
    assert_true(write_video(in_dir("a.png"), 20, 10, 1, 12, &err));
    assert_true(file_exists(in_dir("a.png")));
    assert_int_equal(empty_dir(), 1);
    assert_true(write_video(in_dir("a.png"), 20, 16, 3, 12, &err));
    uint8_t expected[3 * 20 * 16];
    for (int t = 0; t < 3; t++) {
        char name[32];
        snprintf(name, sizeof name, "a-%04d.png", t + 1);
        Image image;
        assert_true(image_read(&image, in_dir(name), &err));
        assert_int_equal(image.width, 20);
        draw_frame(expected, 20, 16, t);
        assert_memory_equal(image.rgb, expected, sizeof expected);
        image_deinit(&image);
    }
    assert_int_equal(empty_dir(), 3);
}

static void abort_leaves_nothing(void **state)
{
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif", "a.png"};
    uint8_t rgb[3 * 32 * 32];
    for (int i = 0; i < 4; i++) {
        for (int frames = 0; frames < 4; frames++) {
            SoraError err = {0};
            VideoWriter *w =
                video_writer_open(in_dir(names[i]), &(VideoFormat){32, 32, 12, NULL, NULL}, &err);
            assert_non_null(w);
            for (int t = 0; t < frames; t++) {
                draw_frame(rgb, 32, 32, t);
                assert_true(video_writer_write(w, rgb, &err));
            }
            if (frames == 0) {
                assert_false(video_writer_commit(w, &err));
                assert_non_null(strstr(err.message, "no frames"));
            } else {
                video_writer_abort(w);
            }
            assert_int_equal(empty_dir(), 0);
        }
    }
    video_writer_abort(NULL);
}

static void expect_refused(const char *path, VideoFormat format, SoraErrorCode code, const char *part)
{
    SoraError err = {0};
    VideoWriter *w = video_writer_open(path, &format, &err);
    assert_null(w);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.message, part);
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(err.code, code);
    assert_int_equal(empty_dir(), 0);
}

static void bad_formats_are_refused(void **state)
{
    VideoFormat good = {32, 32, 12, NULL, NULL};
    expect_refused(in_dir("a.avi"), good, SORA_ERROR_INPUT, "unknown extension; known are .mp4");
    expect_refused(in_dir("a"), good, SORA_ERROR_INPUT, "no extension");
    expect_refused(in_dir(".mp4"), good, SORA_ERROR_INPUT, "no extension");
    expect_refused("", good, SORA_ERROR_INPUT, "not a file name");
    expect_refused("/nonexistent/a.mp4", good, SORA_ERROR_NOT_FOUND, "No such file");
    expect_refused("/nonexistent/a.png", good, SORA_ERROR_NOT_FOUND, "No such file");
    expect_refused(in_dir("a.mp4"), (VideoFormat){33, 32, 12, NULL, NULL}, SORA_ERROR_INPUT, "34x32 works");
    expect_refused(in_dir("a.mp4"), (VideoFormat){0, 32, 12, NULL, NULL}, SORA_ERROR_INPUT, "0x32");
    expect_refused(in_dir("a.mp4"), (VideoFormat){1 << 20, 1 << 20, 12, NULL, NULL}, SORA_ERROR_INPUT,
                   "pixels");
    expect_refused(in_dir("a.webp"), (VideoFormat){16384, 32, 12, NULL, NULL}, SORA_ERROR_INPUT,
                   "at most 16383 pixels a side");
    expect_refused("/nonexistent/a.jpg", good, SORA_ERROR_NOT_FOUND, "No such file");
    expect_refused(in_dir("a.gif"), (VideoFormat){32, 32, 60, NULL, NULL}, SORA_ERROR_INPUT,
                   "60 frames a second");
    expect_refused(in_dir("a.mp4"), (VideoFormat){32, 32, 0, NULL, NULL}, SORA_ERROR_INPUT,
                   "0 frames a second");
    SoraError err = {0};
    assert_true(video_writer_check(in_dir("a.mp4"), NULL, &err));
    assert_true(video_writer_check("a.gif", NULL, &err));
    assert_false(video_writer_check("/nonexistent/a.mp4", NULL, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_false(video_writer_check("/proc/a.mp4", NULL, &err));
    assert_false(video_writer_check("/tmp/", NULL, &err));
    assert_true(symlink(".", in_dir("folder.mp4")) == 0 &&
                !video_writer_check(in_dir("folder.mp4"), NULL, &err));
    assert_int_equal(err.code, SORA_ERROR_IO);
    empty_dir();
    VideoFormat odd = {31, 32, 12, NULL, NULL};
    assert_true(video_writer_check(in_dir("a.webm"), &odd, &err));
    assert_false(video_writer_check(in_dir("a.mp4"), &odd, &err));
}

/* A limit on the size of files acts like a full disk, at every moment of writing. */
static void full_disk_leaves_nothing(void **state)
{
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif", "a.png", "a.jpg", "a.webp"};
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 6; i++) {
        for (rlim_t size = 0; size <= 800; size += 400) {
            SoraError err = {0};
            small = (struct rlimit){size, old.rlim_max};
            setrlimit(RLIMIT_FSIZE, &small);
            bool ok = write_video(in_dir(names[i]), 128, 96, 30, 12, &err);
            setrlimit(RLIMIT_FSIZE, &old);
            if (i >= 3 && size > 0)
                assert_true(ok || err.code == SORA_ERROR_IO); /* flat pictures are small */
            else
                assert_false(ok);
            if (!ok) {
                if (err.code != SORA_ERROR_IO || strstr(err.message, "cannot write: ") == NULL)
                    fail_msg("%s at %d bytes: %s", names[i], (int)size, err.message);
                assert_int_equal(empty_dir(), 0);
            }
            empty_dir();
        }
    }
}

/* FFmpeg's functions read beyond a row; what the caller gives may end where its memory does. */
static void nothing_beyond_a_frame_is_read(void **state)
{
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif", "a.png", "a.jpg", "a.webp"};
    enum { WIDTH = 128, HEIGHT = 96, BYTES = WIDTH * HEIGHT * 3, ROOM = 1 << 16 };
    char *map = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + ROOM, ROOM, PROT_NONE), 0);
    uint8_t *rgb = (uint8_t *)map + ROOM - BYTES;
    for (int i = 0; i < 6; i++) {
        SoraError err = {0};
        VideoWriter *w = video_writer_open(in_dir(names[i]), &(VideoFormat){WIDTH, HEIGHT, 12, NULL, NULL}, &err);
        assert_non_null(w);
        for (int f = 0; f < 3; f++) {
            memset(rgb, 80 * f, BYTES);
            assert_true(video_writer_write(w, rgb, &err));
        }
        assert_true(video_writer_commit(w, &err));
        empty_dir();
    }
    munmap(map, 2 * ROOM);
}

static void frames_are_resampled_and_covered(void **state)
{
    SoraError err = {0};
    assert_true(write_video(in_dir("a.mp4"), 128, 64, 24, 24, &err));
    VideoReader *r = video_reader_open(in_dir("a.mp4"), &(VideoReaderOptions){.width = 32, .height = 32, .fps = 12}, &err);
    assert_non_null(r);
    assert_int_equal(video_reader_width(r), 32);
    const uint8_t *rgb, *first = NULL;
    int frames = 0;
    for (; video_reader_read(r, &rgb, &err) && rgb != NULL; frames++) {
        first = rgb + 3 * (20 * 32 + 2); /* lower left quarter: blue; the crop keeps the middle */
        assert_true(first[2] > 150 && first[0] < 90);
        assert_true(rgb[3 * (20 * 32 + 29)] > 180);
    }
    assert_true(frames >= 11 && frames <= 13);
    assert_true(video_reader_read(r, &rgb, &err) && rgb == NULL);
    video_reader_close(r);
    r = video_reader_open(in_dir("a.mp4"), &(VideoReaderOptions){.width = 50, .height = 31, .fps = 48}, &err);
    assert_non_null(r);
    for (frames = 0; video_reader_read(r, &rgb, &err) && rgb != NULL;)
        frames++;
    assert_true(frames >= 46 && frames <= 49);
    video_reader_close(r);
    empty_dir();
}

static void expect_unreadable(const char *path, SoraErrorCode code)
{
    SoraError err = {0};
    VideoReader *r = video_reader_open(path, &(VideoReaderOptions){.width = 32, .height = 32, .fps = 12}, &err);
    const uint8_t *rgb = NULL;
    bool ok = r != NULL;
    while (ok && (ok = video_reader_read(r, &rgb, &err)) && rgb != NULL)
        ;
    video_reader_close(r);
    assert_false(ok);
    if (err.code != code || strncmp(err.message, path, strlen(path)) != 0 ||
        strchr(err.message, '\n') != NULL)
        fail_msg("%d: %s", (int)err.code, err.message);
}

static void what_is_no_video_is_refused(void **state)
{
    expect_unreadable(in_dir("none.mp4"), SORA_ERROR_NOT_FOUND);
    expect_unreadable("/tmp", SORA_ERROR_INPUT);
    write_bytes(in_dir("empty.mp4"), "", 0);
    expect_unreadable(in_dir("empty.mp4"), SORA_ERROR_INPUT);
    write_bytes(in_dir("text.mp4"), "not a video, by any means\n", 26);
    expect_unreadable(in_dir("text.mp4"), SORA_ERROR_INPUT);
    /* A list of other files must not make us open them. */
    const char list[] = "ffconcat version 1.0\nfile '/etc/passwd'\n";
    write_bytes(in_dir("list.mp4"), list, sizeof list - 1);
    expect_unreadable(in_dir("list.mp4"), SORA_ERROR_INPUT);
    const char playlist[] =
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    write_bytes(in_dir("list.m3u8"), playlist, sizeof playlist - 1);
    expect_unreadable(in_dir("list.m3u8"), SORA_ERROR_INPUT);
    empty_dir();
}

/* Damage anywhere may give frames or an error, never a crash or an endless loop. */
static void damaged_videos_do_no_harm(void **state)
{
    SoraError err = {0};
    Rng rng;
    rng_init(&rng, 1, 0);
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif"};
    for (int i = 0; i < 3; i++) {
        assert_true(write_video(in_dir(names[i]), 32, 32, 5, 12, &err));
        size_t size;
        char *data = file_read(in_dir(names[i]), 1 << 24, &size, &err);
        assert_non_null(data);
        for (int round = 0; round < 40; round++) {
            char *bad = malloc(size);
            memcpy(bad, data, size);
            for (int k = 0; k < 8; k++)
                bad[rng_int(&rng, (int)size)] = (char)rng_u32(&rng);
            write_bytes(in_dir("bad"), bad, round % 2 ? size : (size_t)rng_int(&rng, (int)size));
            free(bad);
            VideoReader *r = video_reader_open(in_dir("bad"), &(VideoReaderOptions){.width = 16, .height = 16, .fps = 12}, &err);
            const uint8_t *rgb;
            for (int t = 0; t < 50 && r != NULL && video_reader_read(r, &rgb, &err) && rgb != NULL; t++)
                ;
            video_reader_close(r);
        }
        free(data);
    }
    empty_dir();
}

static void pictures_are_read_by_content(void **state)
{
    SoraError err = {0};
    Image image, again;
    assert_true(image_init(&image, 21, 13, &err));
    draw_frame(image.rgb, 21, 13, 1);
    assert_true(image_write_png(&image, in_dir("a.jpg"), "title", NULL, &err));
    assert_true(image_read(&again, in_dir("a.jpg"), &err));
    assert_int_equal(again.width, 21);
    assert_int_equal(again.height, 13);
    assert_memory_equal(again.rgb, image.rgb, 3 * 21 * 13);
    image_deinit(&again);
    image_deinit(&image);
    empty_dir();
}

/* Which of red, lime, blue and yellow a pixel is: 'r', 'l', 'b', 'y'. */
static char color_at(const Image *image, int x, int y)
{
    const uint8_t *p = image->rgb + 3 * (y * image->width + x);
    return p[2] > 128 ? 'b' : p[0] < 128 ? 'l' : p[1] < 128 ? 'r' : 'y';
}

static void expect_corners(const char *path, int width, int height, const char *colors)
{
    SoraError err = {0};
    Image image;
    if (!image_read(&image, path, &err))
        fail_msg("%s", err.message);
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    char found[5] = {color_at(&image, 2, 2), color_at(&image, width - 3, 2), color_at(&image, 2, height - 3),
                     color_at(&image, width - 3, height - 3)};
    assert_string_equal(found, colors);
    image_deinit(&image);
}

/* Four quarters: red and lime above blue and yellow. */
static void kinds_of_pictures(void **state)
{
    static const char *const kinds[] = {"jpg", "webp", "bmp", "gif", "tiff"};
    for (int i = 0; i < 5; i++) {
        char path[64];
        snprintf(path, sizeof path, "tests/data/pictures/corners.%s", kinds[i]);
        expect_corners(path, 32, 16, "rlby");
    }
}

/* Orientations 1 to 8 of the EXIF standard, and what the picture above then looks like upright. */
static void jpeg_is_turned_upright(void **state)
{
    static const char *const upright[] = {"rlby", "lryb", "yblr", "byrl", "rbly", "bryl", "ylbr", "lyrb"};
    uint8_t exif[] = {0xff,
                      0xe1,
                      0,
                      34,
                      'E',
                      'x',
                      'i',
                      'f',
                      0,
                      0,
                      'I',
                      'I',
                      '*',
                      0,
                      8,
                      0,
                      0,
                      0,
                      1,
                      0,
                      0x12,
                      1,
                      3,
                      0,
                      1,
                      0,
                      0,
                      0,
                      0 /* orientation */,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0};
    SoraError err = {0};
    size_t size;
    char *jpeg = file_read("tests/data/pictures/corners.jpg", 1 << 16, &size, &err);
    assert_non_null(jpeg);
    for (int i = 0; i < 8; i++) {
        exif[28] = (uint8_t)(i + 1);
        FILE *f = fopen(in_dir("turned.jpg"), "wb");
        fwrite(jpeg, 1, 2, f);
        fwrite(exif, 1, sizeof exif, f);
        fwrite(jpeg + 2, 1, size - 2, f);
        fclose(f);
        expect_corners(in_dir("turned.jpg"), i < 4 ? 32 : 16, i < 4 ? 16 : 32, upright[i]);
    }
    free(jpeg);
    empty_dir();
}

static void expect_no_picture(const char *path, SoraErrorCode code)
{
    SoraError err = {0};
    Image image;
    assert_false(image_read(&image, path, &err));
    assert_null(image.rgb);
    if (err.code != code || strncmp(err.message, path, strlen(path)) != 0 ||
        strchr(err.message, '\n') != NULL)
        fail_msg("%d: %s", (int)err.code, err.message);
}

static void what_is_no_picture_is_refused(void **state)
{
    SoraError err = {0};
    expect_no_picture(in_dir("none.png"), SORA_ERROR_NOT_FOUND);
    expect_no_picture("/tmp", SORA_ERROR_INPUT);
    write_bytes(in_dir("a.png"), "", 0);
    expect_no_picture(in_dir("a.png"), SORA_ERROR_INPUT);
    write_bytes(in_dir("a.png"), "hello", 5);
    expect_no_picture(in_dir("a.png"), SORA_ERROR_INPUT);
    Image image;
    assert_true(image_init(&image, 64, 64, &err));
    draw_frame(image.rgb, 64, 64, 1);
    assert_true(image_write_png(&image, in_dir("a.png"), NULL, NULL, &err));
    image_deinit(&image);
    size_t size;
    char *data = file_read(in_dir("a.png"), 1 << 20, &size, &err);
    for (size_t n = 0; n < size - 12; n += 7) {
        write_bytes(in_dir("cut.png"), data, n);
        expect_no_picture(in_dir("cut.png"), SORA_ERROR_INPUT);
    }
    /* A header that claims 100,000 x 100,000 pixels. */
    memcpy(data + 16, "\0\1\x86\xa0\0\1\x86\xa0", 8);
    write_bytes(in_dir("big.png"), data, size);
    expect_no_picture(in_dir("big.png"), SORA_ERROR_INPUT);
    free(data);
    empty_dir();
}

/* Damage anywhere gives a picture or an error. Half a file is an error, but of GIF, whose decoder does not
 * say. */
static void damaged_pictures_do_no_harm(void **state)
{
    static const char *const kinds[] = {"jpg", "webp", "bmp", "gif", "tiff"};
    SoraError err = {0};
    Rng rng;
    rng_init(&rng, 2, 0);
    for (int i = 0; i < 5; i++) {
        char path[64];
        snprintf(path, sizeof path, "tests/data/pictures/corners.%s", kinds[i]);
        size_t size;
        char *data = file_read(path, 1 << 16, &size, &err);
        assert_non_null(data);
        for (int round = 0; round < 200; round++) {
            char *bad = malloc(size);
            memcpy(bad, data, size);
            for (int k = 0; k < 4; k++)
                bad[rng_int(&rng, (int)size)] = (char)rng_u32(&rng);
            write_bytes(in_dir("bad"), bad, round % 2 ? size : (size_t)rng_int(&rng, (int)size));
            free(bad);
            Image image;
            if (image_read(&image, in_dir("bad"), &err))
                image_deinit(&image);
            assert_null(image.rgb);
        }
        write_bytes(in_dir("cut"), data, size / 2);
        if (strcmp(kinds[i], "gif") != 0)
            expect_no_picture(in_dir("cut"), SORA_ERROR_INPUT);
        free(data);
    }
    empty_dir();
}

static void sizes_out_of_range_are_refused(void **state)
{
    SoraError err = {0};
    Image image, out;
    assert_false(image_init(&image, 0, 5, &err));
    assert_false(image_init(&image, 5, -1, &err));
    assert_false(image_init(&image, 16385, 1, &err));
    assert_false(image_init(&image, 16384, 16384, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_true(image_init(&image, 4, 4, &err));
    assert_false(image_crop(&out, &image, 1, 0, 4, 4, &err));
    assert_false(image_crop(&out, &image, -1, 0, 2, 2, &err));
    assert_false(image_crop(&out, &image, 0, INT32_MAX, 2, 2, &err));
    assert_false(image_resize(&out, &image, 0, 4, &err));
    assert_false(image_cover(&out, &image, 1 << 20, 4, &err));
    image_deinit(&image);
}

static void cover_cuts_the_middle(void **state)
{
    SoraError err = {0};
    Image image, out;
    assert_true(image_init(&image, 40, 10, &err));
    for (int i = 0; i < 40 * 10; i++)
        image.rgb[3 * i] = (uint8_t)(i % 40 * 5);
    assert_true(image_cover(&out, &image, 10, 10, &err));
    assert_int_equal(out.rgb[0], 15 * 5);
    assert_int_equal(out.rgb[27], 24 * 5);
    image_deinit(&out);
    static const int sizes[][2] = {{1, 1}, {7, 33}, {128, 128}, {3, 200}};
    for (int i = 0; i < 4; i++) {
        assert_true(image_cover(&out, &image, sizes[i][0], sizes[i][1], &err));
        assert_int_equal(out.width, sizes[i][0]);
        assert_int_equal(out.height, sizes[i][1]);
        image_deinit(&out);
    }
    image_deinit(&image);
}

static void sheet_shows_tiles_and_captions(void **state)
{
    SoraError err = {0};
    enum { N = 5, SIDE = 60 };
    uint8_t rgb[3 * SIDE * SIDE];
    draw_frame(rgb, SIDE, SIDE, 3);
    SheetTile tiles[N] = {{rgb, "a dog walks left across a sunny meadow"},
                          {rgb, NULL},
                          {NULL, "\xe7\x8a\xac \xff"}, /* a wide character, a byte that is no UTF-8 */
                          {rgb, ""},
                          {rgb, "averylongwordthatmustbecut here and there and everywhere"}};
    Image sheet;
    assert_true(sheet_draw(&sheet, &(SheetLayout){.width = SIDE, .height = SIDE, .columns = 3, .lines = 3},
                           tiles, N, &err));
    assert_int_equal(sheet.width, 6 + 3 * (SIDE + 6));
    assert_int_equal(sheet.height, 6 + 2 * (SIDE + 6 + 3 * TEXT_HEIGHT + 3));
    for (int y = 0; y < SIDE; y++)
        assert_memory_equal(sheet.rgb + 3 * ((6 + y) * sheet.width + 6), rgb + 3 * SIDE * y, 3 * SIDE);
    int ink = 0;
    for (int y = 6 + SIDE; y < 6 + SIDE + TEXT_HEIGHT; y++) {
        for (int x = 6; x < 6 + SIDE; x++)
            ink += sheet.rgb[3 * (y * sheet.width + x)] < 64;
    }
    assert_true(ink > 40 && ink < 300);
    image_deinit(&sheet);
    assert_true(sheet_write(in_dir("sheet.png"), &(SheetLayout){.width = SIDE, .height = SIDE, .scale = 2},
                            tiles, N, &err));
    assert_int_equal(empty_dir(), 1);
    assert_false(sheet_draw(&sheet, &(SheetLayout){.width = SIDE, .height = SIDE}, tiles, 0, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(videos_survive_writing_and_reading),
        cmocka_unit_test(parameters_are_stored),
        cmocka_unit_test(mp4_can_start_before_it_is_loaded),
        cmocka_unit_test(png_is_one_file_or_numbered),
        cmocka_unit_test(pictures_lose_little),
        cmocka_unit_test(long_comments_are_stored),
        cmocka_unit_test(abort_leaves_nothing),
        cmocka_unit_test(bad_formats_are_refused),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(nothing_beyond_a_frame_is_read),
        cmocka_unit_test(frames_are_resampled_and_covered),
        cmocka_unit_test(what_is_no_video_is_refused),
        cmocka_unit_test(damaged_videos_do_no_harm),
        cmocka_unit_test(pictures_are_read_by_content),
        cmocka_unit_test(kinds_of_pictures),
        cmocka_unit_test(jpeg_is_turned_upright),
        cmocka_unit_test(damaged_pictures_do_no_harm),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(cover_cuts_the_middle),
        cmocka_unit_test(sheet_shows_tiles_and_captions),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
