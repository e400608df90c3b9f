#include "credentials/verify.h"

#include <string.h>
#include "base/shortage.h"
#include "credentials/describe.h"
#include "credentials/verify_content.h"
#include "credentials/verify_identity.h"
#include "credentials/verify_signature.h"

enum { MAX_DEPTH = 32 };

/* The first manifest on the way from m through its parents that has a hard binding: m itself, unless it is an
 * update. */
static const C2paManifest *find_bound(const Store *s, const C2paManifest *m)
{
    for (int depth = 0; m != NULL && m->update && depth < MAX_DEPTH; depth++) {
        const C2paManifest *parent = NULL;
        for (int i = 0; i < m->assertion_count; i++) {
            IngredientView view;
            if (assertion_is(&m->assertions[i], "c2pa.ingredient") &&
                ingredient_view(&m->assertions[i], &view) && view.has_manifest &&
                span_is(view.relationship, "parentOf"))
                parent = store_find(s, url_manifest(view.manifest.url));
        }
        m = parent;
    }
    for (int i = 0; m != NULL && i < m->assertion_count; i++)
        if (assertion_is_binding(&m->assertions[i]))
            return m;
    return NULL;
}

/* Was the assertion taken out by a manifest that says so? */
static bool is_redacted(const Store *s, const C2paManifest *m, const char *label)
{
    for (int i = 0; i < s->count; i++) {
        const CborValue *list = cbor_find_kind(s->manifests[i].claim, "redacted_assertions", CBOR_ARRAY);
        for (size_t k = 0; list != NULL && k < list->count; k++)
            if (span_is(url_manifest(cbor_text(&list->items[k])), m->label) &&
                span_is(url_assertion(cbor_text(&list->items[k])), label))
                return true;
    }
    return false;
}

/* A URL as the claim has it, made absolute. */
static void absolute_url(const C2paManifest *m, Span url, char *out, size_t size)
{
    static const char begin[] = "self#jumbf=";
    const uint8_t *equals = url.size ? memchr(url.data, '=', url.size) : NULL;
    size_t skip = equals ? (size_t)(equals + 1 - url.data) : 0;
    size_t n = url.size - skip < 240 ? url.size - skip : 240;
    if (url_manifest(url).size > 0)
        snprintf(out, size, "%s%.*s", begin, (int)n, (const char *)url.data + skip);
    else
        snprintf(out, size, "%s/c2pa/%.200s/%.*s", begin, m->label, (int)n, (const char *)url.data + skip);
}

static void verify_reference(Validator *v, const C2paManifest *m, const HashedUri *uri)
{
    char url[URL_SIZE];
    Hash hash;
    SoraError err;
    Span manifest = url_manifest(uri->url), name = url_assertion(uri->url);
    absolute_url(m, uri->url, url, sizeof url);
    if (manifest.size > 0 && !span_is(manifest, m->label)) {
        validator_say(v, STATUS_FAILURE, "assertion.outsideManifest", url,
                      "the claim refers to an assertion of another manifest");
        return;
    }
    Assertion *a = manifest_assertion(m, uri->url);
    if (a != NULL)
        a->referenced = true;
    if (name.size > 0 && name.size < 200 && is_redacted(v->store, m, a ? a->label : ""))
        return;
    if (a == NULL)
        validator_say(v, STATUS_FAILURE, "assertion.missing", url,
                      "the claim refers to an assertion that is not there");
    else if (!hash_span(uri->alg.size ? uri->alg : m->alg, a->box->payload, &hash, &err))
        validator_say(v, STATUS_FAILURE, "assertion.hashedURI.mismatch", url, err.message);
    else if (!hash_equal(&hash, uri->hash))
        validator_say(v, STATUS_FAILURE, "assertion.hashedURI.mismatch", url,
                      "the assertion is not the one that was signed");
    else
        validator_say(v, STATUS_SUCCESS, "assertion.hashedURI.match", url,
                      "the assertion is as it was signed");
}

