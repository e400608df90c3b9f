/* The store: states of jobs, fences, limits, keys, files. With SORA_TEST_POSTGRES=postgres://... the same on PostgreSQL,
 * with SORA_TEST_FILES=s3://... on S3. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "store/files.h"
#include "store/hooks.h"
#include "store/inside.h"
#include "store/jobs.h"
#include "store/keys.h"
#include "store/social.h"
#include "temp_dir.h"

static Store *store;
static const JobLimits NO_LIMITS;
static const JobIdempotency NOT_ONCE;

static void open_store(void)
{
    char path[128], files[128];
    const char *postgres = getenv("SORA_TEST_POSTGRES"), *place = getenv("SORA_TEST_FILES");
    SoraError err = {0};
    snprintf(path, sizeof path, "%s/store.sqlite", dir);
    snprintf(files, sizeof files, "%s/files", dir);
    store = store_open(&(StorePlan){.database = postgres != NULL ? postgres : path, .files = place != NULL ? place : files}, &err);
    if (store == NULL)
        print_error("%s\n", err.message);
    assert_non_null(store);
}

static int begin(void **state)
{
    if (setup(state) != 0)
        return 1;
    open_store();
    return 0;
}

static int end(void **state)
{
    store_close(store);
    return teardown(state);
}

/* Every test has jobs and keys of its own; what others left is taken out of the queue. */
static int empty(void **state)
{
    Job job;
    bool found = true;
    SoraError err = {0};
    while (found) {
        assert_true(store_job_claim(store, "w", &job, &found, &err));
        bool there;
        if (found) {
            JobHold hold;
            JobLease lease = {.fence = job.fence};
            memcpy(lease.id, job.id, sizeof lease.id);
            assert_true(store_job_fail(store, &lease, "x", "x", &hold, &err));
            assert_true(store_job_delete(store, job.id, NULL, &there, &err));
        }
        job_deinit(&job);
    }
    return 0;
}

static void make_job_of(const char *key, int priority, char id[STORE_ID_SIZE])
{
    SoraError err = {0};
    JobCreated result;
    Job job = {.priority = priority,
               .model = strdup("m"),
               .prompt = strdup("a fox"),
               .size = strdup("64x48"),
               .seconds = strdup("4"),
               .request = strdup("{}"),
               .kind = strdup("video")};
    snprintf(job.key, sizeof job.key, "%s", key);
    assert_true(store_job_create(store, &job, NULL, &NO_LIMITS, &NOT_ONCE, &result, &err));
    assert_int_equal(result, JOB_CREATED);
    memcpy(id, job.id, STORE_ID_SIZE);
    job_deinit(&job);
}

static Job get(const char *id)
{
    SoraError err = {0};
    bool found;
    Job job;
    assert_true(store_job_get(store, id, NULL, &job, &found, &err));
    if (!found)
        job = (Job){.number = -1};
    return job;
}

static void assert_state(const char *id, JobState state)
{
    Job job = get(id);
    assert_int_equal(job.state, state);
    job_deinit(&job);
}

static JobLease claim(char *id)
{
    SoraError err = {0};
    bool found;
    Job job;
    JobLease lease = {0};
    assert_true(store_job_claim(store, "w", &job, &found, &err));
    if (found) {
        memcpy(lease.id, job.id, sizeof lease.id);
        lease.fence = job.fence;
        assert_int_equal(job.state, JOB_IN_PROGRESS);
        assert_true(job.started > 0);
    }
    if (id != NULL)
        snprintf(id, STORE_ID_SIZE, "%s", lease.id);
    job_deinit(&job);
    return lease;
}

