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
#include "base/rng.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(normal_has_unit_variance),
        cmocka_unit_test(error_wrap_keeps_the_cause),
        cmocka_unit_test(arena_release_reuses_memory),
        cmocka_unit_test(file_writer_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