static void verify_assertions(Validator *v, const C2paManifest *m)
{
    char url[URL_SIZE];
    int parents = 0;
    for (int i = 0; i < m->assertion_count; i++) {
        IngredientView view;
        m->assertions[i].referenced = false;
        if (assertion_is(&m->assertions[i], "c2pa.ingredient") && ingredient_view(&m->assertions[i], &view))
            parents += span_is(view.relationship, "parentOf");
    }
    manifest_url(m, "", url, sizeof url);
    if (m->update && parents != 1)
        validator_say(v, STATUS_FAILURE, "manifest.update.wrongParents", url,
                      "an update has one parent, which it updates");
    else if (parents > 1)
        validator_say(v, STATUS_FAILURE, "manifest.multipleParents", url, "more than one parent");
    for (int i = 0; i < m->reference_count; i++)
        verify_reference(v, m, &m->references[i]);
    for (int i = 0; i < m->assertion_count; i++) {
        if (m->assertions[i].referenced)
            continue;
        assertion_url(m, m->assertions[i].label, url, sizeof url);
        validator_say(v, STATUS_FAILURE, "assertion.undeclared", url,
                      "an assertion that the claim does not name");
    }
}

static bool is_number(Span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    return s.size > 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Who claims: one word of at most 32 letters. */
static bool is_vendor(Span s)
{
    size_t words = 0;
    for (size_t i = 0; i < s.size; i++) {
        words += !is_space(s.data[i]) && (i == 0 || is_space(s.data[i - 1]));
        if (s.data[i] >= 0x80)
            return false;
    }
    return s.size <= 32 && words == 1;
}

/* "2" or "2_1": which one of several of that name, and why there are several. */
static bool is_instance(Span s)
{
    const uint8_t *line = s.size ? memchr(s.data, '_', s.size) : NULL;
    Span first = {s.data, line ? (size_t)(line - s.data) : s.size};
    Span rest = line ? (Span){line + 1, s.size - first.size - 1} : (Span){NULL, 0};
    const uint8_t *next = rest.size ? memchr(rest.data, '_', rest.size) : NULL;
    if (next != NULL)
        rest.size = (size_t)(next - rest.data);
    return is_number(first) && (line == NULL || is_number(rest));
}

/* urn:c2pa:UUID[:VENDOR[:INSTANCE]], or the older urn:uuid:UUID and VENDOR:urn:uuid:UUID. */
static bool is_manifest_name(const char *label)
{
    Span part[5];
    size_t count = 0, n;
    for (const char *p = label;; p += n + 1, count++) {
        n = strcspn(p, ":");
        if (count < 5)
            part[count] = (Span){(const uint8_t *)p, n};
        if (p[n] == 0)
            break;
    }
    count++;
    if (count < 3)
        return false;
    if (!span_is(part[0], "urn"))
        return count == 4 && span_is(part[1], "urn") && span_is(part[2], "uuid");
    if (span_is(part[1], "uuid"))
        return true;
    return span_is(part[1], "c2pa") && count <= 5 && (count < 4 || part[3].size == 0 || is_vendor(part[3])) &&
           (count < 5 || part[4].size == 0 || is_instance(part[4]));
}

/* A claim of version 2 is in a manifest that is named as the specification says. */
static void verify_label(Validator *v, const C2paManifest *m)
{
    char url[URL_SIZE];
    manifest_url(m, "", url, sizeof url);
    if (m->version > 1 && !is_manifest_name(m->label))
        validator_say(v, STATUS_FAILURE, "claim.malformed", url,
                      "the manifest's name is not urn:c2pa: and a UUID");
}

static bool is_json(const Assertion *a)
{
    const JumbfBox *text = jumbf_content(a->box, "json");
    json_t *json = text == NULL ? NULL
                                : json_loadb((const char *)text->payload.data, text->payload.size,
                                             JSON_DECODE_ANY, NULL);
    json_decref(json);
    return json != NULL;
}

/* Whether the assertion can be printed as JSON. Kinds that are read by rules of their own can; others must be valid JSON or
 * CBOR that JSON can express. */
static bool is_shown(const Assertion *a)
{
    static const char *const others[] = {"c2pa.actions", "c2pa.ingredient", "c2pa.hash.data",
                                         "c2pa.hash.boxes", "c2pa.thumbnail"};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (strncmp(a->label, others[k], strlen(others[k])) == 0)
            return true;
    if (strcmp(a->label, "c2pa.hash.bmff") == 0)
        return true;
    if (identity_is(a))
        return identity_is_readable(a);
    if (jumbf_is(a->box, "json"))
        return is_json(a);
    return !jumbf_is(a->box, "cbor") || (a->value != NULL && cbor_is_sayable(a->value));
}

/* Assertions that are not checked otherwise must at least be printable. A manifest's label may not hold "=" or "/", which end
 * the parts of its URL: the URL would name another manifest. */
static void verify_shown(Validator *v, const C2paManifest *m)
{
    char url[URL_SIZE];
    manifest_url(m, "", url, sizeof url);
    if (m->reference_count > 0 && strpbrk(m->label, "=/") != NULL) {
        validator_say(v, STATUS_FAILURE, "claim.missing", url, "a manifest whose name no URL can have");
        return;
    }
    for (int i = 0; i < m->reference_count; i++) {
        const Assertion *a = manifest_assertion(m, m->references[i].url);
        if (a == NULL || is_shown(a))
            continue;
        validator_say(v, STATUS_FAILURE, "assertion.required.missing", url,
                      "an assertion that cannot be shown");
        return;
    }
}

static void verify_manifest(Validator *v, const C2paManifest *m)
{
    verify_label(v, m);
    verify_signature(v, m);
    verify_assertions(v, m);
    verify_actions(v, m);
}

static void verify_ingredients(Validator *v, const C2paManifest *m);

/* Files from before C2PA 1.3 name a manifest by the hash of its claim alone. */
static bool is_claim_hash(const IngredientView *view, const C2paManifest *m)
{
    Hash hash;
    SoraError ignored;
    return m->version == 1 &&
           hash_span(view->manifest.alg.size ? view->manifest.alg : m->alg, m->claim_bytes, &hash,
                     &ignored) &&
           hash_equal(&hash, view->manifest.hash);
}

/* Of the manifest that an ingredient names: its label, or what stands there instead of a URL. */
static Span manifest_name(const IngredientView *view)
{
    Span name = url_manifest(view->manifest.url);
    return name.size > 0 ? name : view->manifest.url;
}

/* The manifest that an ingredient names, by its hash and then by itself. */
static void verify_ingredient_manifest(Validator *v, const C2paManifest *m, const Assertion *a,
                                       const IngredientView *view, const char *url)
{
    Span name = manifest_name(view);
    const C2paManifest *other = store_find(v->store, name);
    char target[URL_SIZE];
    if (other != NULL)
        name = view->manifest.url;
    snprintf(target, sizeof target, "%.*s", (int)(name.size < 400 ? name.size : 400),
             name.size ? (const char *)name.data : "");
    if (view->results == NULL && assertion_is(a, "c2pa.ingredient.v3"))
        validator_say(v, STATUS_FAILURE, "assertion.ingredient.malformed", url,
                      "an ingredient with a manifest, without the results of its validation");
    if (other == NULL || other == m) {
        validator_say(v, STATUS_FAILURE, "ingredient.manifest.missing", target,
                      "the ingredient's manifest is not there");
        return;
    }
    Hash hash;
    SoraError err;
    if (!hash_span(view->manifest.alg.size ? view->manifest.alg : other->alg, other->box->payload, &hash,
                   &err))
        validator_say(v, STATUS_FAILURE, "ingredient.manifest.mismatch", target, err.message);
    else if (hash_equal(&hash, view->manifest.hash))
        validator_say(v, STATUS_SUCCESS, "ingredient.manifest.validated", target,
                      "the ingredient's manifest is the one that was signed");
    else if (!is_claim_hash(view, other))
        validator_say(v, STATUS_FAILURE, "ingredient.manifest.mismatch", target,
                      "the ingredient's manifest is not the one that was signed");
    verify_manifest(v, other);
    bool *walked = &v->walked[other - v->store->manifests];
    if (*walked) /* by another way: what was found is in the report */
        return;
    if (v->depth < MAX_DEPTH) {
        v->depth++;
        verify_ingredients(v, other);
        v->depth--;
        *walked = true;
    } else {
        validator_say(v, STATUS_FAILURE, "assertion.ingredient.malformed", url,
                      "ingredients nested too deeply");
    }
}

static void verify_ingredients(Validator *v, const C2paManifest *m)
{
    const char *outer = v->ingredient;
    char url[URL_SIZE];
    for (int i = 0; i < m->assertion_count && v->report->count < 10000; i++) {
        const Assertion *a = &m->assertions[i];
        IngredientView view;
        if (!assertion_is(a, "c2pa.ingredient"))
            continue;
        assertion_url(m, a->label, url, sizeof url);
        if (!ingredient_view(a, &view)) {
            validator_say(v, STATUS_FAILURE, "assertion.ingredient.malformed", url,
                          "an ingredient that says nothing");
            continue;
        }
        v->ingredient = url;
        if (view.has_manifest)
            verify_ingredient_manifest(v, m, a, &view, url);
        else if (!span_is(view.relationship, "inputTo"))
            validator_say(v, STATUS_INFORMATIONAL, "ingredient.unknownProvenance", url,
                          "the ingredient has no credentials");
        v->ingredient = outer;
    }
}

/* Codes that an ingredient's own record has already: known when the file was signed, they are no news. */
static bool is_recorded(const Store *s, const Status *status)
{
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < s->manifests[i].assertion_count; k++) {
            const Assertion *a = &s->manifests[i].assertions[k];
            IngredientView view;
            if (assertion_is(a, "c2pa.ingredient") && ingredient_view(a, &view) && view.results != NULL &&
                results_have(&view, status))
                return true;
        }
    return false;
}

