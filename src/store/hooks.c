#include "store/hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/inside.h"

enum { TRYING_MS = 60000 };

#define HOOK_COLUMNS "h.id, h.key, h.name, h.url, h.events, h.secret, h.old_secret, h.old_until, h.created, h.updated"

void hook_deinit(Hook *h)
{
    free(h->name);
    free(h->url);
    free(h->events);
    free(h->secret);
    free(h->old_secret);
    *h = (Hook){0};
}

static bool read_hook(Hook *h, const DbRow *row, SoraError *err)
{
    bool ok = true;
    *h = (Hook){.old_until = db_row_int(row, 7), .created = db_row_int(row, 8), .updated = db_row_int(row, 9)};
    snprintf(h->id, sizeof h->id, "%s", db_row_text(row, 0));
    snprintf(h->key, sizeof h->key, "%s", db_row_text(row, 1));
    char **const texts[] = {&h->name, &h->url, &h->events, &h->secret, &h->old_secret};
    for (int i = 0; i < 5; i++)
        *texts[i] = copy_text(db_row_text(row, 2 + i), &ok);
    return ok || error_no_memory(err);
}

static bool insert(Db *db, const Hook *h, bool *full, SoraError *err)
{
    int64_t count = 0;
    bool ok = db_run(db, &(DbQuery){.sql = "SELECT COUNT(*) FROM hooks WHERE key = $1", {db_text(h->key)}, take_int, &count},
                     NULL, err);
    *full = count >= HOOK_MOST;
    return ok &&
           (*full ||
            db_run(
                db,
                &(DbQuery){
                    .sql = "INSERT INTO hooks (id, key, name, url, events, secret, created) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    {db_text(h->id), db_text(h->key), db_text(h->name), db_text(h->url), db_text(h->events), db_text(h->secret),
                     db_int(h->created)}},
                NULL, err));
}

bool store_hook_create(Store *store, Hook *hook, bool *full, SoraError *err)
{
    hook->created = store_now();
    if (!store_make_id(hook->id, "we", err))
        return false;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok)
        ok = db_end(db, insert(db, hook, full, err), err);
    db_return(store->pool, db);
    return ok;
}

static bool take_hook(void *user, const DbRow *row, SoraError *err)
{
    HookList *list = user;
    return list->count >= HOOK_MOST || read_hook(&list->hooks[list->count++], row, err);
}

bool store_hook_get(Store *store, const char *id, const char *key, Hook *hook, bool *found, SoraError *err)
{
    HookList *list = calloc(1, sizeof *list);
    if (list == NULL)
        return error_no_memory(err);
    bool ok = store_run(store,
                        &(DbQuery){.sql = "SELECT " HOOK_COLUMNS " FROM hooks h WHERE h.id = $1 AND h.key = $2",
                                   {db_text(id), db_text(key)},
                                   take_hook,
                                   list},
                        NULL, err);
    *found = ok && list->count > 0;
    *hook = (Hook){0};
    if (*found) {
        *hook = list->hooks[0];
        list->count = 0;
    }
    hook_list_deinit(list);
    free(list);
    return ok;
}

bool store_hook_list(Store *store, const char *key, HookList *list, SoraError *err)
{
    *list = (HookList){0};
    if (store_run(store,
                  &(DbQuery){.sql = "SELECT " HOOK_COLUMNS " FROM hooks h WHERE h.key = $1 ORDER BY h.created, h.id",
                             {db_text(key)},
                             take_hook,
                             list},
                  NULL, err))
        return true;
    hook_list_deinit(list);
    return false;
}

void hook_list_deinit(HookList *list)
{
    for (int i = 0; i < list->count; i++)
        hook_deinit(&list->hooks[i]);
    list->count = 0;
}

bool store_hook_change(Store *store, const Hook *h, bool *found, SoraError *err)
{
    int64_t count = 0;
    bool ok = store_run(
        store,
        &(DbQuery){.sql = "UPDATE hooks SET name = $3, url = $4, events = $5, secret = $6, old_secret = $7, old_until = $8,"
                          " updated = $9 WHERE id = $1 AND key = $2",
                   {db_text(h->id), db_text(h->key), db_text(h->name), db_text(h->url), db_text(h->events), db_text(h->secret),
                    db_text(h->old_secret), db_int(h->old_until), db_int(store_now())}},
        &count, err);
    *found = count > 0;
    return ok;
}

