/* Answers to "how far is this video?", as they were sent a moment ago: clients that wait ask again and again, and most of the time
 * nothing has changed. An entry counts while this process has written nothing to the job, and at most STATUS_SECONDS, for other
 * processes may (those of SQLite's database write to no job but those of a key that they revoke). */
#ifndef SORA_SERVE_STATUS_CACHE_H
#define SORA_SERVE_STATUS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATUS_SECONDS 0.25       /* with PostgreSQL */
#define STATUS_SECONDS_ALONE 2.0 /* with SQLite; the place in the queue is no newer than that */

typedef struct StatusCache StatusCache;

typedef struct Status {
    const char *text; /* JSON */
    size_t size;
    bool open;       /* queued or in progress */
    int64_t created; /* as of Job */
} Status;

StatusCache *status_cache_new(double seconds); /* NULL: no memory */
void status_cache_free(StatusCache *cache);

/* version: store_job_version(), from before the job was read. True: status->text is a copy, which free() takes. */
bool status_cache_get(StatusCache *cache, const char *job, const char *key, uint64_t version, Status *status);
/* A long one is not kept. */
void status_cache_put(StatusCache *cache, const char *job, const char *key, uint64_t version, const Status *status);

#endif