static bool is_of(const C2paManifest *m, const char *url)
{
    return span_is(url_manifest((Span){(const uint8_t *)url, strlen(url)}), m->label);
}

static void drop_recorded(Report *r, const Store *s, const C2paManifest *active)
{
    int kept = 0;
    for (int i = 0; i < r->count; i++)
        if (is_of(active, r->list[i].url) || r->list[i].ingredient == NULL || !is_recorded(s, &r->list[i]))
            r->list[kept++] = r->list[i];
    r->count = kept;
}

/* A manifest that any of the others refers to and that is not there is a fault of the whole. */
static void find_missing(Validator *v)
{
    for (int i = 0; i < v->store->count; i++)
        for (int k = 0; k < v->store->manifests[i].assertion_count; k++) {
            const Assertion *a = &v->store->manifests[i].assertions[k];
            IngredientView view;
            char label[URL_SIZE];
            if (!assertion_is(a, "c2pa.ingredient") || !ingredient_view(a, &view) || !view.has_manifest)
                continue;
            Span name = manifest_name(&view);
            snprintf(label, sizeof label, "%.*s", (int)(name.size < 400 ? name.size : 400),
                     name.size ? (const char *)name.data : "");
            if (store_find(v->store, name) == NULL)
                validator_say(v, STATUS_FAILURE, "ingredient.manifest.missing", label,
                              "an ingredient's manifest is not there");
        }
}

