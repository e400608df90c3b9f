#include "train/measures.h"

static const double MOST_MISFIT = 0.12; /* of a parabola's */

const char *measure_row_name(int row)
{
    static const char *const NAMES[] = {"camera", "gravity", "restitution", "knocked by contact", "same after passing"};
    return row >= SCORE_ROWS && row < MEASURE_ROWS ? NAMES[row - SCORE_ROWS] : score_row_name(row);
}

const char *measure_row_eye(int row)
{
    if (row == ROW_CAMERA)
        return "blocks";
    return row == ROW_TRACK || row == ROW_LAW || (row >= ROW_GRAVITY && row <= ROW_CONTACT) ? "track" : "probe";
}

Range measure_gravity(int action)
{
    return action == ACTION_BOUNCE ? (Range){1, 16} : (Range){0.8, 9};
}

Range measure_restitution(int action)
{
    return action == ACTION_BOUNCE ? (Range){0.6, 0.95} : (Range){0.2, 0.85};
}

static bool is_drop(int action)
{
    return action == ACTION_FALL || action == ACTION_BOUNCE;
}

bool measure_take(Judge *judge, const JudgeVideo *video, double fps, const Ask *ask, const Sight *sight, Seen *out, SoraError *err)
{
    TrackPath path;
    int action = ask->want[Q_ACTION];
    *out = (Seen){.sight = *sight};
    if (ask->camera != NO_ANSWER && !camera_move(video, &out->camera, err))
        return false;
    if (is_drop(action) || action == ACTION_KNOCK) {
        if (!track_path(video, &path, err))
            return false;
        out->fall = is_drop(action) ? physics_fall(&path, fps) : (Fall){0};
        out->knock = physics_knock(&path, (StageDirection)ask->want[Q_DIRECTION]);
    }
    if (action == ACTION_BEHIND) {
        int count = (video->count + 3) / 4;
        JudgeVideo end = {video->frames + video->count - count, count, video->width, video->height};
        if (!judge_look(judge, &end, &out->after, err))
            return false;
    }
    out->seen = true;
    return true;
}

bool measure_asked(const Ask *a, int row)
{
    int action = a->want[Q_ACTION];
    switch (row) {
    case ROW_CAMERA:
        return a->camera != NO_ANSWER;
    case ROW_GRAVITY:
    case ROW_RESTITUTION:
        return is_drop(action);
    case ROW_CONTACT:
        return action == ACTION_KNOCK && (a->want[Q_DIRECTION] == DIRECTION_LEFT || a->want[Q_DIRECTION] == DIRECTION_RIGHT);
    case ROW_AFTER:
        return action == ACTION_BEHIND && a->want[Q_THING] != NO_ANSWER;
    default:
        return score_asked(a, row);
    }
}

static bool within(double value, Range r)
{
    return value >= r.low && value <= r.high;
}

bool measure_right(const Ask *a, const Seen *s, int row)
{
    int action = a->want[Q_ACTION];
    switch (row) {
    case ROW_CAMERA:
        return (int)camera_named(&s->camera) == a->camera;
    case ROW_GRAVITY:
        return s->fall.falls && s->fall.misfit <= MOST_MISFIT && within(s->fall.gravity, measure_gravity(action));
    case ROW_RESTITUTION:
        return s->fall.falls && within(s->fall.restitution, measure_restitution(action));
    case ROW_CONTACT:
        return s->knock.touched;
    case ROW_AFTER:
        return verdict_right(&s->after, Q_THING, a->want[Q_THING]) &&
               (a->want[Q_COLOUR] == NO_ANSWER || verdict_right(&s->after, Q_COLOUR, a->want[Q_COLOUR]));
    default:
        return score_right(a, &s->sight, row);
    }
}
