#include "stage/places.h"

#include <math.h>
#include <string.h>

static Rgb vary(Rng *rng, Rgb c, float amount)
{
    float k = 1 + rng_range(rng, -amount, amount);
    return (Rgb){c.r * k * (1 + rng_range(rng, -amount, amount) / 2), c.g * k,
                 c.b * k * (1 + rng_range(rng, -amount, amount) / 2)};
}

static void choose_sky(PlacePainter *q, Rng *rng)
{
    static const Rgb TOP[TIME_COUNT] = {{70, 145, 232}, {92, 78, 150}, {12, 16, 44}, {116, 140, 204}};
    static const Rgb MIDDLE[TIME_COUNT] = {{128, 188, 244}, {232, 130, 92}, {26, 34, 78}, {190, 180, 214}};
    static const Rgb BOTTOM[TIME_COUNT] = {{200, 230, 250}, {255, 204, 122}, {52, 62, 112}, {255, 212, 190}};
    static const Rgb LIGHT[TIME_COUNT] = {
        {1, 1, 1}, {1, 0.76f, 0.6f}, {0.44f, 0.5f, 0.74f}, {0.9f, 0.82f, 0.88f}};
    q->sky_top = vary(rng, TOP[q->time], 0.06f);
    q->sky_middle = MIDDLE[q->time];
    q->sky_bottom = BOTTOM[q->time];
    q->light = LIGHT[q->time];
    q->sun = true;
    q->clouds = rng_range(rng, 0.25f, 0.6f);
    q->sun_x = q->g->width * rng_range(rng, 0.15f, 0.85f);
    bool low = q->time == TIME_SUNSET || q->time == TIME_DAWN;
    q->sun_y = low ? q->g->horizon - q->g->unit * rng_range(rng, 0.1f, 0.2f)
                   : q->g->height * rng_range(rng, 0.11f, 0.2f);
    q->sun_radius = q->g->unit * (low ? 0.085f : 0.066f);
    if (q->place == PLACE_SKY) {
        q->sun_y = q->g->height * (low ? 0.7f : 0.16f);
        q->clouds = rng_range(rng, 0.5f, 0.7f);
    }
    int weather = q->play->scene.weather;
    if (weather != WEATHER_CLEAR) {
        Rgb grey = q->time == TIME_NIGHT ? (Rgb){40, 46, 66} : (Rgb){172, 182, 196};
        float k = weather == WEATHER_FOG ? 0.75f : 0.6f;
        q->sky_top = rgb_mix(q->sky_top, grey, k);
        q->sky_middle = rgb_mix(q->sky_middle, grey, k);
        q->sky_bottom = rgb_mix(q->sky_bottom, grey, k);
        q->light = rgb_mul(q->light,
                           weather == WEATHER_RAIN ? (Rgb){0.74f, 0.77f, 0.84f} : (Rgb){0.9f, 0.93f, 0.98f});
        q->clouds = 0.75f;
        q->sun = false;
        if (weather == WEATHER_FOG) {
            q->haze = q->time == TIME_NIGHT ? (Rgb){58, 66, 90}
                      : q->time == TIME_DAY ? (Rgb){206, 214, 222}
                                            : (Rgb){222, 200, 190};
            q->haze_amount = 0.55f;
        }
    }
}

static void add_blocks(PlacePainter *q, Rng *rng)
{
    static const Rgb STONE[6] = {{150, 152, 168}, {182, 160, 142}, {128, 144, 170},
                                 {190, 182, 172}, {164, 128, 118}, {112, 122, 146}};
    float x = -q->g->width * 0.8f;
    while (x < q->g->width * 1.8f && q->block_count < MAX_BLOCKS) {
        float w = q->g->unit * rng_range(rng, 0.17f, 0.28f), h = q->g->unit * rng_range(rng, 0.22f, 0.5f);
        q->blocks[q->block_count++] =
            (Block){x, w, h, vary(rng, STONE[rng_int(rng, 6)], 0.06f), rng_u32(rng)};
        x += w + q->g->unit * (rng_uniform(rng) < 0.3f ? 0.03f : 0.004f);
    }
}

