/* c2pa.hash.boxes: the parts of a PNG or JPEG by name, each with a hash, or several in a row with one. */
#ifndef SORA_CREDENTIALS_BOXES_H
#define SORA_CREDENTIALS_BOXES_H

#include "credentials/hash.h"

/* value: the assertion; alg: the claim's. NULL when all is as it was signed, else what is wrong, in words;
 * they stay in err. *left_out: parts other than C2PA's own are not covered. */
const char *boxes_check(Asset *a, const CborValue *value, Span alg, bool *left_out, SoraError *err);

#endif
