#include "weights/tfjs.h"

#include <ctype.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json_file.h"
#include "weights/message.h"

enum { MAX_TENSORS = 4096, MAX_TEXT = 64 << 20 };

struct TfjsModel {
    Arena memory;
    char *folder;
    TfjsTensor *tensors;
    size_t count;
    uint8_t *bytes; /* of all shards */
    size_t size;
};

static char *path_of(TfjsModel *m, const char *name)
{
    return arena_printf(&m->memory, "%s/%s", m->folder, name);
}

static bool no_memory(const TfjsModel *m, SoraError *err)
{
    return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", m->folder);
}

/* --- an object of JavaScript as JSON --- */

static bool is_word(char c)
{
    return isalpha((unsigned char)c) || c == '_' || c == '$';
}

static const char *copy_string(const char *s, char **out)
{
    *(*out)++ = *s++;
    while (*s != 0 && *s != '"') {
        if (*s == '\\' && s[1] != 0)
            *(*out)++ = *s++;
        *(*out)++ = *s++;
    }
    if (*s != 0)
        *(*out)++ = *s++;
    return s;
}

/* Names of members get quotes; words stay. */
static const char *copy_word(const char *s, char **out)
{
    const char *end = s;
    while (is_word(*end) || isdigit((unsigned char)*end))
        end++;
    bool key = *end == ':';
    *out += sprintf(*out, key ? "\"%.*s\"" : "%.*s", (int)(end - s), s);
    return end;
}

static const char *copy_number(const char *s, char **out)
{
    if (*s == '.')
        *(*out)++ = '0';
    while (isdigit((unsigned char)*s) || *s == '.' || *s == 'e' || *s == 'E' ||
           ((*s == '-' || *s == '+') && tolower((unsigned char)s[-1]) == 'e'))
        *(*out)++ = *s++;
    return s;
}

/* What a minifier writes, up to the brace that closes the first: member names without quotes, !0 and !1, numbers that
 * begin with a point. NULL: out of memory. free() it. */
static char *to_json(const char *s)
{
    char *text = malloc(3 * strlen(s) + 1), *out = text;
    int depth = 0;
    while (text != NULL && *s != 0) {
        if (*s == '"')
            s = copy_string(s, &out);
        else if (*s == '!' && (s[1] == '0' || s[1] == '1'))
            out += sprintf(out, "%s", s[1] == '0' ? "true" : "false"), s += 2;
        else if (is_word(*s))
            s = copy_word(s, &out);
        else if (isdigit((unsigned char)*s) || *s == '.')
            s = copy_number(s, &out);
        else {
            depth += (*s == '{') - (*s == '}');
            *out++ = *s++;
            if (depth == 0)
                break;
        }
    }
    if (text != NULL)
        *out = 0;
    return text;
}

/* The object that has modelTopology, from a text that was read. */
static json_t *parse(const TfjsModel *m, const char *path, const char *text, SoraError *err)
{
    const char *start = strstr(text, "modelTopology");
    while (start != NULL && start > text && *start != '{')
        start--;
    char *json = start != NULL ? to_json(start) : NULL;
    char shown[SHOWN_SIZE];
    json_error_t e = {.text = "no modelTopology in it"};
    json_t *root = json != NULL ? json_load_bytes(json, strlen(json), 0, &e) : NULL;
    if (start != NULL && (json == NULL || (root == NULL && json_short_of_memory(&e))))
        no_memory(m, err);
    else if (root == NULL)
        error_set(err, SORA_ERROR_INPUT, "%s: not a model of TensorFlow.js: %s", path, message_shown(e.text, shown));
    free(json);
    return root;
}

static json_t *read_model(TfjsModel *m, SoraError *err)
{
    const char *path = path_of(m, "model.json");
    if (path != NULL && !file_exists(path))
        path = path_of(m, "model.min.js");
    if (path == NULL)
        no_memory(m, err);
    char *text = path != NULL ? file_read(path, MAX_TEXT, NULL, err) : NULL;
    json_t *root = text != NULL ? parse(m, path, text, err) : NULL;
    free(text);
    return root;
}

/* --- bytes --- */

