#include "cli/signing.h"

#include <stdio.h>
#include <stdlib.h>
#include "credentials/keys.h"

/* The first time. */
static bool make_keys(SoraError *err)
{
    bool made;
    char *folder = keys_folder(NULL, err);
    bool ok = folder != NULL && keys_init(NULL, &(KeysPlan){NULL, NULL, NULL}, &made, err);
    if (ok && made)
        fprintf(stderr, "sora: made keys that sign what it writes, in %s; see sora credentials --help\n",
                folder);
    free(folder);
    return ok;
}

bool signing_open(Signing *s, const SigningArgs *args, const char *output, SoraError *err)
{
    *s = (Signing){0};
    bool required = false;
    /* without credentials, a folder of keys that cannot be read is no error */
    SoraError ignored;
    bool can = sora_can_sign(output);
    if (!keys_required(NULL, &required, args->none || !can ? &ignored : err) && !args->none && can)
        return false;
    if (args->none || !can) {
        s->without =
            args->none ? "nothing signed says that AI made it" : "this kind of file cannot carry them";
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