void places_begin(PlacePainter *q, const Play *play, Backdrop *b)
{
    static const Rgb GROUND[PLACE_COUNT] = {
        [PLACE_MEADOW] = {112, 184, 76}, [PLACE_FOREST] = {86, 134, 66},
        [PLACE_BEACH] = {240, 214, 152}, [PLACE_DESERT] = {232, 184, 108},
        [PLACE_SNOW] = {240, 246, 252},  [PLACE_CITY] = {78, 82, 92},
        [PLACE_LAKE] = {62, 132, 186},   [PLACE_UNDERWATER] = {172, 164, 128},
        [PLACE_SPACE] = {10, 8, 26},     [PLACE_MOON] = {158, 158, 166},
        [PLACE_ROOM] = {190, 136, 84},   [PLACE_THEATRE] = {150, 92, 54},
        [PLACE_SKY] = {255, 255, 255},   [PLACE_FARM] = {140, 176, 74},
        [PLACE_PITCH] = {86, 172, 78}};
    static const Rgb WALLS[5] = {
        {238, 222, 190}, {196, 216, 226}, {240, 196, 168}, {206, 224, 196}, {222, 206, 228}};
    Rng rng;
    rng_init(&rng, play->rng.seed, play->rng.stream ^ 0x5b4c9d3aull << 32);
    *q = (PlacePainter){
        .play = play, .g = &play->ground, .place = play->scene.place, .time = play->scene.time};
    q->seed = rng_u32(&rng);
    q->scale = q->g->unit / 128;
    choose_sky(q, &rng);
    q->ground = vary(&rng, GROUND[q->place], 0.07f);
    q->ground2 = rgb_scale(q->ground, 0.8f);
    q->wall = vary(&rng, WALLS[rng_int(&rng, 5)], 0.03f);
    q->accent = (Rgb){rng_range(&rng, 0, 1), rng_range(&rng, 0, 1), rng_range(&rng, 0, 1)};
    if (q->place == PLACE_CITY)
        add_blocks(q, &rng);
    bool own_light = !stage_outdoors(q->place);
    if (own_light) {
        q->light = (Rgb){1, 1, 1};
        if (q->place == PLACE_ROOM && q->time == TIME_NIGHT)
            q->light = (Rgb){0.62f, 0.6f, 0.72f};
    }
    /* actors stay brighter than the land, so that their colours can be told at night */
    b->light = own_light ? q->light : rgb_mix(q->light, (Rgb){1, 1, 1}, q->time == TIME_NIGHT ? 0.62f : 0.5f);
    if (q->place == PLACE_UNDERWATER)
        b->light = (Rgb){0.86f, 0.96f, 1};
    b->haze = q->haze;
    b->haze_amount = q->haze_amount * 0.45f;
}

bool places_tall_ground(int place)
{
    return place == PLACE_UNDERWATER;
}

static Rgb sky_colour(const PlacePainter *q, float x, float y)
{
    float span = q->g->open ? q->g->height : q->g->horizon, t = clamp01(y / span);
    Rgb c = t < 0.55f ? rgb_mix(q->sky_top, q->sky_middle, t / 0.55f)
                      : rgb_mix(q->sky_middle, q->sky_bottom, (t - 0.55f) / 0.45f);
    float d = hypotf(x - q->sun_x, y - q->sun_y) / q->sun_radius;
    static const Rgb SUN[TIME_COUNT] = {{255, 246, 190}, {255, 226, 130}, {238, 238, 222}, {255, 236, 190}};
    static const Rgb GLOW[TIME_COUNT] = {{255, 250, 220}, {255, 190, 110}, {120, 130, 180}, {255, 226, 190}};
    if (q->sun && d < 5)
        c = rgb_mix(c, GLOW[q->time], 0.5f * (1 - smooth(0.8f, 5, d)));
    if (q->time == TIME_NIGHT &&
        q->play->scene.weather == WEATHER_CLEAR) { /* few stars, two pixels wide, steady */
        float cell = 13 * q->scale, sx = floorf(x / cell), sy = floorf(y / cell);
        uint32_t h = paint_hash(q->seed, (uint32_t)(int)sx, (uint32_t)(int)sy);
        if (h % 5 == 0 && y < q->g->horizon * 0.8f) {
            float px = (sx + 0.2f + 0.6f * (float)(h >> 8 & 255) / 255) * cell,
                  py = (sy + 0.2f + 0.6f * (float)(h >> 16 & 255) / 255) * cell;
            c = rgb_mix(c, (Rgb){240, 240, 255},
                        0.75f * (1 - smooth(0.5f, 1.4f, hypotf(x - px, y - py) / q->scale)));
        }
    }
    if (q->sun && d < 1.2f)
        c = rgb_mix(c, SUN[q->time], 1 - smooth(0.9f, 1.1f, d));
    float s = q->scale * 34, bank = q->place == PLACE_SKY ? 0.25f * t : 0.12f * t;
    float n = paint_fbm(q->seed + 77, x / s / 1.6f, y / s * 1.3f, 3) + bank;
    float cloud = smooth(0.78f - 0.42f * q->clouds, 0.95f - 0.3f * q->clouds, n) *
                  (q->place == PLACE_SKY ? 0.95f : 0.85f);
    static const Rgb CLOUD[TIME_COUNT] = {{255, 255, 255}, {255, 196, 170}, {58, 66, 104}, {255, 232, 226}};
    Rgb white = CLOUD[q->time];
    if (q->play->scene.weather != WEATHER_CLEAR)
        white = rgb_mix(white, q->sky_middle, 0.65f);
    return rgb_mix(c, rgb_mix(rgb_scale(white, 0.9f), white, smooth(0.5f, 0.8f, n)), cloud * 0.9f);
}

