/* What a manifest's assertions say: actions and the binding to the media. */
#include "credentials/verify_content.h"

#include <stdlib.h>
#include <string.h>
#include "credentials/boxes.h"
#include "credentials/merkle.h"

enum { MAX_RANGES = 1 << 16 };

/* Is one of the action's ingredients there, with this relationship? */
static bool refers_to(const C2paManifest *m, const CborValue *parameters, const char *relationship)
{
    const CborValue *one = cbor_find(parameters, "ingredient");
    const CborValue *list = cbor_find_kind(parameters, "ingredients", CBOR_ARRAY);
    size_t count = one ? 1 : list ? list->count : 0;
    for (size_t i = 0; i < count; i++) {
        HashedUri uri;
        IngredientView view;
        if (!hashed_uri(one ? one : &list->items[i], &uri))
            continue;
        Span label = url_assertion_in_store(uri.url);
        for (int k = 0; label.size > 0 && k < m->assertion_count; k++)
            if (span_is(label, m->assertions[k].label) &&
                assertion_is(&m->assertions[k], "c2pa.ingredient") &&
                ingredient_view(&m->assertions[k], &view) && span_is(view.relationship, relationship))
                return true;
    }
    return false;
}

static bool is_text_given(const CborValue *map, const char *key)
{
    return cbor_find_text(map, key).size > 0;
}

/* One action. first: of the first actions assertion. */
static const char *judge_action(const C2paManifest *m, const CborValue *action, bool first, const char **code)
{
    Span name_text = cbor_find_text(action, "action");
    const CborValue *name = cbor_find(action, "action"),
                    *parameters = cbor_find_kind(action, "parameters", CBOR_MAP);
    *code = "assertion.action.malformed";
    if (name_text.size == 0)
        return "an action without a name";
    bool created = cbor_is_text(name, "c2pa.created"), opened = cbor_is_text(name, "c2pa.opened");
    bool placed = cbor_is_text(name, "c2pa.placed") || cbor_is_text(name, "c2pa.removed");
    if ((created || opened) && !first)
        return "created or opened is not the first action";
    if (created && !is_text_given(action, "digitalSourceType"))
        return "created without a digitalSourceType";
    if (cbor_is_text(name, "c2pa.translated") &&
        (!is_text_given(parameters, "sourceLanguage") || !is_text_given(parameters, "targetLanguage")))
        return "translated without languages";
    *code = "assertion.action.ingredientMismatch";
    if ((opened && !refers_to(m, parameters, "parentOf")) ||
        (placed && !refers_to(m, parameters, "componentOf")))
        return "an action without the ingredient that it is about";
    bool packed = cbor_is_text(name, "c2pa.transcoded") || cbor_is_text(name, "c2pa.repackaged");
    if (packed && (cbor_find(parameters, "ingredient") || cbor_find(parameters, "ingredients")) &&
        !refers_to(m, parameters, "parentOf"))
        return "an action on an ingredient that is not there";
    return NULL;
}

void verify_actions(Validator *v, const C2paManifest *m)
{
    char url[URL_SIZE];
    int number = 0;
    bool begun = false;
    if (m->version == 1)
        return; /* older manifests order their actions as they like */
    for (int i = 0; i < m->assertion_count; i++) {
        const Assertion *a = &m->assertions[i];
        if (!assertion_is(a, "c2pa.actions"))
            continue;
        assertion_url(m, a->label, url, sizeof url);
        const CborValue *list = cbor_find_kind(a->value, "actions", CBOR_ARRAY);
        if (list == NULL || list->count == 0) {
            validator_say(v, STATUS_FAILURE, "assertion.action.malformed", url, "no actions in it");
            number++;
            continue;
        }
        for (size_t k = 0; k < list->count; k++) {
            const char *code, *wrong = judge_action(m, &list->items[k], number == 0, &code);
            if (wrong != NULL)
                validator_say(v, STATUS_FAILURE, code, url, wrong);
        }
        const CborValue *name = cbor_find(&list->items[0], "action");
        begun = begun ||
                (number == 0 && (cbor_is_text(name, "c2pa.created") || cbor_is_text(name, "c2pa.opened")));
        number++;
    }
    if (!begun && !m->update)
        validator_say(v, STATUS_FAILURE, "assertion.action.malformed", m->label,
                      "the first action is not created or opened");
}

