/* What is measured of a video beyond its score: the camera's words, laws of motion, what comes out again from behind something. */
#ifndef SORA_TRAIN_MEASURES_H
#define SORA_TRAIN_MEASURES_H

#include "train/camera_eye.h"
#include "train/physics.h"
#include "train/score.h"

typedef struct Seen {
    Sight sight;
    CameraMove camera;
    Fall fall;
    Knock knock;
    Verdict after; /* of the last quarter, where something passed behind another; else zeros */
    bool seen;     /* false: not looked at */
} Seen;

/* After the score's rows. All but the camera's are of prompts that let the camera stand. */
enum {
    ROW_CAMERA = SCORE_ROWS, /* the camera moves as its words say */
    ROW_GRAVITY,             /* of falls and bounces: gravity as the stage has it, and a parabola */
    ROW_RESTITUTION,         /* what comes back after the first contact, as on the stage */
    ROW_CONTACT,             /* knocked away, and only after contact */
    ROW_AFTER,               /* the same thing, in its colour, comes out again */
    MEASURE_ROWS
};
const char *measure_row_name(int row); /* the score's, too */
const char *measure_row_eye(int row);  /* "probe", "track" or "blocks" */

/* The law of the stage, as the eye sees it: what nine of ten drawn clips have at least, in heights of the frame per second squared, and as a share
 * (tests/unit/measure_test.c). */
typedef struct Range {
    double low, high;
} Range;
Range measure_gravity(int action); /* ACTION_FALL or ACTION_BOUNCE */
Range measure_restitution(int action);

/* sight: what it is seen to be already. fps: of the video. */
bool measure_take(Judge *judge, const JudgeVideo *video, double fps, const Ask *ask, const Sight *sight, Seen *out, SoraError *err);
bool measure_asked(const Ask *ask, int row);
bool measure_right(const Ask *ask, const Seen *seen, int row);

#endif
