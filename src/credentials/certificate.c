#include "credentials/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

enum { MAX_ANCHORS = 16 << 20 };

struct Anchors {
    STACK_OF(X509) * list;
    X509_STORE *store;
};

static bool is_known_signature(const X509 *x)
{
    int digest, key;
    uint32_t flags;
    if (!X509_get_signature_info((X509 *)(uintptr_t)x, &digest, &key, NULL, &flags))
        return false;
    if (key == NID_ED25519)
        return true;
    bool good = digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
    return good && (key == NID_rsaEncryption || key == NID_rsassaPss || key == NID_X9_62_id_ecPublicKey);
}

/* The kind of key and, of elliptic ones, the curve: the key itself may be nonsense, the signature will tell.
 */
static bool is_known_key(X509 *x)
{
    ASN1_OBJECT *kind = NULL;
    X509_ALGOR *alg = NULL;
    const void *curve = NULL;
    int type = 0;
    if (!X509_PUBKEY_get0_param(&kind, NULL, NULL, &alg, X509_get_X509_PUBKEY(x)))
        return false;
    X509_ALGOR_get0(NULL, &type, &curve, alg);
    switch (OBJ_obj2nid(kind)) {
    case NID_ED25519:
        return true;
    case NID_X9_62_id_ecPublicKey:
        type = type == V_ASN1_OBJECT ? OBJ_obj2nid(curve) : NID_undef;
        return type == NID_X9_62_prime256v1 || type == NID_secp384r1 || type == NID_secp521r1;
    case NID_rsaEncryption:
    case NID_rsassaPss:
        return X509_get0_pubkey(x) != NULL && EVP_PKEY_get_bits(X509_get0_pubkey(x)) >= 2048;
    default:
        return false;
    }
}

static bool is_any(const ASN1_OBJECT *o, const char *const *oids)
{
    char text[80];
    OBJ_obj2txt(text, sizeof text, o, 1);
    for (; *oids != NULL; oids++)
        if (strcmp(text, *oids) == 0)
            return true;
    return false;
}

/* The purposes that the certificate is for. NULL when they suit. */
static const char *check_purposes(X509 *x, CertificateUse use)
{
    static const char stamp[] = "1.3.6.1.5.5.7.3.8", ocsp[] = "1.3.6.1.5.5.7.3.9";
    static const char *const signing[] = {"1.3.6.1.5.5.7.3.4",         /* emailProtection */
                                          "1.3.6.1.5.5.7.3.36",        /* documentSigning */
                                          "1.3.6.1.4.1.311.76.59.1.9", /* Microsoft's C2PA signing */
                                          "1.3.6.1.4.1.62558.2.1",     /* C2PA's own */
                                          stamp,
                                          ocsp,
                                          NULL};
    static const char *const stamping[] = {stamp, NULL}, *const revoking[] = {ocsp, NULL};
    static const char *const any[] = {"2.5.29.37.0", NULL};
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
    if (list == NULL)
        return "certificate has no extended key usage";
    bool suits = false, has_any = false, stamps = false, revokes = false;
    int count = sk_ASN1_OBJECT_num(list);
    for (int i = 0; i < count; i++) {
        const ASN1_OBJECT *o = sk_ASN1_OBJECT_value(list, i);
        has_any = has_any || is_any(o, any);
        suits = suits || is_any(o, use == CERTIFICATE_TIME_STAMP ? stamping
                                   : use == CERTIFICATE_OCSP     ? revoking
                                                                 : signing);
        stamps = stamps || is_any(o, stamping);
        revokes = revokes || is_any(o, revoking);
    }
    sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
    if (has_any)
        return "certificate is for any purpose";
    if (!suits)
        return use == CERTIFICATE_TIME_STAMP ? "certificate is not for time-stamps"
               : use == CERTIFICATE_OCSP     ? "certificate is not for answers about revocation"
                                             : "certificate is not for signing content";
    return (stamps || revokes) && count > 1 ? "certificate mixes purposes" : NULL;
}