/* Assertions of any manifest that are not in the notation that their boxes name. */
static void find_damaged(Validator *v)
{
    for (int i = 0; i < v->store->count; i++)
        for (int k = 0; k < v->store->manifests[i].assertion_count; k++) {
            const Assertion *a = &v->store->manifests[i].assertions[k];
            if (jumbf_is(a->box, "json") && !is_json(a))
                validator_say(v, STATUS_FAILURE, "assertion.json.invalid", a->label,
                              "an assertion that is no JSON");
            else if (jumbf_is(a->box, "cbor") && a->value == NULL)
                validator_say(v, STATUS_FAILURE, "assertion.cbor.invalid", a->label,
                              "an assertion that is no CBOR");
        }
}

/* Of a manifest and of those that it was made from, each once. */
static void verify_all_identities(Validator *v, const C2paManifest *m, bool *seen, int depth)
{
    const char *outer = v->ingredient;
    char url[URL_SIZE];
    seen[m - v->store->manifests] = true;
    verify_identities(v, m);
    for (int i = 0; i < m->assertion_count && depth < MAX_DEPTH; i++) {
        IngredientView view;
        if (!assertion_is(&m->assertions[i], "c2pa.ingredient") ||
            !ingredient_view(&m->assertions[i], &view) || !view.has_manifest)
            continue;
        const C2paManifest *other = store_find(v->store, manifest_name(&view));
        if (other == NULL || seen[other - v->store->manifests])
            continue;
        assertion_url(m, m->assertions[i].label, url, sizeof url);
        v->ingredient = url;
        verify_all_identities(v, other, seen, depth + 1);
        v->ingredient = outer;
    }
}

