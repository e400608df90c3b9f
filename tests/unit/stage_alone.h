/* Clips of one thing that does one thing before a camera that stands still. To be included after cmocka.h. */
#ifndef SORA_TESTS_UNIT_STAGE_ALONE_H
#define SORA_TESTS_UNIT_STAGE_ALONE_H

#include "stage/stage.h"

enum { ALONE_SIDE = 128, ALONE_FRAMES = 17 };

/* Clip number index, 128x128; frames: its frames, the clip's. */
static inline void stage_alone(Stage *stage, int index, const char *noun, int action, StageClip *clip,
                               const uint8_t *frames[ALONE_FRAMES])
{
    SoraError err = {0};
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = spec.height = ALONE_SIDE;
    spec.index = (uint64_t)index;
    spec.scene.noun = stage_noun_find(stage, noun);
    spec.scene.action = action;
    spec.scene.other = STAGE_NOBODY;
    spec.scene.camera = CAMERA_STATIC;
    spec.scene.count = 1;
    assert_true(stage_render(stage, &spec, clip, &err));
    assert_in_range(clip->frames, 1, ALONE_FRAMES);
    for (int f = 0; f < clip->frames; f++)
        frames[f] = clip->rgb + (size_t)f * ALONE_SIDE * ALONE_SIDE * 3;
}

#endif
