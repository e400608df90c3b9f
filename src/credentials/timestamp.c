#include "credentials/timestamp.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ssl.h>
#include <openssl/ts.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { SECONDS = 20, MAX_RESPONSE = 1 << 20 };

static bool fail(const char *url, const char *what, SoraError *err)
{
    unsigned long first = ERR_peek_error();
    const char *why = first != 0 && ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                                            : ERR_reason_error_string(ERR_peek_last_error());
    error_set(err, SORA_ERROR_IO, "%.100s: %s%s%s", url, what, why ? ": " : "", why ? why : "");
    ERR_clear_error();
    return false;
}

static TS_REQ *make_request(Span data)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    TS_REQ *req = TS_REQ_new();
    TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
    X509_ALGOR *alg = X509_ALGOR_new();
    bool ok = req != NULL && imprint != NULL && alg != NULL &&
              EVP_Digest(data.data, data.size, digest, &size, EVP_sha256(), NULL) &&
              X509_ALGOR_set0(alg, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
              TS_MSG_IMPRINT_set_algo(imprint, alg) && TS_MSG_IMPRINT_set_msg(imprint, digest, (int)size) &&
              TS_REQ_set_version(req, 1) && TS_REQ_set_msg_imprint(req, imprint) &&
              TS_REQ_set_cert_req(req, 1);
    X509_ALGOR_free(alg);
    TS_MSG_IMPRINT_free(imprint);
    if (!ok) {
        TS_REQ_free(req);
        return NULL;
    }
    return req;
}

/* Where a time-stamp service is. */
typedef struct Service {
    char *host, *port, *path;
    int tls;
    SSL_CTX *context; /* NULL: plain HTTP */
} Service;

static bool service_init(Service *s, const char *url)
{
    *s = (Service){0};
    if (!OSSL_HTTP_parse_url(url, &s->tls, NULL, &s->host, &s->port, NULL, &s->path, NULL, NULL))
        return false;
    if (!s->tls)
        return true;
    s->context = SSL_CTX_new(TLS_client_method());
    if (s->context == NULL || !SSL_CTX_set_default_verify_paths(s->context))
        return false;
    SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER, NULL);
    return X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(s->context), s->host, 0) == 1;
}

static void service_deinit(Service *s)
{
    SSL_CTX_free(s->context);
    OPENSSL_free(s->host);
    OPENSSL_free(s->port);
    OPENSSL_free(s->path);
}

/* Puts TLS on a connection to https://. */
static BIO *secure(BIO *bio, void *context, int connect, int detail)
{
    if (connect && detail) {
        BIO *tls = BIO_new_ssl(context, 1);
        return tls ? BIO_push(tls, bio) : NULL;
    }
    return bio;
}

/* OSSL_HTTP_transfer() would connect by itself, but it takes a refusal for something that passes and tries again until its
 * time is over. NULL on failure. */
static BIO *connect_to(const Service *s)
{
    time_t end = time(NULL) + SECONDS;
    BIO *bio = BIO_new_connect(s->host), *tls = NULL;
    bool ok = bio != NULL && BIO_set_conn_port(bio, s->port) == 1 && BIO_set_nbio(bio, 1) == 1;
    while (ok && BIO_do_connect(bio) <= 0)
        ok = BIO_should_retry(bio) && BIO_wait(bio, end, 100) > 0;
    if (ok && s->tls) {
        tls = secure(bio, s->context, 1, 1);
        ok = tls != NULL;
    }
    if (!ok) {
        BIO_free_all(bio);
        return NULL;
    }
    return tls != NULL ? tls : bio;
}

/* A service that hangs up would end the process with SIGPIPE, for OpenSSL writes to sockets as to files. In this thread the
 * signal is held back meanwhile, and one that came is taken away. */
static void hold_pipe_signal(sigset_t *pipe, sigset_t *before)
{
    sigemptyset(pipe);
    sigaddset(pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, pipe, before);
}

