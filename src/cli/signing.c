#include "cli/signing.h"

#include <stdio.h>
#include <stdlib.h>
#include "credentials/keys.h"

/* The first time, and when they are out of date. */
static bool make_keys(SoraError *err)
{
    KeysMade made;
    char *folder = keys_folder(NULL, err);
    bool ok = folder != NULL && keys_init(NULL, &(KeysPlan){0}, &made, err);
    if (ok && made == KEYS_MADE)
        fprintf(stderr, "sora: made keys that sign what it writes, in %s; see sora credentials --help\n", folder);
    else if (ok && made == KEYS_RENEWED)
        fprintf(stderr, "sora: the keys in %s were out of date; made new ones, and root.pem is to be given anew to those who "
                        "trust it\n",
                folder);
    free(folder);
    return ok;
}

/* Is there a policy that demands credentials? Without a home there is none. */
static bool read_policy(bool *required, SoraError *err)
{
    SoraError why = {0};
    if (keys_required(NULL, required, &why) || why.code == SORA_ERROR_NOT_FOUND)
        return true;
    return error_set(err, why.code, "%s", why.message);
}

bool signing_open(Signing *s, const SigningArgs *args, const char *output, SoraError *err)
{
    *s = (Signing){0};
    bool required = false;
    if (!read_policy(&required, err)) /* what it demands is not known */
        return false;
    if (args->none || !sora_can_sign(output)) {
        s->without = args->none ? "nothing signed says that AI made it" : "this kind of file cannot carry them";
        if (required)
            return error_set(err, SORA_ERROR_INPUT, "%s: content credentials are demanded by policy.json: %s",
                             output, args->none ? "--no-credentials is refused" : s->without);
        return true;
    }
    s->credentials = sora_credentials_open(NULL, err);
    if (s->credentials == NULL && err->code == SORA_ERROR_NOT_FOUND && make_keys(err))
        s->credentials = sora_credentials_open(NULL, err);
    if (s->credentials == NULL)
        return error_wrap(err, "content credentials (--no-credentials does without)");
    char exposed[256];
    if (keys_are_exposed(NULL, exposed, sizeof exposed))
        fprintf(stderr, "sora: warning: %s\n", exposed);
    return true;
}

void signing_close(Signing *s)
{
    sora_credentials_close(s->credentials);
    s->credentials = NULL;
}

void signing_report(const SoraSigned *result, const char *output)
{
    if (*result->note != 0)
        fprintf(stderr, "sora: no time-stamp: %s\n", result->note);
    if (*result->untraced != 0)
        fprintf(stderr, "sora: warning: `sora trace` will not know %s: %s\n", output, result->untraced);
}
