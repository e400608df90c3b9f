/* COSE_Sign1 (RFC 9052), taken apart: a claim's signature, or that of an identity within a manifest. */
#ifndef SORA_CREDENTIALS_SIGN1_H
#define SORA_CREDENTIALS_SIGN1_H

#include "credentials/signer.h"

typedef struct Sign1 {
    Span header, signature;
    const CborValue *protected_map, *unprotected;
    CoseAlg alg;            /* COSE_NONE: missing, or none that is known */
    STACK_OF(X509) * chain; /* owned; NULL: none, or damaged */
} Sign1;

/* The values are the arena's and point into cose. False when it is none. sign1_deinit() in any case. */
bool sign1_parse(Sign1 *s, Arena *arena, Span cose);
void sign1_deinit(Sign1 *s);

/* Is the signature that of the first certificate's key over payload? */
bool sign1_check(const Sign1 *s, Span payload);

/* ECDSA as OpenSSL writes it, which COSE does not allow? */
bool sign1_is_der(const Sign1 *s);

#endif