static void test_life(void **state)
{
    char id[STORE_ID_SIZE];
    SoraError err = {0};
    JobHold hold;
    make_job_of("k1", 0, id);
    assert_state(id, JOB_QUEUED);
    JobLease lease = claim(NULL);
    assert_string_equal(lease.id, id);
    assert_true(store_job_progress(store, &lease, 40, NULL, &hold, &err));
    assert_int_equal(hold, JOB_HELD);
    Job job = get(id);
    assert_int_equal(job.progress, 40);
    job_deinit(&job);
    assert_true(store_job_complete(store, &lease, &(JobResult){.json = "{}", .expires = 7}, &hold, &err));
    assert_int_equal(hold, JOB_HELD);
    assert_state(id, JOB_COMPLETED);
    /* Once only. */
    assert_true(store_job_complete(store, &lease, &(JobResult){.json = "{}"}, &hold, &err));
    assert_int_equal(hold, JOB_LOST);
    assert_true(store_job_fail(store, &lease, "x", "y", &hold, &err));
    assert_int_equal(hold, JOB_LOST);
    assert_state(id, JOB_COMPLETED);
}

/* The picture in jobs.h: the table in C, and the database's own guard, say the same. */
static void test_transitions(void **state)
{
    static const bool ALLOWED[4][4] = {{0, 1, 0, 1}, {1, 0, 1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}};
    static const char *const SET[] = {
        "UPDATE jobs SET state = 'queued' WHERE id = $1", "UPDATE jobs SET state = 'in_progress' WHERE id = $1",
        "UPDATE jobs SET state = 'completed' WHERE id = $1", "UPDATE jobs SET state = 'failed' WHERE id = $1"};
    for (int from = 0; from < 4; from++) {
        for (int to = 0; to < 4; to++) {
            char id[STORE_ID_SIZE];
            SoraError err = {0};
            assert_int_equal(job_state_follows(from, to), ALLOWED[from][to]);
            make_job_of("k2", 0, id);
            if (from == JOB_COMPLETED)
                assert_true(store_run(store, &(DbQuery){.sql = SET[JOB_IN_PROGRESS], {db_text(id)}}, NULL, &err));
            assert_true(store_run(store, &(DbQuery){.sql = SET[from], {db_text(id)}}, NULL, &err));
            bool done = store_run(store, &(DbQuery){.sql = SET[to], {db_text(id)}}, NULL, &err);
            if (from != to) /* to where it is, is nothing */
                assert_int_equal(done, ALLOWED[from][to]);
            assert_state(id, done ? to : from);
            bool found;
            assert_true(store_run(store, &(DbQuery){.sql = "DELETE FROM jobs WHERE id = $1", {db_text(id)}}, NULL, &err));
            assert_true(store_job_delete(store, id, NULL, &found, &err) && !found);
        }
    }
}

static void test_fence(void **state)
{
    char id[STORE_ID_SIZE];
    SoraError err = {0};
    JobHold hold;
    make_job_of("k1", 0, id);
    JobLease old = claim(NULL);
    /* Its lease runs out; another one takes it. */
    assert_true(store_run(store, &(DbQuery){.sql = "UPDATE jobs SET lease = 1 WHERE id = $1", {db_text(id)}}, NULL, &err));
    assert_true(store_sweep(store, &err));
    assert_state(id, JOB_QUEUED);
    JobLease now = claim(NULL);
    assert_string_equal(now.id, id);
    assert_true(now.fence > old.fence);
    assert_true(store_job_progress(store, &old, 99, NULL, &hold, &err) && hold == JOB_LOST);
    assert_true(store_job_complete(store, &old, &(JobResult){.json = "{}"}, &hold, &err) && hold == JOB_LOST);
    assert_true(store_job_fail(store, &old, "a", "b", &hold, &err) && hold == JOB_LOST);
    assert_true(store_job_release(store, &old, true, &hold, &err) && hold == JOB_LOST);
    Job job = get(id);
    assert_int_equal(job.state, JOB_IN_PROGRESS);
    assert_int_equal(job.progress, 0);
    job_deinit(&job);
    assert_true(store_job_complete(store, &now, &(JobResult){.json = "{}"}, &hold, &err) && hold == JOB_HELD);
}

static void test_attempts(void **state)
{
    char id[STORE_ID_SIZE];
    SoraError err = {0};
    JobHold hold;
    make_job_of("k1", 0, id);
    for (int i = 0; i < 5; i++) { /* handed back: does not count */
        JobLease lease = claim(NULL);
        assert_true(store_job_release(store, &lease, false, &hold, &err) && hold == JOB_HELD);
    }
    for (int i = 0; i < JOB_MOST_ATTEMPTS; i++) {
        assert_state(id, JOB_QUEUED);
        JobLease lease = claim(NULL);
        assert_true(store_job_release(store, &lease, true, &hold, &err) && hold == JOB_HELD);
    }
    Job job = get(id);
    assert_int_equal(job.state, JOB_FAILED);
    assert_string_equal(job.error_code, "server_error");
    job_deinit(&job);
}

