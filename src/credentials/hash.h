/* Hashes over a file, in pieces: what binds a manifest to the media. */
#ifndef SORA_CREDENTIALS_HASH_H
#define SORA_CREDENTIALS_HASH_H

#include "base/arena.h"
#include "credentials/asset.h"
#include "credentials/cbor_data.h"

enum { HASH_MAX = 64, HASH_SHA256 = 32 };

typedef struct Hash {
    uint8_t bytes[HASH_MAX];
    size_t size;
} Hash;

/* Bytes of the file that a hash leaves out. */
typedef struct HashRange {
    uint64_t start, length;
} HashRange;

/* alg: "sha256", "sha384" or "sha512", as C2PA names them. */
bool hash_known(Span alg);
bool hash_span(Span alg, Span data, Hash *out, SoraError *err);
bool hash_equal(const Hash *hash, Span expected);
extern const Span HASH_DEFAULT; /* sha256 */

/* c2pa.hash.data: everything but the ranges (any order). */
bool hash_data(Asset *a, Span alg, const HashRange *ranges, size_t count, Hash *out, SoraError *err);

/* What c2pa.hash.bmff hashes: every box that is not left out, and (version 2 and 3) before each of the file's
 * own level its offset as u64. */
typedef struct BmffPlan {
    Span alg;
    const CborValue *exclusions; /* the assertion's list */
    int version;
    uint64_t from, to; /* this part of the file, where boxes begin and end */
} BmffPlan;
bool hash_bmff(Asset *a, const BmffPlan *plan, Hash *out, SoraError *err);

/* Bytes from..to of the file, as they are. */
bool hash_part(Asset *a, Span alg, uint64_t from, uint64_t to, Hash *out, SoraError *err);
/* Of two hashes, one after the other; either may be out's own bytes. */
bool hash_pair(Span alg, Span left, Span right, Hash *out, SoraError *err);

/* Writes the exclusions of hash_bmff() that every file of ours has: C2PA's uuid box, ftyp, mfra. */
void hash_put_exclusions(Bytes *out);

/* The list is those three, or spells others out: true when it has more than they. */
bool hash_has_more_exclusions(const CborValue *exclusions);

#endif
