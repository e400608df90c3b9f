/* Checkpoints: everything that a run needs to go on exactly where it was, in one file that is replaced at once. */
#ifndef SORA_TRAIN_CHECKPOINT_H
#define SORA_TRAIN_CHECKPOINT_H

#include "train/adamw.h"
#include "weights/safetensors.h"

/* What a run knows besides the optimizer's slots. */
typedef struct CheckpointState {
    int64_t step;   /* steps done */
    double loss;    /* of the log's next line so far: the sum of the losses ... */
    int64_t losses; /* ... of so many steps */
} CheckpointState;

/* Weights, both moments and the average of every slot; config: a text of the trainer's own, NULL: none. */
bool checkpoint_save(const AdamW *o, const CheckpointState *state, const char *config, const char *path, SoraError *err);
/* Into slots of the same names and sizes. Numbers that are not finite, or second moments below 0, are errors. Changes nothing on failure. */
bool checkpoint_load(AdamW *o, CheckpointState *state, const char *path, SoraError *err);
/* The same from a file that is open, which stays the caller's. */
bool checkpoint_read(AdamW *o, CheckpointState *state, const Safetensors *file, SoraError *err);
/* The trainer's own text; free() it. NULL on failure, also when there is none. */
char *checkpoint_config(const char *path, SoraError *err);

/* The averaged weights of one set as a model's file: matrices in BF16, the rest in F32. */
bool checkpoint_export(const AdamW *o, const char *set, const char *path, SoraError *err);

/* Weights (and averages) of p's parameters from a model's file; those that are not there keep their start and are
 * counted in *missing. */
bool checkpoint_import(AdamW *o, const char *set, const char *path, int *missing, SoraError *err);

#endif
