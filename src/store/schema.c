/* The tables. Made when they are not there; what is added later is added here as a further step. */
#include <string.h>

#include "store/inside.h"

#define SERIAL_SQLITE "INTEGER PRIMARY KEY AUTOINCREMENT"
#define SERIAL_POSTGRES "BIGSERIAL PRIMARY KEY"

#define JOBS(serial)                                                                                                             \
    "CREATE TABLE IF NOT EXISTS jobs (number " serial ", id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, state TEXT NOT NULL,"       \
    " priority BIGINT NOT NULL, model TEXT NOT NULL, prompt TEXT, size TEXT, seconds TEXT, request TEXT NOT NULL,"               \
    " source TEXT, result TEXT, error_code TEXT, error_message TEXT, kind TEXT NOT NULL, created BIGINT NOT NULL,"               \
    " started BIGINT NOT NULL DEFAULT 0, completed BIGINT NOT NULL DEFAULT 0, expires BIGINT NOT NULL DEFAULT 0,"                \
    " fence BIGINT NOT NULL DEFAULT 0, progress BIGINT NOT NULL DEFAULT 0, attempts BIGINT NOT NULL DEFAULT 0,"                  \
    " cancelled BIGINT NOT NULL DEFAULT 0, deleted BIGINT NOT NULL DEFAULT 0, worker TEXT, lease BIGINT NOT NULL DEFAULT 0,"     \
    " video TEXT, thumbnail TEXT, spritesheet TEXT, preview TEXT, published BIGINT NOT NULL DEFAULT 0, title TEXT,"              \
    " likes BIGINT NOT NULL DEFAULT 0, featured BIGINT NOT NULL DEFAULT 0, credits BIGINT NOT NULL DEFAULT 0)"

#define AUDIT(serial)                                                                                                            \
    "CREATE TABLE IF NOT EXISTS audit (number " serial ", at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,"        \
    " target TEXT, detail TEXT)"

static const char *const TABLES[] = {
    "CREATE INDEX IF NOT EXISTS jobs_next ON jobs (state, priority, key, number)",
    "CREATE INDEX IF NOT EXISTS jobs_of_key ON jobs (key, number)",
    "CREATE INDEX IF NOT EXISTS jobs_open ON jobs (key, state)",
    "CREATE INDEX IF NOT EXISTS jobs_lease ON jobs (state, lease)",
    "CREATE INDEX IF NOT EXISTS jobs_expiry ON jobs (expires)",
    "CREATE INDEX IF NOT EXISTS jobs_feed ON jobs (published)",
    "CREATE TABLE IF NOT EXISTS turns (key TEXT PRIMARY KEY, last BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS once (key TEXT NOT NULL, token TEXT NOT NULL, hash TEXT NOT NULL, job TEXT NOT NULL,"
    " at BIGINT NOT NULL, PRIMARY KEY (key, token))",
    "CREATE TABLE IF NOT EXISTS job_inputs (job TEXT NOT NULL, file TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS job_inputs_job ON job_inputs (job)",
    "CREATE TABLE IF NOT EXISTS removals (file TEXT PRIMARY KEY, due BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT UNIQUE, hint TEXT, scopes TEXT NOT NULL,"
    " plan TEXT NOT NULL, created BIGINT NOT NULL, revoked BIGINT NOT NULL DEFAULT 0, used BIGINT NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS usage (key TEXT NOT NULL, day BIGINT NOT NULL, videos BIGINT NOT NULL, credits BIGINT NOT NULL,"
    " PRIMARY KEY (key, day))",
    "CREATE TABLE IF NOT EXISTS characters (id TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL,"
    " created BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS likes (job TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (job, key))",
    "CREATE TABLE IF NOT EXISTS reports (id TEXT PRIMARY KEY, job TEXT NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL,"
    " at BIGINT NOT NULL, decision TEXT, decided BIGINT NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS hooks (id TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, url TEXT NOT NULL,"
    " events TEXT NOT NULL, secret TEXT NOT NULL, old_secret TEXT, old_until BIGINT NOT NULL DEFAULT 0, created BIGINT NOT NULL,"
    " updated BIGINT NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS deliveries (id TEXT NOT NULL, hook TEXT NOT NULL, body TEXT NOT NULL, attempts BIGINT NOT NULL,"
    " due BIGINT NOT NULL, PRIMARY KEY (id, hook))",
    "CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due)",
    /* The one who needs no key, on a machine where nobody has made any. */
    "INSERT INTO keys (id, name, scopes, plan, created) VALUES ('local', 'this machine', 'videos admin', 'unlimited', 0)"
    " ON CONFLICT DO NOTHING",
};

/* The database itself refuses what jobs.h does not draw. */
#define WRONG_STEP                                                                                                               \
    "OLD.state IN ('completed', 'failed') AND NEW.state <> OLD.state OR OLD.state = 'queued' AND NEW.state = 'completed'"

static const char *const GUARD_SQLITE[] = {
    "CREATE TRIGGER IF NOT EXISTS job_step BEFORE UPDATE OF state ON jobs WHEN " WRONG_STEP
    " BEGIN SELECT RAISE(ABORT, 'a job cannot go from there to there'); END",
    NULL,
};

static const char *const GUARD_POSTGRES[] = {
    "CREATE OR REPLACE FUNCTION job_step_wrong() RETURNS trigger AS $$ BEGIN"
    " RAISE EXCEPTION 'a job cannot go from % to %', OLD.state, NEW.state; END $$ LANGUAGE plpgsql",
    "CREATE OR REPLACE TRIGGER job_step BEFORE UPDATE OF state ON jobs FOR EACH ROW WHEN (" WRONG_STEP ")"
    " EXECUTE FUNCTION job_step_wrong()",
    NULL,
};

/* What a database of an older version lacks. */
static bool add_columns(Db *db, SoraError *err)
{
    int64_t there = 0;
    if (db_is_postgres(db))
        return db_run(db, &(DbQuery){.sql = "ALTER TABLE jobs ADD COLUMN IF NOT EXISTS credits BIGINT NOT NULL DEFAULT 0"}, NULL,
                      err);
    return db_run(db, &(DbQuery){.sql = "SELECT 1 FROM pragma_table_info('jobs') WHERE name = 'credits'"}, &there, err) &&
           (there > 0 ||
            db_run(db, &(DbQuery){.sql = "ALTER TABLE jobs ADD COLUMN credits BIGINT NOT NULL DEFAULT 0"}, NULL, err));
}

bool schema_make(Db *db, SoraError *err)
{
    bool postgres = db_is_postgres(db);
    if (!db_begin(db, err))
        return false;
    /* Two processes that begin at once: one waits for the other. */
    bool ok = (!postgres || db_run(db, &(DbQuery){.sql = "SELECT pg_advisory_xact_lock(7386011)"}, NULL, err)) &&
              db_run(db, &(DbQuery){.sql = postgres ? JOBS(SERIAL_POSTGRES) : JOBS(SERIAL_SQLITE)}, NULL, err) &&
              db_run(db, &(DbQuery){.sql = postgres ? AUDIT(SERIAL_POSTGRES) : AUDIT(SERIAL_SQLITE)}, NULL, err) &&
              add_columns(db, err);
    for (size_t i = 0; ok && i < sizeof TABLES / sizeof *TABLES; i++)
        ok = db_run(db, &(DbQuery){.sql = TABLES[i]}, NULL, err);
    for (const char *const *guard = postgres ? GUARD_POSTGRES : GUARD_SQLITE; ok && *guard != NULL; guard++)
        ok = db_run(db, &(DbQuery){.sql = *guard}, NULL, err);
    return db_end(db, ok, err);
}
