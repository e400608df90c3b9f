/* Which of many fingerprints may be of the same video: probes, short vectors that are compared by the
 * thousand. Whether one really is: fingerprint_match(). */
#ifndef SORA_TRACE_FINGERPRINT_MATCH_H
#define SORA_TRACE_FINGERPRINT_MATCH_H

#include "trace/fingerprint.h"

enum {
    PROBE_SIZE = 64,   /* 8 x 8 numbers of local contrast */
    PROBE_WINDOWS = 7, /* parts of the picture that a cropped copy may show */
    PROBE_MAX_TIMES = 128,
    PROBE_TIME_BYTES = PROBE_SIZE * PROBE_WINDOWS,
};

/* What is kept for finding a fingerprint: *size bytes, a whole number of PROBE_TIME_BYTES; free() them. NULL
 * without memory. */
int8_t *probes_encode(const Fingerprint *f, size_t *size, SoraError *err);

typedef struct FingerprintQuery FingerprintQuery;

/* Copies what it needs of f. NULL without memory. */
FingerprintQuery *fingerprint_query_new(const Fingerprint *f, SoraError *err);
void fingerprint_query_free(FingerprintQuery *q); /* NULL is allowed */

/* A guess at how the query shows the stored one. */
typedef struct ProbeHit {
    float score; /* -1 to 1 */
    int window;
    bool mirrored;
} ProbeHit;

/* size: a whole number of PROBE_TIME_BYTES, at least one. Any bytes will do. */
ProbeHit probes_compare(const FingerprintQuery *q, const int8_t *probes, size_t size);

typedef struct FingerprintMatch {
    bool found;    /* is it a copy? */
    double score;  /* how well pictures and motion agree, up to 1; a copy has 0.96 and more */
    double still;  /* the pictures alone: mean correlation of local contrast, up to 1 */
    double motion; /* correlation of what changes between frames; 0 where nothing does */
    bool mirrored;
    double begin; /* seconds: where the query's beginning lies in the stored one; may be negative */
    double x, y, width, height; /* the part of the stored picture that the query shows, of 1 */
} FingerprintMatch;

/* Begins with the guess. */
bool fingerprint_match(FingerprintQuery *q, const Fingerprint *stored, ProbeHit hit,
                       FingerprintMatch *match, SoraError *err);

#endif
