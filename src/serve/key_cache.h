/* Keys that were found a moment ago, so that a client that asks often does not cost a search in the database each time. An entry
 * counts for a quarter of a second: a key that is revoked ends within that time, in every process. */
#ifndef SORA_SERVE_KEY_CACHE_H
#define SORA_SERVE_KEY_CACHE_H

#include "store/keys.h"

#define KEY_CACHE_SECONDS 0.25

typedef struct KeyCache KeyCache;

KeyCache *key_cache_new(void); /* NULL: no memory */
void key_cache_free(KeyCache *cache);

/* text NULL: that of who sent none. True: *key is a copy. */
bool key_cache_get(KeyCache *cache, const char *text, ApiKey *key);
void key_cache_put(KeyCache *cache, const char *text, const ApiKey *key);

#endif