static void test_cancel_and_delete(void **state)
{
    char id[STORE_ID_SIZE];
    SoraError err = {0};
    JobHold hold;
    bool found;
    make_job_of("k1", 0, id);
    assert_true(store_job_cancel(store, id, "another", &found, &err) && !found);
    assert_true(store_job_cancel(store, id, "k1", &found, &err) && found);
    assert_state(id, JOB_FAILED);
    make_job_of("k1", 0, id);
    JobLease lease = claim(NULL);
    assert_true(store_job_cancel(store, id, "k1", &found, &err) && found);
    assert_true(store_job_progress(store, &lease, 1, NULL, &hold, &err) && hold == JOB_STOP);
    assert_true(store_job_release(store, &lease, false, &hold, &err)); /* handed back, but it was cancelled */
    Job job = get(id);
    assert_int_equal(job.state, JOB_FAILED);
    assert_string_equal(job.error_code, "cancelled");
    job_deinit(&job);
    /* Deleted while it is made: nobody sees it, and the row goes with the worker's last word. */
    make_job_of("k1", 0, id);
    lease = claim(NULL);
    assert_true(store_job_delete(store, id, "k1", &found, &err) && found);
    job = get(id);
    assert_int_equal(job.number, -1);
    assert_true(store_job_progress(store, &lease, 1, NULL, &hold, &err) && hold == JOB_STOP);
    assert_true(store_job_complete(store, &lease, &(JobResult){.json = "{}"}, &hold, &err) && hold == JOB_HELD);
    int64_t rows = 1;
    assert_true(store_run(store, &(DbQuery){.sql = "SELECT COUNT(*) FROM jobs WHERE id = $1", {db_text(id)}, take_int, &rows},
                          NULL, &err));
    assert_int_equal(rows, 0);
}

static void test_order(void **state)
{
    char id[8][STORE_ID_SIZE], got[STORE_ID_SIZE];
    SoraError err = {0};
    assert_true(store_run(store, &(DbQuery){.sql = "DELETE FROM turns"}, NULL, &err));
    make_job_of("a", 0, id[0]);
    make_job_of("a", 0, id[1]);
    make_job_of("a", 0, id[2]);
    make_job_of("b", 0, id[3]);
    make_job_of("b", 0, id[4]);
    make_job_of("c", 1, id[5]); /* priority */
    static const int ORDER[] = {5, 0, 3, 1, 4, 2};
    for (int i = 0; i < 6; i++) {
        claim(got);
        usleep(2000); /* turns are told apart by the millisecond */
        if (strcmp(got, id[ORDER[i]]) != 0)
            fail_msg("job %d came out of order", i);
    }
    assert_true(store_release_all(store, &err));
    for (int i = 0; i < 6; i++) {
        bool found;
        assert_state(id[i], JOB_QUEUED);
        assert_true(store_job_delete(store, id[i], NULL, &found, &err) && found);
    }
}

static JobCreated create_limited(const JobLimits *limits, const JobIdempotency *once, char *id)
{
    SoraError err = {0};
    JobCreated result;
    Job job = {.model = strdup("m"), .request = strdup("{}"), .kind = strdup("video"), .key = "limited"};
    assert_true(store_job_create(store, &job, NULL, limits, once, &result, &err));
    if (id != NULL)
        snprintf(id, STORE_ID_SIZE, "%s", job.id);
    job_deinit(&job);
    return result;
}

