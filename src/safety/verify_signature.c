/* The claim's signature: COSE, certificates, trust and time-stamp. */
#include <openssl/err.h>
#include <string.h>
#include "safety/signer.h"
#include "safety/timestamp.h"
#include "safety/verify.h"

/* COSE_Sign1, taken apart. */
typedef struct Sign1 {
    Span header, signature;
    const CborValue *protected_map, *unprotected;
    CoseAlg alg;
    STACK_OF(X509) * chain; /* owned; NULL: none, or damaged */
} Sign1;

static bool push_certificate(STACK_OF(X509) * chain, const CborValue *v)
{
    if (v->kind != CBOR_BYTES || v->bytes.size > 1 << 20)
        return false;
    const unsigned char *p = v->bytes.data;
    X509 *x = d2i_X509(NULL, &p, (long)v->bytes.size);
    if (x != NULL && p == v->bytes.data + v->bytes.size && sk_X509_push(chain, x))
        return true;
    X509_free(x);
    ERR_clear_error();
    return false;
}

/* x5chain: one certificate or several, in the protected header, or in the other one as older files have it.
 */
static void read_chain(Sign1 *s)
{
    const CborValue *v = cbor_find_number(s->protected_map, 33);
    if (v == NULL)
        v = cbor_find(s->protected_map, "x5chain");
    if (v == NULL)
        v = cbor_find(s->unprotected, "x5chain");
    s->chain = v != NULL ? sk_X509_new_null() : NULL;
    bool ok = s->chain != NULL;
    if (ok && v->kind == CBOR_ARRAY) {
        ok = v->count > 0 && v->count <= 64;
        for (size_t i = 0; ok && i < v->count; i++)
            ok = push_certificate(s->chain, &v->items[i]);
    } else if (ok) {
        ok = push_certificate(s->chain, v);
    }
    if (!ok) {
        sk_X509_pop_free(s->chain, X509_free);
        s->chain = NULL;
    }
}

/* A map whose keys are numbers and real texts, as COSE has it. */
static bool is_header(const CborValue *map)
{
    for (size_t i = 0; map->kind == CBOR_MAP && i < map->count; i++) {
        CborKind kind = map->items[2 * i].kind;
        if (kind != CBOR_UINT && kind != CBOR_NEGATIVE && kind != CBOR_TEXT)
            return false;
    }
    return map->kind == CBOR_MAP;
}

static bool parse_sign1(Sign1 *s, Arena *arena, Span cose)
{
    SoraError ignored;
    *s = (Sign1){0};
    const CborValue *v = cbor_parse(arena, cose, &ignored);
    if (v == NULL || v->kind != CBOR_TAGGED || v->number != 18)
        return false;
    v = v->items;
    if (v->kind != CBOR_ARRAY || v->count != 4 || v->items[0].kind != CBOR_BYTES ||
        v->items[1].kind != CBOR_MAP || v->items[2].kind != CBOR_NULL || v->items[2].number != 0 ||
        v->items[3].kind != CBOR_BYTES)
        return false;
    s->header = v->items[0].bytes;
    s->unprotected = &v->items[1];
    s->signature = v->items[3].bytes;
    s->protected_map = cbor_parse(arena, s->header, &ignored);
    if (s->protected_map == NULL || !is_header(s->protected_map) || !is_header(s->unprotected))
        return false;
    const CborValue *alg = cbor_find_number(s->protected_map, 1);
    if (alg != NULL && alg->kind == CBOR_NEGATIVE && alg->number < 64)
        s->alg = (CoseAlg)(-1 - (int)alg->number);
    read_chain(s);
    return true;
}

/* The time-stamp in the unprotected header. True with the time when one counts. */
static bool check_time(Validator *v, const Manifest *m, const Sign1 *s, const char *url, time_t *when)
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

static bool check_cose(const Manifest *m, const Sign1 *s)
{
    Bytes data = {0};
    EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(s->chain, 0));
    cose_put_signed("Signature1", s->header, m->claim_bytes, &data);
    bool ok = key != NULL && !data.failed && cose_check(s->alg, key, bytes_span(&data), s->signature);
    bytes_deinit(&data);
    return ok;
}

