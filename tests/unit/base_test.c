#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json_file.h"
#include "base/rng.h"
#include "base/uuid.h"

/* Known-answer vectors of Random123 (kat_vectors, philox4x32 10). */
static void philox_known_answers(void **state)
{
    uint32_t out[4];
    philox4x32((uint32_t[4]){0}, (uint32_t[2]){0}, out);
    uint32_t zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    assert_memory_equal(out, zero, sizeof zero);
    philox4x32((uint32_t[4]){~0u, ~0u, ~0u, ~0u}, (uint32_t[2]){~0u, ~0u}, out);
    uint32_t ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    assert_memory_equal(out, ones, sizeof ones);
}

static void normal_has_unit_variance(void **state)
{
    Rng r;
    rng_init(&r, 7, 1);
    double sum = 0, squares = 0;
    int n = 200000;
    for (int i = 0; i < n; i++) {
        double x = rng_normal(&r);
        sum += x;
        squares += x * x;
    }
    assert_true(sum / n > -0.01 && sum / n < 0.01);
    assert_true(squares / n > 0.985 && squares / n < 1.015);
}

static void error_wrap_keeps_the_cause(void **state)
{
    SoraError err = {0};
    assert_false(error_set(&err, SORA_ERROR_INPUT, "tensor \"%s\" is missing", "a"));
    assert_false(error_wrap(&err, "%s", "fox.safetensors"));
    assert_string_equal(err.message, "fox.safetensors: tensor \"a\" is missing");
    assert_int_equal(err.code, SORA_ERROR_INPUT);
}

static void arena_release_reuses_memory(void **state)
{
    Arena a;
    arena_init(&a, 256);
    char *p = arena_alloc(&a, 100);
    ArenaMark mark = arena_mark(&a);
    char *q = arena_alloc(&a, 1000);
    char *big = arena_alloc(&a, 5000);
    memset(q, 1, 1000);
    memset(big, 1, 5000);
    assert_int_equal((uintptr_t)q % 64, 0);
    arena_release(&a, mark);
    assert_ptr_equal(arena_alloc(&a, 1000), q);
    memset(p, 2, 100);
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    arena_deinit(&a);
}

static void file_writer_leaves_nothing_behind(void **state)
{
    SoraError err = {0};
    char path[] = "/tmp/sora-base-test-XXXXXX", file[64];
    assert_non_null(mkdtemp(path));
    snprintf(file, sizeof file, "%s/a", path);
    FileWriter w;
    assert_true(file_writer_open(&w, file, &err));
    fputs("x", w.stream);
    file_writer_abort(&w);
    assert_false(file_exists(file));
    assert_true(file_writer_open(&w, file, &err));
    fputs("x", w.stream);
    assert_true(file_writer_commit(&w, &err));
    assert_true(file_exists(file));
    size_t size;
    char *text = file_read(file, 1, &size, &err);
    assert_string_equal(text, "x");
    free(text);
    assert_null(file_read(file, 0, &size, &err));
    assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_false(file_writer_open(&w, "/nonexistent/a", &err));
    unlink(file);
    assert_int_equal(rmdir(path), 0); /* fails if a .part file is left */
}

static long resident_pages(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages;
}

/* What is large is not counted as the process's once it was left, and is still there. */
static void memory_in_a_file_keeps_what_it_has(void **state)
{
    enum { LARGE = 80 << 20, SMALL = 1 << 20 };
    SoraError err = {0};
    FileMemory m, small;
    assert_true(file_memory_init(&m, LARGE, &err));
    assert_true(file_memory_init(&small, SMALL, &err));
    for (size_t i = 0; i < LARGE; i++) {
        if (i % 4096 == 0)
            assert_int_equal(m.data[i], 0);
        m.data[i] = (uint8_t)(i * 31 >> 8);
    }
    memset(small.data, 7, SMALL);
    long before = resident_pages();
    file_memory_leave(&m, 100, LARGE - 100);
    file_memory_leave(&small, 0, SMALL);
    assert_true(before - resident_pages() > LARGE / sysconf(_SC_PAGESIZE) * 9 / 10);
    for (size_t i = 0; i < LARGE; i += 97)
        assert_int_equal(m.data[i], (uint8_t)(i * 31 >> 8));
    assert_int_equal(small.data[SMALL / 2], 7);
    file_memory_leave(&m, LARGE, 1); /* beyond its end: nothing */
    file_memory_deinit(&m);
    file_memory_deinit(&m);
    file_memory_deinit(&small);
}

