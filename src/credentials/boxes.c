#include "credentials/boxes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 1 << 20 };

typedef struct Part {
    char name[8];
    uint64_t at, size;
} Part;

typedef struct Parts {
    Asset *asset;
    Part *list;
    size_t count, room;
    SoraError *err;
} Parts;

static bool fail(Parts *p, const char *what)
{
    return error_set(p->err, SORA_ERROR_INPUT, "%s", what);
}

static bool add(Parts *p, const char *name, uint64_t at, uint64_t size)
{
    if (p->count == p->room) {
        size_t room = p->room ? 2 * p->room : 64;
        Part *more = room <= MAX_PARTS ? realloc(p->list, room * sizeof *more) : NULL;
        if (more == NULL)
            return error_set(p->err, SORA_ERROR_MEMORY, "%s: too many parts", p->asset->name);
        p->list = more;
        p->room = room;
    }
    Part *part = &p->list[p->count++];
    *part = (Part){.at = at, .size = size};
    snprintf(part->name, sizeof part->name, "%s", name);
    return true;
}

static bool list_png(Parts *p)
{
    uint8_t head[9] = {0};
    bool ended = false, ok = add(p, "PNGh", 0, 8);
    uint64_t at = 8;
    for (uint64_t size; ok && !ended && at < p->asset->size; at += size) {
        if (!asset_read(p->asset, at, head, 8, p->err))
            return false;
        size = 12 + (uint64_t)get_u32(head);
        if (size > p->asset->size - at)
            return fail(p, "a chunk of the PNG is cut off");
        ended = memcmp(head + 4, "IEND", 4) == 0;
        ok = add(p, at == p->asset->store_at ? "C2PA" : (const char *)head + 4, at, size);
    }
    return ok && (at == p->asset->size || fail(p, "something follows the PNG's end"));
}

static void name_segment(int marker, char name[8])
{
    static const struct {
        int marker;
        const char *name;
    } names[] = {{0xc4, "DHT"}, {0xcc, "DAC"}, {0xd8, "SOI"}, {0xd9, "EOI"},
                 {0xda, "SOS"}, {0xdb, "DQT"}, {0xdd, "DRI"}, {0xfe, "COM"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].marker == marker) {
            snprintf(name, 8, "%s", names[i].name);
            return;
        }
    const char *kind = marker >= 0xf0 ? "JPG" : marker >= 0xe0 ? "APP" : marker >= 0xd0 ? "RST" : "SOF";
    snprintf(name, 8, "%s%d", kind, marker & 15);
}

static bool has_length(int marker)
{
    return (marker >= 0xc0 && marker <= 0xcf) || (marker >= 0xe0 && marker <= 0xef) || marker == 0xda ||
           marker == 0xdb || marker == 0xdd || marker == 0xfe;
}

/* The picture's data after a scan's head: up to the next marker that is no restart; those are parts too. */
static bool list_scan(Parts *p, uint64_t at, uint64_t *end)
{
    uint8_t piece[4096];
    bool marker = false;
    for (size_t n; at < p->asset->size; at += n) {
        n = p->asset->size - at < sizeof piece ? (size_t)(p->asset->size - at) : sizeof piece;
        if (!asset_read(p->asset, at, piece, n, p->err))
            return false;
        for (size_t i = 0; i < n; i++) {
            char name[8];
            bool restart = marker && piece[i] >= 0xd0 && piece[i] <= 0xd7;
            if (marker && piece[i] != 0 && !restart) {
                *end = at + i - 1;
                return true;
            }
            name_segment(piece[i], name);
            if (restart && !add(p, name, at + i - 1, 2))
                return false;
            marker = !marker && piece[i] == 0xff;
        }
    }
    return fail(p, "the JPEG has no end");
}

