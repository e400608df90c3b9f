#include "engine/preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum {
    MAP_SIDE = 4,       /* most pixels on the side of a place's square: of linear codes */
    FIT_PIXELS = 8,     /* of the video, for one pixel of a fitted map */
    FIT_PLACES = 8,     /* of the latent that is fitted to, along each side: at least, and */
    FIT_PER_CHANNEL = 3 /* ... so many places for each channel */
};

/* Averages frames [T, h * stride, w * stride, 3] over time and over squares, as [h, w, 3 * side * side]. */
static void shrink(const float *frames, int64_t count, int64_t h, int64_t w, int64_t stride, int side, float *out)
{
    int64_t square = stride / side, row = w * stride * 3, n = 3 * side * side;
    memset(out, 0, (size_t)(h * w * n) * sizeof *out);
    for (int64_t t = 0; t < count; t++)
        for (int64_t y = 0; y < h * stride; y++)
            for (int64_t x = 0; x < w * stride; x++) {
                int64_t at = (y / stride * w + x / stride) * n + (y % stride / square * side + x % stride / square) * 3;
                for (int c = 0; c < 3; c++)
                    out[at + c] += frames[(t * h * stride + y) * row + 3 * x + c] / (float)(count * square * square);
            }
}

/* Of two latent frames [2, h, w, C], the video that the decoder, or the linear code alone, makes: shrunk, of each
 * frame. */
static bool decode_two(const Pipeline *p, bool code_alone, const float *z, int64_t h, int64_t w, int side,
                       float *out[2], SoraError *err)
{
    const Vae *m = p->autoencoder;
    const VaeConfig *c = &m->config;
    Graph *g = p->graph;
    int64_t stride = vae_stride_space(c), frames = 1 + vae_stride_time(c), plane = h * w * stride * stride * 3;
    float *pixels = malloc((size_t)(frames * plane) * sizeof *pixels);
    if (pixels == NULL)
        return error_no_memory(err);
    graph_reset(g);
    VaeCache cache = {.last = true};
    Tensor *in = graph_input(g, DTYPE_F32, SHAPE(1, 2, h, w, c->z_dim), z);
    Tensor *video = code_alone ? vae_decode_code(g, m, in) : vae_decode_chunk(g, m, &cache, in);
    graph_download(g, video, pixels);
    bool ok = graph_ok(g, err);
    vae_cache_free(g, &cache);
    graph_reset(g);
    if (ok) {
        shrink(pixels, 1, h, w, stride, side, out[0]);
        shrink(pixels + plane, frames - 1, h, w, stride, side, out[1]);
    }
    free(pixels);
    return ok;
}

/* A linear code says it by itself: what it makes of no channel, and of each alone. */
static bool read_code(Preview *p, const Pipeline *pipeline, SoraError *err)
{
    int64_t C = p->channels, n = 3 * p->side * p->side;
    float *z = calloc((size_t)(2 * (C + 1) * C), sizeof *z), *out[2];
    out[0] = malloc((size_t)(2 * (C + 1) * n) * sizeof **out);
    bool ok = (z != NULL && out[0] != NULL) || error_no_memory(err);
    for (int64_t i = 0; ok && i < C; i++) /* a row of places: place i has channel i, the last one none */
        z[i * C + i] = z[((C + 1) + i) * C + i] = 1;
    out[1] = ok ? out[0] + (C + 1) * n : NULL;
    ok = ok && decode_two(pipeline, true, z, 1, C + 1, p->side, out, err);
    for (int k = 0; ok && k < 2; k++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c <= C; c++)
                p->map[k][i * (C + 1) + c] = out[k][c * n + i] - (c < C ? out[k][C * n + i] : 0);
    free(z);
    free(out[0]);
    return ok;
}

/* Smooth parts and fine ones, as videos have them. [2, side, side, C] */
static void fill_noise(float *z, int64_t side, int64_t channels)
{
    enum { SEED = 7, CELL = 3 };
    Rng rng;
    rng_init(&rng, SEED, 0);
    int64_t cells = (side + CELL - 1) / CELL;
    rng_fill_normal(&rng, z, (size_t)(2 * side * side * channels));
    for (int64_t f = 0; f < 2; f++)
        for (int64_t y = 0; y < side; y++)
            for (int64_t x = 0; x < side; x++)
                for (int64_t c = 0; c < channels; c++) {
                    int64_t corner = ((f * side + y / CELL * CELL) * side + x / CELL * CELL) * channels + c;
                    int64_t at = ((f * side + y) * side + x) * channels + c;
                    if (at != corner && cells > 0)
                        z[at] = 0.9f * z[corner] + 0.45f * z[at];
                }
}

/* Solves a x = b for n unknowns and m right sides by Cholesky's method; a [n, n] is symmetric and positive, and is
 * overwritten. b [n, m] becomes x. */
