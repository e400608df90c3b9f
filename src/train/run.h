/* The loop around a trainer's step: checkpoints, log, progress, time limit. */
#ifndef SORA_TRAIN_RUN_H
#define SORA_TRAIN_RUN_H

#include "team/team.h"
#include "train/part.h"
#include "train/settings.h"
#include "train/train.h"

enum { RUN_SUMS = 16 };

typedef struct TrainRun TrainRun;
struct TrainRun {
    const TrainOptions *options;
    const TrainSettings *settings;
    AdamW *optimizer;
    const char *config; /* kept in the checkpoint (checkpoint_config()); NULL: none */
    void *self;
    Graph *const *graph; /* that the steps run in */
    /* Draws a part; heap, for learn() and drop(). Adds to sums what the losses of the step will be divided by. NULL on failure. */
    void *(*draw)(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err);
    /* Forward and backward of a part; the gradients are added to the optimizer's. sums: of all parts. *loss: the part's share. */
    bool (*learn)(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err);
    void (*drop)(void *drawn); /* NULL is allowed */
    /* A part of kind 0, 1 ... without data, for estimates; *share: of steps that are of this kind. NULL without an error: there are no
     * more kinds. */
    void *(*blank)(void *self, int kind, double *share, SoraError *err);
    /* Disk and seconds of clips that are made first; may be NULL. */
    bool (*estimate)(void *self, TrainEstimate *e, SoraError *err);
    /* Writes DIR/model; the weights are the averages while it runs. */
    bool (*save_model)(void *self, const char *folder, SoraError *err);
    double (*samples)(void *self); /* seen by learn() so far */
    bool stopped;                  /* progress said stop */
};

/* With a team of more than one, the weights become rank 0's at first, and rank 0 alone writes. */
bool train_run(TrainRun *run, SoraError *err);

/* Before anything else: makes the folder, reads the configuration, and sees that the whole team has the same and the same clips. */
bool run_open(TrainSettings *s, const TrainOptions *options, TrainerKind trainer, SoraError *err);

/* The options' team, or one of one. */
Team *run_team(const TrainOptions *options);

#endif
