#include "engine/text_cache.h"

#include <stdlib.h>
#include <string.h>

bool text_cache_encode(TextCache *c, const Pipeline *p, const char *text, ContextRows *rows, SoraError *err)
{
    int i = 0; /* the one whose last use is longest ago, unless the text is there */
    for (int k = 0; k < TEXT_CACHE_SIZE; k++) {
        if (c->items[k].text != NULL && strcmp(c->items[k].text, text) == 0) {
            c->items[k].used = ++c->uses;
            *rows = c->items[k].rows;
            return true;
        }
        i = c->items[k].used < c->items[i].used ? k : i;
    }
    char *copy = strdup(text);
    ContextRows made = {0};
    if (copy == NULL || !pipeline_encode_text(p, text, &made, err)) {
        bool ok = copy == NULL && error_no_memory(err);
        free(copy);
        return ok;
    }
    free(c->items[i].text);
    context_rows_free(&c->items[i].rows);
    c->items[i].text = copy;
    c->items[i].rows = *rows = made;
    c->items[i].used = ++c->uses;
    return true;
}

void text_cache_deinit(TextCache *c)
{
    for (int i = 0; i < TEXT_CACHE_SIZE; i++) {
        free(c->items[i].text);
        context_rows_free(&c->items[i].rows);
    }
    *c = (TextCache){0};
}