static bool list_jpeg(Parts *p)
{
    uint8_t head[4];
    char name[8];
    bool ended = false;
    uint64_t at = 0;
    for (uint64_t size; !ended && at + 2 <= p->asset->size; at += size) {
        bool more = at + 4 <= p->asset->size;
        if (!asset_read(p->asset, at, head, more ? 4 : 2, p->err))
            return false;
        if (head[0] != 0xff || (!more && has_length(head[1])))
            return fail(p, "a segment of the JPEG is damaged");
        size = has_length(head[1]) ? 2 + (uint64_t)get_u16(head + 2) : 2;
        ended = head[1] == 0xd9;
        name_segment(head[1], name);
        bool own = p->asset->stores > 0 && at == p->asset->store_at;
        if (own)
            size = p->asset->store_size;
        size_t index = p->count;
        if (!add(p, own ? "C2PA" : name, at, size))
            return false;
        if (head[1] != 0xda)
            continue;
        uint64_t end = 0;
        if (!list_scan(p, at + size, &end))
            return false;
        p->list[index].size = size = end - at;
    }
    return at == p->asset->size || fail(p, "something follows the JPEG's end");
}

/* One entry: the parts that it names come next, and hash to this. */
static bool check_entry(Parts *p, const CborValue *entry, Span claim_alg, size_t *next, bool *left_out)
{
    Hash hash;
    const CborValue *names = cbor_find_kind(entry, "names", CBOR_ARRAY),
                    *expected = cbor_find_bytes(entry, "hash");
    const CborValue *excluded = cbor_find_kind(entry, "excluded", CBOR_BOOL);
    Span alg = cbor_find_text(entry, "alg");
    size_t first = *next;
    bool own = false;
    if (names == NULL || names->count == 0 || expected == NULL)
        return fail(p, "a hash of no parts");
    for (size_t i = 0; i < names->count; i++, (*next)++) {
        if (*next >= p->count || !cbor_is_text(&names->items[i], p->list[*next].name))
            return fail(p, "the file has other parts than were signed");
        own = own || strcmp(p->list[*next].name, "C2PA") == 0;
    }
    if (own && names->count > 1)
        return fail(p, "the manifest's own part is hashed with others");
    *left_out = *left_out || (!own && excluded != NULL && excluded->number != 0);
    if (own || (excluded != NULL && excluded->number != 0))
        return true;
    uint64_t from = p->list[first].at, to = p->list[*next - 1].at + p->list[*next - 1].size;
    return hash_part(p->asset, alg.size ? alg : claim_alg, from, to, &hash, p->err) &&
           (hash_equal(&hash, expected->bytes) || fail(p, "the file is not as it was signed"));
}

static bool check(Parts *p, const CborValue *value, Span alg, bool *left_out)
{
    const CborValue *list = cbor_find_kind(value, "boxes", CBOR_ARRAY);
    size_t next = 0;
    if (list == NULL || list->count == 0)
        return fail(p, "no hashes in it");
    if (p->asset->kind != ASSET_PNG && p->asset->kind != ASSET_JPEG)
        return fail(p, "a hash of parts that this kind of file has not");
    if (!(p->asset->kind == ASSET_PNG ? list_png(p) : list_jpeg(p)))
        return false;
    /* older files do not count the PNG's signature, which the kind of file tells */
    const CborValue *names = cbor_find_kind(&list->items[0], "names", CBOR_ARRAY);
    if (p->asset->kind == ASSET_PNG && names != NULL && names->count > 0 &&
        !cbor_is_text(names->items, "PNGh"))
        next = 1;
    for (size_t i = 0; i < list->count; i++)
        if (!check_entry(p, &list->items[i], alg, &next, left_out))
            return false;
    return next == p->count || fail(p, "the file has more parts than were signed");
}

const char *boxes_check(Asset *a, const CborValue *value, Span alg, bool *left_out, SoraError *err)
{
    Parts p = {.asset = a, .err = err};
    *left_out = false;
    bool ok = check(&p, value, alg, left_out);
    free(p.list);
    return ok ? NULL : err->message;
}
