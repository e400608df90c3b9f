/* Checkpoints: everything that a run needs to go on exactly where it was, in one file that is replaced at once. */
#ifndef SORA_TRAIN_CHECKPOINT_H
#define SORA_TRAIN_CHECKPOINT_H

#include "train/adamw.h"

/* Weights, both moments and the average of every slot; step is the number of steps done. */
bool checkpoint_save(const AdamW *o, int64_t step, const char *path, SoraError *err);
/* Into slots of the same names and sizes. Changes nothing on failure. */
bool checkpoint_load(AdamW *o, int64_t *step, const char *path, SoraError *err);

/* The averaged weights of one set as a model's file: matrices in BF16, the rest in F32. */
bool checkpoint_export(const AdamW *o, const char *set, const char *path, SoraError *err);

/* Weights (and averages) of p's parameters from a model's file; those that are not there keep their start and are
 * counted in *missing. */
bool checkpoint_import(AdamW *o, const char *set, const char *path, int *missing, SoraError *err);

#endif
