/* clang-format off */
/* The folder with a user's key and certificates. Private keys have mode 0600.
 *
 *     signer.pem    private key, its certificate, intermediates
 *     root.pem      certificate of the user's own root, which others may trust; behind it those of earlier roots that were
 *                   renewed; not there when the certificate was bought
 *     root.key      private key of that root
 *     request.key   private key of a certificate that was asked for
 *     policy.json   {"required": true}: `sora` writes no file without credentials */
/* clang-format on */
#ifndef SORA_CREDENTIALS_KEYS_H
#define SORA_CREDENTIALS_KEYS_H

#include <time.h>
#include "base/error.h"
#include "credentials/bytes.h"
#include "credentials/signer.h"

/* folder, or the user's own when it is NULL; heap. NULL with SORA_ERROR_NOT_FOUND when there is no home. */
char *keys_folder(const char *folder, SoraError *err);

/* A file in it; heap. */
char *keys_path(const char *folder, const char *name, SoraError *err);

typedef struct KeysPlan {
    const char *algorithm;           /* "es256", "ps256" or "ed25519"; NULL: es256 */
    const char *organization, *name; /* of the certificate's subject; NULL: sora.c, and a number */
    time_t now; /* when they begin to be valid, for tests; 0: by the clock, which must not be older than this program */
} KeysPlan;

typedef enum KeysMade {
    KEYS_KEPT, /* there was a signer already, which stays */
    KEYS_MADE,
    KEYS_RENEWED, /* there was one of our own that is out of date: it has expired, or the clock was wrong when it was made */
} KeysMade;

/* Makes a private root and a signer below it, both valid for ten years. A renewed signer keeps its names and its algorithm.
 * Safe for several processes at once. */
bool keys_init(const char *folder, const KeysPlan *plan, KeysMade *made, SoraError *err);

/* A new private key in request.key, and a request for a certificate in PEM, appended to csr. */
bool keys_request(const char *folder, const KeysPlan *plan, Bytes *csr, SoraError *err);

/* Takes a certificate chain (PEM, the signer's first); key_path NULL: that of keys_request(). Checks that
 * they suit each other and C2PA's rules. Replaces the signer in one step. */
bool keys_import(const char *folder, const char *chain_path, const char *key_path, SoraError *err);

/* The signer. SORA_ERROR_NOT_FOUND: there is none yet. signer_close() also after a failure. */
bool keys_open(const char *folder, Signer *signer, SoraError *err);

/* Are its certificates valid now? With an out-of-date one files would be invalid. Else SORA_ERROR_NOT_FOUND when keys_init()
 * renews it, SORA_ERROR_INPUT when it was bought. */
bool keys_check_time(const char *folder, const Signer *signer, SoraError *err);

/* Does the policy demand credentials? False with *err filled when it cannot be read; SORA_ERROR_NOT_FOUND when there is no
 * home where one could be. */
bool keys_required(const char *folder, bool *required, SoraError *err);

/* What others may do with the folder that they should not: true with a line about it, for people. */
bool keys_are_exposed(const char *folder, char *text, size_t size);

#endif
