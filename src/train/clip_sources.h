/* Inside src/train: the kinds of clip sources. */
#ifndef SORA_TRAIN_CLIP_SOURCES_H
#define SORA_TRAIN_CLIP_SOURCES_H

#include "train/clips.h"

ClipSource *clip_stage_open(const ClipSourceConfig *config, SoraError *err);
ClipSource *clip_folder_open(const ClipSourceConfig *config, SoraError *err);

#endif
