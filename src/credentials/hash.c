#include "credentials/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "base/shortage.h"
#include "credentials/bmff.h"

enum { MAX_RANGES = 1 << 16 };

const Span HASH_DEFAULT = {(const uint8_t *)"sha256", 6};

static const EVP_MD *find_digest(Span alg)
{
    if (span_is(alg, "sha256"))
        return EVP_sha256();
    if (span_is(alg, "sha384"))
        return EVP_sha384();
    return span_is(alg, "sha512") ? EVP_sha512() : NULL;
}

bool hash_known(Span alg)
{
    return find_digest(alg) != NULL;
}

static bool unknown(Span alg, SoraError *err)
{
    return error_set(err, SORA_ERROR_UNSUPPORTED, "hash algorithm \"%.*s\" is not known",
                     (int)(alg.size < 20 ? alg.size : 20), (const char *)alg.data);
}

static bool cannot_hash(SoraError *err)
{
    return shortage_seen() ? error_no_memory(err) : error_set(err, SORA_ERROR_INTERNAL, "openssl: cannot hash");
}

bool hash_span(Span alg, Span data, Hash *out, SoraError *err)
{
    const EVP_MD *digest = find_digest(alg);
    if (digest == NULL)
        return unknown(alg, err);
    unsigned size = 0;
    if (!EVP_Digest(data.data, data.size, out->bytes, &size, digest, NULL))
        return cannot_hash(err);
    out->size = size;
    return true;
}

bool hash_equal(const Hash *hash, Span expected)
{
    return span_equal((Span){hash->bytes, hash->size}, expected);
}

/* A hash that is being made, and the piece of the file that is read for it. */
typedef struct Hasher {
    Asset *asset;
    EVP_MD_CTX *context;
    uint8_t *piece;
} Hasher;

static bool begin(Hasher *h, Asset *a, Span alg, SoraError *err)
{
    const EVP_MD *digest = find_digest(alg);
    if (digest == NULL)
        return unknown(alg, err);
    *h = (Hasher){a, EVP_MD_CTX_new(), malloc(ASSET_PIECE)};
    if (h->context == NULL || h->piece == NULL || !EVP_DigestInit_ex(h->context, digest, NULL)) {
        EVP_MD_CTX_free(h->context);
        free(h->piece);
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", a->name);
    }
    return true;
}

/* Frees h; the hash is taken when ok. */
static bool end(Hasher *h, bool ok, Hash *out, SoraError *err)
{
    unsigned size = 0;
    if (ok && !EVP_DigestFinal_ex(h->context, out->bytes, &size))
        ok = cannot_hash(err);
    out->size = size;
    EVP_MD_CTX_free(h->context);
    free(h->piece);
    return ok;
}

static bool add(Hasher *h, uint64_t start, uint64_t stop, SoraError *err)
{
    while (start < stop) {
        size_t n = stop - start < ASSET_PIECE ? (size_t)(stop - start) : ASSET_PIECE;
        if (!asset_read(h->asset, start, h->piece, n, err))
            return false;
        if (!EVP_DigestUpdate(h->context, h->piece, n))
            return cannot_hash(err);
        start += n;
    }
    return true;
}

static int compare_ranges(const void *a, const void *b)
{
    uint64_t x = ((const HashRange *)a)->start, y = ((const HashRange *)b)->start;
    return (x > y) - (x < y);
}

