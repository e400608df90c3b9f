/* Parameters by name. A network's bind function asks for each of its tensors once, by its name in the
 * published checkpoints; a source fills it: from a file, from random numbers (a new network), or from nothing
 * but a size (benchmarks). One description of a network thus serves loading, training and measuring. */
#ifndef SORA_TENSOR_PARAMS_H
#define SORA_TENSOR_PARAMS_H

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

/* How a new network's tensor starts. */
typedef struct Init {
    enum { INIT_ZERO, INIT_ONE, INIT_NORMAL, INIT_UNIFORM } kind;
    float scale; /* standard deviation, or half width */
} Init;

/* Uniform, with the variance of signals and of gradients kept (Glorot and Bengio, 2010). */
Init init_xavier(int64_t fan_out, int64_t fan_in);

typedef struct Param {
    const char *name;
    Tensor tensor; /* shape set by the bind function; data and dtype by the source */
    Init init;
} Param;

/* Sets tensor->data and tensor->dtype for the shape that is there; the memory lives as long as the source.
 * Matrices (params_is_matrix) may be F32, BF16 or F16; everything else comes as F32, because only the inputs
 * of linear, conv and gather may be narrower. The tensor's other fields are the caller's. */
typedef struct ParamSource ParamSource;
struct ParamSource {
    bool (*fill)(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err);
};

typedef struct Params {
    Arena arena;
    Param **items;
    int count, capacity;
    ParamSource *source;
    const char *prefix; /* put before every name asked for; "" at first */
    bool failed;        /* sticky: the first failure is in error */
    SoraError error;
} Params;

void params_init(Params *p, ParamSource *source);
void params_deinit(Params *p); /* not the source */

/* The tensor of that name; fmt and what follows make the name. NULL after the first failure. */
Tensor *params_get(Params *p, Init init, int ndim, const int64_t *shape, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
bool params_ok(const Params *p, SoraError *err);
/* NULL when there is none of that (full) name. */
Param *params_find(const Params *p, const char *name);
int64_t params_numel(const Params *p);

/* A weight of linear, conv or gather; false for biases, norm weights and modulation: [n], [n, 1, 1] and
 * [1, 6, n]. */
bool params_is_matrix(const Tensor *t);

#endif
