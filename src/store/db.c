#include "store/db.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct DbPool {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    char *url;
    Db *idle;
    int open, most;
};

bool db_is_url(const char *url)
{
    return strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0;
}

DbPool *db_pool_open(const char *url, int most, SoraError *err)
{
    DbPool *p = calloc(1, sizeof *p);
    if (p == NULL || (p->url = strdup(url)) == NULL) {
        free(p);
        error_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->returned, NULL);
    p->most = most;
    Db *first = db_borrow(p, err);
    if (first == NULL) {
        db_pool_close(p);
        return NULL;
    }
    db_return(p, first);
    return p;
}

void db_pool_close(DbPool *p)
{
    if (p == NULL)
        return;
    while (p->idle != NULL) {
        Db *db = p->idle;
        p->idle = db->next;
        db->driver->close(db);
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->returned);
    free(p->url);
    free(p);
}

Db *db_borrow(DbPool *p, SoraError *err)
{
    pthread_mutex_lock(&p->lock);
    while (p->idle == NULL && p->open >= p->most)
        pthread_cond_wait(&p->returned, &p->lock);
    Db *db = p->idle;
    if (db != NULL)
        p->idle = db->next;
    else
        p->open++;
    pthread_mutex_unlock(&p->lock);
    if (db == NULL)
        db = db_is_url(p->url) ? db_postgres_open(p->url, err) : db_sqlite_open(p->url, err);
    if (db == NULL) {
        pthread_mutex_lock(&p->lock);
        p->open--;
        pthread_cond_signal(&p->returned);
        pthread_mutex_unlock(&p->lock);
    }
    return db;
}

void db_return(DbPool *p, Db *db)
{
    if (db == NULL)
        return;
    bool alive = db->driver->alive(db);
    if (!alive)
        db->driver->close(db);
    pthread_mutex_lock(&p->lock);
    if (alive) {
        db->next = p->idle;
        p->idle = db;
    } else {
        p->open--;
    }
    pthread_cond_signal(&p->returned);
    pthread_mutex_unlock(&p->lock);
}

bool db_run(Db *db, const DbQuery *query, int64_t *count, SoraError *err)
{
    return db->driver->run(db, query, count, err);
}

bool db_begin(Db *db, SoraError *err)
{
    return db->driver->begin(db, err);
}

bool db_end(Db *db, bool ok, SoraError *err)
{
    return db->driver->end(db, ok, err) && ok;
}

bool db_is_postgres(const Db *db)
{
    return db->postgres;
}

int64_t db_row_int(const DbRow *row, int column)
{
    return row->driver->row_int(row, column);
}

const char *db_row_text(const DbRow *row, int column)
{
    return row->driver->row_text(row, column);
}
