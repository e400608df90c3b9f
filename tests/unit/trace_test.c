/* Fingerprints and their index on drawn clips: soft discs on a landscape, one of which moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "media/video_writer.h"
#include "trace/trace_index.h"

enum { WIDTH = 128, HEIGHT = 96, FRAMES = 16, CLIPS = 8 };
static const double FPS = 12;

static char dir[] = "/tmp/sora-trace-test-XXXXXX";

static const char *in_dir(const char *name)
{
    static char paths[4][320];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int make_dir(void **state)
{
    return mkdtemp(dir) == NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int remove_dir(void **state)
{
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

typedef struct Clip {
    uint8_t rgb[FRAMES][HEIGHT][WIDTH][3];
} Clip;

typedef struct Disc {
    float x, y, radius, light;
} Disc;

static void draw_disc(uint8_t (*rgb)[WIDTH][3], Disc d)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            float cover = fminf(fmaxf(d.radius - hypotf((float)x - d.x, (float)y - d.y), 0), 1);
            for (int c = 0; c < 3; c++)
                rgb[y][x][c] = (uint8_t)((1 - cover) * (float)rgb[y][x][c] + cover * d.light);
        }
}

/* The landscape and the way of the disc that moves are functions of a seed each. */
static Clip *draw_clip(uint64_t landscape, uint64_t way)
{
    Clip *clip = malloc(sizeof *clip);
    assert_non_null(clip);
    Rng still, moving;
    rng_init(&still, landscape, 1);
    rng_init(&moving, way, 2);
    memset(clip->rgb[0][0], 200, sizeof clip->rgb[0] / 2);
    memset(clip->rgb[0][HEIGHT / 2], 90, sizeof clip->rgb[0] / 2);
    for (int i = 0; i < 6; i++) {
        Disc d = {rng_range(&still, 0, WIDTH), rng_range(&still, 0, HEIGHT), rng_range(&still, 6, 18),
                  rng_range(&still, 0, 255)};
        draw_disc(clip->rgb[0], d);
    }
    for (int i = 1; i < FRAMES; i++)
        memcpy(clip->rgb[i], clip->rgb[0], sizeof clip->rgb[0]);
    float x0 = rng_range(&moving, 10, WIDTH - 10), y0 = rng_range(&moving, 10, HEIGHT - 10);
    float x1 = rng_range(&moving, 10, WIDTH - 10), y1 = rng_range(&moving, 10, HEIGHT - 10);
    for (int i = 0; i < FRAMES; i++) {
        float t = (float)i / (FRAMES - 1);
        draw_disc(clip->rgb[i], (Disc){x0 + t * (x1 - x0), y0 + t * (y1 - y0), 14, 250});
    }
    return clip;
}

/* A copy that shows a part, mirrored or not, brighter or darker, from a frame on, every so many frames. */
typedef struct Change {
    int left, top, right, bottom; /* pixels cut off */
    bool mirrored;
    float gain, lift;
    int first, count, stride; /* count 0: to the end */
} Change;

static uint8_t brighten(uint8_t v, const Change *c)
{
    float b = (c->gain > 0 ? c->gain : 1) * (float)v + c->lift;
    return (uint8_t)fminf(fmaxf(b, 0), 255);
}

static void take(Fingerprint *f, const Clip *clip, const Change *c)
{
    int width = WIDTH - c->left - c->right, height = HEIGHT - c->top - c->bottom;
    int stride = c->stride > 0 ? c->stride : 1, end = c->count > 0 ? c->first + c->count : FRAMES;
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    assert_non_null(rgb);
    fingerprint_init(f, FINGERPRINT_QUERY_RATE);
    for (int i = c->first; i < end; i += stride) {
        uint8_t *p = rgb;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int k = 0; k < 3; k++) {
                    int from = c->mirrored ? width - 1 - x : x;
                    *p++ = brighten(clip->rgb[i][c->top + y][c->left + from][k], c);
                }
        assert_true(fingerprint_add(f, &(FingerprintPicture){width, height, rgb}, (i - c->first) / FPS, NULL));
    }
    fingerprint_end(f, end - c->first > 1 ? (end - c->first) / FPS : 0);
    free(rgb);
}

static TraceIndex *open_index(const char *name, TraceIndexMode mode)
{
    SoraError err = {0};
    TraceIndex *x = trace_index_open(in_dir(name), mode, &err);
    if (x == NULL)
        fail_msg("%s", err.message);
    return x;
}

