/* LoRAs: thin matrices beside those of an open model's transformer, trained on a few pictures or videos (docs/training.md). The base
 * stays in its files, in whatever arrangement and types the engine reads. */
#ifndef SORA_ADAPT_LORA_H
#define SORA_ADAPT_LORA_H

#include "train/train.h"

/* As the trainers in train/train.h; backend is not used, for the base has its own. The result is DIR/model/lora.safetensors. */
bool train_lora(Backend *backend, const TrainOptions *options, SoraError *err);

#endif