static bool append(TfjsModel *m, const char *text, size_t size, bool base64, const char *path, SoraError *err)
{
    size_t more = base64 ? size / 4 * 3 : size;
    uint8_t *bytes = m->size + more <= MAX_TEXT ? realloc(m->bytes, m->size + more + 4) : NULL;
    if (bytes == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: more than is read of such a model, or out of memory", path);
    m->bytes = bytes;
    if (!base64)
        memcpy(bytes + m->size, text, size);
    else if (size % 4 != 0 || EVP_DecodeBlock(bytes + m->size, (const unsigned char *)text, (int)size) != (int)more)
        return error_set(err, SORA_ERROR_INPUT, "%s: its text is no base64", path);
    while (base64 && size > 0 && text[--size] == '=')
        more--;
    m->size += more;
    return true;
}

#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

static bool read_shard(TfjsModel *m, const char *name, SoraError *err)
{
    static const char BEFORE[] = ".exports=\"";
    if (name == NULL || strlen(name) > 200 || name[strspn(name, NAME_LETTERS)] != 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: its weightsManifest names no file beside it", m->folder);
    size_t size = 0;
    char *path = path_of(m, name), *wrapped = arena_printf(&m->memory, "%s/%s.min.js", m->folder, name);
    if (path == NULL || wrapped == NULL)
        return no_memory(m, err);
    bool plain = file_exists(path);
    char *text = file_read(plain ? path : wrapped, MAX_TEXT, &size, err);
    if (text == NULL)
        return false;
    const char *start = plain ? text : strstr(text, BEFORE);
    if (!plain && start != NULL) {
        start += strlen(BEFORE);
        size = strcspn(start, "\"");
    }
    bool ok = start != NULL ? append(m, start, size, !plain, plain ? path : wrapped, err)
                            : error_set(err, SORA_ERROR_INPUT, "%s: no text is exported", wrapped);
    free(text);
    return ok;
}

/* --- tensors --- */

static bool read_tensor(TfjsModel *m, const json_t *w, size_t *used, SoraError *err)
{
    const json_t *q = json_object_get(w, "quantization"), *shape = json_object_get(w, "shape"), *side;
    const char *name = json_string_value(json_object_get(w, "name")),
               *type = json_string_value(json_object_get(q, "dtype"));
    int64_t sides[MAX_DIMS], count = 1;
    char shown[SHOWN_SIZE];
    size_t index, ndim = json_array_size(shape);
    if (name == NULL || m->count == MAX_TENSORS || ndim < 1 || ndim > 4)
        return error_set(err, SORA_ERROR_INPUT, "%s: a tensor without name, or with no shape of 1 to 4 numbers",
                         m->folder);
    if (type == NULL || strcmp(type, "uint8") != 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" is not quantized to uint8", m->folder,
                         message_shown(name, shown));
    json_array_foreach(shape, index, side)
    {
        sides[index] = json_integer_value(side);
        if (sides[index] < 1 || sides[index] > MAX_TEXT / count)
            return error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" has no possible shape", m->folder,
                             message_shown(name, shown));
        count *= sides[index];
    }
    if ((size_t)count > m->size - *used)
        return error_set(err, SORA_ERROR_INPUT, "%s: the files end before tensor \"%s\"", m->folder,
                         message_shown(name, shown));
    TfjsTensor *t = &m->tensors[m->count++];
    *t = (TfjsTensor){arena_strdup(&m->memory, name), tensor_over(m->bytes + *used, DTYPE_U8, (int)ndim, sides),
                      json_number_value(json_object_get(q, "scale")), json_number_value(json_object_get(q, "min"))};
    *used += (size_t)count;
    if (!isfinite(t->scale) || !isfinite(t->minimum))
        return error_set(err, SORA_ERROR_INPUT, "%s: tensor \"%s\" has a scale that is not finite", m->folder,
                         message_shown(name, shown));
    return t->name != NULL || no_memory(m, err);
}

static bool read_shards(TfjsModel *m, const json_t *root, SoraError *err)
{
    const json_t *group, *item;
    size_t i, k;
    json_array_foreach(json_object_get(root, "weightsManifest"), i, group) json_array_foreach(
        json_object_get(group, "paths"), k, item) if (!read_shard(m, json_string_value(item), err)) return false;
    return true;
}

static bool read_tensors(TfjsModel *m, const json_t *root, SoraError *err)
{
    const json_t *group, *item;
    size_t i, k, used = 0;
    if ((m->tensors = arena_calloc(&m->memory, MAX_TENSORS * sizeof *m->tensors)) == NULL)
        return no_memory(m, err);
    json_array_foreach(json_object_get(root, "weightsManifest"), i, group) json_array_foreach(
        json_object_get(group, "weights"), k, item) if (!read_tensor(m, item, &used, err)) return false;
    return m->count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: the model has no weights", m->folder);
}

bool tfjs_recognised(const char *folder)
{
    static const char *const NAMES[] = {"model.min.js", "model.json"};
    char path[4096], *text;
    bool found = false;
    for (int i = 0; i < 2 && !found; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
        text = file_exists(path) ? file_read(path, MAX_TEXT, NULL, NULL) : NULL;
        found = text != NULL && strstr(text, "weightsManifest") != NULL;
        free(text);
    }
    return found;
}

static TfjsModel *begin(const char *folder, SoraError *err)
{
    TfjsModel *m = calloc(1, sizeof *m);
    if (m != NULL) {
        arena_init(&m->memory, 0);
        m->folder = arena_strdup(&m->memory, folder);
    }
    if (m != NULL && m->folder != NULL)
        return m;
    error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", folder);
    tfjs_close(m);
    return NULL;
}

static TfjsModel *end(TfjsModel *m, bool ok)
{
    if (ok)
        return m;
    tfjs_close(m);
    return NULL;
}

TfjsModel *tfjs_open(const char *folder, SoraError *err)
{
    TfjsModel *m = begin(folder, err);
    json_t *root = m != NULL ? read_model(m, err) : NULL;
    bool ok = root != NULL && read_shards(m, root, err) && read_tensors(m, root, err);
    json_decref(root);
    return end(m, ok);
}

TfjsModel *tfjs_open_memory(const char *model, const void *bytes, size_t size, SoraError *err)
{
    TfjsModel *m = begin("memory", err);
    json_t *root = m != NULL ? parse(m, m->folder, model, err) : NULL;
    bool ok = root != NULL && append(m, bytes, size, false, m->folder, err) && read_tensors(m, root, err);
    json_decref(root);
    return end(m, ok);
}

void tfjs_close(TfjsModel *m)
{
    if (m == NULL)
        return;
    free(m->bytes);
    arena_deinit(&m->memory);
    free(m);
}

const TfjsTensor *tfjs_find(const TfjsModel *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->tensors[i].name, name) == 0)
            return &m->tensors[i];
    return NULL;
}

const char *tfjs_path(const TfjsModel *m)
{
    return m->folder;
}
