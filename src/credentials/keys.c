#include "credentials/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/json_file.h"
#include "credentials/certificate.h"

enum { YEARS = 10, MAX_NAME = 64 }; /* of a certificate's subject: RFC 5280's limit */

char *keys_folder(const char *folder, SoraError *err)
{
    static const char below[] = "sora/credentials";
    const char *own = getenv("SORA_CREDENTIALS"), *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;
    if (folder != NULL || (own != NULL && *own != 0))
        n = asprintf(&path, "%s", folder ? folder : own);
    else if (config != NULL && *config == '/')
        n = asprintf(&path, "%s/%s", config, below);
    else if (home != NULL && *home == '/')
        n = asprintf(&path, "%s/.config/%s", home, below);
    else {
        error_set(err, SORA_ERROR_NOT_FOUND, "no folder for credentials: $HOME is not set");
        return NULL;
    }
    if (n >= 0)
        return path;
    error_set(err, SORA_ERROR_MEMORY, "out of memory");
    return NULL;
}

char *keys_path(const char *folder, const char *name, SoraError *err)
{
    char *path = NULL, *place = keys_folder(folder, err);
    if (place != NULL && asprintf(&path, "%s/%s", place, name) < 0) {
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
        path = NULL;
    }
    free(place);
    return path;
}

static bool openssl_failed(const char *what, SoraError *err)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    error_set(err, SORA_ERROR_INTERNAL, "openssl: cannot %s: %s", what, why ? why : "unknown reason");
    ERR_clear_error();
    return false;
}

static EVP_PKEY *make_key(const char *algorithm, SoraError *err)
{
    EVP_PKEY *key = NULL;
    if (algorithm == NULL || strcasecmp(algorithm, "es256") == 0)
        key = EVP_EC_gen("P-256");
    else if (strcasecmp(algorithm, "ps256") == 0)
        key = EVP_RSA_gen(3072);
    else if (strcasecmp(algorithm, "ed25519") == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else {
        error_set(err, SORA_ERROR_INPUT, "\"%.20s\": not one of es256, ps256, ed25519", algorithm);
        return NULL;
    }
    if (key == NULL)
        openssl_failed("make a key", err);
    return key;
}

static bool add_name(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) ==
           1;
}

