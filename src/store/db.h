/* A connection to a database, whichever it is: SQLite's file or PostgreSQL. Statements are the same for both: parameters are
 * $1, $2 ..., integers are BIGINT, all else is text. They are prepared once for each connection and known by their address,
 * so a statement is a string literal or lives as long as the store.
 *
 *     Db *db = db_borrow(pool, &err);
 *     bool ok = db != NULL && db_run(db, &(DbQuery){"UPDATE jobs SET progress = $1 WHERE id = $2", {db_int(5), db_text(id)}},
 * &err); db_return(pool, db); */
#ifndef SORA_STORE_DB_H
#define SORA_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

enum { DB_MAX_PARAMS = 24 };

typedef struct DbValue {
    enum { DB_NONE, DB_NULL, DB_INT, DB_TEXT } type; /* DB_NONE ends a list */
    int64_t number;
    const char *text;
} DbValue;

static inline DbValue db_int(int64_t n)
{
    return (DbValue){DB_INT, n, 0};
}

/* NULL is SQL's. */
static inline DbValue db_text(const char *s)
{
    return s != NULL ? (DbValue){DB_TEXT, 0, s} : (DbValue){DB_NULL, 0, 0};
}

typedef struct DbRow DbRow;
int64_t db_row_int(const DbRow *row, int column);      /* 0 for NULL */
const char *db_row_text(const DbRow *row, int column); /* NULL for NULL; valid until the callback returns */

typedef struct DbQuery {
    const char *sql;
    DbValue params[DB_MAX_PARAMS];
    /* Called for each row; false with *err filled ends the query. NULL: rows are not looked at. */
    bool (*row)(void *user, const DbRow *row, SoraError *err);
    void *user;
} DbQuery;

typedef struct Db Db;

/* One statement. *count, where it is not NULL: how many rows were changed, or found. After SORA_ERROR_IO the connection may
 * be gone, and whether the last commit came through is not known. */
bool db_run(Db *db, const DbQuery *query, int64_t *count, SoraError *err);

/* A transaction that writes. db_end() commits when ok, else rolls back; it returns whether what was done stays. */
bool db_begin(Db *db, SoraError *err);
bool db_end(Db *db, bool ok, SoraError *err);

/* Rows that are to be changed must be locked there; with SQLite there is one writer at a time anyway. */
bool db_is_postgres(const Db *db);

/* Connections that threads share. At most `most` at once; who comes later waits. */
typedef struct DbPool DbPool;
DbPool *db_pool_open(const char *url, int most, SoraError *err); /* a file's path, or postgres://... */
void db_pool_close(DbPool *pool);
Db *db_borrow(DbPool *pool, SoraError *err); /* NULL: no connection could be made */
void db_return(DbPool *pool, Db *db);        /* NULL is allowed */

bool db_is_url(const char *url); /* postgres:// or postgresql:// */

/* --- for the drivers --- */

typedef struct DbDriver {
    bool (*run)(Db *db, const DbQuery *query, int64_t *count, SoraError *err);
    bool (*begin)(Db *db, SoraError *err);
    bool (*end)(Db *db, bool commit, SoraError *err);
    bool (*alive)(Db *db);
    void (*close)(Db *db); /* and frees it */
    int64_t (*row_int)(const DbRow *row, int column);
    const char *(*row_text)(const DbRow *row, int column);
} DbDriver;

struct Db {
    const DbDriver *driver;
    bool postgres;
    Db *next;
};

struct DbRow {
    const DbDriver *driver;
    void *data;
    int number;
};

Db *db_sqlite_open(const char *path, SoraError *err);
Db *db_postgres_open(const char *url, SoraError *err);

#endif
