/* Estimates: the steps of a training without its data. To count, they run on a backend that computes nothing. */
#ifndef SORA_TRAIN_ESTIMATE_H
#define SORA_TRAIN_ESTIMATE_H

#include "train/run.h"
#include "weights/param_sources.h"

/* The backend that a trainer works with: the caller's, or one that only counts, over it. NULL when out of memory. */
Backend *estimate_backend(const TrainOptions *options, Backend *backend, SoraError *err);
/* After everything that was made with it. */
void estimate_backend_free(Backend *counting, const Backend *backend);

/* Before parameters are bound: without data, when they are only counted. */
void estimate_prepare(const TrainOptions *options, RandomSource *random, AdamW *optimizer);

/* Fills in the options' estimate. */
bool estimate_run(TrainRun *run, SoraError *err);

#endif
