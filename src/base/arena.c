#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, HEADER = 64 };

struct ArenaChunk {
    ArenaChunk *next;
    size_t size, offset; /* of the bytes after the header */
};

void arena_init(Arena *a, size_t chunk_size)
{
    *a = (Arena){.chunk_size = chunk_size ? chunk_size : (size_t)1 << 20};
}

void arena_deinit(Arena *a)
{
    for (ArenaChunk *c = a->first; c != NULL;) {
        ArenaChunk *next = c->next;
        free(c);
        c = next;
    }
    *a = (Arena){.chunk_size = a->chunk_size};
}

static ArenaChunk *new_chunk(Arena *a, size_t size)
{
    if (size > SIZE_MAX - HEADER - ALIGN)
        return NULL;
    size_t bytes = ((size > a->chunk_size ? size : a->chunk_size) + HEADER + ALIGN - 1) / ALIGN * ALIGN;
    ArenaChunk *c = aligned_alloc(ALIGN, bytes);
    if (c == NULL)
        return NULL;
    c->size = bytes - HEADER;
    c->offset = 0;
    /* Insert after the current chunk: a released arena walks its chunks in order again. */
    ArenaChunk **link = a->current ? &a->current->next : &a->first;
    c->next = *link;
    *link = c;
    return c;
}

void *arena_alloc(Arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGN)
        return NULL;
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    ArenaChunk *c = a->current ? a->current : a->first;
    while (c != NULL && c->size - c->offset < size) {
        a->current = c;
        c = c->next;
        if (c != NULL)
            c->offset = 0;
    }
    if (c == NULL && (c = new_chunk(a, size)) == NULL)
        return NULL;
    a->current = c;
    void *p = (char *)c + HEADER + c->offset;
    c->offset += size;
    a->used += size;
    if (a->used > a->peak)
        a->peak = a->used;
    return p;
}

void *arena_calloc(Arena *a, size_t size)
{
    void *p = arena_alloc(a, size);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

char *arena_strdup(Arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = arena_alloc(a, n);
    return p != NULL ? memcpy(p, s, n) : NULL;
}

char *arena_vprintf(Arena *a, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p != NULL)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

char *arena_printf(Arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *p = arena_vprintf(a, fmt, args);
    va_end(args);
    return p;
}

ArenaMark arena_mark(const Arena *a)
{
    return (ArenaMark){a->current, a->current ? a->current->offset : 0, a->used};
}

void arena_release(Arena *a, ArenaMark mark)
{
    a->current = mark.chunk ? mark.chunk : a->first;
    if (a->current != NULL)
        a->current->offset = mark.chunk ? mark.offset : 0;
    a->used = mark.used;
}
