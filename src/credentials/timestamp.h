/* Time-stamps of RFC 3161: asked for by URL, and checked. */
#ifndef SORA_CREDENTIALS_TIMESTAMP_H
#define SORA_CREDENTIALS_TIMESTAMP_H

#include <time.h>
#include "base/error.h"
#include "credentials/bytes.h"
#include "credentials/certificate.h"

/* A token over SHA-256 of data from a service at http:// or https://, appended to token as DER. */
bool timestamp_request(const char *url, Span data, Bytes *token, SoraError *err);

typedef enum TimestampState {
    TIMESTAMP_TRUSTED,
    TIMESTAMP_UNTRUSTED, /* the data is right, who says so is not known */
    TIMESTAMP_FORGED,    /* the signature is wrong, or the certificate is missing */
    TIMESTAMP_MISMATCH,  /* it is of other data */
    TIMESTAMP_MALFORMED,
    TIMESTAMP_OUTSIDE_VALIDITY, /* its certificate was not valid then */
} TimestampState;

typedef struct Timestamp {
    TimestampState state;
    time_t when; /* with the first two */
} Timestamp;

/* der: a token, or a whole response as the older sigTst has. anchors NULL: everybody is trusted. */
Timestamp timestamp_check(Span der, bool response, Span data, const Anchors *anchors);

#endif
