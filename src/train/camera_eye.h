/* How a camera moves, by arithmetic alone: which steady shift or zoom makes each frame most like the next. */
#ifndef SORA_TRAIN_CAMERA_EYE_H
#define SORA_TRAIN_CAMERA_EYE_H

#include "train/judge.h"

/* Of a pan, a rise and a zoom the one that explains the frames best; the others are 0. */
typedef struct CameraMove {
    double right, down; /* the camera's way over the whole video, in widths and heights of the frame: what is seen goes the other way */
    double closer;      /* by how much more than before a length is at the end, as a share: 0.2 is a fifth; negative: less */
    double gain;        /* what of the difference between frames is gone when the camera is known to move so: 0 to 1 */
} CameraMove;

/* Fewer than two frames: zeros. */
bool camera_move(const JudgeVideo *video, CameraMove *move, SoraError *err);
/* static, pan left, pan right, zoom in, zoom out or rise. */
StageCamera camera_named(const CameraMove *move);

#endif
