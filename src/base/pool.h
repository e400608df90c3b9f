/* A pool of threads for loops. The caller works too, and waits at the end only for pieces that were begun,
 * never for a thread that the system has not yet let run: on a machine with other work to do this is many
 * times faster than OpenMP's barriers. */
#ifndef SORA_BASE_POOL_H
#define SORA_BASE_POOL_H

#include <stdint.h>

typedef struct Pool Pool;

/* Piece i of the work. worker: 0 .. threads-1, a different one in pieces that run at the same time. */
typedef void (*PoolTask)(void *arg, int64_t i, int worker);

/* threads includes the caller; 1 makes a pool without threads. Fewer if the system has no more. NULL when out
 * of memory. A pool serves one caller at a time, and only the process that made it: not the child of a
 * fork(). Its threads leave the process's signals to others. */
Pool *pool_new(int threads);
void pool_free(Pool *p); /* NULL is allowed */
int pool_threads(const Pool *p); /* 1 for NULL */

/* Calls f(arg, i, worker) for i in 0 .. count-1, in any order, and returns when all are done; what the tasks
 * wrote is then the caller's to read. With p NULL the caller does it all, as worker 0. Not from within a task
 * of the same pool. count is below 2^32 - 1. */
void pool_run(Pool *p, int64_t count, PoolTask f, void *arg);

#endif