static Rgb space_colour(const PlacePainter *q, float x, float y)
{
    float s = q->scale * 46;
    float n = paint_fbm(q->seed, x / s, y / s, 3), m = paint_fbm(q->seed + 9, x / s + 5, y / s, 2);
    Rgb deep = {8, 8, 24}, c = rgb_mix(deep, (Rgb){60 + 50 * q->accent.r, 26, 90 + 40 * q->accent.b},
                                       smooth(0.48f, 0.85f, n) * 0.75f);
    c = rgb_mix(c, (Rgb){20, 50 + 40 * q->accent.g, 110}, smooth(0.5f, 0.85f, m) * 0.5f);
    float cell = 14 * q->scale, sx = floorf(x / cell), sy = floorf(y / cell);
    uint32_t h = paint_hash(q->seed + 3, (uint32_t)(int)sx, (uint32_t)(int)sy);
    if (h % 3 == 0) {
        float px = (sx + 0.2f + 0.6f * (float)(h >> 8 & 255) / 255) * cell,
              py = (sy + 0.2f + 0.6f * (float)(h >> 16 & 255) / 255) * cell;
        c = rgb_mix(c, (Rgb){250, 248, 255},
                    0.85f * (1 - smooth(0.5f, 1.5f, hypotf(x - px, y - py) / q->scale)));
    }
    return c;
}

static Rgb water_colour(const PlacePainter *q, float x, float y)
{
    Rgb c = rgb_mix((Rgb){38, 156, 214}, (Rgb){8, 60, 140}, clamp01(y / q->g->height));
    float slant = (x + y * 0.45f) / (q->scale * 26);
    float ray = smooth(0.5f, 0.9f, paint_noise(q->seed, slant, y / (q->scale * 160))) *
                (1 - smooth(0, q->g->height * 0.75f, y));
    return rgb_mix(c, (Rgb){150, 224, 248}, 0.3f * ray);
}

static Rgb wall_colour(const PlacePainter *q, float x, float y)
{
    float u = x / (q->scale * 12);
    Rgb c = rgb_scale(q->wall, 0.97f + 0.03f * sinf(u * 3.1416f));
    float w = q->g->width, h = q->g->unit, wx = w * (0.25f + 0.5f * q->accent.r),
          wy = q->g->horizon - h * 0.34f;
    float dx = fabsf(x - wx) / (h * 0.13f), dy = fabsf(y - wy) / (h * 0.15f); /* a window */
    if (dx < 1.15f && dy < 1.13f)
        c = (Rgb){250, 248, 242};
    if (dx < 1 && dy < 1 && dx > 0.07f && dy > 0.06f)
        c = q->time == TIME_NIGHT
                ? (Rgb){34, 44, 92}
                : rgb_mix((Rgb){120, 186, 244}, (Rgb){210, 234, 250}, clamp01((y - wy) / (h * 0.3f) + 0.5f));
    if (y > q->g->horizon - 4 * q->scale)
        c = (Rgb){246, 242, 234};
    return rgb_mul(c, q->light);
}

