/* Files are written whole or not at all: by many at once, with links, pipes and long names in the way, and when the process
 * is killed at any of its steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>

#include "base/error.h"
#include "base/file.h"
#include "killer.h"

static char folder[PATH_MAX];

static const char *in(const char *name)
{
    static _Thread_local char paths[4][PATH_MAX + 300];
    static _Thread_local int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/sora-file-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static int entries(void)
{
    int count = -2; /* "." and ".." */
    DIR *list = opendir(folder);
    assert_non_null(list);
    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count;
}

static bool write_text(const char *path, const char *text, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, path, err))
        return false;
    fputs(text, w.stream);
    return file_writer_commit(&w, err);
}

static void put(const char *path, const char *text)
{
    SoraError err = {0};
    if (!write_text(path, text, &err))
        fail_msg("%s", err.message);
}

static bool holds(const char *path, const char *text)
{
    char *read = file_read(path, 1 << 20, NULL, NULL);
    bool same = read != NULL && strcmp(read, text) == 0;
    free(read);
    return same;
}

static int mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return (int)(st.st_mode & 07777);
}

enum { THREADS = 6, ROUNDS = 40, PIECES = 300 };

/* A file of one digit, in many small pieces. */
static void *write_often(void *digit)
{
    char piece[64];
    memset(piece, *(const char *)digit, sizeof piece);
    for (int i = 0; i < ROUNDS; i++) {
        SoraError err = {0};
        FileWriter w;
        if (!file_writer_open(&w, in("shared"), &err))
            return (void *)digit;
        for (int k = 0; k < PIECES; k++) {
            fwrite(piece, 1, sizeof piece, w.stream);
            fflush(w.stream);
        }
        if (!file_writer_commit(&w, &err))
            return (void *)digit;
    }
    return NULL;
}

