#include "credentials/jumbf.h"

#include <string.h>

enum {
    MAX_DEPTH = 16,
    MAX_BOXES = 1 << 16,
    REQUESTABLE = 1,
    LABELLED = 2,
    HAS_ID = 4,
    SIGNED = 8,
    PRIVATE = 16
};

static const uint8_t ISO_TAIL[12] = {0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};
static const uint8_t EMBEDDED_FILE[16] = {0x40, 0xcb, 0x0c, 0x32, 0xbb, 0x8a, 0x48, 0x9d,
                                          0xa7, 0x0b, 0x2a, 0xd6, 0xf4, 0x7f, 0x43, 0x69};
const char JUMBF_EMBEDDED_FILE[] = "embedded file";

static void kind_uuid(const char *kind, uint8_t uuid[16])
{
    if (kind == JUMBF_EMBEDDED_FILE) {
        memcpy(uuid, EMBEDDED_FILE, 16);
        return;
    }
    memcpy(uuid, kind, 4);
    memcpy(uuid + 4, ISO_TAIL, 12);
}

typedef struct Parser {
    Arena *arena;
    const uint8_t *end; /* of all that is parsed */
    int boxes;
    SoraError *err;
} Parser;

static bool fail(const Parser *p, const char *what)
{
    return error_set(p->err, SORA_ERROR_INPUT, "jumbf: %s", what);
}

/* Header of the box at the start of source: u32 size, type; size 1: u64 size follows; 0: up to the end. */
static bool parse_header(const Parser *p, Span source, JumbfBox *box)
{
    if (source.size < 8)
        return fail(p, "a box is cut off");
    uint64_t size = get_u32(source.data), header = 8;
    if (size == 1) {
        if (source.size < 16)
            return fail(p, "a box is cut off");
        size = get_u64(source.data + 8);
        header = 16;
    } else if (size == 0) {
        size = source.size;
    }
    /* Nothing signed covers the sizes of superboxes: what is last ends where the store does at the latest. */
    if (size > source.size && source.data + source.size == p->end && memcmp(source.data + 4, "jumb", 4) == 0)
        size = source.size;
    if (size < header || size > source.size)
        return fail(p, "a box is longer than what it is in");
    *box = (JumbfBox){0};
    memcpy(box->type, source.data + 4, 4);
    box->whole = (Span){source.data, (size_t)size};
    box->payload = (Span){source.data + header, (size_t)(size - header)};
    return true;
}

/* The description: UUID, toggles, label, and what else the toggles announce, which nobody needs but which
 * must fill the box: no hash covers these bytes, so none of them may be free. */
static bool parse_description(const Parser *p, Span d, JumbfBox *super)
{
    if (d.size < 18)
        return fail(p, "a description box is cut off");
    memcpy(super->uuid, d.data, 16);
    uint8_t toggles = d.data[16];
    if ((toggles & (REQUESTABLE | LABELLED)) != (REQUESTABLE | LABELLED))
        return fail(p, "a box without a label");
    const uint8_t *begin = d.data + 17, *end = memchr(begin, 0, d.size - 17);
    if (end == NULL)
        return fail(p, "a label without an end");
    if (!span_is_utf8((Span){begin, (size_t)(end - begin)}))
        return fail(p, "a label that is no UTF-8");
    super->label = arena_strdup(p->arena, (const char *)begin);
    if (super->label == NULL)
        return error_set(p->err, SORA_ERROR_MEMORY, "jumbf: out of memory");
    size_t at = (size_t)(end + 1 - d.data) + (toggles & HAS_ID ? 4 : 0) + (toggles & SIGNED ? 32 : 0);
    JumbfBox salt = {0};
    if (toggles & PRIVATE) {
        if (at > d.size || !parse_header(p, (Span){d.data + at, d.size - at}, &salt))
            return fail(p, "a description box is cut off");
        at += salt.whole.size;
        if (strcmp(salt.type, "c2sh") != 0)
            return fail(p, "a private box that is no salt");
    }
    return at == d.size || fail(p, "a description box with more than it says");
}

/* A box of another kind means nothing in JUMBF and is passed over. */
static bool is_known(const char *type)
{
    static const char *const types[] = {"jumb", "json", "cbor", "free", "jp2c",
                                        "brob", "uuid", "bfdb", "bidb"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static bool parse_super(Parser *p, JumbfBox *super, int depth)
{
    if (depth > MAX_DEPTH)
        return fail(p, "nested too deeply");
    int count = 0;
    JumbfBox box;
    for (size_t at = 0; at < super->payload.size; at += box.whole.size, count++) {
        Span rest = {super->payload.data + at, super->payload.size - at};
        if (!parse_header(p, rest, &box))
            return false;
        if (++p->boxes > MAX_BOXES)
            return fail(p, "too many boxes");
    }
    super->children = arena_alloc(p->arena, (size_t)(count ? count : 1) * sizeof box);
    if (super->children == NULL)
        return error_set(p->err, SORA_ERROR_MEMORY, "jumbf: out of memory");
    for (size_t at = 0; at < super->payload.size; at += box.whole.size) {
        parse_header(p, (Span){super->payload.data + at, super->payload.size - at}, &box);
        if (at == 0) {
            if (strcmp(box.type, "jumd") != 0)
                return fail(p, "a superbox without a description");
            if (!parse_description(p, box.payload, super))
                return false;
            continue;
        }
        if (!is_known(box.type))
            continue;
        if (strcmp(box.type, "jumb") == 0 && !parse_super(p, &box, depth + 1))
            return false;
        super->children[super->count++] = box;
    }
    return count > 0 || fail(p, "a superbox without a description");
}

const JumbfBox *jumbf_parse(Arena *arena, Span source, SoraError *err)
{
    if (source.size == 0) {
        error_set(err, SORA_ERROR_INPUT, "jumbf: nothing in it");
        return NULL;
    }
    Parser p = {arena, source.data + source.size, 0, err};
    JumbfBox *box = arena_alloc(arena, sizeof *box);
    if (box == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "jumbf: out of memory");
        return NULL;
    }
    if (!parse_header(&p, source, box))
        return NULL;
    if (strcmp(box->type, "jumb") != 0) {
        fail(&p, "no superbox");
        return NULL;
    }
    return parse_super(&p, box, 0) ? box : NULL;
}

bool jumbf_is(const JumbfBox *box, const char *kind)
{
    uint8_t uuid[16];
    kind_uuid(kind, uuid);
    return strcmp(box->type, "jumb") == 0 && memcmp(uuid, box->uuid, 16) == 0;
}

const JumbfBox *jumbf_content(const JumbfBox *box, const char *type)
{
    for (int i = 0; box != NULL && i < box->count; i++)
        if (strcmp(box->children[i].type, type) == 0)
            return &box->children[i];
    return NULL;
}

size_t jumbf_begin(Bytes *b, const char *type)
{
    size_t at = b->size;
    bytes_put_u32(b, 0);
    bytes_put(b, type, 4);
    return at;
}

size_t jumbf_begin_super(Bytes *b, const char *kind, const char *label)
{
    uint8_t uuid[16];
    kind_uuid(kind, uuid);
    size_t at = jumbf_begin(b, "jumb");
    size_t description = jumbf_begin(b, "jumd");
    bytes_put(b, uuid, 16);
    bytes_put_u8(b, REQUESTABLE | LABELLED);
    bytes_put(b, label, strlen(label) + 1);
    jumbf_end(b, description);
    return at;
}

void jumbf_end(Bytes *b, size_t at)
{
    if (!b->failed)
        set_u32(b->data + at, (uint32_t)(b->size - at));
}