static bool set_name(X509_NAME *name, const KeysPlan *plan, const char *what, SoraError *err)
{
    char own[MAX_NAME];
    uint8_t random[4];
    if ((plan->organization && strlen(plan->organization) > MAX_NAME) ||
        (plan->name && strlen(plan->name) > MAX_NAME))
        return error_set(err, SORA_ERROR_INPUT, "a certificate's names have at most %d bytes", MAX_NAME);
    if (RAND_bytes(random, sizeof random) != 1)
        return openssl_failed("make random numbers", err);
    /* nobody's name or machine: these files are shown to the world */
    snprintf(own, sizeof own, "sora.c %s %02x%02x%02x%02x", what, random[0], random[1], random[2], random[3]);
    bool root = strcmp(what, "root") == 0;
    return (add_name(name, "O", plan->organization ? plan->organization : "sora.c private credentials") &&
            add_name(name, "CN", plan->name && !root ? plan->name : own)) ||
           error_set(err, SORA_ERROR_INPUT, "names of a certificate must be UTF-8 and not empty");
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX c;
    X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    bool ok = e != NULL && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool add_extensions(X509 *x, X509 *issuer)
{
    bool root = x == issuer;
    return add_extension(x, issuer, NID_basic_constraints, root ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_extension(x, issuer, NID_key_usage,
                         root ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           (root || add_extension(x, issuer, NID_ext_key_usage, "emailProtection,1.3.6.1.4.1.62558.2.1")) &&
           add_extension(x, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(x, issuer, NID_authority_key_identifier, "keyid");
}

/* A certificate over key; issuer NULL: a root, signed by itself. */
static X509 *make_certificate(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const KeysPlan *plan,
                              SoraError *err)
{
    uint8_t serial[16];
    X509 *x = X509_new();
    BIGNUM *number = NULL;
    bool ok = x != NULL && RAND_bytes(serial, sizeof serial) == 1;
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    time_t begin = plan->now - 86400, end = plan->now + (time_t)YEARS * 365 * 86400;
    ok = ok && (number = BN_bin2bn(serial, sizeof serial, NULL)) != NULL &&
         BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL &&
         X509_set_version(x, X509_VERSION_3) && X509_time_adj_ex(X509_getm_notBefore(x), 0, 0, &begin) &&
         X509_time_adj_ex(X509_getm_notAfter(x), 0, 0, &end) && X509_set_pubkey(x, key);
    BN_free(number);
    if (ok && !set_name(X509_get_subject_name(x), plan, issuer ? "signer" : "root", err)) {
        X509_free(x);
        return NULL;
    }
    ok = ok && X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)) &&
         add_extensions(x, issuer ? issuer : x) &&
         X509_sign(x, issuer_key,
                   EVP_PKEY_get_base_id(issuer_key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) > 0;
    if (!ok) {
        openssl_failed("make a certificate", err);
        X509_free(x);
        return NULL;
    }
    return x;
}

/* What goes into one file. */
typedef struct PemFile {
    const char *folder, *name;
    EVP_PKEY *key;          /* NULL: none; with one the file is for the owner alone */
    STACK_OF(X509) * chain; /* NULL: none */
} PemFile;

static bool write_pem(const PemFile *f, SoraError *err)
{
    FileWriter w;
    char *path = NULL;
    if (asprintf(&path, "%s/%s", f->folder, f->name) < 0)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    bool ok = file_writer_open_mode(&w, path, f->key != NULL ? 0600 : 0644, err);
    if (!ok)
        goto out;
    BIO *bio = BIO_new_fp(w.stream, BIO_NOCLOSE);
    ok = bio != NULL &&
         (f->key == NULL || PEM_write_bio_PKCS8PrivateKey(bio, f->key, NULL, NULL, 0, NULL, NULL) == 1);
    for (int i = 0; ok && f->chain != NULL && i < sk_X509_num(f->chain); i++)
        ok = PEM_write_bio_X509(bio, sk_X509_value(f->chain, i)) == 1;
    ok = ok && BIO_flush(bio) == 1;
    BIO_free(bio);
    if (!ok) {
        file_writer_abort(&w);
        error_set(err, SORA_ERROR_IO, "%s: cannot write", path);
    }
    ok = ok && file_writer_commit(&w, err);
out:
    ERR_clear_error();
    free(path);
    return ok;
}

/* The folder, for the owner alone, and a lock in it; -1 on failure. close() unlocks. */
static int lock_folder(const char *folder, SoraError *err)
{
    char *path = NULL;
    if (!dir_make_mode(folder, 0700, err))
        return -1;
    if (asprintf(&path, "%s/lock", folder) < 0) {
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", folder);
        return -1;
    }
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        error_system(err, path, "cannot write");
        if (lock >= 0)
            close(lock);
        lock = -1;
    }
    if (lock >= 0)
        scratch_sweep(folder); /* a killed process may have left keys there */
    free(path);
    return lock;
}

static bool has_file(const char *folder, const char *name)
{
    char *path = NULL;
    bool there = asprintf(&path, "%s/%s", folder, name) >= 0 && file_exists(path);
    free(path);
    return there;
}

/* The certificates of a PEM file; none when it cannot be read. NULL without memory. */
static STACK_OF(X509) * read_certificates(const char *folder, const char *name)
{
    char *path = NULL;
    STACK_OF(X509) *list = sk_X509_new_null();
    BIO *bio = list != NULL && asprintf(&path, "%s/%s", folder, name) >= 0 ? BIO_new_file(path, "r") : NULL;
    for (X509 *x; bio != NULL && (x = PEM_read_bio_X509(bio, NULL, pem_no_password, NULL)) != NULL;)
        if (!sk_X509_push(list, x))
            X509_free(x);
    BIO_free(bio);
    free(path);
    ERR_clear_error();
    return list;
}

/* Is the signer one that keys_init() made? */
static bool is_own(const char *folder, const Signer *s)
{
    STACK_OF(X509) *roots = has_file(folder, "root.key") ? read_certificates(folder, "root.pem") : NULL;
    bool own = false;
    for (int i = 0; roots != NULL && i < sk_X509_num(roots) && !own; i++)
        own = X509_check_issued(sk_X509_value(roots, i), sk_X509_value(s->chain, 0)) == X509_V_OK &&
              X509_verify(sk_X509_value(s->chain, 0), X509_get0_pubkey(sk_X509_value(roots, i))) == 1;
    sk_X509_pop_free(roots, X509_free);
    ERR_clear_error();
    return own;
}

/* earlier: roots whose files must still be trusted; behind the new one. */
static bool make_all(const char *folder, const KeysPlan *plan, STACK_OF(X509) * earlier, SoraError *err)
{
    bool ok = false;
    STACK_OF(X509) *roots = sk_X509_new_null(), *chain = sk_X509_new_null();
    X509 *root = NULL, *leaf = NULL;
    EVP_PKEY *root_key = make_key("es256", err), *key = root_key ? make_key(plan->algorithm, err) : NULL;
    if (key == NULL || (root = make_certificate(root_key, NULL, root_key, plan, err)) == NULL ||
        (leaf = make_certificate(key, root, root_key, plan, err)) == NULL)
        goto out;
    ok = sk_X509_push(roots, root) && sk_X509_push(chain, leaf);
    for (int i = 0; ok && earlier != NULL && i < sk_X509_num(earlier); i++)
        ok = sk_X509_push(roots, sk_X509_value(earlier, i)) > 0;
    if (!ok) {
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
        goto out;
    }
    /* signer.pem last: with it the folder is complete */
    ok = write_pem(&(PemFile){folder, "root.key", root_key, NULL}, err) &&
         write_pem(&(PemFile){folder, "root.pem", NULL, roots}, err) &&
         write_pem(&(PemFile){folder, "signer.pem", key, chain}, err);
out:
    sk_X509_free(roots);
    sk_X509_free(chain);
    X509_free(root);
    X509_free(leaf);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(key);
    return ok;
}

/* Keys from before this program was written would never be valid. */
static bool check_clock(KeysPlan *plan, SoraError *err)
{
    static const time_t written = 1767225600; /* 2026-01-01 */
    char day[16] = "";
    struct tm tm;
    if (plan->now != 0)
        return true;
    plan->now = time(NULL);
    if (plan->now < written && gmtime_r(&plan->now, &tm) != NULL)
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    return plan->now >= written ||
           error_set(err, SORA_ERROR_INPUT, "no keys are made on %s, by the clock: set it, for they would not be valid", day);
}

static const char *algorithm_of(const Signer *s)
{
    return s->alg == COSE_PS256 ? "ps256" : s->alg == COSE_ED25519 ? "ed25519" : "es256";
}

/* A signer that takes the place of s. */
static bool renew(const char *folder, const Signer *s, const KeysPlan *plan, SoraError *err)
{
    char organization[MAX_NAME + 1] = "", name[MAX_NAME + 1] = "";
    X509_NAME *subject = X509_get_subject_name(sk_X509_value(s->chain, 0));
    KeysPlan same = {.algorithm = algorithm_of(s), .now = plan->now};
    if (X509_NAME_get_text_by_NID(subject, NID_organizationName, organization, sizeof organization) > 0)
        same.organization = organization;
    if (X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof name) > 0)
        same.name = name;
    STACK_OF(X509) *roots = read_certificates(folder, "root.pem");
    bool ok = roots != NULL ? make_all(folder, &same, roots, err) : error_set(err, SORA_ERROR_MEMORY, "out of memory");
    sk_X509_pop_free(roots, X509_free);
    return ok;
}

static bool init_locked(const char *folder, const KeysPlan *asked, KeysMade *made, SoraError *err)
{
    KeysPlan plan = *asked;
    Signer s = {0};
    bool there = has_file(folder, "signer.pem"), ok = check_clock(&plan, err);
    if (ok && !there) {
        ok = make_all(folder, &plan, NULL, err);
        *made = KEYS_MADE;
    } else if (ok && keys_open(folder, &s, NULL) && signer_time(&s, plan.now) != SIGNER_IN_TIME && is_own(folder, &s)) {
        ok = renew(folder, &s, &plan, err);
        *made = KEYS_RENEWED;
    }
    signer_close(&s);
    return ok;
}

bool keys_init(const char *folder, const KeysPlan *plan, KeysMade *made, SoraError *err)
{
    *made = KEYS_KEPT;
    char *place = keys_folder(folder, err);
    if (place == NULL)
        return false;
    int lock = lock_folder(place, err);
    bool ok = lock >= 0 && init_locked(place, plan, made, err);
    if (lock >= 0)
        close(lock);
    free(place);
    return ok;
}

bool keys_request(const char *folder, const KeysPlan *plan, Bytes *csr, SoraError *err)
{
    char *place = keys_folder(folder, err), *text = NULL;
    int lock = place ? lock_folder(place, err) : -1;
    EVP_PKEY *key = lock >= 0 ? make_key(plan->algorithm, err) : NULL;
    X509_REQ *req = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = key != NULL && req != NULL && bio != NULL &&
              set_name(X509_REQ_get_subject_name(req), plan, "signer", err);
    if (ok) {
        const EVP_MD *digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
        ok = (X509_REQ_set_version(req, X509_REQ_VERSION_1) && X509_REQ_set_pubkey(req, key) &&
              X509_REQ_sign(req, key, digest) > 0 && PEM_write_bio_X509_REQ(bio, req) == 1) ||
             openssl_failed("make a request", err);
    }
    ok = ok && write_pem(&(PemFile){place, "request.key", key, NULL}, err);
    if (ok) {
        long size = BIO_get_mem_data(bio, &text);
        bytes_put(csr, text, (size_t)size);
        ok = !csr->failed || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    }
    BIO_free(bio);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    if (lock >= 0)
        close(lock);
    free(place);
    return ok;
}

static bool check_import(const Signer *s, const char *chain_path, SoraError *err)
{
    bool expired;
    int count = sk_X509_num(s->chain);
    const char *wrong =
        certificate_check(sk_X509_value(s->chain, 0), CERTIFICATE_SIGNING, time(NULL), &expired);
    if (wrong != NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: %s", chain_path, wrong);
    for (int i = 1; i < count; i++)
        if (X509_check_issued(sk_X509_value(s->chain, i), sk_X509_value(s->chain, i - 1)) != X509_V_OK)
            return error_set(err, SORA_ERROR_INPUT,
                             "%s: certificate %d did not issue the one before it; the signer's comes first",
                             chain_path, i + 1);
    return true;
}

bool keys_import(const char *folder, const char *chain_path, const char *key_path, SoraError *err)
{
    Signer s = {0};
    char *place = keys_folder(folder, err), *own = NULL;
    int lock = place ? lock_folder(place, err) : -1;
    bool ok = lock >= 0;
    if (ok && key_path == NULL) {
        own = keys_path(place, "request.key", err);
        ok = own != NULL &&
             (file_exists(own) || error_set(err, SORA_ERROR_NOT_FOUND,
                                            "no key was made by `sora credentials request`; give "
                                            "the certificate's with --key"));
    }
    ok = ok && signer_open(&s, key_path ? key_path : own, chain_path, err) &&
         check_import(&s, chain_path, err) && write_pem(&(PemFile){place, "signer.pem", s.key, s.chain}, err);
    signer_close(&s);
    if (lock >= 0)
        close(lock);
    free(own);
    free(place);
    return ok;
}

bool keys_open(const char *folder, Signer *signer, SoraError *err)
{
    *signer = (Signer){0};
    char *place = keys_folder(folder, NULL), *path = keys_path(folder, "signer.pem", err);
    if (place != NULL)
        scratch_sweep(place); /* a killed process may have left keys there */
    free(place);
    if (path == NULL)
        return false;
    bool ok = file_exists(path) ? signer_open(signer, path, path, err)
                                : error_set(err, SORA_ERROR_NOT_FOUND,
                                            "%s: no such file; `sora credentials init` makes it", path);
    free(path);
    return ok;
}

static void day_of(const ASN1_TIME *t, char out[16])
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1 || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
        snprintf(out, 16, "?");
}

bool keys_check_time(const char *folder, const Signer *signer, SoraError *err)
{
    SignerTime when = signer_time(signer, time(NULL));
    if (when == SIGNER_IN_TIME)
        return true;
    char *place = keys_folder(folder, err), from[16], to[16];
    if (place == NULL)
        return false;
    X509 *x = sk_X509_value(signer->chain, 0);
    day_of(X509_get0_notBefore(x), from);
    day_of(X509_get0_notAfter(x), to);
    bool own = is_own(place, signer);
    error_set(err, own ? SORA_ERROR_NOT_FOUND : SORA_ERROR_INPUT, "%s/signer.pem: the certificate %s (valid %s to %s); %s", place,
              when == SIGNER_EXPIRED ? "expired" : "is not valid yet", from, to,
              own ? "`sora credentials init` renews it" : "`sora credentials import` takes a new one");
    free(place);
    return false;
}

/* *there: is the file? False with *err filled when nobody can say. */
static bool look_for(const char *path, bool *there, SoraError *err)
{
    struct stat st;
    *there = stat(path, &st) == 0;
    return *there || errno == ENOENT || errno == ENOTDIR || error_system(err, path, "cannot read");
}

bool keys_required(const char *folder, bool *required, SoraError *err)
{
    *required = false;
    bool there;
    char *path = keys_path(folder, "policy.json", err);
    if (path == NULL)
        return false;
    bool ok = look_for(path, &there, err);
    if (ok && there) {
        json_t *policy = json_file_read(path, err);
        json_t *value = json_object_get(policy, "required");
        ok = policy != NULL;
        if (!ok && err != NULL && err->code == SORA_ERROR_NOT_FOUND)
            err->code = SORA_ERROR_IO; /* it was there */
        if (ok && value != NULL && !json_is_boolean(value))
            ok = error_set(err, SORA_ERROR_INPUT, "%s: \"required\" is not true or false", path);
        *required = ok && json_is_true(value);
        json_decref(policy);
    }
    free(path);
    return ok;
}

bool keys_are_exposed(const char *folder, char *text, size_t size)
{
    static const char *const secrets[] = {"signer.pem", "root.key", "request.key"};
    struct stat st;
    char *place = keys_folder(folder, NULL);
    bool exposed = place != NULL && stat(place, &st) == 0 && (st.st_mode & 022) != 0;
    if (exposed)
        snprintf(text, size, "%.160s: others may write there (mode %03o); chmod 700 mends it", place, (unsigned)st.st_mode & 0777);
    for (size_t i = 0; place != NULL && !exposed && i < sizeof secrets / sizeof *secrets; i++) {
        char *path = keys_path(place, secrets[i], NULL);
        exposed = path != NULL && stat(path, &st) == 0 && (st.st_mode & 077) != 0;
        if (exposed)
            snprintf(text, size, "%.160s: others may read this private key (mode %03o); chmod 600 mends it", path,
                     (unsigned)st.st_mode & 0777);
        free(path);
    }
    free(place);
    return exposed;
}
