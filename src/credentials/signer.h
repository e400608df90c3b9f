/* A key with its certificates, and COSE_Sign1 (RFC 9052) over a claim, made and taken apart with OpenSSL. */
#ifndef SORA_CREDENTIALS_SIGNER_H
#define SORA_CREDENTIALS_SIGNER_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <time.h>
#include "base/error.h"
#include "credentials/bytes.h"
#include "credentials/cbor_data.h"

/* The signature algorithms of C2PA, by COSE's numbers. */
typedef enum CoseAlg {
    COSE_NONE = 0,
    COSE_ES256 = -7,
    COSE_ES384 = -35,
    COSE_ES512 = -36,
    COSE_PS256 = -37,
    COSE_PS384 = -38,
    COSE_PS512 = -39,
    COSE_ED25519 = -8,
} CoseAlg;

const char *cose_alg_name(CoseAlg alg); /* "ES256"; NULL: no such number */

typedef struct Signer {
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* the key's own first; without the root */
    CoseAlg alg;            /* follows from the key */
    size_t signature_size;  /* bytes */
} Signer;

/* PEM files; what they hold is checked against each other. signer_close() also after a failure. */
bool signer_open(Signer *s, const char *key_path, const char *chain_path, SoraError *err);
void signer_close(Signer *s);

/* For OpenSSL's readers of PEM: nobody is asked for a password. */
int pem_no_password(char *buffer, int size, int writing, void *user);

/* Are all its certificates valid then? */
typedef enum SignerTime { SIGNER_IN_TIME, SIGNER_EXPIRED, SIGNER_NOT_YET } SignerTime;
SignerTime signer_time(const Signer *s, time_t when);

/* The algorithm for a key: ES256, ES384, ES512 by curve, PS256 for RSA, EdDSA for Ed25519. COSE_NONE:
 * another. */
CoseAlg cose_alg_of_key(const EVP_PKEY *key);

/* The protected header: the algorithm and the certificates. */
void cose_put_protected(const Signer *s, Bytes *out);

/* What is signed: the structure of a purpose ("Signature1", "CounterSignature") over header and payload. */
void cose_put_signed(const char *purpose, Span header, Span payload, Bytes *out);

/* Signs as COSE wants it (ECDSA as r||s), signature_size bytes appended. */
bool signer_sign(const Signer *s, Span data, Bytes *out, SoraError *err);

/* Does key verify the signature? False without a reason: there is but one. */
bool cose_check(CoseAlg alg, EVP_PKEY *key, Span data, Span signature);

/* The whole COSE_Sign1: token may be empty (no time-stamp); with size > 0 filled up to that many bytes. */
bool cose_put_sign1(Span header, Span token, Span signature, size_t size, Bytes *out, SoraError *err);

#endif
