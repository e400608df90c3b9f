#include "train/look.h"

#include <math.h>
#include <string.h>

int look_frame(int i, int looks, int count)
{
    return looks > 1 ? (2 * i * (count - 1) + looks - 1) / (2 * (looks - 1)) : count / 2;
}

void look_shrink(const uint8_t *rgb, int width, int height, int side, float *out)
{
    float sx = (float)width / (float)side, sy = (float)height / (float)side;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            float x0 = (float)x * sx, x1 = x0 + sx, y0 = (float)y * sy, y1 = y0 + sy, sum[3] = {0}, area = 0;
            for (int v = (int)y0; v < height && (float)v < y1; v++)
                for (int u = (int)x0; u < width && (float)u < x1; u++) {
                    float w = (fminf(x1, (float)u + 1) - fmaxf(x0, (float)u)) * (fminf(y1, (float)v + 1) - fmaxf(y0, (float)v));
                    const uint8_t *p = rgb + 3 * ((size_t)v * (size_t)width + (size_t)u);
                    for (int k = 0; k < 3; k++)
                        sum[k] += w * (float)p[k];
                    area += w;
                }
            for (int k = 0; k < 3; k++)
                *out++ = area > 0 ? sum[k] / area / 127.5f - 1 : 0;
        }
}

LookChange look_draw_change(Rng *rng)
{
    LookChange c = {.gain = 1, .mirror = rng_uniform(rng) < 0.5f};
    if (rng_uniform(rng) < 0.5f) {
        c.blur = rng_range(rng, 0.2f, 1);
        c.blurs = 1 + rng_int(rng, 3);
    }
    if (rng_uniform(rng) < 0.5f)
        c.noise = rng_range(rng, 0, 0.12f);
    if (rng_uniform(rng) < 0.5f) {
        c.gain = rng_range(rng, 0.85f, 1.1f);
        c.offset = rng_range(rng, -0.06f, 0.06f);
    }
    return c;
}

/* One pass of the kernel (1 2 1) both ways, edges repeated, mixed in by `share`. */
static void blur(float *frame, int side, float share, float *scratch)
{
    for (int way = 0; way < 2; way++) {
        int step = way ? side * 3 : 3;
        memcpy(scratch, frame, (size_t)(side * side * 3) * sizeof *frame);
        for (int i = 0; i < side * side; i++) {
            int at = way ? i / side : i % side, before = at > 0 ? -step : 0, after = at < side - 1 ? step : 0;
            for (int k = 3 * i; k < 3 * i + 3; k++)
                frame[k] += share * (0.25f * (scratch[k + before] + scratch[k + after]) - 0.5f * scratch[k]);
        }
    }
}

static void mirror(float *frame, int side)
{
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side / 2; x++)
            for (int k = 0; k < 3; k++) {
                float *a = frame + 3 * (y * side + x) + k, *b = frame + 3 * (y * side + side - 1 - x) + k, t = *a;
                *a = *b;
                *b = t;
            }
}

void look_change(const LookChange *c, Rng *rng, float *frames, int count, int side, float *scratch)
{
    int n = side * side * 3;
    for (int f = 0; f < count; f++) {
        float *frame = frames + f * n;
        for (int i = 0; i < c->blurs; i++)
            blur(frame, side, c->blur, scratch);
        if (c->noise > 0) {
            rng_fill_normal(rng, scratch, (size_t)n);
            for (int i = 0; i < n; i++)
                frame[i] += c->noise * scratch[i];
        }
        for (int i = 0; i < n; i++)
            frame[i] = fmaxf(-1, fminf(1, frame[i] * c->gain + c->offset));
        if (c->mirror)
            mirror(frame, side);
    }
}
