#include "base/notes.h"

#include <stdio.h>
#include <stdlib.h>

static bool grow(Notes *n)
{
    if (n->count < n->capacity)
        return true;
    int capacity = n->capacity ? 2 * n->capacity : 8;
    SoraNote *items = realloc(n->items, (size_t)capacity * sizeof *items);
    if (items == NULL)
        return false;
    n->items = items;
    n->capacity = capacity;
    return true;
}

void notes_add(Notes *n, const char *about, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    bool ok = vasprintf(&text, fmt, args) >= 0 && grow(n);
    va_end(args);
    if (!ok) {
        free(text);
        n->failed = true;
        return;
    }
    for (char *s = text; *s != 0; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            *s = '?';
    n->items[n->count++] = (SoraNote){about, text};
}

const SoraNote *notes_at(const Notes *n, int i)
{
    return i >= 0 && i < n->count ? &n->items[i] : NULL;
}

bool notes_ok(const Notes *n, SoraError *err)
{
    return !n->failed || error_set(err, SORA_ERROR_MEMORY, "notes: out of memory");
}

void notes_deinit(Notes *n)
{
    for (int i = 0; i < n->count; i++)
        free((char *)(uintptr_t)n->items[i].text);
    free(n->items);
    *n = (Notes){0};
}
