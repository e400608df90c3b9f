#include "credentials/store.h"

#include <brotli/decode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MANIFESTS = 1024, MAX_ASSERTIONS = 10000, MAX_UNPACKED = 32 << 20 };

static bool fail(const char **code, const char *which, SoraError *err, const char *what)
{
    *code = which;
    return error_set(err, SORA_ERROR_INPUT, "%s", what);
}

bool hashed_uri(const CborValue *value, HashedUri *out)
{
    const CborValue *hash = cbor_find_bytes(value, "hash");
    out->url = cbor_find_text(value, "url");
    out->alg = cbor_find_text(value, "alg");
    if (hash == NULL || out->url.size == 0)
        return false;
    out->hash = hash->bytes;
    return true;
}

/* A URL's path: what is between its first "=" and the next. The "self#jumbf" before it is not looked at. */
static Span url_path(Span url)
{
    const uint8_t *equals = url.size ? memchr(url.data, '=', url.size) : NULL;
    if (equals == NULL)
        return url;
    Span rest = {equals + 1, (size_t)(url.data + url.size - equals - 1)};
    equals = rest.size ? memchr(rest.data, '=', rest.size) : NULL;
    return equals ? (Span){rest.data, (size_t)(equals - rest.data)} : rest;
}

/* The part before the first "/", which *rest loses with the "/". *last: there was none. */
static Span next_part(Span *rest, bool *last)
{
    const uint8_t *slash = rest->size ? memchr(rest->data, '/', rest->size) : NULL;
    Span part = {rest->data, slash ? (size_t)(slash - rest->data) : rest->size};
    *last = slash == NULL;
    *rest = slash ? (Span){slash + 1, rest->size - part.size - 1} : (Span){NULL, 0};
    return part;
}

/* Past "/c2pa/", or "c2pa/" as older files have it; false for a relative path. */
static bool skip_root(Span *path)
{
    bool last;
    if (!span_starts(*path, "c2pa/"))
        next_part(path, &last);
    return span_is(next_part(path, &last), "c2pa") && !last;
}

Span url_manifest(Span url)
{
    bool last;
    Span path = url_path(url);
    return skip_root(&path) ? next_part(&path, &last) : (Span){NULL, 0};
}

Span url_assertion(Span url)
{
    Span path = url_path(url);
    const uint8_t *slash = path.size ? memrchr(path.data, '/', path.size) : NULL;
    return slash ? (Span){slash + 1, (size_t)(path.data + path.size - slash - 1)} : (Span){NULL, 0};
}

Span url_assertion_in_store(Span url)
{
    bool last;
    Span path = url_path(url), rest = path;
    if (skip_root(&rest)) {
        next_part(&rest, &last);
        path = rest;
    }
    return span_is(next_part(&path, &last), "c2pa.assertions") && !last ? next_part(&path, &last)
                                                                        : (Span){NULL, 0};
}

Assertion *manifest_assertion(const C2paManifest *m, Span url)
{
    Span label = url_assertion(url), manifest = url_manifest(url);
    if (label.size == 0 || (manifest.size > 0 && !span_is(manifest, m->label)))
        return NULL;
    for (int i = 0; i < m->assertion_count; i++)
        if (span_is(label, m->assertions[i].label))
            return &m->assertions[i];
    return NULL;
}

bool assertion_is(const Assertion *a, const char *base)
{
    size_t n = strlen(base);
    if (strncmp(a->label, base, n) != 0)
        return false;
    const char *rest = a->label + n;
    return *rest == 0 || strncmp(rest, ".v", 2) == 0 || strncmp(rest, "__", 2) == 0;
}

bool assertion_is_binding(const Assertion *a)
{
    return assertion_is(a, "c2pa.hash.data") || assertion_is(a, "c2pa.hash.bmff") ||
           assertion_is(a, "c2pa.hash.boxes") || assertion_is(a, "c2pa.hash.collection.data");
}

static bool is_text_or_none(const CborValue *v)
{
    return v == NULL || v->kind == CBOR_NULL || v->bytes.size == 0 || cbor_text(v).size > 0;
}

static bool is_status_list(const CborValue *list)
{
    for (size_t i = 0; list != NULL && list->kind == CBOR_ARRAY && i < list->count; i++)
        if (cbor_find_bytes(&list->items[i], "code") == NULL ||
            !is_text_or_none(cbor_find(&list->items[i], "url")) ||
            !is_text_or_none(cbor_find(&list->items[i], "explanation")))
            return false;
    return list != NULL && list->kind == CBOR_ARRAY;
}

static bool is_status_map(const CborValue *map)
{
    return is_status_list(cbor_find(map, "success")) && is_status_list(cbor_find(map, "informational")) &&
           is_status_list(cbor_find(map, "failure"));
}

