#include "stage/paint.h"

#include <math.h>
#include <string.h>

enum { LANES = 0x00ff00ff, OWNED = 96 /* alpha from which a pixel belongs to a sprite */ };

uint32_t paint_pack(Rgb c, float alpha)
{
    float k[4] = {c.r * alpha, c.g * alpha, c.b * alpha, 255 * alpha};
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        float x = k[i] + 0.5f;
        v |= (uint32_t)(x < 0 ? 0 : x > 255 ? 255 : x) << 8 * i;
    }
    return v;
}

uint32_t paint_hash(uint32_t seed, uint32_t x, uint32_t y)
{
    uint32_t h = seed ^ x * 0x9E3779B1u ^ y * 0x85EBCA77u;
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    h ^= h >> 12;
    h *= 0x297A2D39u;
    return h ^ h >> 15;
}

float paint_noise(uint32_t seed, float x, float y)
{
    float fx = floorf(x), fy = floorf(y), u = x - fx, v = y - fy;
    uint32_t ix = (uint32_t)(int32_t)fx, iy = (uint32_t)(int32_t)fy;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    float a = (float)(paint_hash(seed, ix, iy) >> 8), b = (float)(paint_hash(seed, ix + 1, iy) >> 8);
    float c = (float)(paint_hash(seed, ix, iy + 1) >> 8), d = (float)(paint_hash(seed, ix + 1, iy + 1) >> 8);
    float top = a + (b - a) * u, bottom = c + (d - c) * u;
    return (top + (bottom - top) * v) * 0x1p-24f;
}

float paint_fbm(uint32_t seed, float x, float y, int octaves)
{
    float sum = 0, amp = 0.5f, norm = 0;
    for (int i = 0; i < octaves; i++, amp *= 0.5f, x *= 2, y *= 2) {
        sum += amp * paint_noise(seed + (uint32_t)i, x, y);
        norm += amp;
    }
    return sum / norm;
}

void paint_row_shift(uint32_t *dst, const uint32_t *a, const uint32_t *b, int n, int fx, int fy)
{
    uint32_t w11 = (uint32_t)(fx * fy) >> 8, w01 = (uint32_t)fx - w11, w10 = (uint32_t)fy - w11,
             w00 = 256 - w01 - w10 - w11;
    for (int i = 0; i < n; i++) {
        uint32_t rb =
            (a[i] & LANES) * w00 + (a[i + 1] & LANES) * w01 + (b[i] & LANES) * w10 + (b[i + 1] & LANES) * w11;
        uint32_t ga = (a[i] >> 8 & LANES) * w00 + (a[i + 1] >> 8 & LANES) * w01 + (b[i] >> 8 & LANES) * w10 +
                      (b[i + 1] >> 8 & LANES) * w11;
        dst[i] = (rb >> 8 & LANES) | (ga & ~(uint32_t)LANES);
    }
}

static inline uint32_t over(uint32_t d, uint32_t s)
{
    uint32_t a = s >> 24, inv = 256 - a - (a >> 7);
    uint32_t rb = (d & LANES) * inv >> 8 & LANES, ga = (d >> 8 & LANES) * inv & ~(uint32_t)LANES;
    return s + (rb | ga);
}

void paint_row_over(uint32_t *dst, const uint32_t *src, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = over(dst[i], src[i]);
}

