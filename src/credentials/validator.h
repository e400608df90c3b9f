/* What the parts of a validation share: what is looked at, and where its status codes go. */
#ifndef SORA_CREDENTIALS_VALIDATOR_H
#define SORA_CREDENTIALS_VALIDATOR_H

#include "credentials/certificate.h"
#include "credentials/report.h"
#include "credentials/store.h"

typedef struct Validator {
    const Store *store;
    Asset *asset; /* NULL: the media are not looked at */
    const Anchors *anchors;
    Report *report;
    const char *ingredient; /* of the statuses that are added; NULL: of the active manifest */
    int depth;
    bool *walked; /* [manifests of the store]: its ingredients have been looked at */
    bool updated; /* the active manifest is an update: the hash is an earlier one's */
} Validator;

/* Adds a status code of C2PA to the report. */
void validator_say(Validator *v, StatusKind kind, const char *code, const char *url, const char *explanation);

enum { URL_SIZE = 512 };
/* URL of a part of a manifest: "" for itself, "c2pa.signature". */
void manifest_url(const C2paManifest *m, const char *part, char *out, size_t size);
/* URL of one of its assertions. */
void assertion_url(const C2paManifest *m, const char *label, char *out, size_t size);

#endif
