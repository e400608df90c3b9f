#include "credentials/cbor_data.h"

#include <cbor.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_ITEMS = 1 << 20 };

static void put_head(Bytes *b, size_t (*encode)(uint64_t, unsigned char *, size_t), uint64_t value)
{
    unsigned char head[9];
    bytes_put(b, head, encode(value, head, sizeof head));
}

static size_t encode_array(uint64_t n, unsigned char *p, size_t room)
{
    return cbor_encode_array_start(n, p, room);
}

static size_t encode_map(uint64_t n, unsigned char *p, size_t room)
{
    return cbor_encode_map_start(n, p, room);
}

static size_t encode_bytes(uint64_t n, unsigned char *p, size_t room)
{
    return cbor_encode_bytestring_start(n, p, room);
}

static size_t encode_text(uint64_t n, unsigned char *p, size_t room)
{
    return cbor_encode_string_start(n, p, room);
}

void cbor_put_uint(Bytes *b, uint64_t value)
{
    put_head(b, cbor_encode_uint, value);
}

void cbor_put_int(Bytes *b, int64_t value)
{
    if (value >= 0)
        put_head(b, cbor_encode_uint, (uint64_t)value);
    else
        put_head(b, cbor_encode_negint, (uint64_t)(-1 - value));
}

void cbor_put_uint_wide(Bytes *b, uint32_t value)
{
    unsigned char head[5];
    bytes_put(b, head, cbor_encode_uint32(value, head, sizeof head));
}

void cbor_put_bytes(Bytes *b, const void *data, size_t size)
{
    put_head(b, encode_bytes, size);
    bytes_put(b, data, size);
}

void cbor_put_span(Bytes *b, Span text)
{
    put_head(b, encode_text, text.size);
    bytes_put(b, text.data, text.size);
}

void cbor_put_text(Bytes *b, const char *text)
{
    cbor_put_span(b, (Span){(const uint8_t *)text, strlen(text)});
}

void cbor_put_array(Bytes *b, size_t count)
{
    put_head(b, encode_array, count);
}

void cbor_put_map(Bytes *b, size_t pairs)
{
    put_head(b, encode_map, pairs);
}

void cbor_put_tag(Bytes *b, uint64_t tag)
{
    put_head(b, cbor_encode_tag, tag);
}

void cbor_put_bool(Bytes *b, bool value)
{
    unsigned char head[1];
    bytes_put(b, head, cbor_encode_bool(value, head, sizeof head));
}

void cbor_put_null(Bytes *b)
{
    unsigned char head[1];
    bytes_put(b, head, cbor_encode_null(head, sizeof head));
}

/* What libcbor found at one place. */
typedef struct Event {
    enum { EVENT_VALUE, EVENT_ARRAY, EVENT_MAP, EVENT_TAG, EVENT_CHUNKS, EVENT_BREAK } type;
    bool indefinite;
    CborValue value; /* number: the count of an array or map */
} Event;

static void set_value(void *to, CborKind kind, uint64_t number)
{
    *(Event *)to = (Event){.type = EVENT_VALUE, .value = {.kind = kind, .number = number}};
}

static void on_uint8(void *to, uint8_t v)
{
    set_value(to, CBOR_UINT, v);
}

static void on_uint16(void *to, uint16_t v)
{
    set_value(to, CBOR_UINT, v);
}

static void on_uint32(void *to, uint32_t v)
{
    set_value(to, CBOR_UINT, v);
}

static void on_uint64(void *to, uint64_t v)
{
    set_value(to, CBOR_UINT, v);
}

static void on_negint8(void *to, uint8_t v)
{
    set_value(to, CBOR_NEGATIVE, v);
}

static void on_negint16(void *to, uint16_t v)
{
    set_value(to, CBOR_NEGATIVE, v);
}

static void on_negint32(void *to, uint32_t v)
{
    set_value(to, CBOR_NEGATIVE, v);
}

static void on_negint64(void *to, uint64_t v)
{
    set_value(to, CBOR_NEGATIVE, v);
}

static void on_bytes(void *to, cbor_data data, size_t size)
{
    *(Event *)to = (Event){.type = EVENT_VALUE, .value = {.kind = CBOR_BYTES, .bytes = {data, size}}};
}

static void on_text(void *to, cbor_data data, size_t size)
{
    *(Event *)to = (Event){.type = EVENT_VALUE, .value = {.kind = CBOR_TEXT, .bytes = {data, size}}};
}

static void on_bytes_start(void *to)
{
    *(Event *)to = (Event){.type = EVENT_CHUNKS, .value = {.kind = CBOR_BYTES}};
}

static void on_text_start(void *to)
{
    *(Event *)to = (Event){.type = EVENT_CHUNKS, .value = {.kind = CBOR_TEXT}};
}

static void on_array(void *to, size_t n)
{
    *(Event *)to = (Event){.type = EVENT_ARRAY, .value = {.kind = CBOR_ARRAY, .number = n}};
}

