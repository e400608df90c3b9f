/* Validation of a file's content credentials, as section 15 of the C2PA specification has it. */
#ifndef SORA_SAFETY_VERIFY_H
#define SORA_SAFETY_VERIFY_H

#include "safety/asset.h"
#include "safety/certificate.h"
#include "safety/report.h"
#include "safety/store.h"

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

/* The parts. All add to the report. */
typedef struct Validator {
    const Store *store;
    Asset *asset; /* NULL: the media are not looked at */
    const Anchors *anchors;
    Report *report;
    const char *ingredient; /* of the statuses that are added; NULL: of the active manifest */
    int depth;
    bool updated; /* the active manifest is an update: the hash is an earlier one's */
} Validator;

void validator_say(Validator *v, StatusKind kind, const char *code, const char *url, const char *explanation);
/* URL of a part of a manifest: "" for itself, "c2pa.signature", "c2pa.assertions/..." */
void manifest_url(const Manifest *m, const char *part, char *out, size_t size);
enum { URL_SIZE = 512 };

/* Does the ingredient's record of its validation hold the same code for the same place? */
bool results_have(const IngredientView *view, const Status *status);

void verify_signature(Validator *v, const Manifest *m);
void verify_actions(Validator *v, const Manifest *m);
void verify_binding(Validator *v, const Manifest *m);
void verify_identities(Validator *v, const Manifest *m);

/* CAWG's identity assertions, and whether all is in one that must be. */
bool identity_is(const Assertion *a);
bool identity_is_readable(const Assertion *a);

/* Who signed, with which algorithm and when, for people: into the manifest's JSON. */
void describe_signature(const Manifest *m, json_t *out);
/* All manifests of the store. */
json_t *describe_store(const Store *s);

#endif
