/* A finished video in memory. The public functions on it are in sora.h. */
#ifndef SORA_ENGINE_VIDEO_H
#define SORA_ENGINE_VIDEO_H

#include "base/error.h"
#include "safety/generation_id.h"

struct SoraVideo {
    int width, height, frames;
    double fps;
    uint8_t *rgb; /* [frames, height, width, 3] */
    char *title, *parameters;
    char id[GENERATION_ID_SIZE];
};

#endif
