#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/pool.h"

enum { MOST_PIECES = 1000, MOST_THREADS = 16 };

typedef struct Work {
    int threads;
    int times[MOST_PIECES];            /* how often each piece was done; written by its piece alone */
    _Atomic int working[MOST_THREADS]; /* tasks that have that worker's number now */
    _Atomic int wrong;                 /* numbers out of range or used twice */
} Work;

static void count_piece(void *arg, int64_t i, int worker)
{
    Work *w = arg;
    if (worker < 0 || worker >= w->threads) {
        atomic_fetch_add(&w->wrong, 1);
        return;
    }
    if (atomic_fetch_add(&w->working[worker], 1) != 0)
        atomic_fetch_add(&w->wrong, 1);
    w->times[i]++;
    atomic_fetch_sub(&w->working[worker], 1);
}

static void check_loop(Pool *p, int threads, int count)
{
    Work w = {.threads = threads};
    pool_run(p, count, count_piece, &w);
    assert_int_equal(atomic_load(&w.wrong), 0);
    for (int i = 0; i < MOST_PIECES; i++)
        assert_int_equal(w.times[i], i < count);
}

/* Also with many more threads than cores. */
static void every_piece_is_done_once(void **state)
{
    static const int THREADS[] = {0, 1, 2, 3, MOST_THREADS}, COUNTS[] = {0, 1, 2, 7, MOST_PIECES};
    for (size_t t = 0; t < sizeof THREADS / sizeof THREADS[0]; t++) {
        Pool *p = pool_new(THREADS[t]);
        assert_non_null(p);
        assert_true(pool_threads(p) >= 1 && pool_threads(p) <= (THREADS[t] ? THREADS[t] : 1));
        for (size_t c = 0; c < sizeof COUNTS / sizeof COUNTS[0]; c++)
            check_loop(p, pool_threads(p), COUNTS[c]);
        pool_free(p);
    }
    pool_free(NULL);
}

static void note_order(void *arg, int64_t i, int worker)
{
    int64_t *next = arg;
    assert_int_equal(i, *next);
    assert_int_equal(worker, 0);
    ++*next;
}

static void without_a_pool_the_caller_works(void **state)
{
    int64_t next = 0;
    pool_run(NULL, 5, note_order, &next);
    assert_int_equal(next, 5);
}

/* Loops that follow at once meet threads that still look at the one before; after a pause they sleep. */
static void loops_do_not_mix(void **state)
{
    Pool *p = pool_new(4);
    assert_non_null(p);
    for (int i = 0; i < 3000; i++)
        check_loop(p, pool_threads(p), 1 + i % 37);
    for (int i = 0; i < 10; i++) {
        usleep(3000);
        check_loop(p, pool_threads(p), 5);
    }
    pool_free(p);
}

static void pools_are_freed_unused(void **state)
{
    for (int i = 0; i < 20; i++)
        pool_free(pool_new(3));
}

typedef struct Steps {
    int64_t *values;
    int64_t add;
} Steps;

static void add_step(void *arg, int64_t i, int worker)
{
    const Steps *s = arg;
    s->values[i] += s->add * (i + 1);
}

/* Each loop reads what the one before wrote, most often on another thread. */
static void results_are_seen(void **state)
{
    enum { PIECES = 64, LOOPS = 500 };
    int64_t values[PIECES] = {0};
    Pool *p = pool_new(3);
    assert_non_null(p);
    for (int64_t loop = 1; loop <= LOOPS; loop++)
        pool_run(p, PIECES, add_step, &(Steps){values, loop});
    for (int64_t i = 0; i < PIECES; i++)
        assert_int_equal(values[i], (i + 1) * LOOPS * (LOOPS + 1) / 2);
    pool_free(p);
}

static void note_mask(void *arg, int64_t i, int worker)
{
    _Atomic int *open = arg;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (worker > 0 &&
        (!sigismember(&mask, SIGINT) || !sigismember(&mask, SIGTERM) || sigismember(&mask, SIGSEGV)))
        atomic_fetch_add(open, 1);
    if (worker == 0 && sigismember(&mask, SIGINT))
        atomic_fetch_add(open, 1);
    usleep(100);
}

static void signals_are_left_to_the_caller(void **state)
{
    _Atomic int wrong = 0;
    Pool *p = pool_new(3);
    assert_non_null(p);
    pool_run(p, 200, note_mask, &wrong);
    assert_int_equal(atomic_load(&wrong), 0);
    pool_free(p);
}

static void ignore(void *arg, int64_t i, int worker)
{
}

static void run_again(void *arg, int64_t i, int worker)
{
    pool_run(arg, 2, ignore, NULL);
}

/* In a process of its own, which must not survive it. */
static void use_within_itself_is_caught(void **state)
{
    for (int threads = 1; threads <= 2; threads++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            signal(SIGABRT, SIG_DFL);
            if (freopen("/dev/null", "w", stderr) == NULL)
                _exit(2);
            Pool *p = pool_new(threads);
            pool_run(p, 2, run_again, p);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_done_once),
        cmocka_unit_test(without_a_pool_the_caller_works),
        cmocka_unit_test(loops_do_not_mix),
        cmocka_unit_test(pools_are_freed_unused),
        cmocka_unit_test(results_are_seen),
        cmocka_unit_test(signals_are_left_to_the_caller),
        cmocka_unit_test(use_within_itself_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
