/* Inside src/stage: actors and their poses, and the camera's way. */
#ifndef SORA_STAGE_MOTION_H
#define SORA_STAGE_MOTION_H

#include "stage/world.h"

/* Whether the noun may be a piece of scenery. */
bool motion_is_prop(const char *noun);
/* Actors and their poses. False when out of memory. */
bool motion_plan(Play *play);

#endif