static void add(TraceIndex *x, const char *path, const Fingerprint *f, char id[UUID_SIZE])
{
    SoraError err = {0};
    TraceEntry e;
    assert_true(trace_entry_make(&e, path, &err));
    if (!trace_index_add(x, &e, f, &err))
        fail_msg("%s", err.message);
    memcpy(id, e.id, sizeof e.id);
}

static char ids[CLIPS][UUID_SIZE];

/* CLIPS clips, each on a landscape of its own. */
static void make_index(const char *name)
{
    TraceIndex *x = open_index(name, TRACE_INDEX_WRITE);
    for (int i = 0; i < CLIPS; i++) {
        Clip *clip = draw_clip((uint64_t)i, (uint64_t)i);
        Fingerprint f;
        take(&f, clip, &(Change){0});
        add(x, "somewhere/clip.mp4", &f, ids[i]);
        fingerprint_deinit(&f);
        free(clip);
    }
    trace_index_close(x);
}

static TraceResult find(const char *name, const Fingerprint *f)
{
    SoraError err = {0};
    TraceResult r;
    TraceIndex *x = open_index(name, TRACE_INDEX_READ);
    if (!trace_index_find(x, f, &r, &err))
        fail_msg("%s", err.message);
    trace_index_close(x);
    return r;
}

static void test_finds_changed_copies(void **state)
{
    static const Change changes[] = {
        {0},
        {.left = 13},
        {.right = 13, .bottom = 10},
        {.left = 6, .right = 7, .top = 5, .bottom = 5},
        {.left = 12, .right = 12, .top = 9, .bottom = 9},
        {.mirrored = true},
        {.gain = 0.7f, .lift = 10},
        {.lift = 20},
        {.first = 4, .count = 9},
        {.stride = 2},
        {.mirrored = true, .right = 13, .top = 9, .gain = 0.8f, .first = 3},
        {.first = 7, .count = 1}, /* one frame of it */
    };
    make_index("copies.sqlite");
    for (size_t k = 0; k < sizeof changes / sizeof *changes; k++)
        for (int i = 0; i < CLIPS; i++) {
            Clip *clip = draw_clip((uint64_t)i, (uint64_t)i);
            Fingerprint f;
            take(&f, clip, &changes[k]);
            TraceResult r = find("copies.sqlite", &f);
            if (r.found != 1)
                fail_msg("change %zu of clip %d: %d found, score %g", k, i, r.found, r.matches[0].match.score);
            assert_string_equal(r.matches[0].entry.id, ids[i]);
            assert_string_equal(r.matches[0].entry.file, "clip.mp4");
            assert_int_equal(r.matches[0].match.mirrored, changes[k].mirrored);
            assert_int_equal(r.entries, CLIPS);
            assert_true(fabs(r.matches[0].match.begin - changes[k].first / FPS) < 0.1);
            fingerprint_deinit(&f);
            free(clip);
        }
}

static void test_other_clips_are_none(void **state)
{
    make_index("others.sqlite");
    for (int i = 0; i < 40; i++) {
        /* Another landscape; from 20 on a known one, where something else happens. */
        Clip *clip = draw_clip(i < 20 ? 1000 + (uint64_t)i : (uint64_t)(i % CLIPS), 1000 + (uint64_t)i);
        Fingerprint f;
        take(&f, clip, &(Change){0});
        TraceResult r = find("others.sqlite", &f);
        if (r.found != 0)
            fail_msg("clip %d: taken for another, score %g", i, r.matches[0].match.score);
        assert_true(r.count > 0); /* the nearest ones are told all the same */
        fingerprint_deinit(&f);
        free(clip);
    }
}

static void test_flat_is_nothing(void **state)
{
    Clip *black = calloc(1, sizeof *black);
    Fingerprint f;
    char id[UUID_SIZE];
    take(&f, black, &(Change){0});
    assert_int_equal(f.count, 1);
    TraceIndex *x = open_index("flat.sqlite", TRACE_INDEX_WRITE);
    add(x, "black.mp4", &f, id);
    trace_index_close(x);
    assert_int_equal(find("flat.sqlite", &f).found, 0);
    fingerprint_deinit(&f);
    free(black);
}

static void write_clip(const Clip *clip, const char *path, int frames)
{
    SoraError err = {0};
    VideoWriter *w = video_writer_open(path, &(VideoFormat){WIDTH, HEIGHT, FPS, "title", "comment"}, &err);
    for (int i = 0; w != NULL && i < frames; i++)
        assert_true(video_writer_write(w, &clip->rgb[i][0][0][0], &err));
    if (w == NULL || !video_writer_commit(w, &err))
        fail_msg("%s", err.message);
}

