#include "train/track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/look.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE, MAX_FRAMES = TRACK_FRAMES };
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

/* Where a share of the columns' mass is left of. */
static double quantile(const double columns[SIDE], double mass, double share)
{
    double sum = 0;
    for (int i = 0; i < SIDE; i++) {
        sum += columns[i];
        if (sum >= share * mass)
            return (i + 0.5) / SIDE;
    }
    return 1;
}

static void find_middle(const float *frame, const float *still, TrackPath *p, int f)
{
    double x = 0, y = 0, mass = 0, columns[SIDE] = {0};
    for (int i = 0; i < PIXELS; i++) {
        float d = -THRESHOLD;
        for (int k = 0; k < 3; k++)
            d += fabsf(frame[3 * i + k] - still[3 * i + k]);
        if (d <= 0)
            continue;
        x += d * (i % SIDE + 0.5);
        y += d * (i / SIDE + 0.5);
        mass += d;
        columns[i % SIDE] += d;
    }
    p->mass[f] = mass;
    p->x[f] = mass > 0 ? x / (mass * SIDE) : 0;
    p->y[f] = mass > 0 ? y / (mass * SIDE) : 0;
    p->left[f] = quantile(columns, mass, 0.05);
    p->right[f] = quantile(columns, mass, 0.95);
}

/* The slope of the weighted line through n middles, times their way through time. */
static Track fit(const TrackPath *p, int first, int n)
{
    double mass = 0, t = 0, x = 0, y = 0, tt = 0, tx = 0, ty = 0;
    for (int f = first; f < first + n; f++) {
        mass += p->mass[f];
        t += p->mass[f] * f;
        x += p->mass[f] * p->x[f];
        y += p->mass[f] * p->y[f];
    }
    for (int f = first; f < first + n && mass > 0; f++) {
        double u = f - t / mass;
        tt += p->mass[f] * u * u;
        tx += p->mass[f] * u * (p->x[f] - x / mass);
        ty += p->mass[f] * u * (p->y[f] - y / mass);
    }
    Track track = {.mass = n > 0 ? mass / n : 0};
    if (tt > 0) {
        track.dx = tx / tt * (n - 1);
        track.dy = ty / tt * (n - 1);
    }
    return track;
}

double track_path_seen(const TrackPath *p)
{
    double heaviest = 0;
    for (int f = 0; f < p->count; f++)
        heaviest = fmax(heaviest, p->mass[f]);
    return fmax(SMALLEST_MASS, SMALLEST_SHARE * heaviest);
}

/* The way down and what comes after it, from the frames in which something moves. */
static void fit_drop(const TrackPath *p, Track *track)
{
    double y[MAX_FRAMES], least = track_path_seen(p);
    int count = 0, contact = 0;
    for (int f = 0; f < p->count; f++)
        if (p->mass[f] > least)
            y[count++] = p->y[f];
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
static bool find_path(const JudgeVideo *v, int first, int count, int n, TrackPath *path, SoraError *err)
{
    float *frames = calloc((size_t)(n + 1) * 3 * PIXELS, sizeof *frames), *still = frames + n * 3 * PIXELS;
    if (frames == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int f = 0; f < n; f++)
        look_shrink(v->frames[first + look_frame(f, n, count)], v->width, v->height, SIDE, frames + f * 3 * PIXELS);
    median(frames, n, still);
    path->count = n;
    for (int f = 0; f < n; f++)
        find_middle(frames + f * 3 * PIXELS, still, path, f);
    free(frames);
    return true;
}

bool track_path(const JudgeVideo *v, TrackPath *path, SoraError *err)
{
    *path = (TrackPath){0};
    int n = v->count < MAX_FRAMES ? v->count : MAX_FRAMES;
    return n < 3 || find_path(v, 0, v->count, n, path, err);
}

bool track_video(const JudgeVideo *v, Track *track, SoraError *err)
{
    TrackPath path;
    *track = (Track){0};
    if (!track_path(v, &path, err))
        return false;
    if (path.count > 0) {
        *track = fit(&path, 0, path.count);
        fit_drop(&path, track);
    }
    return true;
}

/* A way over n frames as a speed. */
static void speed_of(const TrackPath *p, int first, int n, double speed[2])
{
    if (n < 2)
        return;
    Track t = fit(p, first, n);
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
    TrackPath path;
    if (n < 3 || at < 1 || at >= v->count)
        return true;
    if (!find_path(v, first, n, n, &path, err))
        return false;
    speed_of(&path, at - first - before, before, s->before);
    speed_of(&path, at - first, after, s->after);
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
