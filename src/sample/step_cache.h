/* Step caching: where the network's answer changes slowly from step to step, the last one serves again. Along a straight
 * path from noise to video it would not change at all (Liu et al. 2022, "Flow Straight and Fast"); in the middle of the
 * schedule it nearly does not. How much it would have changed is judged from its last change, in proportion to the
 * timesteps in between. */
#ifndef SORA_SAMPLE_STEP_CACHE_H
#define SORA_SAMPLE_STEP_CACHE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct StepCache {
    double threshold; /* relative change, in the mean of absolute values, up to which an answer serves again; 0: never */
    size_t count;
    float *last;      /* [count]: the last answer of the network; NULL while there is none */
    double timestep;  /* its */
    double rate;      /* relative change for each timestep; negative while it is not known */
} StepCache;

/* threshold 0: learns nothing. False when out of memory. */
bool step_cache_init(StepCache *c, double threshold, size_t count);
void step_cache_deinit(StepCache *c);

/* May the last answer serve at this timestep? Not before there are two, and the caller must not ask at the last step. */
bool step_cache_serves(const StepCache *c, double timestep);
/* The network's answer at this timestep, which comes after the others'. */
void step_cache_learn(StepCache *c, const float *answer, double timestep);
/* The next answer is another network's. */
void step_cache_forget(StepCache *c);

#endif