/* c2pa.hash.data: a list of ranges that the hash leaves out. NULL with *code when it says nonsense. */
static HashRange *read_ranges(const CborValue *v, size_t *count)
{
    const CborValue *list = cbor_find_kind(v, "exclusions", CBOR_ARRAY);
    *count = list ? list->count : 0;
    if (*count > MAX_RANGES)
        return NULL;
    HashRange *ranges = calloc(*count + 1, sizeof *ranges);
    for (size_t i = 0; ranges != NULL && i < *count; i++) {
        const CborValue *start = cbor_find_kind(&list->items[i], "start", CBOR_UINT);
        const CborValue *length = cbor_find_kind(&list->items[i], "length", CBOR_UINT);
        if (start == NULL || length == NULL) {
            free(ranges);
            return NULL;
        }
        ranges[i] = (HashRange){start->number, length->number};
    }
    return ranges;
}

/* An update made the store longer than it was when the hash was made, and moved what lies after it. */
static void widen_ranges(const Asset *a, HashRange *ranges, size_t count)
{
    uint64_t grown = 0;
    for (size_t i = 0; i < count; i++)
        if (ranges[i].start == a->store_at && ranges[i].length < a->store_size) {
            grown = a->store_size - ranges[i].length;
            ranges[i].length = a->store_size;
        }
    for (size_t i = 0; i < count; i++)
        if (ranges[i].start > a->store_at && ranges[i].start <= a->size)
            ranges[i].start += grown;
}

static bool has_store_range(const Asset *a, const HashRange *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ranges[i].start == a->store_at && ranges[i].length == a->store_size)
            return true;
    return false;
}

static void verify_data(Validator *v, const C2paManifest *m, const Assertion *a, const char *url)
{
    size_t count;
    SoraError err;
    Hash hash;
    const CborValue *expected = cbor_find_bytes(a->value, "hash");
    Span alg = cbor_find_text(a->value, "alg");
    HashRange *ranges = expected ? read_ranges(a->value, &count) : NULL;
    if (ranges == NULL) {
        validator_say(v, STATUS_FAILURE, "assertion.dataHash.malformed", url, "not a hash with ranges");
        return;
    }
    if (v->updated)
        widen_ranges(v->asset, ranges, count);
    else if (v->asset->kind != ASSET_MP4 && count > 0 && !has_store_range(v->asset, ranges, count))
        validator_say(v, STATUS_FAILURE, "assertion.dataHash.mismatch", url,
                      "what the hash leaves out is not where the manifest is");
    if (count > 1)
        validator_say(v, STATUS_INFORMATIONAL, "assertion.dataHash.additionalExclusionsPresent", url,
                      "parts of the file are not covered by the hash");
    if (!hash_data(v->asset, alg.size ? alg : m->alg, ranges, count, &hash, &err))
        validator_say(v, STATUS_FAILURE, "assertion.dataHash.mismatch", url, err.message);
    else if (!hash_equal(&hash, expected->bytes))
        validator_say(v, STATUS_FAILURE, "assertion.dataHash.mismatch", url,
                      "the file is not as it was signed");
    else
        validator_say(v, STATUS_SUCCESS, "assertion.dataHash.match", url, "the file is as it was signed");
    free(ranges);
}

/* Subsets of a box that a hash leaves out, in order and apart. */
static bool has_good_subsets(const CborValue *exclusions)
{
    for (size_t i = 0; i < exclusions->count; i++) {
        const CborValue *list = cbor_find_kind(&exclusions->items[i], "subset", CBOR_ARRAY);
        uint64_t end = 0;
        for (size_t k = 0; list != NULL && k < list->count; k++) {
            const CborValue *offset = cbor_find_kind(&list->items[k], "offset", CBOR_UINT);
            const CborValue *length = cbor_find_kind(&list->items[k], "length", CBOR_UINT);
            if (offset == NULL || length == NULL || offset->number < end ||
                length->number > UINT64_MAX - offset->number)
                return false;
            end = offset->number + length->number;
        }
    }
    return true;
}

/* Checks the hash of the file and the trees over its media. NULL when all are right, else what is wrong. */
static const char *check_bmff(Validator *v, const CborValue *value, const BmffPlan *plan, SoraError *err)
{
    Hash hash;
    const CborValue *expected = cbor_find_bytes(value, "hash"), *merkle = cbor_find(value, "merkle");
    if (v->asset->kind != ASSET_MP4)
        return "a hash of MP4 in another kind of file";
    if (expected != NULL && !hash_bmff(v->asset, plan, &hash, err))
        return err->message;
    if (expected != NULL && !hash_equal(&hash, expected->bytes))
        return "the file is not as it was signed";
    return merkle != NULL && merkle->kind != CBOR_NULL ? merkle_check(v->asset, value, plan, err) : NULL;
}

