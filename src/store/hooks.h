/* Webhooks: who is told of what, and what is still to be told. A delivery is written in the transaction that ends the job, so
 * none is lost. */
#ifndef SORA_STORE_HOOKS_H
#define SORA_STORE_HOOKS_H

#include "store/store.h"

typedef struct Hook {
    char id[STORE_ID_SIZE], key[STORE_ID_SIZE];
    char *name, *url;
    char *events;              /* "video.completed video.failed" */
    char *secret, *old_secret; /* "whsec_..."; the old one counts until old_until */
    int64_t old_until, created, updated;
} Hook;

void hook_deinit(Hook *hook);

typedef struct HookList {
    Hook hooks[64];
    int count;
} HookList;

enum { HOOK_MOST = 64 }; /* of a key */

/* Fills id and created. *full: the key has as many as it may have; nothing was made. */
bool store_hook_create(Store *store, Hook *hook, bool *full, SoraError *err);
bool store_hook_get(Store *store, const char *id, const char *key, Hook *hook, bool *found, SoraError *err);
bool store_hook_list(Store *store, const char *key, HookList *list, SoraError *err);
void hook_list_deinit(HookList *list);
/* All but id, key and created. */
bool store_hook_change(Store *store, const Hook *hook, bool *found, SoraError *err);
bool store_hook_delete(Store *store, const char *id, const char *key, bool *found, SoraError *err);

typedef struct HookDelivery {
    char id[STORE_ID_SIZE]; /* of the event */
    char *body;
    int attempts; /* with the one to come */
    Hook hook;
} HookDelivery;

void hook_delivery_deinit(HookDelivery *d);

/* The next one that is due, which nobody else gets for a minute. */
bool store_delivery_claim(Store *store, HookDelivery *d, bool *found, SoraError *err);
/* It arrived, or is given up. */
bool store_delivery_done(Store *store, const HookDelivery *d, SoraError *err);
/* Once more at `due`. */
bool store_delivery_again(Store *store, const HookDelivery *d, int64_t due, SoraError *err);
/* One that is not about a job: for trying out. */
bool store_delivery_add(Store *store, const char *hook, const char *id, const char *body, SoraError *err);

#endif