/* "self#jumbf=/c2pa/LABEL/c2pa.signature", or relative. */
static bool points_here(const Manifest *m)
{
    static const char name[] = "c2pa.signature";
    Span url = cbor_find_text(m->claim, "signature"), manifest = url_manifest(url);
    size_t n = sizeof name - 1;
    return url.size >= n && memcmp(url.data + url.size - n, name, n) == 0 &&
           (manifest.size == 0 || span_is(manifest, m->label));
}

/* Answers about revocation that lie in the file: stapled to the signature, or in an assertion. */
static bool has_revocation(const Manifest *m, const Sign1 *s)
{
    for (int i = 0; i < m->assertion_count; i++)
        if (assertion_is(&m->assertions[i], "c2pa.certificate-status"))
            return true;
    return cbor_find(s->unprotected, "rVals") != NULL;
}

void verify_signature(Validator *v, const Manifest *m)
{
    char url[URL_SIZE];
    Arena arena;
    Sign1 s;
    arena_init(&arena, 16 << 10);
    manifest_url(m, "c2pa.signature", url, sizeof url);
    if (!points_here(m))
        validator_say(v, STATUS_FAILURE, "claimSignature.missing", url, "the claim's signature is elsewhere");
    bool parsed = parse_sign1(&s, &arena, m->signature);
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
    if (cose_alg_name(s.alg) == NULL) {
        validator_say(v, STATUS_FAILURE, "algorithm.unsupported", url,
                      "a signature algorithm that C2PA has not");
        goto out;
    }
    if (!has_revocation(m, &s))
        validator_say(v, STATUS_INFORMATIONAL, "signingCredential.ocsp.skipped", url,
                      "whether the certificate was revoked is not asked");
    time_t when = 0, now = time(NULL);
    if (!check_time(v, m, &s, url, &when))
        when = now;
    bool expired;
    const char *wrong = certificate_check(sk_X509_value(s.chain, 0), CERTIFICATE_SIGNING, when, &expired);
    if (wrong != NULL)
        validator_say(v, STATUS_FAILURE, expired ? "signingCredential.expired" : "signingCredential.invalid",
                      url, wrong);
    if (anchors_trust(v->anchors, s.chain, when))
        validator_say(v, STATUS_SUCCESS, "signingCredential.trusted", url, "the signer is trusted");
    else
        validator_say(v, STATUS_FAILURE, "signingCredential.untrusted", url, "the signer is not known here");
    if (check_cose(m, &s)) {
        validator_say(v, STATUS_SUCCESS, "claimSignature.insideValidity", url,
                      "signed while the certificate was valid");
        validator_say(v, STATUS_SUCCESS, "claimSignature.validated", url, "the claim is as it was signed");
    } else {
        validator_say(v, STATUS_FAILURE, "claimSignature.mismatch", url, "the claim is not what was signed");
    }
out:
    sk_X509_pop_free(s.chain, X509_free);
    arena_deinit(&arena);
}

static void set_name(json_t *out, const char *key, X509_NAME *name, int nid)
{
    char text[256];
    if (X509_NAME_get_text_by_NID(name, nid, text, sizeof text) > 0)
        json_object_set_new(out, key, json_string(text)); /* not set when it is no UTF-8 */
}

void describe_signature(const Manifest *m, json_t *out)
{
    Arena arena;
    Sign1 s;
    arena_init(&arena, 16 << 10);
    if (parse_sign1(&s, &arena, m->signature)) {
        const char *alg = cose_alg_name(s.alg);
        if (alg != NULL)
            json_object_set_new(out, "alg", json_string(alg));
        if (s.chain != NULL) {
            X509_NAME *name = X509_get_subject_name(sk_X509_value(s.chain, 0));
            set_name(out, "issuer", name, NID_organizationName);
            set_name(out, "common_name", name, NID_commonName);
        }
        json_object_set_new(
            out, "time_stamp",
            json_boolean(cbor_find(s.unprotected, "sigTst2") || cbor_find(s.unprotected, "sigTst")));
    }
    sk_X509_pop_free(s.chain, X509_free);
    ERR_clear_error();
    arena_deinit(&arena);
}
