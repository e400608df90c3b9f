/* The boxes of MP4 (ISO 14496-12): where the manifest store is, and the tables of absolute offsets (stco,
 * co64) that must follow when something is put in before the media. */
#include <stdlib.h>
#include <string.h>
#include "credentials/bmff.h"

enum { MAX_TABLES = 4096, MAX_DEPTH = 32 };

const uint8_t BMFF_C2PA_UUID[16] = {0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c,
                                    0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81};

bool bmff_box(Asset *a, uint64_t at, uint64_t end, BmffBox *box, SoraError *err)
{
    uint8_t head[16];
    if (end - at < 8)
        return error_set(err, SORA_ERROR_INPUT, "%s: a box of the MP4 is cut off at byte %llu", a->name,
                         (unsigned long long)at);
    if (!asset_read(a, at, head, 8, err))
        return false;
    *box = (BmffBox){.at = at, .size = get_u32(head), .header = 8};
    memcpy(box->type, head + 4, 4);
    if (box->size == 1) {
        if (end - at < 16)
            return error_set(err, SORA_ERROR_INPUT, "%s: a box of the MP4 is cut off at byte %llu", a->name,
                             (unsigned long long)at);
        if (!asset_read(a, at + 8, head + 8, 8, err))
            return false;
        box->size = get_u64(head + 8);
        box->header = 16;
    } else if (box->size == 0) {
        box->size = end - at;
    }
    if (box->size < box->header || box->size > end - at)
        return error_set(err, SORA_ERROR_INPUT, "%s: box %.4s of the MP4 at byte %llu is cut off", a->name,
                         box->type, (unsigned long long)at);
    return true;
}

bool bmff_is_c2pa(Asset *a, const BmffBox *box, const char *purpose, uint64_t *data_at, uint64_t *data_size)
{
    /* UUID, version and flags, the purpose with its 0 */
    SoraError ignored;
    uint8_t head[16 + 4 + 9];
    size_t n = 16 + 4 + strlen(purpose) + 1;
    *data_at = box->at + box->header + n;
    if (memcmp(box->type, "uuid", 4) != 0 || box->size - box->header < n ||
        !asset_read(a, box->at + box->header, head, n, &ignored) || memcmp(head, BMFF_C2PA_UUID, 16) != 0 ||
        memcmp(head + 20, purpose, n - 20) != 0)
        return false;
    *data_size = box->at + box->size - *data_at;
    return true;
}

/* A store follows the offset of the first box with a Merkle tree. An update leaves the store as it was, now
 * called original, and lies in a box of its own: *update. */
static bool take_uuid(Asset *a, const BmffBox *box, BmffBox *update, SoraError *err)
{
    uint64_t data, size;
    if (bmff_is_c2pa(a, box, "update", &data, &size)) {
        if (update->size > 0)
            a->stores = 2; /* more than one is an error */
        *update = *box;
        return true;
    }
    if (!bmff_is_c2pa(a, box, "manifest", &data, &size) && !bmff_is_c2pa(a, box, "original", &data, &size))
        return true;
    return size < 8 || asset_take_store(a, box->at, box->size, data + 8, size - 8, err);
}

/* The manifests of an update follow those of the store: its box without header and description. */
static bool take_update(Asset *a, const BmffBox *box, SoraError *err)
{
    uint64_t at, size;
    uint8_t head[16];
    bool ok = a->store.size >= 8 && bmff_is_c2pa(a, box, "update", &at, &size) && size >= 8 + sizeof head &&
              asset_read(a, at + 8, head, sizeof head, err);
    uint64_t skip = ok ? 8 + 8 + (uint64_t)get_u32(head + 8) : 0;
    if (!ok || memcmp(head + 4, "jumb", 4) != 0 || skip > size || a->store.size > UINT32_MAX - size)
        return error_set(err, SORA_ERROR_INPUT, "%s: an update of a manifest that is not there", a->name);
    if (!asset_append_store(a, at + skip, size - skip, err))
        return false;
    set_u32(a->store.data, (uint32_t)a->store.size);
    return true;
}

/* Is the box at `at`, which is cut off, C2PA's as far as it goes? */
static bool begins_store(Asset *a, uint64_t at)
{
    uint8_t head[8 + 16];
    SoraError ignored;
    return a->size - at >= sizeof head && asset_read(a, at, head, sizeof head, &ignored) && memcmp(head + 4, "uuid", 4) == 0 &&
           memcmp(head + 8, BMFF_C2PA_UUID, 16) == 0;
}

bool bmff_scan(Asset *a, SoraError *err)
{
    BmffBox box, update = {.size = 0};
    int boxes = 0;
    for (uint64_t at = 0; at < a->size; at += box.size) {
        if (!bmff_box(a, at, a->size, &box, err)) {
            if (err->code != SORA_ERROR_INPUT)
                return false;
            if (a->stores == 0)
                return begins_store(a, at) ? asset_cut_off(a, true, "the manifest store of the MP4", err) : false;
            break; /* the store's hash will say so */
        }
        if (++boxes > BMFF_MAX_BOXES)
            return error_set(err, SORA_ERROR_INPUT, "%s: more than %d boxes", a->name, BMFF_MAX_BOXES);
        if (memcmp(box.type, "ftyp", 4) == 0 && a->insert_at == 0)
            a->insert_at = at + box.size;
        if (memcmp(box.type, "moof", 4) == 0)
            a->fragmented = true;
        if (!take_uuid(a, &box, &update, err))
            return false;
    }
    if (update.size == 0)
        return true;
    a->stores += a->stores == 0; /* it has credentials, though they cannot be read */
    return take_update(a, &update, err);
}

