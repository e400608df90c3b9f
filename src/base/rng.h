/* Random numbers: Philox4x32-10 (Salmon et al., SC'11). Counter-based, so (seed, stream) names a
 * sequence for ever and on every machine. */
#ifndef SORA_BASE_RNG_H
#define SORA_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct Rng {
    uint64_t seed, stream, counter;
    uint32_t out[4];
    int left; /* words of out not yet used */
} Rng;

void rng_init(Rng *r, uint64_t seed, uint64_t stream);
uint32_t rng_u32(Rng *r);
float rng_uniform(Rng *r);                     /* [0, 1) */
float rng_range(Rng *r, float low, float high); /* [low, high) */
int rng_int(Rng *r, int n);                    /* 0 .. n-1, n >= 1 */
float rng_normal(Rng *r);                      /* mean 0, variance 1 (Box-Muller) */
void rng_fill_normal(Rng *r, float *out, size_t n);

/* One Philox block, for tests and for parallel use: counter and key in, four words out. */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
