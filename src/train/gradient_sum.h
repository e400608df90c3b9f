/* The gradients of all parameters, added up over a team while backward still runs.
 *
 * In the first step the order is learnt in which gradients become final, and rank 0's is everybody's; they are added after backward.
 * From then on the parameters lie in this order one behind the other and are sent in pieces of a million numbers, each as soon as
 * backward has left it. */
#ifndef SORA_TRAIN_GRADIENT_SUM_H
#define SORA_TRAIN_GRADIENT_SUM_H

#include "team/team.h"
#include "tensor/graph.h"
#include "train/adamw.h"

typedef struct GradientSum GradientSum;

/* All are the caller's. Frozen parameters are left out. NULL when out of memory. */
GradientSum *gradient_sum_new(AdamW *optimizer, Team *team, SoraError *err);
void gradient_sum_free(GradientSum *s); /* NULL is allowed */

/* Before the last backward of a step on that graph, and after it. Then the optimizer's gradients are the team's. */
void gradient_sum_begin(GradientSum *s, Graph *g);
bool gradient_sum_end(GradientSum *s, Graph *g, SoraError *err);

#endif
