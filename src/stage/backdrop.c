#include "stage/backdrop.h"

#include <math.h>
#include <string.h>
#include "stage/places.h"

float backdrop_parallax(const Ground *g, float y)
{
    float t = (y - g->horizon) / (g->lane - g->horizon);
    return t < 0 ? 0.35f : 0.35f + 0.65f * fminf(t, 1.6f);
}

static bool make_canvas(const Play *p, Canvas *c, float margin_x, float margin_y)
{
    c->ox = (int)ceilf(margin_x) + 2;
    c->oy = (int)ceilf(margin_y) + 2;
    c->w = p->width + 2 * c->ox;
    c->h = p->height + 2 * c->oy;
    c->px = arena_alloc(p->arena, (size_t)c->w * c->h * sizeof *c->px);
    return c->px != NULL;
}

static void put_together(const Play *p, Backdrop *b)
{
    for (int y = 0; y < b->base.h; y++) {
        uint32_t *row = b->base.px + (size_t)y * b->base.w;
        for (int l = 0; l < BACKDROP_LAYERS; l++) {
            const Canvas *c = &b->layers[l];
            const uint32_t *src = c->px + (size_t)(y - b->base.oy + c->oy) * c->w + (c->ox - b->base.ox);
            if (l == 0)
                memcpy(row, src, (size_t)b->base.w * sizeof *row);
            else
                paint_row_over(row, src, b->base.w);
        }
    }
}

bool backdrop_paint(const Play *p, Backdrop *b)
{
    *b = (Backdrop){0};
    float mx = 0, my = 0;
    for (int f = 0; f < p->frames; f++) {
        mx = fmaxf(mx, fabsf(p->pan_x[f]));
        my = fmaxf(my, fabsf(p->pan_y[f]));
    }
    static const float WIDEST[BACKDROP_LAYERS] = {0.1f, 0.32f, 1.4f}; /* parallax of each layer at most */
    PlacePainter painter;
    places_begin(&painter, p, b);
    for (int l = 0; l < BACKDROP_LAYERS; l++) {
        Canvas *c = &b->layers[l];
        if (!make_canvas(p, c, mx * WIDEST[l], my))
            return false;
        for (int y = 0; y < c->h; y++)
            places_row(&painter, l, (float)-c->ox, (float)(y - c->oy), c->w, c->px + (size_t)y * c->w);
    }
    if (mx == 0 && my == 0) {
        if (!make_canvas(p, &b->base, 0, 0))
            return false;
        put_together(p, b);
    }
    return true;
}

void backdrop_frame(const Play *p, const Backdrop *b, int f, uint32_t *dst, uint32_t *row)
{
    if (b->base.px != NULL) {
        if (p->zoom[f] != 1) {
            paint_zoom(dst, p->width, p->height, &b->base, p->zoom[f], p->ground.width / 2,
                       p->ground.height * 0.6f);
            return;
        }
        for (int y = 0; y < p->height; y++)
            memcpy(dst + (size_t)y * p->width, b->base.px + (size_t)(y + b->base.oy) * b->base.w + b->base.ox,
                   (size_t)p->width * sizeof *dst);
        return;
    }
    static const float PARALLAX[BACKDROP_LAYERS] = {0.08f, 0.3f, 0};
    for (int y = 0; y < p->height; y++)
        for (int l = 0; l < BACKDROP_LAYERS; l++) {
            const Canvas *c = &b->layers[l];
            float world = (float)y + p->pan_y[f];
            float k = l == 2 ? backdrop_parallax(&p->ground, world) : PARALLAX[l];
            if (l == 2 && world < p->ground.horizon - 2 && !places_tall_ground(p->scene.place))
                continue;
            float sx = p->pan_x[f] * k + (float)c->ox, sy = world + (float)c->oy;
            int ix = (int)floorf(sx), iy = (int)floorf(sy), fx = (int)((sx - (float)ix) * 256),
                fy = (int)((sy - (float)iy) * 256);
            iy = iy < 0 ? 0 : iy > c->h - 2 ? c->h - 2 : iy;
            ix = ix < 0 ? 0 : ix > c->w - p->width - 1 ? c->w - p->width - 1 : ix;
            const uint32_t *a = c->px + (size_t)iy * c->w + ix;
            uint32_t *out = dst + (size_t)y * p->width;
            paint_row_shift(l == 0 ? out : row, a, a + c->w, p->width, fx, fy);
            if (l > 0)
                paint_row_over(out, row, p->width);
        }
}