static Rgb curtain_colour(const PlacePainter *q, float x, float y)
{
    float fold = sinf(x / (q->scale * 3.4f) + 0.6f * sinf(x / (q->scale * 17)));
    Rgb c = rgb_mix((Rgb){92, 8, 20}, (Rgb){196, 28, 44}, 0.5f + 0.5f * fold);
    c = rgb_scale(c, 0.72f + 0.28f * (1 - fabsf(x / q->g->width - 0.5f)));
    float edge = q->g->unit * 0.1f + 3 * q->scale * sinf(x / (q->scale * 8));
    return y < edge ? rgb_mix((Rgb){214, 164, 60}, (Rgb){140, 20, 36},
                              smooth(edge - 3 * q->scale, edge - 6 * q->scale, y))
                    : c;
}

/* Distance in pixels below a ridge line; positive inside. */
static float below_ridge(const PlacePainter *q, uint32_t salt, float x, float y, float base, float height,
                         float width)
{
    float n = paint_fbm(q->seed + salt, x / (q->scale * width), 0.5f, 3);
    return y - (q->g->horizon - q->scale * (base + height * n));
}

static uint32_t shaded(const PlacePainter *q, Rgb c, float alpha, float haze)
{
    c = rgb_mul(c, q->light);
    return paint_pack(rgb_mix(c, q->haze, q->haze_amount * haze), clamp01(alpha));
}

static uint32_t hills(const PlacePainter *q, float x, float y, Rgb back, Rgb front)
{
    float b = below_ridge(q, 11, x, y, 6, 26, 60) + 0.5f, f = below_ridge(q, 12, x, y, 0, 14, 42) + 0.5f;
    if (f <= 0)
        return b > 0 ? shaded(q, back, b, 1.4f) : 0;
    front = rgb_scale(front, 1 - 0.1f * clamp01(f / (14 * q->scale)));
    return f < 1 && b > 0 ? shaded(q, rgb_mix(back, front, f), b, 1.3f) : shaded(q, front, f, 1.2f);
}

static uint32_t conifers(const PlacePainter *q, float x, float y)
{
    uint32_t out = 0;
    for (int row = 0; row < 2; row++) {
        float w = q->scale * (row ? 15.0f : 12.0f), k = floorf(x / w), best = -1;
        for (int i = -1; i <= 1; i++) {
            uint32_t h = paint_hash(q->seed + (uint32_t)row, (uint32_t)(int)(k + (float)i), 7);
            float cx = (k + (float)i + 0.3f + 0.4f * (float)(h & 255) / 255) * w,
                  tall = q->scale * (row ? 27.0f : 40.0f) * (0.8f + 0.35f * (float)(h >> 8 & 255) / 255);
            float t = (y - (q->g->horizon - tall)) / tall, tier = t * 3 - floorf(t * 3);
            float half = w * 0.8f * (0.12f + 0.75f * t - 0.1f * (1 - tier));
            if (t > 0)
                best = fmaxf(best, half - fabsf(x - cx));
        }
        if (best > -0.5f) {
            Rgb c = row ? (Rgb){44, 98, 62} : (Rgb){66, 124, 88};
            out = shaded(q, c, row || out == 0 ? best + 0.5f : 1, row ? 0.9f : 1.3f);
        }
    }
    return out;
}

static uint32_t peaks(const PlacePainter *q, float x, float y, bool snowy)
{
    float best = -1e9f, depth = 0;
    for (int i = -3; i <= 3; i++) {
        float w = q->scale * 52, k = floorf(x / w) + (float)i;
        uint32_t h = paint_hash(q->seed, (uint32_t)(int)k, 3);
        float cx = (k + 0.5f + 0.4f * (float)(h & 255) / 255) * w,
              tall = q->scale * (30 + 28 * (float)(h >> 8 & 255) / 255);
        float slope = 0.85f + 0.3f * (float)(h >> 16 & 255) / 255;
        float d = y - (q->g->horizon - tall + fabsf(x - cx) * slope) +
                  q->scale * 1.5f * (paint_noise(q->seed + 5, x / (q->scale * 4), 0) - 0.5f);
        if (d > best) {
            best = d;
            depth = x < cx ? 1 : 0.82f;
        }
    }
    if (best < -0.5f)
        return 0;
    float cap = q->scale * (11 + 5 * paint_noise(q->seed + 6, x / (q->scale * 5), 1));
    Rgb rock = snowy ? (Rgb){124, 146, 176} : (Rgb){112, 128, 150},
        c = best < cap ? (Rgb){246, 250, 255} : rock;
    return shaded(q, rgb_scale(c, depth), best + 0.5f, 1.4f);
}

