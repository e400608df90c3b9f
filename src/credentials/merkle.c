#include "credentials/merkle.h"

#include <stdlib.h>
#include <string.h>
#include "credentials/bmff.h"

enum { MAX_MAPS = 16, MAX_PROOF = 1 << 20, MDAT_HEAD = 16, MAX_LEVELS = 64 };

/* One tree: a row of count leaves' tree, and how the leaves' blocks are laid out. */
typedef struct Map {
    Span alg;
    uint64_t count;
    const CborValue *hashes, *init, *fixed, *variable;
} Map;

/* What leads from one leaf to the row, in a box of the file. hashes NULL: nothing is needed. */
typedef struct Proof {
    uint64_t location;
    const CborValue *hashes;
} Proof;

typedef struct Tree {
    Asset *asset;
    Arena arena;
    BmffPlan plan;
    Map maps[MAX_MAPS];
    size_t map_count;
    BmffBox *boxes; /* of the file's own level */
    size_t box_count, box_room;
    Proof *proofs;
    size_t proof_count, proof_room;
    SoraError *err;
} Tree;

static bool fail(Tree *t, const char *what)
{
    return error_set(t->err, SORA_ERROR_INPUT, "%s", what);
}

/* *items of `each` bytes with room for one more. */
static bool make_room(Tree *t, void *items, size_t count, size_t *room, size_t each)
{
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : 64;
    void *now = realloc(*(void **)items, more * each);
    if (now == NULL)
        return error_set(t->err, SORA_ERROR_MEMORY, "%s: out of memory", t->asset->name);
    *(void **)items = now;
    *room = more;
    return true;
}

static bool read_map(Tree *t, const CborValue *v, const CborValue *assertion)
{
    Map *m = &t->maps[t->map_count++];
    const CborValue *count = cbor_find_kind(v, "count", CBOR_UINT);
    *m = (Map){cbor_find_text(v, "alg"),
               count ? count->number : 0,
               cbor_find_kind(v, "hashes", CBOR_ARRAY),
               cbor_find_bytes(v, "initHash"),
               cbor_find_kind(v, "fixedBlockSize", CBOR_UINT),
               cbor_find_kind(v, "variableBlockSizes", CBOR_ARRAY)};
    if (m->alg.size == 0)
        m->alg = cbor_find_text(assertion, "alg");
    if (!hash_known(m->alg))
        return fail(t, "a tree whose hash is not known");
    if (count == NULL || m->hashes == NULL || m->count == 0 || m->count > INT32_MAX)
        return fail(t, "a tree without hashes");
    for (size_t i = 0; i < m->hashes->count; i++)
        if (m->hashes->items[i].kind != CBOR_BYTES)
            return fail(t, "a tree of something else");
    return true;
}

static bool read_proof(Tree *t, uint64_t at, uint64_t size)
{
    uint8_t *bytes = size <= MAX_PROOF ? arena_alloc(&t->arena, (size_t)size + 1) : NULL;
    if (bytes == NULL)
        return fail(t, "a box of a tree is too long");
    if (!asset_read(t->asset, at, bytes, (size_t)size, t->err) ||
        !make_room(t, &t->proofs, t->proof_count, &t->proof_room, sizeof *t->proofs))
        return false;
    const CborValue *v =
        cbor_parse_first(&t->arena, (Span){bytes, (size_t)size}, t->err); /* zeros fill the box */
    const CborValue *location = cbor_find_kind(v, "location", CBOR_UINT);
    if (location == NULL)
        return fail(t, "a box of a tree says no place");
    t->proofs[t->proof_count++] = (Proof){location->number, cbor_find_kind(v, "hashes", CBOR_ARRAY)};
    return true;
}

static bool read_boxes(Tree *t)
{
    BmffBox box;
    for (uint64_t at = 0, data, size; at < t->asset->size; at += box.size) {
        if (!bmff_box(t->asset, at, t->asset->size, &box, t->err) ||
            !make_room(t, &t->boxes, t->box_count, &t->box_room, sizeof *t->boxes))
            return false;
        if (t->box_count == BMFF_MAX_BOXES)
            return fail(t, "too many boxes");
        t->boxes[t->box_count++] = box;
        if (bmff_is_c2pa(t->asset, &box, "merkle", &data, &size) && !read_proof(t, data, size))
            return false;
    }
    return true;
}