/* A table of offsets: count entries of width bytes each, from byte at on. */
typedef struct Table {
    uint64_t at, count;
    int width;
} Table;

struct Mender {
    const char *path;
    uint64_t insert_at, shift;
    Table *tables;
    int count;
};

static bool add_table(Mender *m, Asset *a, const BmffBox *box, int width, SoraError *err)
{
    uint8_t head[8]; /* version and flags, number of entries */
    uint64_t at = box->at + box->header;
    if (box->size - box->header < sizeof head)
        return error_set(err, SORA_ERROR_INPUT, "%s: box %.4s is too short", a->name, box->type);
    if (!asset_read(a, at, head, sizeof head, err))
        return false;
    Table table = {at + sizeof head, get_u32(head + 4), width};
    if (table.count > (box->size - box->header - sizeof head) / (unsigned)width)
        return error_set(err, SORA_ERROR_INPUT, "%s: box %.4s has more entries than bytes", a->name,
                         box->type);
    if (m->count == MAX_TABLES)
        return error_set(err, SORA_ERROR_INPUT, "%s: more than %d tracks", a->name, MAX_TABLES);
    Table *more = realloc(m->tables, ((size_t)m->count + 1) * sizeof *more);
    if (more == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", a->name);
    m->tables = more;
    m->tables[m->count++] = table;
    return true;
}

static bool find_tables(Mender *m, Asset *a, uint64_t at, uint64_t end, int depth, SoraError *err)
{
    BmffBox box;
    for (; at < end; at += box.size) {
        if (!bmff_box(a, at, end, &box, err))
            return false;
        if (memcmp(box.type, "stco", 4) == 0 || memcmp(box.type, "co64", 4) == 0) {
            if (!add_table(m, a, &box, box.type[0] == 's' ? 4 : 8, err))
                return false;
        } else if (bmff_is_container(box.type) && depth < MAX_DEPTH &&
                   !find_tables(m, a, at + box.header, at + box.size, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

bool bmff_is_container(const char *type)
{
    static const char *const names[] = {"moov", "trak", "mdia", "minf", "stbl", "edts",
                                        "dinf", "mvex", "moof", "traf", "mfra", "udta"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memcmp(type, names[i], 4) == 0)
            return true;
    return false;
}

bool bmff_mender_open(Mender **out, Asset *a, uint64_t shift, SoraError *err)
{
    /* Offsets of fragments and items are elsewhere, and our own files have none. */
    if (a->fragmented)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: a fragmented MP4 cannot be signed", a->name);
    if (a->insert_at >= a->size)
        return error_set(err, SORA_ERROR_INPUT, "%s: an MP4 without media cannot be signed", a->name);
    Mender *m = *out = calloc(1, sizeof *m);
    if (m == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", a->name);
    m->path = a->name;
    m->insert_at = a->insert_at;
    m->shift = shift;
    BmffBox box;
    for (uint64_t at = 0; at < a->size; at += box.size) {
        if (!bmff_box(a, at, a->size, &box, err))
            return false;
        if (memcmp(box.type, "meta", 4) == 0)
            return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: an MP4 with items cannot be signed", a->name);
        if (memcmp(box.type, "moov", 4) == 0 && !find_tables(m, a, at + box.header, at + box.size, 0, err))
            return false;
    }
    return true;
}

void bmff_mender_close(Mender *m)
{
    if (m == NULL)
        return;
    free(m->tables);
    free(m);
}

static bool mend_entry(const Mender *m, uint8_t *entry, int width, SoraError *err)
{
    uint64_t offset = width == 4 ? get_u32(entry) : get_u64(entry);
    if (offset < m->insert_at)
        return true;
    offset += m->shift;
    if (width == 4 && offset > UINT32_MAX)
        return error_set(err, SORA_ERROR_UNSUPPORTED,
                         "%s: the credentials would move media beyond 4 GiB, which its stco cannot say",
                         m->path);
    if (width == 4)
        set_u32(entry, (uint32_t)offset);
    else
        set_u64(entry, offset);
    return true;
}

bool bmff_mend(Mender *m, uint64_t at, uint8_t *piece, size_t size, SoraError *err)
{
    for (int i = 0; i < m->count; i++) {
        const Table *t = &m->tables[i];
        unsigned width = (unsigned)t->width;
        uint64_t end = t->at + t->count * width;
        if (at >= end || at + size <= t->at)
            continue;
        uint64_t first = at > t->at ? at : t->at, last = at + size < end ? at + size : end;
        /* bmff_piece() has cut so that no entry lies across an edge */
        for (uint64_t e = first; e + width <= last; e += width)
            if (!mend_entry(m, piece + (e - at), t->width, err))
                return false;
    }
    return true;
}

size_t bmff_piece(const Mender *m, uint64_t at, size_t size)
{
    for (int i = 0; i < m->count; i++) {
        const Table *t = &m->tables[i];
        uint64_t end = t->at + t->count * (unsigned)t->width;
        if (at < t->at && at + size > t->at) /* stop at the table's begin */
            size = (size_t)(t->at - at);
        else if (at >= t->at && at < end && at + size < end) /* and between two entries within it */
            size -= size % (unsigned)t->width;
    }
    return size;
}
