#include "credentials/sign1.h"

#include <openssl/ec.h>
#include <openssl/err.h>

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

bool sign1_parse(Sign1 *s, Arena *arena, Span cose)
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

void sign1_deinit(Sign1 *s)
{
    sk_X509_pop_free(s->chain, X509_free);
    s->chain = NULL;
}

bool sign1_check(const Sign1 *s, Span payload)
{
    Bytes data = {0};
    EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(s->chain, 0));
    cose_put_signed("Signature1", s->header, payload, &data);
    bool ok = key != NULL && !data.failed && cose_check(s->alg, key, bytes_span(&data), s->signature);
    bytes_deinit(&data);
    return ok;
}

bool sign1_is_der(const Sign1 *s)
{
    bool elliptic = s->alg == COSE_ES256 || s->alg == COSE_ES384 || s->alg == COSE_ES512;
    const unsigned char *p = s->signature.data;
    ECDSA_SIG *sig = elliptic ? d2i_ECDSA_SIG(NULL, &p, (long)s->signature.size) : NULL;
    ECDSA_SIG_free(sig);
    ERR_clear_error();
    return sig != NULL;
}
