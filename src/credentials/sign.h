/* Signing a finished file. */
#ifndef SORA_CREDENTIALS_SIGN_H
#define SORA_CREDENTIALS_SIGN_H

#include <sora.h>
#include "credentials/signer.h"

typedef struct SignTarget {
    const char *path;
    const char *name; /* that it has in messages and, with no other title, in the manifest; NULL: path */
    bool passing;     /* another replaces it soon (base/file.h) */
} SignTarget;

/* Puts a manifest into the file, in constant memory: the signed file replaces it in one step, and after a
 * failure it is as it was. A file that has a manifest is refused. result may be NULL. */
bool sign_file(const Signer *signer, const SignTarget *file, const SoraSigning *how, SoraSigned *result,
               SoraError *err);

/* sora_sign(), with a name. */
bool credentials_sign(const SoraCredentials *credentials, const SignTarget *file, const SoraSigning *how,
                      SoraSigned *result, SoraError *err);

#endif
