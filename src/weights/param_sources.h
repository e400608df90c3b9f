/* Where a network's tensors come from (see tensor/params.h). Each source owns the memory that it hands out.
 */
#ifndef SORA_WEIGHTS_PARAM_SOURCES_H
#define SORA_WEIGHTS_PARAM_SOURCES_H

#include "base/arena.h"
#include "tensor/params.h"

/* A new network: F32, each tensor by its Init. The same seed and name give the same numbers, whatever else is
 * asked for and in whatever order. */
typedef struct RandomSource {
    ParamSource source; /* for params_init() */
    uint64_t seed;
    bool blank; /* tensors without data, for who only counts */
    Arena memory;
} RandomSource;

void random_source_init(RandomSource *s, uint64_t seed);
void random_source_deinit(RandomSource *s);

/* A network to measure, of any size, without a file: matrices in the given type with small random numbers
 * (one megabyte of them, over and over), everything else F32 and 1/16. The results mean nothing; the work is
 * real. */
typedef struct BenchSource {
    ParamSource source;
    DType dtype;   /* F32 or BF16 */
    void *pattern; /* NULL until the first matrix */
    Arena memory;
} BenchSource;

void bench_source_init(BenchSource *s, DType dtype);
void bench_source_deinit(BenchSource *s);

#endif
