/* The frames of one thing that a request gives, one after another, as they are in their file or in memory.
 *
 *     GivenClip c;
 *     bool ok = given_clip_open(&c, &request->given[i], fps, NULL, &err);
 *     const Image *frame;
 *     for (int f = 0; ok && f < c.frames; f++)
 *         ok = given_clip_read(&c, &frame, &err) && use(frame);
 *     given_clip_close(&c); */
#ifndef SORA_ENGINE_GIVEN_CLIP_H
#define SORA_ENGINE_GIVEN_CLIP_H

#include "media/foreign.h"

typedef struct GivenClip {
    const SoraGiven *given;
    double fps;
    int width, height, frames;
    bool still;          /* one frame, that stands for its whole group */
    Image picture;       /* a picture; zeroed: it is a video, or in memory */
    Image frame;         /* a view of the frame that was read last */
    Image mask;          /* grey as RGB; zeroed: all of it is given */
    int64_t first;       /* of a video's frames at that rate */
    ForeignLimits limits; /* of decoding, in a child */
    ForeignVideo *reader; /* NULL before the first frame of a video */
    int next;            /* frame that is read next */
} GivenClip;

/* Do the fields make sense, by themselves? */
bool given_clip_check(const SoraGiven *given, SoraError *err);

/* Decodes a picture and the mask, counts the frames of a video. given is sound; fps: of the new
 * video, 1 to 120. limits may be NULL. given_clip_close() also after a failure. */
bool given_clip_open(GivenClip *c, const SoraGiven *given, double fps, const ForeignLimits *limits, SoraError *err);

/* The next frame, the clip's and valid until the next call; at most `frames` times, and again after a rewind. */
bool given_clip_read(GivenClip *c, const Image **frame, SoraError *err);
void given_clip_rewind(GivenClip *c);

void given_clip_close(GivenClip *c); /* a zeroed one is allowed */

#endif