static void verify_bmff(Validator *v, const C2paManifest *m, const Assertion *a, const char *url)
{
    SoraError err;
    const char *dot = strstr(a->label, "bmff.v");
    int version = dot ? dot[6] - '0' : 1;
    Span alg = cbor_find_text(a->value, "alg");
    const CborValue *exclusions = cbor_find_kind(a->value, "exclusions", CBOR_ARRAY);
    if (exclusions == NULL || exclusions->count == 0 || !has_good_subsets(exclusions) ||
        (cbor_find_bytes(a->value, "hash") == NULL && cbor_find(a->value, "merkle") == NULL)) {
        validator_say(v, STATUS_FAILURE, "assertion.bmffHash.malformed", url, "not a hash with exclusions");
        return;
    }
    if (hash_has_more_exclusions(exclusions))
        validator_say(v, STATUS_INFORMATIONAL, "assertion.bmffHash.additionalExclusionsPresent", url,
                      "parts of the file are not covered by the hash");
    BmffPlan plan = {alg.size ? alg : m->alg, exclusions, version, 0, v->asset->size};
    const char *wrong = check_bmff(v, a->value, &plan, &err);
    if (wrong != NULL)
        validator_say(v, STATUS_FAILURE, "assertion.bmffHash.mismatch", url, wrong);
    else
        validator_say(v, STATUS_SUCCESS, "assertion.bmffHash.match", url, "the file is as it was signed");
}

static void verify_boxes(Validator *v, const C2paManifest *m, const Assertion *a, const char *url)
{
    SoraError err;
    bool left_out;
    const char *wrong = boxes_check(v->asset, a->value, m->alg, &left_out, &err);
    if (left_out)
        validator_say(v, STATUS_INFORMATIONAL, "assertion.boxesHash.additionalExclusionsPresent", url,
                      "parts of the file are not covered by the hash");
    if (wrong != NULL)
        validator_say(v, STATUS_FAILURE, "assertion.boxesHash.mismatch", url, wrong);
    else
        validator_say(v, STATUS_SUCCESS, "assertion.boxesHash.match", url, "the file is as it was signed");
}

void verify_binding(Validator *v, const C2paManifest *m)
{
    char url[URL_SIZE];
    int count = 0;
    for (int i = 0; i < m->assertion_count; i++)
        count += assertion_is_binding(&m->assertions[i]);
    if (count > 1) {
        manifest_url(m, "", url, sizeof url);
        validator_say(v, STATUS_FAILURE, "assertion.multipleHardBindings", url,
                      "more than one hash of the media");
    }
    for (int i = 0; i < m->assertion_count; i++) {
        const Assertion *a = &m->assertions[i];
        if (!assertion_is_binding(a))
            continue;
        assertion_url(m, a->label, url, sizeof url);
        if (assertion_is(a, "c2pa.hash.data"))
            verify_data(v, m, a, url);
        else if (assertion_is(a, "c2pa.hash.bmff"))
            verify_bmff(v, m, a, url);
        else if (assertion_is(a, "c2pa.hash.boxes"))
            verify_boxes(v, m, a, url);
        else
            validator_say(v, STATUS_FAILURE, "assertion.collectionHash.malformed", url,
                          "a kind of hash that this program does not read");
    }
}

/* Codes of a list in a validation record. */
static bool list_has(const CborValue *list, const Span *manifest, const Status *status)
{
    for (size_t i = 0; list != NULL && list->kind == CBOR_ARRAY && i < list->count; i++) {
        Span url = cbor_find_text(&list->items[i], "url");
        if (!cbor_is_text(cbor_find(&list->items[i], "code"), status->code))
            continue;
        if (span_is(url, status->url))
            return true;
        /* older records have URLs relative to the ingredient's manifest */
        Span said = {(const uint8_t *)status->url, strlen(status->url)};
        static const char begin[] = "self#jumbf=";
        size_t n = sizeof begin - 1;
        if (url_manifest(url).size == 0 && span_starts(url, begin) &&
            span_equal(url_manifest(said), *manifest) && said.size >= url.size - n &&
            memcmp(said.data + said.size - (url.size - n), url.data + n, url.size - n) == 0)
            return true;
    }
    return false;
}

bool results_have(const IngredientView *view, const Status *status)
{
    static const char *const names[] = {"success", "informational", "failure"};
    Span manifest = url_manifest(view->manifest.url);
    const CborValue *active = cbor_find(view->results, "activeManifest");
    if (view->results->kind == CBOR_ARRAY)
        return list_has(view->results, &manifest, status);
    if (list_has(cbor_find(active, names[status->kind]), &manifest, status))
        return true;
    const CborValue *deltas = cbor_find_kind(view->results, "ingredientDeltas", CBOR_ARRAY);
    for (size_t i = 0; deltas != NULL && i < deltas->count; i++)
        if (list_has(cbor_find(cbor_find(&deltas->items[i], "validationDeltas"), names[status->kind]),
                     &manifest, status))
            return true;
    return false;
}
