/* Jobs as those see them who ask for them: made, read, listed, deleted. */
#include "store/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/jobs_inside.h"

static const char *const STATES[] = {"queued", "in_progress", "completed", "failed"};

const char *job_state_name(JobState state)
{
    return STATES[state];
}

bool job_state_follows(JobState from, JobState to)
{
    return from == JOB_QUEUED ? to == JOB_IN_PROGRESS || to == JOB_FAILED : from == JOB_IN_PROGRESS && to != JOB_IN_PROGRESS;
}

void job_deinit(Job *j)
{
    char *const texts[] = {j->model,     j->prompt,      j->size,       j->seconds,       j->request,
                           j->source,    j->result,      j->error_code, j->error_message, j->kind,
                           j->thumbnail, j->spritesheet, j->preview,    j->video,         j->title};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    *j = (Job){0};
}

static JobState state_of(const char *name)
{
    for (int i = JOB_QUEUED; i < JOB_FAILED; i++)
        if (name != NULL && strcmp(name, STATES[i]) == 0)
            return (JobState)i;
    return JOB_FAILED;
}

bool job_read(Job *j, const DbRow *row, SoraError *err)
{
    bool ok = true;
    const char *id = db_row_text(row, 1), *key = db_row_text(row, 2);
    *j = (Job){.number = db_row_int(row, 0),
               .state = state_of(db_row_text(row, 3)),
               .priority = (int)db_row_int(row, 4),
               .created = db_row_int(row, 15),
               .started = db_row_int(row, 16),
               .completed = db_row_int(row, 17),
               .expires = db_row_int(row, 18),
               .fence = db_row_int(row, 19),
               .progress = (int)db_row_int(row, 20),
               .attempts = (int)db_row_int(row, 21),
               .cancelled = db_row_int(row, 22) != 0,
               .published = db_row_int(row, 27),
               .likes = (int)db_row_int(row, 29),
               .featured = db_row_int(row, 30) != 0};
    snprintf(j->id, sizeof j->id, "%s", id != NULL ? id : "");
    snprintf(j->key, sizeof j->key, "%s", key != NULL ? key : "");
    char **const texts[] = {&j->model,  &j->prompt, &j->size,       &j->seconds,       &j->request,
                            &j->source, &j->result, &j->error_code, &j->error_message, &j->kind};
    for (int i = 0; i < 10; i++)
        *texts[i] = copy_text(db_row_text(row, 5 + i), &ok);
    char **const files[] = {&j->video, &j->thumbnail, &j->spritesheet, &j->preview};
    for (int i = 0; i < 4; i++)
        *files[i] = copy_text(db_row_text(row, 23 + i), &ok);
    j->title = copy_text(db_row_text(row, 28), &ok);
    return ok || error_no_memory(err);
}

bool take_job(void *user, const DbRow *row, SoraError *err)
{
    Job *j = user;
    job_deinit(j);
    return job_read(j, row, err);
}

/* --- creating --- */

/* Has the token been used? Then *job is what was made with it. */
static bool find_repeated(Db *db, const JobIdempotency *once, Job *job, JobCreated *result, SoraError *err)
{
    char *hash = NULL;
    int64_t count = 0;
    bool ok = db_run(db,
                     &(DbQuery){.sql = "SELECT hash FROM once WHERE key = $1 AND token = $2",
                                {db_text(job->key), db_text(once->token)},
                                take_text,
                                &hash},
                     NULL, err);
    if (ok && hash != NULL && strcmp(hash, once->hash) != 0) {
        *result = JOB_OTHER;
    } else if (ok && hash != NULL) {
        Job old = {0};
        ok = db_run(db,
                    &(DbQuery){.sql = "SELECT " JOB_COLUMNS
                                      " FROM jobs WHERE id = (SELECT job FROM once WHERE key = $1 AND token = $2)"
                                      " AND deleted = 0",
                               {db_text(job->key), db_text(once->token)},
                               take_job,
                               &old},
                    &count, err);
        if (ok && count > 0) {
            job_deinit(job);
            *job = old;
            *result = JOB_REPEATED;
        }
    }
    free(hash);
    return ok;
}

