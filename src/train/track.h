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
    /* Its way down, in the frames in which something moves: */
    double drop;    /* from where it is first seen to its lowest place, in heights of the frame */
    double early;   /* share of the way to the first contact that is done after half of that time: 1/4 under gravity, 1/2 at
                       one speed */
    double rebound; /* how high it is after the first contact, as a share of drop */
    double back;    /* the largest way down after a higher place, in heights of the frame */
} Track;

/* Where what differs from the median is in each frame, in widths and heights of the frame from its top left. */
enum { TRACK_FRAMES = 129 };
typedef struct TrackPath {
    int count;         /* frames, at most TRACK_FRAMES, evenly taken; 0: fewer than three */
    double mass[TRACK_FRAMES]; /* of the differences; the rest is of no use where it is not above track_path_seen() */
    double x[TRACK_FRAMES], y[TRACK_FRAMES];       /* the weighted middle */
    double left[TRACK_FRAMES], right[TRACK_FRAMES]; /* a twentieth of the mass is left, right of it */
} TrackPath;
bool track_path(const JudgeVideo *video, TrackPath *path, SoraError *err);
double track_path_seen(const TrackPath *path); /* less mass is noise, or what is left of something at rest */

/* A video of fewer than three frames has no track: zeros. */
bool track_video(const JudgeVideo *video, Track *track, SoraError *err);
/* How fast what moves goes before and after a frame, in widths and heights of the picture a frame. */
typedef struct TrackSpeeds {
    double before[2], after[2]; /* across, along */
} TrackSpeeds;
/* Over `span` frames before frame `at` and as many from it on, or those that there are; the scene is the whole video's, so what rests for
 * half of it belongs to the scene. */
bool track_speeds(const JudgeVideo *video, int at, int span, TrackSpeeds *speeds, SoraError *err);

/* left, right, up or down, or none when it stays where it is. */
StageDirection track_direction(const Track *track);

/* Does it move as things do that fall, bounce or rise? What falls or bounces gains speed until the first contact. A fall is
 * upright, and comes back to three quarters of its height at most; a bounce goes sideways and comes back to .25 to .95 of it.
 * (On the stage round things that fall come back to .44, bounces to .67; between two frames the lowest place is missed.) What
 * rises goes up, and never down by a quarter of its way. */
typedef enum TrackLaw { LAW_FALL, LAW_BOUNCE, LAW_RISE } TrackLaw;
bool track_obeys(const Track *track, TrackLaw law);

#endif
