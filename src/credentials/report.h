/* What was found while a file's credentials were validated: status codes of C2PA, and the verdict. */
#ifndef SORA_CREDENTIALS_REPORT_H
#define SORA_CREDENTIALS_REPORT_H

#include <jansson.h>
#include <sora.h>
#include "base/arena.h"
#include "credentials/bytes.h"

typedef enum StatusKind { STATUS_SUCCESS, STATUS_INFORMATIONAL, STATUS_FAILURE } StatusKind;

typedef struct Status {
    StatusKind kind;
    const char *code, *url, *explanation; /* url and explanation may be "" */
    const char
        *ingredient; /* URL of the ingredient assertion below which it was found; NULL: the active manifest */
} Status;

typedef struct Report {
    Arena arena; /* of the strings */
    Status *list;
    int count, room;
    bool failed;        /* out of memory; sticky */
    bool present;       /* the file has credentials, good or bad */
    const char *active; /* label of the active manifest; NULL: none was read */
    json_t *manifests;  /* for people: who, what and when, by label; NULL: none */
} Report;

void report_init(Report *r);
void report_deinit(Report *r);

/* Everything is copied but code, which must stay. */
void report_add(Report *r, const Status *status);

/* The verdict: valid, by any signer; or valid and by a trusted one. */
bool report_is_valid(const Report *r);
bool report_is_trusted(const Report *r);

/* The whole report; the caller's. path: of the file. NULL when out of memory. */
json_t *report_json(const Report *r, const char *path);

/* {"activeManifest": {"success": [...], "informational": [...], "failure": [...]}, "ingredientDeltas":
 * [...]}, as ingredient assertions hold it, in CBOR. */
void report_put_results(const Report *r, Bytes *out);

#endif
