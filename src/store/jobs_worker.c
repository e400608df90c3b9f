/* Jobs as workers see them: taken, kept, ended. Every write names the fence under which the job was taken. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/jobs_inside.h"

#define TAKE                                                                                                                     \
    "UPDATE jobs SET state = 'in_progress', worker = $1, lease = $2, started = CASE WHEN started = 0 THEN $3 ELSE started END,"  \
    " fence = fence + 1, attempts = attempts + 1, progress = 0 WHERE state = 'queued' AND number = "

/* SQLite has one writer; there the oldest of each key is found first, which is quick when one key has thousands. */
static const char CLAIM_SQLITE[] = TAKE
    "(SELECT q.number FROM (SELECT priority, key, MIN(number) AS number FROM jobs WHERE state = 'queued' GROUP BY priority, key) "
    "q"
    " LEFT JOIN turns t ON t.key = q.key ORDER BY q.priority DESC, COALESCE(t.last, 0), q.number LIMIT 1) RETURNING " JOB_COLUMNS;
static const char CLAIM_POSTGRES[] =
    TAKE "(SELECT j.number FROM jobs j LEFT JOIN turns t ON t.key = j.key WHERE j.state = 'queued'"
         " ORDER BY j.priority DESC, COALESCE(t.last, 0), j.number LIMIT 1 FOR UPDATE OF j SKIP LOCKED) RETURNING " JOB_COLUMNS;

static bool claim(Db *db, const char *worker, Job *job, int64_t *count, SoraError *err)
{
    int64_t now = store_now();
    assert(job_state_follows(JOB_QUEUED, JOB_IN_PROGRESS));
    return db_run(db,
                  &(DbQuery){.sql = db_is_postgres(db) ? CLAIM_POSTGRES : CLAIM_SQLITE,
                             {db_text(worker), db_int(now + JOB_LEASE_MS), db_int(now)},
                             take_job,
                             job},
                  count, err) &&
           (*count == 0 ||
            db_run(db,
                   &(DbQuery){.sql = "INSERT INTO turns (key, last) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET last = $2",
                              {db_text(job->key), db_int(now)}},
                   NULL, err));
}

bool store_job_claim(Store *store, const char *worker, Job *job, bool *found, SoraError *err)
{
    int64_t count = 0;
    *job = (Job){0};
    *found = false;
    /* Looked at without a lock first: whoever waits does not hinder those who write. */
    if (!store_run(store, &(DbQuery){.sql = "SELECT 1 FROM jobs WHERE state = 'queued' LIMIT 1"}, &count, err))
        return false;
    if (count == 0)
        return true;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok)
        ok = db_end(db, claim(db, worker, job, &count, err), err);
    db_return(store->pool, db);
    *found = ok && count > 0;
    if (*found)
        store_job_changed(store, job->id);
    if (!ok)
        job_deinit(job);
    return ok;
}

static bool take_stop(void *user, const DbRow *row, SoraError *err)
{
    *(JobHold *)user = db_row_int(row, 0) != 0 ? JOB_STOP : JOB_HELD;
    return true;
}

static bool progress(Db *db, const JobLease *lease, int percent, const char *preview, JobHold *hold, SoraError *err)
{
    *hold = JOB_LOST;
    char *old = NULL;
    bool ok = true;
    if (preview != NULL)
        ok = db_run(db,
                    &(DbQuery){.sql = "SELECT preview FROM jobs WHERE id = $1 AND fence = $2 AND state = 'in_progress'",
                               {db_text(lease->id), db_int(lease->fence)},
                               take_text,
                               &old},
                    NULL, err);
    ok = ok && db_run(db,
                      &(DbQuery){.sql = "UPDATE jobs SET progress = $3, lease = $4, preview = COALESCE(CAST($5 AS TEXT), preview)"
                                        " WHERE id = $1 AND fence = $2 AND state = 'in_progress' RETURNING cancelled",
                                 {db_text(lease->id), db_int(lease->fence), db_int(percent), db_int(store_now() + JOB_LEASE_MS),
                                  db_text(preview)},
                                 take_stop,
                                 hold},
                      NULL, err);
    if (ok && preview != NULL && *hold != JOB_LOST)
        ok = file_keep(db, preview, err) && file_drop(db, old, store_now() + 60000, err); /* somebody may be reading it */
    free(old);
    return ok;
}

bool store_job_progress(Store *store, const JobLease *lease, int percent, const char *preview, JobHold *hold, SoraError *err)
{
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok)
        ok = db_end(db, progress(db, lease, percent, preview, hold, err), err);
    db_return(store->pool, db);
    store_job_changed(store, lease->id);
    return ok;
}

