/* Answers about revocation (OCSP, RFC 6960) that lie in a file: stapled to a signature, or in an assertion.
 */
#ifndef SORA_CREDENTIALS_REVOCATION_H
#define SORA_CREDENTIALS_REVOCATION_H

#include "credentials/bytes.h"
#include "credentials/certificate.h"

typedef enum Revocation {
    REVOCATION_SILENT, /* it says nothing: damaged, about others, or of who may not answer */
    REVOCATION_GOOD,
    REVOCATION_REVOKED, /* or out of date when the file was signed */
} Revocation;

/* Is it an answer, rightly signed, about the first certificate of the chain? The second one must be its
 * issuer's. */
bool revocation_is_about(Span der, STACK_OF(X509) * chain);

/* What it says about that certificate. when: of the signature, where a time-stamp tells; NULL: nobody knows.
 */
Revocation revocation_check(Span der, STACK_OF(X509) * chain, const time_t *when, const Anchors *anchors);

#endif
