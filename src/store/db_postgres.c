/* PostgreSQL through libpq. A connection that was cut is thrown away when it is given back; the next one is new. */
#include <libpq-fe.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/inside.h"

enum { MOST_STATEMENTS = 256 };

typedef struct PostgresDb {
    Db base;
    PGconn *connection;
    const char *statements[MOST_STATEMENTS]; /* statement i is prepared as "s<i>" */
    int count;
} PostgresDb;

static const DbDriver POSTGRES;

/* Its messages have a newline at the end, and details on further lines. */
static bool fail(PostgresDb *p, const char *message, SoraError *err)
{
    int n = (int)strcspn(message, "\n");
    return error_set(err, SORA_ERROR_IO, "store: PostgreSQL: %.*s", n, n > 0 ? message : "the connection is gone");
}

static bool prepare(PostgresDb *p, const char *sql, char name[16], SoraError *err)
{
    int i = 0;
    while (i < p->count && p->statements[i] != sql)
        i++;
    snprintf(name, 16, "s%d", i);
    if (i < p->count)
        return true;
    if (i == MOST_STATEMENTS)
        return error_set(err, SORA_ERROR_INTERNAL, "store: too many statements");
    PGresult *r = PQprepare(p->connection, name, sql, 0, NULL);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK || fail(p, PQerrorMessage(p->connection), err);
    PQclear(r);
    if (ok)
        p->statements[p->count++] = sql;
    return ok;
}

static int64_t row_int(const DbRow *row, int column)
{
    return PQgetisnull(row->data, row->number, column) ? 0 : strtoll(PQgetvalue(row->data, row->number, column), NULL, 10);
}

static const char *row_text(const DbRow *row, int column)
{
    return PQgetisnull(row->data, row->number, column) ? NULL : PQgetvalue(row->data, row->number, column);
}

static bool run(Db *db, const DbQuery *q, int64_t *count, SoraError *err)
{
    PostgresDb *p = (PostgresDb *)db;
    const char *values[DB_MAX_PARAMS];
    char numbers[DB_MAX_PARAMS][24], name[16];
    int n = 0;
    for (; n < DB_MAX_PARAMS && q->params[n].type != DB_NONE; n++) {
        const DbValue *v = &q->params[n];
        snprintf(numbers[n], sizeof numbers[n], "%lld", (long long)v->number);
        values[n] = v->type == DB_NULL ? NULL : v->type == DB_INT ? numbers[n] : v->text;
    }
    if (!prepare(p, q->sql, name, err))
        return false;
    PGresult *r = PQexecPrepared(p->connection, name, n, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || fail(p, PQerrorMessage(p->connection), err);
    int rows = status == PGRES_TUPLES_OK ? PQntuples(r) : 0;
    for (int i = 0; ok && q->row != NULL && i < rows; i++)
        ok = q->row(q->user, &(DbRow){&POSTGRES, r, i}, err);
    if (count != NULL)
        *count = status == PGRES_TUPLES_OK ? rows : strtoll(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return ok;
}

static bool command(PostgresDb *p, const char *sql, SoraError *err)
{
    PGresult *r = PQexec(p->connection, sql);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK || fail(p, PQerrorMessage(p->connection), err);
    PQclear(r);
    return ok;
}

static bool begin(Db *db, SoraError *err)
{
    return command((PostgresDb *)db, "BEGIN", err);
}

static bool end(Db *db, bool commit, SoraError *err)
{
    PostgresDb *p = (PostgresDb *)db;
    if (commit && PQtransactionStatus(p->connection) == PQTRANS_INERROR)
        return command(p, "ROLLBACK", NULL), error_set(err, SORA_ERROR_INTERNAL, "store: PostgreSQL: the transaction had failed");
    if (commit)
        return command(p, "COMMIT", err);
    command(p, "ROLLBACK", NULL);
    return true;
}

static bool alive(Db *db)
{
    PostgresDb *p = (PostgresDb *)db;
    return PQstatus(p->connection) == CONNECTION_OK && PQtransactionStatus(p->connection) == PQTRANS_IDLE;
}

static void close_db(Db *db)
{
    PQfinish(((PostgresDb *)db)->connection);
    free(db);
}

static const DbDriver POSTGRES = {run, begin, end, alive, close_db, row_int, row_text};

static void ignore_notice(void *user, const char *message)
{
}

/* Gives up after ten seconds, and notices within half a minute that the other side is gone. */
static PGconn *connect_to(const char *url, SoraError *err)
{
    static const char *const names[] = {
        "dbname", "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", NULL};
    const char *const values[] = {url, "10", "10", "5", "3", "30000", NULL};
    PGconn *c = PQconnectdbParams(names, values, 1);
    if (PQstatus(c) == CONNECTION_OK) {
        PQsetNoticeProcessor(c, ignore_notice, NULL);
        return c;
    }
    const char *message = PQerrorMessage(c);
    error_set(err, SORA_ERROR_IO, "store: PostgreSQL: %.*s", (int)strcspn(message, "\n"), message);
    PQfinish(c);
    return NULL;
}

Db *db_postgres_open(const char *url, SoraError *err)
{
    PostgresDb *p = calloc(1, sizeof *p);
    if (p == NULL) {
        error_no_memory(err);
        return NULL;
    }
    p->base = (Db){.driver = &POSTGRES, .postgres = true};
    p->connection = connect_to(url, err);
    if (p->connection != NULL)
        return &p->base;
    free(p);
    return NULL;
}

/* --- notices --- */

typedef struct Listener {
    Store *store;
    pthread_t thread;
    atomic_bool stop;
} Listener;

/* Takes notices until the connection is cut or it is to stop. */
static void hear(Listener *l, PGconn *c)
{
    while (!l->stop && PQstatus(c) == CONNECTION_OK) {
        struct pollfd p = {PQsocket(c), POLLIN, 0};
        if (poll(&p, 1, 250) > 0 && !PQconsumeInput(c))
            return;
        PGnotify *n;
        bool heard = false;
        while ((n = PQnotifies(c)) != NULL) {
            PQfreemem(n);
            heard = true;
        }
        if (heard)
            store_wake(l->store);
    }
}

static void *listen_loop(void *user)
{
    Listener *l = user;
    while (!l->stop) {
        PGconn *c = connect_to(l->store->url, NULL);
        if (c != NULL) {
            PQclear(PQexec(c, "LISTEN sora_jobs"));
            store_wake(l->store); /* what happened in between */
            hear(l, c);
            PQfinish(c);
        } else {
            poll(NULL, 0, 500);
        }
    }
    return NULL;
}

bool store_listen(Store *store, SoraError *err)
{
    Listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return error_no_memory(err);
    l->store = store;
    if (pthread_create(&l->thread, NULL, listen_loop, l) != 0) {
        free(l);
        return error_set(err, SORA_ERROR_IO, "store: no thread for notices");
    }
    store->listener = l;
    return true;
}

void store_unlisten(Store *store)
{
    Listener *l = store->listener;
    if (l == NULL)
        return;
    l->stop = true;
    pthread_join(l->thread, NULL);
    free(l);
    store->listener = NULL;
}
