/* What oneDNN alone reaches: the yardstick of the benchmarks. */
#ifndef SORA_BENCH_ONEDNN_RATE_H
#define SORA_BENCH_ONEDNN_RATE_H

#include "base/error.h"
#include "bench/profile.h"

typedef struct RateOptions {
    int threads;
    bool bf16; /* inputs and weights in bf16, else f32; results in f32 */
    double (*clock)(void); /* in seconds */
} RateOptions;

/* Seconds that the shapes take with nothing around them, each as often as it was called: weights in oneDNN's
 * own layout, no bias, no conversion. Shapes of less than a thousandth of the work are left out; *flops is
 * that of the rest. */
bool onednn_rate(const WorkShape *shapes, int count, RateOptions options, double *flops, double *seconds,
                 SoraError *err);

#endif
