#include "weights/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_file.h"
#include "weights/message.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors are little-endian and are used where they are mapped"
#endif

enum {
    MAX_HEADER = 100000000,  /* bytes; the format's own limit */
    SMALL_HEADER = 2 << 20,  /* what any file may have; 20,000 tensors. As JSON in memory it is 75 times as large, so a */
    DATA_PER_HEADER = 64,    /* larger one must be worth it: so many bytes of file to a byte of header */
    MAX_INDEX = 8 << 20,
};

/* One file of the set. */
typedef struct Part {
    const char *path;
    FileMap map;
} Part;

typedef struct Item {
    const char *name;
    Tensor tensor;
    size_t begin, end;  /* in the data of the part */
    int part, position; /* position: in the header */
} Item;

typedef struct Metadata Metadata;
struct Metadata {
    const char *key, *value;
    Metadata *next;
};

struct Safetensors {
    Arena memory; /* names, metadata, copies of data that is not aligned in the file */
    const char *path;
    Part *parts;
    int part_count;
    Item *items;
    int count, capacity;
    Item **by_name; /* sorted */

    Metadata *metadata, **metadata_end; /* a list, and where its next one goes */
};

static bool bad_tensor(const Part *part, const char *name, SoraError *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static bool bad_tensor(const Part *part, const char *name, SoraError *err, const char *fmt, ...)
{
    char text[sizeof err->message], buf[SHOWN_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return message_bad(part->path, err, "tensor \"%s\" %s", message_shown(name, buf), text);
}

/* --- one file --- */

static json_t *parse(const char *path, const char *text, size_t size, SoraError *err)
{
    json_error_t e;
    char buf[SHOWN_SIZE];
    json_t *json = json_load_bytes(text, size, JSON_REJECT_DUPLICATES, &e);
    if (json == NULL && json_short_of_memory(&e))
        message_no_memory(path, err);
    else if (json == NULL)
        message_bad(path, err, "bad JSON at byte %d: %s", e.position, message_shown(e.text, buf));
    else if (!json_is_object(json))
        message_bad(path, err, "the JSON is not an object");
    else
        return json;
    json_decref(json);
    return NULL;
}

static bool read_metadata(Safetensors *s, const Part *part, json_t *json, SoraError *err)
{
    if (!json_is_object(json))
        return message_bad(part->path, err, "__metadata__ is not an object");
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        char buf[SHOWN_SIZE];
        if (!json_is_string(value))
            return message_bad(part->path, err, "__metadata__ \"%s\" is not a text", message_shown(key, buf));
        Metadata *m = arena_calloc(&s->memory, sizeof *m);
        if (m == NULL || (m->key = arena_strdup(&s->memory, key)) == NULL ||
            (m->value = arena_strdup(&s->memory, json_string_value(value))) == NULL)
            return message_no_memory(part->path, err);
        *s->metadata_end = m;
        s->metadata_end = &m->next;
    }
    return true;
}

/* Sets dtype, ndim and shape, and *bytes. */
static bool read_shape(const Part *part, const char *name, json_t *json, Tensor *t, size_t *bytes,
                       SoraError *err)
{
    char buf[SHOWN_SIZE];
    json_t *dtype = json_object_get(json, "dtype"), *shape = json_object_get(json, "shape");
    if (!json_is_string(dtype))
        return bad_tensor(part, name, err, "has no dtype");
    if (!dtype_parse(json_string_value(dtype), &t->dtype) || dtype_block(t->dtype) != 1)
        return bad_tensor(part, name, err, "has the type \"%s\", which is not supported",
                          message_shown(json_string_value(dtype), buf));
    if (!json_is_array(shape))
        return bad_tensor(part, name, err, "has no shape");
    if (json_array_size(shape) > MAX_DIMS)
        return bad_tensor(part, name, err, "has %zu dimensions, at most %d are supported",
                          json_array_size(shape), MAX_DIMS);
    t->ndim = (int)json_array_size(shape);
    int64_t n = (int64_t)dtype_size(t->dtype); /* counts 0 as 1, so that no product of some overflows */
    bool empty = false;
    for (int d = 0; d < t->ndim; d++) {
        json_t *dim = json_array_get(shape, (size_t)d);
        t->shape[d] = json_integer_value(dim);
        if (!json_is_integer(dim) || t->shape[d] < 0)
            return bad_tensor(part, name, err, "has a shape that is not of counts");
        empty = empty || t->shape[d] == 0;
        if (__builtin_mul_overflow(n, t->shape[d] ? t->shape[d] : 1, &n))
            return bad_tensor(part, name, err, "is too large");
    }
    *bytes = empty ? 0 : (size_t)n;
    return true;
}

static bool read_item(const Part *part, const char *name, json_t *json, size_t data_size, Item *item,
                      SoraError *err)
{
    if (!json_is_object(json))
        return bad_tensor(part, name, err, "is not described by an object");
    size_t bytes = 0;
    if (!read_shape(part, name, json, &item->tensor, &bytes, err))
        return false;
    json_t *offsets = json_object_get(json, "data_offsets");
    json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return bad_tensor(part, name, err, "has no data_offsets [begin, end]");
    item->begin = (size_t)json_integer_value(begin);
    item->end = (size_t)json_integer_value(end);
    if (item->end > data_size)
        return bad_tensor(part, name, err, "ends at byte %zu of the data, the file has %zu: truncated?",
                          item->end, data_size);
    if (item->end - item->begin != bytes) {
        char text[128];
        return bad_tensor(part, name, err, "has %zu bytes, %s %s needs %zu", item->end - item->begin,
                          dtype_name(item->tensor.dtype), tensor_shape_text(&item->tensor, text, sizeof text),
                          bytes);
    }
    return true;
}

static int compare_place(const void *a, const void *b)
{
    const Item *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->position - y->position;
}

/* The format has every byte of the data in exactly one tensor. */
static bool check_places(const Part *part, const Item *items, int count, size_t data_size, SoraError *err)
{
    size_t at = 0;
    char buf[SHOWN_SIZE];
    for (int i = 0; i < count; i++) {
        if (items[i].begin < at)
            return bad_tensor(part, items[i].name, err, "overlaps \"%s\"",
                              message_shown(items[i - 1].name, buf));
        if (items[i].begin > at)
            return bad_tensor(part, items[i].name, err, "begins at byte %zu of the data, expected %zu",
                              items[i].begin, at);
        at = items[i].end;
    }
    if (at != data_size)
        return message_bad(part->path, err, "%zu bytes after the last tensor", data_size - at);
    return true;
}

static bool read_items(Safetensors *s, const Part *part, json_t *header, const uint8_t *data,
                       size_t data_size, SoraError *err)
{
    size_t capacity = (size_t)s->count + json_object_size(header);
    Item *items = capacity < INT32_MAX ? realloc(s->items, (capacity + 1) * sizeof *items) : NULL;
    if (items == NULL)
        return message_no_memory(part->path, err);
    s->items = items;
    int first = s->count;
    const char *name;
    json_t *json;
    json_object_foreach(header, name, json)
    {
        if (strcmp(name, "__metadata__") == 0) {
            if (!read_metadata(s, part, json, err))
                return false;
            continue;
        }
        Item *item = &s->items[s->count];
        *item = (Item){.part = (int)(part - s->parts), .position = s->count, .tensor.leaf = true};
        if (!read_item(part, name, json, data_size, item, err))
            return false;
        if ((item->name = arena_strdup(&s->memory, name)) == NULL)
            return message_no_memory(part->path, err);
        s->count++;
    }
    qsort(s->items + first, (size_t)(s->count - first), sizeof *s->items, compare_place);
    if (!check_places(part, s->items + first, s->count - first, data_size, err))
        return false;
    for (int i = first; i < s->count; i++) {
        Item *item = &s->items[i];
        item->tensor.data = (void *)(uintptr_t)(data + item->begin);
        if ((uintptr_t)item->tensor.data % dtype_size(item->tensor.dtype) == 0)
            continue;
        void *copy = arena_alloc(&s->memory, item->end - item->begin + 1);
        if (copy == NULL)
            return message_no_memory(part->path, err);
        item->tensor.data = memcpy(copy, item->tensor.data, item->end - item->begin);
    }
    return true;
}

static bool read_part(Safetensors *s, const Part *part, const uint8_t *bytes, size_t size, SoraError *err)
{
    if (size < 8)
        return message_bad(part->path, err, "%zu bytes are no safetensors file", size);
    uint64_t header_size;
    memcpy(&header_size, bytes, 8);
    if (header_size > size - 8)
        return message_bad(part->path, err,
                           "header of %llu bytes in a file of %zu: truncated, or no safetensors file",
                           (unsigned long long)header_size, size);
    if (header_size > MAX_HEADER)
        return message_bad(part->path, err, "header of %llu bytes, at most %d are accepted",
                           (unsigned long long)header_size, MAX_HEADER);
    if (header_size > SMALL_HEADER + size / DATA_PER_HEADER)
        return message_bad(part->path, err, "header of %llu bytes in a file of %zu: more than its tensors can need",
                           (unsigned long long)header_size, size);
    json_t *header = parse(part->path, (const char *)bytes + 8, (size_t)header_size, err);
    if (header == NULL)
        return false;
    bool ok = read_items(s, part, header, bytes + 8 + header_size, size - 8 - (size_t)header_size, err);
    json_decref(header);
    return ok;
}

static Part *add_part(Safetensors *s, const char *path, SoraError *err)
{
    Part *parts = realloc(s->parts, ((size_t)s->part_count + 1) * sizeof *parts);
    if (parts != NULL)
        s->parts = parts;
    char *copy = arena_strdup(&s->memory, path);
    if (parts == NULL || copy == NULL) {
        message_no_memory(path, err);
        return NULL;
    }
    parts[s->part_count] = (Part){.path = copy};
    return &parts[s->part_count++];
}

static bool open_part(Safetensors *s, const char *path, SoraError *err)
{
    Part *part = add_part(s, path, err);
    return part != NULL && file_map_open(&part->map, path, err) &&
           read_part(s, part, part->map.data, part->map.size, err);
}

static int compare_name(const void *a, const void *b)
{
    return strcmp((*(Item *const *)a)->name, (*(Item *const *)b)->name);
}

static bool sort_names(Safetensors *s, SoraError *err)
{
    s->by_name = malloc(((size_t)s->count + 1) * sizeof(Item *));
    if (s->by_name == NULL)
        return message_no_memory(s->path, err);
    for (int i = 0; i < s->count; i++)
        s->by_name[i] = &s->items[i];
    qsort(s->by_name, (size_t)s->count, sizeof(Item *), compare_name);
    for (int i = 1; i < s->count; i++) {
        const Item *item = s->by_name[i];
        char buf[SHOWN_SIZE];
        if (strcmp(s->by_name[i - 1]->name, item->name) == 0)
            return bad_tensor(&s->parts[item->part], item->name, err, "is also in %s",
                              message_shown(message_path_end(s->parts[s->by_name[i - 1]->part].path), buf));
    }
    return true;
}

static const Item *find(const Safetensors *s, const char *name)
{
    Item key = {.name = name}, *k = &key;
    Item **found = s->count ? bsearch(&k, s->by_name, (size_t)s->count, sizeof(Item *), compare_name) : NULL;
    return found ? *found : NULL;
}

/* --- shards --- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A plain file name: an index must not reach out of its folder, nor put control characters into a message. */
static bool is_shard_name(json_t *json)
{
    const char *name = json_string_value(json);
    for (const char *c = name; c != NULL && *c != 0; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            return false;
    return name != NULL && name[0] != '.' && strpbrk(name, "/\\") == NULL && ends_with(name, ".safetensors");
}

static bool open_shards(Safetensors *s, json_t *weight_map, SoraError *err)
{
    const char *name;
    json_t *shard;
    json_object_foreach(weight_map, name, shard)
    {
        char buf[SHOWN_SIZE], buf2[SHOWN_SIZE];
        if (!is_shard_name(shard))
            return message_bad(
                s->path, err,
                "tensor \"%s\" is said to be in \"%s\", which is no .safetensors file beside it",
                message_shown(name, buf),
                json_is_string(shard) ? message_shown(json_string_value(shard), buf2) : "");
        int i = 0;
        while (i < s->part_count && strcmp(base_name(s->parts[i].path), json_string_value(shard)) != 0)
            i++;
        if (i < s->part_count)
            continue;
        char *path = arena_printf(&s->memory, "%.*s%s", (int)(base_name(s->path) - s->path), s->path,
                                  json_string_value(shard));
        if (path == NULL)
            return message_no_memory(s->path, err);
        if (!open_part(s, path, err))
            return false;
    }
    return sort_names(s, err);
}

static bool open_index(Safetensors *s, SoraError *err)
{
    size_t size = 0;
    char *text = file_read(s->path, MAX_INDEX, &size, err);
    json_t *json = text ? parse(s->path, text, size, err) : NULL;
    free(text);
    json_t *weight_map = json_object_get(json, "weight_map");
    bool ok = false;
    if (json == NULL)
        goto out;
    if (json_object_size(weight_map) == 0) {
        message_bad(s->path, err, "no weight_map");
        goto out;
    }
    if (!open_shards(s, weight_map, err))
        goto out;
    const char *name;
    json_t *shard;
    json_object_foreach(weight_map, name, shard)
    {
        const Item *item = find(s, name);
        char buf[SHOWN_SIZE], buf2[SHOWN_SIZE];
        if (item == NULL || strcmp(base_name(s->parts[item->part].path), json_string_value(shard)) != 0) {
            message_bad(s->path, err, "tensor \"%s\" is not in %s", message_shown(name, buf),
                        message_shown(json_string_value(shard), buf2));
            goto out;
        }
    }
    ok = true;
out:
    json_decref(json);
    return ok;
}

/* --- opening --- */

/* The index if there is one, else the only .safetensors file; "model" goes first. NULL on failure. */
static char *find_in_folder(Safetensors *s, const char *path, SoraError *err)
{
    static const char *const ENDS[] = {".safetensors", ".safetensors.index.json"};
    char *found[2] = {0};
    int count[2] = {0};
    DIR *dir = opendir(path);
    if (dir == NULL) {
        error_system(err, path, "cannot read");
        return NULL;
    }
    bool preferred[2] = {0};
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        for (int k = 0; k < 2; k++) {
            if (!ends_with(e->d_name, ENDS[k]) || e->d_name[0] == '.')
                continue;
            bool model = strncmp(e->d_name, "model.", 6) == 0 && strlen(e->d_name) == 5 + strlen(ENDS[k]);
            count[k]++;
            if (preferred[k])
                continue;
            preferred[k] = model;
            found[k] = arena_printf(&s->memory, "%s/%s", path, e->d_name);
        }
    closedir(dir);
    if (preferred[0])
        return found[0];
    if (preferred[1] || count[1] == 1)
        return found[1];
    if (count[1] == 0 && count[0] == 1)
        return found[0];
    char buf[SHOWN_SIZE];
    if (count[0] + count[1] == 0)
        error_set(err, SORA_ERROR_NOT_FOUND, "%s: no .safetensors file in it",
                  message_shown(message_path_end(path), buf));
    else
        message_bad(path, err, "%d .safetensors files and %d indexes in it, which one?", count[0], count[1]);
    return NULL;
}

static Safetensors *allocate(const char *path, SoraError *err)
{
    Safetensors *s = calloc(1, sizeof *s);
    if (s == NULL) {
        message_no_memory(path, err);
        return NULL;
    }
    arena_init(&s->memory, 0);
    s->metadata_end = &s->metadata;
    if ((s->path = arena_strdup(&s->memory, path)) == NULL) {
        message_no_memory(path, err);
        safetensors_close(s);
        return NULL;
    }
    return s;
}

Safetensors *safetensors_open(const char *path, SoraError *err)
{
    Safetensors *s = allocate(path, err);
    if (s == NULL)
        return NULL;
    if (dir_exists(path)) {
        SoraError none = {.code = SORA_ERROR_MEMORY, .message = "out of memory"};
        s->path = find_in_folder(s, path, &none);
        if (s->path == NULL) {
            if (err != NULL)
                *err = none;
            goto fail;
        }
    }
    if (ends_with(s->path, ".json") ? open_index(s, err) : open_part(s, s->path, err) && sort_names(s, err))
        return s;
fail:
    safetensors_close(s);
    return NULL;
}

Safetensors *safetensors_open_memory(const void *data, size_t size, const char *name, SoraError *err)
{
    Safetensors *s = allocate(name, err);
    if (s == NULL)
        return NULL;
    Part *part = add_part(s, name, err);
    if (part != NULL && read_part(s, part, data, size, err) && sort_names(s, err))
        return s;
    safetensors_close(s);
    return NULL;
}

void safetensors_close(Safetensors *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < s->part_count; i++)
        file_map_close(&s->parts[i].map);
    free(s->parts);
    free(s->items);
    free(s->by_name);
    arena_deinit(&s->memory);
    free(s);
}

int safetensors_count(const Safetensors *s)
{
    return s->count;
}

const Tensor *safetensors_tensor(const Safetensors *s, int i)
{
    return &s->items[i].tensor;
}

const char *safetensors_tensor_name(const Safetensors *s, int i)
{
    return s->items[i].name;
}

const Tensor *safetensors_find(const Safetensors *s, const char *name)
{
    const Item *item = find(s, name);
    return item ? &item->tensor : NULL;
}

const char *safetensors_metadata(const Safetensors *s, const char *key)
{
    for (const Metadata *m = s->metadata; m != NULL; m = m->next)
        if (strcmp(m->key, key) == 0)
            return m->value;
    return NULL;
}

bool safetensors_reads(const Safetensors *s, const char *path)
{
    for (int i = 0; i < s->part_count; i++)
        if (file_map_is(&s->parts[i].map, path))
            return true;
    return false;
}

const char *safetensors_path(const Safetensors *s)
{
    return s->path;
}

void safetensors_forget(const Safetensors *s, const Tensor *tensor)
{
    for (int i = 0; i < s->part_count; i++)
        file_map_forget(&s->parts[i].map, tensor->data, tensor_bytes(tensor));
}
