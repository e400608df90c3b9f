#include "media/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "media/ffmpeg.h"
#include "media/picture.h"

bool image_init(Image *image, int width, int height, SoraError *err)
{
    *image = (Image){0};
    if (width < 1 || height < 1 || width > MEDIA_MAX_SIDE || height > MEDIA_MAX_SIDE ||
        (int64_t)width * height > MEDIA_MAX_PIXELS)
        return error_set(err, SORA_ERROR_INPUT,
                         "picture of %dx%d pixels: 1x1 to %dx%d and %d million pixels work", width, height,
                         MEDIA_MAX_SIDE, MEDIA_MAX_SIDE, MEDIA_MAX_PIXELS / 1000000);
    image->rgb = calloc((size_t)width * (size_t)height, 3);
    if (image->rgb == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "picture of %dx%d pixels: out of memory", width, height);
    image->width = width;
    image->height = height;
    return true;
}

void image_deinit(Image *image)
{
    free(image->rgb);
    *image = (Image){0};
}

uint8_t *image_encode_jpeg(const Image *image, size_t *size, SoraError *err)
{
    char *bytes = NULL;
    FILE *stream = open_memstream(&bytes, size);
    bool ok = stream != NULL && jpeg_write(stream, image, &(PictureText){NULL, NULL}, "picture", err);
    if (stream != NULL && fclose(stream) == 0 && ok)
        return (uint8_t *)bytes;
    free(bytes);
    if (ok || stream == NULL)
        error_no_memory(err);
    return NULL;
}

bool image_write_png_finished(const Image *image, const char *path, const FileFinish *finish, SoraError *err)
{
    FileWriter file;
    if (!file_writer_open(&file, path, err))
        return false;
    if (!png_write(file.stream, image, &(PictureText){NULL, NULL}, path, err)) {
        file_writer_abort(&file);
        return false;
    }
    return file_writer_finish(&file, finish, NULL, err);
}

bool image_write_png(const Image *image, const char *path, const char *title, const char *comment,
                     SoraError *err)
{
    FileWriter file;
    if (!file_writer_open(&file, path, err))
        return false;
    if (!png_write(file.stream, image, &(PictureText){title, comment}, path, err)) {
        file_writer_abort(&file);
        return false;
    }
    return file_writer_commit(&file, err);
}

/* The weights of one pass: output i is the sum of taps[i * size + k] * input[first[i] + k] / 2^22. */
typedef struct Taps {
    int size;
    int *first, *count;
    int32_t *weights;
} Taps;

enum { PRECISION = 22 }; /* 32 bits less 8 of the pixel and 2 of headroom */

static void deinit_taps(Taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weights);
}

static double lanczos3(double x)
{
    if (x <= -3 || x >= 3)
        return 0;
    if (x == 0)
        return 1;
    double a = x * M_PI, b = a / 3;
    return sin(a) / a * (sin(b) / b);
}

static bool init_taps(Taps *t, int in, int out)
{
    double scale = (double)in / out, stretch = scale > 1 ? scale : 1, support = 3 * stretch;
    *t = (Taps){.size = (int)ceil(support) * 2 + 1};
    t->first = malloc((size_t)out * sizeof *t->first);
    t->count = malloc((size_t)out * sizeof *t->count);
    t->weights = calloc((size_t)out * (size_t)t->size, sizeof *t->weights);
    double *w = malloc((size_t)t->size * sizeof *w);
    bool ok = t->first != NULL && t->count != NULL && t->weights != NULL && w != NULL;
    for (int i = 0; ok && i < out; i++) {
        double center = (i + 0.5) * scale, sum = 0;
        int from = (int)(center - support + 0.5), to = (int)(center + support + 0.5);
        from = from < 0 ? 0 : from;
        to = to > in ? in : to;
        for (int k = 0; k < to - from; k++)
            sum += w[k] = lanczos3((k + from - center + 0.5) / stretch);
        for (int k = 0; k < to - from; k++)
            t->weights[(size_t)i * (size_t)t->size + (size_t)k] =
                (int32_t)lround(w[k] / sum * (1 << PRECISION));
        t->first[i] = from;
        t->count[i] = to - from;
    }
    free(w);
    return ok;
}

