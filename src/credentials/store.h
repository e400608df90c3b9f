/* A manifest store, read: its manifests, claims, assertions and hashed URIs. */
#ifndef SORA_CREDENTIALS_STORE_H
#define SORA_CREDENTIALS_STORE_H

#include "base/arena.h"
#include "credentials/cbor_data.h"
#include "credentials/hash.h"
#include "credentials/jumbf.h"

/* A reference with a hash: to an assertion, an ingredient's manifest or a signature. */
typedef struct HashedUri {
    Span url, hash, alg; /* alg is empty when the claim's holds */
} HashedUri;

typedef struct Assertion {
    const char *label; /* "c2pa.ingredient.v3__1" */
    const JumbfBox *box;
    const CborValue *value; /* NULL: it is no CBOR, or no good one */
    bool referenced;        /* by the claim */
} Assertion;

typedef struct C2paManifest {
    const char *label; /* "urn:c2pa:..." */
    const JumbfBox *box, *signature_box;
    bool update; /* an update manifest: no hard binding of its own */
    int version; /* of the claim: 1 or 2 */
    const CborValue *claim;
    Span claim_bytes, signature; /* CBOR of the claim; COSE */
    Span alg;                    /* of the claim's hashes */
    Assertion *assertions;
    int assertion_count;
    HashedUri *references; /* of the claim: assertions, created and gathered */
    int reference_count;
} C2paManifest;

typedef struct Store {
    Arena arena;
    C2paManifest *manifests;
    int count; /* the last one is active */
} Store;

/* source must stay. On failure *code is the status code of C2PA and *err says it in words.
 * store_deinit() also after a failure. */
bool store_load(Store *s, Span source, const char **code, SoraError *err);
void store_deinit(Store *s);

const C2paManifest *store_find(const Store *s, Span label); /* NULL: none */

/* A hashed URI in CBOR; false when value is none. */
bool hashed_uri(const CborValue *value, HashedUri *out);

/* The manifest's label in an absolute URL ("self#jumbf=/c2pa/LABEL/..."); empty for a relative one. */
Span url_manifest(Span url);
/* The last part of the path, which is an assertion's label; empty when there is none. */
Span url_assertion(Span url);

/* Likewise, but only where the path leads through "c2pa.assertions", as actions must name them. */
Span url_assertion_in_store(Span url);

/* The assertion that a URL names in this manifest; NULL: none. */
Assertion *manifest_assertion(const C2paManifest *m, Span url);

/* Is it of this kind, whatever its version and number: "c2pa.actions" for c2pa.actions.v2__1. */
bool assertion_is(const Assertion *a, const char *base);
bool assertion_is_binding(const Assertion *a);

/* What an ingredient assertion says, in any of its versions. */
typedef struct IngredientView {
    Span title, relationship;
    bool has_manifest;
    HashedUri manifest;
    const CborValue *results; /* validationResults or, of older versions, validationStatus; NULL: none */
} IngredientView;
bool ingredient_view(const Assertion *a, IngredientView *out); /* false: malformed */

#endif