void paint_zoom(uint32_t *dst, int w, int h, const Canvas *src, float zoom, float cx, float cy)
{
    int32_t step = (int32_t)lrintf(65536 / zoom);
    float x0 = cx - cx / zoom + (float)src->ox, y0 = cy - cy / zoom + (float)src->oy;
    for (int y = 0; y < h; y++) {
        float sy = y0 + (float)y / zoom;
        int iy = (int)sy, fy = (int)((sy - (float)iy) * 256);
        iy = iy < 0 ? 0 : iy > src->h - 2 ? src->h - 2 : iy;
        const uint32_t *a = src->px + (size_t)iy * src->w, *b = a + src->w;
        int32_t pos = (int32_t)(x0 * 65536);
        for (int x = 0; x < w; x++, pos += step) {
            int ix = pos >> 16;
            ix = ix < 0 ? 0 : ix > src->w - 2 ? src->w - 2 : ix;
            uint32_t fx = (uint32_t)(pos >> 8 & 255), w11 = fx * (uint32_t)fy >> 8, w01 = fx - w11,
                     w10 = (uint32_t)fy - w11, w00 = 256 - w01 - w10 - w11;
            uint32_t rb = (a[ix] & LANES) * w00 + (a[ix + 1] & LANES) * w01 + (b[ix] & LANES) * w10 +
                          (b[ix + 1] & LANES) * w11;
            uint32_t ga = (a[ix] >> 8 & LANES) * w00 + (a[ix + 1] >> 8 & LANES) * w01 +
                          (b[ix] >> 8 & LANES) * w10 + (b[ix + 1] >> 8 & LANES) * w11;
            *dst++ = (rb >> 8 & LANES) | (ga & ~(uint32_t)LANES);
        }
    }
}

static inline uint32_t texel(const uint32_t *px, int w, int h, int x, int y)
{
    return (unsigned)x < (unsigned)w && (unsigned)y < (unsigned)h ? px[(size_t)y * w + x] : 0;
}

/* u, v in 1/256 texel, of the texel's corner; outside is transparent. */
static inline uint32_t sample(const uint32_t *px, int w, int h, int u, int v)
{
    int x = u >> 8, y = v >> 8;
    if (x < -1 || y < -1 || x >= w || y >= h)
        return 0;
    uint32_t a, b, c, d;
    if (x >= 0 && y >= 0 && x < w - 1 && y < h - 1) {
        const uint32_t *p = px + (size_t)y * w + x;
        a = p[0], b = p[1], c = p[w], d = p[w + 1];
    } else {
        a = texel(px, w, h, x, y), b = texel(px, w, h, x + 1, y);
        c = texel(px, w, h, x, y + 1), d = texel(px, w, h, x + 1, y + 1);
    }
    if ((a | b | c | d) == 0)
        return 0;
    uint32_t fx = (uint32_t)(u & 255), fy = (uint32_t)(v & 255), w11 = fx * fy >> 8, w01 = fx - w11,
             w10 = fy - w11, w00 = 256 - w01 - w10 - w11;
    uint32_t rb = (a & LANES) * w00 + (b & LANES) * w01 + (c & LANES) * w10 + (d & LANES) * w11;
    uint32_t ga =
        (a >> 8 & LANES) * w00 + (b >> 8 & LANES) * w01 + (c >> 8 & LANES) * w10 + (d >> 8 & LANES) * w11;
    return (rb >> 8 & LANES) | (ga & ~(uint32_t)LANES);
}

/* How much a colour belongs to the body that is dyed. */
static float body_share(const Dye *dye, float max, float chroma, float hue)
{
    float d = fabsf(hue - dye->hue);
    d = d > 180 ? 360 - d : d;
    float saturation = max > 0 ? chroma / max : 0;
    if (!dye->tint)
        return smooth(48, 30, d) * smooth(0.12f, 0.3f, saturation);
    float foreign =
        dye->hue < 0 ? smooth(0.4f, 0.65f, saturation) : smooth(0.35f, 0.5f, saturation) * smooth(30, 55, d);
    return smooth(34, 62, max) * (1 - foreign);
}

static uint32_t dye_pixel(const Dye *dye, uint32_t p)
{
    float a = (float)(p >> 24), k = 255 / a;
    float r = fminf(255, (float)(p & 255) * k), g = fminf(255, (float)(p >> 8 & 255) * k),
          b = fminf(255, (float)(p >> 16 & 255) * k);
    float max = fmaxf(r, fmaxf(g, b)), min = fminf(r, fminf(g, b)), c = max - min, hue = 0;
    if (c > 0.5f)
        hue = 60 * (max == r   ? (g < b ? (g - b) / c + 6 : (g - b) / c)
                    : max == g ? (b - r) / c + 2
                               : (r - g) / c + 4);
    float w = body_share(dye, max, c, hue);
    if (w <= 0)
        return p;
    float v = max / 255 / dye->luma;
    Rgb t = v < 1 ? rgb_scale(dye->target, 0.25f + 0.75f * v)
                  : rgb_mix(dye->target, (Rgb){255, 255, 255}, fminf(0.45f, (v - 1) * 0.9f));
    return paint_pack(rgb_mix((Rgb){r, g, b}, t, w), a / 255);
}

