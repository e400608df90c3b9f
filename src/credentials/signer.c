#include "credentials/signer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

enum { MAX_PEM = 1 << 20 };

typedef struct Alg {
    CoseAlg alg;
    const char *name;
    const EVP_MD *(*digest)(void); /* NULL: the algorithm has its own */
    int curve_bytes;               /* of r and of s; 0: no ECDSA */
} Alg;

static const Alg algs[] = {
    {COSE_ES256, "ES256", EVP_sha256, 32}, {COSE_ES384, "ES384", EVP_sha384, 48},
    {COSE_ES512, "ES512", EVP_sha512, 66}, {COSE_PS256, "PS256", EVP_sha256, 0},
    {COSE_PS384, "PS384", EVP_sha384, 0},  {COSE_PS512, "PS512", EVP_sha512, 0},
    {COSE_ED25519, "Ed25519", NULL, 0},
};

static const Alg *find_alg(CoseAlg alg)
{
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++)
        if (algs[i].alg == alg)
            return &algs[i];
    return NULL;
}

const char *cose_alg_name(CoseAlg alg)
{
    const Alg *a = find_alg(alg);
    return a ? a->name : NULL;
}

CoseAlg cose_alg_of_key(const EVP_PKEY *key)
{
    char curve[64] = "";
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
        return COSE_ED25519;
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return EVP_PKEY_get_bits(key) >= 2048 ? COSE_PS256 : COSE_NONE;
    case EVP_PKEY_EC:
        EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL);
        return strcmp(curve, "prime256v1") == 0  ? COSE_ES256
               : strcmp(curve, "secp384r1") == 0 ? COSE_ES384
               : strcmp(curve, "secp521r1") == 0 ? COSE_ES512
                                                 : COSE_NONE;
    default:
        return COSE_NONE;
    }
}

/* The last of OpenSSL's reasons, and none is left behind for others. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : "unknown reason";
}

static BIO *open_pem(char **text, const char *path, SoraError *err)
{
    size_t size = 0;
    *text = file_read(path, MAX_PEM, &size, err);
    if (*text == NULL)
        return NULL;
    BIO *bio = BIO_new_mem_buf(*text, (int)size);
    if (bio == NULL)
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    return bio;
}

int pem_no_password(char *buffer, int size, int writing, void *user)
{
    return -1;
}

static bool read_key(Signer *s, const char *path, SoraError *err)
{
    char *text = NULL;
    BIO *bio = open_pem(&text, path, err);
    bool ok = bio != NULL;
    if (ok) {
        s->key = PEM_read_bio_PrivateKey(bio, NULL, pem_no_password, NULL);
        if (s->key == NULL)
            ok =
                error_set(err, SORA_ERROR_INPUT, "%s: no private key without a password: %s", path, reason());
    }
    BIO_free(bio);
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    return ok;
}

static bool is_self_signed(X509 *x)
{
    return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
}

static bool read_chain(Signer *s, const char *path, SoraError *err)
{
    char *text = NULL;
    BIO *bio = open_pem(&text, path, err);
    s->chain = sk_X509_new_null();
    bool ok = bio != NULL && (s->chain != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
    for (X509 *x; ok && (x = PEM_read_bio_X509(bio, NULL, pem_no_password, NULL)) != NULL;) {
        if (sk_X509_num(s->chain) > 0 && is_self_signed(x)) /* a root: verifiers have their own */
            X509_free(x);
        else if (!sk_X509_push(s->chain, x)) {
            X509_free(x);
            ok = error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
        }
    }
    ERR_clear_error();
    if (ok && sk_X509_num(s->chain) == 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no certificate in PEM", path);
    BIO_free(bio);
    free(text);
    return ok;
}

