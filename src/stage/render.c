/* Frames: backdrop, shadows, sprites in depth order, weather; and what can be seen of each actor. */
#include "stage/render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stage/backdrop.h"
#include "stage/style.h"

typedef struct Renderer {
    const Play *play;
    Backdrop backdrop;
    const Art *art[MAX_PLAYERS];
    Dye dye[MAX_PLAYERS];
    Screen screen;
    uint32_t *row;
    uint8_t *styled; /* room for a frame, where there is a style */
    uint32_t weather_seed;
} Renderer;

static Dye make_dye(const Noun *n, const Art *art, int colour)
{
    static const Rgb TARGET[COLOUR_COUNT] = {{0, 0, 0},     {228, 32, 40},  {250, 138, 24}, {252, 212, 36},
                                             {52, 180, 64}, {40, 108, 230}, {144, 64, 204}, {255, 120, 182},
                                             {136, 84, 48}, {52, 52, 58},   {242, 242, 244}};
    Dye d = {
        .active = colour > COLOUR_NATIVE && colour < COLOUR_COUNT, .hue = art->hue, .luma = art->body_luma};
    d.tint = n->flags & NOUN_TINT || art->hue < 0;
    if (d.active)
        d.target = TARGET[colour];
    return d;
}

/* Where a pose appears after the camera's pan and zoom. */
static Pose through_camera(const Play *p, const Player *a, int f)
{
    Pose q = a->poses[f];
    float k = a->prop && p->ground.open ? 0.15f : a->parallax, z = p->zoom[f];
    float cx = p->ground.width / 2, cy = p->ground.height * 0.6f;
    q.x = (q.x - p->pan_x[f] * k - cx) * z + cx;
    q.y = (q.y - p->pan_y[f] - cy) * z + cy;
    q.shadow_y = q.shadow_y < 0 ? -1 : (q.shadow_y - p->pan_y[f] - cy) * z + cy;
    q.size *= z;
    return q;
}

typedef struct Placed {
    Pose pose;
    float w, h; /* of the upright cell on the screen */
    int id;
} Placed;

static void draw_player(Renderer *r, const Placed *q)
{
    const Art *art = r->art[q->id];
    int frame = (int)q->pose.phase % art->frames;
    SpriteDraw s = {.art = art,
                    .frame = frame < 0 ? 0 : frame,
                    .cx = q->pose.x,
                    .rotation = q->pose.rotation,
                    .mirror = q->pose.mirror,
                    .dye = r->dye[q->id],
                    .light = r->backdrop.light,
                    .haze = r->backdrop.haze,
                    .haze_amount = r->backdrop.haze_amount};
    s.sx = q->w / (float)art->width;
    s.sy = q->h / (float)art->height;
    s.cy = q->pose.y - q->h / 2;
    if (r->play->players[q->id].prop)
        s.haze_amount *= 1.6f;
    paint_sprite(&r->screen, &s, (uint8_t)(q->id + 1));
}

static void draw_shadow(Renderer *r, const Placed *q)
{
    if (q->pose.shadow_y < 0)
        return;
    float up = fmaxf(0, q->pose.shadow_y - q->pose.y) / r->play->ground.unit,
          rx = q->w * 0.42f * (1 - 0.4f * fminf(1, up * 2));
    float strength = 0.34f * (1 - 0.6f * fminf(1, up * 2.2f));
    paint_shadow(&r->screen, q->pose.x, q->pose.shadow_y - 0.5f, rx, fmaxf(1.5f, rx * 0.24f), strength);
}

static void blend(uint32_t *p, Rgb c, float alpha)
{
    uint32_t d = *p;
    Rgb under = {(float)(d & 255), (float)(d >> 8 & 255), (float)(d >> 16 & 255)};
    *p = paint_pack(rgb_mix(under, c, alpha), 1);
}

