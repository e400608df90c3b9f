/* Merkle trees over the media of an MP4, in c2pa.hash.bmff: hashes of blocks of "mdat", or of whole
 * fragments, are the leaves; the assertion has a row of each tree, and C2PA's boxes in the file may have what
 * leads up to it. */
#ifndef SORA_CREDENTIALS_MERKLE_H
#define SORA_CREDENTIALS_MERKLE_H

#include "credentials/hash.h"

/* value: the whole assertion, with "merkle"; plan: for the file as a whole. NULL when all is as it was
 * signed, else what is wrong, in words; they stay in err. */
const char *merkle_check(Asset *a, const CborValue *value, const BmffPlan *plan, SoraError *err);

#endif
