#include "store/keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/jobs_inside.h"

enum { SECRET_BYTES = 32, HASH_SIZE = 65, HINT = 14 };

#define PREFIX "sora_sk_"
#define KEY_COLUMNS "id, name, scopes, plan, hint, created, revoked, used"

void api_key_deinit(ApiKey *k)
{
    free(k->name);
    free(k->scopes);
    free(k->plan);
    free(k->hint);
    *k = (ApiKey){0};
}

bool api_key_has_scope(const ApiKey *k, const char *scope)
{
    size_t n = strlen(scope);
    for (const char *s = k->scopes; s != NULL && *s != 0; s += strcspn(s, " ") + (s[strcspn(s, " ")] != 0))
        if (strncmp(s, scope, n) == 0 && (s[n] == ' ' || s[n] == 0))
            return true;
    return false;
}

static bool hash_of(const char *text, char hash[HASH_SIZE], SoraError *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    if (!EVP_Digest(text, strlen(text), bytes, &n, EVP_sha256(), NULL))
        return error_set(err, SORA_ERROR_INTERNAL, "keys: SHA-256 failed");
    for (unsigned int i = 0; i < 32; i++)
        snprintf(hash + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static bool make_text(char text[STORE_SERVER_KEY_SIZE], SoraError *err)
{
    unsigned char secret[SECRET_BYTES], code[64];
    if (RAND_bytes(secret, sizeof secret) != 1)
        return error_set(err, SORA_ERROR_INTERNAL, "keys: no random numbers");
    EVP_EncodeBlock(code, secret, sizeof secret);
    int n = snprintf(text, STORE_SERVER_KEY_SIZE, PREFIX "%s", (char *)code);
    for (char *s = text; *s != 0; s++)
        *s = (char)(*s == '+' ? '-' : *s == '/' ? '_' : *s);
    if (text[n - 1] == '=') /* of 32 bytes there is one */
        text[n - 1] = 0;
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(code, sizeof code);
    return true;
}

bool store_key_create(Store *store, ApiKey *key, char text[STORE_SERVER_KEY_SIZE], SoraError *err)
{
    char hash[HASH_SIZE];
    if (!make_text(text, err) || !hash_of(text, hash, err) || !store_make_id(key->id, "key", err))
        return false;
    free(key->hint);
    key->hint = strndup(text, HINT);
    key->created = store_now();
    return (key->hint != NULL || error_no_memory(err)) &&
           store_run(
               store,
               &(DbQuery){
                   .sql = "INSERT INTO keys (id, name, hash, hint, scopes, plan, created) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                   {db_text(key->id), db_text(key->name), db_text(hash), db_text(key->hint), db_text(key->scopes),
                    db_text(key->plan), db_int(key->created)}},
               NULL, err);
}

static bool read_key(ApiKey *k, const DbRow *row, SoraError *err)
{
    bool ok = true;
    *k = (ApiKey){.created = db_row_int(row, 5), .revoked = db_row_int(row, 6), .used = db_row_int(row, 7)};
    snprintf(k->id, sizeof k->id, "%s", db_row_text(row, 0));
    k->name = copy_text(db_row_text(row, 1), &ok);
    k->scopes = copy_text(db_row_text(row, 2), &ok);
    k->plan = copy_text(db_row_text(row, 3), &ok);
    k->hint = copy_text(db_row_text(row, 4), &ok);
    return ok || error_no_memory(err);
}

/* The hash that was found is compared once more, in a time that does not depend on where it differs. */
typedef struct Search {
    ApiKey *key;
    const char *hash;
    bool found;
} Search;

static bool take_found(void *user, const DbRow *row, SoraError *err)
{
    Search *s = user;
    const char *hash = db_row_text(row, 8);
    api_key_deinit(s->key);
    s->found =
        s->hash == NULL || (hash != NULL && strlen(hash) == HASH_SIZE - 1 && CRYPTO_memcmp(hash, s->hash, HASH_SIZE - 1) == 0);
    return read_key(s->key, row, err);
}

bool store_key_find(Store *store, const char *text, ApiKey *key, bool *found, SoraError *err)
{
    char hash[HASH_SIZE];
    Search search = {.key = key, .hash = hash};
    *key = (ApiKey){0};
    bool ok = hash_of(text, hash, err) &&
              store_run(store,
                        &(DbQuery){.sql = "SELECT " KEY_COLUMNS ", hash FROM keys WHERE hash = $1 AND revoked = 0",
                                   {db_text(hash)},
                                   take_found,
                                   &search},
                        NULL, err);
    *found = ok && search.found;
    if (!*found)
        api_key_deinit(key);
    return ok;
}

bool store_key_get(Store *store, const char *id, ApiKey *key, bool *found, SoraError *err)
{
    Search search = {.key = key};
    *key = (ApiKey){0};
    bool ok = store_run(
        store, &(DbQuery){.sql = "SELECT " KEY_COLUMNS ", hash FROM keys WHERE id = $1", {db_text(id)}, take_found, &search},
        NULL, err);
    *found = ok && search.found;
    if (!*found)
        api_key_deinit(key);
    return ok;
}

static bool take_key(void *user, const DbRow *row, SoraError *err)
{
    ApiKeyList *list = user;
    if ((list->count & (list->count - 1)) == 0) { /* full at powers of two */
        ApiKey *more = realloc(list->keys, (size_t)(list->count > 0 ? 2 * list->count : 1) * sizeof *more);
        if (more == NULL)
            return error_no_memory(err);
        list->keys = more;
    }
    return read_key(&list->keys[list->count++], row, err);
}

bool store_key_list(Store *store, ApiKeyList *list, SoraError *err)
{
    *list = (ApiKeyList){0};
    if (store_run(store,
                  &(DbQuery){.sql = "SELECT " KEY_COLUMNS " FROM keys WHERE id <> 'local' ORDER BY created, id LIMIT 10000",
                             .row = take_key,
                             .user = list},
                  NULL, err))
        return true;
    api_key_list_deinit(list);
    return false;
}

void api_key_list_deinit(ApiKeyList *list)
{
    for (int i = 0; i < list->count; i++)
        api_key_deinit(&list->keys[i]);
    free(list->keys);
    *list = (ApiKeyList){0};
}

bool store_key_any(Store *store, bool *any, SoraError *err)
{
    int64_t count = 0;
    bool ok = store_run(store, &(DbQuery){.sql = "SELECT 1 FROM keys WHERE id <> 'local' LIMIT 1"}, &count, err);
    *any = count > 0;
    return ok;
}

static bool cancel_all(Db *db, const char *key, SoraError *err)
{
    int64_t count = 1;
    bool ok =
        db_run(db, &(DbQuery){.sql = "UPDATE jobs SET cancelled = 1 WHERE key = $1 AND state = 'in_progress'", {db_text(key)}},
               NULL, err);
    while (ok && count > 0) {
        Job job = {0};
        ok = db_run(db,
                    &(DbQuery){.sql = "SELECT " JOB_COLUMNS " FROM jobs WHERE key = $1 AND state = 'queued' LIMIT 1",
                               {db_text(key)},
                               take_job,
                               &job},
                    &count, err) &&
             (count == 0 || job_fail(db, &job, JOB_QUEUED, "cancelled", "the key of this job was revoked", err));
        job_deinit(&job);
    }
    return ok;
}

bool store_key_revoke(Store *store, const char *id, bool *found, SoraError *err)
{
    int64_t count = 0;
    Db *db = db_borrow(store->pool, err);
    bool ok = db != NULL && db_begin(db, err);
    if (ok) {
        ok = db_run(db,
                    &(DbQuery){.sql = "UPDATE keys SET revoked = $2 WHERE id = $1 AND id <> 'local' AND revoked = 0",
                               {db_text(id), db_int(store_now())}},
                    &count, err) &&
             (count == 0 || cancel_all(db, id, err)) &&
             (!db_is_postgres(db) || db_run(db, &(DbQuery){.sql = "NOTIFY sora_jobs"}, NULL, err));
        ok = db_end(db, ok, err);
    }
    db_return(store->pool, db);
    *found = count > 0;
    store_job_changed(store, NULL);
    store_wake(store);
    return ok;
}

bool store_key_change(Store *store, const char *id, const char *plan, const char *scopes, const char *name, bool *found,
                      SoraError *err)
{
    int64_t count = 0;
    bool ok = store_run(
        store,
        &(DbQuery){.sql = "UPDATE keys SET plan = COALESCE(CAST($2 AS TEXT), plan), scopes = COALESCE(CAST($3 AS TEXT), scopes),"
                          " name = COALESCE(CAST($4 AS TEXT), name) WHERE id = $1",
                   {db_text(id), db_text(plan), db_text(scopes), db_text(name)}},
        &count, err);
    *found = count > 0;
    return ok;
}

static bool take_usage(void *user, const DbRow *row, SoraError *err)
{
    KeyUsageList *list = user;
    list->days[list->count++] = (KeyUsage){db_row_int(row, 0), db_row_int(row, 1), db_row_int(row, 2)};
    return true;
}

bool store_key_usage(Store *store, const char *id, int days, KeyUsageList *list, SoraError *err)
{
    list->count = 0;
    int most = (int)(sizeof list->days / sizeof *list->days);
    return store_run(store,
                     &(DbQuery){.sql = "SELECT day, videos, credits FROM usage WHERE key = $1 ORDER BY day DESC LIMIT $2",
                                {db_text(id), db_int(days < most ? days : most)},
                                take_usage,
                                list},
                     NULL, err);
}

bool store_audit(Store *store, const char *actor, const char *action, const char *target, const char *detail, SoraError *err)
{
    return store_run(store,
                     &(DbQuery){.sql = "INSERT INTO audit (at, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5)",
                                {db_int(store_now()), db_text(actor), db_text(action), db_text(target), db_text(detail)}},
                     NULL, err);
}

static bool take_line(void *user, const DbRow *row, SoraError *err)
{
    AuditList *list = user;
    AuditLine *l = &list->lines[list->count++];
    bool ok = true;
    *l = (AuditLine){.number = db_row_int(row, 0), .at = db_row_int(row, 1)};
    l->actor = copy_text(db_row_text(row, 2), &ok);
    l->action = copy_text(db_row_text(row, 3), &ok);
    l->target = copy_text(db_row_text(row, 4), &ok);
    l->detail = copy_text(db_row_text(row, 5), &ok);
    return ok || error_no_memory(err);
}

bool store_audit_list(Store *store, int64_t before, int limit, AuditList *list, SoraError *err)
{
    *list = (AuditList){calloc((size_t)limit, sizeof(AuditLine)), 0};
    if (list->lines == NULL)
        return error_no_memory(err);
    if (store_run(
            store,
            &(DbQuery){
                .sql =
                    "SELECT number, at, actor, action, target, detail FROM audit WHERE number < $1 ORDER BY number DESC LIMIT $2",
                {db_int(before > 0 ? before : INT64_MAX), db_int(limit)},
                take_line,
                list},
            NULL, err))
        return true;
    audit_list_deinit(list);
    return false;
}

void audit_list_deinit(AuditList *list)
{
    for (int i = 0; i < list->count; i++) {
        free(list->lines[i].actor);
        free(list->lines[i].action);
        free(list->lines[i].target);
        free(list->lines[i].detail);
    }
    free(list->lines);
    *list = (AuditList){0};
}
