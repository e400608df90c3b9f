#include "train/track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/look.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE, MAX_FRAMES = 129 };
static const float THRESHOLD = 0.25f; /* of the three colours' differences, each -1 to 1: below it is noise */
static const double SMALLEST_WAY = 0.04, SMALLEST_MASS = 0.5;
static const double SMALLEST_SHARE = 0.15; /* of the heaviest frame's mass: less is what is left of something at rest */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The median over time of each number of frames [n, PIXELS * 3]. */
static void median(const float *frames, int n, float *out)
{
    for (int i = 0; i < 3 * PIXELS; i++) {
        float values[MAX_FRAMES];
        for (int f = 0; f < n; f++)
            values[f] = frames[f * 3 * PIXELS + i];
        qsort(values, (size_t)n, sizeof *values, by_value);
        out[i] = (values[(n - 1) / 2] + values[n / 2]) / 2;
    }
}

typedef struct Middle {
    double x, y, mass;
} Middle;

static Middle middle_of(const float *frame, const float *still)
{
    Middle m = {0};
    for (int i = 0; i < PIXELS; i++) {
        float d = -THRESHOLD;
        for (int k = 0; k < 3; k++)
            d += fabsf(frame[3 * i + k] - still[3 * i + k]);
        if (d <= 0)
            continue;
        m.x += d * (i % SIDE + 0.5);
        m.y += d * (i / SIDE + 0.5);
        m.mass += d;
    }
    if (m.mass > 0) {
        m.x /= m.mass * SIDE;
        m.y /= m.mass * SIDE;
    }
    return m;
}

/* The slope of the weighted line through the middles, times the clip's length. */
static Track fit(const Middle *m, int n)
{
    double mass = 0, t = 0, x = 0, y = 0, tt = 0, tx = 0, ty = 0;
    for (int f = 0; f < n; f++) {
        mass += m[f].mass;
        t += m[f].mass * f;
        x += m[f].mass * m[f].x;
        y += m[f].mass * m[f].y;
    }
    for (int f = 0; f < n && mass > 0; f++) {
        double u = f - t / mass;
        tt += m[f].mass * u * u;
        tx += m[f].mass * u * (m[f].x - x / mass);
        ty += m[f].mass * u * (m[f].y - y / mass);
    }
    Track track = {.mass = mass / n};
    if (tt > 0) {
        track.dx = tx / tt * (n - 1);
        track.dy = ty / tt * (n - 1);
    }
    return track;
}

/* The way down and what comes after it, from the frames in which something moves. */
static void fit_drop(const Middle *all, int n, Track *track)
{
    double y[MAX_FRAMES], heaviest = 0;
    int count = 0, contact = 0;
    for (int f = 0; f < n; f++)
        heaviest = fmax(heaviest, all[f].mass);
    for (int f = 0; f < n; f++)
        if (all[f].mass > SMALLEST_MASS && all[f].mass > SMALLEST_SHARE * heaviest)
            y[count++] = all[f].y;
    double lowest = 0, highest = 1;
    for (int i = 0; i < count; i++) {
        lowest = fmax(lowest, y[i]);
        highest = fmin(highest, y[i]);
        track->back = fmax(track->back, y[i] - highest);
    }
    double whole = count > 0 ? lowest - y[0] : 0;
    while (contact + 1 < count && (y[contact] < y[0] + whole / 2 || y[contact + 1] > y[contact]))
        contact++;
    if (contact < 2 || whole <= 0)
        return;
    int below = contact / 2;
    double half = contact % 2 == 0 ? y[below] : (y[below] + y[below + 1]) / 2;
    track->drop = whole;
    track->early = (half - y[0]) / (y[contact] - y[0]);
    for (int i = contact; i < count; i++)
        track->rebound = fmax(track->rebound, (lowest - y[i]) / whole);
}

/* Of n of the frames from `first` on, evenly taken of `count`. */
static bool find_middles(const JudgeVideo *v, int first, int count, int n, Middle *middles, SoraError *err)
{
    float *frames = calloc((size_t)(n + 1) * 3 * PIXELS, sizeof *frames), *still = frames + n * 3 * PIXELS;
    if (frames == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int f = 0; f < n; f++)
        look_shrink(v->frames[first + look_frame(f, n, count)], v->width, v->height, SIDE, frames + f * 3 * PIXELS);
    median(frames, n, still);
    for (int f = 0; f < n; f++)
        middles[f] = middle_of(frames + f * 3 * PIXELS, still);
    free(frames);
    return true;
}

bool track_video(const JudgeVideo *v, Track *track, SoraError *err)
{
    *track = (Track){0};
    int n = v->count < MAX_FRAMES ? v->count : MAX_FRAMES;
    Middle middles[MAX_FRAMES];
    if (n < 3)
        return true;
    if (!find_middles(v, 0, v->count, n, middles, err))
        return false;
    *track = fit(middles, n);
    fit_drop(middles, n, track);
    return true;
}

/* A way over n frames as a speed. */
static void speed_of(const Middle *m, int n, double speed[2])
{
    if (n < 2)
        return;
    Track t = fit(m, n);
    speed[0] = t.dx / (n - 1);
    speed[1] = t.dy / (n - 1);
}

bool track_speeds(const JudgeVideo *v, int at, int span, TrackSpeeds *s, SoraError *err)
{
    *s = (TrackSpeeds){0};
    /* Of a long video the frames around: each as it is, for a speed is by frames. */
    int first = at - MAX_FRAMES / 2 > 0 ? at - MAX_FRAMES / 2 : 0;
    int n = v->count - first < MAX_FRAMES ? v->count - first : MAX_FRAMES;
    int before = at - first < span ? at - first : span, after = first + n - at < span ? first + n - at : span;
    Middle middles[MAX_FRAMES];
    if (n < 3 || at < 1 || at >= v->count)
        return true;
    if (!find_middles(v, first, n, n, middles, err))
        return false;
    speed_of(middles + (at - first - before), before, s->before);
    speed_of(middles + (at - first), after, s->after);
    return true;
}

StageDirection track_direction(const Track *t)
{
    double across = fabs(t->dx), along = fabs(t->dy);
    if (t->mass < SMALLEST_MASS || fmax(across, along) < SMALLEST_WAY)
        return DIRECTION_NONE;
    if (across >= along)
        return t->dx < 0 ? DIRECTION_LEFT : DIRECTION_RIGHT;
    return t->dy < 0 ? DIRECTION_UP : DIRECTION_DOWN;
}

bool track_obeys(const Track *t, TrackLaw law)
{
    bool falls = t->drop > 2 * SMALLEST_WAY && t->early > 0 && t->early < 0.45;
    switch (law) {
    case LAW_FALL:
        return falls && t->rebound < 0.75 && fabs(t->dx) < 2 * SMALLEST_WAY;
    case LAW_BOUNCE:
        return falls && t->rebound >= 0.25 && t->rebound <= 0.95 && fabs(t->dx) >= 2 * SMALLEST_WAY;
    default:
        return t->mass >= SMALLEST_MASS && t->dy < -2 * SMALLEST_WAY && t->back < -0.25 * t->dy;
    }
}