static void threads_that_write_one_path_write_whole_files(void **state)
{
    static const char DIGITS[] = "012345";
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, (void *)(uintptr_t)&DIGITS[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    size_t size;
    char *text = file_read(in("shared"), 1 << 20, &size, NULL);
    assert_int_equal(size, 64 * PIECES);
    assert_int_equal(strspn(text, (char[2]){text[0], 0}), size);
    free(text);
    assert_int_equal(entries(), 1);
}

static void a_link_stays_and_its_target_is_replaced(void **state)
{
    put(in("target"), "old");
    assert_int_equal(symlink("target", in("link")), 0);
    assert_int_equal(symlink("link", in("link to a link")), 0);
    put(in("link to a link"), "new");
    assert_true(holds(in("target"), "new"));
    char to[8] = "";
    assert_int_equal(readlink(in("link"), to, sizeof to), 6);
    assert_memory_equal(to, "target", 6);
    assert_int_equal(symlink("not there yet", in("dangling")), 0);
    put(in("dangling"), "made");
    assert_true(holds(in("not there yet"), "made"));
    SoraError err = {0};
    assert_int_equal(symlink("loop", in("loop")), 0);
    assert_false(write_text(in("loop"), "x", &err));
    assert_non_null(strstr(err.message, "Too many levels of symbolic links"));
    assert_int_equal(entries(), 6);
}

static void only_regular_files_are_read_and_replaced(void **state)
{
    SoraError err = {0};
    FileMap map;
    assert_int_equal(mkfifo(in("pipe"), 0600), 0);
    assert_int_equal(file_open(in("pipe"), &err), -1);
    assert_non_null(strstr(err.message, "pipe: not a regular file"));
    assert_false(file_map_open(&map, in("pipe"), &err));
    assert_false(write_text(in("pipe"), "x", &err));
    assert_non_null(strstr(err.message, "pipe: cannot write: it is not a regular file"));
    assert_false(write_text("/dev/null", "x", &err));
    assert_non_null(strstr(err.message, "it is not a regular file"));
    assert_false(write_text(folder, "x", &err));
    assert_non_null(strstr(err.message, "it is a folder"));
    assert_int_equal(entries(), 1);
}

static void a_head_is_what_there_is_at_most(void **state)
{
    SoraError err = {0};
    char head[8] = {0};
    size_t size = 9;
    (void)state;
    FILE *f = fopen(in("short"), "w");
    assert_non_null(f);
    assert_int_equal(fputs("0123456789", f) < 0, 0);
    assert_int_equal(fclose(f), 0);
    assert_true(file_read_head(in("short"), head, 4, &size, &err));
    assert_int_equal(size, 4);
    assert_memory_equal(head, "0123\0", 5);
    assert_true(truncate(in("short"), 3) == 0 && file_read_head(in("short"), head, 8, &size, &err));
    assert_int_equal(size, 3);
    assert_false(file_read_head(in("nothing"), head, 8, &size, &err));
}

static void modes_are_there_from_the_beginning(void **state)
{
    SoraError err = {0};
    FileWriter w;
    mode_t old = umask(0);
    assert_true(file_writer_open_mode(&w, in("key"), 0600, &err));
    assert_int_equal(mode_of(w.part_path), 0600);
    assert_int_equal(mode_of(w.scratch.path), 0700);
    assert_true(file_writer_commit(&w, &err));
    assert_int_equal(mode_of(in("key")), 0600);
    put(in("open"), "x");
    assert_int_equal(mode_of(in("open")), 0666);
    put(in("key"), "replaced");
    assert_int_equal(mode_of(in("key")), 0600);
    assert_true(dir_make_mode(in("a/b"), 0700, &err));
    assert_int_equal(mode_of(in("a")), 0777);
    assert_int_equal(mode_of(in("a/b")), 0700);
    umask(027);
    put(in("narrow"), "x");
    assert_int_equal(mode_of(in("narrow")), 0640);
    assert_int_equal(umask(old), 027);
}

/* As long as a name can be, and the reason is not lost when a path is too long. */
static void long_names_are_written_or_explained(void **state)
{
    SoraError err = {0};
    char name[NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[NAME_MAX] = 0;
    put(in(name), "x");
    assert_true(holds(in(name), "x"));
    name[NAME_MAX] = 'n';
    name[NAME_MAX + 1] = 0;
    assert_false(write_text(in(name), "x", &err));
    assert_non_null(strstr(err.message, "...nnn"));
    assert_non_null(strstr(err.message, ": cannot write: File name too long"));
    assert_int_equal(strncmp(err.message, folder, strlen(folder)), 0);
    memset(name, 'd', 200);
    strcpy(name + 200, "/missing/file");
    assert_false(write_text(in(name), "x", &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/missing/file: cannot write: No such file or directory"));
    assert_int_equal(entries(), 1);
}

static void what_is_cut_is_whole_characters(void **state)
{
    SoraError err = {0}, again;
    char text[600] = "";
    for (int i = 0; i < 190; i++)
        strcat(text, "犬"); /* 3 bytes */
    error_set(&err, SORA_ERROR_IO, "%s: the reason", text);
    assert_true(strlen(err.message) < sizeof err.message && strlen(err.message) > sizeof err.message - 8);
    const char *end = strstr(err.message, "...");
    assert_non_null(end);
    assert_int_equal((end - err.message) % 3, 0);
    assert_int_equal((strlen(end + 3) - strlen(": the reason")) % 3, 0);
    assert_string_equal(err.message + strlen(err.message) - 12, ": the reason");
    again = err;
    error_wrap(&again, "%s", "context");
    assert_int_equal(strncmp(again.message, "context: 犬", 12), 0);
    assert_string_equal(again.message + strlen(again.message) - 12, ": the reason");
    assert_int_equal(again.code, SORA_ERROR_IO);
}

static void a_new_name_is_free(void **state)
{
    SoraError err = {0};
    char *name = file_free_name(in("out.mp4"));
    assert_string_equal(name, in("out.mp4"));
    free(name);
    put(in("out.mp4"), "1");
    put(in("out-2.mp4"), "2");
    name = file_free_name(in("out.mp4"));
    assert_string_equal(name, in("out-3.mp4"));
    free(name);
    /* Somebody else takes the name while the file is written. */
    FileWriter w;
    assert_true(file_writer_open(&w, in("out-3.mp4"), &err));
    fputs("3", w.stream);
    put(in("out-3.mp4"), "another's");
    assert_true(file_writer_finish(&w, NULL, &name, &err));
    assert_string_equal(name, in("out-3-2.mp4"));
    free(name);
    assert_true(holds(in("out-3.mp4"), "another's"));
    assert_true(holds(in("out-3-2.mp4"), "3"));
    assert_int_equal(entries(), 4);
}

static void a_copy_onto_itself_changes_nothing(void **state)
{
    SoraError err = {0};
    put(in("a"), "text");
    assert_int_equal(link(in("a"), in("b")), 0);
    assert_true(file_same(in("a"), in("b")));
    assert_true(file_copy(in("a"), in("b"), &err));
    assert_true(file_same(in("a"), in("b")));
    assert_true(file_copy(in("a"), in("c"), &err));
    assert_false(file_same(in("a"), in("c")));
    assert_false(file_same(in("a"), in("none")));
    assert_true(holds(in("c"), "text"));
}

static void only_what_nobody_uses_is_swept(void **state)
{
    SoraError err = {0};
    Scratch mine, theirs;
    int ends[2];
    assert_true(scratch_make(&mine, in("x"), &err));
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork(); /* one that lives, with a folder of its own */
    if (child == 0) {
        bool ok = scratch_make(&theirs, in("x"), &err);
        (void)!write(ends[1], &ok, 1);
        pause();
    }
    bool made = false;
    assert_int_equal(read(ends[0], &made, 1), 1);
    assert_true(made);
    mkdir(in(".sora-0123456789ab.part"), 0700); /* left behind, with things in it */
    put(in(".sora-0123456789ab.part/a"), "x");
    mkdir(in(".sora-0123456789ab.part/b"), 0700);
    put(in(".sora-0123456789ab.part/b/c"), "x");
    put(in("outside"), "x");
    mkdir(in("outside.d"), 0700);
    assert_int_equal(symlink("../outside", in(".sora-0123456789ab.part/link")), 0);
    mkdir(in(".sora-0123456789AB.part"), 0700); /* names that are not ours */
    mkdir(in(".sora-0123456789ab.part2"), 0700);
    mkdir(in("sora-0123456789ab.part"), 0700);
    put(in(".sora-0123456789ac.part"), "a file");
    assert_int_equal(symlink("outside.d", in(".sora-0123456789ad.part")), 0);
    put(in("outside.d/y"), "x");
    assert_int_equal(entries(), 10);
    scratch_sweep(folder);
    assert_int_equal(access(in(".sora-0123456789ab.part"), F_OK), -1);
    assert_true(holds(in("outside"), "x") && holds(in("outside.d/y"), "x") && holds(in(".sora-0123456789ac.part"), "a file"));
    assert_int_equal(entries(), 9);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    scratch_sweep(folder);
    assert_int_equal(entries(), 8);
    assert_int_equal(access(mine.path, F_OK), 0);
    scratch_remove(&mine);
    assert_int_equal(entries(), 7);
    close(ends[0]);
    close(ends[1]);
}

static bool replace_text(void *path)
{
    return write_text(path, "new", NULL);
}

static void killed_at_any_step_leaves_the_old_or_the_new(void **state)
{
    bool ok = false, ended = false, seen_old = false, seen_new = false;
    char *path = strdup(in("text"));
    for (long n = 1; !ended; n++) {
        assert_true(n < 1000);
        put(path, "old");
        ended = killer_run(n, replace_text, path, &ok);
        bool old = holds(in("text"), "old"), new = holds(in("text"), "new");
        assert_true(old != new);
        seen_old = seen_old || old;
        seen_new = seen_new || (new && !ended);
        scratch_sweep(folder);
        assert_int_equal(entries(), 1);
    }
    assert_true(ok && seen_old && seen_new);
    free(path);
}

/* A process sweeps where it writes for the first time. */
static void the_next_start_sweeps(void **state)
{
    bool ok = false;
    assert_false(killer_run(4, replace_text, (void *)(uintptr_t)in("text"), &ok));
    assert_int_equal(entries(), 1);
    assert_int_equal(access(in("text"), F_OK), -1);
    assert_true(killer_run(0, replace_text, (void *)(uintptr_t)in("text"), &ok));
    assert_true(ok);
    assert_int_equal(entries(), 1);
    assert_true(holds(in("text"), "new"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { /* the first one forks processes that have swept nowhere yet */
        cmocka_unit_test_setup_teardown(the_next_start_sweeps, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(threads_that_write_one_path_write_whole_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_link_stays_and_its_target_is_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(only_regular_files_are_read_and_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_head_is_what_there_is_at_most, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(modes_are_there_from_the_beginning, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(long_names_are_written_or_explained, make_folder, remove_folder),
        cmocka_unit_test(what_is_cut_is_whole_characters),
        cmocka_unit_test_setup_teardown(a_new_name_is_free, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_copy_onto_itself_changes_nothing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(only_what_nobody_uses_is_swept, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(killed_at_any_step_leaves_the_old_or_the_new, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
