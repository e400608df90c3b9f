#include "weights/gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/message.h"
#include "weights/weight_reader.h"

static const int IDS[DTYPE_COUNT] = {
    [DTYPE_F32] = 0,   [DTYPE_F16] = 1,  [DTYPE_Q4_0] = 2,  [DTYPE_Q4_1] = 3,     [DTYPE_Q5_0] = 6,
    [DTYPE_Q5_1] = 7,  [DTYPE_Q8_0] = 8, [DTYPE_Q4_K] = 12, [DTYPE_Q5_K] = 13,    [DTYPE_Q6_K] = 14,
    [DTYPE_Q2_K] = 10, [DTYPE_Q3_K] = 11, [DTYPE_I8] = 24,   [DTYPE_I16] = 25, [DTYPE_I32] = 26,  [DTYPE_I64] = 27,     [DTYPE_F64] = 28,
    [DTYPE_BF16] = 30, [DTYPE_U8] = -1,  [DTYPE_BOOL] = -1, [DTYPE_F8_E4M3] = -1, [DTYPE_F8_E5M2] = -1,
};

int gguf_type_id(DType dtype)
{
    return IDS[dtype];
}

bool gguf_type_parse(uint32_t id, DType *dtype)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (IDS[i] == (int64_t)id) {
            *dtype = (DType)i;
            return true;
        }
    return false;
}

/* One file: the whole, or a part of a split one. */
typedef struct Reader {
    WeightFile *file;
    const char *path; /* of this part */
    const uint8_t *begin, *p, *end;
    SoraError *err;
    uint64_t alignment;
    WeightMetadata *metadata; /* of this part */
    WeightList *lists;
    const WeightMetadata **shapes; /* of the whole file's metadata, sorted */
    int shape_count;
} Reader;

/* A text of the file: no 0 follows it. */
typedef struct Text {
    const char *bytes;
    size_t size;
} Text;

static bool take(Reader *r, uint64_t size, const uint8_t **out)
{
    *out = r->p;
    if (size > (size_t)(r->end - r->p))
        return message_bad(r->path, r->err, "truncated at byte %zu", (size_t)(r->p - r->begin));
    r->p += size;
    return true;
}

static bool take_u32(Reader *r, uint32_t *v)
{
    const uint8_t *p;
    *v = 0;
    if (!take(r, 4, &p))
        return false;
    memcpy(v, p, 4);
    return true;
}

static bool take_u64(Reader *r, uint64_t *v)
{
    const uint8_t *p;
    *v = 0;
    if (!take(r, 8, &p))
        return false;
    memcpy(v, p, 8);
    return true;
}

static bool take_text(Reader *r, Text *t)
{
    uint64_t size;
    const uint8_t *p;
    *t = (Text){0};
    if (!take_u64(r, &size) || !take(r, size, &p))
        return false;
    *t = (Text){(const char *)p, (size_t)size};
    return true;
}

static const struct {
    int size;
    bool is_signed, is_integer;
} METADATA[GGUF_TYPES] = {
    [GGUF_U8] = {1, false, true},  [GGUF_I8] = {1, true, true},    [GGUF_U16] = {2, false, true},
    [GGUF_I16] = {2, true, true},  [GGUF_U32] = {4, false, true},  [GGUF_I32] = {4, true, true},
    [GGUF_F32] = {4, true, false}, [GGUF_BOOL] = {1, false, true}, [GGUF_U64] = {8, false, true},
    [GGUF_I64] = {8, true, true},  [GGUF_F64] = {8, true, false},
};

static int64_t integer(uint32_t type, const uint8_t *p)
{
    int size = METADATA[type].size;
    uint64_t v = 0;
    memcpy(&v, p, (size_t)size); /* little-endian, as this machine */
    if (METADATA[type].is_signed && size < 8 && v >> (8 * size - 1))
        v |= ~(uint64_t)0 << 8 * size;
    return (int64_t)v;
}

static bool add_list(Reader *r, const char *key, uint32_t type, uint64_t count)
{
    WeightList *l = arena_alloc(&r->file->memory, sizeof *l);
    if (l == NULL)
        return message_no_memory(r->path, r->err);
    *l = (WeightList){key, type, count, r->p, r->lists};
    r->lists = l;
    return true;
}

