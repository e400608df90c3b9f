/* AdamW (Loshchilov and Hutter, 2019) over the parameters of one or more networks, with gradient clipping by the
 * global norm, warm-up, cosine decay, and an exponential moving average of the weights. Host memory, F32. */
#ifndef SORA_TRAIN_ADAMW_H
#define SORA_TRAIN_ADAMW_H

#include "base/pool.h"
#include "tensor/params.h"

typedef struct AdamWConfig {
    double learning_rate, final_ratio; /* the rate falls to final_ratio of it along a cosine */
    int64_t warmup, steps;             /* in steps */
    int64_t cooldown;                  /* 0: the cosine; else the rate stays and falls in a line over the last so many steps */
    double beta1, beta2, eps;
    double weight_decay;               /* of matrices alone */
    double clip;                       /* largest norm of the whole gradient; 0: none */
    double ema;                        /* decay of the average; grows to this as (1 + step) / (10 + step) */
} AdamWConfig;

/* 1e-3 falling to 5 %, 200 steps of warm-up, betas 0.9 and 0.99, eps 1e-8, decay 0.01, clip 1, EMA 0.999. */
AdamWConfig adamw_defaults(void);

/* One parameter with what belongs to it, all of count elements. */
typedef struct AdamWSlot {
    const char *set, *name; /* "transformer", "blocks.0.ffn.0.weight" */
    Param *param;
    int64_t count;
    float *value, *grad, *m, *v, *ema;
    bool decays;
    bool frozen;  /* stays as it is */
    double rate;  /* times the learning rate; 1 at first */
} AdamWSlot;

typedef struct AdamW {
    AdamWConfig config;
    AdamWSlot *slots;
    int count;
    Arena memory;
    Pool *pool;           /* the caller's */
    bool blank;           /* of parameters without data: slots have none either, and nothing may be done but to count */
    double gradient_norm; /* of the last step, before clipping */
} AdamW;

/* pool is used by adamw_step() and stays the caller's; NULL: one thread. The result does not depend on it. */
void adamw_init(AdamW *o, const AdamWConfig *config, Pool *pool);
void adamw_deinit(AdamW *o);

/* Takes every F32 parameter of p: sets its requires_grad and grad (zeros). p must outlive o. set is kept as a pointer. */
bool adamw_add(AdamW *o, const char *set, Params *p, SoraError *err);

/* Freezes the parameters whose names begin with prefix: they keep their values and want no gradient. */
void adamw_freeze(AdamW *o, const char *prefix);

/* Scales the learning rate of a whole set. */
void adamw_set_rate(AdamW *o, const char *set, double rate);

/* The update of step (counted from 0) from the gradients that backward left, which become zeros. */
void adamw_step(AdamW *o, int64_t step);
double adamw_rate(const AdamW *o, int64_t step);

/* Exchanges weights and their average: for samples and for saving; call again to go back. */
void adamw_swap_ema(AdamW *o);

#endif
