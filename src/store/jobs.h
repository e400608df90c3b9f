/* Jobs and what becomes of them.
 *
 *                    +---- release, lease ran out ----+
 *                    v                                |
 *     create --> queued ---------- claim ------> in_progress ---- complete --> completed
 *                  |                                  |
 *                  |                                  +---- fail, tried too often, cancel --> failed
 *                  +---- cancel ---------------------------------------------------------------^
 *
 * Delete takes a job out of every state. One in progress is only hidden and marked: its row goes when its worker has stopped,
 * or when its lease has run out. What a store cannot do is go from completed or failed to anything else.
 *
 * A worker that claims a job gets its fence, a number that grows with each claim. Every write of a worker names it: one that
 * was thought dead and is not changes nothing. */
#ifndef SORA_STORE_JOBS_H
#define SORA_STORE_JOBS_H

#include "store/store.h"

typedef enum JobState { JOB_QUEUED, JOB_IN_PROGRESS, JOB_COMPLETED, JOB_FAILED } JobState;

const char *job_state_name(JobState state);         /* "queued" ... */
bool job_state_follows(JobState from, JobState to); /* the picture above */

enum { JOB_MOST_ATTEMPTS = 3 };

typedef struct Job {
    char id[STORE_ID_SIZE];
    int64_t number; /* in the order in which they were made */
    char key[STORE_ID_SIZE];
    JobState state;
    int priority; /* the larger one first */
    char *model, *prompt, *size, *seconds;
    char *request; /* JSON, for the worker */
    char *source;  /* id of the job that it changes; NULL: none */
    char *result;  /* JSON, from the worker; NULL: none yet */
    char *error_code, *error_message;
    char *kind;                                   /* "video" or "image" */
    int64_t created, started, completed, expires; /* 0: not yet, or never */
    int64_t fence;
    int progress, attempts;
    bool cancelled;                                  /* its worker is to stop */
    char *video, *thumbnail, *spritesheet, *preview; /* files; NULL: none */
    int64_t published;                               /* 0: it is not */
    char *title;                                     /* of what was published */
    int likes;
    bool featured;
} Job;

void job_deinit(Job *job); /* a zeroed one is allowed */

/* What a key may have. 0: no limit. */
typedef struct JobLimits {
    int open; /* queued and in progress */
    int videos_a_day;
    int64_t credits_a_day;
    int64_t credits; /* that this one costs */
} JobLimits;

typedef enum JobCreated {
    JOB_CREATED,
    JOB_REPEATED,       /* the idempotency key was used for the same request: *job is the job of then */
    JOB_OTHER,          /* it was used for another request */
    JOB_TOO_MANY,       /* open */
    JOB_NO_VIDEOS_LEFT, /* for today */
    JOB_NO_CREDITS_LEFT,
} JobCreated;

typedef struct JobIdempotency {
    const char *token; /* NULL: none */
    const char *hash;  /* of the request */
} JobIdempotency;

/* Fills id, number, state and created of a job whose other fields are there. inputs: names of files that belong to it, ends
 * with NULL; NULL: none. */
bool store_job_create(Store *store, Job *job, const char *const *inputs, const JobLimits *limits, const JobIdempotency *once,
                      JobCreated *result, SoraError *err);

/* *found: is there such a job of that key? key NULL: of anybody. */
bool store_job_get(Store *store, const char *id, const char *key, Job *job, bool *found, SoraError *err);

/* Another number since then: this process may have written to the job in between. Other processes' writes are not seen. */
uint64_t store_job_version(Store *store, const char *id);

typedef struct JobPage {
    const char *key;   /* NULL: of all */
    const char *after; /* id; NULL: from the beginning */
    bool ascending;
    bool feed, featured; /* what was published; featured: by those who keep the server */
    int limit;           /* 1 to 100 */
} JobPage;

typedef struct JobList {
    Job *jobs;
    int count;
    bool more;
} JobList;

/* *found: is there a job `after`? */
bool store_job_list(Store *store, const JobPage *page, JobList *list, bool *found, SoraError *err);
void job_list_deinit(JobList *list);

/* *found: was there one? */
bool store_job_delete(Store *store, const char *id, const char *key, bool *found, SoraError *err);
/* Nothing happens to one that is over. */
bool store_job_cancel(Store *store, const char *id, const char *key, bool *found, SoraError *err);

typedef struct JobCounts {
    int64_t queued, running;
} JobCounts;

bool store_job_counts(Store *store, JobCounts *counts, SoraError *err);
/* Queued ones with a smaller number. */
bool store_job_ahead(Store *store, int64_t number, int64_t *count, SoraError *err);

/* --- for workers --- */

typedef struct JobLease {
    char id[STORE_ID_SIZE];
    int64_t fence;
} JobLease;

typedef enum JobHold {
    JOB_HELD,
    JOB_STOP, /* it is held, and is to stop: cancelled or deleted, or its key was revoked */
    JOB_LOST, /* it is not this worker's any more */
} JobHold;

enum { JOB_LEASE_MS = 30000 };

/* The next job: by priority, then the key that has waited longest, then the oldest. */
bool store_job_claim(Store *store, const char *worker, Job *job, bool *found, SoraError *err);

/* Also renews the lease. preview: NULL: as it was. */
bool store_job_progress(Store *store, const JobLease *lease, int progress, const char *preview, JobHold *hold, SoraError *err);

/* The same without writing anything: is it still this worker's? */
bool store_job_look(Store *store, const JobLease *lease, JobHold *hold, SoraError *err);

typedef struct JobResult {
    const char *video, *thumbnail, *spritesheet; /* files */
    const char *json;
    int64_t expires; /* 0: never */
} JobResult;

/* hold JOB_LOST: nothing was changed. One that is to be deleted goes. */
bool store_job_complete(Store *store, const JobLease *lease, const JobResult *result, JobHold *hold, SoraError *err);
bool store_job_fail(Store *store, const JobLease *lease, const char *code, const char *message, JobHold *hold, SoraError *err);
/* Back into the queue. tried: it counts as an attempt (its process crashed); false: a worker that stops hands it back. */
bool store_job_release(Store *store, const JobLease *lease, bool tried, JobHold *hold, SoraError *err);

/* --- what people publish --- */

/* published false: taken back. title NULL: none. */
bool store_job_publish(Store *store, const char *id, const char *key, bool published, const char *title, bool *found,
                       SoraError *err);
bool store_job_feature(Store *store, const char *id, bool featured, bool *found, SoraError *err);
bool store_job_like(Store *store, const char *id, const char *key, bool liked, bool *found, SoraError *err);

#endif