bool signer_open(Signer *s, const char *key_path, const char *chain_path, SoraError *err)
{
    *s = (Signer){0};
    if (!read_key(s, key_path, err) || !read_chain(s, chain_path, err))
        return false;
    s->alg = cose_alg_of_key(s->key);
    if (s->alg == COSE_NONE)
        return error_set(
            err, SORA_ERROR_INPUT,
            "%s: a key of this kind signs no credentials: P-256, P-384, P-521, RSA from 2048 bits "
            "and Ed25519 do",
            key_path);
    if (X509_check_private_key(sk_X509_value(s->chain, 0), s->key) != 1) {
        ERR_clear_error();
        return error_set(err, SORA_ERROR_INPUT, "%s: its first certificate is of another key than %s",
                         chain_path, key_path);
    }
    const Alg *a = find_alg(s->alg);
    s->signature_size = a->curve_bytes ? 2 * (size_t)a->curve_bytes : (size_t)EVP_PKEY_get_size(s->key);
    return true;
}

SignerTime signer_time(const Signer *s, time_t when)
{
    SignerTime time = SIGNER_IN_TIME;
    for (int i = 0; i < sk_X509_num(s->chain) && time == SIGNER_IN_TIME; i++) {
        X509 *x = sk_X509_value(s->chain, i);
        if (X509_cmp_time(X509_get0_notAfter(x), &when) < 0)
            time = SIGNER_EXPIRED;
        else if (X509_cmp_time(X509_get0_notBefore(x), &when) > 0)
            time = SIGNER_NOT_YET;
    }
    return time;
}

void signer_close(Signer *s)
{
    EVP_PKEY_free(s->key);
    sk_X509_pop_free(s->chain, X509_free);
    *s = (Signer){0};
}

static void put_certificate(X509 *x, Bytes *out)
{
    unsigned char *der = NULL;
    int size = i2d_X509(x, &der);
    if (size < 0)
        out->failed = true;
    else
        cbor_put_bytes(out, der, (size_t)size);
    OPENSSL_free(der);
}

void cose_put_protected(const Signer *s, Bytes *out)
{
    int count = sk_X509_num(s->chain);
    cbor_put_map(out, 2);
    cbor_put_int(out, 1);
    cbor_put_int(out, s->alg);
    cbor_put_int(out, 33); /* x5chain */
    if (count > 1)
        cbor_put_array(out, (size_t)count);
    for (int i = 0; i < count; i++)
        put_certificate(sk_X509_value(s->chain, i), out);
}

void cose_put_signed(const char *purpose, Span header, Span payload, Bytes *out)
{
    cbor_put_array(out, 4);
    cbor_put_text(out, purpose);
    cbor_put_bytes(out, header.data, header.size);
    cbor_put_bytes(out, "", 0);
    cbor_put_bytes(out, payload.data, payload.size);
}

/* Sets padding of RSA: salt as long as the hash, MGF1 with the same. */
static bool set_padding(EVP_PKEY_CTX *c, const Alg *a)
{
    if (a->alg != COSE_PS256 && a->alg != COSE_PS384 && a->alg != COSE_PS512)
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(c, a->digest()) > 0;
}

/* DER of OpenSSL to r||s. */
static bool put_raw(const uint8_t *der, size_t size, int half, Bytes *out)
{
    uint8_t raw[2 * 66];
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)size);
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, half) == half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, half) == half;
    if (ok)
        bytes_put(out, raw, 2 * (size_t)half);
    ECDSA_SIG_free(sig);
    return ok;
}

bool signer_sign(const Signer *s, Span data, Bytes *out, SoraError *err)
{
    const Alg *a = find_alg(s->alg);
    uint8_t signature[2048];
    size_t size = sizeof signature;
    EVP_PKEY_CTX *c = NULL;
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = m != NULL && (size_t)EVP_PKEY_get_size(s->key) <= sizeof signature &&
              EVP_DigestSignInit(m, &c, a->digest ? a->digest() : NULL, NULL, s->key) > 0 &&
              set_padding(c, a) && EVP_DigestSign(m, signature, &size, data.data, data.size) > 0;
    if (ok && a->curve_bytes)
        ok = put_raw(signature, size, a->curve_bytes, out);
    else if (ok)
        bytes_put(out, signature, size);
    EVP_MD_CTX_free(m);
    return (ok && !out->failed) || error_set(err, SORA_ERROR_INTERNAL, "openssl: cannot sign: %s", reason());
}