static uint8_t clip(int32_t sum)
{
    int32_t v = sum >> PRECISION;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void resize_rows(Image *out, const Image *in, const Taps *t)
{
    for (int y = 0; y < out->height; y++) {
        const uint8_t *row = in->rgb + (size_t)y * 3 * (size_t)in->width;
        uint8_t *to = out->rgb + (size_t)y * 3 * (size_t)out->width;
        for (int x = 0; x < out->width; x++, to += 3) {
            const int32_t *w = t->weights + (size_t)x * (size_t)t->size;
            const uint8_t *p = row + 3 * (size_t)t->first[x];
            int32_t sum[3] = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
            for (int k = 0; k < t->count[x]; k++, p += 3) {
                sum[0] += p[0] * w[k];
                sum[1] += p[1] * w[k];
                sum[2] += p[2] * w[k];
            }
            to[0] = clip(sum[0]);
            to[1] = clip(sum[1]);
            to[2] = clip(sum[2]);
        }
    }
}

static void resize_columns(Image *out, const Image *in, const Taps *t)
{
    size_t row = 3 * (size_t)in->width;
    for (int y = 0; y < out->height; y++) {
        const int32_t *w = t->weights + (size_t)y * (size_t)t->size;
        const uint8_t *p = in->rgb + (size_t)t->first[y] * row;
        uint8_t *to = out->rgb + (size_t)y * row;
        for (size_t x = 0; x < row; x++) {
            int32_t sum = 1 << (PRECISION - 1);
            for (int k = 0; k < t->count[y]; k++)
                sum += p[(size_t)k * row + x] * w[k];
            to[x] = clip(sum);
        }
    }
}

typedef enum Axis { ALONG_ROWS, ALONG_COLUMNS } Axis;

/* Makes *out from in along one axis: a copy when the size stays. */
static bool resize_along(Axis axis, Image *out, const Image *in, int size, SoraError *err)
{
    int before = axis == ALONG_ROWS ? in->width : in->height;
    if (before == size)
        return image_crop(out, in, 0, 0, in->width, in->height, err);
    if (!image_init(out, axis == ALONG_ROWS ? size : in->width, axis == ALONG_ROWS ? in->height : size, err))
        return false;
    Taps taps;
    bool ok = init_taps(&taps, before, size);
    if (ok && axis == ALONG_ROWS)
        resize_rows(out, in, &taps);
    else if (ok)
        resize_columns(out, in, &taps);
    deinit_taps(&taps);
    if (ok)
        return true;
    image_deinit(out);
    return error_set(err, SORA_ERROR_MEMORY, "resizing a picture: out of memory");
}

bool image_resize(Image *out, const Image *in, int width, int height, SoraError *err)
{
    *out = (Image){0};
    Image wide;
    if (!resize_along(ALONG_ROWS, &wide, in, width, err))
        return false;
    bool ok = resize_along(ALONG_COLUMNS, out, &wide, height, err);
    image_deinit(&wide);
    return ok;
}

bool image_crop(Image *out, const Image *in, int x, int y, int width, int height, SoraError *err)
{
    *out = (Image){0};
    if (x < 0 || y < 0 || width > in->width - x || height > in->height - y)
        return error_set(err, SORA_ERROR_INPUT, "%dx%d pixels at (%d, %d) are not inside %dx%d", width,
                         height, x, y, in->width, in->height);
    if (!image_init(out, width, height, err))
        return false;
    for (int row = 0; row < height; row++)
        memcpy(out->rgb + (size_t)row * 3 * (size_t)width,
               in->rgb + 3 * ((size_t)(row + y) * (size_t)in->width + (size_t)x), 3 * (size_t)width);
    return true;
}

bool image_cover(Image *out, const Image *in, int width, int height, SoraError *err)
{
    *out = (Image){0};
    if (in->width < 1 || in->height < 1)
        return error_set(err, SORA_ERROR_INPUT, "the picture is empty");
    double scale = fmax((double)width / in->width, (double)height / in->height);
    /* Half to even, as Python's round(); and never a pixel short. */
    int w = (int)fmax(rint(fmin(in->width * scale, 1e6)), width);
    int h = (int)fmax(rint(fmin(in->height * scale, 1e6)), height);
    Image big;
    if (!image_resize(&big, in, w, h, err))
        return false;
    bool ok = image_crop(out, &big, (w - width) / 2, (h - height) / 2, width, height, err);
    image_deinit(&big);
    return ok;
}