/* Lists stay where they are in the file. *text: NULL, or a short one's numbers. */
static bool read_list(Reader *r, const char *key, const char **text)
{
    uint32_t type;
    uint64_t count;
    const uint8_t *p;
    if (!take_u32(r, &type) || !take_u64(r, &count) || !add_list(r, key, type, count))
        return false;
    if (type == GGUF_TEXT) {
        Text t;
        for (uint64_t i = 0; i < count; i++)
            if (!take_text(r, &t))
                return false;
        return true;
    }
    if (type >= GGUF_TYPES || METADATA[type].size == 0)
        return message_bad(r->path, r->err, "metadata with a list of type %u", type);
    uint64_t size = (uint64_t)METADATA[type].size;
    if (count > (uint64_t)(r->end - r->p) / size)
        return message_bad(r->path, r->err, "truncated at byte %zu", (size_t)(r->p - r->begin));
    if (!take(r, count * size, &p))
        return false;
    if (count > MAX_DIMS || !METADATA[type].is_integer)
        return true;
    *text = "";
    for (uint64_t i = 0; i < count && *text != NULL; i++)
        *text = arena_printf(&r->file->memory, "%s%s%lld", *text, i ? "," : "",
                             (long long)integer(type, p + i * size));
    return *text != NULL || message_no_memory(r->path, r->err);
}

static bool read_value(Reader *r, const char *key, uint32_t type, const char **text)
{
    const uint8_t *p;
    Text t;
    *text = NULL;
    if (type == GGUF_LIST)
        return read_list(r, key, text);
    if (type == GGUF_TEXT) {
        if (!take_text(r, &t))
            return false;
        if (t.size > 1 << 20)
            return true; /* a chat template or a licence: of no use here */
        *text = arena_printf(&r->file->memory, "%.*s", (int)t.size, t.bytes);
        return *text != NULL || message_no_memory(r->path, r->err);
    }
    if (type >= GGUF_TYPES)
        return message_bad(r->path, r->err, "metadata of type %u", type);
    if (!take(r, (uint64_t)METADATA[type].size, &p))
        return false;
    if (!METADATA[type].is_integer)
        return true;
    *text = arena_printf(&r->file->memory, "%lld", (long long)integer(type, p));
    return *text != NULL || message_no_memory(r->path, r->err);
}

static bool add_metadata(Reader *r, const char *key, const char *value)
{
    WeightMetadata *m = arena_alloc(&r->file->memory, sizeof *m);
    if (m == NULL)
        return message_no_memory(r->path, r->err);
    *m = (WeightMetadata){key, value, r->metadata};
    r->metadata = m;
    return true;
}

static const char *find_metadata(const Reader *r, const char *key)
{
    for (const WeightMetadata *m = r->metadata; m != NULL; m = m->next)
        if (strcmp(m->key, key) == 0)
            return m->value;
    return NULL;
}

static bool read_metadata(Reader *r, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        Text key;
        uint32_t type;
        const char *value;
        if (!take_text(r, &key) || !take_u32(r, &type))
            return false;
        char *copy = arena_printf(&r->file->memory, "%.*s", (int)(key.size < 4096 ? key.size : 4096), key.bytes);
        if (copy == NULL)
            return message_no_memory(r->path, r->err);
        if (!read_value(r, copy, type, &value) || (value != NULL && !add_metadata(r, copy, value)))
            return false;
    }
    const char *alignment = find_metadata(r, "general.alignment");
    r->alignment = alignment != NULL ? strtoull(alignment, NULL, 10) : GGUF_ALIGNMENT;
    if (r->alignment < 1 || r->alignment > 1 << 20 || (r->alignment & (r->alignment - 1)) != 0)
        return message_bad(r->path, r->err, "an alignment of %s",
                           message_shown(alignment, (char[SHOWN_SIZE]){0}));
    return true;
}

/* What the parts before this one say comes first. */
static void hand_over_metadata(Reader *r)
{
    WeightMetadata **m = &r->file->metadata;
    WeightList **l = &r->file->lists;
    while (*m != NULL)
        m = &(*m)->next;
    while (*l != NULL)
        l = &(*l)->next;
    *m = r->metadata;
    *l = r->lists;
}

