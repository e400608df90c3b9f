#include "stage/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_add(Text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->s + t->n, sizeof t->s - t->n, fmt, args);
    va_end(args);
    if (n > 0)
        t->n += (size_t)n < sizeof t->s - t->n ? (size_t)n : sizeof t->s - t->n - 1;
}

const char *text_item(const char *list, int k, char buffer[128])
{
    for (; k > 0; k--) {
        const char *bar = strchr(list, '|');
        if (bar == NULL)
            return "";
        list = bar + 1;
    }
    size_t n = strcspn(list, "|");
    n = n < 127 ? n : 127;
    memcpy(buffer, list, n);
    buffer[n] = 0;
    return buffer;
}

const char *text_pick(Rng *rng, const char *list, char buffer[128])
{
    int items = 1;
    for (const char *s = list; *s; s++)
        items += *s == '|';
    return text_item(list, rng_int(rng, items), buffer);
}
