/* CAWG's identity assertions (cawg.io, 1.1 to 1.3): who stands behind a file, signed apart from the claim. Kind
 * cawg.x509.cose is checked; what it finds is about the identity and alone makes no manifest invalid. There are no
 * anchors for identities here, so every one is untrusted. */
#include <string.h>
#include <time.h>
#include "safety/sign1.h"
#include "safety/verify.h"

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

static const HashedUri *find_reference(const Manifest *m, Span url)
{
    for (int i = 0; i < m->reference_count; i++)
        if (is_same_url(m->references[i].url, url))
            return &m->references[i];
    return NULL;
}

/* The assertions that the identity vouches for: of this claim, unchanged, one of them the media's hash. */
static bool check_references(Validator *v, const Manifest *m, const CborValue *list, const char *url)
{
    bool bound = false;
    if (list == NULL || list->count > MAX_REFERENCES)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        HashedUri uri, earlier;
        if (!hashed_uri(&list->items[i], &uri))
            return false;
        const HashedUri *own = find_reference(m, uri.url);
        if (own == NULL || !span_equal(own->hash, uri.hash))
            validator_say(v, STATUS_FAILURE, "cawg.identity.assertion.mismatch", url,
                          "the identity is about an assertion that is not the claim's");
        if (own != NULL && !span_equal(own->hash, uri.hash))
            return true;
        bound = bound || span_starts(url_assertion(uri.url), "c2pa.hash.");
        for (size_t k = 0; k < i; k++)
            if (hashed_uri(&list->items[k], &earlier) && span_equal(earlier.url, uri.url))
                validator_say(v, STATUS_FAILURE, "cawg.identity.assertion.duplicate", url,
                              "the identity names an assertion twice");
    }
    if (!bound)
        validator_say(v, STATUS_FAILURE, "cawg.identity.hard_binding_missing", url,
                      "the identity is not tied to the media");
    return true;
}

static void check_signature(Validator *v, const CborValue *payload, Span signature, const char *url)
{
    Arena arena;
    Sign1 s;
    bool expired;
    arena_init(&arena, 16 << 10);
    bool ok = sign1_parse(&s, &arena, signature) && s.chain != NULL && cose_alg_name(s.alg) != NULL && !sign1_is_der(&s);
    const char *wrong = ok ? certificate_check(sk_X509_value(s.chain, 0), CERTIFICATE_SIGNING, time(NULL), &expired) : NULL;
    if (wrong != NULL)
        validator_say(v, STATUS_FAILURE,
                      expired ? "cawg.x509.signature.outside_validity" : "cawg.x509.credential.invalid", url, wrong);
    if (ok)
        validator_say(v, STATUS_FAILURE, "cawg.x509.credential.untrusted", url, "who the identity is of is not known here");
    if (ok && sign1_check(&s, payload->encoded)) {
        validator_say(v, STATUS_SUCCESS, "cawg.x509.signature.validated", url, "the identity is as it was signed");
        validator_say(v, STATUS_SUCCESS, "cawg.identity.well-formed", url, "an identity with a right signature");
    } else {
        validator_say(v, STATUS_FAILURE, "cawg.x509.signature.mismatch", url, "the identity is not what was signed");
    }
    sign1_deinit(&s);
    arena_deinit(&arena);
}

static void verify_identity(Validator *v, const Manifest *m, const Assertion *a)
{
    char url[URL_SIZE], part[URL_SIZE];
    snprintf(part, sizeof part, "c2pa.assertions/%.200s", a->label);
    manifest_url(m, part, url, sizeof url);
    const CborValue *payload = cbor_find_kind(a->value, "signer_payload", CBOR_MAP);
    const CborValue *signature = cbor_find_bytes(a->value, "signature");
    const CborValue *pad = cbor_find_bytes(a->value, "pad1"), *second = cbor_find_bytes(a->value, "pad2");
    if (payload == NULL || signature == NULL || pad == NULL) {
        validator_say(v, STATUS_FAILURE, "cawg.identity.cbor.invalid", url, "an identity that cannot be read");
        return;
    }
    if (!is_zero(pad->bytes) || (second != NULL && !is_zero(second->bytes)))
        validator_say(v, STATUS_FAILURE, "cawg.identity.pad.invalid", url, "something lies in the identity's padding");
    if (!check_references(v, m, cbor_find_kind(payload, "referenced_assertions", CBOR_ARRAY), url))
        validator_say(v, STATUS_FAILURE, "cawg.identity.cbor.invalid", url, "an identity that cannot be read");
    else if (cbor_is_text(cbor_find(payload, "sig_type"), "cawg.x509.cose"))
        check_signature(v, payload, signature->bytes, url);
    else
        validator_say(v, STATUS_INFORMATIONAL, "cawg.identity.sig_type.unknown", url,
                      "an identity of a kind that this program does not check");
}

void verify_identities(Validator *v, const Manifest *m)
{
    static const char label[] = "cawg.identity";
    for (int i = 0; i < m->reference_count; i++) {
        const Assertion *a = manifest_assertion(m, m->references[i].url);
        if (a != NULL && strncmp(a->label, label, sizeof label - 1) == 0 &&
            (a->label[sizeof label - 1] == 0 || strncmp(a->label + sizeof label - 1, "__", 2) == 0))
            verify_identity(v, m, a);
    }
}
