/* API keys, what they were used for, and who did what. A key is "sora_sk_" and 43 characters of base64url: 32 random bytes.
 * Only its SHA-256 is stored, so it is seen once, when it is made. */
#ifndef SORA_STORE_KEYS_H
#define SORA_STORE_KEYS_H

#include "store/store.h"

typedef struct ApiKey {
    char id[STORE_ID_SIZE];         /* "key_..."; "local" for who needs none */
    char *name, *scopes;            /* "videos", "admin", separated by spaces */
    char *plan;                     /* name of a plan */
    char *hint;                     /* how it begins */
    int64_t created, revoked, used; /* revoked 0: it is not */
} ApiKey;

void api_key_deinit(ApiKey *key);
bool api_key_has_scope(const ApiKey *key, const char *scope);

/* Fills id, hint and created of a key whose name, scopes and plan are there. */
bool store_key_create(Store *store, ApiKey *key, char text[STORE_SERVER_KEY_SIZE], SoraError *err);

/* *found: is there a key of that text that was not revoked? */
bool store_key_find(Store *store, const char *text, ApiKey *key, bool *found, SoraError *err);
bool store_key_get(Store *store, const char *id, ApiKey *key, bool *found, SoraError *err);

typedef struct ApiKeyList {
    ApiKey *keys;
    int count;
} ApiKeyList;

/* All but "local", the oldest first. */
bool store_key_list(Store *store, ApiKeyList *list, SoraError *err);
void api_key_list_deinit(ApiKeyList *list);
/* Were keys ever made here? */
bool store_key_any(Store *store, bool *any, SoraError *err);

/* At once, with all its jobs that are not over. */
bool store_key_revoke(Store *store, const char *id, bool *found, SoraError *err);
/* NULL: as it was. */
bool store_key_change(Store *store, const char *id, const char *plan, const char *scopes, const char *name, bool *found,
                      SoraError *err);

typedef struct KeyUsage {
    int64_t day; /* since 1970 */
    int64_t videos, credits;
} KeyUsage;

typedef struct KeyUsageList {
    KeyUsage days[400];
    int count;
} KeyUsageList;

/* The last ones first; of a key that has made nothing today there is no row of today. */
bool store_key_usage(Store *store, const char *id, int days, KeyUsageList *list, SoraError *err);

/* Never fails a request: who calls logs the error. detail NULL: none. */
bool store_audit(Store *store, const char *actor, const char *action, const char *target, const char *detail, SoraError *err);

typedef struct AuditLine {
    int64_t number, at;
    char *actor, *action, *target, *detail;
} AuditLine;

typedef struct AuditList {
    AuditLine *lines;
    int count;
} AuditList;

/* The last ones first; before: only those with a smaller number; 0: all. */
bool store_audit_list(Store *store, int64_t before, int limit, AuditList *list, SoraError *err);
void audit_list_deinit(AuditList *list);

#endif