/* The record of an ingredient's validation. NULL when there is none, or when a part of it cannot be read. */
static const CborValue *find_results(const CborValue *v, bool third)
{
    const CborValue *results = cbor_find(v, third ? "validationResults" : "validationStatus");
    if (!third)
        return is_status_list(results) ? results : NULL;
    const CborValue *active = cbor_find(results, "activeManifest");
    const CborValue *deltas = cbor_find(results, "ingredientDeltas");
    bool ok = results != NULL && results->kind == CBOR_MAP && (active == NULL || is_status_map(active));
    for (size_t i = 0; ok && deltas != NULL && deltas->kind == CBOR_ARRAY && i < deltas->count; i++)
        ok = cbor_find_bytes(&deltas->items[i], "ingredientAssertionURI") != NULL &&
             is_status_map(cbor_find(&deltas->items[i], "validationDeltas"));
    return ok ? results : NULL;
}

bool ingredient_view(const Assertion *a, IngredientView *out)
{
    *out = (IngredientView){0};
    const CborValue *v = a->value;
    if (v == NULL || v->kind != CBOR_MAP)
        return false;
    out->title = cbor_find_text(v, "dc:title");
    out->relationship = cbor_find_text(v, "relationship");
    bool third = assertion_is(a, "c2pa.ingredient.v3");
    const CborValue *manifest = cbor_find(v, third ? "activeManifest" : "c2pa_manifest");
    out->has_manifest = manifest != NULL && hashed_uri(manifest, &out->manifest);
    out->results = find_results(v, third);
    return span_is(out->relationship, "parentOf") || span_is(out->relationship, "inputTo") ||
           span_is(out->relationship, "componentOf");
}

static bool load_references(Store *s, C2paManifest *m, const char **code, SoraError *err)
{
    static const char *const lists[] = {"assertions", "created_assertions", "gathered_assertions"};
    size_t room = 0;
    for (size_t i = 0; i < 3; i++) {
        const CborValue *list = cbor_find_kind(m->claim, lists[i], CBOR_ARRAY);
        room += list ? list->count : 0;
    }
    m->references = arena_calloc(&s->arena, (room ? room : 1) * sizeof *m->references);
    if (m->references == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "claim: out of memory");
    for (size_t i = 0; i < 3; i++) {
        const CborValue *list = cbor_find_kind(m->claim, lists[i], CBOR_ARRAY);
        for (size_t k = 0; list != NULL && k < list->count; k++)
            if (!hashed_uri(&list->items[k], &m->references[m->reference_count++]))
                return fail(code, "claim.malformed", err, "claim: an assertion's reference is none");
    }
    return room > 0 || fail(code, "claim.malformed", err, "claim: no assertions");
}

static bool load_claim(Store *s, C2paManifest *m, const JumbfBox *box, const char **code, SoraError *err)
{
    const JumbfBox *content = jumbf_content(box, "cbor");
    if (content == NULL || box->count != 1)
        return fail(code, "claim.malformed", err, "claim: no CBOR in its box");
    static const char known[] = "c2pa.claim.v";
    if (strncmp(box->label, known, sizeof known - 1) == 0 && atoi(box->label + sizeof known - 1) > 2)
        return fail(code, "claim.malformed", err, "claim: a version that is not known");
    m->claim_bytes = content->payload;
    *code = "claim.cbor.invalid";
    m->claim = cbor_parse(&s->arena, m->claim_bytes, err);
    if (m->claim == NULL)
        return error_wrap(err, "claim");
    m->claim = cbor_named(&s->arena, m->claim);
    if (m->claim == NULL)
        return fail(code, "claim.malformed", err, "claim: no map");
    m->version = cbor_find(m->claim, "created_assertions") != NULL ? 2 : 1;
    if (cbor_find_text(m->claim, "signature").size == 0)
        return fail(code, "claim.malformed", err, "claim: no reference to a signature");
    const CborValue *generator = cbor_find_kind(m->claim, "claim_generator_info", CBOR_MAP);
    if (m->version == 2 && cbor_find_bytes(generator, "name") == NULL)
        return fail(code, "claim.malformed", err, "claim: no claim_generator_info");
    m->alg = cbor_find_text(m->claim, "alg");
    if (m->alg.size == 0)
        return fail(code, "algorithm.unsupported", err, "claim: no hash algorithm");
    return load_references(s, m, code, err);
}

static bool load_assertions(Store *s, C2paManifest *m, const JumbfBox *box, const char **code, SoraError *err)
{
    if (box->count > MAX_ASSERTIONS)
        return fail(code, "general.error", err, "more than 10,000 assertions");
    m->assertions = arena_calloc(&s->arena, (size_t)(box->count + 1) * sizeof *m->assertions);
    if (m->assertions == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "assertions: out of memory");
    for (int i = 0; i < box->count; i++) {
        const JumbfBox *b = &box->children[i];
        if (b->label == NULL)
            return fail(code, "general.error", err, "an assertion that is no superbox");
        const JumbfBox *content = jumbf_content(b, "cbor");
        SoraError ignored; /* who needs the assertion says that it is malformed */
        const CborValue *value = content ? cbor_parse(&s->arena, content->payload, &ignored) : NULL;
        Assertion *a = &m->assertions[m->assertion_count++];
        *a = (Assertion){b->label, b, value, false};
        if (value != NULL && assertion_is(a, "c2pa.ingredient"))
            a->value = cbor_named(&s->arena, value);
    }
    return true;
}

