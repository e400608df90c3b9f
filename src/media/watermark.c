#include "media/watermark.h"

#include <math.h>
#include <stdlib.h>

/* Units of the drawing: the height of a small letter; y goes up, 0 is the line that letters stand on. */
#define PI 3.14159265f
static const float STROKE = 0.2f; /* width of a line */
static const float EDGE = 0.18f;  /* of the dark edge around it */
static const float HALO = 0.6f;  /* of the shade around that, for restless pictures */

typedef enum ShapeKind { SHAPE_LINE, SHAPE_ARC, SHAPE_DISC } ShapeKind;

/* A line from (a, b) to (c, d); an arc around (a, b) of radius c, from the angle d over e, counter-clockwise in
 * quarter turns; a disc around (a, b) of radius c. */
typedef struct Shape {
    ShapeKind kind;
    float a, b, c, d, e;
} Shape;

static const Shape DRAWING[] = {
    /* the sun, half of it and two rays, over the horizon */
    {SHAPE_DISC, 1.05f, 0.62f, 0.42f, 0, 0},
    {SHAPE_LINE, 0.1f, 0.1f, 2.0f, 0.1f, 0},
    {SHAPE_LINE, 1.05f, 1.32f, 1.05f, 1.5f, 0},
    {SHAPE_LINE, 0.42f, 1.14f, 0.32f, 1.26f, 0},
    {SHAPE_LINE, 1.68f, 1.14f, 1.78f, 1.26f, 0},
    /* s */
    {SHAPE_ARC, 2.93f, 0.7f, 0.2f, 0.2f, 2.8f},
    {SHAPE_ARC, 2.93f, 0.3f, 0.2f, 2.2f, 2.8f},
    /* o */
    {SHAPE_ARC, 3.92f, 0.5f, 0.4f, 0, 4},
    /* r */
    {SHAPE_LINE, 4.72f, 0.1f, 4.72f, 0.9f, 0},
    {SHAPE_ARC, 5.04f, 0.58f, 0.32f, 0.55f, 1.45f},
    /* a */
    {SHAPE_ARC, 5.92f, 0.5f, 0.4f, 0, 4},
    {SHAPE_LINE, 6.32f, 0.1f, 6.32f, 0.9f, 0},
    /* the full stop */
    {SHAPE_DISC, 6.82f, 0.1f, 0.14f, 0, 0},
    /* c */
    {SHAPE_ARC, 7.66f, 0.5f, 0.4f, 0.55f, 2.9f},
};
enum { SHAPES = sizeof DRAWING / sizeof *DRAWING };

/* What the drawing covers, with its shade. */
static const float LEFT = -0.75f, RIGHT = 8.8f, BOTTOM = -0.75f, TOP = 2.3f;

struct Watermark {
    int frame_width, frame_height;
    int width, height;    /* of the mark, pixels */
    int margin_x, margin_y; /* of its places to the frame's edges */
    uint8_t *cover;       /* [height, width, 2]: how much light, how much dark, of 255 */
};

/* Parts of the free space that lie left of the mark and above it. One after the other they are far apart. */
static const struct {
    float x, y;
} PLACES[] = {{0, 1}, {1, 0.35f}, {0.1f, 0}, {1, 1}, {0, 0.5f}, {0.9f, 0}};
enum { PLACE_COUNT = sizeof PLACES / sizeof *PLACES };

static float distance_to_line(const Shape *s, float x, float y)
{
    float dx = s->c - s->a, dy = s->d - s->b;
    float along = ((x - s->a) * dx + (y - s->b) * dy) / (dx * dx + dy * dy);
    along = fminf(fmaxf(along, 0), 1);
    return hypotf(x - s->a - along * dx, y - s->b - along * dy) - STROKE / 2;
}

static float distance_to_arc(const Shape *s, float x, float y)
{
    float begin = s->d * PI / 2, length = s->e * PI / 2;
    float dx = x - s->a, dy = y - s->b;
    float angle = fmodf(atan2f(dy, dx) - begin + 4 * PI, 2 * PI);
    if (angle <= length)
        return fabsf(hypotf(dx, dy) - s->c) - STROKE / 2;
    float first = hypotf(dx - s->c * cosf(begin), dy - s->c * sinf(begin));
    float last = hypotf(dx - s->c * cosf(begin + length), dy - s->c * sinf(begin + length));
    return fminf(first, last) - STROKE / 2;
}

