/* What is done every now and then, by whoever comes first. */
#include <stdlib.h>
#include <string.h>

#include "store/jobs_inside.h"

enum { BATCH = 200, ONCE_MS = 86400000, WAITED_MS = 600000 };

typedef struct Names {
    char names[BATCH][STORE_ID_SIZE];
    int64_t numbers[BATCH];
    int count;
} Names;

static bool take_name(void *user, const DbRow *row, SoraError *err)
{
    Names *n = user;
    const char *name = db_row_text(row, 0);
    if (n->count < BATCH && name != NULL && strlen(name) < STORE_ID_SIZE) {
        n->numbers[n->count] = db_row_int(row, 1);
        memcpy(n->names[n->count++], name, strlen(name) + 1);
    }
    return true;
}

/* Jobs whose lease ran out before `now`; their fences are those of the workers that are gone. */
static bool release_lost(Store *store, int64_t now, bool tried, SoraError *err)
{
    Names *lost = calloc(1, sizeof *lost);
    if (lost == NULL)
        return error_no_memory(err);
    bool ok = store_run(store,
                        &(DbQuery){.sql = "SELECT id, fence FROM jobs WHERE state = 'in_progress' AND lease < $1 LIMIT 200",
                                   {db_int(now)},
                                   take_name,
                                   lost},
                        NULL, err);
    for (int i = 0; ok && i < lost->count; i++) {
        JobLease lease = {.fence = lost->numbers[i]};
        JobHold hold;
        memcpy(lease.id, lost->names[i], STORE_ID_SIZE);
        ok = store_job_release(store, &lease, tried, &hold, err);
    }
    free(lost);
    return ok;
}

bool store_release_all(Store *store, SoraError *err)
{
    int64_t held = 1;
    bool ok = true;
    while (ok && held > 0)
        ok = release_lost(store, INT64_MAX, false, err) &&
             store_run(store,
                       &(DbQuery){.sql = "SELECT COUNT(*) FROM jobs WHERE state = 'in_progress'", .row = take_int, .user = &held},
                       NULL, err);
    return ok;
}

static bool expire_one(Db *db, const char *id, SoraError *err)
{
    Job job = {0};
    int64_t count = 0, now = store_now();
    bool ok = db_run(db,
                     &(DbQuery){.sql = "SELECT " JOB_COLUMNS " FROM jobs WHERE id = $1 AND expires > 0 AND expires < $2",
                                {db_text(id), db_int(now)},
                                take_job,
                                &job},
                     &count, err);
    if (ok && count > 0)
        ok = file_drop(db, job.video, now, err) && file_drop(db, job.thumbnail, now, err) &&
             file_drop(db, job.spritesheet, now, err) &&
             db_run(db,
                    &(DbQuery){
                        .sql = "UPDATE jobs SET video = NULL, thumbnail = NULL, spritesheet = NULL, published = 0 WHERE id = $1",
                        {db_text(id)}},
                    NULL, err);
    job_deinit(&job);
    return ok;
}

static bool expire(Store *store, SoraError *err)
{
    Names *old = calloc(1, sizeof *old);
    if (old == NULL)
        return error_no_memory(err);
    bool ok = store_run(
        store,
        &(DbQuery){.sql = "SELECT id, number FROM jobs WHERE expires > 0 AND expires < $1 AND video IS NOT NULL LIMIT 200",
                   {db_int(store_now())},
                   take_name,
                   old},
        NULL, err);
    for (int i = 0; ok && i < old->count; i++) {
        Db *db = db_borrow(store->pool, err);
        ok = db != NULL && db_begin(db, err) && db_end(db, expire_one(db, old->names[i], err), err);
        db_return(store->pool, db);
        store_job_changed(store, old->names[i]);
    }
    free(old);
    return ok;
}

/* The file first, its note afterwards: when something fails between, it is tried again. */
static bool remove_files(Store *store, SoraError *err)
{
    Names *due = calloc(1, sizeof *due);
    if (due == NULL)
        return error_no_memory(err);
    bool ok = true;
    do {
        due->count = 0;
        ok = store_run(
            store,
            &(DbQuery){.sql = "SELECT file, due FROM removals WHERE due < $1 LIMIT 200", {db_int(store_now())}, take_name, due},
            NULL, err);
        for (int i = 0; ok && i < due->count; i++)
            ok = store_file_remove(store, due->names[i], err);
    } while (ok && due->count == BATCH);
    free(due);
    return ok;
}

bool store_sweep(Store *store, SoraError *err)
{
    int64_t now = store_now();
    return release_lost(store, now, true, err) && expire(store, err) &&
           /* Who has waited ten minutes waits like those with priority. */
           store_run(store,
                     &(DbQuery){.sql = "UPDATE jobs SET priority = 1 WHERE state = 'queued' AND priority < 1 AND created < $1",
                                {db_int(now - WAITED_MS)}},
                     NULL, err) &&
           store_run(store, &(DbQuery){.sql = "DELETE FROM once WHERE at < $1", {db_int(now - ONCE_MS)}}, NULL, err) &&
           store_run(store, &(DbQuery){.sql = "DELETE FROM usage WHERE day < $1", {db_int(now / DAY_MS - 400)}}, NULL, err) &&
           remove_files(store, err);
}
