/* CAWG's identity assertions (cawg.io, 1.1 to 1.3): who stands behind a file, signed apart from the claim.
 * Kind cawg.x509.cose is checked; what it finds is about the identity and alone makes no manifest invalid.
 * There are no anchors for identities here, so every one is untrusted. */
#ifndef SORA_CREDENTIALS_VERIFY_IDENTITY_H
#define SORA_CREDENTIALS_VERIFY_IDENTITY_H

#include "credentials/validator.h"

void verify_identities(Validator *v, const C2paManifest *m);

bool identity_is(const Assertion *a);
/* Is all in it that must be? */
bool identity_is_readable(const Assertion *a);

#endif