static uint32_t skyline(const PlacePainter *q, float x, float y)
{
    const Block *b = NULL;
    for (int i = 0; i < q->block_count && b == NULL; i++)
        if (x >= q->blocks[i].x && x < q->blocks[i].x + q->blocks[i].w)
            b = &q->blocks[i];
    if (b == NULL || y < q->g->horizon - b->h)
        return 0;
    Rgb c = rgb_scale(b->colour, x - b->x < 2 * q->scale ? 1.08f : 1);
    float margin = 3 * q->scale, cw = (b->w - 2 * margin) / floorf((b->w - 2 * margin) / (9 * q->scale)),
          ch = 11 * q->scale;
    float u = (x - b->x - margin) / cw, v = (y - (q->g->horizon - b->h) - margin) / ch;
    float fu = u - floorf(u), fv = v - floorf(v);
    bool window = u > 0 && x < b->x + b->w - margin && v > 0 && fu > 0.2f && fu < 0.8f && fv > 0.25f &&
                  fv < 0.8f && y < q->g->horizon - 4 * q->scale;
    if (!window)
        return shaded(q, c, 1, 1.1f);
    uint32_t h = paint_hash(b->seed, (uint32_t)(int)u, (uint32_t)(int)v);
    bool dark = q->time == TIME_NIGHT, lit = dark ? h % 5 < 3 : q->time != TIME_DAY && h % 4 == 0;
    if (lit)
        return paint_pack(rgb_mix((Rgb){255, 222, 128}, q->haze, q->haze_amount), 1);
    return shaded(q, rgb_mix(rgb_scale(c, 0.7f), (Rgb){150, 196, 232}, dark ? 0.1f : 0.5f), 1, 1.1f);
}

static uint32_t barn(const PlacePainter *q, float x, float y)
{
    float s = q->g->unit, bx = q->g->width * (0.2f + 0.6f * q->accent.r), dx = fabsf(x - bx),
          top = q->g->horizon - 0.2f * s;
    float d = dx / (0.13f * s), roof = top - 0.1f * s * (1 - d * 0.85f);
    if (d > 1.1f || y < roof || y > q->g->horizon + 2 * q->scale)
        return 0;
    if (y < top + 0.0f && y < roof + 5 * q->scale)
        return shaded(q, (Rgb){110, 62, 54}, 1, 1);
    if (d > 1)
        return 0;
    bool door = dx < 0.05f * s && y > q->g->horizon - 0.11f * s;
    return shaded(q, door ? (Rgb){244, 238, 226} : (Rgb){196, 58, 48}, 1, 1);
}

static uint32_t crowd(const PlacePainter *q, float x, float y)
{
    float s = q->scale, top = q->g->horizon - 24 * s, cell = 5 * s;
    if (y < top)
        return 0;
    if (y < top + 3 * s || y > q->g->horizon - 5 * s)
        return shaded(q, y < top + 3 * s ? (Rgb){226, 230, 236} : (Rgb){60, 92, 168}, 1, 1.1f);
    uint32_t h = paint_hash(q->seed, (uint32_t)(int)floorf(x / cell), (uint32_t)(int)floorf(y / cell));
    static const Rgb SHIRT[4] = {{120, 128, 150}, {134, 118, 140}, {112, 132, 160}, {142, 136, 142}};
    return shaded(q, SHIRT[h & 3], 1, 1.1f);
}

