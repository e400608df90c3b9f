#include "serve/key_cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { ENTRIES = 512, HASH = 32 };

typedef struct Entry {
    unsigned char hash[HASH]; /* of the text, which is not kept */
    ApiKey key;
    double until; /* 0: it is free */
} Entry;

struct KeyCache {
    pthread_mutex_t lock;
    Entry entries[ENTRIES];
};

KeyCache *key_cache_new(void)
{
    KeyCache *c = calloc(1, sizeof *c);
    if (c != NULL)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

void key_cache_free(KeyCache *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < ENTRIES; i++)
        api_key_deinit(&c->entries[i].key);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static bool copy_key(ApiKey *to, const ApiKey *from)
{
    char **const texts[] = {&to->name, &to->scopes, &to->plan, &to->hint};
    const char *const values[] = {from->name, from->scopes, from->plan, from->hint};
    bool ok = true;
    *to = (ApiKey){.created = from->created, .revoked = from->revoked, .used = from->used};
    memcpy(to->id, from->id, sizeof to->id);
    for (int i = 0; i < 4; i++) {
        *texts[i] = values[i] != NULL ? strdup(values[i]) : NULL;
        ok = ok && (values[i] == NULL || *texts[i] != NULL);
    }
    if (!ok)
        api_key_deinit(to);
    return ok;
}

static bool hash_of(const char *text, unsigned char hash[HASH])
{
    if (text == NULL)
        text = "";
    return EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) == 1;
}

static Entry *entry_of(KeyCache *c, const unsigned char hash[HASH])
{
    return &c->entries[(hash[0] << 8 | hash[1]) % ENTRIES];
}

bool key_cache_get(KeyCache *c, const char *text, ApiKey *key)
{
    unsigned char hash[HASH];
    if (!hash_of(text, hash))
        return false;
    pthread_mutex_lock(&c->lock);
    const Entry *e = entry_of(c, hash);
    bool found = clock_seconds() < e->until && CRYPTO_memcmp(e->hash, hash, HASH) == 0 && copy_key(key, &e->key);
    pthread_mutex_unlock(&c->lock);
    return found;
}

/* One that is still good is not made older than it is: it was found then, not now. */
void key_cache_put(KeyCache *c, const char *text, const ApiKey *key)
{
    unsigned char hash[HASH];
    if (!hash_of(text, hash))
        return;
    double now = clock_seconds();
    pthread_mutex_lock(&c->lock);
    Entry *e = entry_of(c, hash);
    if (now >= e->until || CRYPTO_memcmp(e->hash, hash, HASH) != 0) {
        api_key_deinit(&e->key);
        memcpy(e->hash, hash, HASH);
        e->until = copy_key(&e->key, key) ? now + KEY_CACHE_SECONDS : 0;
    }
    pthread_mutex_unlock(&c->lock);
}
