/* A C2PA 2 manifest, written: assertions, claim and signature, after the manifests of what the file was made
 * from. */
#ifndef SORA_CREDENTIALS_MANIFEST_H
#define SORA_CREDENTIALS_MANIFEST_H

#include <sora.h>
#include "credentials/asset.h"
#include "credentials/hash.h"
#include "credentials/signer.h"

enum { MANIFEST_LABEL = 48 }; /* "urn:c2pa:" and a UUID */

/* An input, read and validated. */
typedef struct Ingredient {
    const char *title, *media_type; /* media_type NULL: not known */
    SoraInputRole role;
    const char *label;              /* of its active manifest; NULL: it has no credentials */
    Hash manifest, claim_signature; /* of the boxes */
    Span results;                   /* our validation of it: CBOR of the assertion's validationResults */
} Ingredient;

typedef struct ManifestPlan {
    AssetKind kind;
    char label[MANIFEST_LABEL], instance[MANIFEST_LABEL]; /* of the new manifest */
    char when[24];                                        /* 2026-01-31T12:00:00Z */
    const char *title, *model, *prompt, *operation;       /* NULL: left out */
    const char *const *loras;                             /* that changed the model; ends with NULL; or NULL */
    const Span *manifests;                                /* boxes of the inputs, copied as they are */
    size_t manifest_count;
    const Ingredient *ingredients;
    size_t ingredient_count;
    const Signer *signer;
    size_t signature_box; /* bytes of the COSE structure; 0: what it needs, without a time-stamp */
    HashRange excluded;   /* of the hash; MP4 does without */
    Hash hash;            /* of the media; 32 zeros to learn the store's size */
} ManifestPlan;

/* Fresh label, instance and time. */
bool manifest_plan_init(ManifestPlan *plan, AssetKind kind, SoraError *err);

/* Asked for a time-stamp of a signature; an empty span: none. */
typedef Span (*ManifestStamp)(Span header, Span signature, void *user);
typedef struct ManifestWriter {
    const ManifestPlan *plan;
    bool placeholder;    /* zeros for the signature: only the size matters */
    ManifestStamp stamp; /* NULL: no time-stamp */
    void *user;          /* given to it */
} ManifestWriter;

/* The whole store, appended. Its size does not depend on hash, signature and time-stamp. */
bool manifest_write(const ManifestWriter *w, Bytes *store, SoraError *err);

#endif