static uint32_t far_pixel(const PlacePainter *q, float x, float y)
{
    uint32_t p;
    switch (q->place) {
    case PLACE_MEADOW:
        return hills(q, x, y, (Rgb){122, 160, 170}, (Rgb){84, 150, 84});
    case PLACE_FOREST:
        return conifers(q, x, y);
    case PLACE_DESERT:
        return hills(q, x, y, (Rgb){220, 168, 112}, (Rgb){214, 152, 84});
    case PLACE_SNOW:
        return peaks(q, x, y, true);
    case PLACE_LAKE:
        p = below_ridge(q, 4, x, y, 1, 8, 14) > 0 ? shaded(q, (Rgb){58, 104, 70}, 1, 1) : 0;
        return p != 0 ? p : peaks(q, x, y, false);
    case PLACE_CITY:
        return skyline(q, x, y);
    case PLACE_FARM:
        p = barn(q, x, y);
        return p != 0 ? p : hills(q, x, y, (Rgb){132, 170, 150}, (Rgb){150, 176, 92});
    case PLACE_PITCH:
        return crowd(q, x, y);
    default:
        return 0;
    }
}

static Rgb beach_colour(const PlacePainter *q, float x, float y, float t, float n)
{
    float edge = 0.16f + 0.02f * sinf(x / (q->scale * 15) + 2 * q->accent.r), s = q->scale;
    if (t < edge) {
        Rgb sea = rgb_mix((Rgb){44, 124, 190}, (Rgb){98, 196, 214}, t / edge);
        float wave = paint_noise(q->seed, x / (s * 14), y / (s * 2.2f));
        sea = rgb_mix(sea, (Rgb){236, 248, 252}, 0.35f * smooth(0.66f, 0.85f, wave));
        return rgb_mix(sea, (Rgb){250, 254, 255}, smooth(edge - 0.035f, edge - 0.015f, t));
    }
    Rgb sand = rgb_scale(q->ground, 0.95f + 0.09f * n);
    return rgb_mix(rgb_scale(sand, 0.82f), sand, smooth(edge, edge + 0.07f, t));
}

static Rgb street_colour(const PlacePainter *q, float x, float y, float t, float n)
{
    float lane = (q->g->lane - q->g->horizon) / (q->g->height - q->g->horizon), s = q->scale;
    Rgb walk = {176, 176, 180}, road = rgb_scale(q->ground, 0.96f + 0.06f * n);
    float kerb = lane - 0.3f;
    if (t < kerb) {
        float slab = x / (s * 16) - floorf(x / (s * 16));
        return rgb_scale(walk, slab < 0.06f ? 0.88f : 0.98f + 0.03f * n);
    }
    if (t < kerb + 0.035f)
        return (Rgb){214, 214, 216};
    float line = fabsf(t - (lane + 0.13f)), dash = x / (s * 30) - floorf(x / (s * 30));
    return line < 0.022f && dash < 0.55f ? (Rgb){238, 232, 204} : road;
}

static Rgb floor_colour(const PlacePainter *q, float x, float y, float z, bool stage)
{
    float cx = (x - q->g->width / 2) * z, s = q->scale;
    if (stage) {
        float k = cx / (s * 15), plank = k - floorf(k);
        Rgb c = rgb_scale(
            q->ground, 0.92f + 0.12f * (float)(paint_hash(q->seed, (uint32_t)(int)floorf(k), 1) & 255) / 255);
        return rgb_scale(c, plank < 0.05f ? 0.82f : 1);
    }
    int u = (int)floorf(cx / (s * 22)), v = (int)floorf(z * 3.2f);
    return rgb_scale(q->ground, (u + v) & 1 ? 1.05f : 0.9f);
}

static Rgb moon_colour(const PlacePainter *q, float x, float y, float z, float n)
{
    float u = x * z / (q->scale * 26), v = z * 3.5f, iu = floorf(u), iv = floorf(v);
    Rgb c = rgb_scale(q->ground, 0.92f + 0.14f * n);
    uint32_t h = paint_hash(q->seed, (uint32_t)(int)iu, (uint32_t)(int)iv);
    if (h % 3 == 0) {
        float r =
            hypotf((u - iu - 0.5f) * 1.1f, v - iv - 0.5f) / (0.22f + 0.2f * (float)(h >> 8 & 255) / 255);
        if (r < 1)
            c = rgb_scale(c, 0.8f + 0.08f * (v - iv));
        else if (r < 1.2f)
            c = rgb_scale(c, 1.1f);
    }
    return c;
}

