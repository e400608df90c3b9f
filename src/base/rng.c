#include "base/rng.h"

#include <math.h>

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void rng_init(Rng *r, uint64_t seed, uint64_t stream)
{
    *r = (Rng){.seed = seed, .stream = stream};
}

uint32_t rng_u32(Rng *r)
{
    if (r->left == 0) {
        uint32_t counter[4] = {(uint32_t)r->counter, (uint32_t)(r->counter >> 32),
                               (uint32_t)r->stream, (uint32_t)(r->stream >> 32)};
        uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
        philox4x32(counter, key, r->out);
        r->counter++;
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

float rng_uniform(Rng *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}

float rng_range(Rng *r, float low, float high)
{
    return low + (high - low) * rng_uniform(r);
}

int rng_int(Rng *r, int n)
{
    return (int)(((uint64_t)rng_u32(r) * (uint64_t)n) >> 32);
}

float rng_normal(Rng *r)
{
    /* Draws two words each time and keeps no spare, so the state is the counter alone. */
    double u = ((double)rng_u32(r) + 1.0) * 0x1p-32, v = (double)rng_u32(r) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

void rng_fill_normal(Rng *r, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = rng_normal(r);
}