static void test_finds_files(void **state)
{
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif", "a.png"};
    make_index("files.sqlite");
    Clip *clip = draw_clip(3, 3), *other = draw_clip(77, 77);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        SoraError err = {0};
        Fingerprint f;
        int frames = strcmp(names[i], "a.png") == 0 ? 1 : FRAMES;
        write_clip(clip, in_dir(names[i]), frames);
        if (!fingerprint_read_file(&f, in_dir(names[i]), FINGERPRINT_QUERY_RATE, &err))
            fail_msg("%s", err.message);
        TraceResult r = find("files.sqlite", &f);
        if (r.found != 1)
            fail_msg("%s: %d found, score %g", names[i], r.found, r.matches[0].match.score);
        assert_string_equal(r.matches[0].entry.id, ids[3]);
        fingerprint_deinit(&f);
        write_clip(other, in_dir(names[i]), frames);
        assert_true(fingerprint_read_file(&f, in_dir(names[i]), FINGERPRINT_QUERY_RATE, &err));
        assert_int_equal(find("files.sqlite", &f).found, 0);
        fingerprint_deinit(&f);
    }
    free(clip);
    free(other);
}

static void put_file(const char *name, const char *bytes, size_t size)
{
    FileWriter w;
    assert_true(file_writer_open(&w, in_dir(name), NULL));
    assert_int_equal(fwrite(bytes, 1, size, w.stream), size);
    assert_true(file_writer_commit(&w, NULL));
}