static void on_indef_array(void *to)
{
    *(Event *)to = (Event){.type = EVENT_ARRAY, .indefinite = true, .value = {.kind = CBOR_ARRAY}};
}

static void on_map(void *to, size_t n)
{
    *(Event *)to = (Event){.type = EVENT_MAP, .value = {.kind = CBOR_MAP, .number = n}};
}

static void on_indef_map(void *to)
{
    *(Event *)to = (Event){.type = EVENT_MAP, .indefinite = true, .value = {.kind = CBOR_MAP}};
}

static void on_tag(void *to, uint64_t tag)
{
    *(Event *)to = (Event){.type = EVENT_TAG, .value = {.kind = CBOR_TAGGED, .number = tag}};
}

static void on_float(void *to, float v)
{
    *(Event *)to = (Event){.type = EVENT_VALUE, .value = {.kind = CBOR_REAL, .real = (double)v}};
}

static void on_double(void *to, double v)
{
    *(Event *)to = (Event){.type = EVENT_VALUE, .value = {.kind = CBOR_REAL, .real = v}};
}

static void on_bool(void *to, bool v)
{
    set_value(to, CBOR_BOOL, v);
}

static void on_null(void *to)
{
    set_value(to, CBOR_NULL, 0);
}

static void on_undefined(void *to)
{
    set_value(to, CBOR_NULL, 1);
}

static void on_break(void *to)
{
    *(Event *)to = (Event){.type = EVENT_BREAK};
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = on_bytes_start,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_text_start,
    .indef_array_start = on_indef_array,
    .array_start = on_array,
    .indef_map_start = on_indef_map,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_undefined,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_break,
};

typedef struct Parser {
    Arena *arena;
    Span source;
    size_t at, items;
    SoraError *err;
} Parser;

static bool fail(Parser *p, const char *what)
{
    return error_set(p->err, SORA_ERROR_INPUT, "cbor: %s at byte %zu", what, p->at);
}

static bool next(Parser *p, Event *e)
{
    if (++p->items > MAX_ITEMS)
        return fail(p, "too many items");
    if (p->at < p->source.size && p->source.data[p->at] >= 0xc6 && p->source.data[p->at] <= 0xd4) {
        on_tag(e, p->source.data[p->at++] - 0xc0u); /* tags 6 to 20, which libcbor 0.8 calls an error */
        return true;
    }
    struct cbor_decoder_result r =
        cbor_stream_decode(p->source.data + p->at, p->source.size - p->at, &callbacks, e);
    if (r.status != CBOR_DECODER_FINISHED)
        return fail(p, r.status == CBOR_DECODER_NEDATA ? "cut off" : "not CBOR");
    p->at += r.read;
    return true;
}

/* The pieces of a string of indefinite length, put together. */
static bool parse_chunks(Parser *p, CborValue *out)
{
    size_t room = p->source.size - p->at, size = 0;
    uint8_t *data = arena_alloc(p->arena, room ? room : 1);
    if (data == NULL)
        return error_set(p->err, SORA_ERROR_MEMORY, "cbor: out of memory");
    for (Event e;;) {
        if (!next(p, &e))
            return false;
        if (e.type == EVENT_BREAK)
            break;
        if (e.type != EVENT_VALUE || e.value.kind != out->kind)
            return fail(p, "a string of other things");
        memcpy(data + size, e.value.bytes.data, e.value.bytes.size); /* all pieces come from the room left */
        size += e.value.bytes.size;
    }
    out->bytes = (Span){data, size};
    return out->kind != CBOR_TEXT || span_is_utf8(out->bytes) || fail(p, "text that is no UTF-8");
}

static bool parse_event(Parser *p, const Event *e, CborValue *out, int depth);

static bool parse_item(Parser *p, CborValue *out, int depth)
{
    Event e = {0};
    size_t begin = p->at;
    if (!next(p, &e) || !parse_event(p, &e, out, depth))
        return false;
    out->encoded = (Span){p->source.data + begin, p->at - begin};
    return true;
}

/* Items of an array, map or tag. A list of known length costs a byte an item at least, so it is checked
 * against what is left before memory is taken for it. */
static bool parse_items(Parser *p, const Event *e, CborValue *out, int depth)
{
    size_t each = e->type == EVENT_MAP ? 2 : 1;
    size_t left = p->source.size - p->at;
    uint64_t count = e->type == EVENT_TAG ? 1 : e->value.number;
    if (!e->indefinite && count > left / each)
        return fail(p, "a list that is longer than the data");
    size_t room = e->indefinite ? 8 : (size_t)count * each, used = 0;
    out->items = arena_alloc(p->arena, (room ? room : 1) * sizeof *out->items);
    for (;; used++) {
        if (out->items == NULL)
            return error_set(p->err, SORA_ERROR_MEMORY, "cbor: out of memory");
        if (!e->indefinite && used == room)
            break;
        Event item = {0};
        size_t begin = p->at;
        if (!next(p, &item))
            return false;
        if (e->indefinite && item.type == EVENT_BREAK)
            break;
        if (used == room) {
            CborValue *more = arena_alloc(p->arena, 2 * room * sizeof *more);
            if (more != NULL)
                memcpy(more, out->items, used * sizeof *more);
            room *= 2;
            out->items = more;
            if (more == NULL)
                return error_set(p->err, SORA_ERROR_MEMORY, "cbor: out of memory");
        }
        if (!parse_event(p, &item, &out->items[used], depth + 1))
            return false;
        out->items[used].encoded = (Span){p->source.data + begin, p->at - begin};
    }
    out->count = used / each;
    return used % each == 0 || fail(p, "a key without a value");
}

