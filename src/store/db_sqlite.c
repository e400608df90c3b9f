/* SQLite with a write-ahead log: readers and one writer at the same time. A commit is on the disk when it returns. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"

enum { MOST_STATEMENTS = 256, BUSY_MS = 20000 };

typedef struct Statement {
    const char *sql; /* its address is its name */
    sqlite3_stmt *prepared;
    int place[DB_MAX_PARAMS]; /* of $1, $2 ...; 0: it is not used */
} Statement;

typedef struct SqliteDb {
    Db base;
    sqlite3 *handle;
    Statement statements[MOST_STATEMENTS];
    int count;
} SqliteDb;

static bool fail(SqliteDb *s, SoraError *err)
{
    int code = sqlite3_errcode(s->handle) & 0xff;
    SoraErrorCode kind = code == SQLITE_NOMEM                              ? SORA_ERROR_MEMORY
                         : code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? SORA_ERROR_INPUT
                                                                           : SORA_ERROR_IO;
    int why = code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL ? sqlite3_system_errno(s->handle) : 0;
    return error_set(err, kind, "store: %s%s%s", sqlite3_errmsg(s->handle), why != 0 ? ": " : "", why != 0 ? strerror(why) : "");
}

static Statement *prepare(SqliteDb *s, const char *sql, SoraError *err)
{
    for (int i = 0; i < s->count; i++)
        if (s->statements[i].sql == sql)
            return &s->statements[i];
    if (s->count == MOST_STATEMENTS) {
        error_set(err, SORA_ERROR_INTERNAL, "store: too many statements");
        return NULL;
    }
    Statement *t = &s->statements[s->count];
    *t = (Statement){.sql = sql};
    if (sqlite3_prepare_v3(s->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &t->prepared, NULL) != SQLITE_OK) {
        fail(s, err);
        return NULL;
    }
    for (int i = 0; i < DB_MAX_PARAMS; i++) {
        char name[8] = {'$', (char)(i < 9 ? '1' + i : '0' + (i + 1) / 10), (char)(i < 9 ? 0 : '0' + (i + 1) % 10)};
        t->place[i] = sqlite3_bind_parameter_index(t->prepared, name);
    }
    s->count++;
    return t;
}

static bool bind(const Statement *t, const DbValue *params)
{
    int code = SQLITE_OK;
    for (int i = 0; i < DB_MAX_PARAMS && params[i].type != DB_NONE && code == SQLITE_OK; i++) {
        const DbValue *v = &params[i];
        if (t->place[i] == 0)
            continue;
        if (v->type == DB_INT)
            code = sqlite3_bind_int64(t->prepared, t->place[i], v->number);
        else if (v->type == DB_TEXT)
            code = sqlite3_bind_text(t->prepared, t->place[i], v->text, -1, SQLITE_STATIC);
        else
            code = sqlite3_bind_null(t->prepared, t->place[i]);
    }
    return code == SQLITE_OK;
}

static int64_t row_int(const DbRow *row, int column)
{
    return sqlite3_column_int64(row->data, column);
}

static const char *row_text(const DbRow *row, int column)
{
    return (const char *)sqlite3_column_text(row->data, column);
}

static const DbDriver SQLITE;

static bool run(Db *db, const DbQuery *q, int64_t *count, SoraError *err)
{
    SqliteDb *s = (SqliteDb *)db;
    Statement *t = prepare(s, q->sql, err);
    if (t == NULL)
        return false;
    bool ok = bind(t, q->params) || fail(s, err);
    int64_t rows = 0;
    int code = SQLITE_DONE;
    while (ok && (code = sqlite3_step(t->prepared)) == SQLITE_ROW) {
        rows++;
        ok = q->row == NULL || q->row(q->user, &(DbRow){&SQLITE, t->prepared, 0}, err);
    }
    if (ok && code != SQLITE_DONE)
        ok = fail(s, err);
    if (count != NULL)
        *count = sqlite3_column_count(t->prepared) > 0 ? rows : sqlite3_changes64(s->handle);
    sqlite3_reset(t->prepared);
    sqlite3_clear_bindings(t->prepared);
    return ok;
}

static bool begin(Db *db, SoraError *err)
{
    return run(db, &(DbQuery){.sql = "BEGIN IMMEDIATE"}, NULL, err);
}

static bool end(Db *db, bool commit, SoraError *err)
{
    SqliteDb *s = (SqliteDb *)db;
    if (commit && run(db, &(DbQuery){.sql = "COMMIT"}, NULL, err))
        return true;
    if (!sqlite3_get_autocommit(s->handle))
        run(db, &(DbQuery){.sql = "ROLLBACK"}, NULL, NULL);
    return !commit;
}

static bool alive(Db *db)
{
    return sqlite3_get_autocommit(((SqliteDb *)db)->handle) != 0;
}

static void close_db(Db *db)
{
    SqliteDb *s = (SqliteDb *)db;
    for (int i = 0; i < s->count; i++)
        sqlite3_finalize(s->statements[i].prepared);
    sqlite3_close(s->handle);
    free(s);
}

static const DbDriver SQLITE = {run, begin, end, alive, close_db, row_int, row_text};

Db *db_sqlite_open(const char *path, SoraError *err)
{
    SqliteDb *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    s->base.driver = &SQLITE;
    int code = sqlite3_open_v2(path, &s->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(s->handle, BUSY_MS);
    if (code == SQLITE_OK)
        code = sqlite3_exec(s->handle, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;", NULL,
                            NULL, NULL);
    if (code == SQLITE_OK)
        return &s->base;
    if (s->handle != NULL)
        fail(s, err);
    else
        error_no_memory(err);
    error_wrap(err, "%s", path);
    close_db(&s->base);
    return NULL;
}
