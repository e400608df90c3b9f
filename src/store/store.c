#include "store/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/uuid.h"

int64_t store_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool store_make_id(char id[STORE_ID_SIZE], const char *prefix, SoraError *err)
{
    char uuid[UUID_SIZE];
    if (!uuid_make_v7(uuid, err))
        return false;
    int n = snprintf(id, STORE_ID_SIZE, "%.20s_", prefix);
    for (const char *s = uuid; *s != 0; s++)
        if (*s != '-')
            id[n++] = *s;
    id[n] = 0;
    return true;
}

Store *store_open(const StorePlan *plan, SoraError *err)
{
    Store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    s->postgres = db_is_url(plan->database);
    s->url = strdup(plan->database);
    bool ok = s->url != NULL || error_no_memory(err);
    s->pool = ok ? db_pool_open(plan->database, plan->connections > 0 ? plan->connections : 8, err) : NULL;
    Db *db = s->pool != NULL ? db_borrow(s->pool, err) : NULL;
    ok = db != NULL && schema_make(db, err);
    if (db != NULL)
        db_return(s->pool, db);
    ok = ok && (s->files = files_open(plan->files, err)) != NULL && (!s->postgres || store_listen(s, err));
    if (ok)
        return s;
    store_close(s);
    return NULL;
}

void store_close(Store *s)
{
    if (s == NULL)
        return;
    store_unlisten(s);
    if (s->files != NULL)
        s->files->driver->close(s->files);
    db_pool_close(s->pool);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->woken);
    free(s->url);
    free(s);
}

bool store_run(Store *store, const DbQuery *query, int64_t *count, SoraError *err)
{
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_run(db, query, count, err);
    db_return(store->pool, db);
    return ok;
}

bool store_check(Store *store, SoraError *err)
{
    return store_run(store, &(DbQuery){.sql = "SELECT 1"}, NULL, err);
}

void store_wake(Store *s)
{
    pthread_mutex_lock(&s->lock);
    s->wakes++;
    pthread_cond_broadcast(&s->woken);
    pthread_mutex_unlock(&s->lock);
}

uint64_t store_wakes(Store *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t wakes = s->wakes;
    pthread_mutex_unlock(&s->lock);
    return wakes;
}

void store_wait(Store *s, uint64_t seen, int milliseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&s->lock);
    while (s->wakes == seen && pthread_cond_timedwait(&s->woken, &s->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&s->lock);
}

bool take_int(void *user, const DbRow *row, SoraError *err)
{
    *(int64_t *)user = db_row_int(row, 0);
    return true;
}

bool take_text(void *user, const DbRow *row, SoraError *err)
{
    char **text = user;
    bool ok = true;
    free(*text);
    *text = copy_text(db_row_text(row, 0), &ok);
    return ok || error_no_memory(err);
}

char *copy_text(const char *s, bool *ok)
{
    char *copy = s != NULL ? strdup(s) : NULL;
    if (s != NULL && copy == NULL)
        *ok = false;
    return copy;
}