bool store_hook_delete(Store *store, const char *id, const char *key, bool *found, SoraError *err)
{
    int64_t count = 0;
    bool ok =
        store_run(store, &(DbQuery){.sql = "DELETE FROM hooks WHERE id = $1 AND key = $2", {db_text(id), db_text(key)}}, &count,
                  err) &&
        (count == 0 || store_run(store, &(DbQuery){.sql = "DELETE FROM deliveries WHERE hook = $1", {db_text(id)}}, NULL, err));
    *found = count > 0;
    return ok;
}

void hook_delivery_deinit(HookDelivery *d)
{
    free(d->body);
    hook_deinit(&d->hook);
    *d = (HookDelivery){0};
}

static bool take_delivery(void *user, const DbRow *row, SoraError *err)
{
    HookDelivery *d = user;
    bool ok = true;
    hook_delivery_deinit(d);
    if (!read_hook(&d->hook, row, err))
        return false;
    snprintf(d->id, sizeof d->id, "%s", db_row_text(row, 10));
    d->body = copy_text(db_row_text(row, 11), &ok);
    d->attempts = (int)db_row_int(row, 12) + 1;
    return ok || error_no_memory(err);
}

#define DUE                                                                                                                      \
    "SELECT " HOOK_COLUMNS                                                                                                       \
    ", d.id, d.body, d.attempts FROM deliveries d JOIN hooks h ON h.id = d.hook WHERE d.due <= $1 ORDER BY d.due LIMIT 1"

bool store_delivery_claim(Store *store, HookDelivery *d, bool *found, SoraError *err)
{
    static const char *const QUERIES[] = {DUE, DUE " FOR UPDATE OF d SKIP LOCKED"};
    int64_t count = 0, now = store_now();
    *d = (HookDelivery){0};
    *found = false;
    if (!store_run(store, &(DbQuery){.sql = "SELECT 1 FROM deliveries WHERE due <= $1 LIMIT 1", {db_int(now)}}, &count, err))
        return false;
    if (count == 0)
        return true;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok) {
        ok = db_run(db, &(DbQuery){.sql = QUERIES[db_is_postgres(db)], {db_int(now)}, take_delivery, d}, &count, err) &&
             (count == 0 ||
              db_run(db,
                     &(DbQuery){.sql = "UPDATE deliveries SET due = $3, attempts = attempts + 1 WHERE id = $1 AND hook = $2",
                                {db_text(d->id), db_text(d->hook.id), db_int(now + TRYING_MS)}},
                     NULL, err));
        ok = db_end(db, ok, err);
    }
    db_return(store->pool, db);
    *found = ok && count > 0;
    if (!*found)
        hook_delivery_deinit(d);
    return ok;
}

bool store_delivery_done(Store *store, const HookDelivery *d, SoraError *err)
{
    return store_run(
        store, &(DbQuery){.sql = "DELETE FROM deliveries WHERE id = $1 AND hook = $2", {db_text(d->id), db_text(d->hook.id)}},
        NULL, err);
}

bool store_delivery_again(Store *store, const HookDelivery *d, int64_t due, SoraError *err)
{
    return store_run(store,
                     &(DbQuery){.sql = "UPDATE deliveries SET due = $3 WHERE id = $1 AND hook = $2",
                                {db_text(d->id), db_text(d->hook.id), db_int(due)}},
                     NULL, err);
}

bool store_delivery_add(Store *store, const char *hook, const char *id, const char *body, SoraError *err)
{
    return store_run(store,
                     &(DbQuery){.sql = "INSERT INTO deliveries (id, hook, body, attempts, due) VALUES ($1, $2, $3, 0, $4)",
                                {db_text(id), db_text(hook), db_text(body), db_int(store_now())}},
                     NULL, err);
}
