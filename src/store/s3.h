/* Objects in a bucket of S3, or of whatever speaks its protocol (Ceph, MinIO, Garage, SeaweedFS): libcurl with its SigV4. A
 * request that fails on the way, or that the server could not answer (5xx), is made three times in all.
 *
 * From the environment, as other programs have it: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (for temporary
 * ones), AWS_REGION or AWS_DEFAULT_REGION (us-east-1), AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (Amazon's own). */
#ifndef SORA_STORE_S3_H
#define SORA_STORE_S3_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

enum { S3_PART = 8 << 20 }; /* bytes; a larger file goes in parts of this size, which must be all there before any is seen */

typedef struct S3 S3;

/* url: s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits, "-", "_", "." and "/". Nothing is asked yet. NULL on failure. */
S3 *s3_open(const char *url, SoraError *err);
void s3_close(S3 *s3);

/* Names of objects have the same letters. Any thread may call. */

/* The first `size` bytes of the file. */
bool s3_put(S3 *s3, const char *name, int fd, int64_t size, SoraError *err);
/* Bytes `first` to `last`, or all with last -1, are written to fd. SORA_ERROR_NOT_FOUND: there is no such object. */
bool s3_get(S3 *s3, const char *name, int64_t first, int64_t last, int fd, SoraError *err);
bool s3_size(S3 *s3, const char *name, int64_t *size, SoraError *err);
/* No error when it is not there. */
bool s3_remove(S3 *s3, const char *name, SoraError *err);

#endif