static uint32_t light_pixel(const SpriteDraw *s, uint32_t p)
{
    float a = (float)(p >> 24) * s->haze_amount / 255, k = 1 - s->haze_amount;
    uint32_t r = (uint32_t)((float)(p & 255) * s->light.r * k + s->haze.r * a);
    uint32_t g = (uint32_t)((float)(p >> 8 & 255) * s->light.g * k + s->haze.g * a);
    uint32_t b = (uint32_t)((float)(p >> 16 & 255) * s->light.b * k + s->haze.b * a);
    uint32_t top = p >> 24; /* premultiplied colours never exceed alpha */
    return (r < top ? r : top) | (g < top ? g : top) << 8 | (b < top ? b : top) << 16 | top << 24;
}

void paint_sprite(Screen *screen, const SpriteDraw *s, uint8_t owner)
{
    const Art *art = s->art;
    float shrink = 1 / fminf(s->sx, s->sy);
    int level = shrink > 2.7f ? 2 : shrink > 1.4f ? 1 : 0, w = art->width >> level, h = art->height >> level;
    w = w > 0 ? w : 1;
    h = h > 0 ? h : 1;
    const uint32_t *px = art->level[level] + (size_t)s->frame * w * h;
    float sx = s->sx * (float)(1 << level), sy = s->sy * (float)(1 << level);
    float hw = sx * (float)w / 2, hh = sy * (float)h / 2, c = cosf(s->rotation), n = sinf(s->rotation);
    float ex = fabsf(c) * hw + fabsf(n) * hh + 1, ey = fabsf(n) * hw + fabsf(c) * hh + 1;
    int x0 = (int)fmaxf(0, floorf(s->cx - ex)), x1 = (int)fminf((float)screen->w, ceilf(s->cx + ex));
    int y0 = (int)fmaxf(0, floorf(s->cy - ey)), y1 = (int)fminf((float)screen->h, ceilf(s->cy + ey));
    float flip = s->mirror ? -1.0f : 1.0f;
    int du = (int)lrintf(flip * c / sx * 256), dv = (int)lrintf(-n / sy * 256);
    bool lit = s->light.r != 1 || s->light.g != 1 || s->light.b != 1 || s->haze_amount > 0;
    for (int y = y0; y < y1; y++) {
        float rx = (float)x0 + 0.5f - s->cx, ry = (float)y + 0.5f - s->cy;
        int u = (int)lrintf((flip * (rx * c + ry * n) / sx + (float)w / 2 - 0.5f) * 256);
        int v = (int)lrintf(((-rx * n + ry * c) / sy + (float)h / 2 - 0.5f) * 256);
        uint32_t *row = screen->px + (size_t)y * screen->w;
        uint8_t *who = screen->owner + (size_t)y * screen->w;
        for (int x = x0; x < x1; x++, u += du, v += dv) {
            uint32_t p = sample(px, w, h, u, v);
            if (p < 1u << 24)
                continue;
            if (s->dye.active)
                p = dye_pixel(&s->dye, p);
            if (lit)
                p = light_pixel(s, p);
            row[x] = over(row[x], p);
            if (p >> 24 >= OWNED)
                who[x] = owner;
        }
    }
}

void paint_shadow(Screen *screen, float cx, float cy, float rx, float ry, float strength)
{
    int x0 = (int)fmaxf(0, cx - rx), x1 = (int)fminf((float)screen->w, cx + rx + 1);
    int y0 = (int)fmaxf(0, cy - ry), y1 = (int)fminf((float)screen->h, cy + ry + 1);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float dx = ((float)x + 0.5f - cx) / rx, dy = ((float)y + 0.5f - cy) / ry,
                  d = 1 - dx * dx - dy * dy;
            if (d <= 0)
                continue;
            uint32_t a = (uint32_t)(255 * strength * (d > 0.6f ? 1 : d / 0.6f));
            uint32_t *p = &screen->px[(size_t)y * screen->w + x];
            *p = over(*p, a << 24);
        }
}