static bool check_limits(Db *db, const char *key, const JobLimits *l, int64_t day, JobCreated *result, SoraError *err)
{
    int64_t open = 0, videos = 0, credits = 0;
    bool ok =
        (l->open == 0 ||
         db_run(db,
                &(DbQuery){.sql = "SELECT COUNT(*) FROM jobs WHERE key = $1 AND state IN ('queued', 'in_progress')"
                                  " AND deleted = 0",
                           {db_text(key)},
                           take_int,
                           &open},
                NULL, err)) &&
        db_run(db,
               &(DbQuery){
                   .sql = "SELECT videos FROM usage WHERE key = $1 AND day = $2", {db_text(key), db_int(day)}, take_int, &videos},
               NULL, err) &&
        db_run(
            db,
            &(DbQuery){
                .sql = "SELECT credits FROM usage WHERE key = $1 AND day = $2", {db_text(key), db_int(day)}, take_int, &credits},
            NULL, err);
    if (l->open > 0 && open >= l->open)
        *result = JOB_TOO_MANY;
    else if (l->videos_a_day > 0 && videos >= l->videos_a_day)
        *result = JOB_NO_VIDEOS_LEFT;
    else if (l->credits_a_day > 0 && credits + l->credits > l->credits_a_day)
        *result = JOB_NO_CREDITS_LEFT;
    return ok;
}

static bool insert(Db *db, Job *j, int64_t credits, SoraError *err)
{
    return db_run(
        db,
        &(DbQuery){.sql =
                       "INSERT INTO jobs (id, key, state, priority, model, prompt, size, seconds, request, source, kind, created,"
                       " credits)"
                       " VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING number",
                   {db_text(j->id), db_text(j->key), db_int(j->priority), db_text(j->model), db_text(j->prompt), db_text(j->size),
                    db_text(j->seconds), db_text(j->request), db_text(j->source), db_text(j->kind), db_int(j->created),
                    db_int(credits)},
                   take_int,
                   &j->number},
        NULL, err);
}

static bool count_usage(Db *db, const Job *j, int64_t credits, int64_t day, SoraError *err)
{
    return db_run(db,
                  &(DbQuery){.sql = "INSERT INTO usage (key, day, videos, credits) VALUES ($1, $2, 1, $3) ON CONFLICT (key, day)"
                                    " DO UPDATE SET videos = usage.videos + 1, credits = usage.credits + $3",
                             {db_text(j->key), db_int(day), db_int(credits)}},
                  NULL, err);
}

static bool add_input(Db *db, const Job *j, const char *file, SoraError *err)
{
    return db_run(db, &(DbQuery){.sql = "INSERT INTO job_inputs (job, file) VALUES ($1, $2)", {db_text(j->id), db_text(file)}},
                  NULL, err) &&
           file_keep(db, file, err);
}

/* In a transaction. */
static bool create(Db *db, Job *j, const char *const *inputs, const JobLimits *limits, const JobIdempotency *once,
                   JobCreated *result, SoraError *err)
{
    int64_t day = j->created / DAY_MS;
    /* Of two requests with one key the second waits here; so limits hold, and a token is used once. */
    if (db_is_postgres(db) &&
        !db_run(db, &(DbQuery){.sql = "SELECT 1 FROM keys WHERE id = $1 FOR UPDATE", {db_text(j->key)}}, NULL, err))
        return false;
    if (once->token != NULL && !find_repeated(db, once, j, result, err))
        return false;
    if (*result == JOB_CREATED && !check_limits(db, j->key, limits, day, result, err))
        return false;
    if (*result != JOB_CREATED)
        return true;
    bool ok = insert(db, j, limits->credits, err) && count_usage(db, j, limits->credits, day, err);
    for (; ok && inputs != NULL && *inputs != NULL; inputs++)
        ok = add_input(db, j, *inputs, err);
    return ok &&
           (once->token == NULL ||
            db_run(db,
                   &(DbQuery){
                       .sql = "INSERT INTO once (key, token, hash, job, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key, token)"
                              " DO UPDATE SET hash = $3, job = $4, at = $5",
                       {db_text(j->key), db_text(once->token), db_text(once->hash), db_text(j->id), db_int(j->created)}},
                   NULL, err)) &&
           (!db_is_postgres(db) || db_run(db, &(DbQuery){.sql = "NOTIFY sora_jobs"}, NULL, err));
}

