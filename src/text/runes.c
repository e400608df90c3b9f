#include "text/runes.h"

#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/utf8.h"

void runes_append_all(Runes *r, const int32_t *from, size_t count)
{
    if (r->capacity - r->count < count) {
        size_t capacity = r->capacity * 2 + count + 16;
        int32_t *bigger = r->failed ? NULL : realloc(r->at, capacity * sizeof *r->at);
        if (bigger == NULL) {
            r->failed = true;
            return;
        }
        r->at = bigger;
        r->capacity = capacity;
    }
    if (count > 0)
        memcpy(r->at + r->count, from, count * sizeof *from);
    r->count += count;
}

void runes_append(Runes *r, int32_t c)
{
    runes_append_all(r, &c, 1);
}

void runes_append_utf8(Runes *r, const char *text, size_t n)
{
    int length;
    for (size_t i = 0; i < n; i += (size_t)length) {
        int32_t c = utf8_decode(text + i, n - i, &length);
        runes_append(r, c < 0 ? 0xfffd : c);
    }
}

bool runes_equal(const Runes *a, const Runes *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->at, b->at, a->count * sizeof *a->at) == 0);
}

void runes_deinit(Runes *r)
{
    free(r->at);
    *r = (Runes){0};
}

void runes_move(Runes *to, Runes *from)
{
    bool failed = to->failed || from->failed;
    free(to->at);
    *to = *from;
    to->failed = failed;
    *from = (Runes){0};
}

char *runes_to_utf8(const Runes *r, size_t *n)
{
    Buffer b = {.failed = r->failed};
    for (size_t i = 0; i < r->count; i++) {
        char bytes[4];
        buffer_append(&b, bytes, (size_t)utf8_encode(r->at[i], bytes));
    }
    return buffer_take(&b, n);
}
