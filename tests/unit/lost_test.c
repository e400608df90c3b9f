/* A mapped file that is cut short while it is in use: zeros, an error, and no output under its name. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/lost.h"
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
        cmocka_unit_test(a_lost_end_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
