/* Where what moves goes, by arithmetic alone: a second opinion beside the probe's on directions.
 *
 * Each frame is compared with the clip's median, which is the scene without what moves; the weighted middle of the
 * differences is where it is, and a line through these middles is its way. For a camera that stands still. */
#ifndef SORA_TRAIN_TRACK_H
#define SORA_TRAIN_TRACK_H

#include "train/judge.h"

typedef struct Track {
    double dx, dy; /* from the first frame to the last, in widths and heights of the frame; right and down are positive */
    double mass;   /* of the differences, mean over the frames: 0 when nothing moves */
} Track;

/* A video of fewer than three frames has no track: zeros. */
bool track_video(const JudgeVideo *video, Track *track, SoraError *err);
/* left, right, up or down, or none when it stays where it is. */
StageDirection track_direction(const Track *track);

#endif
