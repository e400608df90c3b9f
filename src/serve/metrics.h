/* Counters and histograms in Prometheus' form. */
#ifndef SORA_SERVE_METRICS_H
#define SORA_SERVE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/error.h"
#include "store/store.h"

enum { HISTOGRAM_BUCKETS = 16, METRICS_MODELS = 8, METRICS_CATEGORIES = 16 };

typedef struct Histogram {
    atomic_uint_fast64_t buckets[HISTOGRAM_BUCKETS + 1]; /* the last one: more than all bounds */
    atomic_uint_fast64_t microseconds;
} Histogram;

typedef enum Finished { FINISHED_COMPLETED, FINISHED_FAILED, FINISHED_CANCELLED, FINISHED_HANDED_BACK, FINISHED_KINDS } Finished;

typedef struct Metrics {
    double began;
    atomic_uint_fast64_t http[6]; /* by the status' first digit */
    Histogram http_seconds, queue_seconds;
    atomic_uint_fast64_t refusals[METRICS_CATEGORIES]; /* by the policy's categories */
    atomic_uint_fast64_t hooks_delivered, hooks_failed, hooks_given_up, child_crashes;
    struct {
        const char *name; /* as clients know it */
        Histogram generation_seconds, step_seconds;
        atomic_uint_fast64_t frames, finished[FINISHED_KINDS];
        atomic_int loaded; /* children that have it */
    } models[METRICS_MODELS];
    int model_count;
} Metrics;

void histogram_add(Histogram *h, double seconds);

/* The page; free() it. categories: their names, ends with NULL. NULL: no memory, or the store cannot be asked. */
char *metrics_print(Metrics *m, const char *const *categories, Store *store, SoraError *err);

#endif
