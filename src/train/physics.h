/* Laws of motion, fitted to a track (train/track.h): of what falls, bounces, or is knocked away. For a camera that stands still. */
#ifndef SORA_TRAIN_PHYSICS_H
#define SORA_TRAIN_PHYSICS_H

#include "train/track.h"

typedef struct Fall {
    bool falls;         /* it goes down at first, for three frames at least; else the rest is 0 */
    double gravity;     /* of y = y0 + v t + gravity t^2 / 2 up to the first contact, in heights of the frame per second squared */
    double misfit;      /* root of the mean square of what that leaves, as a share of the drop */
    double restitution; /* root of the height after the first contact over the drop: 0 stays, 1 comes all the way back */
} Fall;
Fall physics_fall(const TrackPath *path, double fps);

/* Of two things that differ from the median, one comes from behind and one is in front (on the side of `way`, left or right). */
typedef struct Knock {
    bool moved;   /* the one in front ends a tenth of the width or more ahead of where it was */
    bool touched; /* it did not move before what is behind had come up to it */
} Knock;
Knock physics_knock(const TrackPath *path, StageDirection way);

#endif
