/* What the files of src/store share. */
#ifndef SORA_STORE_INSIDE_H
#define SORA_STORE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include "store/db.h"
#include "store/files.h"
#include "store/store.h"

enum { STORE_VERSIONS = 4096 };

struct Store {
    DbPool *pool;
    Files *files;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    uint64_t wakes; /* how often */
    atomic_uint_fast64_t versions[STORE_VERSIONS], changes; /* of jobs, by a hash of their ids; of all jobs */
    bool postgres;
    char *url;
    void *listener; /* of PostgreSQL's notices; NULL: none */
};

bool schema_make(Db *db, SoraError *err);

/* One statement on a connection of its own. */
bool store_run(Store *store, const DbQuery *query, int64_t *count, SoraError *err);

/* After a commit: something in the job was written; id NULL: perhaps in any. */
void store_job_changed(Store *store, const char *id);

/* A row of one integer into *(int64_t *)user; of one text into *(char **)user, which free() takes. */
bool take_int(void *user, const DbRow *row, SoraError *err);
bool take_text(void *user, const DbRow *row, SoraError *err);

/* strdup() that takes NULL; *ok becomes false without memory. */
char *copy_text(const char *s, bool *ok);

/* In a transaction: the file goes when it is committed, at `due` or soon after. NULL is allowed. */
bool file_drop(Db *db, const char *name, int64_t due, SoraError *err);
/* ... and stays: somebody names it now. */
bool file_keep(Db *db, const char *name, SoraError *err);

/* Starts and ends to listen; for the driver of PostgreSQL. */
bool store_listen(Store *store, SoraError *err);
void store_unlisten(Store *store);

#endif
