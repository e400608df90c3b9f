/* A mapped file that is cut short while it is in use: zeros, an error, and no output under its name. */
#include <setjmp.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/lost.h"
#include "tiny_model.h"
#include "unit/temp_dir.h"

enum { PAGES = 40 };

static const char *in_dir(const char *name)
{
    static char paths[2][128];
    static int next;
    next = (next + 1) % 2;
    snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
    return paths[next];
}

static void make_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < size; i++)
        fputc(7, f);
    assert_int_equal(fclose(f), 0);
}

/* The signal that a child ends with which reads behind a map's end, or 0. */
static int ends_with(bool caught, bool ours)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGBUS, SIG_DFL); /* cmocka has one */
        long page = sysconf(_SC_PAGESIZE);
        FILE *f = fopen(in_dir("child"), "wb+");
        if (f == NULL || ftruncate(fileno(f), 2 * page) != 0)
            _exit(1);
        FileMap map = {0};
        const volatile uint8_t *data = mmap(NULL, (size_t)page, PROT_READ, MAP_PRIVATE, fileno(f), page);
        if (caught)
            lost_catch();
        if (ours && file_map_open(&map, in_dir("child"), NULL))
            data = map.data + page;
        if (ftruncate(fileno(f), 0) != 0)
            _exit(2);
        _exit(data[0] == 0 && !lost_check(NULL) ? 0 : 3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void only_our_maps_and_only_when_asked(void **state)
{
    assert_int_equal(ends_with(false, true), SIGBUS); /* the library alone changes nothing */
    assert_int_equal(ends_with(true, false), SIGBUS); /* somebody else's map */
    assert_int_equal(ends_with(true, true), 0);
}

static bool can_write(const char *name, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, in_dir(name), err))
        return false;
    fputs("whatever", w.stream);
    return file_writer_commit(&w, err) && remove(in_dir(name)) == 0;
}

/* What an owner has begun is its own matter, and ends with it. */
static void a_loss_is_its_owners(void **state)
{
    SoraError err = {0};
    FileMap map;
    Losses mine = {0}, others = {0};
    lost_catch();
    make_file(in_dir("mine"), 100);
    lost_begin(&mine);
    assert_true(file_map_open(&map, in_dir("mine"), &err));
    lost_begin(&others);
    lost_end(&others);
    lost_end(&mine);
    assert_int_equal(truncate(in_dir("mine"), 0), 0);
    assert_int_equal(map.data[0], 0);

    assert_true(lost_check(&err) && can_write("out", &err));
    lost_begin(&others);
    assert_true(lost_check(&err) && can_write("out", &err));
    lost_begin(&mine);
    assert_false(lost_check(&err) || can_write("out", &err));
    assert_string_equal(strrchr(err.message, '/'), "/mine: lost its end while it was being read");
    lost_end(&mine);
    assert_true(lost_check(&err));
    lost_end(&others);
    lost_begin(&mine);
    lost_begin(&others); /* within mine */
    assert_false(lost_check(&err));
    lost_end(&others);
    lost_end(&mine);
    file_map_close(&map);
    assert_int_equal(remove(in_dir("mine")), 0);
}

static SoraEngine *open_tiny(const char *name)
{
    SoraError err = {0};
    SoraEngine *engine = sora_engine_open(in_dir(name), &(SoraOptions){.threads = 2}, &err);
    if (engine == NULL)
        fail_msg("%s", err.message);
    return engine;
}

/* The error's code; SORA_OK: the video has its file. */
static SoraErrorCode make_video(SoraEngine *engine, SoraError *err)
{
    SoraRequest request;
    sora_request_init(&request);
    request.prompt = "a fox runs";
    *err = (SoraError){0};
    SoraVideo *video = sora_generate(engine, &request, err);
    if (video != NULL && sora_video_write(video, in_dir("video.gif"), err))
        assert_int_equal(remove(in_dir("video.gif")), 0);
    sora_video_free(video);
    return err->code;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    return remove(path);
}

/* An engine whose file was cut says so as long as it is open; the one beside it and the next one are not hurt. */
static void a_loss_ends_with_the_engine(void **state)
{
    static const TinyModel MODEL = {
        .manifest = "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 17}, \"defaults\": "
                    "{\"width\": 32, \"height\": 16, \"frames\": 5, \"fps\": 8, \"steps\": 2, \"shift\": 3, "
                    "\"guidance_scale\": 1, \"negative_prompt\": \"\", \"solver\": \"euler\"}}",
        .tokenizer = "models/nano/tokenizer.model",
    };
    SoraError err;
    lost_catch();
    tiny_model_write(in_dir("cut"), &MODEL);
    tiny_model_write(in_dir("whole"), &MODEL);
    SoraEngine *cut = open_tiny("cut"), *whole = open_tiny("whole");
    assert_int_equal(make_video(cut, &err), SORA_OK);
    assert_int_equal(truncate(in_dir("cut/transformer/model.safetensors"), 0), 0);
    assert_int_equal(make_video(cut, &err), SORA_ERROR_IO);
    assert_non_null(strstr(err.message, "cut/transformer/model.safetensors: lost its end while it was being read"));
    assert_int_equal(make_video(whole, &err), SORA_OK);
    assert_int_equal(make_video(cut, &err), SORA_ERROR_IO);
    sora_engine_close(cut);
    assert_int_equal(make_video(whole, &err), SORA_OK);
    assert_int_equal(nftw(in_dir("cut"), remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    tiny_model_write(in_dir("cut"), &MODEL);
    cut = open_tiny("cut");
    assert_int_equal(make_video(cut, &err), SORA_OK);
    sora_engine_close(cut);
    sora_engine_close(whole);
    assert_int_equal(nftw(in_dir("cut"), remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(nftw(in_dir("whole"), remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Of a map that is nobody's: stays for the process, so this is the last test. */
static void a_lost_end_is_an_error(void **state)
{
    SoraError err = {0};
    FileMap map, other;
    FileWriter w;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PAGES * page - 5;
    lost_catch();
    make_file(in_dir("weights"), size);
    make_file(in_dir("other"), 10);
    assert_true(file_map_open(&other, in_dir("other"), &err) && file_map_open(&map, in_dir("weights"), &err));
    assert_true(lost_check(&err));
    assert_int_equal(map.data[size - 1], 7);
    assert_int_equal(truncate(in_dir("weights"), (off_t)page), 0);
    for (size_t i = size; i-- > page;) /* backwards, and all of it */
        assert_int_equal(map.data[i], 0);
    assert_int_equal(map.data[page - 1], 7);
    assert_false(lost_check(&err));
    assert_int_equal(err.code, SORA_ERROR_IO);
    assert_string_equal(strrchr(err.message, '/'), "/weights: lost its end while it was being read");
    file_map_close(&map);
    file_map_close(&other);

    assert_true(file_writer_open(&w, in_dir("out"), &err));
    fputs("made of zeros", w.stream);
    assert_false(file_writer_commit(&w, &err));
    assert_string_equal(strrchr(err.message, '/'), "/weights: lost its end while it was being read");
    assert_false(file_exists(in_dir("out")));
    assert_int_equal(rmdir(dir), -1);
    assert_int_equal(remove(in_dir("weights")) + remove(in_dir("other")) + remove(in_dir("child")), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing else is left */
    assert_int_equal(mkdtemp(strcpy(dir, "/tmp/sora-test-XXXXXX")) == NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_our_maps_and_only_when_asked),
        cmocka_unit_test(a_loss_is_its_owners),
        cmocka_unit_test(a_loss_ends_with_the_engine),
        cmocka_unit_test(a_lost_end_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