static bool load_manifest(Store *s, C2paManifest *m, const JumbfBox *box, const char **code, SoraError *err)
{
    const JumbfBox *claim = NULL, *assertions = NULL, *content = NULL;
    m->label = box->label;
    m->box = box;
    m->update = jumbf_is(box, "c2um");
    for (int i = 0; i < box->count; i++) {
        const JumbfBox *b = &box->children[i];
        if (jumbf_is(b, "c2cl") && claim != NULL)
            return fail(code, "claim.multiple", err, "more than one claim in a manifest");
        claim = jumbf_is(b, "c2cl") ? b : claim;
        assertions = jumbf_is(b, "c2as") ? b : assertions;
        m->signature_box = jumbf_is(b, "c2cs") ? b : m->signature_box;
    }
    if (claim == NULL)
        return fail(code, "claim.missing", err, "a manifest without a claim");
    if (m->signature_box != NULL)
        content = jumbf_content(m->signature_box, "cbor");
    if (content == NULL)
        return fail(code, "claimSignature.missing", err, "a manifest without a signature");
    m->signature = content->payload;
    if (assertions == NULL)
        return fail(code, "claim.malformed", err, "a manifest without assertions");
    return load_claim(s, m, claim, code, err) && load_assertions(s, m, assertions, code, err);
}

/* A manifest that is compressed with Brotli in a box of its own, unpacked; others as they are. room: bytes
 * that all of them together may still take. NULL: it cannot be unpacked. */
static const JumbfBox *unpack(Store *s, const JumbfBox *box, size_t *room, SoraError *err)
{
    const JumbfBox *packed =
        box->count > 0 && strcmp(box->children[0].type, "brob") == 0 ? box->children : NULL;
    if (packed == NULL)
        return box;
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    const uint8_t *in = packed->payload.data;
    size_t left = packed->payload.size;
    Bytes bytes = {0};
    while (state != NULL && result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && bytes.size <= *room) {
        size_t none = 0, size = 0;
        result = BrotliDecoderDecompressStream(state, &left, &in, &none, NULL, NULL);
        const uint8_t *out = BrotliDecoderTakeOutput(state, &size);
        bytes_put(&bytes, out, size);
    }
    bool ok = result == BROTLI_DECODER_RESULT_SUCCESS && bytes.size <= *room && !bytes.failed;
    BrotliDecoderDestroyInstance(state);
    uint8_t *copy = ok ? arena_alloc(&s->arena, bytes.size ? bytes.size : 1) : NULL;
    if (copy != NULL) {
        if (bytes.size > 0) /* a stream may be of nothing */
            memcpy(copy, bytes.data, bytes.size);
        *room -= bytes.size;
        box = jumbf_parse(&s->arena, (Span){copy, bytes.size}, err);
    } else {
        error_set(err, ok ? SORA_ERROR_MEMORY : SORA_ERROR_INPUT,
                  ok ? "out of memory" : "damaged, or of more than 32 MiB");
        box = NULL;
    }
    bytes_deinit(&bytes);
    return box;
}

bool store_load(Store *s, Span source, const char **code, SoraError *err)
{
    *s = (Store){0};
    arena_init(&s->arena, 64 << 10);
    *code = "general.error";
    const JumbfBox *root = jumbf_parse(&s->arena, source, err);
    if (root == NULL)
        return false;
    if (!jumbf_is(root, "c2pa"))
        return fail(code, "claim.missing", err, "no manifest store in the file's box");
    if (root->count > MAX_MANIFESTS)
        return fail(code, "general.error", err, "more than 1,024 manifests");
    s->manifests = arena_calloc(&s->arena, (size_t)(root->count + 1) * sizeof *s->manifests);
    if (s->manifests == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "manifests: out of memory");
    size_t room = MAX_UNPACKED;
    for (int i = 0; i < root->count; i++) {
        const JumbfBox *box = unpack(s, &root->children[i], &room, err);
        if (box == NULL)
            return error_wrap(err, "a compressed manifest");
        if (!jumbf_is(box, "c2ma") && !jumbf_is(box, "c2um") && !jumbf_is(box, "c2md"))
            continue;
        if (!load_manifest(s, &s->manifests[s->count++], box, code, err))
            return false;
    }
    return s->count > 0 || fail(code, "claim.missing", err, "the manifest store is empty");
}

void store_deinit(Store *s)
{
    arena_deinit(&s->arena);
    *s = (Store){0};
}

const C2paManifest *store_find(const Store *s, Span label)
{
    for (int i = 0; i < s->count; i++)
        if (span_is(label, s->manifests[i].label))
            return &s->manifests[i];
    return NULL;
}
