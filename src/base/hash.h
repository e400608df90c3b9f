/* FNV-1a (Fowler, Noll, Vo): a hash for names and for keys of tables, not against anyone. Hashes go on: the result of one
 * call is where the next begins. */
#ifndef SORA_BASE_HASH_H
#define SORA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH32_START 2166136261u
#define HASH64_START 0xcbf29ce484222325u

static inline uint32_t hash32(uint32_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 16777619u;
    return hash;
}

static inline uint64_t hash64(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

/* The same word by word, a quarter of the work: for much data. */
static inline uint64_t hash64_words(uint64_t hash, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ words[i]) * 0x100000001b3u;
    return hash;
}

#endif
