/* Pixels: packed premultiplied RGBA, bytes r,g,b,a from the low byte up. */
#ifndef SORA_STAGE_PAINT_H
#define SORA_STAGE_PAINT_H

#include <stdbool.h>
#include <stdint.h>
#include "stage/pack.h"

typedef struct Rgb {
    float r, g, b; /* 0..255 */
} Rgb;

static inline Rgb rgb_mix(Rgb a, Rgb b, float t)
{
    return (Rgb){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

static inline Rgb rgb_mul(Rgb a, Rgb b) /* b: 0..1 factors */
{
    return (Rgb){a.r * b.r, a.g * b.g, a.b * b.b};
}

static inline Rgb rgb_scale(Rgb a, float k)
{
    return (Rgb){a.r * k, a.g * k, a.b * k};
}

static inline float clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static inline float smooth(float low, float high, float x)
{
    float t = clamp01((x - low) / (high - low));
    return t * t * (3 - 2 * t);
}

uint32_t paint_pack(Rgb c, float alpha); /* alpha 0..1; rounds and clamps */

/* Noise in about [0,1], smooth, one bump per unit. */
float paint_noise(uint32_t seed, float x, float y);
float paint_fbm(uint32_t seed, float x, float y, int octaves);
uint32_t paint_hash(uint32_t seed, uint32_t x, uint32_t y);

/* A picture; pixel (0,0) is at world position (-ox, -oy). */
typedef struct Canvas {
    int w, h, ox, oy;
    uint32_t *px;
} Canvas;

/* dst[i] = bilinear blend of src rows a (upper) and b (lower) at i and i+1; weights in 1/256. */
void paint_row_shift(uint32_t *dst, const uint32_t *a, const uint32_t *b, int n, int fx, int fy);
void paint_row_over(uint32_t *dst, const uint32_t *src, int n);
/* The canvas enlarged by zoom >= 1 about (cx, cy) into dst of w x h. */
void paint_zoom(uint32_t *dst, int w, int h, const Canvas *src, float zoom, float cx, float cy);

/* How a sprite's colours change: recolouring, then light and fog. */
typedef struct Dye {
    bool active, tint;
    float hue, luma; /* of the art's body */
    Rgb target;
} Dye;

typedef struct SpriteDraw {
    const Art *art;
    int frame;
    float cx, cy; /* centre in the picture */
    float sx, sy; /* pixels per texel of level 0 */
    float rotation;
    bool mirror;
    Dye dye;
    Rgb light; /* factors */
    Rgb haze;  /* added, scaled by haze_amount */
    float haze_amount;
} SpriteDraw;

/* The picture being painted, with who is on top at each pixel (0: nobody). */
typedef struct Screen {
    int w, h;
    uint32_t *px;
    uint8_t *owner;
} Screen;

void paint_sprite(Screen *screen, const SpriteDraw *s, uint8_t owner);
void paint_shadow(Screen *screen, float cx, float cy, float rx, float ry, float strength);

#endif