static bool check_raw(EVP_MD_CTX *m, int half, Span data, Span raw)
{
    if (raw.size != 2 * (size_t)half)
        return false;
    unsigned char *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.data, half, NULL), *s = BN_bin2bn(raw.data + half, half, NULL);
    bool ok = sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s);
    if (!ok) {
        BN_free(r);
        BN_free(s);
    }
    int size = ok ? i2d_ECDSA_SIG(sig, &der) : 0;
    ok = size > 0 && EVP_DigestVerify(m, der, (size_t)size, data.data, data.size) == 1;
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    return ok;
}

bool cose_check(CoseAlg alg, EVP_PKEY *key, Span data, Span signature)
{
    const Alg *a = find_alg(alg);
    CoseAlg own = cose_alg_of_key(key);
    bool rsa = alg == COSE_PS256 || alg == COSE_PS384 || alg == COSE_PS512;
    if (a == NULL || (rsa ? own != COSE_PS256 : own != alg))
        return false;
    EVP_PKEY_CTX *c = NULL;
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = m != NULL && EVP_DigestVerifyInit(m, &c, a->digest ? a->digest() : NULL, NULL, key) > 0 &&
              set_padding(c, a);
    if (ok && a->curve_bytes)
        ok = check_raw(m, a->curve_bytes, data, signature);
    else if (ok)
        ok = EVP_DigestVerify(m, signature.data, signature.size, data.data, data.size) == 1;
    EVP_MD_CTX_free(m);
    ERR_clear_error();
    return ok;
}

/* The unprotected header: a time-stamp token, and zeros that fill a reserved size. */
static void put_unprotected(Span token, size_t pad, bool padded, Bytes *out)
{
    cbor_put_map(out, (token.size > 0) + (size_t)padded);
    if (token.size > 0) {
        cbor_put_text(out, "sigTst2");
        cbor_put_map(out, 1);
        cbor_put_text(out, "tstTokens");
        cbor_put_array(out, 1);
        cbor_put_map(out, 1);
        cbor_put_text(out, "val");
        cbor_put_bytes(out, token.data, token.size);
    }
    if (padded) {
        cbor_put_text(out, "pad");
        bytes_put_u8(out, 0x59); /* a byte string with a length of two bytes, whatever it is */
        bytes_put_u16(out, (uint16_t)pad);
        bytes_put_zeros(out, pad);
    }
}

static void put_sign1(Span header, Span token, Span signature, size_t pad, bool padded, Bytes *out)
{
    cbor_put_tag(out, 18);
    cbor_put_array(out, 4);
    cbor_put_bytes(out, header.data, header.size);
    put_unprotected(token, pad, padded, out);
    cbor_put_null(out);
    cbor_put_bytes(out, signature.data, signature.size);
}

bool cose_put_sign1(Span header, Span token, Span signature, size_t size, Bytes *out, SoraError *err)
{
    Bytes probe = {0};
    put_sign1(header, token, signature, 0, size > 0, &probe);
    size_t bare = probe.size;
    bytes_deinit(&probe);
    if (size > 0 && (bare > size || size - bare > UINT16_MAX))
        return error_set(err, SORA_ERROR_UNSUPPORTED, "signature: %zu bytes do not fit into the %zu reserved",
                         bare, size);
    put_sign1(header, token, signature, size > 0 ? size - bare : 0, size > 0, out);
    return !out->failed || error_set(err, SORA_ERROR_MEMORY, "signature: out of memory");
}