bool store_job_create(Store *store, Job *job, const char *const *inputs, const JobLimits *limits, const JobIdempotency *once,
                      JobCreated *result, SoraError *err)
{
    *result = JOB_CREATED;
    job->created = store_now();
    job->state = JOB_QUEUED;
    if (!store_make_id(job->id, job->kind != NULL && strcmp(job->kind, "image") == 0 ? "image" : "video", err))
        return false;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok)
        ok = db_end(db, create(db, job, inputs, limits, once, result, err), err);
    db_return(store->pool, db);
    if (ok && *result == JOB_CREATED)
        store_wake(store);
    return ok;
}

/* --- reading --- */

bool store_job_get(Store *store, const char *id, const char *key, Job *job, bool *found, SoraError *err)
{
    int64_t count = 0;
    *job = (Job){0};
    bool ok =
        store_run(store,
                  &(DbQuery){.sql = "SELECT " JOB_COLUMNS " FROM jobs WHERE id = $1 AND deleted = 0 AND (key = $2 OR $3 = 1)",
                             {db_text(id), db_text(key != NULL ? key : ""), db_int(key == NULL)},
                             take_job,
                             job},
                  &count, err);
    *found = ok && count > 0;
    if (!ok)
        job_deinit(job);
    return ok;
}

static bool take_listed(void *user, const DbRow *row, SoraError *err)
{
    JobList *list = user;
    return job_read(&list->jobs[list->count++], row, err);
}

void job_list_deinit(JobList *list)
{
    for (int i = 0; i < list->count; i++)
        job_deinit(&list->jobs[i]);
    free(list->jobs);
    *list = (JobList){0};
}

#define OF_KEY "deleted = 0 AND (key = $1 OR $2 = 1) AND kind = 'video'"
#define IN_FEED                                                                                                                  \
    "deleted = 0 AND state = 'completed' AND published > 0 AND (key = $1 OR $1 = '')"                                            \
    " AND (featured = 1 OR $2 = 0)"

bool store_job_list(Store *store, const JobPage *page, JobList *list, bool *found, SoraError *err)
{
    static const char *const QUERIES[2][2] = {
        {"SELECT " JOB_COLUMNS " FROM jobs WHERE " OF_KEY " AND number < $3 ORDER BY number DESC LIMIT $4",
         "SELECT " JOB_COLUMNS " FROM jobs WHERE " OF_KEY " AND number > $3 ORDER BY number LIMIT $4"},
        {"SELECT " JOB_COLUMNS " FROM jobs WHERE " IN_FEED " AND published < $3 ORDER BY published DESC LIMIT $4",
         "SELECT " JOB_COLUMNS " FROM jobs WHERE " IN_FEED " AND published > $3 ORDER BY published LIMIT $4"},
    };
    int64_t from = page->ascending ? -1 : INT64_MAX;
    *list = (JobList){0};
    *found = true;
    if (page->after != NULL) {
        Job last;
        if (!store_job_get(store, page->after, page->feed ? NULL : page->key, &last, found, err))
            return false;
        from = page->feed ? last.published : last.number;
        job_deinit(&last);
        if (!*found)
            return true;
    }
    list->jobs = calloc((size_t)page->limit + 1, sizeof *list->jobs);
    if (list->jobs == NULL)
        return error_no_memory(err);
    DbQuery query = {QUERIES[page->feed][page->ascending],
                     {db_text(page->key != NULL ? page->key : ""), db_int(page->feed ? page->featured : page->key == NULL),
                      db_int(from), db_int(page->limit + 1)},
                     take_listed,
                     list};
    if (!store_run(store, &query, NULL, err)) {
        job_list_deinit(list);
        return false;
    }
    list->more = list->count > page->limit;
    if (list->more)
        job_deinit(&list->jobs[--list->count]);
    return true;
}

