#include "store/social.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/inside.h"

bool store_job_publish(Store *store, const char *id, const char *key, bool published, const char *title, bool *found,
                       SoraError *err)
{
    int64_t count = 0;
    bool ok = store_run(
        store,
        &(DbQuery){.sql = "UPDATE jobs SET published = $3, title = $4 WHERE id = $1 AND key = $2 AND state = 'completed'"
                          " AND deleted = 0 AND video IS NOT NULL",
                   {db_text(id), db_text(key), db_int(published ? store_now() : 0), db_text(title)}},
        &count, err);
    *found = count > 0;
    store_job_changed(store, id);
    return ok;
}

bool store_job_feature(Store *store, const char *id, bool featured, bool *found, SoraError *err)
{
    int64_t count = 0;
    bool ok = store_run(
        store,
        &(DbQuery){.sql = "UPDATE jobs SET featured = $2 WHERE id = $1 AND published > 0", {db_text(id), db_int(featured)}},
        &count, err);
    *found = count > 0;
    store_job_changed(store, id);
    return ok;
}

static bool like(Db *db, const char *id, const char *key, bool liked, bool *found, SoraError *err)
{
    int64_t count = 0;
    bool ok = db_run(db, &(DbQuery){.sql = "SELECT 1 FROM jobs WHERE id = $1 AND published > 0 AND deleted = 0", {db_text(id)}},
                     &count, err);
    *found = count > 0;
    if (!ok || !*found)
        return ok;
    ok = liked ? db_run(db,
                        &(DbQuery){.sql = "INSERT INTO likes (job, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                                   {db_text(id), db_text(key)}},
                        NULL, err)
               : db_run(db, &(DbQuery){.sql = "DELETE FROM likes WHERE job = $1 AND key = $2", {db_text(id), db_text(key)}}, NULL,
                        err);
    return ok && db_run(db,
                        &(DbQuery){.sql = "UPDATE jobs SET likes = (SELECT COUNT(*) FROM likes WHERE job = $1) WHERE id = $1",
                                   {db_text(id)}},
                        NULL, err);
}

bool store_job_like(Store *store, const char *id, const char *key, bool liked, bool *found, SoraError *err)
{
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok)
        ok = db_end(db, like(db, id, key, liked, found, err), err);
    db_return(store->pool, db);
    store_job_changed(store, id);
    return ok;
}

/* --- characters --- */

void character_deinit(Character *c)
{
    free(c->name);
    free(c->file);
    *c = (Character){0};
}

static bool insert_character(Db *db, const char *key, const Character *c, SoraError *err)
{
    return db_run(db,
                  &(DbQuery){.sql = "INSERT INTO characters (id, key, name, file, created) VALUES ($1, $2, $3, $4, $5)",
                             {db_text(c->id), db_text(key), db_text(c->name), db_text(c->file), db_int(c->created)}},
                  NULL, err) &&
           file_keep(db, c->file, err);
}

bool store_character_create(Store *store, const char *key, Character *c, SoraError *err)
{
    c->created = store_now();
    if (!store_make_id(c->id, "char", err))
        return false;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok)
        ok = db_end(db, insert_character(db, key, c, err), err);
    db_return(store->pool, db);
    return ok;
}

static bool take_character(void *user, const DbRow *row, SoraError *err)
{
    Character *c = user;
    bool ok = true;
    character_deinit(c);
    snprintf(c->id, sizeof c->id, "%s", db_row_text(row, 0));
    c->name = copy_text(db_row_text(row, 1), &ok);
    c->file = copy_text(db_row_text(row, 2), &ok);
    c->created = db_row_int(row, 3);
    return ok || error_no_memory(err);
}

bool store_character_get(Store *store, const char *id, const char *key, Character *c, bool *found, SoraError *err)
{
    int64_t count = 0;
    *c = (Character){0};
    bool ok = store_run(store,
                        &(DbQuery){.sql = "SELECT id, name, file, created FROM characters WHERE id = $1 AND key = $2",
                                   {db_text(id), db_text(key)},
                                   take_character,
                                   c},
                        &count, err);
    *found = ok && count > 0;
    if (!ok)
        character_deinit(c);
    return ok;
}

/* --- reports --- */

bool store_report_create(Store *store, const char *job, const char *key, const char *reason, char id[STORE_ID_SIZE], bool *found,
                         SoraError *err)
{
    int64_t count = 0;
    *found = false;
    if (!store_make_id(id, "report", err) ||
        !store_run(
            store,
            &(DbQuery){
                .sql = "INSERT INTO reports (id, job, key, reason, at) SELECT CAST($1 AS TEXT), j.id, CAST($3 AS TEXT),"
                       " CAST($4 AS TEXT), CAST($5 AS BIGINT) FROM jobs j WHERE j.id = $2 AND j.published > 0 AND j.deleted = 0",
                {db_text(id), db_text(job), db_text(key), db_text(reason), db_int(store_now())}},
            &count, err))
        return false;
    *found = count > 0;
    return true;
}

static bool take_report(void *user, const DbRow *row, SoraError *err)
{
    ReportList *list = user;
    Report *r = &list->reports[list->count++];
    bool ok = true;
    *r = (Report){.at = db_row_int(row, 5), .decided = db_row_int(row, 6)};
    snprintf(r->id, sizeof r->id, "%s", db_row_text(row, 0));
    snprintf(r->job, sizeof r->job, "%s", db_row_text(row, 1));
    snprintf(r->key, sizeof r->key, "%s", db_row_text(row, 2));
    r->reason = copy_text(db_row_text(row, 3), &ok);
    r->decision = copy_text(db_row_text(row, 4), &ok);
    return ok || error_no_memory(err);
}

bool store_report_list(Store *store, bool open_only, ReportList *list, SoraError *err)
{
    *list = (ReportList){0};
    if (store_run(
            store,
            &(DbQuery){
                .sql =
                    "SELECT id, job, key, reason, decision, at, decided FROM reports WHERE decided = 0 OR $1 = 0 ORDER BY at DESC"
                    " LIMIT 100",
                {db_int(open_only)},
                take_report,
                list},
            NULL, err))
        return true;
    report_list_deinit(list);
    return false;
}

void report_list_deinit(ReportList *list)
{
    for (int i = 0; i < list->count; i++) {
        free(list->reports[i].reason);
        free(list->reports[i].decision);
    }
    list->count = 0;
}

static bool decide(Db *db, const char *id, const char *decision, int64_t *count, SoraError *err)
{
    return db_run(db,
                  &(DbQuery){.sql = "UPDATE reports SET decision = $2, decided = $3 WHERE id = $1",
                             {db_text(id), db_text(decision), db_int(store_now())}},
                  count, err) &&
           (strcmp(decision, "removed") != 0 ||
            db_run(db,
                   &(DbQuery){
                       .sql = "UPDATE jobs SET published = 0, featured = 0 WHERE id = (SELECT job FROM reports WHERE id = $1)",
                       {db_text(id)}},
                   NULL, err));
}

bool store_report_decide(Store *store, const char *id, const char *decision, bool *found, SoraError *err)
{
    int64_t count = 0;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok)
        ok = db_end(db, decide(db, id, decision, &count, err), err);
    db_return(store->pool, db);
    store_job_changed(store, NULL);
    *found = count > 0;
    return ok;
}
