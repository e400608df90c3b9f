#include "trace/trace_index.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

struct TraceIndex {
    sqlite3 *db;
    char *path;
};

enum {
    APPLICATION_ID = 0x534f5254, /* "SORT" */
    FORMAT = 1,
    BUSY_MS = 5000,
    MAX_VALUE_BYTES = 1 << 20, /* a fingerprint has 700 KB at most */
};

/* The probes have a table of their own, since all of them are read for every search. */
static const char *const TABLES[][2] = {
    {"generation", "CREATE TABLE generation(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, "
                   "time INTEGER NOT NULL, model TEXT NOT NULL, file TEXT NOT NULL, fingerprint BLOB NOT NULL)"},
    {"probe", "CREATE TABLE probe(number INTEGER PRIMARY KEY, vectors BLOB NOT NULL)"},
};
enum { TABLE_COUNT = sizeof TABLES / sizeof *TABLES };

char *trace_index_default_path(void)
{
    const char *own = getenv("SORA_TRACE_INDEX"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;
    if (own != NULL)
        return *own != 0 ? strdup(own) : NULL;
    if (data != NULL && *data == '/') /* the specification: others are to be ignored */
        n = asprintf(&path, "%s/sora/trace.sqlite", data);
    else if (home != NULL && *home != 0)
        n = asprintf(&path, "%s/.local/share/sora/trace.sqlite", home);
    return n >= 0 ? path : NULL;
}

static bool fail(const TraceIndex *x, int code, SoraError *err)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", x->path);
    case SQLITE_NOTADB:
        return error_set(err, SORA_ERROR_INPUT, "%s: not an index of generations", x->path);
    case SQLITE_CORRUPT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return error_set(err, SORA_ERROR_INPUT, "%s: damaged index: %s", x->path, sqlite3_errstr(code));
    default:
        return error_set(err, SORA_ERROR_IO, "%s: %s", x->path, sqlite3_errmsg(x->db));
    }
}

static bool damaged(const TraceIndex *x, const char *what, SoraError *err)
{
    return error_set(err, SORA_ERROR_INPUT, "%s: damaged index: %s", x->path, what);
}

static sqlite3_stmt *prepare(TraceIndex *x, const char *sql, SoraError *err)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(x->db, sql, -1, &s, NULL);
    if (code != SQLITE_OK)
        fail(x, code, err);
    return s;
}

static bool execute(TraceIndex *x, const char *sql, SoraError *err)
{
    int code = sqlite3_exec(x->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || fail(x, code, err);
}

static bool read_number(TraceIndex *x, const char *sql, int64_t *number, SoraError *err)
{
    sqlite3_stmt *s = prepare(x, sql, err);
    if (s == NULL)
        return false;
    int code = sqlite3_step(s);
    bool ok = code == SQLITE_ROW || fail(x, code, err);
    if (ok)
        *number = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return ok;
}

/* Whether the file has our tables and nothing else: no view or trigger of somebody else's would run. */
static bool check_tables(TraceIndex *x, SoraError *err)
{
    sqlite3_stmt *s = prepare(x, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name", err);
    if (s == NULL)
        return false;
    int code, count = 0;
    bool same = true;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0), *sql = (const char *)sqlite3_column_text(s, 1);
        same = same && count < TABLE_COUNT && name != NULL && sql != NULL &&
               strcmp(name, TABLES[count][0]) == 0 && strcmp(sql, TABLES[count][1]) == 0;
        count++;
    }
    bool ok = code == SQLITE_DONE || fail(x, code, err);
    sqlite3_finalize(s);
    return ok && ((same && count == TABLE_COUNT) ||
                  error_set(err, SORA_ERROR_INPUT, "%s: not an index of generations", x->path));
}

static bool check_format(TraceIndex *x, SoraError *err)
{
    int64_t application = 0, format = 0;
    if (!read_number(x, "PRAGMA application_id", &application, err) ||
        !read_number(x, "PRAGMA user_version", &format, err))
        return false;
    if (application != APPLICATION_ID)
        return error_set(err, SORA_ERROR_INPUT, "%s: not an index of generations", x->path);
    if (format != FORMAT)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: format %lld, this program knows %d", x->path,
                         (long long)format, FORMAT);
    return check_tables(x, err);
}

/* Two programs may come here at once; the second one finds the tables made. */
static bool make_tables(TraceIndex *x, SoraError *err)
{
    int64_t pages = 0;
    if (!execute(x, "BEGIN IMMEDIATE", err))
        return false;
    bool ok = read_number(x, "SELECT count(*) FROM sqlite_master", &pages, err);
    if (ok && pages == 0) {
        char pragmas[96];
        snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                 FORMAT);
        ok = execute(x, pragmas, err);
        for (int i = 0; ok && i < TABLE_COUNT; i++)
            ok = execute(x, TABLES[i][1], err);
    }
    if (ok)
        return execute(x, "COMMIT", err);
    execute(x, "ROLLBACK", NULL);
    return false;
}