static int compare_marks(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* What a hash takes in: all but the ranges, and at each mark the mark itself as u64. */
typedef struct Layout {
    HashRange *ranges;
    uint64_t *marks;
    size_t range_count, mark_count;
} Layout;

static bool hash_layout(Hasher *h, Layout *l, SoraError *err)
{
    uint64_t at = 0, size = h->asset->size;
    size_t r = 0, m = 0;
    if (l->range_count > 1) /* without any, the list is NULL */
        qsort(l->ranges, l->range_count, sizeof *l->ranges, compare_ranges);
    if (l->mark_count > 1)
        qsort(l->marks, l->mark_count, sizeof *l->marks, compare_marks);
    while (at < size || m < l->mark_count) {
        if (m < l->mark_count && l->marks[m] <= at) {
            uint8_t mark[8];
            set_u64(mark, l->marks[m++]);
            if (!EVP_DigestUpdate(h->context, mark, sizeof mark))
                return cannot_hash(err);
            continue;
        }
        uint64_t stop = m < l->mark_count ? l->marks[m] : size;
        while (r < l->range_count && l->ranges[r].start <= at) {
            uint64_t past = l->ranges[r].start + l->ranges[r].length;
            at = past > at ? past : at;
            r++;
        }
        if (r < l->range_count && l->ranges[r].start < stop)
            stop = l->ranges[r].start;
        if (at < stop && !add(h, at, stop, err))
            return false;
        at = stop > at ? stop : at;
    }
    return true;
}

static bool check_ranges(const Asset *a, const HashRange *ranges, size_t count, SoraError *err)
{
    for (size_t i = 0; i < count; i++)
        if (ranges[i].start > a->size || ranges[i].length > a->size - ranges[i].start)
            return error_set(err, SORA_ERROR_INPUT, "%s: a range left out of the hash ends after the file",
                             a->name);
    return true;
}

bool hash_data(Asset *a, Span alg, const HashRange *ranges, size_t count, Hash *out, SoraError *err)
{
    Hasher h;
    if (!check_ranges(a, ranges, count, err) || !begin(&h, a, alg, err))
        return false;
    Layout layout = {.ranges = calloc(count + 1, sizeof *ranges), .range_count = count};
    bool ok = layout.ranges != NULL || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", a->name);
    if (ok && count > 0)
        memcpy(layout.ranges, ranges, count * sizeof *ranges);
    ok = ok && hash_layout(&h, &layout, err);
    free(layout.ranges);
    return end(&h, ok, out, err);
}

/* One step of an xpath: "/moov[1]/trak" names the first moov's tracks. */
typedef struct Step {
    char type[4];
    uint64_t index; /* from 1; 0: all of them */
} Step;

static bool parse_step(Span *path, Step *step)
{
    if (path->size < 5 || path->data[0] != '/')
        return false;
    const uint8_t *p = path->data, *stop = p + path->size;
    memcpy(step->type, p + 1, 4);
    p += 5;
    step->index = 0;
    if (p < stop && *p == '[') {
        for (p++; p < stop && *p >= '0' && *p <= '9' && step->index < 1000000; p++)
            step->index = step->index * 10 + (uint64_t)(*p - '0');
        if (p == stop || *p++ != ']')
            return false;
    }
    *path = (Span){p, (size_t)(stop - p)};
    return true;
}

/* A list of ranges and marks that is being made for a file. */
typedef struct Search {
    Asset *asset;
    Layout *layout;
    const CborValue *exclusion;
    bool marks;
    SoraError *err;
} Search;

static bool add_range(Search *s, uint64_t start, uint64_t length)
{
    Layout *l = s->layout;
    if (l->range_count == MAX_RANGES)
        return error_set(s->err, SORA_ERROR_INPUT, "%s: too many ranges are left out", s->asset->name);
    if ((l->range_count & (l->range_count - 1)) == 0) {
        size_t room = l->range_count ? 2 * l->range_count : 1;
        HashRange *more = realloc(l->ranges, room * sizeof *more);
        if (more == NULL)
            return error_set(s->err, SORA_ERROR_MEMORY, "%s: out of memory", s->asset->name);
        l->ranges = more;
    }
    l->ranges[l->range_count++] = (HashRange){start, length};
    return true;
}

/* Does the box hold what the exclusion says it must: length, version, flags, bytes at offsets? *match tells.
 */
static bool check_box(Search *s, const BmffBox *box, bool *match)
{
    uint8_t head[4], piece[256];
    const CborValue *length = cbor_find_kind(s->exclusion, "length", CBOR_UINT);
    const CborValue *version = cbor_find_kind(s->exclusion, "version", CBOR_UINT);
    const CborValue *flags = cbor_find_bytes(s->exclusion, "flags");
    const CborValue *exact = cbor_find_kind(s->exclusion, "exact", CBOR_BOOL);
    const CborValue *data = cbor_find_kind(s->exclusion, "data", CBOR_ARRAY);
    *match = length == NULL || length->number == box->size;
    if (*match && (version != NULL || flags != NULL) && box->size - box->header >= 4) {
        if (!asset_read(s->asset, box->at + box->header, head, 4, s->err))
            return false;
        if (version != NULL)
            *match = version->number == head[0];
        if (flags != NULL && flags->bytes.size == 3)
            for (int i = 0; i < 3; i++) {
                uint8_t have = head[1 + i], want = flags->bytes.data[i];
                *match = *match && (exact == NULL || exact->number ? have == want : (have | want) == want);
            }
    }
    for (size_t i = 0; *match && data != NULL && i < data->count; i++) {
        const CborValue *offset = cbor_find_kind(&data->items[i], "offset", CBOR_UINT);
        const CborValue *value = cbor_find_bytes(&data->items[i], "value");
        if (offset == NULL || value == NULL || value->bytes.size > sizeof piece ||
            offset->number > box->size || value->bytes.size > box->size - offset->number) {
            *match = false;
            break;
        }
        if (!asset_read(s->asset, box->at + offset->number, piece, value->bytes.size, s->err))
            return false;
        *match = span_equal((Span){piece, value->bytes.size}, value->bytes);
    }
    return true;
}

static bool exclude_box(Search *s, const BmffBox *box)
{
    bool match;
    if (!check_box(s, box, &match))
        return false;
    if (!match)
        return true;
    const CborValue *subset = cbor_find_kind(s->exclusion, "subset", CBOR_ARRAY);
    if (subset == NULL) {
        Layout *l = s->layout;
        for (size_t i = 0; i < l->mark_count; i++)
            if (l->marks[i] == box->at) {
                l->marks[i] = l->marks[--l->mark_count];
                break;
            }
        return add_range(s, box->at, box->size);
    }
    for (size_t i = 0; i < subset->count; i++) {
        const CborValue *offset = cbor_find_kind(&subset->items[i], "offset", CBOR_UINT);
        const CborValue *length = cbor_find_kind(&subset->items[i], "length", CBOR_UINT);
        if (offset == NULL || length == NULL || offset->number > box->size)
            continue;
        uint64_t left = box->size - offset->number;
        uint64_t n = length->number == 0 || length->number > left ? left : length->number;
        if (!add_range(s, box->at + offset->number, n))
            return false;
    }
    return true;
}

static bool walk(Search *s, uint64_t at, uint64_t stop, Span path, int depth)
{
    Step step;
    if (depth > 16 || !parse_step(&path, &step)) /* an xpath that is none matches nothing */
        return true;
    BmffBox box;
    uint64_t number = 0;
    for (; at < stop; at += box.size) {
        if (!bmff_box(s->asset, at, stop, &box, s->err))
            return false;
        if (memcmp(box.type, step.type, 4) != 0 || (++number != step.index && step.index != 0))
            continue;
        if (path.size == 0 && !exclude_box(s, &box))
            return false;
        /* "meta" is a full box: version and flags come before its boxes */
        uint64_t skip = box.header + (memcmp(box.type, "meta", 4) == 0 ? 4u : 0u);
        if (path.size > 0 && skip <= box.size && (bmff_is_container(box.type) || skip > box.header) &&
            !walk(s, at + skip, at + box.size, path, depth + 1))
            return false;
    }
    return true;
}

static bool mark_boxes(Search *s)
{
    BmffBox box;
    Layout *l = s->layout;
    size_t room = 0;
    for (uint64_t at = 0; at < s->asset->size; at += box.size) {
        if (!bmff_box(s->asset, at, s->asset->size, &box, s->err))
            return false;
        if (l->mark_count == room) {
            room = room ? 2 * room : 64;
            uint64_t *more = realloc(l->marks, room * sizeof *more);
            if (more == NULL)
                return error_set(s->err, SORA_ERROR_MEMORY, "%s: out of memory", s->asset->name);
            l->marks = more;
        }
        l->marks[l->mark_count++] = at;
    }
    return true;
}

/* Leaves out what is not of the part: ranges, and the marks in them. */
static bool keep_part(Search *s, uint64_t from, uint64_t to)
{
    Layout *l = s->layout;
    size_t kept = 0;
    for (size_t i = 0; i < l->mark_count; i++)
        if (l->marks[i] >= from && l->marks[i] < to)
            l->marks[kept++] = l->marks[i];
    l->mark_count = kept;
    return (from == 0 || add_range(s, 0, from)) &&
           (to >= s->asset->size || add_range(s, to, s->asset->size - to));
}

bool hash_bmff(Asset *a, const BmffPlan *plan, Hash *out, SoraError *err)
{
    const CborValue *exclusions = plan->exclusions;
    Layout layout = {0};
    Search s = {.asset = a, .layout = &layout, .err = err};
    Hasher h;
    bool ok = plan->version == 1 || mark_boxes(&s);
    for (size_t i = 0; ok && exclusions != NULL && exclusions->kind == CBOR_ARRAY && i < exclusions->count;
         i++) {
        s.exclusion = &exclusions->items[i];
        ok = walk(&s, 0, a->size, cbor_find_text(s.exclusion, "xpath"), 0);
    }
    ok = ok && keep_part(&s, plan->from, plan->to);
    if (ok && begin(&h, a, plan->alg, err))
        ok = end(&h, hash_layout(&h, &layout, err), out, err);
    else
        ok = false;
    free(layout.ranges);
    free(layout.marks);
    return ok;
}

bool hash_part(Asset *a, Span alg, uint64_t from, uint64_t to, Hash *out, SoraError *err)
{
    Hasher h;
    return begin(&h, a, alg, err) && end(&h, add(&h, from, to, err), out, err);
}

bool hash_pair(Span alg, Span left, Span right, Hash *out, SoraError *err)
{
    uint8_t both[2 * HASH_MAX];
    if (left.size > HASH_MAX || right.size > HASH_MAX)
        return error_set(err, SORA_ERROR_INPUT, "a hash that is too long");
    memcpy(both, left.data, left.size); /* neither is NULL: out may be one of them */
    memcpy(both + left.size, right.data, right.size);
    return hash_span(alg, (Span){both, left.size + right.size}, out, err);
}

void hash_put_exclusions(Bytes *out)
{
    cbor_put_array(out, 3);
    cbor_put_map(out, 2);
    cbor_put_text(out, "xpath");
    cbor_put_text(out, "/uuid");
    cbor_put_text(out, "data");
    cbor_put_array(out, 1);
    cbor_put_map(out, 2);
    cbor_put_text(out, "offset");
    cbor_put_uint(out, 8);
    cbor_put_text(out, "value");
    cbor_put_bytes(out, BMFF_C2PA_UUID, sizeof BMFF_C2PA_UUID);
    cbor_put_map(out, 1);
    cbor_put_text(out, "xpath");
    cbor_put_text(out, "/ftyp");
    cbor_put_map(out, 1);
    cbor_put_text(out, "xpath");
    cbor_put_text(out, "/mfra");
}

/* C2PA's uuid box, told by its first bytes. */
static bool is_own_box(const CborValue *e)
{
    const CborValue *data = cbor_find_kind(e, "data", CBOR_ARRAY);
    if (data == NULL || data->count != 1)
        return false;
    const CborValue *offset = cbor_find_kind(data->items, "offset", CBOR_UINT);
    const CborValue *value = cbor_find_bytes(data->items, "value");
    return offset != NULL && value != NULL && offset->number == 8 &&
           span_equal(value->bytes, (Span){BMFF_C2PA_UUID, sizeof BMFF_C2PA_UUID});
}

bool hash_has_more_exclusions(const CborValue *exclusions)
{
    for (size_t i = 0; exclusions != NULL && exclusions->kind == CBOR_ARRAY && i < exclusions->count; i++) {
        const CborValue *e = &exclusions->items[i], *path = cbor_find(e, "xpath");
        bool usual = cbor_is_text(path, "/ftyp") || cbor_is_text(path, "/mfra") ||
                     (cbor_is_text(path, "/uuid") && is_own_box(e));
        if (!usual)
            return true;
    }
    return false;
}
