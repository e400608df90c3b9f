/* What jobs.c, jobs_worker.c and sweep.c share. */
#ifndef SORA_STORE_JOBS_INSIDE_H
#define SORA_STORE_JOBS_INSIDE_H

#include "store/inside.h"
#include "store/jobs.h"

enum { DAY_MS = 86400000 }; /* of a key's limits: from midnight on, UTC */

/* In the order in which job_read() takes them. */
#define JOB_COLUMNS                                                                                                              \
    "number, id, key, state, priority, model, prompt, size, seconds, request, source, result, error_code, error_message,"        \
    " kind, created, started, completed, expires, fence, progress, attempts, cancelled, video, thumbnail, spritesheet,"          \
    " preview, published, title, likes, featured"

bool job_read(Job *job, const DbRow *row, SoraError *err);
bool take_job(void *user, const DbRow *row, SoraError *err); /* into a Job, which is given up before */

/* These are parts of a transaction in which the job's row is locked. */

/* The row and all its files. The credits of one that is not over are given back. */
bool job_remove(Db *db, const Job *job, SoraError *err);
/* From `from` to failed: its credits are given back, and those who asked for it are told. */
bool job_fail(Db *db, const Job *job, JobState from, const char *code, const char *message, SoraError *err);
/* Its inputs and its preview are not needed any more, and webhooks learn of it. event: "video.completed". */
bool job_is_over(Db *db, const Job *job, const char *event, SoraError *err);

#endif
