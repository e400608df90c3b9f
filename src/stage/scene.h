/* Inside src/stage: what happens, who acts, and what fits together. */
#ifndef SORA_STAGE_SCENE_H
#define SORA_STAGE_SCENE_H

#include "stage/world.h"

/* Fills what is STAGE_ANY, held-out rules applied. */
void scene_choose(const Stage *stage, const StageSpec *spec, Rng *rng, StageScene *scene);
bool scene_lots(Stage *stage, SoraError *err);
bool scene_action_fits(const Noun *noun, int action);
bool scene_place_fits(const Noun *noun, int place);
bool scene_needs_other(int action);
bool scene_moves(int action); /* sideways, with a direction */
bool scene_stands_by(const char *noun); /* may something happen with this one, whatever the subject is? */

#endif