/* An empty file with mode 0600 is an empty database. Whatever is there already stays as it is. */
static bool make_file(const char *path, SoraError *err)
{
    const char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) {
        char *folder = strndup(path, (size_t)(slash - path));
        bool ok = folder != NULL ? dir_make(folder, err) : error_set(err, SORA_ERROR_MEMORY, "out of memory");
        free(folder);
        if (!ok)
            return false;
    }
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return true;
}

static bool open_database(TraceIndex *x, TraceIndexMode mode, SoraError *err)
{
    struct stat st;
    if (stat(x->path, &st) != 0)
        return error_set(err, errno == ENOENT || errno == ENOTDIR ? SORA_ERROR_NOT_FOUND : SORA_ERROR_IO,
                         "%s: no index there: %s", x->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, SORA_ERROR_INPUT, "%s: not an index of generations: no regular file", x->path);
    int flags = mode == TRACE_INDEX_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int code = sqlite3_open_v2(x->path, &x->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (x->db == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", x->path);
    if (code != SQLITE_OK)
        return fail(x, code, err);
    sqlite3_extended_result_codes(x->db, 1);
    sqlite3_busy_timeout(x->db, BUSY_MS);
    sqlite3_limit(x->db, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
    sqlite3_db_config(x->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(x->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(x->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(x->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    return execute(x, "PRAGMA cell_size_check = ON", err) &&
           (mode == TRACE_INDEX_READ || st.st_size > 0 || make_tables(x, err)) && check_format(x, err);
}

TraceIndex *trace_index_open(const char *path, TraceIndexMode mode, SoraError *err)
{
    TraceIndex *x = calloc(1, sizeof *x);
    if (x == NULL || (x->path = strdup(path)) == NULL) {
        free(x);
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    if ((mode == TRACE_INDEX_WRITE && !make_file(path, err)) || !open_database(x, mode, err)) {
        trace_index_close(x);
        return NULL;
    }
    return x;
}

void trace_index_close(TraceIndex *index)
{
    if (index == NULL)
        return;
    sqlite3_close(index->db);
    free(index->path);
    free(index);
}

bool trace_entry_make(TraceEntry *entry, const char *path, SoraError *err)
{
    const char *slash = strrchr(path, '/');
    *entry = (TraceEntry){.time = time(NULL)};
    snprintf(entry->file, sizeof entry->file, "%s", slash != NULL ? slash + 1 : path);
    return uuid_make_v7(entry->id, err);
}

/* A row; its blobs must live until then. */
static bool insert(TraceIndex *x, sqlite3_stmt *s, SoraError *err)
{
    int code = sqlite3_step(s);
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        return error_set(err, SORA_ERROR_INPUT, "%s: this generation is there already", x->path);
    return code == SQLITE_DONE || fail(x, code, err);
}

static bool insert_generation(TraceIndex *x, const TraceEntry *e, const Fingerprint *f, SoraError *err)
{
    size_t size = 0;
    uint8_t *data = fingerprint_encode(f, &size, err);
    sqlite3_stmt *s = data == NULL ? NULL
                                   : prepare(x, "INSERT INTO generation(id, time, model, file, fingerprint) "
                                                "VALUES(?, ?, ?, ?, ?)", err);
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_text(s, 1, e->id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, e->time);
        sqlite3_bind_text(s, 3, e->model, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 4, e->file, -1, SQLITE_STATIC);
        sqlite3_bind_blob(s, 5, data, (int)size, SQLITE_STATIC);
        ok = insert(x, s, err);
    }
    sqlite3_finalize(s);
    free(data);
    return ok;
}

static bool insert_probes(TraceIndex *x, const Fingerprint *f, SoraError *err)
{
    size_t size = 0;
    int64_t number = sqlite3_last_insert_rowid(x->db);
    int8_t *probes = probes_encode(f, &size, err);
    sqlite3_stmt *s = probes == NULL ? NULL : prepare(x, "INSERT INTO probe VALUES(?, ?)", err);
    bool ok = s != NULL;
    if (ok) {
        sqlite3_bind_int64(s, 1, number);
        sqlite3_bind_blob(s, 2, probes, (int)size, SQLITE_STATIC);
        ok = insert(x, s, err);
    }
    sqlite3_finalize(s);
    free(probes);
    return ok;
}

bool trace_index_add(TraceIndex *index, const TraceEntry *entry, const Fingerprint *f, SoraError *err)
{
    if (!execute(index, "BEGIN IMMEDIATE", err))
        return false;
    bool ok = insert_generation(index, entry, f, err) && insert_probes(index, f, err) &&
              execute(index, "COMMIT", err);
    if (!ok)
        execute(index, "ROLLBACK", NULL);
    return ok;
}

/* The rows whose probes come nearest, the best first. */
typedef struct Candidates {
    struct {
        int64_t number;
        ProbeHit hit;
    } items[TRACE_MAX_MATCHES];
    int count;
} Candidates;

static void offer(Candidates *c, int64_t number, ProbeHit hit)
{
    int at = c->count;
    while (at > 0 && c->items[at - 1].hit.score < hit.score)
        at--;
    if (at == TRACE_MAX_MATCHES)
        return;
    if (c->count < TRACE_MAX_MATCHES)
        c->count++;
    memmove(&c->items[at + 1], &c->items[at], (size_t)(c->count - 1 - at) * sizeof *c->items);
    c->items[at].number = number;
    c->items[at].hit = hit;
}

static bool scan(TraceIndex *x, const FingerprintQuery *q, Candidates *c, int64_t *entries, SoraError *err)
{
    sqlite3_stmt *s = prepare(x, "SELECT number, vectors FROM probe", err);
    if (s == NULL)
        return false;
    int code;
    bool ok = true;
    for (; ok && (code = sqlite3_step(s)) == SQLITE_ROW; ++*entries) {
        const int8_t *probes = sqlite3_column_blob(s, 1);
        int size = sqlite3_column_bytes(s, 1);
        if (probes == NULL || size < PROBE_TIME_BYTES || size % PROBE_TIME_BYTES != 0 ||
            size > PROBE_MAX_TIMES * PROBE_TIME_BYTES)
            ok = damaged(x, "a probe has a wrong size", err);
        else
            offer(c, sqlite3_column_int64(s, 0), probes_compare(q, probes, (size_t)size));
    }
    ok = ok && (code == SQLITE_DONE || fail(x, code, err));
    sqlite3_finalize(s);
    return ok;
}

/* What comes from the file is cut to size, at a whole character, and cannot move the cursor. */
static void copy_text(sqlite3_stmt *s, int column, char *to, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    size_t n = text != NULL ? strnlen(text, size) : 0;
    if (n == size)
        for (n--; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
    to[n] = 0;
}

static bool read_entry(TraceIndex *x, sqlite3_stmt *s, TraceEntry *e, Fingerprint *f, SoraError *err)
{
    copy_text(s, 0, e->id, sizeof e->id);
    e->time = sqlite3_column_int64(s, 1);
    copy_text(s, 2, e->model, sizeof e->model);
    copy_text(s, 3, e->file, sizeof e->file);
    if (!uuid_check(e->id))
        return damaged(x, "an id is none", err);
    const uint8_t *data = sqlite3_column_blob(s, 4);
    int size = sqlite3_column_bytes(s, 4);
    return fingerprint_decode(f, data, data != NULL ? (size_t)size : 0, err) || error_wrap(err, "%s", x->path);
}

/* Orders by whether it is a match, then by score. */
static void insert_match(TraceResult *r, const TraceMatch *m)
{
    int at = r->count++;
    for (; at > 0 && (r->matches[at - 1].match.found < m->match.found ||
                      (r->matches[at - 1].match.found == m->match.found &&
                       r->matches[at - 1].match.score < m->match.score));
         at--)
        r->matches[at] = r->matches[at - 1];
    r->matches[at] = *m;
    r->found += m->match.found;
}

static bool verify(TraceIndex *x, FingerprintQuery *q, const Candidates *c, TraceResult *r, SoraError *err)
{
    sqlite3_stmt *s =
        prepare(x, "SELECT id, time, model, file, fingerprint FROM generation WHERE number = ?", err);
    bool ok = s != NULL;
    for (int i = 0; ok && i < c->count; i++) {
        TraceMatch m;
        Fingerprint f = {0};
        sqlite3_bind_int64(s, 1, c->items[i].number);
        int code = sqlite3_step(s);
        if (code == SQLITE_ROW)
            ok = read_entry(x, s, &m.entry, &f, err) &&
                 fingerprint_match(q, &f, c->items[i].hit, &m.match, err);
        else
            ok = code == SQLITE_DONE ? damaged(x, "a probe without a generation", err) : fail(x, code, err);
        if (ok)
            insert_match(r, &m);
        fingerprint_deinit(&f);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return ok;
}

bool trace_index_find(TraceIndex *index, const Fingerprint *f, TraceResult *result, SoraError *err)
{
    *result = (TraceResult){0};
    FingerprintQuery *q = fingerprint_query_new(f, err);
    if (q == NULL)
        return false;
    Candidates c = {.count = 0};
    /* Both tables as of one moment. */
    bool ok = execute(index, "BEGIN", err);
    if (ok) {
        ok = scan(index, q, &c, &result->entries, err) && verify(index, q, &c, result, err);
        execute(index, "COMMIT", NULL);
    }
    fingerprint_query_free(q);
    return ok;
}
