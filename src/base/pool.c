#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* Looks at the ticket before a thread goes to sleep: about 20 microseconds, more than there is between two
 * loops. */
enum { SPINS = 1000 };

/* A ticket is the loop's number and the next piece. The numbers come round again after 2^32 loops: hours, in
 * which no thread stands still between looking at a ticket and taking its piece. */
enum { PIECE_BITS = 32 };
static const uint64_t PIECES = ((uint64_t)1 << PIECE_BITS) - 1;

/* Idle -> closed: the ticket gets a new loop number and the piece PIECES, which nobody takes.
 * Closed -> open: task, arg and count are written, then the piece becomes 0.
 * Open: a thread that reads (loop, i), then count, takes piece i by changing the ticket to (loop, i + 1).
 * That fails if the loop has changed meanwhile, so what it read belongs to the loop. Open -> idle: done has
 * reached count. All taken pieces are then finished, so no thread touches the loop. */
struct Pool {
    int threads;
    pthread_t *ids;
    _Atomic uint64_t ticket;
    _Atomic(PoolTask) task;
    _Atomic(void *) arg;
    _Atomic int64_t count, done;
    _Atomic int sleepers;
    _Atomic bool waiting, stop, busy; /* busy: within pool_run() */
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
};

typedef struct Start {
    Pool *pool;
    int worker;
} Start;

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static bool has_work(Pool *p)
{
    return (int64_t)(atomic_load(&p->ticket) & PIECES) < atomic_load(&p->count);
}

static void finish(Pool *p, int64_t count)
{
    if (atomic_fetch_add(&p->done, 1) + 1 == count && atomic_load(&p->waiting)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->finished);
        pthread_mutex_unlock(&p->lock);
    }
}

static void take_pieces(Pool *p, int worker)
{
    for (;;) {
        uint64_t ticket = atomic_load(&p->ticket);
        int64_t i = (int64_t)(ticket & PIECES), count = atomic_load(&p->count);
        PoolTask task = atomic_load(&p->task);
        void *arg = atomic_load(&p->arg);
        if (i >= count)
            return;
        if (!atomic_compare_exchange_weak(&p->ticket, &ticket, ticket + 1))
            continue;
        task(arg, i, worker);
        finish(p, count);
    }
}

static void sleep_until_work(Pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!has_work(p) && !atomic_load(&p->stop))
        pthread_cond_wait(&p->work, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *start)
{
    Pool *p = ((Start *)start)->pool;
    int worker = ((Start *)start)->worker;
    free(start);
    while (!atomic_load(&p->stop)) {
        take_pieces(p, worker);
        for (int i = 0; i < SPINS && !has_work(p); i++)
            relax();
        if (!has_work(p))
            sleep_until_work(p);
    }
    return NULL;
}

/* Signals are for the caller's threads; those that a thread causes itself cannot be left to others. */
static void block_signals(sigset_t *before)
{
    static const int OWN[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
        sigdelset(&all, OWN[i]);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

Pool *pool_new(int threads)
{
    Pool *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->threads = 1;
    p->ids = calloc(threads > 1 ? (size_t)threads : 1, sizeof *p->ids);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    sigset_t before;
    block_signals(&before); /* new threads inherit it */
    while (p->ids != NULL && p->threads < threads) {
        Start *start = malloc(sizeof *start);
        if (start == NULL)
            break;
        *start = (Start){p, p->threads};
        if (pthread_create(&p->ids[p->threads], NULL, work, start) != 0) {
            free(start);
            break;
        }
        p->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p;
}

void pool_free(Pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->threads; i++)
        pthread_join(p->ids[i], NULL);
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->ids);
    free(p);
}

int pool_threads(const Pool *p)
{
    return p == NULL ? 1 : p->threads;
}

static void wait_until_done(Pool *p, int64_t count)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&p->done) == count)
            return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->waiting, true);
    while (atomic_load(&p->done) != count)
        pthread_cond_wait(&p->finished, &p->lock);
    atomic_store(&p->waiting, false);
    pthread_mutex_unlock(&p->lock);
}

static void run_alone(int64_t count, PoolTask f, void *arg)
{
    for (int64_t i = 0; i < count; i++)
        f(arg, i, 0);
}

static void run_together(Pool *p, int64_t count, PoolTask f, void *arg)
{
    uint64_t loop = (atomic_load(&p->ticket) >> PIECE_BITS) + 1;
    atomic_store(&p->ticket, loop << PIECE_BITS | PIECES);
    atomic_store(&p->task, f);
    atomic_store(&p->arg, arg);
    atomic_store(&p->done, 0);
    atomic_store(&p->count, count);
    atomic_store(&p->ticket, loop << PIECE_BITS);
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    take_pieces(p, 0);
    wait_until_done(p, count);
}

void pool_run(Pool *p, int64_t count, PoolTask f, void *arg)
{
    if (p == NULL) {
        run_alone(count, f, arg);
        return;
    }
    bool busy = atomic_exchange(&p->busy, true);
    assert(!busy && "a pool serves one caller at a time, and not its own tasks");
    assert(count < (int64_t)PIECES);
    if (p->threads == 1 || count <= 1)
        run_alone(count, f, arg);
    else
        run_together(p, count, f, arg);
    atomic_store(&p->busy, false);
}
