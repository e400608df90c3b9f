#include "serve/limiter.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, WAYS = 4 }; /* a power of two; of WAYS that a key may have, the one longest unused is taken */

typedef struct Bucket {
    char key[64];
    double level, at;
} Bucket;

struct Limiter {
    pthread_mutex_t lock;
    Bucket buckets[BUCKETS];
};

Limiter *limiter_new(void)
{
    Limiter *l = calloc(1, sizeof *l);
    if (l != NULL)
        pthread_mutex_init(&l->lock, NULL);
    return l;
}

void limiter_free(Limiter *l)
{
    if (l == NULL)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static Bucket *find(Limiter *l, const char *key, int a_minute, double now)
{
    uint32_t hash = 2166136261u;
    for (const char *s = key; *s != 0; s++)
        hash = (hash ^ (unsigned char)*s) * 16777619u;
    Bucket *set = &l->buckets[(hash * WAYS) & (BUCKETS - 1)], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (strncmp(set[i].key, key, sizeof set[i].key - 1) == 0)
            return &set[i];
        if (set[i].at < oldest->at)
            oldest = &set[i];
    }
    *oldest = (Bucket){.level = a_minute, .at = now};
    strncpy(oldest->key, key, sizeof oldest->key - 1);
    return oldest;
}

LimiterAnswer limiter_take(Limiter *l, const char *key, int a_minute, double now)
{
    double rate = a_minute / 60.0;
    pthread_mutex_lock(&l->lock);
    Bucket *b = find(l, key, a_minute, now);
    b->level += (now - b->at) * rate;
    if (b->level > a_minute)
        b->level = a_minute;
    b->at = now;
    bool allowed = b->level >= 1;
    if (allowed)
        b->level -= 1;
    LimiterAnswer answer = {allowed, a_minute, (int)b->level, (a_minute - b->level) / rate, allowed ? 0 : (1 - b->level) / rate};
    pthread_mutex_unlock(&l->lock);
    return answer;
}
