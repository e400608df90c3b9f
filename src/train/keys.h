/* Which keys a training configuration may have. Anything else is an error: a misspelt key would otherwise be a default
 * that nobody asked for, noticed after the run. */
#ifndef SORA_TRAIN_KEYS_H
#define SORA_TRAIN_KEYS_H

#include <jansson.h>
#include "base/error.h"

typedef enum TrainerKind {
    TRAINER_AUTOENCODER,
    TRAINER_TRANSFORMER,
    TRAINER_TEXT,
    TRAINER_PROBE,
    TRAINER_CAPTIONER,
    TRAINER_LORA,
    TRAINER_ANY, /* of which only what all share is read */
} TrainerKind;

/* Checks the keys of every object in the configuration, but for the nouns in data.nouns. The error names the key, its
 * object, and the key that comes nearest. Keys that begin with "_" are notes, which JSON has no other place for. */
bool train_keys_check(const json_t *config, TrainerKind trainer, SoraError *err);

#endif
