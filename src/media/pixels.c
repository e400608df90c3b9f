#include "media/pixels.h"

#include <math.h>
#include <stdlib.h>
#include "media/ffmpeg.h"

bool pixels_init(Pixels *p, int width, int height, SoraError *err)
{
    *p = (Pixels){0};
    if (width < 1 || height < 1 || width > MEDIA_MAX_SIDE || height > MEDIA_MAX_SIDE ||
        (int64_t)width * height > MEDIA_MAX_PIXELS)
        return error_set(err, SORA_ERROR_INPUT, "picture of %dx%d pixels is out of range", width, height);
    p->rgb = calloc((size_t)width * (size_t)height * 3, sizeof *p->rgb);
    if (p->rgb == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "picture of %dx%d pixels: out of memory", width, height);
    p->width = width;
    p->height = height;
    return true;
}

bool pixels_from_image(Pixels *p, const Image *image, SoraError *err)
{
    if (!pixels_init(p, image->width, image->height, err))
        return false;
    size_t values = (size_t)image->width * (size_t)image->height * 3;
    for (size_t i = 0; i < values; i++)
        p->rgb[i] = ((float)image->rgb[i] / 255 - 0.5f) / 0.5f;
    return true;
}

void pixels_deinit(Pixels *p)
{
    free(p->rgb);
    *p = (Pixels){0};
}

/* Result i of a pass is the sum of weight[k] * input[index[k]]. */
typedef struct Tap {
    int index[4];
    float weight[4];
} Tap;

/* The cubic convolution of Keys (1981) with a = -0.75, at distance 0 <= x < 2. */
static double cubic(double x)
{
    const double a = -0.75;
    return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

static Tap *make_taps(int in, int out)
{
    Tap *taps = calloc((size_t)out, sizeof *taps);
    double scale = (double)in / out;
    for (int i = 0; taps != NULL && i < out; i++) {
        double at = (i + 0.5) * scale - 0.5, below = floor(at);
        for (int k = 0; k < 4; k++) {
            int from = (int)below - 1 + k;
            taps[i].index[k] = from < 0 ? 0 : from >= in ? in - 1 : from;
            taps[i].weight[k] = (float)cubic(fabs(at - below + 1 - k));
        }
    }
    return taps;
}

bool pixels_resize(Pixels *out, const Pixels *in, int width, int height, SoraError *err)
{
    *out = (Pixels){0};
    Pixels wide = {0};
    Tap *columns = NULL, *rows = NULL;
    bool ok = pixels_init(&wide, width, in->height, err) && pixels_init(out, width, height, err);
    if (ok &&
        ((columns = make_taps(in->width, width)) == NULL || (rows = make_taps(in->height, height)) == NULL))
        ok = error_set(err, SORA_ERROR_MEMORY, "resizing a picture: out of memory");
    size_t line = 3 * (size_t)width;
    for (int y = 0; ok && y < in->height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) {
                const float *from = in->rgb + (size_t)y * (size_t)in->width * 3 + c;
                float sum = 0;
                for (int k = 0; k < 4; k++)
                    sum += columns[x].weight[k] * from[3 * columns[x].index[k]];
                wide.rgb[(size_t)y * line + 3 * (size_t)x + (size_t)c] = sum;
            }
    for (int y = 0; ok && y < height; y++)
        for (size_t x = 0; x < line; x++) {
            float sum = 0;
            for (int k = 0; k < 4; k++)
                sum += rows[y].weight[k] * wide.rgb[(size_t)rows[y].index[k] * line + x];
            out->rgb[(size_t)y * line + x] = sum;
        }
    free(columns);
    free(rows);
    pixels_deinit(&wide);
    if (!ok)
        pixels_deinit(out);
    return ok;
}