static const char *check_extensions(X509 *x, CertificateUse use)
{
    const ASN1_BIT_STRING *issuer_uid, *subject_uid;
    X509_get0_uids(x, &issuer_uid, &subject_uid);
    if (issuer_uid != NULL || subject_uid != NULL)
        return "certificate has unique identifiers";
    uint32_t flags = X509_get_extension_flags(x);
    if (flags & EXFLAG_INVALID)
        return "certificate has a damaged extension";
    const char *wrong = check_purposes(x, use);
    if (wrong != NULL)
        return wrong;
    if (X509_get_ext_by_NID(x, NID_authority_key_identifier, -1) < 0)
        return "certificate has no authority key identifier";
    if (flags & EXFLAG_CRITICAL)
        return "certificate has a critical extension that is not known";
    uint32_t usage = flags & EXFLAG_KUSAGE ? X509_get_key_usage(x) : 0;
    if (!(usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) || usage & KU_KEY_CERT_SIGN)
        return "certificate's key is not for signatures alone";
    return flags & EXFLAG_CA ? "certificate is an authority's" : NULL;
}

const char *certificate_check(X509 *x, CertificateUse use, time_t when, bool *expired)
{
    *expired = false;
    if (X509_get_version(x) != X509_VERSION_3)
        return "certificate is not of version 3";
    if (X509_cmp_time(X509_get0_notBefore(x), &when) > 0 || X509_cmp_time(X509_get0_notAfter(x), &when) < 0) {
        *expired = true;
        return "certificate expired";
    }
    if (!is_known_signature(x))
        return "certificate is signed with an algorithm that is not allowed";
    if (!is_known_key(x)) {
        ERR_clear_error();
        return "certificate has a key that is not allowed";
    }
    const char *wrong = check_extensions(x, use);
    ERR_clear_error();
    return wrong;
}

Anchors *anchors_open(const char *path, SoraError *err)
{
    char *text = NULL;
    size_t size = 0;
    BIO *bio = NULL;
    Anchors *a = calloc(1, sizeof *a);
    if (a == NULL || (a->list = sk_X509_new_null()) == NULL || (a->store = X509_STORE_new()) == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "trust anchors: out of memory");
        goto fail;
    }
    if (path == NULL)
        return a;
    if ((text = file_read(path, MAX_ANCHORS, &size, err)) == NULL)
        goto fail;
    if ((bio = BIO_new_mem_buf(text, (int)size)) == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
        goto fail;
    }
    for (X509 *x; (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
        if (!X509_STORE_add_cert(a->store, x) || !sk_X509_push(a->list, x))
            X509_free(x);
    }
    ERR_clear_error();
    if (sk_X509_num(a->list) == 0) {
        error_set(err, SORA_ERROR_INPUT, "%s: no certificate in PEM", path);
        goto fail;
    }
    BIO_free(bio);
    free(text);
    return a;
fail:
    BIO_free(bio);
    free(text);
    anchors_free(a);
    return NULL;
}

void anchors_free(Anchors *a)
{
    if (a == NULL)
        return;
    sk_X509_pop_free(a->list, X509_free);
    X509_STORE_free(a->store);
    free(a);
}

/* The end entity's own time is certificate_check()'s to judge. */
static int judge(int ok, X509_STORE_CTX *c)
{
    int why = X509_STORE_CTX_get_error(c);
    if (!ok && X509_STORE_CTX_get_error_depth(c) == 0 &&
        (why == X509_V_ERR_CERT_HAS_EXPIRED || why == X509_V_ERR_CERT_NOT_YET_VALID))
        return 1;
    return ok;
}

bool anchors_trust(const Anchors *a, STACK_OF(X509) * chain, time_t when)
{
    if (sk_X509_num(a->list) == 0)
        return false;
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    bool ok = c != NULL && X509_STORE_CTX_init(c, a->store, sk_X509_value(chain, 0), chain) > 0;
    if (ok) {
        X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(c);
        X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
        X509_VERIFY_PARAM_set_time(p, when);
        X509_STORE_CTX_set_verify_cb(c, judge);
        ok = X509_verify_cert(c) == 1;
    }
    X509_STORE_CTX_free(c);
    ERR_clear_error();
    return ok;
}
