/* Signing a finished file. */
#ifndef SORA_CREDENTIALS_SIGN_H
#define SORA_CREDENTIALS_SIGN_H

#include <sora.h>
#include "credentials/signer.h"

enum { SIGN_MAX_INPUTS = 64 };

/* Puts a manifest into the file at path, in constant memory: the signed file replaces it in one step, and
 * after a failure it is as it was. A file that has a manifest is refused. result may be NULL. */
bool sign_file(const Signer *signer, const char *path, const SoraSigning *how, SoraSigned *result,
               SoraError *err);

#endif
