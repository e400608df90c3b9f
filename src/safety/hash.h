/* Hashes over a file, in pieces: what binds a manifest to the media. */
#ifndef SORA_SAFETY_HASH_H
#define SORA_SAFETY_HASH_H

#include "base/arena.h"
#include "safety/asset.h"
#include "safety/cbor_data.h"

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

/* c2pa.hash.bmff.v2 and v3 (version 2, 3): every box that is not left out, and before each of the file's own
 * level its offset as u64; v1 without the offsets. exclusions: the assertion's list, in CBOR. */
bool hash_bmff(Asset *a, Span alg, const CborValue *exclusions, int version, Hash *out, SoraError *err);

/* Writes the exclusions of hash_bmff() that every file of ours has: C2PA's uuid box, ftyp, mfra. */
void hash_put_exclusions(Bytes *out);

/* The list is those three, or spells others out: true when it has more than they. */
bool hash_has_more_exclusions(const CborValue *exclusions);

#endif
