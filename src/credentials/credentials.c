/* The public functions on content credentials. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/shortage.h"
#include "credentials/keys.h"
#include "credentials/sign.h"
#include "credentials/verify.h"

struct SoraCredentials {
    Signer signer;
};

struct SoraVerification {
    SoraVerdict verdict;
    bool trusted;
    char *json;
};

SoraCredentials *sora_credentials_open(const char *folder, SoraError *err)
{
    SoraCredentials *c = calloc(1, sizeof *c);
    if (c == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "credentials: out of memory");
        return NULL;
    }
    shortage_begin();
    bool ok = keys_open(folder, &c->signer, err) && keys_check_time(folder, &c->signer, err);
    if (shortage_seen())
        ok = error_set(err, SORA_ERROR_MEMORY, "credentials: out of memory");
    if (ok)
        return c;
    sora_credentials_close(c);
    return NULL;
}

void sora_credentials_close(SoraCredentials *credentials)
{
    if (credentials == NULL)
        return;
    signer_close(&credentials->signer);
    free(credentials);
}

bool sora_credentials_init(const char *folder, SoraError *err)
{
    KeysMade made;
    return keys_init(folder, &(KeysPlan){0}, &made, err);
}

bool sora_can_sign(const char *path)
{
    static const char *const extensions[] = {".mp4", ".png", ".jpg", ".jpeg", ".webp"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof extensions / sizeof *extensions; i++)
        if (strcasecmp(dot, extensions[i]) == 0)
            return true;
    return false;
}

bool credentials_sign(const SoraCredentials *credentials, const SignTarget *file, const SoraSigning *how,
                      SoraSigned *result, SoraError *err)
{
    shortage_begin();
    return sign_file(&credentials->signer, file, how, result, err) ||
           (shortage_seen() ? error_set(err, SORA_ERROR_MEMORY, "%s: out of memory for signing", file->path) : false);
}

bool sora_sign(const SoraCredentials *credentials, const char *path, const SoraSigning *what,
               SoraSigned *result, SoraError *err)
{
    return credentials_sign(credentials, &(SignTarget){.path = path}, what, result, err);
}

SoraVerification *sora_verify(const char *path, const char *anchors, SoraError *err)
{
    Verification v = {0};
    json_t *json = NULL;
    SoraVerification *out = calloc(1, sizeof *out);
    Anchors *trusted = anchors_open(anchors, err);
    bool ok = out != NULL && trusted != NULL && verify_file(&v, path, trusted, err);
    if (ok) {
        out->verdict = !v.has_store                 ? SORA_VERDICT_NONE
                       : report_is_valid(&v.report) ? SORA_VERDICT_VALID
                                                    : SORA_VERDICT_INVALID;
        out->trusted = report_is_trusted(&v.report);
        json = report_json(&v.report, path);
        out->json = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
        ok = (out->json != NULL && !shortage_seen()) || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    } else if (out == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    }
    json_decref(json);
    verification_deinit(&v);
    anchors_free(trusted);
    if (!ok) {
        sora_verification_free(out);
        return NULL;
    }
    return out;
}

SoraVerdict sora_verification_verdict(const SoraVerification *v)
{
    return v->verdict;
}

bool sora_verification_trusted(const SoraVerification *v)
{
    return v->trusted;
}

const char *sora_verification_json(const SoraVerification *v)
{
    return v->json;
}

void sora_verification_free(SoraVerification *v)
{
    if (v == NULL)
        return;
    free(v->json);
    free(v);
}