static void draw_rain(Renderer *r, float t)
{
    const Ground *g = &r->play->ground;
    float s = g->unit / 128;
    int drops = (int)(g->width * g->height / (s * s) / 180);
    for (int i = 0; i < drops; i++) {
        uint32_t h = paint_hash(r->weather_seed, (uint32_t)i, 1);
        float speed = s * (260 + (float)(h >> 24) / 2),
              y = fmodf((float)(h >> 8 & 0xffff) / 65535 * (g->height + 20) + t * speed, g->height + 20) - 10;
        float x = fmodf((float)(paint_hash(h, 5, 5) & 0xffff) / 65535 * g->width + y * 0.12f, g->width);
        for (int k = 0; k < (int)(7 * s + 1); k++) {
            int px = (int)(x + (float)k * 0.12f), py = (int)y + k;
            if (px >= 0 && px < r->screen.w && py >= 0 && py < r->screen.h)
                blend(&r->screen.px[(size_t)py * r->screen.w + px], (Rgb){214, 226, 240}, 0.4f);
        }
    }
}

static void draw_snow(Renderer *r, float t)
{
    const Ground *g = &r->play->ground;
    float s = g->unit / 128;
    int flakes = (int)(g->width * g->height / (s * s) / 420);
    for (int i = 0; i < flakes; i++) {
        uint32_t h = paint_hash(r->weather_seed, (uint32_t)i, 2);
        float speed = s * (26 + (float)(h >> 26)),
              y = fmodf((float)(h >> 8 & 0xffff) / 65535 * (g->height + 8) + t * speed, g->height + 8) - 4;
        float x =
            fmodf((float)(paint_hash(h, 3, 9) & 0xffff) / 65535 * g->width + 5 * s * sinf(t * 2 + (float)i),
                  g->width);
        float radius = s * (1.1f + 0.9f * (float)(h & 255) / 255);
        for (int py = (int)(y - radius - 1); py <= (int)(y + radius + 1); py++)
            for (int px = (int)(x - radius - 1); px <= (int)(x + radius + 1); px++)
                if (px >= 0 && px < r->screen.w && py >= 0 && py < r->screen.h) {
                    float d = hypotf((float)px + 0.5f - x, (float)py + 0.5f - y);
                    blend(&r->screen.px[(size_t)py * r->screen.w + px], (Rgb){252, 253, 255},
                          0.9f * clamp01(radius - d + 0.5f));
                }
    }
}

static int nearer(const void *a, const void *b)
{
    const Placed *p = a, *q = b;
    if (p->pose.order != q->pose.order)
        return p->pose.order < q->pose.order ? -1 : 1;
    return p->id - q->id;
}

/* Boxes and visible areas from the owner map. */
static void look(const Renderer *r, const Placed *placed, int n, StageClip *clip, int f)
{
    int area[MAX_PLAYERS] = {0};
    for (int i = 0; i < n; i++) {
        StageState *s = &clip->actors[i].states[f];
        s->x0 = r->screen.w;
        s->y0 = r->screen.h;
    }
    for (int y = 0; y < r->screen.h; y++)
        for (int x = 0; x < r->screen.w; x++) {
            int id = r->screen.owner[(size_t)y * r->screen.w + x] - 1;
            if (id < 0)
                continue;
            StageState *s = &clip->actors[id].states[f];
            area[id]++;
            s->x0 = x < s->x0 ? x : s->x0;
            s->x1 = x >= s->x1 ? x + 1 : s->x1;
            s->y0 = y < s->y0 ? y : s->y0;
            s->y1 = y + 1;
        }
    for (int i = 0; i < n; i++) {
        const Placed *q = &placed[i];
        const Art *art = r->art[q->id];
        StageState *s = &clip->actors[q->id].states[f];
        int frame = (int)q->pose.phase % art->frames;
        float whole =
            (float)art->opaque[frame < 0 ? 0 : frame] * q->w / (float)art->width * q->h / (float)art->height;
        s->visible = whole > 0 ? clamp01((float)area[q->id] / whole) : 0;
        s->x = q->pose.x;
        s->y = q->pose.y - q->h / 2;
        s->contact = r->play->players[q->id].contacts[f];
        StageFacing facing = pack_noun(r->play->stage->pack, r->play->players[q->id].noun)->facing;
        s->facing = facing == FACING_FRONT ? 0 : (facing == FACING_LEFT) == q->pose.mirror ? 1 : -1;
        if (area[q->id] == 0)
            s->x0 = s->y0 = s->x1 = s->y1 = 0;
    }
}

