/* The certificates of signatures, time-stamps and answers about revocation: what C2PA demands of them, and
 * whether they are trusted. */
#ifndef SORA_CREDENTIALS_CERTIFICATE_H
#define SORA_CREDENTIALS_CERTIFICATE_H

#include <openssl/x509.h>
#include <time.h>
#include "base/error.h"

typedef enum CertificateUse { CERTIFICATE_SIGNING, CERTIFICATE_TIME_STAMP, CERTIFICATE_OCSP } CertificateUse;

/* The rules for an end entity. NULL when it keeps them, else what is wrong, in words; *expired tells whether
 * it is the time. */
const char *certificate_check(X509 *x, CertificateUse use, time_t when, bool *expired);

/* Trust anchors from a PEM file; path NULL: none. NULL on failure. anchors_free(NULL) is allowed. */
typedef struct Anchors Anchors;
Anchors *anchors_open(const char *path, SoraError *err);
void anchors_free(Anchors *a);

/* Is there a path from the first certificate to an anchor, through the others? The times of the certificates
 * above it must hold at `when`. */
bool anchors_trust(const Anchors *a, STACK_OF(X509) * chain, time_t when);

#endif
