#include "train/camera_eye.h"

#include <math.h>
#include <stdlib.h>

#include "train/look.h"

/* Frames of SIDE x SIDE; TRIES of each kind of motion to either side. */
enum { SIDE = 64, PIXELS = SIDE * SIDE, LOOKS = 9, TRIES = 14 };
static const double SHIFT = 0.4, ZOOM = 0.005; /* of one try: pixels, share */
static const float MOST = 0.3f;                /* a difference that counts: what acts in the scene counts no more than this */
static const double LEAST_GAIN = 0.1;

/* Where a pixel of a frame is in the next one: (x, y) scaled about the middle, then shifted. */
typedef struct Warp {
    double dx, dy, scale;
} Warp;

static float sample(const float *gray, double x, double y)
{
    int i = (int)x, k = (int)y;
    float u = (float)(x - i), v = (float)(y - k);
    const float *a = gray + k * SIDE + i, *b = a + SIDE;
    return (1 - v) * ((1 - u) * a[0] + u * a[1]) + v * ((1 - u) * b[0] + u * b[1]);
}

/* The mean difference over what both frames show. */
static double difference(const float *from, const float *to, Warp w)
{
    double sum = 0, middle = (SIDE - 1) / 2.0;
    int count = 0;
    for (int y = 0; y < SIDE; y++) {
        double ty = (y - middle) * w.scale + middle + w.dy;
        for (int x = 0; x < SIDE && ty >= 0 && ty < SIDE - 1; x++) {
            double tx = (x - middle) * w.scale + middle + w.dx;
            if (tx < 0 || tx >= SIDE - 1)
                continue;
            sum += (double)fminf(MOST, fabsf(from[y * SIDE + x] - sample(to, tx, ty)));
            count++;
        }
    }
    return count > 0 ? sum / count : 0;
}

typedef enum Kind { PAN, RISE, CLOSER, KINDS } Kind;

static Warp warp_of(Kind kind, int try)
{
    return (Warp){kind == PAN ? SHIFT * try : 0, kind == RISE ? SHIFT * try : 0, kind == CLOSER ? 1 + ZOOM * try : 1};
}

static double cost_of(float frames[LOOKS][PIXELS], Warp w)
{
    double sum = 0;
    for (int i = 0; i + 1 < LOOKS; i++)
        sum += difference(frames[i], frames[i + 1], w);
    return sum;
}

bool camera_move(const JudgeVideo *v, CameraMove *move, SoraError *err)
{
    *move = (CameraMove){0};
    if (v->count < 2)
        return true;
    float *rgb = malloc((size_t)PIXELS * (3 + LOOKS) * sizeof *rgb), (*frames)[PIXELS] = (float(*)[PIXELS])(rgb + 3 * PIXELS);
    if (rgb == NULL)
        return error_no_memory(err);
    for (int f = 0; f < LOOKS; f++) {
        look_shrink(v->frames[look_frame(f, LOOKS, v->count)], v->width, v->height, SIDE, rgb);
        for (int i = 0; i < PIXELS; i++)
            frames[f][i] = (rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]) / 3;
    }
    double still = cost_of(frames, warp_of(PAN, 0)), least = still;
    for (int kind = 0; kind < KINDS; kind++)
        for (int try = -TRIES; try <= TRIES; try++) {
            Warp w = warp_of((Kind)kind, try);
            double cost = cost_of(frames, w);
            if (cost >= least)
                continue;
            least = cost;
            *move = (CameraMove){-w.dx * (LOOKS - 1) / SIDE, -w.dy * (LOOKS - 1) / SIDE, pow(w.scale, LOOKS - 1) - 1, 1 - cost / still};
        }
    free(rgb);
    return true;
}

StageCamera camera_named(const CameraMove *m)
{
    if (m->gain < LEAST_GAIN)
        return CAMERA_STATIC;
    if (m->closer != 0)
        return m->closer > 0 ? CAMERA_ZOOM_IN : CAMERA_ZOOM_OUT;
    if (m->right != 0)
        return m->right < 0 ? CAMERA_PAN_LEFT : CAMERA_PAN_RIGHT;
    return m->down < 0 ? CAMERA_RISE : CAMERA_STATIC;
}
