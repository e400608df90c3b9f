/* Attention's scores in 8 bits: queries and keys are rounded with a step for each of them, weights and values stay BF16
 * (Zhang et al. 2024, SageAttention, arXiv 2410.02367). The keys' mean is taken from every key before: that moves all
 * scores of a query by the same, which weights do not see, and takes away the channels in which all keys are large.
 * AVX512-VNNI and AVX512-BF16. */
#ifndef SORA_CPU_WEIGH_INT8_H
#define SORA_CPU_WEIGH_INT8_H

#include "cpu/simd.h"

enum { INT8_PAD = 64 }; /* k is padded to a multiple of this */

/* Packed keys lie in panels of MINI_PANEL: their elements [k / 4][MINI_PANEL][4], their steps and the sums that make up
 * for queries being stored as q + 128. Bytes that a key takes. */
static inline int64_t int8_key_bytes(int64_t k)
{
    return k + (int64_t)(sizeof(float) + sizeof(int32_t));
}

/* keys rows of x, ld floats apart, minus mean [d], as panels; whole ones are written. */
typedef struct Int8Keys {
    const float *x, *mean;
    int64_t ld, keys, d, k; /* d padded to k */
} Int8Keys;
void int8_pack_keys(void *panels, const Int8Keys *keys);

/* Queries as pack_int8_rows() makes them. */
typedef struct Int8Queries {
    const uint8_t *q;    /* [m, k] */
    const float *scales; /* [m] */
} Int8Queries;

/* scores [m, s->ldw] = q k, without s->factor; up to whole panels are written. */
void int8_scores(const WeighShape *s, const Int8Queries *queries, const void *panels, float *scores);

/* As MiniGemm's weigh_panels. */
void int8_weigh(const WeighShape *s, const Int8Queries *queries, const void *panels, void *weights);

#endif
