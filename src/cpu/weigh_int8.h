/* Attention's scores in 8 bits: queries and keys are rounded with a step for each of them, weights and values stay as they are
 * (Zhang et al. 2024, SageAttention, arXiv 2410.02367). The keys' mean is taken from every key before: that moves all
 * scores of a query by the same, which weights do not see, and takes away the channels in which all keys are large. */
#ifndef SORA_CPU_WEIGH_INT8_H
#define SORA_CPU_WEIGH_INT8_H

#include "cpu/pack_int8.h"
#include "cpu/simd.h"

/* keys rows of x, ld floats apart, minus mean [d], as panels; whole ones are written. */
typedef struct Int8Keys {
    const float *x, *mean;
    int64_t ld, keys, d, k; /* d padded to k */
} Int8Keys;

/* As pack_queries() makes them. */
typedef struct Int8Queries {
    const void *q;       /* [m, k] */
    const float *scales; /* [m] */
} Int8Queries;

/* For one set of instructions. Packed keys lie in panels: their elements, their steps, and the sums that make up for queries
 * being stored as q + 128. A packed query takes no more bytes than one of the level's MiniGemm. */
typedef struct Int8Attention {
    int64_t unit;                    /* k is padded to a multiple of this */
    int64_t (*key_bytes)(int64_t k); /* that a key takes; MINI_PANEL keys are whole panels */
    void (*pack_queries)(void *out, float *scales, const Int8Rows *rows);
    void (*pack_keys)(void *panels, const Int8Keys *keys);
    /* scores [m, s->ldw] = q k, without s->factor; up to MINI_PANEL keys are written. */
    void (*scores)(const WeighShape *s, const Int8Queries *queries, const void *panels, float *scores);
    /* As MiniGemm's weigh_panels, for the MiniGemm that the level has. */
    void (*weigh)(const WeighShape *s, const Int8Queries *queries, const void *panels, void *weights);
} Int8Attention;

extern const Int8Attention int8_attention_avx512; /* AVX512-VNNI and AVX512-BF16; weights are BF16 */

#endif
