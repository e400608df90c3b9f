/* The claim's signature: COSE, certificates, trust and time-stamp. */
#include "credentials/verify_signature.h"

#include <string.h>
#include "credentials/revocation.h"
#include "credentials/sign1.h"
#include "credentials/timestamp.h"

/* The time-stamp in the unprotected header. True with the time when one counts. */
static bool check_time(Validator *v, const C2paManifest *m, const Sign1 *s, const char *url, time_t *when)
{
    const CborValue *v2 = cbor_find(s->unprotected, "sigTst2"), *v1 = cbor_find(s->unprotected, "sigTst");
    if (v2 == NULL && v1 == NULL)
        return false;
    const CborValue *tokens = cbor_find_kind(v2 ? v2 : v1, "tstTokens", CBOR_ARRAY);
    const CborValue *value =
        tokens != NULL && tokens->count == 1 ? cbor_find_kind(&tokens->items[0], "val", CBOR_BYTES) : NULL;
    if (value == NULL) {
        validator_say(v, STATUS_INFORMATIONAL, "timeStamp.malformed", url, "not one time-stamp");
        return false;
    }
    Bytes payload = {0}, data = {0};
    if (v2 != NULL)
        cbor_put_bytes(&payload, s->signature.data, s->signature.size);
    else
        bytes_put(&payload, m->claim_bytes.data, m->claim_bytes.size);
    cose_put_signed("CounterSignature", s->header, bytes_span(&payload), &data);
    Timestamp t =
        timestamp_check(value->bytes, v2 == NULL, bytes_span(&data), m->version == 1 ? NULL : v->anchors);
    v->report->failed = v->report->failed || data.failed;
    bytes_deinit(&payload);
    bytes_deinit(&data);
    *when = t.when;
    switch (t.state) {
    case TIMESTAMP_TRUSTED:
    case TIMESTAMP_UNTRUSTED:
        validator_say(v, STATUS_SUCCESS, "timeStamp.validated", url, "the time-stamp is of this signature");
        if (t.state == TIMESTAMP_TRUSTED)
            validator_say(v, STATUS_SUCCESS, "timeStamp.trusted", url, "the time-stamp's service is trusted");
        else
            validator_say(v, STATUS_INFORMATIONAL, "timeStamp.untrusted", url,
                          "the time-stamp's service is not known");
        return t.state == TIMESTAMP_TRUSTED;
    case TIMESTAMP_FORGED:
        validator_say(v, STATUS_INFORMATIONAL, "timeStamp.untrusted", url,
                      "the time-stamp's signature is wrong");
        return false;
    case TIMESTAMP_MISMATCH:
        validator_say(v, STATUS_INFORMATIONAL, "timeStamp.mismatch", url,
                      "the time-stamp is of something else");
        return false;
    case TIMESTAMP_OUTSIDE_VALIDITY:
        validator_say(v, STATUS_INFORMATIONAL, "timeStamp.outsideValidity", url,
                      "the time-stamp's certificate was not valid then");
        return false;
    case TIMESTAMP_MALFORMED:
        break;
    }
    validator_say(v, STATUS_INFORMATIONAL, "timeStamp.malformed", url, "the time-stamp cannot be read");
    return false;
}

/* "self#jumbf=/c2pa/LABEL/c2pa.signature", or relative. */
static bool points_here(const C2paManifest *m)
{
    static const char name[] = "c2pa.signature";
    Span url = cbor_find_text(m->claim, "signature"), manifest = url_manifest(url);
    size_t n = sizeof name - 1;
    return url.size >= n && memcmp(url.data + url.size - n, name, n) == 0 &&
           (manifest.size == 0 || span_is(manifest, m->label));
}

/* The first answer that is stapled to the signature: {"ocspVals": [bytes, ...]}. */
static const CborValue *stapled_answer(const Sign1 *s)
{
    const CborValue *map = cbor_find(s->unprotected, "rVals"), *list = NULL;
    for (size_t i = 0; map != NULL && map->kind == CBOR_MAP && i < map->count; i++)
        if (map->items[2 * i].kind == CBOR_TEXT && span_is(map->items[2 * i].bytes, "ocspVals"))
            list = &map->items[2 * i + 1];
    return list != NULL && list->kind == CBOR_ARRAY && list->count > 0 && list->items[0].kind == CBOR_BYTES
               ? &list->items[0]
               : NULL;
}

/* What the answers in a manifest's assertions say about the signer of m. Each must be about the certificate
 * that signed the manifest that it lies in. *any: there was one about m's. */