bool store_job_look(Store *store, const JobLease *lease, JobHold *hold, SoraError *err)
{
    *hold = JOB_LOST;
    return store_run(store,
                     &(DbQuery){.sql = "SELECT cancelled FROM jobs WHERE id = $1 AND fence = $2 AND state = 'in_progress'",
                                {db_text(lease->id), db_int(lease->fence)},
                                take_stop,
                                hold},
                     NULL, err);
}

/* --- ends --- */

typedef struct Ending {
    const JobLease *lease;
    const JobResult *result;    /* completed */
    const char *code, *message; /* failed */
    bool tried;                 /* released */
} Ending;

typedef bool (*End)(Db *db, const Job *job, const Ending *e, SoraError *err);

static const char *const HELD[] = {"SELECT " JOB_COLUMNS " FROM jobs WHERE id = $1 AND fence = $2 AND state = 'in_progress'",
                                   "SELECT " JOB_COLUMNS
                                   " FROM jobs WHERE id = $1 AND fence = $2 AND state = 'in_progress' FOR UPDATE"};

static bool is_deleted(Db *db, const Job *job, int64_t *deleted, SoraError *err)
{
    return db_run(db, &(DbQuery){.sql = "SELECT deleted FROM jobs WHERE number = $1", {db_int(job->number)}, take_int, deleted},
                  NULL, err);
}

/* end() in a transaction, if the job is the worker's; removed instead if it was deleted meanwhile. */
static bool end_job(Store *store, const Ending *e, End end, JobHold *hold, SoraError *err)
{
    Job job = {0};
    int64_t count = 0, deleted = 0;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok) {
        ok = db_run(db,
                    &(DbQuery){.sql = HELD[db_is_postgres(db)], {db_text(e->lease->id), db_int(e->lease->fence)}, take_job, &job},
                    &count, err);
        if (ok && count > 0)
            ok = is_deleted(db, &job, &deleted, err) && (deleted != 0 ? job_remove(db, &job, err) : end(db, &job, e, err));
        ok = db_end(db, ok, err);
    }
    db_return(store->pool, db);
    store_job_changed(store, e->lease->id);
    *hold = count > 0 ? JOB_HELD : JOB_LOST;
    job_deinit(&job);
    return ok;
}

static bool complete(Db *db, const Job *job, const Ending *e, SoraError *err)
{
    const JobResult *r = e->result;
    assert(job_state_follows(JOB_IN_PROGRESS, JOB_COMPLETED));
    return db_run(db,
                  &(DbQuery){.sql =
                                 "UPDATE jobs SET state = 'completed', progress = 100, completed = $2, expires = $3, video = $4,"
                                 " thumbnail = $5, spritesheet = $6, result = $7 WHERE number = $1",
                             {db_int(job->number), db_int(store_now()), db_int(r->expires), db_text(r->video),
                              db_text(r->thumbnail), db_text(r->spritesheet), db_text(r->json)}},
                  NULL, err) &&
           file_keep(db, r->video, err) && file_keep(db, r->thumbnail, err) && file_keep(db, r->spritesheet, err) &&
           job_is_over(db, job, "video.completed", err);
}

bool store_job_complete(Store *store, const JobLease *lease, const JobResult *result, JobHold *hold, SoraError *err)
{
    return end_job(store, &(Ending){.lease = lease, .result = result}, complete, hold, err);
}

static bool fail(Db *db, const Job *job, const Ending *e, SoraError *err)
{
    return job_fail(db, job, JOB_IN_PROGRESS, e->code, e->message, err);
}

bool store_job_fail(Store *store, const JobLease *lease, const char *code, const char *message, JobHold *hold, SoraError *err)
{
    return end_job(store, &(Ending){.lease = lease, .code = code, .message = message}, fail, hold, err);
}

static bool release(Db *db, const Job *job, const Ending *e, SoraError *err)
{
    if (job->cancelled)
        return job_fail(db, job, JOB_IN_PROGRESS, "cancelled", "the job was cancelled", err);
    if (e->tried && job->attempts >= JOB_MOST_ATTEMPTS)
        return job_fail(db, job, JOB_IN_PROGRESS, "server_error", "the process that made it ended several times", err);
    assert(job_state_follows(JOB_IN_PROGRESS, JOB_QUEUED));
    return db_run(
        db,
        &(DbQuery){.sql = "UPDATE jobs SET state = 'queued', worker = NULL, progress = 0, attempts = $2 WHERE number = $1",
                   {db_int(job->number), db_int(e->tried ? job->attempts : job->attempts - 1)}},
        NULL, err);
}