static void test_limits(void **state)
{
    SoraError err = {0};
    char first[STORE_ID_SIZE], again[STORE_ID_SIZE];
    assert_int_equal(create_limited(&(JobLimits){.open = 2, .credits = 5}, &NOT_ONCE, NULL), JOB_CREATED);
    assert_int_equal(create_limited(&(JobLimits){.open = 2, .credits = 5}, &(JobIdempotency){"t", "h"}, first), JOB_CREATED);
    assert_int_equal(create_limited(&(JobLimits){.open = 2}, &NOT_ONCE, NULL), JOB_TOO_MANY);
    /* The same request once more is the same job, even where there is no room for another. */
    assert_int_equal(create_limited(&(JobLimits){.open = 2}, &(JobIdempotency){"t", "h"}, again), JOB_REPEATED);
    assert_string_equal(first, again);
    assert_int_equal(create_limited(&(JobLimits){.open = 2}, &(JobIdempotency){"t", "other"}, NULL), JOB_OTHER);
    assert_int_equal(create_limited(&(JobLimits){.videos_a_day = 2}, &NOT_ONCE, NULL), JOB_NO_VIDEOS_LEFT);
    assert_int_equal(create_limited(&(JobLimits){.credits_a_day = 14, .credits = 5}, &NOT_ONCE, NULL), JOB_NO_CREDITS_LEFT);
    assert_int_equal(create_limited(&(JobLimits){.credits_a_day = 15, .credits = 5}, &NOT_ONCE, NULL), JOB_CREATED);
    KeyUsageList usage;
    assert_true(store_key_usage(store, "limited", 10, &usage, &err));
    assert_int_equal(usage.count, 1);
    assert_int_equal(usage.days[0].videos, 3);
    assert_int_equal(usage.days[0].credits, 15);
    assert_true(store_run(store, &(DbQuery){.sql = "DELETE FROM usage WHERE key = 'limited'"}, NULL, &err));
    assert_true(store_run(store, &(DbQuery){.sql = "DELETE FROM once WHERE key = 'limited'"}, NULL, &err));
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static KeyUsage used(const char *key)
{
    SoraError err = {0};
    KeyUsageList usage;
    assert_true(store_key_usage(store, key, 1, &usage, &err));
    assert_int_equal(usage.count, 1);
    return usage.days[0];
}

static void assert_used(int64_t videos, int64_t credits)
{
    KeyUsage u = used("limited");
    assert_int_equal(u.videos, videos);
    assert_int_equal(u.credits, credits);
}

/* What a job would have cost is given back once, however it ends without a video; what was made is paid. */
static void test_refund(void **state)
{
    SoraError err = {0};
    const JobLimits limits = {.credits = 5};
    char id[6][STORE_ID_SIZE];
    bool found;
    JobHold hold;
    for (int i = 0; i < 6; i++)
        assert_int_equal(create_limited(&limits, &NOT_ONCE, id[i]), JOB_CREATED);
    assert_used(6, 30);
    JobLease lease[4];
    for (int i = 0; i < 4; i++) {
        lease[i] = claim(NULL);
        assert_string_equal(lease[i].id, id[i]);
    }
    assert_true(store_job_complete(store, &lease[0], &(JobResult){.json = "{}"}, &hold, &err));
    assert_used(6, 30);
    assert_true(store_job_fail(store, &lease[1], "server_error", "no", &hold, &err));
    assert_used(5, 25);
    assert_true(store_job_cancel(store, id[2], NULL, &found, &err)); /* in progress: when its worker has stopped */
    assert_used(5, 25);
    assert_true(store_job_release(store, &lease[2], false, &hold, &err));
    assert_used(4, 20);
    assert_true(store_job_delete(store, id[3], NULL, &found, &err)); /* so is one that is deleted */
    assert_true(store_job_fail(store, &lease[3], "cancelled", "no", &hold, &err));
    assert_used(3, 15);
    assert_true(store_job_cancel(store, id[4], NULL, &found, &err));
    assert_true(store_job_cancel(store, id[4], NULL, &found, &err));
    assert_true(store_job_delete(store, id[5], NULL, &found, &err));
    assert_used(1, 5);
    for (int i = 0; i < 5; i++)
        assert_true(store_job_delete(store, id[i], NULL, &found, &err));
    assert_used(1, 5);
    assert_true(store_run(store, &(DbQuery){.sql = "DELETE FROM usage WHERE key = 'limited'"}, NULL, &err));
}

/* A database of before jobs knew their credits. */
static void test_older_database(void **state)
{
    SoraError err = {0};
    char id[STORE_ID_SIZE];
    bool found;
    assert_int_equal(create_limited(&NO_LIMITS, &NOT_ONCE, id), JOB_CREATED);
    assert_true(store_run(store, &(DbQuery){.sql = "ALTER TABLE jobs DROP COLUMN credits"}, NULL, &err));
    store_close(store);
    open_store();
    assert_used(1, 0);
    assert_true(store_job_cancel(store, id, NULL, &found, &err));
    assert_used(0, 0);
    assert_int_equal(create_limited(&(JobLimits){.credits = 3}, &NOT_ONCE, id), JOB_CREATED);
    assert_used(1, 3);
    assert_true(store_job_delete(store, id, NULL, &found, &err));
    assert_used(0, 0);
    assert_true(store_run(store, &(DbQuery){.sql = "DELETE FROM usage WHERE key = 'limited'"}, NULL, &err));
}

/* Whatever writes to a job gives it another version; what only looks does not. */
static void test_versions(void **state)
{
    SoraError err = {0};
    char id[STORE_ID_SIZE], name[STORE_ID_SIZE], path[128];
    bool found;
    JobHold hold;
    make_job_of("k1", 0, id);
    uint64_t v = store_job_version(store, id), w;
#define CHANGES(call)                                                                                                            \
    assert_true(call);                                                                                                           \
    w = store_job_version(store, id);                                                                                            \
    assert_true(w > v);                                                                                                          \
    v = w
    Job job = get(id);
    job_deinit(&job);
    assert_int_equal(store_job_version(store, id), v);
    JobLease lease;
    CHANGES((lease = claim(NULL)).fence > 0);
    CHANGES(store_job_progress(store, &lease, 5, NULL, &hold, &err));
    CHANGES(store_job_release(store, &lease, false, &hold, &err));
    CHANGES((lease = claim(NULL)).fence > 0);
    snprintf(path, sizeof path, "%s/version", dir);
    write_file(path, "v");
    assert_true(store_file_add(store, path, "video", ".mp4", name, &err));
    CHANGES(store_job_complete(store, &lease, &(JobResult){.video = name, .json = "{}", .expires = store_now() + 50}, &hold, &err));
    CHANGES(store_job_publish(store, id, "k1", true, "t", &found, &err));
    CHANGES(store_job_like(store, id, "k2", true, &found, &err));
    CHANGES(store_job_feature(store, id, true, &found, &err));
    usleep(60000);
    CHANGES(store_sweep(store, &err));
    CHANGES(store_job_delete(store, id, "k1", &found, &err));
#undef CHANGES
}

static void test_pages(void **state)
{
    char id[5][STORE_ID_SIZE];
    SoraError err = {0};
    bool found;
    for (int i = 0; i < 5; i++)
        make_job_of("pages", 0, id[i]);
    JobList list;
    JobPage page = {.key = "pages", .limit = 2};
    assert_true(store_job_list(store, &page, &list, &found, &err) && found);
    assert_int_equal(list.count, 2);
    assert_true(list.more);
    assert_string_equal(list.jobs[0].id, id[4]);
    assert_string_equal(list.jobs[1].id, id[3]);
    job_list_deinit(&list);
    page.after = id[1];
    assert_true(store_job_list(store, &page, &list, &found, &err));
    assert_int_equal(list.count, 1);
    assert_false(list.more);
    assert_string_equal(list.jobs[0].id, id[0]);
    job_list_deinit(&list);
    page = (JobPage){.key = "pages", .limit = 100, .ascending = true, .after = id[2]};
    assert_true(store_job_list(store, &page, &list, &found, &err));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.jobs[0].id, id[3]);
    job_list_deinit(&list);
    page.after = "video_00000000000000000000000000000000";
    assert_true(store_job_list(store, &page, &list, &found, &err) && !found);
    job_list_deinit(&list);
    page = (JobPage){.key = "nobody", .limit = 100};
    assert_true(store_job_list(store, &page, &list, &found, &err) && found && list.count == 0);
    job_list_deinit(&list);
}