static bool is_box(const BmffBox *box, const char *type)
{
    return memcmp(box->type, type, 4) == 0;
}

/* The place in the row that a leaf's hash, led up by the proof, must equal. */
static bool check_leaf(Tree *t, const Map *m, uint64_t leaf, const CborValue *proof, Hash hash)
{
    uint64_t width = m->count, index = leaf;
    size_t used = 0;
    for (; width != m->hashes->count; width = (width + 1) / 2, index /= 2) {
        if (width <= 1)
            return fail(t, "a tree has no row of that length");
        bool right = index % 2 == 1;
        if (proof == NULL || (!right && index + 1 >= width))
            continue;
        if (used == proof->count || proof->items[used].kind != CBOR_BYTES)
            return fail(t, "what leads up to a tree's row is missing");
        Span other = proof->items[used++].bytes, own = {hash.bytes, hash.size};
        if (!hash_pair(m->alg, right ? other : own, right ? own : other, &hash, t->err))
            return false;
    }
    return (index < m->hashes->count && hash_equal(&hash, m->hashes->items[index].bytes)) ||
           fail(t, "a part of the media is not as it was signed");
}

/* The root of a tree whose leaves come one after the other: what waits at each level for its right half. */
typedef struct Climb {
    Hash waiting[MAX_LEVELS];
    bool is_waiting[MAX_LEVELS];
} Climb;

static bool climb(Tree *t, Climb *c, Span alg, Hash hash)
{
    int level = 0;
    for (; c->is_waiting[level]; level++) {
        c->is_waiting[level] = false;
        Span left = {c->waiting[level].bytes, c->waiting[level].size};
        if (!hash_pair(alg, left, (Span){hash.bytes, hash.size}, &hash, t->err))
            return false;
    }
    c->waiting[level] = hash;
    c->is_waiting[level] = true;
    return true;
}

/* What is left over at the end goes up as it is. */
static bool finish_climb(Tree *t, Climb *c, const Map *m)
{
    Hash root = {.size = 0};
    for (int level = 0; level < MAX_LEVELS; level++) {
        Span left = {c->waiting[level].bytes, c->waiting[level].size};
        if (!c->is_waiting[level])
            continue;
        if (root.size == 0)
            root = c->waiting[level];
        else if (!hash_pair(m->alg, left, (Span){root.bytes, root.size}, &root, t->err))
            return false;
    }
    return hash_equal(&root, m->hashes->items[0].bytes) || fail(t, "the media are not as they were signed");
}

/* The size of the next block when `left` bytes are; 0: wrong. */
static uint64_t block_size(const Map *m, uint64_t leaf, uint64_t left)
{
    if (m->fixed != NULL)
        return m->fixed->number < left ? m->fixed->number : left;
    if (m->variable == NULL)
        return left;
    const CborValue *size = leaf < m->variable->count ? &m->variable->items[leaf] : NULL;
    return size != NULL && size->kind == CBOR_UINT && size->number <= left ? size->number : 0;
}

/* One mdat: its first 16 bytes are the file's hash's. proofs NULL: the assertion's row is the leaves, or the
 * root. */
static bool check_mdat(Tree *t, const Map *m, const BmffBox *box, const Proof *proofs)
{
    Climb c = {.is_waiting = {false}};
    bool root = proofs == NULL && m->hashes->count == 1 && m->count > 1;
    uint64_t at = box->at + MDAT_HEAD, end = box->at + box->size, leaf = 0;
    if (m->fixed != NULL && (m->variable != NULL || m->fixed->number < 2))
        return fail(t, "a tree whose blocks have no size");
    if (box->size < MDAT_HEAD)
        at = end;
    for (uint64_t size; at < end; at += size, leaf++) {
        Hash hash;
        size = block_size(m, leaf, end - at);
        if (size == 0 || leaf == m->count)
            return fail(t, "the media have another length than was signed");
        if (!hash_part(t->asset, m->alg, at, at + size, &hash, t->err))
            return false;
        /* boxes outside the hash say which leaf is which; media may not change places */
        if (proofs != NULL && proofs[leaf].location != leaf)
            return fail(t, "parts of the media are in another order than was signed");
        if (root ? !climb(t, &c, m->alg, hash)
                 : !check_leaf(t, m, leaf, proofs ? proofs[leaf].hashes : NULL, hash))
            return false;
    }
    if (leaf != m->count)
        return fail(t, "the media have another length than was signed");
    return !root || finish_climb(t, &c, m);
}

