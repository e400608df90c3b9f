#include "credentials/revocation.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

enum { DAY = 24 * 60 * 60, MAX_ANSWER = 1 << 20 };

/* An answer whose signature is right. NULL: none. */
static OCSP_BASICRESP *parse_answer(Span der)
{
    const unsigned char *p = der.data;
    OCSP_RESPONSE *r =
        der.size > 0 && der.size <= MAX_ANSWER ? d2i_OCSP_RESPONSE(NULL, &p, (long)der.size) : NULL;
    OCSP_BASICRESP *b = NULL;
    if (r != NULL && OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        b = OCSP_response_get1_basic(r);
    OCSP_RESPONSE_free(r);
    int digest = NID_undef, key = NID_undef;
    bool ok =
        b != NULL && OBJ_find_sigid_algs(OBJ_obj2nid(OCSP_resp_get0_tbs_sigalg(b)->algorithm), &digest, &key);
    ok = ok && (digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512 || key == NID_ED25519);
    /* the certificate must be in the answer; whether it may answer is asked later */
    ok =
        ok && sk_X509_num(OCSP_resp_get0_certs(b)) > 0 && OCSP_basic_verify(b, NULL, NULL, OCSP_NOVERIFY) > 0;
    ERR_clear_error();
    if (ok)
        return b;
    OCSP_BASICRESP_free(b);
    return NULL;
}

static bool is_about(OCSP_SINGLERESP *single, STACK_OF(X509) * chain)
{
    ASN1_OBJECT *algorithm = NULL;
    OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single);
    if (sk_X509_num(chain) < 2 || !OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, id))
        return false;
    int digest = OBJ_obj2nid(algorithm);
    if (digest != NID_sha1 && digest != NID_sha256)
        return false;
    OCSP_CERTID *own =
        OCSP_cert_to_id(EVP_get_digestbynid(digest), sk_X509_value(chain, 0), sk_X509_value(chain, 1));
    bool same = own != NULL && OCSP_id_cmp(own, id) == 0;
    OCSP_CERTID_free(own);
    return same;
}

bool revocation_is_about(Span der, STACK_OF(X509) * chain)
{
    OCSP_BASICRESP *b = parse_answer(der);
    bool found = false;
    for (int i = 0; b != NULL && i < OCSP_resp_count(b); i++)
        found = found || is_about(OCSP_resp_get0(b, i), chain);
    OCSP_BASICRESP_free(b);
    ERR_clear_error();
    return found;
}

static bool read_time(const ASN1_GENERALIZEDTIME *t, time_t *out)
{
    struct tm tm;
    if (t == NULL || !ASN1_TIME_to_tm(t, &tm))
        return false;
    *out = timegm(&tm);
    return true;
}

/* One answer. A good one that was over when the file was signed counts as a bad one, as in the reference. */
static Revocation judge_single(const OCSP_BASICRESP *b, OCSP_SINGLERESP *single, const time_t *when,
                               bool *done)
{
    int reason = -1;
    ASN1_GENERALIZEDTIME *revoked = NULL, *from = NULL, *to = NULL;
    time_t begin, end, at, now = time(NULL);
    int status = OCSP_single_get0_status(single, &reason, &revoked, &from, &to);
    if (status == V_OCSP_CERTSTATUS_GOOD && read_time(from, &begin)) {
        if (to == NULL && read_time(OCSP_resp_get0_produced_at(b), &end))
            end += DAY;
        else if (!read_time(to, &end))
            return REVOCATION_SILENT;
        *done = when != NULL ? *when <= end : now >= begin;
        return *done ? REVOCATION_GOOD : REVOCATION_REVOKED;
    }
    if (status != V_OCSP_CERTSTATUS_REVOKED || !read_time(revoked, &at))
        return REVOCATION_SILENT;
    if (reason == OCSP_REVOKED_STATUS_REMOVEFROMCRL)
        return at > (when ? *when : now) ? REVOCATION_SILENT : REVOCATION_REVOKED;
    *done = reason != -1 && when != NULL && *when < at; /* signed before */
    return *done ? REVOCATION_SILENT : REVOCATION_REVOKED;
}

/* May the one who answered do so, and is he trusted? */
static bool may_answer(OCSP_BASICRESP *b, STACK_OF(X509) * chain, time_t when, const Anchors *anchors)
{
    X509 *signer = NULL;
    bool expired;
    if (!OCSP_resp_get0_signer(b, &signer, NULL) ||
        certificate_check(signer, CERTIFICATE_OCSP, when, &expired) != NULL)
        return false;
    STACK_OF(X509) *all = sk_X509_new_null(); /* not owners: all are the answer's and the chain's */
    const STACK_OF(X509) *certs = OCSP_resp_get0_certs(b);
    bool ok = all != NULL && sk_X509_push(all, signer) > 0;
    for (int i = 0; ok && i < sk_X509_num(certs); i++)
        ok = sk_X509_push(all, sk_X509_value(certs, i)) > 0;
    for (int i = 1; ok && i < sk_X509_num(chain); i++)
        ok = sk_X509_push(all, sk_X509_value(chain, i)) > 0;
    ok = ok && anchors_trust(anchors, all, when);
    sk_X509_free(all);
    return ok;
}

Revocation revocation_check(Span der, STACK_OF(X509) * chain, const time_t *when, const Anchors *anchors)
{
    OCSP_BASICRESP *b = parse_answer(der);
    Revocation found = REVOCATION_SILENT;
    bool done = false;
    if (b != NULL && may_answer(b, chain, when ? *when : time(NULL), anchors))
        for (int i = 0; !done && i < OCSP_resp_count(b); i++) {
            OCSP_SINGLERESP *single = OCSP_resp_get0(b, i);
            Revocation said =
                is_about(single, chain) ? judge_single(b, single, when, &done) : REVOCATION_SILENT;
            found = done || said != REVOCATION_SILENT ? said : found;
        }
    OCSP_BASICRESP_free(b);
    ERR_clear_error();
    return found;
}
