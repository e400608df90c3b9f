/* A video as its frames come out of the decoder, in whatever parts, and afterwards. The public functions on it are in
 * sora.h. A large one lies in a temporary file, so it takes no memory but for what is looked at. */
#ifndef SORA_ENGINE_VIDEO_H
#define SORA_ENGINE_VIDEO_H

#include "base/file.h"
#include "base/notes.h"
#include "engine/pipeline.h"
#include "base/uuid.h"

struct SoraVideo {
    int width, height, frames;
    double fps;
    FileMemory rgb; /* bytes [frames, height, width, 3] */
    char *prompt; /* NULL: it is not told */
    char *parameters;
    char *sound; /* heap; a video whose sound goes along, from its beginning on; NULL: none */
    Notes notes; /* about the request */
    char id[UUID_SIZE];
};

/* Room for the frames; their number and size are set. */
bool video_init_frames(SoraVideo *v, SoraError *err);

/* Takes a part of some frames. */
bool video_put(SoraVideo *v, const DecodedPart *part, SoraError *err);
/* Parts come as DecodeJob has them: does this one make its frames complete? */
bool video_completes(const SoraVideo *v, const DecodedPart *part);

uint8_t *video_frame(SoraVideo *v, int i); /* [height, width, 3] */
/* Frame i need not stay in memory. */
void video_leave(const SoraVideo *v, int i);

/* -1 .. 1 to 0 .. 255, truncated; what is outside is clamped, NaN is 0. */
void pixels_to_bytes(const float *pixels, uint8_t *bytes, size_t count);

#endif
