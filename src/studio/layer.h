/* What lies on a video's timeline: a picture or a clip, from a frame on, as it is or as a beginning of what is made. */
#ifndef SORA_STUDIO_LAYER_H
#define SORA_STUDIO_LAYER_H

#include "engine/given_clip.h"

/* Frames of one source at a video's size, in any order, though it is read forward: what was read last is kept, and from further
 * back it is read again. */
typedef struct FrameSource {
    SoraGiven given;
    GivenClip clip;
    int width, height; /* of the frames that it gives */
    bool middle;       /* it lies in the middle at its own size, grey around it; else it covers them */
    uint8_t *kept;     /* [keep] frames; frame i is at i % keep */
    int keep;
    int64_t read; /* frames */
} FrameSource;

/* given, width, height, middle and keep (1 or more) are set. Opens and counts. */
bool frame_source_open(FrameSource *s, double fps, const ForeignLimits *limits, SoraError *err);
/* *rgb: [height, width, 3], the source's, until `keep` others were asked for. Of a still each frame is the same; behind the end
 * is the last one. */
bool frame_source_at(FrameSource *s, int64_t i, const uint8_t **rgb, SoraError *err);
void frame_source_close(FrameSource *s); /* a zeroed one is allowed */

typedef struct Layer {
    int64_t first, frames; /* of the timeline */
    bool kept;             /* its frames are the video's own */
    double level;          /* else: from which noise level on they are made anew */
    FrameSource source;
    FrameSource mask;      /* grey as RGB; given all zero: there is none */
    bool masked, outside;  /* outside: what `middle` leaves is made, as with a mask */
    FrameSource other;     /* a blend's B; given all zero: there is none */
    bool mixed;
    SoraCurve curve;
    uint8_t *mix; /* [height, width, 3] */
} Layer;

/* Frame t of the timeline, which is within it. */
bool layer_frame(Layer *l, int64_t t, const uint8_t **rgb, SoraError *err);
/* Its mask [height, width], 0 black; into values. */
bool layer_mask(Layer *l, int64_t t, uint8_t *values, SoraError *err);
void layer_close(Layer *l);

#endif
