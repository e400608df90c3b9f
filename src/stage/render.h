/* Inside src/stage: a play becomes frames, and boxes of what is visible. */
#ifndef SORA_STAGE_RENDER_H
#define SORA_STAGE_RENDER_H

#include "stage/world.h"

bool render_play(const Play *play, StageClip *clip, SoraError *err);

#endif