static Rgb pitch_colour(const PlacePainter *q, float x, float y, float z, float t)
{
    float u = (x - q->g->width / 2) * z / (q->scale * 30);
    Rgb c = rgb_scale(q->ground, (int)floorf(u) & 1 ? 1.05f : 0.93f);
    bool line = (t > 0.1f && t < 0.135f) || (fabsf(x - q->g->width / 2) * z < 1.6f * q->scale && t > 0.1f);
    return line ? (Rgb){236, 244, 236} : c;
}

static Rgb field_colour(const PlacePainter *q, float x, float y, float z, float t, float n)
{
    float u = (x - q->g->width / 2) * z / (q->scale * 15), row = u - floorf(u);
    Rgb earth = {150, 112, 70}, crop = rgb_scale(q->ground, 0.95f + 0.08f * n);
    return t < 0.5f
               ? rgb_mix(crop, earth, smooth(0.06f, 0.3f, t) * (1 - smooth(0.2f, 0.35f, fabsf(row - 0.5f))))
               : crop;
}

static uint32_t ground_pixel(const PlacePainter *q, float x, float y)
{
    const Ground *g = q->g;
    if (g->open)
        return 0;
    float edge = g->horizon, s = q->scale;
    if (q->place == PLACE_UNDERWATER)
        edge += 3 * s * sinf(x / (s * 24) + 6 * q->accent.r);
    if (y < edge - 0.5f)
        return 0;
    float depth = g->height - g->horizon, t = (y - g->horizon) / depth, z = 1 / (0.22f + 0.9f * fmaxf(t, 0));
    float n = paint_fbm(q->seed + 31, x * z / (s * 13), z * 9, 2),
          grass = 0.93f + 0.1f * n - 0.12f * fmaxf(0, t - 0.5f);
    Rgb c;
    switch (q->place) {
    case PLACE_BEACH:
        c = beach_colour(q, x, y, t, n);
        break;
    case PLACE_CITY:
        c = street_colour(q, x, y, t, n);
        break;
    case PLACE_LAKE: {
        float wave = paint_noise(q->seed + 8, x / (s * 16) * z, z * 14);
        c = rgb_mix(rgb_mix(q->ground, (Rgb){24, 84, 140}, t), (Rgb){150, 204, 232},
                    0.4f * smooth(0.55f, 0.85f, wave));
        break;
    }
    case PLACE_MOON:
        c = moon_colour(q, x, y, z, n);
        break;
    case PLACE_ROOM:
        c = floor_colour(q, x, y, z, false);
        break;
    case PLACE_THEATRE:
        c = floor_colour(q, x, y, z, true);
        break;
    case PLACE_PITCH:
        c = pitch_colour(q, x, y, z, t);
        break;
    case PLACE_FARM:
        c = field_colour(q, x, y, z, t, n);
        break;
    case PLACE_SNOW:
        c = rgb_mix(rgb_scale(q->ground, 1.0f), (Rgb){196, 214, 238}, 0.5f * smooth(0.35f, 0.75f, n));
        break;
    default:
        c = rgb_scale(q->ground, grass);
        break;
    }
    return shaded(q, c, y - edge + 0.5f, 1 - 0.6f * clamp01(t));
}

static uint32_t sky_pixel(const PlacePainter *q, float x, float y)
{
    Rgb c;
    switch (q->place) {
    case PLACE_SPACE:
    case PLACE_MOON:
        c = space_colour(q, x, y);
        break;
    case PLACE_UNDERWATER:
        c = water_colour(q, x, y);
        break;
    case PLACE_ROOM:
        c = wall_colour(q, x, y);
        break;
    case PLACE_THEATRE:
        c = curtain_colour(q, x, y);
        break;
    default:
        c = rgb_mix(sky_colour(q, x, y), q->haze, q->haze_amount);
        break;
    }
    return paint_pack(c, 1);
}

void places_row(const PlacePainter *q, int layer, float x, float y, int n, uint32_t *out)
{
    x += 0.5f;
    y += 0.5f;
    bool hidden = layer == 0 && !q->g->open && q->place != PLACE_UNDERWATER &&
                  y > q->g->horizon + 2; /* by the ground */
    for (int i = 0; i < n; i++, x++)
        out[i] = hidden                  ? 0xff000000u
                 : layer == 0            ? sky_pixel(q, x, y)
                 : layer == 2            ? ground_pixel(q, x, y)
                 : y > q->g->horizon + 3 ? 0
                                         : far_pixel(q, x, y);
}