static bool take_counts(void *user, const DbRow *row, SoraError *err)
{
    JobCounts *c = user;
    *c = (JobCounts){db_row_int(row, 0), db_row_int(row, 1)};
    return true;
}

bool store_job_counts(Store *store, JobCounts *counts, SoraError *err)
{
    return store_run(store,
                     &(DbQuery){.sql = "SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'queued'),"
                                       " (SELECT COUNT(*) FROM jobs WHERE state = 'in_progress')",
                                .row = take_counts,
                                .user = counts},
                     NULL, err);
}

bool store_job_ahead(Store *store, int64_t number, int64_t *count, SoraError *err)
{
    return store_run(store,
                     &(DbQuery){.sql = "SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND number < $1",
                                {db_int(number)},
                                take_int,
                                count},
                     NULL, err);
}

static atomic_uint_fast64_t *version_of(Store *store, const char *id)
{
    return &store->versions[hash64(HASH64_START, id, strlen(id)) % STORE_VERSIONS];
}

uint64_t store_job_version(Store *store, const char *id)
{
    return *version_of(store, id) + store->changes; /* both only grow, so that the sum is another one after each change */
}

void store_job_changed(Store *store, const char *id)
{
    ++*(id != NULL ? version_of(store, id) : &store->changes);
}

/* --- ending --- */

typedef bool (*JobChange)(Db *db, const Job *job, SoraError *err);

/* change() in a transaction in which the job's row is locked. */
static bool change_job(Store *store, const char *id, const char *key, JobChange change, bool *found, SoraError *err)
{
    Job job = {0};
    int64_t count = 0;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok) {
        static const char *const QUERIES[] = {
            "SELECT " JOB_COLUMNS " FROM jobs WHERE id = $1 AND deleted = 0 AND (key = $2 OR $3 = 1)",
            "SELECT " JOB_COLUMNS " FROM jobs WHERE id = $1 AND deleted = 0 AND (key = $2 OR $3 = 1) FOR UPDATE"};
        ok = db_run(db,
                    &(DbQuery){.sql = QUERIES[db_is_postgres(db)],
                               {db_text(id), db_text(key != NULL ? key : ""), db_int(key == NULL)},
                               take_job,
                               &job},
                    &count, err) &&
             (count == 0 || change(db, &job, err));
        ok = db_end(db, ok, err);
    }
    db_return(store->pool, db);
    job_deinit(&job);
    *found = count > 0;
    if (ok && *found) {
        store_job_changed(store, id);
        store_wake(store);
    }
    return ok;
}

static bool delete_job(Db *db, const Job *job, SoraError *err)
{
    if (job->state == JOB_IN_PROGRESS)
        return db_run(db,
                      &(DbQuery){.sql = "UPDATE jobs SET deleted = 1, cancelled = 1 WHERE number = $1", {db_int(job->number)}},
                      NULL, err);
    return job_remove(db, job, err);
}

bool store_job_delete(Store *store, const char *id, const char *key, bool *found, SoraError *err)
{
    return change_job(store, id, key, delete_job, found, err);
}

static bool cancel_job(Db *db, const Job *job, SoraError *err)
{
    if (job->state == JOB_IN_PROGRESS)
        return db_run(db, &(DbQuery){.sql = "UPDATE jobs SET cancelled = 1 WHERE number = $1", {db_int(job->number)}}, NULL, err);
    return job->state != JOB_QUEUED || job_fail(db, job, JOB_QUEUED, "cancelled", "the job was cancelled", err);
}

bool store_job_cancel(Store *store, const char *id, const char *key, bool *found, SoraError *err)
{
    return change_job(store, id, key, cancel_job, found, err);
}