bool store_job_release(Store *store, const JobLease *lease, bool tried, JobHold *hold, SoraError *err)
{
    bool ok = end_job(store, &(Ending){.lease = lease, .tried = tried}, release, hold, err);
    store_wake(store);
    return ok;
}

/* --- parts of a transaction --- */

/* The files that it was given go at `now`. */
static bool drop_inputs(Db *db, const Job *job, int64_t now, SoraError *err)
{
    return db_run(db,
                  &(DbQuery){.sql = "INSERT INTO removals (file, due) SELECT file, CAST($2 AS BIGINT) FROM job_inputs WHERE job "
                                    "= $1 ON CONFLICT (file)"
                                    " DO UPDATE SET due = $2",
                             {db_text(job->id), db_int(now)}},
                  NULL, err) &&
           db_run(db, &(DbQuery){.sql = "DELETE FROM job_inputs WHERE job = $1", {db_text(job->id)}}, NULL, err);
}

bool job_is_over(Db *db, const Job *job, const char *event, SoraError *err)
{
    char id[STORE_ID_SIZE], body[512];
    int64_t now = store_now();
    if (!store_make_id(id, "evt", err))
        return false;
    snprintf(body, sizeof body,
             "{\"id\": \"%s\", \"object\": \"event\", \"type\": \"%s\", \"created_at\": %lld, \"data\": {\"id\": \"%s\"}}", id,
             event, (long long)(now / 1000), job->id);
    return drop_inputs(db, job, now, err) &&
           file_drop(db, job->preview, now + 60000, err) &&
           db_run(db, &(DbQuery){.sql = "UPDATE jobs SET preview = NULL, worker = NULL WHERE number = $1", {db_int(job->number)}},
                  NULL, err) &&
           (strcmp(job->kind, "video") != 0 ||
            db_run(db,
                   &(DbQuery){.sql = "INSERT INTO deliveries (id, hook, body, attempts, due) SELECT CAST($1 AS TEXT), h.id, "
                                     "CAST($2 AS TEXT), 0, CAST($3 AS BIGINT) FROM hooks h"
                                     " WHERE h.key = $4 AND h.events LIKE $5",
                              {db_text(id), db_text(body), db_int(now), db_text(job->key),
                               db_text(strcmp(event, "video.completed") == 0 ? "%video.completed%" : "%video.failed%")}},
                   NULL, err));
}

/* What was not made was not used: not its credits, nor one of the day's videos. */
static bool refund(Db *db, const Job *job, SoraError *err)
{
    return db_run(db,
                  &(DbQuery){.sql = "UPDATE usage SET videos = videos - 1, credits = credits - (SELECT credits FROM jobs WHERE"
                                    " number = $1) WHERE key = $2 AND day = $3",
                             {db_int(job->number), db_text(job->key), db_int(job->created / DAY_MS)}},
                  NULL, err);
}

bool job_fail(Db *db, const Job *job, JobState from, const char *code, const char *message, SoraError *err)
{
    assert(job_state_follows(from, JOB_FAILED));
    return db_run(
               db,
               &(DbQuery){
                   .sql =
                       "UPDATE jobs SET state = 'failed', completed = $2, error_code = $3, error_message = $4 WHERE number = $1"
                       " AND state = $5",
                   {db_int(job->number), db_int(store_now()), db_text(code), db_text(message), db_text(job_state_name(from))}},
               NULL, err) &&
           refund(db, job, err) &&
           job_is_over(db, job, "video.failed", err);
}

bool job_remove(Db *db, const Job *job, SoraError *err)
{
    int64_t now = store_now();
    bool unfinished = job->state == JOB_QUEUED || job->state == JOB_IN_PROGRESS;
    return (!unfinished || refund(db, job, err)) && file_drop(db, job->video, now, err) && file_drop(db, job->thumbnail, now, err) &&
           file_drop(db, job->spritesheet, now, err) && file_drop(db, job->preview, now, err) &&
           drop_inputs(db, job, now, err) &&
           db_run(db, &(DbQuery){.sql = "DELETE FROM likes WHERE job = $1", {db_text(job->id)}}, NULL, err) &&
           db_run(db, &(DbQuery){.sql = "DELETE FROM jobs WHERE number = $1", {db_int(job->number)}}, NULL, err);
}