static void release_pipe_signal(const sigset_t *pipe, const sigset_t *before)
{
    if (!sigismember(before, SIGPIPE))
        while (sigtimedwait(pipe, NULL, &(struct timespec){0}) == SIGPIPE)
            ;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* The bytes of a request, sent; its answer. A proxy ($http_proxy) is left to OpenSSL. */
static BIO *transfer(const Service *s, BIO *request)
{
    bool proxy = OSSL_HTTP_adapt_proxy(NULL, NULL, s->host, s->tls) != NULL;
    BIO *own = proxy ? NULL : connect_to(s), *answer = NULL;
    if (own != NULL || proxy)
        answer = OSSL_HTTP_transfer(NULL, s->host, s->port, s->path, proxy && s->tls, NULL, NULL, own, own,
                                    proxy && s->tls ? secure : NULL, s->context, 0, NULL, "application/timestamp-query", request,
                                    "application/timestamp-reply", 1, MAX_RESPONSE, SECONDS, 0);
    BIO_free_all(own);
    return answer;
}

static BIO *post(const char *url, TS_REQ *req)
{
    Service service = {0};
    sigset_t pipe, before;
    BIO *body = BIO_new(BIO_s_mem()), *answer = NULL;
    hold_pipe_signal(&pipe, &before);
    if (body != NULL && i2d_TS_REQ_bio(body, req) > 0 && service_init(&service, url))
        answer = transfer(&service, body);
    service_deinit(&service);
    BIO_free(body);
    release_pipe_signal(&pipe, &before);
    return answer;
}

bool timestamp_request(const char *url, Span data, Bytes *token, SoraError *err)
{
    bool ok = false;
    TS_RESP *resp = NULL;
    unsigned char *der = NULL;
    BIO *answer = NULL;
    TS_REQ *req = make_request(data);
    if (req == NULL || (answer = post(url, req)) == NULL) {
        fail(url, "no answer from the time-stamp service", err);
        goto out;
    }
    resp = d2i_TS_RESP_bio(answer, NULL);
    if (resp == NULL || TS_RESP_get_token(resp) == NULL) {
        fail(url, "the time-stamp service gave no time-stamp", err);
        goto out;
    }
    int size = i2d_PKCS7(TS_RESP_get_token(resp), &der);
    if (size <= 0) {
        fail(url, "the time-stamp is damaged", err);
        goto out;
    }
    if (timestamp_check((Span){der, (size_t)size}, false, data, NULL).state != TIMESTAMP_TRUSTED) {
        error_set(err, SORA_ERROR_IO, "%.100s: the time-stamp service answered for something else", url);
        goto out;
    }
    bytes_put(token, der, (size_t)size);
    ok = !token->failed || error_set(err, SORA_ERROR_MEMORY, "time-stamp: out of memory");
out:
    OPENSSL_free(der);
    TS_RESP_free(resp);
    TS_REQ_free(req);
    BIO_free(answer);
    ERR_clear_error();
    return ok;
}

/* The token in a response. */
static CMS_ContentInfo *parse_token(Span der, bool response)
{
    const unsigned char *p = der.data;
    if (!response)
        return d2i_CMS_ContentInfo(NULL, &p, (long)der.size);
    CMS_ContentInfo *cms = NULL;
    TS_RESP *resp = d2i_TS_RESP(NULL, &p, (long)der.size);
    unsigned char *token = NULL;
    int size =
        resp != NULL && TS_RESP_get_token(resp) != NULL ? i2d_PKCS7(TS_RESP_get_token(resp), &token) : 0;
    p = token;
    if (size > 0)
        cms = d2i_CMS_ContentInfo(NULL, &p, size);
    OPENSSL_free(token);
    TS_RESP_free(resp);
    return cms;
}

static TS_TST_INFO *parse_info(CMS_ContentInfo *cms)
{
    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
        return NULL;
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    if (content == NULL || *content == NULL)
        return NULL;
    const unsigned char *p = ASN1_STRING_get0_data(*content);
    return d2i_TS_TST_INFO(NULL, &p, ASN1_STRING_length(*content));
}

/* The data that it is of. */
static bool matches(TS_TST_INFO *info, Span data)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
    const EVP_MD *md = EVP_get_digestbyobj(TS_MSG_IMPRINT_get_algo(imprint)->algorithm);
    const ASN1_OCTET_STRING *said = TS_MSG_IMPRINT_get_msg(imprint);
    return md != NULL && EVP_Digest(data.data, data.size, digest, &size, md, NULL) &&
           (size_t)ASN1_STRING_length(said) == size && memcmp(ASN1_STRING_get0_data(said), digest, size) == 0;
}

