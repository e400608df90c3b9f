/* A backend around another one that counts floating-point operations from the shapes of the nodes, takes the
 * time and remembers the shapes of products and convolutions. */
#ifndef SORA_BENCH_PROFILE_H
#define SORA_BENCH_PROFILE_H

#include "tensor/graph.h"

/* A product x[m, k] w[n, k]^T, or a convolution when kernel[0] > 0. */
typedef struct WorkShape {
    int64_t m, n, k;
    int64_t in[5]; /* convolution: B, T, H, W, C of the input; n is C of the output */
    int64_t kernel[3];
    int64_t stride[3], padding[6]; /* as ConvShape's */
    double flops;                  /* of one call */
    long calls;
} WorkShape;

typedef struct Profile {
    Backend base; /* give this to a graph */
    Backend *inner;
    double (*clock)(void); /* in seconds */
    double begun; /* by the clock, at the last profile_clear() */
    double flops[OP_COUNT], seconds[OP_COUNT];
    WorkShape *shapes;
    int count, capacity;
} Profile;

void profile_init(Profile *p, Backend *inner, double (*clock)(void));
void profile_deinit(Profile *p); /* not the inner backend */
void profile_clear(Profile *p);
double profile_flops(const Profile *p); /* of all ops */

#endif
