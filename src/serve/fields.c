#include "serve/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names with brackets --- */

typedef struct Name {
    char text[FIELD_NAME_SIZE];
    const char *parts[FIELDS_DEPTH + 1]; /* "" stands for [] */
    int count;
} Name;

/* a[b][] becomes a, b, "". */
static bool split(Name *n, const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= sizeof n->text || name[0] == '[' || name[0] == ']')
        return false;
    memcpy(n->text, name, length + 1);
    n->parts[0] = n->text;
    n->count = 1;
    char *s = n->text + strcspn(n->text, "[]");
    while (*s != 0) {
        if (*s != '[' || n->count > FIELDS_DEPTH)
            return false;
        *s++ = 0;
        size_t part = strcspn(s, "[]");
        if (s[part] != ']')
            return false;
        s[part] = 0;
        n->parts[n->count++] = s;
        s += part + 1;
    }
    return true;
}

static json_t *make_like(const char *next)
{
    return *next == 0 ? json_array() : json_object();
}

/* Below an array: its last object while that lacks the member, else a new one; so characters[][id]=a&characters[][id]=b are
 * two. */
static json_t *into_array(json_t *array, const char *next)
{
    size_t n = json_array_size(array);
    json_t *last = n > 0 ? json_array_get(array, n - 1) : NULL;
    if (json_is_object(last) && *next != 0 && json_object_get(last, next) == NULL)
        return last;
    json_t *made = make_like(next);
    return json_array_append_new(array, made) == 0 ? made : NULL;
}

static json_t *into(json_t *at, const char *part, const char *next)
{
    if (json_is_array(at))
        return *part == 0 ? into_array(at, next) : NULL;
    if (!json_is_object(at) || *part == 0)
        return NULL;
    json_t *child = json_object_get(at, part);
    if (child != NULL)
        return child;
    child = make_like(next);
    return json_object_set_new(at, part, child) == 0 ? child : NULL;
}

bool fields_add(json_t *root, const char *name, const char *text, size_t size, SoraError *err)
{
    Name n;
    json_t *at = root;
    if (!split(&n, name))
        return error_set(err, SORA_ERROR_INPUT, "the name of a field is wrong: \"%.60s\"", name);
    if (json_object_size(root) >= FIELDS_MOST)
        return error_set(err, SORA_ERROR_INPUT, "more than %d fields", FIELDS_MOST);
    for (int i = 0; at != NULL && i + 1 < n.count; i++)
        at = into(at, n.parts[i], n.parts[i + 1]);
    json_t *value = json_stringn(text, size);
    const char *last = n.parts[n.count - 1];
    bool ok = at != NULL && value != NULL && memchr(text, 0, size) == NULL;
    if (ok && json_is_array(at))
        ok = *last == 0 && json_array_size(at) < FIELDS_MOST && json_array_append(at, value) == 0;
    else if (ok)
        ok = json_is_object(at) && *last != 0 && json_object_size(at) < FIELDS_MOST && json_object_set(at, last, value) == 0;
    json_decref(value);
    return ok || error_set(err, SORA_ERROR_INPUT, "%.60s: %s", name,
                           value == NULL ? "not UTF-8" : "does not fit the fields before it, or too many of them");
}

/* --- values --- */

const char *fields_text(const json_t *root, const char *name, char buffer[32])
{
    const json_t *v = json_object_get(root, name);
    if (json_is_integer(v))
        snprintf(buffer, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        snprintf(buffer, 32, "%.10g", json_real_value(v));
    else
        return json_string_value(v);
    return buffer;
}

static bool out_of_range(const char *name, const char *text, double min, double max, SoraError *err)
{
    return error_set(err, SORA_ERROR_INPUT, "%s: \"%.40s\" is not a number from %.10g to %.10g", name, text != NULL ? text : "",
                     min, max);
}

bool fields_int(const json_t *root, const char *name, int64_t min, int64_t max, int64_t *value, bool *there, SoraError *err)
{
    char buffer[32], *end = NULL;
    const json_t *v = json_object_get(root, name);
    const char *text = fields_text(root, name, buffer);
    *there = v != NULL && !json_is_null(v);
    if (!*there)
        return true;
    errno = 0;
    intmax_t n = text != NULL ? strtoimax(text, &end, 10) : 0;
    if (text == NULL || end == text || *end != 0 || errno != 0 || n < min || n > max)
        return out_of_range(name, text, (double)min, (double)max, err);
    *value = n;
    return true;
}

bool fields_real(const json_t *root, const char *name, double min, double max, double *value, bool *there, SoraError *err)
{
    char buffer[32], *end = NULL;
    const json_t *v = json_object_get(root, name);
    const char *text = fields_text(root, name, buffer);
    *there = v != NULL && !json_is_null(v);
    if (!*there)
        return true;
    double x = text != NULL ? strtod(text, &end) : 0;
    if (text == NULL || end == text || *end != 0 || !isfinite(x) || x < min || x > max)
        return out_of_range(name, text, min, max, err);
    *value = x;
    return true;
}

/* Digits alone, at most five of them. */
static const char *side(const char *s, int *value)
{
    size_t n = strspn(s, "0123456789");
    if (n < 1 || n > 5)
        return NULL;
    *value = atoi(s);
    return *value > 0 ? s + n : NULL;
}

bool fields_size(const char *text, int *width, int *height)
{
    const char *s = side(text, width);
    s = s != NULL && *s == 'x' ? side(s + 1, height) : NULL;
    return s != NULL && *s == 0;
}

/* --- ranges --- */

static const char *whole_number(const char *s, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(s, &end, 10);
    return *s >= '0' && *s <= '9' && errno == 0 ? end : NULL;
}

RangeAnswer range_parse(const char *header, int64_t size, int64_t *first, int64_t *last)
{
    if (header == NULL || strncmp(header, "bytes=", 6) != 0)
        return RANGE_WHOLE;
    const char *s = header + 6;
    int64_t from = 0, to = size - 1;
    if (*s == '-') {
        int64_t tail;
        s = whole_number(s + 1, &tail);
        if (s == NULL || *s != 0)
            return RANGE_WHOLE;
        if (tail == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        from = tail < size ? size - tail : 0;
    } else {
        s = whole_number(s, &from);
        if (s == NULL || *s != '-')
            return RANGE_WHOLE;
        if (s[1] != 0) {
            s = whole_number(s + 1, &to);
            if (s == NULL || *s != 0 || to < from)
                return RANGE_WHOLE;
        }
        if (from >= size)
            return RANGE_UNSATISFIABLE;
    }
    *first = from;
    *last = to < size - 1 ? to : size - 1;
    return RANGE_PART;
}

/* --- data URLs --- */

unsigned char *data_url_decode(const char *url, size_t *size)
{
    const char *comma = strchr(url, ',');
    if (strncmp(url, "data:", 5) != 0 || comma == NULL || comma - url < 12 || strncmp(comma - 7, ";base64", 7) != 0)
        return NULL;
    size_t n = strlen(comma + 1);
    size_t padding = n > 0 && comma[n] == '=' ? (n > 1 && comma[n - 1] == '=' ? 2 : 1) : 0;
    if (n == 0 || n % 4 != 0 || n > (size_t)1 << 28)
        return NULL;
    unsigned char *bytes = malloc(n / 4 * 3 + 1);
    int got = bytes != NULL ? EVP_DecodeBlock(bytes, (const unsigned char *)comma + 1, (int)n) : -1;
    if (got < (int)padding) {
        free(bytes);
        return NULL;
    }
    *size = (size_t)got - padding;
    return bytes;
}
