#include "sample/step_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool step_cache_init(StepCache *c, double threshold, size_t count)
{
    *c = (StepCache){.threshold = threshold, .count = count, .timestep = -1, .rate = -1};
    if (threshold > 0)
        c->last = malloc(count * sizeof *c->last);
    return threshold <= 0 || c->last != NULL;
}

void step_cache_deinit(StepCache *c)
{
    free(c->last);
    c->last = NULL;
}

bool step_cache_serves(const StepCache *c, double timestep)
{
    return c->threshold > 0 && c->rate >= 0 && c->rate * fabs(c->timestep - timestep) < c->threshold;
}

void step_cache_learn(StepCache *c, const float *answer, double timestep)
{
    if (c->threshold <= 0)
        return;
    double size = 0, change = 0, between = fabs(c->timestep - timestep);
    if (c->timestep >= 0 && between > 0) {
        for (size_t i = 0; i < c->count; i++) {
            size += fabs((double)c->last[i]);
            change += fabs((double)answer[i] - (double)c->last[i]);
        }
        c->rate = size > 0 ? change / size / between : -1;
    }
    memcpy(c->last, answer, c->count * sizeof *answer);
    c->timestep = timestep;
}

void step_cache_forget(StepCache *c)
{
    c->timestep = c->rate = -1;
}