static void test_keys(void **state)
{
    SoraError err = {0};
    char text[STORE_SERVER_KEY_SIZE], id[STORE_ID_SIZE], running[STORE_ID_SIZE], waiting[STORE_ID_SIZE];
    bool found, any;
    ApiKey key = {.name = strdup("me"), .scopes = strdup("videos"), .plan = strdup("free")}, got;
    assert_true(store_key_create(store, &key, text, &err));
    memcpy(id, key.id, sizeof id);
    assert_int_equal(strlen(text), 8 + 43);
    assert_true(store_key_any(store, &any, &err) && any);
    assert_true(store_key_find(store, text, &got, &found, &err) && found);
    assert_string_equal(got.id, id);
    assert_true(api_key_has_scope(&got, "videos"));
    assert_false(api_key_has_scope(&got, "video"));
    assert_false(api_key_has_scope(&got, "admin"));
    api_key_deinit(&got);
    /* Nothing in the database is the key. */
    int64_t rows = 1;
    assert_true(store_run(
        store, &(DbQuery){.sql = "SELECT COUNT(*) FROM keys WHERE hash = $1 OR hint = $1", {db_text(text)}, take_int, &rows},
        NULL, &err));
    assert_int_equal(rows, 0);
    text[20] ^= 1;
    assert_true(store_key_find(store, text, &got, &found, &err) && !found);
    text[20] ^= 1;
    /* Revoked: it is not found, what waits has failed, what runs is to stop. */
    make_job_of(id, 5, running);
    JobLease lease = claim(NULL);
    assert_string_equal(lease.id, running);
    make_job_of(id, 0, waiting);
    assert_true(store_key_revoke(store, id, &found, &err) && found);
    assert_true(store_key_find(store, text, &got, &found, &err) && !found);
    assert_state(waiting, JOB_FAILED);
    JobHold hold;
    assert_true(store_job_progress(store, &lease, 1, NULL, &hold, &err) && hold == JOB_STOP);
    assert_true(store_key_revoke(store, id, &found, &err) && !found);
    assert_true(store_key_revoke(store, "local", &found, &err) && !found);
    api_key_deinit(&key);
}

