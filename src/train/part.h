/* How a step is cut. */
#ifndef SORA_TRAIN_PART_H
#define SORA_TRAIN_PART_H

#include <stdint.h>

/* A step is made of parts, each a batch: of N ranks with `accumulate` K each has K of the N K. Sample i of a part is sample
 * part * batch + i of the step, so how parts lie on ranks changes nothing. */
typedef struct StepPart {
    int64_t step;
    int part, parts;
} StepPart;

#endif