/* A tensor's header; the data's place is known when all headers are read. */
typedef struct Header {
    Text name;
    Tensor tensor;
    uint64_t offset;
} Header;

/* Sets shape, innermost first in the file, and checks that the bytes can be counted. */
static bool read_shape(Reader *r, Header *h, const char *name)
{
    uint32_t ndim;
    if (!take_u32(r, &ndim))
        return false;
    if (ndim > MAX_DIMS)
        return message_bad(r->path, r->err, "tensor \"%s\" has %u dimensions, at most %d are supported",
                           name, ndim, MAX_DIMS);
    h->tensor.ndim = (int)ndim;
    int64_t n = 256; /* more than the bytes of any block's element */
    for (int d = (int)ndim - 1; d >= 0; d--) {
        uint64_t length;
        if (!take_u64(r, &length))
            return false;
        h->tensor.shape[d] = (int64_t)length;
        if (length > INT64_MAX || __builtin_mul_overflow(n, length ? (int64_t)length : 1, &n))
            return message_bad(r->path, r->err, "tensor \"%s\" is too large", name);
    }
    return true;
}

/* Of types that are known and not read; NULL: not known. */
static const char *type_name(uint32_t id)
{
    static const char *const NAMES[] = {
        [9] = "Q8_1",   [15] = "Q8_K",   [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S",  [20] = "IQ4_NL",
        [21] = "IQ3_S", [22] = "IQ2_S",  [23] = "IQ4_XS",  [29] = "IQ1_M",  [34] = "TQ1_0",   [35] = "TQ2_0",  [39] = "MXFP4",
    };
    return id < sizeof NAMES / sizeof *NAMES ? NAMES[id] : NULL;
}

static bool read_header(Reader *r, Header *h)
{
    char name[SHOWN_SIZE];
    uint32_t type;
    if (!take_text(r, &h->name))
        return false;
    message_shown_bytes(h->name.bytes, h->name.size, name);
    if (!read_shape(r, h, name) || !take_u32(r, &type) || !take_u64(r, &h->offset))
        return false;
    if (!gguf_type_parse(type, &h->tensor.dtype) && type_name(type) != NULL)
        return message_bad(r->path, r->err, "tensor \"%s\" has type %s, which is not supported: Q2_K to Q8_0 are", name,
                           type_name(type));
    if (!gguf_type_parse(type, &h->tensor.dtype))
        return message_bad(r->path, r->err, "tensor \"%s\" has type %u, which is not supported", name,
                           type);
    int block = dtype_block(h->tensor.dtype);
    int64_t row = h->tensor.ndim > 0 ? h->tensor.shape[h->tensor.ndim - 1] : 1;
    if (row % block != 0)
        return message_bad(r->path, r->err, "tensor \"%s\" has rows of %lld, no multiple of %s's %d",
                           name, (long long)row, dtype_name(h->tensor.dtype), block);
    if (h->offset % r->alignment != 0)
        return message_bad(r->path, r->err, "tensor \"%s\" begins at byte %llu, not aligned", name,
                           (unsigned long long)h->offset);
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(const WeightMetadata *const *)a)->key, (*(const WeightMetadata *const *)b)->key);
}

/* Those of the metadata that are shapes, sorted, so that many tensors do not each go through many metadata. */
static bool index_shapes(Reader *r)
{
    int capacity = 0;
    for (const WeightMetadata *m = r->file->metadata; m != NULL; m = m->next)
        capacity += strncmp(m->key, GGUF_SHAPE_KEY, strlen(GGUF_SHAPE_KEY)) == 0;
    r->shapes = arena_alloc(&r->file->memory, ((size_t)capacity + 1) * sizeof *r->shapes);
    if (r->shapes == NULL)
        return message_no_memory(r->path, r->err);
    for (const WeightMetadata *m = r->file->metadata; m != NULL; m = m->next)
        if (strncmp(m->key, GGUF_SHAPE_KEY, strlen(GGUF_SHAPE_KEY)) == 0)
            r->shapes[r->shape_count++] = m;
    if (r->shape_count > 0)
        qsort(r->shapes, (size_t)r->shape_count, sizeof *r->shapes, compare_keys);
    return true;
}

