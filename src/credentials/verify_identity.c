#include "credentials/verify_identity.h"

#include <string.h>
#include <time.h>
#include "credentials/sign1.h"

enum { MAX_REFERENCES = 1000 };

static bool is_zero(Span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] != 0)
            return false;
    return true;
}

/* The same place: as it is written, or once "/c2pa/LABEL/" is taken out of the first. */
static bool is_same_url(Span full, Span url)
{
    static const char root[] = "/c2pa/";
    size_t n = sizeof root - 1;
    if (span_equal(full, url))
        return true;
    const uint8_t *at = memmem(full.data, full.size, root, n);
    const uint8_t *slash = at ? memchr(at + n, '/', (size_t)(full.data + full.size - at) - n) : NULL;
    if (slash == NULL)
        return false;
    size_t before = (size_t)(at - full.data), after = (size_t)(full.data + full.size - slash - 1);
    return url.size == before + after && memcmp(url.data, full.data, before) == 0 &&
           memcmp(url.data + before, slash + 1, after) == 0;
}

static const HashedUri *find_reference(const C2paManifest *m, Span url)
{
    for (int i = 0; i < m->reference_count; i++)
        if (is_same_url(m->references[i].url, url))
            return &m->references[i];
    return NULL;
}

/* The assertions that the identity vouches for: of this claim, unchanged, one of them the media's hash. */
static void check_references(Validator *v, const C2paManifest *m, const CborValue *list, const char *url)
{
    bool bound = false;
    for (size_t i = 0; i < list->count; i++) {
        HashedUri uri, earlier;
        hashed_uri(&list->items[i], &uri);
        const HashedUri *own = find_reference(m, uri.url);
        bool same = own != NULL && span_equal(own->hash, uri.hash);
        if (!same)
            validator_say(v, STATUS_FAILURE, "cawg.identity.assertion.mismatch", url,
                          "the identity is about an assertion that is not the claim's");
        bound = bound || span_starts(url_assertion(uri.url), "c2pa.hash.");
        for (size_t k = 0; k < i; k++)
            if (hashed_uri(&list->items[k], &earlier) && span_equal(earlier.url, uri.url))
                validator_say(v, STATUS_FAILURE, "cawg.identity.assertion.duplicate", url,
                              "the identity names an assertion twice");
    }
    if (!bound)
        validator_say(v, STATUS_FAILURE, "cawg.identity.hard_binding_missing", url,
                      "the identity is not tied to the media");
}

static void check_signature(Validator *v, const CborValue *payload, Span signature, const char *url)
{
    static const char cose[] = "Cose_Sign1"; /* the reference has no place for what is wrong in there */
    Arena arena;
    Sign1 s;
    bool expired;
    arena_init(&arena, 16 << 10);
    bool parsed = sign1_parse(&s, &arena, signature);
    const char *wrong = NULL;
    if (parsed && s.chain != NULL && cose_alg_name(s.alg) != NULL && !sign1_is_der(&s)) {
        wrong = certificate_check(sk_X509_value(s.chain, 0), CERTIFICATE_SIGNING, time(NULL), &expired);
        if (wrong != NULL)
            validator_say(v, STATUS_FAILURE,
                          expired ? "cawg.x509.signature.outside_validity" : "cawg.x509.credential.invalid",
                          url, wrong);
        validator_say(v, STATUS_FAILURE, "cawg.x509.credential.untrusted", url,
                      "who the identity is of is not known here");
        if (sign1_check(&s, payload->encoded)) {
            validator_say(v, STATUS_SUCCESS, "cawg.x509.signature.validated", url,
                          "the identity is as it was signed");
            validator_say(v, STATUS_SUCCESS, "cawg.identity.well-formed", url,
                          "an identity with a right signature");
        } else {
            validator_say(v, STATUS_FAILURE, "cawg.x509.signature.mismatch", url,
                          "the identity is not what was signed");
        }
    } else if (parsed && s.chain != NULL && cose_alg_name(s.alg) == NULL) {
        validator_say(v, STATUS_FAILURE, "cawg.x509.algorithm.unsupported", cose,
                      "an algorithm that C2PA has not");
    } else if (parsed && s.chain != NULL) {
        validator_say(v, STATUS_FAILURE, "cawg.x509.credential.invalid", cose,
                      "a signature in a form that COSE has not");
    } else {
        validator_say(v, STATUS_FAILURE, "cawg.x509.signature.mismatch", cose,
                      "the signature cannot be read");
    }
    sign1_deinit(&s);
    arena_deinit(&arena);
}

bool identity_is(const Assertion *a)
{
    static const char label[] = "cawg.identity";
    size_t n = sizeof label - 1;
    return strncmp(a->label, label, n) == 0 && (a->label[n] == 0 || strncmp(a->label + n, "__", 2) == 0);
}

static bool is_text(const CborValue *v)
{
    return v != NULL && v->kind == CBOR_TEXT;
}

bool identity_is_readable(const Assertion *a)
{
    const CborValue *payload = cbor_find_kind(a->value, "signer_payload", CBOR_MAP),
                    *roles = cbor_find(payload, "role");
    const CborValue *list = cbor_find_kind(payload, "referenced_assertions", CBOR_ARRAY);
    bool ok = a->value != NULL && cbor_is_sayable(a->value) && list != NULL &&
              list->count <= MAX_REFERENCES && is_text(cbor_find(payload, "sig_type")) &&
              cbor_find_bytes(a->value, "signature") != NULL && cbor_find_bytes(a->value, "pad1") != NULL &&
              (roles == NULL || roles->kind == CBOR_ARRAY);
    for (size_t i = 0; ok && i < list->count; i++) {
        const CborValue *alg = cbor_find(&list->items[i], "alg");
        ok = is_text(cbor_find(&list->items[i], "url")) && cbor_find_bytes(&list->items[i], "hash") != NULL &&
             (alg == NULL || is_text(alg) || alg->kind == CBOR_NULL);
    }
    for (size_t i = 0; ok && roles != NULL && i < roles->count; i++)
        ok = is_text(&roles->items[i]);
    return ok;
}

static void verify_identity(Validator *v, const C2paManifest *m, const Assertion *a)
{
    char url[URL_SIZE];
    assertion_url(m, a->label, url, sizeof url);
    const CborValue *payload = cbor_find(a->value, "signer_payload");
    const CborValue *pad = cbor_find_bytes(a->value, "pad1"), *second = cbor_find_bytes(a->value, "pad2");
    if (!is_zero(pad->bytes) || (second != NULL && !is_zero(second->bytes)))
        validator_say(v, STATUS_FAILURE, "cawg.identity.pad.invalid", url,
                      "something lies in the identity's padding");
    check_references(v, m, cbor_find(payload, "referenced_assertions"), url);
    if (cbor_is_text(cbor_find(payload, "sig_type"), "cawg.x509.cose"))
        check_signature(v, payload, cbor_find(a->value, "signature")->bytes, url);
    else
        validator_say(v, STATUS_FAILURE, "cawg.identity.sig_type.unknown", url,
                      "an identity of a kind that this program does not check");
}

void verify_identities(Validator *v, const C2paManifest *m)
{
    for (int i = 0; i < m->reference_count; i++) {
        const Assertion *a = manifest_assertion(m, m->references[i].url);
        if (a == NULL || !identity_is(a))
            continue;
        if (!identity_is_readable(a)) /* which was said when it was to be shown */
            return;
        verify_identity(v, m, a);
    }
}
