/* The loop around a trainer's step: checkpoints, log, progress, time limit. */
#ifndef SORA_TRAIN_RUN_H
#define SORA_TRAIN_RUN_H

#include "train/settings.h"
#include "train/train.h"

typedef struct TrainRun TrainRun;
struct TrainRun {
    const TrainOptions *options;
    const TrainSettings *settings;
    AdamW *optimizer;
    const char *config; /* kept in the checkpoint (checkpoint_config()); NULL: none */
    void *self;
    Graph *const *graph; /* that the steps run in */
    /* Runs forward and backward of one step; the gradients are in the optimizer's slots afterwards. */
    bool (*step)(void *self, int64_t step, double *loss, SoraError *err);
    /* Writes DIR/model; the weights are the averages while it runs. */
    bool (*save_model)(void *self, const char *folder, SoraError *err);
    double (*samples)(void *self); /* seen by step() so far */
    bool stopped;                  /* progress said stop */
};

bool train_run(TrainRun *run, SoraError *err);

#endif