/* The shape that the tensor had before its dimensions were merged. */
static bool restore_shape(Reader *r, Tensor *t, const char *name)
{
    if (r->shape_count == 0)
        return true;
    char *name_key = arena_printf(&r->file->memory, GGUF_SHAPE_KEY "%s", name);
    if (name_key == NULL)
        return message_no_memory(r->path, r->err);
    const WeightMetadata key = {.key = name_key}, *k = &key;
    const WeightMetadata **found = bsearch(&k, r->shapes, (size_t)r->shape_count, sizeof *r->shapes, compare_keys);
    if (found == NULL)
        return true;
    const char *text = (*found)->value;
    Tensor shaped = *t;
    int64_t n = 1;
    bool ok = true;
    for (shaped.ndim = 0; *text != 0 && shaped.ndim < MAX_DIMS && ok; shaped.ndim++) {
        char *end;
        int64_t length = strtoll(text, &end, 10);
        ok = end != text && length > 0 && !__builtin_mul_overflow(n, length, &n);
        shaped.shape[shaped.ndim] = length;
        text = *end == ',' ? end + 1 : end;
    }
    int64_t row = shaped.ndim > 0 ? shaped.shape[shaped.ndim - 1] : 1;
    if (!ok || n != tensor_numel(t) || (dtype_block(t->dtype) > 1 && row % dtype_block(t->dtype) != 0)) {
        char buf[SHOWN_SIZE];
        return message_bad(r->path, r->err, "tensor \"%s\": its true shape does not fit its numbers",
                           message_shown(name, buf));
    }
    *t = shaped;
    return true;
}

static bool add_tensor(Reader *r, const Header *h, const uint8_t *data)
{
    Tensor t = h->tensor;
    char name[SHOWN_SIZE];
    size_t room = (size_t)(r->end - data), bytes = tensor_bytes(&t);
    if (h->offset > room || bytes > room - h->offset)
        return message_bad(r->path, r->err,
                           "tensor \"%s\" of %zu bytes ends after the file: truncated?",
                           message_shown_bytes(h->name.bytes, h->name.size, name), bytes);
    t.data = (void *)(uintptr_t)(data + h->offset);
    char *copy = arena_printf(&r->file->memory, "%.*s", (int)(h->name.size < 4096 ? h->name.size : 4096),
                              h->name.bytes);
    return (copy != NULL || message_no_memory(r->path, r->err)) && restore_shape(r, &t, copy) &&
           weight_file_add(r->file, h->name.bytes, h->name.size, t, r->err);
}

/* The headers of tensors, then the tensors. */
static bool read_tensors(Reader *r, uint64_t tensors)
{
    Header *headers = calloc((size_t)tensors + 1, sizeof *headers);
    if (headers == NULL)
        return message_no_memory(r->path, r->err);
    bool ok = index_shapes(r);
    for (uint64_t i = 0; i < tensors && ok; i++)
        ok = read_header(r, &headers[i]);
    uint64_t at = ((uint64_t)(r->p - r->begin) + r->alignment - 1) / r->alignment * r->alignment;
    if (ok && tensors > 0 && at > (uint64_t)(r->end - r->begin))
        ok = message_bad(r->path, r->err, "no data after the headers: truncated?");
    for (uint64_t i = 0; i < tensors && ok; i++)
        ok = add_tensor(r, &headers[i], r->begin + at);
    free(headers);
    return ok;
}

/* What a part says of its place among the parts; a whole file is one of one. */
typedef struct Split {
    uint64_t count, number; /* number: from 0 */
} Split;