static void solve(double *a, double *b, int64_t n, int64_t m)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double s = a[i * n + j];
            for (int64_t k = 0; k < j; k++)
                s -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? sqrt(s) : s / a[j * n + j];
        }
    for (int64_t r = 0; r < m; r++) {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t k = 0; k < i; k++)
                b[i * m + r] -= a[i * n + k] * b[k * m + r];
            b[i * m + r] /= a[i * n + i];
        }
        for (int64_t i = n; i-- > 0;) {
            for (int64_t k = i + 1; k < n; k++)
                b[i * m + r] -= a[k * n + i] * b[k * m + r];
            b[i * m + r] /= a[i * n + i];
        }
    }
}

/* The map [rows, C + 1] with the least squared error from z [places, C] to y [places, rows]; a little is added to the
 * diagonal, which keeps it small where the places say little. */
static bool fit(const float *z, const float *y, int64_t places, int64_t C, int64_t rows, float *map, SoraError *err)
{
    int64_t n = C + 1;
    double *a = calloc((size_t)(n * n), sizeof *a), *b = calloc((size_t)(n * rows), sizeof *b);
    bool ok = (a != NULL && b != NULL) || error_no_memory(err);
    for (int64_t p = 0; ok && p < places; p++)
        for (int64_t i = 0; i < n; i++) {
            double zi = i < C ? z[p * C + i] : 1;
            for (int64_t j = 0; j < n; j++)
                a[i * n + j] += zi * (j < C ? z[p * C + j] : 1);
            for (int64_t r = 0; r < rows; r++)
                b[i * rows + r] += zi * y[p * rows + r];
        }
    for (int64_t i = 0; ok && i < n; i++)
        a[i * n + i] += 0.05 * (double)places;
    if (ok)
        solve(a, b, n, rows);
    for (int64_t i = 0; ok && i < n; i++)
        for (int64_t r = 0; r < rows; r++)
            map[r * n + i] = (float)b[i * rows + r];
    free(a);
    free(b);
    return ok;
}

bool preview_fit(Preview *p, const Pipeline *pipeline, SoraError *err)
{
    int64_t C = p->channels, rows = 3 * p->side * p->side, side = FIT_PLACES;
    while (side * side < FIT_PER_CHANNEL * C)
        side++;
    int64_t places = side * side;
    float *z = malloc((size_t)(2 * places * C) * sizeof *z), *out[2];
    out[0] = malloc((size_t)(2 * places * rows) * sizeof **out);
    bool ok = (z != NULL && out[0] != NULL) || error_no_memory(err);
    out[1] = ok ? out[0] + places * rows : NULL;
    if (ok)
        fill_noise(z, side, C);
    ok = ok && decode_two(pipeline, false, z, side, side, p->side, out, err);
    for (int k = 0; ok && k < 2; k++)
        ok = fit(z + k * places * C, out[k], places, C, rows, p->map[k], err);
    free(z);
    free(out[0]);
    return ok;
}

bool preview_init(Preview *p, const Pipeline *pipeline, const CanvasShape *shape, SoraError *err)
{
    const VaeConfig *c = &pipeline->autoencoder->config;
    int stride = vae_stride_space(c), most = c->linear_code ? MAP_SIDE : (stride + FIT_PIXELS - 1) / FIT_PIXELS;
    *p = (Preview){.channels = shape->channels, .side = 1, .frames = (int)shape->frames};
    while (2 * p->side <= most && stride % (2 * p->side) == 0)
        p->side *= 2;
    p->width = p->side * (int)shape->width;
    p->height = p->side * (int)shape->height;
    size_t map = (size_t)(3 * p->side * p->side * (p->channels + 1)),
           places = (size_t)(shape->frames * shape->height * shape->width);
    p->map[0] = calloc(2 * map, sizeof *p->map[0]);
    p->estimate = calloc(places * (size_t)p->channels, sizeof *p->estimate);
    p->rgb = calloc(places * (size_t)(p->side * p->side), 3);
    if (p->map[0] == NULL || p->estimate == NULL || p->rgb == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "preview: out of memory");
    p->map[1] = p->map[0] + map;
    return (c->linear_code ? read_code(p, pipeline, err) : preview_fit(p, pipeline, err)) || error_wrap(err, "preview");
}

void preview_deinit(Preview *p)
{
    free(p->map[0]);
    free(p->estimate);
    free(p->rgb);
    *p = (Preview){0};
}

static uint8_t to_byte(float x)
{
    return (uint8_t)(x > 1 ? 255 : x > -1 ? lrintf((x + 1) * 127.5f) : 0); /* 0 for NaN too */
}

void preview_draw(Preview *p)
{
    int64_t C = p->channels, h = p->height / p->side, w = p->width / p->side, cells = p->frames * h * w,
            n = 3 * p->side * p->side;
    for (int64_t i = 0; i < cells; i++) {
        const float *map = p->map[i < h * w ? 0 : 1];
        int64_t f = i / (h * w), y = i / w % h, x = i % w;
        for (int64_t k = 0; k < n; k++) {
            const float *row = map + k * (C + 1);
            float sum = row[C];
            for (int64_t c = 0; c < C; c++)
                sum += row[c] * p->estimate[c * cells + i];
            int64_t v = y * p->side + k / 3 / p->side, u = x * p->side + k / 3 % p->side;
            p->rgb[((f * p->height + v) * p->width + u) * 3 + k % 3] = to_byte(sum);
        }
    }
}