static bool read_time(TS_TST_INFO *info, time_t *when)
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &tm))
        return false;
    *when = timegm(&tm);
    return true;
}

/* The signer's certificate, then the others of the token. */
static STACK_OF(X509) * make_chain(CMS_ContentInfo *cms)
{
    STACK_OF(X509) *signers = CMS_get0_signers(cms), *all = CMS_get1_certs(cms), *chain = sk_X509_new_null();
    X509 *first = signers != NULL && sk_X509_num(signers) > 0 ? sk_X509_value(signers, 0) : NULL;
    bool ok = chain != NULL && first != NULL && X509_up_ref(first) && sk_X509_push(chain, first);
    for (int i = 0; ok && all != NULL && i < sk_X509_num(all); i++) {
        X509 *x = sk_X509_value(all, i);
        if (X509_cmp(x, first) != 0 && X509_up_ref(x) && !sk_X509_push(chain, x))
            X509_free(x);
    }
    sk_X509_free(signers);
    sk_X509_pop_free(all, X509_free);
    if (!ok) {
        sk_X509_pop_free(chain, X509_free);
        return NULL;
    }
    return chain;
}

static TimestampState check_signer(CMS_ContentInfo *cms, time_t when, const Anchors *anchors)
{
    bool expired;
    STACK_OF(X509) *chain = make_chain(cms);
    if (chain == NULL)
        return TIMESTAMP_FORGED;
    X509 *signer = sk_X509_value(chain, 0);
    TimestampState state = TIMESTAMP_TRUSTED;
    if (X509_cmp_time(X509_get0_notBefore(signer), &when) > 0 ||
        X509_cmp_time(X509_get0_notAfter(signer), &when) < 0)
        state = TIMESTAMP_OUTSIDE_VALIDITY;
    else if (anchors != NULL && (certificate_check(signer, CERTIFICATE_TIME_STAMP, when, &expired) != NULL ||
                                 !anchors_trust(anchors, chain, when)))
        state = TIMESTAMP_UNTRUSTED;
    sk_X509_pop_free(chain, X509_free);
    return state;
}

Timestamp timestamp_check(Span der, bool response, Span data, const Anchors *anchors)
{
    Timestamp t = {TIMESTAMP_MALFORMED, 0};
    BIO *content = BIO_new(BIO_s_null());
    CMS_ContentInfo *cms = der.size < INT32_MAX ? parse_token(der, response) : NULL;
    TS_TST_INFO *info = cms ? parse_info(cms) : NULL;
    if (content == NULL || info == NULL || !read_time(info, &t.when))
        goto out;
    if (CMS_verify(cms, NULL, NULL, NULL, content, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1) {
        int reason = ERR_GET_REASON(ERR_peek_error());
        t.state = reason == CMS_R_VERIFICATION_FAILURE ? TIMESTAMP_MISMATCH : TIMESTAMP_FORGED;
        goto out;
    }
    t.state = check_signer(cms, t.when, anchors);
    if ((t.state == TIMESTAMP_TRUSTED || t.state == TIMESTAMP_UNTRUSTED) && !matches(info, data))
        t.state = TIMESTAMP_MISMATCH;
out:
    TS_TST_INFO_free(info);
    CMS_ContentInfo_free(cms);
    BIO_free(content);
    ERR_clear_error();
    return t;
}
