#include "train/physics.h"

#include <math.h>

static const double SMALLEST_DROP = 0.08; /* heights of the frame */

/* The frames in which something moves. */
typedef struct Moving {
    int count, frame[TRACK_FRAMES];
} Moving;

static Moving moving_frames(const TrackPath *p)
{
    Moving m = {0};
    double least = track_path_seen(p);
    for (int f = 0; f < p->count; f++)
        if (p->mass[f] > least)
            m.frame[m.count++] = f;
    return m;
}

/* The way down is over at the first frame, below the middle of the drop, that the next does not go below. */
static int first_contact(const TrackPath *p, const Moving *m, double lowest)
{
    int i = 0;
    double y0 = p->y[m->frame[0]];
    while (i + 1 < m->count && (p->y[m->frame[i]] < (y0 + lowest) / 2 || p->y[m->frame[i + 1]] > p->y[m->frame[i]]))
        i++;
    return i;
}

/* Least squares of y = a + b t + c t^2 over the first n of the moving frames; false when they do not determine it. */
static bool fit_parabola(const TrackPath *p, const Moving *m, int n, double fps, double out[3])
{
    double s[5] = {0}, r[3] = {0};
    for (int i = 0; i < n; i++) {
        double t = (m->frame[i] - m->frame[0]) / fps, power = 1;
        for (int k = 0; k < 5; k++, power *= t) {
            s[k] += power;
            if (k < 3)
                r[k] += power * p->y[m->frame[i]];
        }
    }
    double d = s[0] * (s[2] * s[4] - s[3] * s[3]) - s[1] * (s[1] * s[4] - s[3] * s[2]) + s[2] * (s[1] * s[3] - s[2] * s[2]);
    if (n < 3 || fabs(d) < 1e-15)
        return false;
    out[0] = (r[0] * (s[2] * s[4] - s[3] * s[3]) - s[1] * (r[1] * s[4] - s[3] * r[2]) + s[2] * (r[1] * s[3] - s[2] * r[2])) / d;
    out[1] = (s[0] * (r[1] * s[4] - r[2] * s[3]) - r[0] * (s[1] * s[4] - s[3] * s[2]) + s[2] * (s[1] * r[2] - s[2] * r[1])) / d;
    out[2] = (s[0] * (s[2] * r[2] - s[3] * r[1]) - s[1] * (s[1] * r[2] - s[2] * r[1]) + r[0] * (s[1] * s[3] - s[2] * s[2])) / d;
    return true;
}

Fall physics_fall(const TrackPath *p, double fps)
{
    Fall fall = {0};
    Moving m = moving_frames(p);
    double lowest = 0, c[3];
    for (int i = 0; i < m.count; i++)
        lowest = fmax(lowest, p->y[m.frame[i]]);
    double drop = m.count > 0 ? lowest - p->y[m.frame[0]] : 0;
    if (drop < SMALLEST_DROP || fps <= 0)
        return fall;
    int contact = first_contact(p, &m, lowest);
    /* In the lowest frame it may be on its way up again; of a short fall that frame is needed all the same. */
    int count = contact >= 4 ? contact : contact + 1;
    if (contact < 2 || !fit_parabola(p, &m, count, fps, c))
        return fall;
    double square = 0, highest = lowest;
    for (int i = 0; i < count; i++) {
        double t = (m.frame[i] - m.frame[0]) / fps, left = p->y[m.frame[i]] - (c[0] + t * (c[1] + t * c[2]));
        square += left * left;
    }
    for (int i = contact; i < m.count; i++)
        highest = fmin(highest, p->y[m.frame[i]]);
    fall.falls = true;
    fall.gravity = 2 * c[2];
    fall.misfit = sqrt(square / count) / drop;
    fall.restitution = sqrt(fmax(0, lowest - highest) / drop);
    return fall;
}

Knock physics_knock(const TrackPath *p, StageDirection way)
{
    static const double STILL = 0.05, MOVED = 0.1, CAME = 0.04;
    Moving m = moving_frames(p);
    Knock k = {0};
    if (m.count < 3 || (way != DIRECTION_LEFT && way != DIRECTION_RIGHT))
        return k;
    double sign = way == DIRECTION_RIGHT ? 1 : -1;
    const double *front = way == DIRECTION_RIGHT ? p->right : p->left, *rear = way == DIRECTION_RIGHT ? p->left : p->right;
    int first = m.frame[0], last = m.frame[m.count - 1];
    k.moved = sign * (front[last] - front[first]) >= MOVED;
    int leaves = last;
    for (int i = m.count - 1; i >= 0; i--)
        if (sign * (front[m.frame[i]] - front[first]) > STILL)
            leaves = m.frame[i];
    /* Until then what is behind has come nearer. */
    double before = fabs(front[first] - rear[first]), nearest = before;
    for (int i = 0; i < m.count && m.frame[i] <= leaves; i++)
        nearest = fmin(nearest, fabs(front[m.frame[i]] - rear[m.frame[i]]));
    k.touched = k.moved && sign * (rear[leaves] - rear[first]) >= CAME && nearest < before - CAME;
    return k;
}
