#include "studio/seam.h"

#include <stdlib.h>
#include <string.h>

/* Of 255, mean over a neighbourhood and the colours: frames that differ by this much are half taken for a motion. Motion that
 * was taken for a step would leave a ghost of what was there. */
#define MOTION 20.0f

/* The mean over 2 radius + 1 numbers that lie `step` apart, of `count` such; at the ends over those that there are. */
static void blur_line(const float *in, float *out, int count, int step, int radius)
{
    double sum = 0;
    int n = 0;
    for (int i = -radius; i < count; i++) {
        int enters = i + radius, leaves = i - radius - 1;
        if (enters < count) {
            sum += in[enters * step];
            n++;
        }
        if (leaves >= 0) {
            sum -= in[leaves * step];
            n--;
        }
        if (i >= 0)
            out[i * step] = (float)(sum / n);
    }
}

/* Fills s->still: how little the frame differs from `made`. */
static void find_still(Seam *s, const uint8_t *rgb)
{
    int short_side = s->width < s->height ? s->width : s->height, radius = short_side < 128 ? 2 : short_side / 64;
    size_t pixels = (size_t)s->width * (size_t)s->height;
    for (size_t k = 0; k < pixels; k++) {
        int sum = 0;
        for (size_t c = 0; c < 3; c++)
            sum += abs(rgb[3 * k + c] - s->made[3 * k + c]);
        s->still[k] = (float)sum / 3;
    }
    for (int y = 0; y < s->height; y++)
        blur_line(s->still + y * s->width, s->blurred + y * s->width, s->width, 1, radius);
    for (int x = 0; x < s->width; x++)
        blur_line(s->blurred + x, s->still + x, s->height, s->width, radius);
    for (size_t k = 0; k < pixels; k++) {
        float x = s->still[k] / MOTION;
        s->still[k] = 1 / (1 + x * x * x * x);
    }
}

bool seam_measure(Seam *s, const SeamSides *sides, SoraError *err)
{
    size_t pixels = (size_t)sides->width * (size_t)sides->height;
    *s = (Seam){sides->width, sides->height, malloc(3 * pixels), malloc(3 * pixels * sizeof(float)), malloc(pixels * sizeof(float)),
                malloc(pixels * sizeof(float))};
    if (s->made == NULL || s->step == NULL || s->still == NULL || s->blurred == NULL) {
        seam_deinit(s);
        return error_no_memory(err);
    }
    memcpy(s->made, sides->made, 3 * pixels);
    find_still(s, sides->given);
    double step[3] = {0}, still = 0;
    for (size_t k = 0; k < 3 * pixels; k++) {
        s->step[k] = s->still[k / 3] * (float)(sides->given[k] - sides->made[k]);
        step[k % 3] += s->step[k];
        still += s->still[k / 3] / 3;
    }
    for (size_t k = 0; k < 3 * pixels && still > 0; k++)
        s->step[k] -= s->still[k / 3] * (float)(step[k % 3] / still);
    return true;
}

void seam_close(Seam *s, int i, int count, uint8_t *rgb)
{
    size_t numbers = 3 * (size_t)s->width * (size_t)s->height;
    float part = i < count ? 1 - (float)i / (float)count : 0;
    if (s->made == NULL || part <= 0)
        return;
    find_still(s, rgb); /* what has come there since gets none of it */
    for (size_t k = 0; k < numbers; k++) {
        float x = (float)rgb[k] + part * s->still[k / 3] * s->step[k];
        rgb[k] = x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5f);
    }
}

void seam_deinit(Seam *s)
{
    free(s->made);
    free(s->step);
    free(s->still);
    free(s->blurred);
    *s = (Seam){0};
}
