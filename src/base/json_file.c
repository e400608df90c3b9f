#include "base/json_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shortage.h"

enum { MAX_BYTES = 1 << 20 };

/* A text that jansson reads byte by byte. */
typedef struct Reading {
    const char *next, *end;
    bool short_of_memory;
} Reading;

/* Reading a number sets errno to 0, so what was before that is looked at with each byte. */
static size_t next_byte(void *buffer, size_t size, void *user)
{
    Reading *r = user;
    r->short_of_memory = r->short_of_memory || shortage_seen();
    if (r->next == r->end || r->short_of_memory || size == 0)
        return 0;
    *(char *)buffer = *r->next++;
    return 1;
}

json_t *json_load_bytes(const void *text, size_t size, size_t flags, json_error_t *e)
{
    Reading r = {text, (const char *)text + size, false};
    shortage_begin();
    json_t *json = json_load_callback(next_byte, &r, flags, e);
    if (!r.short_of_memory && !shortage_seen())
        return json;
    json_decref(json);                                      /* of which something may be missing */
    e->text[sizeof e->text - 1] = json_error_out_of_memory; /* where jansson has its code */
    return NULL;
}

bool json_short_of_memory(const json_error_t *e)
{
    return json_error_code(e) == json_error_out_of_memory;
}

char *json_text(const json_t *json, size_t flags)
{
    shortage_begin();
    char *text = json != NULL ? json_dumps(json, flags) : NULL;
    if (!shortage_seen())
        return text;
    free(text);
    return NULL;
}

bool json_print(json_t *json, size_t flags, SoraError *err)
{
    char *text = shortage_seen() ? NULL : json_text(json, flags);
    if (text != NULL)
        printf("%s\n", text);
    free(text);
    json_decref(json);
    return text != NULL || error_no_memory(err);
}

json_t *json_file_read(const char *path, SoraError *err)
{
    size_t size;
    char *text = file_read(path, MAX_BYTES, &size, err);
    if (text == NULL)
        return NULL;
    json_error_t where;
    json_t *root = json_load_bytes(text, size, JSON_REJECT_DUPLICATES, &where);
    free(text);
    if (root != NULL && json_is_object(root))
        return root;
    char *quote = strstr(where.text, " near '"); /* what stands there may be another file's secret */
    if (quote != NULL)
        *quote = 0;
    if (root != NULL)
        error_set(err, SORA_ERROR_INPUT, "%s: no JSON object", path);
    else if (json_short_of_memory(&where))
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    else
        error_set(err, SORA_ERROR_INPUT, "%s:%d: %s", path, where.line, where.text);
    json_decref(root);
    return NULL;
}
