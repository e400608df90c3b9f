/* CBOR (RFC 8949): libcbor encodes and takes apart single items; here they become a tree that points into
 * the bytes it was read from. */
#ifndef SORA_CREDENTIALS_CBOR_DATA_H
#define SORA_CREDENTIALS_CBOR_DATA_H

#include "base/arena.h"
#include "base/error.h"
#include "credentials/bytes.h"

/* Writing: shortest heads, definite lengths. An array or map is its head, then its items. */
void cbor_put_uint(Bytes *b, uint64_t value);
void cbor_put_int(Bytes *b, int64_t value);
void cbor_put_uint_wide(Bytes *b,
                        uint32_t value); /* always five bytes, so that its size is known before it */
void cbor_put_bytes(Bytes *b, const void *data, size_t size);
void cbor_put_text(Bytes *b, const char *text);
void cbor_put_span(Bytes *b, Span text); /* as text */
void cbor_put_array(Bytes *b, size_t count);
void cbor_put_map(Bytes *b, size_t pairs);
void cbor_put_tag(Bytes *b, uint64_t tag);
void cbor_put_bool(Bytes *b, bool value);
void cbor_put_null(Bytes *b);

typedef enum CborKind {
    CBOR_UINT,     /* number */
    CBOR_NEGATIVE, /* -1 - number */
    CBOR_BYTES,    /* bytes */
    CBOR_TEXT,     /* bytes: UTF-8, checked */
    CBOR_ARRAY,    /* items[count] */
    CBOR_MAP,      /* items[2 * count]: key, value, key, value ... */
    CBOR_TAGGED,   /* number is the tag, items[0] the content */
    CBOR_REAL,     /* real */
    CBOR_BOOL,     /* number 0 or 1 */
    CBOR_NULL,     /* number 0: null, 1: undefined */
} CborKind;

typedef struct CborValue {
    CborKind kind;
    uint64_t number;
    double real;
    Span bytes;
    size_t count;
    struct CborValue *items;
    Span encoded; /* the bytes that it was read from */
} CborValue;

/* The one item that source consists of, in the arena; its spans point into source (strings of indefinite
 * length into the arena). Nesting and the number of items are bounded. NULL with SORA_ERROR_INPUT. */
const CborValue *cbor_parse(Arena *arena, Span source, SoraError *err);

/* The first item of source; what follows it is left alone. */
const CborValue *cbor_parse_first(Arena *arena, Span source, SoraError *err);

/* The value of a text key, NULL when map is NULL, no map or lacks it. Where C2PA wants a text, its reference
 * implementation takes a byte string too if it is UTF-8, and a text for a byte string; so do these. */
const CborValue *cbor_find(const CborValue *map, const char *key);
const CborValue *cbor_find_kind(const CborValue *map, const char *key, CborKind kind);
const CborValue *cbor_find_number(const CborValue *map, int64_t key);
/* An empty span when it is missing or something else. */
Span cbor_find_text(const CborValue *map, const char *key);
/* A string of either kind; NULL: none. */
const CborValue *cbor_find_bytes(const CborValue *map, const char *key);
Span cbor_text(const CborValue *value); /* of one value; NULL is allowed */
bool cbor_is_text(const CborValue *value, const char *text);
/* The map without the keys that are no real texts, in the arena. NULL: it is no map, or out of memory. */
const CborValue *cbor_named(Arena *arena, const CborValue *map);
/* Can it be said in JSON: is every key in it, at any depth, a text, a number or a truth? */
bool cbor_is_sayable(const CborValue *value);

#endif