static Revocation ask_assertions(const Validator *v, const C2paManifest *n, const Sign1 *s, const time_t *when,
                                 bool *any)
{
    Arena arena;
    Sign1 other;
    Revocation found = REVOCATION_SILENT;
    arena_init(&arena, 16 << 10);
    bool ok = sign1_parse(&other, &arena, n->signature) && other.chain != NULL &&
              ASN1_INTEGER_cmp(X509_get0_serialNumber(sk_X509_value(other.chain, 0)),
                               X509_get0_serialNumber(sk_X509_value(s->chain, 0))) == 0;
    for (int i = 0; ok && i < n->assertion_count; i++) {
        const Assertion *a = &n->assertions[i];
        const CborValue *list = assertion_is(a, "c2pa.certificate-status")
                                    ? cbor_find_kind(a->value, "ocspVals", CBOR_ARRAY)
                                    : NULL;
        for (size_t k = 0; list != NULL && k < list->count && k < 64 && found == REVOCATION_SILENT; k++) {
            Span der = list->items[k].kind == CBOR_BYTES ? list->items[k].bytes : (Span){NULL, 0};
            if (!revocation_is_about(der, other.chain))
                continue;
            *any = true;
            found = revocation_check(der, s->chain, when, v->anchors);
        }
    }
    sign1_deinit(&other);
    arena_deinit(&arena);
    return found;
}

/* Was the certificate revoked? Nobody is asked; answers may lie in the file. */
static void check_revocation(Validator *v, const Sign1 *s, const char *url, const time_t *when)
{
    Revocation found = REVOCATION_SILENT;
    const CborValue *stapled = stapled_answer(s);
    bool any = stapled != NULL;
    if (stapled != NULL)
        found = revocation_check(stapled->bytes, s->chain, when, v->anchors);
    for (int i = 0; stapled == NULL && i < v->store->count && found == REVOCATION_SILENT; i++)
        found = ask_assertions(v, &v->store->manifests[i], s, when, &any);
    if (!any)
        validator_say(v, STATUS_INFORMATIONAL, "signingCredential.ocsp.skipped", url,
                      "whether the certificate was revoked is not asked");
    if (found == REVOCATION_GOOD)
        validator_say(v, STATUS_SUCCESS, "signingCredential.ocsp.notRevoked", url,
                      "the certificate was not revoked");
    if (found == REVOCATION_REVOKED)
        validator_say(v, STATUS_FAILURE, "signingCredential.ocsp.revoked", url,
                      "the certificate was revoked");
}

/* The certificate, its way to an anchor, and the signature itself. */
static void check_signer(Validator *v, const C2paManifest *m, const Sign1 *s, const char *url, time_t when)
{
    bool expired;
    const char *wrong = certificate_check(sk_X509_value(s->chain, 0), CERTIFICATE_SIGNING, when, &expired);
    if (wrong != NULL)
        validator_say(v, STATUS_FAILURE, expired ? "signingCredential.expired" : "signingCredential.invalid",
                      url, wrong);
    if (anchors_trust(v->anchors, s->chain, when))
        validator_say(v, STATUS_SUCCESS, "signingCredential.trusted", url, "the signer is trusted");
    else
        validator_say(v, STATUS_FAILURE, "signingCredential.untrusted", url, "the signer is not known here");
    if (sign1_check(s, m->claim_bytes)) {
        validator_say(v, STATUS_SUCCESS, "claimSignature.insideValidity", url,
                      "signed while the certificate was valid");
        validator_say(v, STATUS_SUCCESS, "claimSignature.validated", url, "the claim is as it was signed");
    } else {
        validator_say(v, STATUS_FAILURE, "claimSignature.mismatch", url, "the claim is not what was signed");
    }
}

void verify_signature(Validator *v, const C2paManifest *m)
{
    char url[URL_SIZE];
    Arena arena;
    Sign1 s;
    arena_init(&arena, 16 << 10);
    manifest_url(m, "c2pa.signature", url, sizeof url);
    if (!points_here(m))
        validator_say(v, STATUS_FAILURE, "claimSignature.missing", url, "the claim's signature is elsewhere");
    bool parsed = sign1_parse(&s, &arena, m->signature);
    if (parsed && s.chain == NULL) {
        validator_say(v, STATUS_INFORMATIONAL, "signingCredential.ocsp.skipped", url,
                      "the certificate cannot be read");
        validator_say(v, STATUS_FAILURE, "signingCredential.untrusted", url,
                      "the certificate cannot be read");
    }
    if (!parsed || s.chain == NULL) {
        validator_say(v, STATUS_FAILURE, "claimSignature.mismatch", url, "the signature cannot be read");
        goto out;
    }
    time_t when = 0;
    bool stamped = check_time(v, m, &s, url, &when);
    check_revocation(v, &s, url, stamped ? &when : NULL);
    if (cose_alg_name(s.alg) == NULL || sign1_is_der(&s)) { /* the reference has no place for these two */
        bool known = cose_alg_name(s.alg) != NULL;
        validator_say(
            v, STATUS_FAILURE, known ? "signingCredential.invalid" : "algorithm.unsupported", "Cose_Sign1",
            known ? "a signature in a form that COSE has not" : "a signature algorithm that C2PA has not");
        validator_say(v, STATUS_FAILURE, "claimSignature.mismatch", url,
                      "the claim's signature is not checked");
        goto out;
    }
    check_signer(v, m, &s, url, stamped ? when : time(NULL));
out:
    sign1_deinit(&s);
    arena_deinit(&arena);
}
