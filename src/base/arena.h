/* Arena: memory with one lifetime. Blocks are 64-byte aligned; marks free everything after them. */
#ifndef SORA_BASE_ARENA_H
#define SORA_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct ArenaChunk ArenaChunk;

typedef struct Arena {
    ArenaChunk *first, *current;
    size_t chunk_size; /* bytes of a new chunk; larger requests get a chunk of their own */
    size_t used, peak; /* bytes handed out now, and at most so far */
} Arena;

typedef struct ArenaMark {
    ArenaChunk *chunk;
    size_t offset, used;
} ArenaMark;

/* chunk_size 0 means 1 MiB. Never fails; memory comes with the first allocation. */
void arena_init(Arena *a, size_t chunk_size);
void arena_deinit(Arena *a);

/* Uninitialised memory, 64-byte aligned; NULL when there is none. */
void *arena_alloc(Arena *a, size_t size);
void *arena_calloc(Arena *a, size_t size);
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *fmt, va_list args);

ArenaMark arena_mark(const Arena *a);
void arena_release(Arena *a, ArenaMark mark); /* frees what came after the mark; keeps the chunks */

#endif
