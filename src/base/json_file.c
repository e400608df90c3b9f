#include "base/json_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shortage.h"

enum { MAX_BYTES = 1 << 20 };

/* A text that jansson reads byte by byte, with something put in. */
typedef struct Reading {
    const char *text[3], *end[3]; /* one after the other */
    int at;
    bool short_of_memory;
} Reading;

/* Reading a number sets errno to 0, so what was before that is looked at with each byte. */
static size_t next_byte(void *buffer, size_t size, void *user)
{
    Reading *r = user;
    r->short_of_memory = r->short_of_memory || shortage_seen();
    while (r->at < 2 && r->text[r->at] == r->end[r->at])
        r->at++;
    if (r->text[r->at] == r->end[r->at] || r->short_of_memory || size == 0)
        return 0;
    *(char *)buffer = *r->text[r->at]++;
    return 1;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && *p != 0 && strchr(" \t\r\n", *p) != NULL)
        p++;
    return p;
}

/* Bytes of the longest string between its quotes, about. */
static size_t longest_string(const char *p, const char *end)
{
    size_t longest = 0, length = 0;
    for (bool inside = false; p < end; p++) {
        length++;
        if (inside && *p == '\\' && p + 1 < end)
            p++, length++;
        else if (*p == '"') {
            longest = inside && length > longest ? length : longest;
            inside = !inside;
            length = 0;
        }
    }
    return longest;
}

/* jansson 2.14 reads on behind the end of a string when its buffer could not grow for the closing quote. So the
 * outermost object or array is given a first item that is longer than all its strings: the buffer grows there, by
 * powers of two, and not at the quote, for this length is one. Returns it, a heap string: the key of an object, an item
 * of an array. "": none is needed. NULL: out of memory. *end: behind the bracket. */
static char *first_item(const char *text, size_t size, const char **end)
{
    enum { SHORT = 12 }; /* jansson's buffer has room for that from the beginning */
    const char *last = text + size, *open = skip_space(text, last),
               *next = open < last ? skip_space(open + 1, last) : last;
    bool has_items = next < last && ((*open == '{' && *next == '"') || (*open == '[' && *next != ']'));
    size_t longest = has_items ? longest_string(text, last) : 0, length = 16;
    *end = has_items ? open + 1 : text;
    if (longest <= SHORT)
        return calloc(1, 1);
    while (length < longest)
        length *= 2;
    char *item = malloc(length + 6);
    if (item != NULL) {
        memset(item + 1, 'x', length);
        strcpy(item + 1 + length, *open == '{' ? "\":0," : "\",");
        item[0] = '"';
    }
    return item;
}

static void remove_first(json_t *json)
{
    if (json_is_array(json))
        json_array_remove(json, 0);
    else
        json_object_del(json, json_object_iter_key(json_object_iter(json)));
}

json_t *json_load_bytes(const void *text, size_t size, size_t flags, json_error_t *e)
{
    const char *rest, *end = (const char *)text + size;
    char *item = first_item(text, size, &rest);
    size_t length = item != NULL ? strlen(item) : 0;
    Reading r = {{text, item, rest}, {rest, item + length, end}, 0, item == NULL};
    shortage_begin();
    json_t *json = json_load_callback(next_byte, &r, flags, e);
    bool short_of_memory = r.short_of_memory || shortage_seen();
    if (json != NULL && length > 0)
        remove_first(json);
    free(item);
    if (!short_of_memory)
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