static bool parse_event(Parser *p, const Event *e, CborValue *out, int depth)
{
    if (depth > MAX_DEPTH)
        return fail(p, "nested too deeply");
    *out = e->value;
    switch (e->type) {
    case EVENT_VALUE:
        return out->kind != CBOR_TEXT || span_is_utf8(out->bytes) || fail(p, "text that is no UTF-8");
    case EVENT_CHUNKS:
        return parse_chunks(p, out);
    case EVENT_BREAK:
        return fail(p, "an end without a beginning");
    default:
        return parse_items(p, e, out, depth);
    }
}

static const CborValue *parse(Arena *arena, Span source, bool whole, SoraError *err)
{
    Parser p = {arena, source, 0, 0, err};
    CborValue *value = arena_alloc(arena, sizeof *value);
    if (value == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "cbor: out of memory");
        return NULL;
    }
    if (!parse_item(&p, value, 0))
        return NULL;
    if (whole && p.at != source.size) {
        fail(&p, "more data after the end");
        return NULL;
    }
    return value;
}

const CborValue *cbor_parse(Arena *arena, Span source, SoraError *err)
{
    return parse(arena, source, true, err);
}

const CborValue *cbor_parse_first(Arena *arena, Span source, SoraError *err)
{
    return parse(arena, source, false, err);
}

const CborValue *cbor_find(const CborValue *map, const char *key)
{
    for (size_t i = 0; map != NULL && map->kind == CBOR_MAP && i < map->count; i++)
        if (cbor_is_text(&map->items[2 * i], key))
            return &map->items[2 * i + 1];
    return NULL;
}

const CborValue *cbor_find_kind(const CborValue *map, const char *key, CborKind kind)
{
    const CborValue *v = cbor_find(map, key);
    return v != NULL && v->kind == kind ? v : NULL;
}

const CborValue *cbor_find_number(const CborValue *map, int64_t key)
{
    CborKind kind = key < 0 ? CBOR_NEGATIVE : CBOR_UINT;
    uint64_t number = key < 0 ? (uint64_t)(-1 - key) : (uint64_t)key;
    for (size_t i = 0; map != NULL && map->kind == CBOR_MAP && i < map->count; i++)
        if (map->items[2 * i].kind == kind && map->items[2 * i].number == number)
            return &map->items[2 * i + 1];
    return NULL;
}

Span cbor_text(const CborValue *value)
{
    bool text = value != NULL &&
                (value->kind == CBOR_TEXT || (value->kind == CBOR_BYTES && span_is_utf8(value->bytes)));
    return text ? value->bytes : (Span){NULL, 0};
}

Span cbor_find_text(const CborValue *map, const char *key)
{
    return cbor_text(cbor_find(map, key));
}

const CborValue *cbor_find_bytes(const CborValue *map, const char *key)
{
    const CborValue *v = cbor_find(map, key);
    return v != NULL && (v->kind == CBOR_BYTES || v->kind == CBOR_TEXT) ? v : NULL;
}

bool cbor_is_text(const CborValue *value, const char *text)
{
    return value != NULL && (value->kind == CBOR_TEXT || value->kind == CBOR_BYTES) &&
           span_is(value->bytes, text);
}

const CborValue *cbor_named(Arena *arena, const CborValue *map)
{
    if (map->kind != CBOR_MAP)
        return NULL;
    CborValue *out = arena_alloc(arena, sizeof *out);
    CborValue *items = arena_alloc(arena, (2 * map->count + 1) * sizeof *items);
    if (out == NULL || items == NULL)
        return NULL;
    *out = *map;
    out->items = items;
    out->count = 0;
    for (size_t i = 0; i < map->count; i++)
        if (map->items[2 * i].kind == CBOR_TEXT)
            memcpy(&items[2 * out->count++], &map->items[2 * i], 2 * sizeof *items);
    return out;
}

bool cbor_is_sayable(const CborValue *value)
{
    size_t each = value->kind == CBOR_MAP ? 2 : value->kind == CBOR_ARRAY || value->kind == CBOR_TAGGED;
    size_t count = value->kind == CBOR_TAGGED ? 1 : value->count;
    for (size_t i = 0; i < each * count; i++) {
        CborKind kind = value->items[i].kind;
        bool key = each == 2 && i % 2 == 0;
        if (key ? kind != CBOR_TEXT && kind != CBOR_UINT && kind != CBOR_NEGATIVE && kind != CBOR_BOOL
                : !cbor_is_sayable(&value->items[i]))
            return false;
    }
    return true;
}