static void test_files_that_are_none(void **state)
{
    SoraError err = {0};
    Fingerprint f;
    assert_false(fingerprint_read_file(&f, in_dir("missing.mp4"), FINGERPRINT_QUERY_RATE, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    put_file("text.mp4", "this is no video", 16);
    assert_false(fingerprint_read_file(&f, in_dir("text.mp4"), FINGERPRINT_QUERY_RATE, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_non_null(strstr(err.message, "neither a video nor a picture"));
    assert_false(fingerprint_read_file(&f, dir, FINGERPRINT_QUERY_RATE, &err));
}

static void test_cells(void **state)
{
    /* Sizes below and above the grid's, and no multiples of it: a slope keeps its mean and its direction. */
    static const int sizes[][2] = {{1, 1}, {7, 5}, {32, 32}, {33, 31}, {130, 97}, {640, 11}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int width = sizes[k][0], height = sizes[k][1];
        uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
        assert_non_null(rgb);
        for (int i = 0; i < width * height; i++)
            memset(rgb + 3 * i, 255 * (i % width) / width, 3);
        Fingerprint f;
        fingerprint_init(&f, FINGERPRINT_STORED_RATE);
        assert_true(fingerprint_add(&f, &(FingerprintPicture){width, height, rgb}, 0, NULL));
        double sum = 0, wanted = 0;
        for (int i = 0; i < width * height; i++)
            wanted += rgb[3 * i];
        for (int i = 0; i < FINGERPRINT_CELLS; i++) {
            sum += f.frames[0].cells[i];
            if (i % FINGERPRINT_SIDE > 0)
                assert_true(f.frames[0].cells[i] >= f.frames[0].cells[i - 1]);
        }
        assert_true(fabs(sum / FINGERPRINT_CELLS - wanted / (width * height)) < 0.6);
        fingerprint_deinit(&f);
        free(rgb);
    }
}

static void test_long_videos_are_bounded(void **state)
{
    Fingerprint f;
    uint8_t rgb[3 * 4] = {0};
    fingerprint_init(&f, FINGERPRINT_STORED_RATE);
    for (int i = 0; i < 20000; i++) {
        rgb[0] = (uint8_t)i;
        rgb[5] = (uint8_t)(i >> 3);
        assert_true(fingerprint_add(&f, &(FingerprintPicture){2, 2, rgb}, i / 10.0, NULL));
    }
    fingerprint_end(&f, 2000);
    assert_in_range(f.count, FINGERPRINT_MAX_FRAMES / 4, FINGERPRINT_MAX_FRAMES);
    assert_int_equal(f.end, 2000000);
    for (int i = 1; i < f.count; i++)
        assert_true(f.frames[i].time > f.frames[i - 1].time);
    size_t size;
    int8_t *probes = probes_encode(&f, &size, NULL);
    assert_int_equal(size, PROBE_MAX_TIMES * PROBE_TIME_BYTES);
    free(probes);
    fingerprint_deinit(&f);
}

static void test_decoding_checks(void **state)
{
    Clip *clip = draw_clip(1, 1);
    Fingerprint f, back;
    SoraError err = {0};
    size_t size;
    take(&f, clip, &(Change){0});
    uint8_t *data = fingerprint_encode(&f, &size, &err);
    assert_non_null(data);
    assert_true(fingerprint_decode(&back, data, size, &err));
    assert_int_equal(back.count, f.count);
    assert_int_equal(back.end, f.end);
    assert_memory_equal(back.frames, f.frames, (size_t)f.count * sizeof *f.frames);
    fingerprint_deinit(&back);
    for (size_t n = 0; n < size; n += 97) {
        bool whole = n > 4 && (n - 4) % (4 + FINGERPRINT_CELLS) == 0;
        assert_int_equal(fingerprint_decode(&back, data, n, &err), whole);
        fingerprint_deinit(&back);
    }
    data[4 + 4 + FINGERPRINT_CELLS] = data[5 + 4 + FINGERPRINT_CELLS] = 0; /* the second frame's time */
    assert_false(fingerprint_decode(&back, data, size, &err));
    assert_non_null(strstr(err.message, "times"));
    free(data);
    fingerprint_deinit(&f);
    free(clip);
}

static void expect_no_index(const char *name, SoraErrorCode code, const char *says)
{
    SoraError err = {0};
    for (int mode = TRACE_INDEX_READ; mode <= TRACE_INDEX_WRITE; mode++) {
        if (code == SORA_ERROR_NOT_FOUND && mode == TRACE_INDEX_WRITE)
            continue;
        assert_null(trace_index_open(in_dir(name), (TraceIndexMode)mode, &err));
        assert_int_equal(err.code, code);
        assert_non_null(strstr(err.message, says));
    }
}

static void run_sql(const char *name, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(in_dir(name), &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static void test_index_files(void **state)
{
    char id[UUID_SIZE];
    struct stat st;
    Clip *clip = draw_clip(1, 1);
    Fingerprint f;
    SoraError err = {0};
    take(&f, clip, &(Change){0});
    expect_no_index("none.sqlite", SORA_ERROR_NOT_FOUND, "no index there");
    TraceIndex *x = open_index("new/folder/a.sqlite", TRACE_INDEX_WRITE);
    add(x, "a.mp4", &f, id);
    /* A second writer at the same time, and the same id again. */
    TraceIndex *second = open_index("new/folder/a.sqlite", TRACE_INDEX_WRITE);
    add(second, "b.mp4", &f, id);
    TraceEntry again;
    assert_true(trace_entry_make(&again, "c.mp4", &err));
    memcpy(again.id, id, sizeof id);
    assert_false(trace_index_add(x, &again, &f, &err));
    assert_non_null(strstr(err.message, "there already"));
    trace_index_close(second);
    trace_index_close(x);
    assert_int_equal(stat(in_dir("new/folder/a.sqlite"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    TraceResult r = find("new/folder/a.sqlite", &f);
    assert_int_equal(r.found, 2); /* made twice: both are told */
    assert_int_equal(r.entries, 2);

    put_file("text.sqlite", "this is no database, however long it may be", 43);
    expect_no_index("text.sqlite", SORA_ERROR_INPUT, "not an index of generations");
    expect_no_index("new", SORA_ERROR_INPUT, "no regular file");
    run_sql("other.sqlite", "CREATE TABLE songs(name)");
    expect_no_index("other.sqlite", SORA_ERROR_INPUT, "not an index of generations");
    /* A view in the place of a table could do anything. */
    run_sql("new/folder/a.sqlite", "ALTER TABLE probe RENAME TO hidden; CREATE VIEW probe AS WITH RECURSIVE n(number) AS "
                                   "(SELECT 1 UNION ALL SELECT number + 1 FROM n) SELECT number, x'00' AS vectors FROM n");
    expect_no_index("new/folder/a.sqlite", SORA_ERROR_INPUT, "not an index of generations");
    fingerprint_deinit(&f);
    free(clip);
}

static void expect_damaged(const char *name, const char *sql, const Fingerprint *f, const char *says)
{
    SoraError err = {0};
    TraceResult r;
    make_index(name);
    run_sql(name, sql);
    TraceIndex *x = open_index(name, TRACE_INDEX_READ);
    assert_false(trace_index_find(x, f, &r, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    if (strstr(err.message, says) == NULL)
        fail_msg("%s", err.message);
    trace_index_close(x);
    unlink(in_dir(name));
}

static void test_hostile_rows(void **state)
{
    Clip *clip = draw_clip(1, 1);
    Fingerprint f;
    take(&f, clip, &(Change){0});
    expect_damaged("h1.sqlite", "UPDATE probe SET vectors = x'0102' WHERE number = 5", &f, "wrong size");
    expect_damaged("h2.sqlite", "UPDATE probe SET vectors = zeroblob(900032)", &f, "wrong size");
    expect_damaged("h3.sqlite", "UPDATE generation SET fingerprint = 'text'", &f, "bytes are none");
    expect_damaged("h4.sqlite", "UPDATE generation SET fingerprint = zeroblob(4 + 3 * 1028)", &f, "times");
    expect_damaged("h5.sqlite", "DELETE FROM generation", &f, "without a generation");
    expect_damaged("h6.sqlite", "UPDATE generation SET id = 'x' || number", &f, "an id is none");
    make_index("h7.sqlite");
    run_sql("h7.sqlite", "UPDATE generation SET time = 9223372036854775807, model = char(27) || '[2J', "
                         "file = replace(printf('%.*c', 5000, 'x'), 'x', 'ä')");
    TraceResult r = find("h7.sqlite", &f);
    assert_int_equal(r.found, 1);
    assert_string_equal(r.matches[0].entry.model, "?[2J");
    assert_int_equal(strlen(r.matches[0].entry.file), 254); /* whole characters */
    fingerprint_deinit(&f);
    free(clip);
}

/* Bytes of the file changed, and files cut short: an error or an answer, and nothing else. */
static void test_damaged_bytes(void **state)
{
    Clip *clip = draw_clip(2, 2);
    Fingerprint f;
    take(&f, clip, &(Change){0});
    make_index("whole.sqlite");
    size_t size = 0;
    char *bytes = file_read(in_dir("whole.sqlite"), 16 << 20, &size, NULL);
    assert_non_null(bytes);
    Rng rng;
    rng_init(&rng, 1, 1);
    int errors = 0;
    for (int i = 0; i < 120; i++) {
        SoraError err = {0};
        char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        size_t n = i % 4 == 0 ? (size_t)rng_int(&rng, (int)size) : size;
        /* Half of the time in the page of the schema and the headers of others, where it hurts. */
        for (int k = 0; k < 1 + i % 8; k++) {
            int at = i % 2 ? rng_int(&rng, (int)size) : rng_int(&rng, (int)size / 4096) * 4096 + rng_int(&rng, 128);
            copy[at] = (char)rng_u32(&rng);
        }
        put_file("broken.sqlite", copy, n);
        free(copy);
        TraceResult r;
        TraceIndex *x = trace_index_open(in_dir("broken.sqlite"), TRACE_INDEX_READ, &err);
        bool ok = x != NULL && trace_index_find(x, &f, &r, &err);
        assert_true(ok || (err.code != SORA_OK && err.message[0] != 0));
        errors += !ok;
        trace_index_close(x);
    }
    assert_in_range(errors, 20, 119);
    free(bytes);
    fingerprint_deinit(&f);
    free(clip);
}

static void test_default_path(void **state)
{
    setenv("SORA_TRACE_INDEX", "/somewhere/x.sqlite", 1);
    char *path = trace_index_default_path();
    assert_string_equal(path, "/somewhere/x.sqlite");
    free(path);
    setenv("SORA_TRACE_INDEX", "", 1);
    assert_null(trace_index_default_path());
    unsetenv("SORA_TRACE_INDEX");
    setenv("XDG_DATA_HOME", "/data", 1);
    path = trace_index_default_path();
    assert_string_equal(path, "/data/sora/trace.sqlite");
    free(path);
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", "/home/somebody", 1);
    path = trace_index_default_path();
    assert_string_equal(path, "/home/somebody/.local/share/sora/trace.sqlite");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_changed_copies), cmocka_unit_test(test_other_clips_are_none),
        cmocka_unit_test(test_flat_is_nothing),      cmocka_unit_test(test_finds_files),
        cmocka_unit_test(test_files_that_are_none),  cmocka_unit_test(test_cells),
        cmocka_unit_test(test_long_videos_are_bounded),
        cmocka_unit_test(test_decoding_checks),      cmocka_unit_test(test_index_files),
        cmocka_unit_test(test_hostile_rows),         cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_default_path),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