static void temporary_files_say_where_they_would_be(void **state)
{
    SoraError err = {0};
    char *kept = getenv("TMPDIR") != NULL ? strdup(getenv("TMPDIR")) : NULL;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    FileMemory m;
    assert_null(file_temporary(&err));
    assert_int_equal(err.code, SORA_ERROR_IO);
    assert_non_null(strstr(err.message, "/nowhere/at/all ($TMPDIR)"));
    assert_false(file_memory_init(&m, 80 << 20, &err));
    assert_null(m.data);
    if (kept != NULL)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    free(kept);
}

static void uuids_are_of_their_version(void **state)
{
    char a[UUID_SIZE], b[UUID_SIZE], random[UUID_SIZE], other[UUID_SIZE];
    assert_true(uuid_make_v7(a, NULL) && uuid_make_v7(b, NULL));
    assert_true(uuid_make_v4(random, NULL) && uuid_make_v4(other, NULL));
    assert_true(uuid_check(a) && uuid_check(b) && uuid_check(random));
    assert_string_not_equal(a, b);
    assert_string_not_equal(random, other);
    assert_int_equal(a[14], '7');
    assert_int_equal(random[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_non_null(strchr("89ab", random[19]));
    assert_true(strncmp(a, b, 13) <= 0); /* in the order of time */
    assert_false(uuid_check(""));
    assert_false(uuid_check("0190a8b2-0000-7000-8000-00000000000"));
    assert_false(uuid_check("0190A8B2-0000-7000-8000-000000000000"));
    assert_false(uuid_check("0190a8b2-0000-7000-8000-0000000000000"));
}

/* The values that FNV's authors publish. */
static void hashes_are_fnv_1a(void **state)
{
    assert_int_equal(hash32(HASH32_START, "foobar", 6), 0xbf9cf968u);
    assert_int_equal(hash64(HASH64_START, "foobar", 6), 0x85944171f73967e8u);
    assert_int_equal(hash64(hash64(HASH64_START, "foo", 3), "bar", 3), 0x85944171f73967e8u);
    assert_int_equal(hash64(HASH64_START, "", 0), HASH64_START);
    assert_int_equal(hash64_words(HASH64_START, (const uint32_t[]){'f', 'o', 'o', 'b', 'a', 'r'}, 6), 0x85944171f73967e8u);
}

/* The same values and the same refusals as jansson's own, with strings of all lengths. */
static void json_is_janssons(void **state)
{
    static const char *const TEXTS[] = {
        "", " ", "{", "[", "{}", " [ ]", "1", "\"a string that stands alone\"", "{\"a\": 1} x", "[1],[2]", "{\"a\": 1},{\"b\": 2}",
        "[\"a string of some length\", 2]", "[2, \"a string of some length", "{\"a name that is as long as others\"}",
        "{\"two names that are\": 1, \"two names that are\": 2}", "{\"name of a field\": [\"with \\\"quotes\\\" and \\\\\"]}",
        "\n[\"a string of some length\",]", "[\"\xff is in a string of some length\"]", "[,\"a string of some length\"]",
    };
    char made[64][200];
    for (int i = 0; i < 64; i++)
        snprintf(made[i], sizeof made[i], "{\"%0*d\": \"%0*d\", \"xxxxxxxxxxxxxxxx\": 1}", i + 1, 1, 64 - i, 2);
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS + 64; i++) {
        const char *text = i < 64 ? made[i] : TEXTS[i - 64];
        json_error_t a, b;
        json_t *ours = json_load_bytes(text, strlen(text), JSON_REJECT_DUPLICATES, &a);
        json_t *theirs = json_loadb(text, strlen(text), JSON_REJECT_DUPLICATES, &b);
        if (theirs == NULL ? ours != NULL || strcmp(a.text, b.text) != 0 || a.line != b.line : !json_equal(ours, theirs))
            fail_msg("%s: %s, %s", text, a.text, b.text);
        json_decref(ours);
        json_decref(theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_fnv_1a),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(normal_has_unit_variance),
        cmocka_unit_test(error_wrap_keeps_the_cause),
        cmocka_unit_test(arena_release_reuses_memory),
        cmocka_unit_test(file_writer_leaves_nothing_behind),
        cmocka_unit_test(memory_in_a_file_keeps_what_it_has),
        cmocka_unit_test(temporary_files_say_where_they_would_be),
        cmocka_unit_test(uuids_are_of_their_version),
        cmocka_unit_test(json_is_janssons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