static void render_frame(Renderer *r, StageClip *clip, int f)
{
    const Play *p = r->play;
    Placed placed[MAX_PLAYERS];
    backdrop_frame(p, &r->backdrop, f, r->screen.px, r->row);
    memset(r->screen.owner, 0, (size_t)p->width * p->height);
    for (int i = 0; i < p->player_count; i++) {
        Pose q = through_camera(p, &p->players[i], f);
        const Art *art = r->art[i];
        float k = q.size / (float)(art->width > art->height ? art->width : art->height);
        placed[i] = (Placed){q, k * (float)art->width / q.squash, k * (float)art->height * q.squash, i};
    }
    qsort(placed, (size_t)p->player_count, sizeof placed[0], nearer);
    for (int i = 0; i < p->player_count; i++)
        draw_shadow(r, &placed[i]);
    for (int i = 0; i < p->player_count; i++)
        draw_player(r, &placed[i]);
    look(r, placed, p->player_count, clip, f);
    float t = (float)(f / p->fps);
    if (p->scene.weather == WEATHER_RAIN)
        draw_rain(r, t);
    if (p->scene.weather == WEATHER_SNOW)
        draw_snow(r, t);
    uint8_t *out = clip->rgb + (size_t)f * p->width * p->height * 3;
    for (size_t i = 0; i < (size_t)p->width * p->height; i++) {
        uint32_t v = r->screen.px[i];
        out[3 * i] = (uint8_t)v;
        out[3 * i + 1] = (uint8_t)(v >> 8);
        out[3 * i + 2] = (uint8_t)(v >> 16);
    }
    if (p->style != STYLE_PLAIN)
        style_paint(p->style, &(StyleFrame){p->width, p->height, out, r->styled, r->weather_seed, f});
}

/* Central differences of the centres. */
static void find_velocities(StageClip *clip)
{
    for (int i = 0; i < clip->actor_count; i++)
        for (int f = 0; f < clip->frames; f++) {
            StageState *s = clip->actors[i].states;
            int a = f > 0 ? f - 1 : f, b = f + 1 < clip->frames ? f + 1 : f;
            if (b > a) {
                s[f].vx = (s[b].x - s[a].x) * (float)(clip->fps / (b - a));
                s[f].vy = (s[b].y - s[a].y) * (float)(clip->fps / (b - a));
            }
        }
}

bool render_play(const Play *p, StageClip *clip, SoraError *err)
{
    Renderer r = {.play = p, .weather_seed = (uint32_t)p->rng.stream * 2654435761u + (uint32_t)p->rng.seed};
    size_t pixels = (size_t)p->width * p->height;
    for (int i = 0; i < p->player_count; i++) {
        const Noun *n = pack_noun(p->stage->pack, p->players[i].noun);
        r.art[i] = pack_art(p->stage->pack, p->players[i].noun, err);
        if (r.art[i] == NULL)
            return false;
        r.dye[i] = make_dye(n, r.art[i], p->players[i].colour);
    }
    r.screen =
        (Screen){p->width, p->height, arena_alloc(p->arena, pixels * 4), arena_alloc(p->arena, pixels)};
    r.row = arena_alloc(p->arena, ((size_t)p->width + 8) * 4);
    r.styled = p->style != STYLE_PLAIN ? arena_alloc(p->arena, 3 * pixels) : NULL;
    clip->rgb = malloc(pixels * 3 * (size_t)p->frames);
    clip->actors = calloc((size_t)p->player_count, sizeof *clip->actors);
    if ((p->style != STYLE_PLAIN && r.styled == NULL) || r.screen.px == NULL || r.screen.owner == NULL || r.row == NULL || clip->rgb == NULL ||
        clip->actors == NULL || !backdrop_paint(p, &r.backdrop))
        return error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    for (int i = 0; i < p->player_count; i++) {
        clip->actors[i] = (StageActor){p->players[i].noun, p->players[i].colour, p->players[i].prop, NULL};
        clip->actor_count++;
        if ((clip->actors[i].states = calloc((size_t)p->frames, sizeof(StageState))) == NULL)
            return error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    }
    for (int f = 0; f < p->frames; f++)
        render_frame(&r, clip, f);
    find_velocities(clip);
    return true;
}
