/* What a model of Emoji Stage knows: words.json of its folder. */
#ifndef SORA_TRAIN_WORDS_H
#define SORA_TRAIN_WORDS_H

#include "train/settings.h"

/* Writes it to path for the nouns that the training's clips have. Nothing is written, and true returned, when they are a
 * folder's videos. */
bool words_write(const ClipSourceConfig *source, const char *path, SoraError *err);

#endif