/* Of a point to the drawing; negative inside. */
static float distance_to_drawing(float x, float y)
{
    float least = HUGE_VALF;
    for (int i = 0; i < SHAPES; i++) {
        const Shape *s = &DRAWING[i];
        float d = s->kind == SHAPE_LINE  ? distance_to_line(s, x, y)
                  : s->kind == SHAPE_ARC ? distance_to_arc(s, x, y)
                                         : hypotf(x - s->a, y - s->b) - s->c;
        least = fminf(least, d);
    }
    return least;
}

static uint8_t to_byte(float v)
{
    return (uint8_t)lrintf(255 * fminf(fmaxf(v, 0), 1));
}

/* Coverage from the distance to the outline in pixels, which is right within a pixel for smooth outlines. */
static void rasterize(Watermark *w, float unit)
{
    const float light = 0.95f, dark = 0.85f, shade = 0.5f;
    float edge = fmaxf(EDGE * unit, 1), halo = fmaxf(HALO * unit, 4);
    uint8_t *p = w->cover;
    for (int y = 0; y < w->height; y++)
        for (int x = 0; x < w->width; x++, p += 2) {
            float d = unit * distance_to_drawing(LEFT + ((float)x + 0.5f) / unit, TOP - ((float)y + 0.5f) / unit);
            p[0] = to_byte(light * fminf(fmaxf(0.5f - d, 0), 1));
            float around = shade * fminf(fmaxf(1 - (d - edge) / halo, 0), 1);
            p[1] = to_byte(fmaxf(dark * fminf(fmaxf(edge + 0.5f - d, 0), 1), around));
        }
}

Watermark *watermark_new(int width, int height, SoraError *err)
{
    Watermark *w = calloc(1, sizeof *w);
    int side = width < height ? width : height;
    /* 7 pixels to a letter at 128, growing slower than the frame; never more than two thirds of its width. */
    float unit = 7 * sqrtf((float)side / 128);
    unit = fminf(unit, 0.66f * (float)width / (RIGHT - LEFT));
    unit = fminf(unit, 0.66f * (float)height / (TOP - BOTTOM));
    if (w != NULL) {
        w->frame_width = width;
        w->frame_height = height;
        w->width = (int)ceilf((RIGHT - LEFT) * unit);
        w->height = (int)ceilf((TOP - BOTTOM) * unit);
        w->margin_x = width / 32;
        w->margin_y = height / 32;
        w->cover = malloc((size_t)w->width * (size_t)w->height * 2);
    }
    if (w == NULL || w->cover == NULL) {
        watermark_free(w);
        error_set(err, SORA_ERROR_MEMORY, "watermark: out of memory");
        return NULL;
    }
    rasterize(w, unit);
    return w;
}

void watermark_free(Watermark *w)
{
    if (w == NULL)
        return;
    free(w->cover);
    free(w);
}

static void draw_at(const Watermark *w, uint8_t *rgb, int place, float strength)
{
    int free_x = w->frame_width - w->width - 2 * w->margin_x, free_y = w->frame_height - w->height - 2 * w->margin_y;
    int left = w->margin_x + (int)lrintf(PLACES[place].x * (float)free_x);
    int top = w->margin_y + (int)lrintf(PLACES[place].y * (float)free_y);
    for (int y = 0; y < w->height; y++)
        for (int x = 0; x < w->width; x++) {
            int fx = left + x, fy = top + y;
            if (fx < 0 || fy < 0 || fx >= w->frame_width || fy >= w->frame_height)
                continue;
            const uint8_t *cover = w->cover + 2 * (y * w->width + x);
            float light = strength * (float)cover[0] / 255, dark = strength * (float)cover[1] / 255;
            uint8_t *p = rgb + 3 * ((size_t)fy * (size_t)w->frame_width + (size_t)fx);
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)lrintf(255 * light + (1 - light) * (1 - dark) * (float)p[c]);
        }
}

void watermark_draw(const Watermark *w, uint8_t *rgb, const WatermarkTime *time)
{
    const double longest = 3;
    /* A short video has two places. */
    double stay = time->length > 0 ? fmin(longest, time->length / 2) : longest;
    double fade = fmin(0.25, stay / 4), now = fmax(time->now, 0);
    double turn = floor(now / stay), since = now - turn * stay;
    int place = (int)fmod(turn, PLACE_COUNT);
    /* The old one goes while the new one comes, so no frame is without. */
    float strength = turn > 0 && since < fade ? (float)(since / fade) : 1;
    if (strength < 1)
        draw_at(w, rgb, (place + PLACE_COUNT - 1) % PLACE_COUNT, 1 - strength);
    draw_at(w, rgb, place, strength);
}
