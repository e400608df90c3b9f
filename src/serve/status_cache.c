#include "serve/status_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/store.h"

enum { ENTRIES = 4096, MOST_TEXT = 4096 };

typedef struct Entry {
    char job[STORE_ID_SIZE], key[STORE_ID_SIZE]; /* job "": it is free */
    uint64_t version;
    double until;
    bool open;
    int64_t created;
    char *text;
    size_t size;
} Entry;

struct StatusCache {
    pthread_mutex_t lock;
    double seconds;
    Entry entries[ENTRIES];
};

StatusCache *status_cache_new(double seconds)
{
    StatusCache *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->seconds = seconds;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void status_cache_free(StatusCache *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < ENTRIES; i++)
        free(c->entries[i].text);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static Entry *entry_of(StatusCache *c, const char *job)
{
    return &c->entries[hash64(HASH64_START, job, strlen(job)) % ENTRIES];
}

bool status_cache_get(StatusCache *c, const char *job, const char *key, uint64_t version, Status *status)
{
    char *text = NULL;
    double now = clock_seconds();
    pthread_mutex_lock(&c->lock);
    const Entry *e = entry_of(c, job);
    bool found = e->version == version && now < e->until && strcmp(e->job, job) == 0 && strcmp(e->key, key) == 0 &&
                 (text = malloc(e->size + 1)) != NULL;
    if (found) {
        memcpy(text, e->text, e->size + 1);
        *status = (Status){text, e->size, e->open, e->created};
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

void status_cache_put(StatusCache *c, const char *job, const char *key, uint64_t version, const Status *status)
{
    char *text = status->size < MOST_TEXT && strlen(job) < STORE_ID_SIZE && strlen(key) < STORE_ID_SIZE
                     ? malloc(status->size + 1)
                     : NULL;
    if (text == NULL)
        return;
    memcpy(text, status->text, status->size);
    text[status->size] = 0;
    pthread_mutex_lock(&c->lock);
    Entry *e = entry_of(c, job);
    free(e->text);
    *e = (Entry){.version = version,
                 .until = clock_seconds() + c->seconds,
                 .open = status->open,
                 .created = status->created,
                 .text = text,
                 .size = status->size};
    strcpy(e->job, job);
    strcpy(e->key, key);
    pthread_mutex_unlock(&c->lock);
}
