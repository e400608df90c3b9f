/* Validation of a claim's signature: COSE, certificates, trust and time-stamp. */
#ifndef SORA_CREDENTIALS_VERIFY_SIGNATURE_H
#define SORA_CREDENTIALS_VERIFY_SIGNATURE_H

#include "credentials/validator.h"

void verify_signature(Validator *v, const C2paManifest *m);

#endif