static void test_files(void **state)
{
    SoraError err = {0};
    char path[128], name[STORE_ID_SIZE], kept[STORE_ID_SIZE], id[STORE_ID_SIZE];
    int64_t size;
    JobHold hold;
    snprintf(path, sizeof path, "%s/in", dir);
    write_file(path, "hello");
    assert_true(store_file_add(store, path, "video", ".mp4", name, &err));
    assert_false(file_exists(path)); /* moved */
    int fd = store_file_open(store, name, &size, &err);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(size, 5);
    write_file(path, "kept");
    assert_true(store_file_add(store, path, "video", ".mp4", kept, &err));
    make_job_of("k1", 0, id);
    JobLease lease = claim(NULL);
    assert_true(store_job_complete(store, &lease, &(JobResult){.video = kept, .json = "{}"}, &hold, &err));
    /* An hour later: the one that nobody named is gone. */
    assert_true(store_run(store, &(DbQuery){.sql = "UPDATE removals SET due = 1"}, NULL, &err));
    assert_true(store_sweep(store, &err));
    assert_int_equal(store_file_open(store, name, &size, &err), -1);
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    fd = store_file_open(store, kept, &size, &err);
    assert_true(fd >= 0);
    close(fd);
    /* With the job it goes. */
    bool found;
    assert_true(store_job_delete(store, id, NULL, &found, &err) && found);
    assert_true(store_run(store, &(DbQuery){.sql = "UPDATE removals SET due = 1"}, NULL, &err));
    assert_true(store_sweep(store, &err));
    assert_int_equal(store_file_open(store, kept, &size, &err), -1);
    static const char *const WRONG[] = {"",
                                        "x",
                                        "../../etc/passwd",
                                        "video_0123",
                                        "video_0123456789abcdef0123456789abcdeX.mp4",
                                        "a/video_0123456789abcdef0123456789abcdef.mp4"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        assert_int_equal(store_file_open(store, WRONG[i], &size, &err), -1);
}

/* One that goes to S3 in three parts, the last one small. */
static void test_large_file(void **state)
{
    enum { SIZE = (16 << 20) + 3 };
    SoraError err = {0};
    char path[128], copy[128], name[STORE_ID_SIZE];
    int64_t size = 0, offset = -1;
    unsigned char *bytes = malloc(SIZE), *read_back = malloc(SIZE), part[10];
    assert_non_null(bytes);
    assert_non_null(read_back);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    snprintf(path, sizeof path, "%s/large", dir);
    snprintf(copy, sizeof copy, "%s/copy", dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, SIZE, f), SIZE);
    assert_int_equal(fclose(f), 0);
    assert_true(store_file_add(store, path, "video", ".mp4", name, &err));
    assert_true(store_file_size(store, name, &size, &err));
    assert_int_equal(size, SIZE);
    int fd = store_file_open_part(store, name, (8 << 20) - 5, (8 << 20) + 4, &offset, &err);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, part, 10, offset), 10);
    assert_memory_equal(part, bytes + (8 << 20) - 5, 10);
    close(fd);
    assert_true(store_file_fetch(store, name, copy, &err));
    f = fopen(copy, "rb");
    assert_non_null(f);
    assert_int_equal(fread(read_back, 1, SIZE, f), SIZE);
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    assert_memory_equal(read_back, bytes, SIZE);
    assert_false(store_file_fetch(store, name, copy, &err)); /* something is there */
    assert_true(store_file_remove(store, name, &err));
    assert_true(store_file_remove(store, name, &err));
    assert_false(store_file_size(store, name, &size, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
    free(bytes);
    free(read_back);
}

static void test_expiry(void **state)
{
    SoraError err = {0};
    char path[128], name[STORE_ID_SIZE], id[STORE_ID_SIZE];
    int64_t size;
    JobHold hold;
    snprintf(path, sizeof path, "%s/in", dir);
    write_file(path, "old");
    assert_true(store_file_add(store, path, "video", ".mp4", name, &err));
    make_job_of("k1", 0, id);
    JobLease lease = claim(NULL);
    assert_true(
        store_job_complete(store, &lease, &(JobResult){.video = name, .json = "{}", .expires = store_now() - 1}, &hold, &err));
    usleep(3000);
    assert_true(store_sweep(store, &err));
    usleep(3000);
    assert_true(store_sweep(store, &err));
    Job job = get(id);
    assert_int_equal(job.state, JOB_COMPLETED);
    assert_null(job.video);
    job_deinit(&job);
    assert_int_equal(store_file_open(store, name, &size, &err), -1);
}

static void test_hooks(void **state)
{
    SoraError err = {0};
    char id[STORE_ID_SIZE];
    JobHold hold;
    bool found, full;
    Hook hook = {.name = strdup("n"),
                 .url = strdup("https://example.com/"),
                 .events = strdup("video.completed"),
                 .secret = strdup("s"),
                 .key = "hooked"};
    assert_true(store_hook_create(store, &hook, &full, &err) && !full);
    make_job_of("hooked", 9, id);
    JobLease lease = claim(NULL);
    assert_true(store_job_fail(store, &lease, "a", "b", &hold, &err)); /* not asked for */
    HookDelivery d;
    assert_true(store_delivery_claim(store, &d, &found, &err) && !found);
    make_job_of("hooked", 9, id);
    lease = claim(NULL);
    assert_true(store_job_complete(store, &lease, &(JobResult){.json = "{}"}, &hold, &err));
    assert_true(store_delivery_claim(store, &d, &found, &err) && found);
    assert_non_null(strstr(d.body, "\"type\": \"video.completed\""));
    assert_non_null(strstr(d.body, id));
    assert_int_equal(d.attempts, 1);
    HookDelivery other;
    assert_true(store_delivery_claim(store, &other, &found, &err) && !found); /* somebody has it */
    assert_true(store_delivery_again(store, &d, 1, &err));
    hook_delivery_deinit(&d);
    assert_true(store_delivery_claim(store, &d, &found, &err) && found);
    assert_int_equal(d.attempts, 2);
    assert_true(store_delivery_done(store, &d, &err));
    hook_delivery_deinit(&d);
    assert_true(store_delivery_claim(store, &d, &found, &err) && !found);
    assert_true(store_hook_delete(store, hook.id, "another", &found, &err) && !found);
    assert_true(store_hook_delete(store, hook.id, "hooked", &found, &err) && found);
    hook_deinit(&hook);
}

static void test_feed(void **state)
{
    SoraError err = {0};
    char id[STORE_ID_SIZE], report[STORE_ID_SIZE], path[128], name[STORE_ID_SIZE];
    JobHold hold;
    bool found;
    snprintf(path, sizeof path, "%s/in", dir);
    write_file(path, "x");
    assert_true(store_file_add(store, path, "video", ".mp4", name, &err));
    make_job_of("author", 9, id);
    assert_true(store_job_publish(store, id, "author", true, "t", &found, &err) && !found); /* not finished */
    JobLease lease = claim(NULL);
    assert_true(store_job_complete(store, &lease, &(JobResult){.video = name, .json = "{}"}, &hold, &err));
    assert_true(store_job_like(store, id, "fan", true, &found, &err) && !found);
    assert_true(store_job_publish(store, id, "fan", true, "t", &found, &err) && !found);
    assert_true(store_job_publish(store, id, "author", true, "t", &found, &err) && found);
    assert_true(store_job_like(store, id, "fan", true, &found, &err) && found);
    assert_true(store_job_like(store, id, "fan", true, &found, &err) && found);
    JobList list;
    assert_true(store_job_list(store, &(JobPage){.feed = true, .limit = 10}, &list, &found, &err));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.jobs[0].likes, 1);
    job_list_deinit(&list);
    assert_true(store_job_list(store, &(JobPage){.feed = true, .featured = true, .limit = 10}, &list, &found, &err));
    assert_int_equal(list.count, 0);
    job_list_deinit(&list);
    assert_true(store_report_create(store, id, "fan", "not nice", report, &found, &err) && found);
    assert_true(store_report_decide(store, report, "removed", &found, &err) && found);
    assert_true(store_job_list(store, &(JobPage){.feed = true, .limit = 10}, &list, &found, &err));
    assert_int_equal(list.count, 0);
    job_list_deinit(&list);
}

