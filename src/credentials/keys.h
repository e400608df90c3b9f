/* clang-format off */
/* The folder with a user's key and certificates. Private keys have mode 0600.
 *
 *     signer.pem    private key, its certificate, intermediates
 *     root.pem      certificate of the user's own root, which others may trust; not there when the certificate was bought
 *     root.key      private key of that root
 *     request.key   private key of a certificate that was asked for
 *     policy.json   {"required": true}: every file must carry credentials */
/* clang-format on */
#ifndef SORA_CREDENTIALS_KEYS_H
#define SORA_CREDENTIALS_KEYS_H

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
} KeysPlan;

/* Makes a private root and a signer below it, both valid for ten years. *made: false when there was one
 * already, which stays. Safe for several processes at once. */
bool keys_init(const char *folder, const KeysPlan *plan, bool *made, SoraError *err);

/* A new private key in request.key, and a request for a certificate in PEM, appended to csr. */
bool keys_request(const char *folder, const KeysPlan *plan, Bytes *csr, SoraError *err);

/* Takes a certificate chain (PEM, the signer's first); key_path NULL: that of keys_request(). Checks that
 * they suit each other and C2PA's rules. Replaces the signer in one step. */
bool keys_import(const char *folder, const char *chain_path, const char *key_path, SoraError *err);

/* The signer. SORA_ERROR_NOT_FOUND: there is none yet. signer_close() also after a failure. */
bool keys_open(const char *folder, Signer *signer, SoraError *err);

/* Does the policy demand credentials? False with *err filled when it cannot be read. */
bool keys_required(const char *folder, bool *required, SoraError *err);

#endif