/* One tree for each mdat, in the file's order. */
static bool check_mdats(Tree *t)
{
    size_t map = 0, proof = 0;
    for (size_t i = 0; i < t->box_count; i++) {
        if (!is_box(&t->boxes[i], "mdat"))
            continue;
        if (map == t->map_count)
            return fail(t, "more media than trees");
        const Map *m = &t->maps[map++];
        if (t->proof_count > 0 && m->count > t->proof_count - proof)
            return fail(t, "a tree's boxes are missing");
        if (!check_mdat(t, m, &t->boxes[i], t->proof_count > 0 ? t->proofs + proof : NULL))
            return false;
        proof += t->proof_count > 0 ? (size_t)m->count : 0;
    }
    return map == t->map_count || fail(t, "more trees than media");
}

/* Fragments: each from its moof to the next is a leaf; what comes before the first one has a hash of its own.
 */
static bool check_fragments(Tree *t, const Map *m, size_t first)
{
    BmffPlan plan = t->plan;
    Hash hash;
    uint64_t leaf = 0;
    plan.alg = m->alg;
    plan.from = 0;
    plan.to = t->boxes[first].at;
    if (m->init != NULL && (!hash_bmff(t->asset, &plan, &hash, t->err) || !hash_equal(&hash, m->init->bytes)))
        return fail(t, "what comes before the fragments is not as it was signed");
    for (size_t i = first; i < t->box_count; leaf++) {
        plan.from = t->boxes[i++].at;
        while (i < t->box_count && !is_box(&t->boxes[i], "moof"))
            i++;
        plan.to = i < t->box_count ? t->boxes[i].at : t->asset->size;
        if (leaf == m->count || leaf == t->proof_count || t->proofs[leaf].location != leaf)
            return fail(t, "other fragments than were signed");
        if (!hash_bmff(t->asset, &plan, &hash, t->err) ||
            !check_leaf(t, m, leaf, t->proofs[leaf].hashes, hash))
            return false;
    }
    return (leaf == m->count && leaf == t->proof_count) || fail(t, "fewer fragments than were signed");
}

static bool check(Tree *t, const CborValue *value)
{
    const CborValue *list = cbor_find_kind(value, "merkle", CBOR_ARRAY);
    size_t first = 0;
    bool blocks = true, hashed = cbor_find_bytes(value, "hash") != NULL;
    if (list == NULL || list->count == 0 || list->count > MAX_MAPS)
        return fail(t, "no trees, or more than 16");
    for (size_t i = 0; i < list->count; i++) {
        if (!read_map(t, &list->items[i], value))
            return false;
        blocks = blocks && (t->maps[i].fixed != NULL || t->maps[i].variable != NULL);
    }
    if (!read_boxes(t))
        return false;
    while (first < t->box_count && !is_box(&t->boxes[first], "moof"))
        first++;
    bool fragmented = first < t->box_count;
    for (size_t i = 0; i < t->map_count; i++) {
        if (!fragmented && t->maps[i].init != NULL)
            return fail(t, "a hash of what comes before fragments, of which there are none");
        hashed = hashed || t->maps[i].init != NULL;
    }
    if (!hashed)
        return fail(t, "no hash of what is not media");
    if (!fragmented && !blocks && t->proof_count > 0)
        return fail(t, "trees over the chunks of tracks, which this program does not read");
    if (!fragmented)
        return check_mdats(t);
    for (size_t i = 0; i < t->map_count; i++)
        if (!check_fragments(t, &t->maps[i], first))
            return false;
    return true;
}

const char *merkle_check(Asset *a, const CborValue *value, const BmffPlan *plan, SoraError *err)
{
    Tree t = {.asset = a, .plan = *plan, .err = err};
    arena_init(&t.arena, 64 << 10);
    bool ok = check(&t, value);
    free(t.boxes);
    free(t.proofs);
    arena_deinit(&t.arena);
    return ok ? NULL : err->message;
}