static bool read_part(WeightFile *f, const char *path, const uint8_t *bytes, size_t size, Split *split, SoraError *err)
{
    enum { MIN_HEADER = 24, MAX_TENSORS = 65536, MAX_METADATA = 8192 }; /* the first in bytes */
    Reader r = {.file = f, .path = path, .begin = bytes, .p = bytes + 4, .end = bytes + size, .err = err};
    uint32_t version;
    uint64_t tensors, metadata;
    if (!take_u32(&r, &version))
        return false;
    if (version != 2 && version != GGUF_VERSION)
        return message_bad(path, err, "GGUF version %u, supported are 2 and 3", version);
    if (!take_u64(&r, &tensors) || !take_u64(&r, &metadata))
        return false;
    if (metadata > MAX_METADATA)
        return message_bad(path, err, "%llu metadata, at most %d are accepted", (unsigned long long)metadata,
                           MAX_METADATA);
    if (!read_metadata(&r, metadata))
        return false;
    const char *count = find_metadata(&r, "split.count"), *number = find_metadata(&r, "split.no");
    *split = (Split){count != NULL ? strtoull(count, NULL, 10) : 1, number != NULL ? strtoull(number, NULL, 10) : 0};
    hand_over_metadata(&r);
    if (tensors > (uint64_t)(r.end - r.p) / MIN_HEADER || tensors > MAX_TENSORS)
        return message_bad(path, err, "%llu tensors do not fit in the file", (unsigned long long)tensors);
    return read_tensors(&r, tensors);
}

/* --- split files --- */

enum { SPLIT_NAME = sizeof "-00001-of-00002.gguf" - 1, MAX_PARTS = 999 };

/* Part i (from 0) of the file that path is part number of. NULL: path does not have the name of such a part. */
static char *part_path(WeightFile *f, const char *path, Split split, uint64_t i)
{
    char end[48];
    size_t n = strlen(path);
    snprintf(end, sizeof end, "-%05d-of-%05d.gguf", (int)split.number + 1, (int)split.count);
    if (n < SPLIT_NAME || strcmp(path + n - SPLIT_NAME, end) != 0)
        return NULL;
    return arena_printf(&f->memory, "%.*s-%05d-of-%05d.gguf", (int)(n - SPLIT_NAME), path, (int)i + 1,
                        (int)split.count);
}

static bool read_named_part(WeightFile *f, const char *path, Split expected, SoraError *err)
{
    Split split;
    const FileMap *map = weight_file_map(f, path, err);
    if (map == NULL)
        return false;
    if (map->size < 4 || memcmp(map->data, "GGUF", 4) != 0)
        return message_bad(path, err, "no GGUF file, expected part %d of %d", (int)expected.number + 1,
                           (int)expected.count);
    if (!read_part(f, path, map->data, map->size, &split, err))
        return false;
    return (split.count == expected.count && split.number == expected.number) ||
           message_bad(path, err, "says that it is part %llu of %llu, expected %d of %d",
                       (unsigned long long)split.number + 1, (unsigned long long)split.count,
                       (int)expected.number + 1, (int)expected.count);
}

/* The parts other than the one that f was opened with, which has been read. */
static bool read_other_parts(WeightFile *f, Split split, SoraError *err)
{
    if (split.count > MAX_PARTS || split.number >= split.count)
        return message_bad(f->path, err, "part %llu of %llu", (unsigned long long)split.number + 1,
                           (unsigned long long)split.count);
    if (f->map_count == 0 || part_path(f, f->path, split, 0) == NULL)
        return error_set(err, SORA_ERROR_UNSUPPORTED,
                         "%s: one of %d parts, whose name should end in -%05d-of-%05d.gguf",
                         message_path_end(f->path), (int)split.count, (int)split.number + 1, (int)split.count);
    for (uint64_t i = 0; i < split.count; i++) {
        const char *path = part_path(f, f->path, split, i);
        if (path == NULL)
            return message_no_memory(f->path, err);
        if (i != split.number && !read_named_part(f, path, (Split){split.count, i}, err))
            return false;
    }
    const char *total = weight_file_metadata(f, "split.tensors.count");
    return total == NULL || strtoull(total, NULL, 10) == (uint64_t)f->count ||
           message_bad(f->path, err, "%d tensors in all %d parts, expected %llu", f->count, (int)split.count,
                       strtoull(total, NULL, 10));
}

bool gguf_read(WeightFile *f, const uint8_t *bytes, size_t size, SoraError *err)
{
    Split split;
    return read_part(f, f->path, bytes, size, &split, err) && (split.count <= 1 || read_other_parts(f, split, err));
}
