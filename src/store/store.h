/* Where a server keeps what must outlive it: jobs, keys, webhooks, files. One store may serve many processes on many machines.
 *
 *     Store *store = store_open(&(StorePlan){.database = "/var/lib/sora/store.sqlite", .files = "/var/lib/sora/files"}, &err);
 *
 * Any thread may call. Times are milliseconds since 1970, UTC. Strings that functions return in structs are the struct's: free
 * them with its deinit. A function that changes things does all of it or nothing. */
#ifndef SORA_STORE_STORE_H
#define SORA_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { STORE_ID_SIZE = 64, STORE_SERVER_KEY_SIZE = 64 };

typedef struct Store Store;

typedef struct StorePlan {
    const char *database; /* the path of an SQLite file, or postgres://USER:PASSWORD@HOST/NAME */
    const char *files;    /* a folder, or s3://BUCKET/PREFIX (store/s3.h) */
    int connections;      /* to the database at once; 0: 8 */
} StorePlan;

/* Makes what is not there. NULL on failure. */
Store *store_open(const StorePlan *plan, SoraError *err);
void store_close(Store *store);

int64_t store_now(void);

/* Prefix, "_" and 32 hexadecimal digits; those that are made later sort later. */
bool store_make_id(char id[STORE_ID_SIZE], const char *prefix, SoraError *err);

/* Is the database there? For /readyz. */
bool store_check(Store *store, SoraError *err);

/* Waits until there may be something to do (a job was added, cancelled or given back), at most so long. seen: what
 * store_wakes() said before the caller looked; a wake since then ends the wait at once. Another process than the one that
 * added it is woken only by PostgreSQL. */
uint64_t store_wakes(Store *store);
void store_wait(Store *store, uint64_t seen, int milliseconds);
void store_wake(Store *store); /* all who wait in this process */

/* Every now and then: gives back jobs whose worker is gone, ends those that were tried too often, forgets what has expired,
 * and removes files that nothing names any more. */
bool store_sweep(Store *store, SoraError *err);

/* At the start of the only process that works on a store: every job that somebody holds is given back at once,
 * and that does not count as a try: it was the server that ended. */
bool store_release_all(Store *store, SoraError *err);

#endif
