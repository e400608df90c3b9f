/* Validation of a file's content credentials, as section 15 of the C2PA specification has it. */
#ifndef SORA_CREDENTIALS_VERIFY_H
#define SORA_CREDENTIALS_VERIFY_H

#include "credentials/asset.h"
#include "credentials/certificate.h"
#include "credentials/report.h"
#include "credentials/store.h"

/* A file, its manifest store if it has one, and what is to be said about it. */
typedef struct Verification {
    Asset asset;
    Store store;
    Report report;
    bool has_store;
} Verification;

/* path must stay. False when the file cannot be read at all, or carries nothing because of its kind
 * (SORA_ERROR_INPUT); a store that is damaged is no failure but a verdict. verification_deinit() in any case.
 */
bool verify_file(Verification *v, const char *path, const Anchors *anchors, SoraError *err);
void verification_deinit(Verification *v);

#endif