static void verify_store(Verification *v, const Anchors *anchors)
{
    const C2paManifest *active = &v->store.manifests[v->store.count - 1];
    size_t manifests = (size_t)v->store.count;
    bool *seen = arena_calloc(&v->store.arena, 2 * manifests * sizeof *seen);
    v->report.failed = v->report.failed || seen == NULL;
    if (seen == NULL)
        return;
    Validator validator = {.store = &v->store, .asset = &v->asset, .anchors = anchors, .report = &v->report,
                           .walked = seen + manifests, .updated = active->update};
    v->report.active = active->label;
    v->report.manifests = describe_store(&v->store);
    v->report.failed = v->report.failed || shortage_seen();
    find_damaged(&validator);
    find_missing(&validator);
    verify_manifest(&validator, active);
    verify_ingredients(&validator, active);
    const C2paManifest *bound = find_bound(&v->store, active);
    char url[URL_SIZE];
    manifest_url(active, "", url, sizeof url);
    if (bound != NULL)
        verify_binding(&validator, bound);
    else
        validator_say(&validator, STATUS_FAILURE, "claim.hardBindings.missing", url,
                      "nothing ties the manifest to the media");
    drop_recorded(&v->report, &v->store, active);
    for (int i = 0; i < v->store.count; i++)
        verify_shown(&validator, &v->store.manifests[i]);
    verify_all_identities(&validator, active, seen, 0);
}

static void verify_asset(Verification *v, bool opened, const Anchors *anchors, SoraError *err)
{
    const char *code = "general.error";
    if (!opened || v->asset.stores > 1)
        report_add(&v->report, &(Status){STATUS_FAILURE, code, "",
                                         opened ? "more than one manifest store in the file" : err->message, NULL});
    else if (!store_load(&v->store, bytes_span(&v->asset.store), &code, err))
        report_add(&v->report, &(Status){STATUS_FAILURE, code, "", err->message, NULL});
    else
        verify_store(v, anchors);
}

bool verify_file(Verification *v, const char *path, const Anchors *anchors, SoraError *err)
{
    SoraError why = {0};
    *v = (Verification){0};
    report_init(&v->report);
    shortage_begin();
    bool opened = asset_open(&v->asset, path, path, &why);
    v->has_store = v->report.present = v->asset.stores > 0;
    if (v->has_store)
        verify_asset(v, opened, anchors, &why);
    if (v->report.failed || shortage_seen())
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    if (v->asset.unread)
        return error_set(err, SORA_ERROR_IO, "%s: a part of it cannot be read", path);
    if (!opened && !v->has_store && err != NULL)
        *err = why;
    return opened || v->has_store;
}

void verification_deinit(Verification *v)
{
    report_deinit(&v->report);
    store_deinit(&v->store);
    asset_close(&v->asset);
}