/* Eight workers and forty jobs: each is done once. */
static int done[40];
static char parallel_ids[40][STORE_ID_SIZE];

static void *work(void *user)
{
    for (;;) {
        SoraError err = {0};
        JobHold hold;
        Job job;
        bool found;
        if (!store_job_claim(store, "w", &job, &found, &err))
            print_error("%s\n", err.message);
        if (!found)
            return NULL;
        JobLease lease = {.fence = job.fence};
        memcpy(lease.id, job.id, sizeof lease.id);
        if (store_job_complete(store, &lease, &(JobResult){.json = "{}"}, &hold, &err) && hold == JOB_HELD)
            for (int i = 0; i < 40; i++)
                if (strcmp(parallel_ids[i], job.id) == 0)
                    __atomic_add_fetch(&done[i], 1, __ATOMIC_SEQ_CST);
        job_deinit(&job);
    }
}

static void test_parallel(void **state)
{
    pthread_t threads[8];
    for (int i = 0; i < 40; i++)
        make_job_of(i % 2 ? "x" : "y", 0, parallel_ids[i]);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(done[i], 1);
        assert_state(parallel_ids[i], JOB_COMPLETED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_life, empty),   cmocka_unit_test_setup(test_transitions, empty),
        cmocka_unit_test_setup(test_fence, empty),  cmocka_unit_test_setup(test_attempts, empty),
        cmocka_unit_test_setup(test_order, empty),  cmocka_unit_test_setup(test_cancel_and_delete, empty),
        cmocka_unit_test_setup(test_limits, empty), cmocka_unit_test_setup(test_pages, empty),
        cmocka_unit_test_setup(test_refund, empty), cmocka_unit_test_setup(test_older_database, empty),
        cmocka_unit_test_setup(test_versions, empty), cmocka_unit_test_setup(test_large_file, empty),
        cmocka_unit_test_setup(test_keys, empty),   cmocka_unit_test_setup(test_files, empty),
        cmocka_unit_test_setup(test_expiry, empty), cmocka_unit_test_setup(test_hooks, empty),
        cmocka_unit_test_setup(test_feed, empty),   cmocka_unit_test_setup(test_parallel, empty),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
