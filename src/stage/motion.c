/* Where everybody is in every frame. Paths are closed forms of time; contacts are exact. */
#include "stage/motion.h"

#include <math.h>
#include <string.h>

#include "stage/scene.h"

static const float TAU = 6.2831853f;

static const Noun *noun_of(const Play *p, int noun)
{
    return pack_noun(p->stage->pack, noun);
}

/* The height of the drawn art for a given size (longest side of the cell). */
static float art_height(const Play *p, int noun, float size)
{
    const Noun *n = noun_of(p, noun);
    int longest = n->width > n->height ? n->width : n->height;
    return size * (float)n->height / (float)longest;
}

static float art_width(const Play *p, int noun, float size)
{
    const Noun *n = noun_of(p, noun);
    int longest = n->width > n->height ? n->width : n->height;
    return size * (float)n->width / (float)longest;
}

static void plan_ground(Play *p)
{
    static const float HORIZON[PLACE_COUNT] = {0.5f, 0.52f, 0.45f, 0.5f,  0.54f, 0.55f, 0.44f, 0.86f,
                                               1.3f, 0.52f, 0.58f, 0.63f, 1.3f,  0.5f,  0.47f};
    Ground *g = &p->ground;
    g->width = (float)p->width;
    g->height = (float)p->height;
    g->unit = fminf(g->width, g->height);
    g->open = p->scene.place == PLACE_SPACE || p->scene.place == PLACE_SKY;
    g->horizon = g->height * (HORIZON[p->scene.place] + (g->open ? 0 : rng_range(&p->rng, -0.03f, 0.03f)));
    float depth = g->height - g->horizon;
    g->lane = g->open ? g->height * 0.75f : g->horizon + depth * rng_range(&p->rng, 0.6f, 0.74f);
    if (p->scene.place == PLACE_CITY)
        g->lane = g->horizon + depth * 0.7f;
    g->air = g->height * rng_range(&p->rng, 0.32f, 0.46f);
}

/* 0 at the start of the clip, 1 at its end; the middle of a single picture. */
static float progress(const Play *p, int f)
{
    return p->frames > 1 ? (float)f / (float)(p->frames - 1) : 0.5f;
}

/* Seconds; a single picture shows the action half-way. */
static float seconds(const Play *p, int f)
{
    return p->frames > 1 ? (float)(f / p->fps) : 0.55f;
}

static Player *add_player(Play *p, int noun, int colour)
{
    if (p->player_count == MAX_PLAYERS)
        return NULL;
    Player *a = &p->players[p->player_count];
    *a = (Player){.noun = noun, .colour = colour, .parallax = 1};
    a->poses = arena_calloc(p->arena, (size_t)p->frames * sizeof *a->poses);
    a->contacts = arena_alloc(p->arena, (size_t)p->frames * sizeof *a->contacts);
    if (a->poses == NULL || a->contacts == NULL)
        return NULL;
    const Noun *n = noun_of(p, noun);
    float start = rng_range(&p->rng, 0, (float)n->frames);
    bool mirror = n->facing == FACING_LEFT && rng_uniform(&p->rng) < 0.5f;
    for (int f = 0; f < p->frames; f++) {
        a->contacts[f] = -1;
        a->poses[f] = (Pose){.squash = 1, .mirror = mirror, .phase = start + seconds(p, f) * 11};
    }
    p->player_count++;
    return a;
}

/* Turns the art so that it looks along the direction (-1 left, 1 right). */
static void face(const Play *p, Player *a, int f, int dir)
{
    Pose *s = &a->poses[f];
    switch (noun_of(p, a->noun)->facing) {
    case FACING_LEFT:
        s->mirror = dir > 0;
        break;
    case FACING_RIGHT:
        s->mirror = dir < 0;
        break;
    case FACING_UP_RIGHT:
        s->mirror = dir < 0;
        s->rotation = (float)dir * TAU / 8 * 0.8f;
        break;
    case FACING_FRONT:
        s->mirror = false;
        break;
    }
}

static int sign_of(int direction)
{
    return direction == DIRECTION_LEFT ? -1 : 1;
}

/* Size and place of member i of the group. */
typedef struct Slot {
    float size, dx, dy;
} Slot;

static Slot group_slot(Play *p, int i)
{
    static const float SHRINK[6] = {1, 1, 0.78f, 0.7f, 0.62f, 0.58f};
    const StageScene *s = &p->scene;
    float base =
        p->ground.unit * (s->other >= 0 ? 0.36f : 0.42f) * noun_of(p, s->noun)->scale * SHRINK[s->count];
    int n = s->count;
    float spacing = fminf(base * 1.04f, p->ground.width * 0.66f / (float)(n > 1 ? n - 1 : 1));
    float lane = n > 2 ? (i % 2 ? 0.5f : -0.5f) : 0;
    return (Slot){base, ((float)i - (float)(n - 1) / 2) * spacing, lane * 0.13f * p->ground.unit};
}

/* How far the subject goes sideways in the clip, in pixels. */
static float travel(Play *p)
{
    float share = p->speed < 0.5f   ? rng_range(&p->rng, 0.28f, 0.36f)
                  : p->speed > 1.5f ? rng_range(&p->rng, 0.68f, 0.85f)
                                    : rng_range(&p->rng, 0.4f, 0.64f);
    if (p->scene.count > 1)
        share *= p->scene.count > 2 ? 0.6f : 0.75f;
    float longer = p->frames > 17 ? fminf(1.5f, sqrtf((float)p->frames / 17)) : 1;
    return p->ground.width * share * longer;
}

static bool floats(const Play *p, int noun)
{
    StageRole r = noun_of(p, noun)->role;
    return r == ROLE_FLYER || r == ROLE_AIRCRAFT || r == ROLE_ROCKET || r == ROLE_FLOATER ||
           r == ROLE_SWIMMER || p->ground.open;
}

static float casts(const Play *p, float y)
{
    return p->ground.open || p->scene.place == PLACE_LAKE || p->scene.place == PLACE_UNDERWATER ? -1 : y;
}

/* Feet (or keel) of something that stands on the ground at y. */
static void stand(const Play *p, Pose *s, float x, float y, float size)
{
    s->x = x;
    s->y = y;
    s->size = size;
    s->shadow_y = casts(p, y);
    s->order = y;
}

/* Something in the air or water with its centre at y. */
static void hang(const Play *p, const Player *a, Pose *s, float x, float y, float size)
{
    s->x = x;
    s->y = y + art_height(p, a->noun, size) / 2;
    s->size = size;
    s->shadow_y = casts(p, fmaxf(p->ground.lane, s->y));
    s->order = p->ground.lane;
}

/* A group that goes sideways by its own means. */
static bool plan_travel(Play *p)
{
    const StageScene *s = &p->scene;
    int dir = sign_of(s->direction);
    bool follow = s->camera == CAMERA_FOLLOW;
    float d = follow ? p->ground.width * 0.08f : travel(p),
          cx = p->ground.width * rng_range(&p->rng, 0.46f, 0.54f);
    float air = p->ground.air, wave = rng_range(&p->rng, 0, TAU);
    for (int i = 0; i < s->count; i++) {
        Player *a = add_player(p, s->noun, s->colour);
        if (a == NULL)
            return false;
        Slot slot = group_slot(p, i);
        const Noun *n = noun_of(p, s->noun);
        a->parallax = follow ? 0 : 1;
        for (int f = 0; f < p->frames; f++) {
            Pose *q = &a->poses[f];
            float u = progress(p, f), t = seconds(p, f), x = cx + slot.dx + (float)dir * d * (u - 0.5f);
            face(p, a, f, dir);
            if (floats(p, s->noun)) {
                float amp = n->role == ROLE_FLYER ? 0.035f : n->role == ROLE_SWIMMER ? 0.022f : 0.012f;
                float bob = sinf(wave + (float)i * 1.7f + t * 5) * amp * p->ground.unit;
                hang(p, a, q, x, air + slot.dy * 1.6f + bob, slot.size);
                if (s->action == ACTION_SWIM)
                    q->rotation += 0.08f * cosf(wave + t * 5);
            } else {
                stand(p, q, x, p->ground.lane + slot.dy, slot.size);
                if (s->action == ACTION_RUN)
                    q->y -= fabsf(sinf(t * 9 + (float)i)) * 0.05f * slot.size;
                if (s->action == ACTION_WALK && n->facing == FACING_FRONT)
                    q->rotation = 0.07f * sinf(t * 9);
                if (s->action == ACTION_SAIL)
                    q->rotation = 0.03f * sinf(wave + t * 3);
            }
            if (s->action == ACTION_RUN)
                q->phase += t * 7;
        }
    }
    return true;
}

/* Height above the ground, 0..1, of a hop of the given period; squash near the ground. */
static float hop(float t, float period, float *squash)
{
    float phase = t / period - floorf(t / period), ground = 0.18f;
    if (phase < ground) {
        *squash = 1 - 0.14f * sinf(phase / ground * TAU / 2);
        return 0;
    }
    float v = (phase - ground) / (1 - ground);
    *squash = 1 + 0.05f * (1 - 4 * v * (1 - v));
    return 4 * v * (1 - v);
}

static bool plan_hop(Play *p)
{
    const StageScene *s = &p->scene;
    bool leap = s->action == ACTION_LEAP, follow = s->camera == CAMERA_FOLLOW;
    int dir = sign_of(s->direction);
    float d = !leap    ? 0
              : follow ? p->ground.width * 0.08f
                       : travel(p),
          period = rng_range(&p->rng, 0.5f, 0.64f);
    float height = p->ground.unit * rng_range(&p->rng, 0.2f, 0.28f) * (s->count > 2 ? 0.7f : 1);
    float side = s->other < 0                  ? rng_range(&p->rng, -0.1f, 0.1f)
                 : rng_uniform(&p->rng) < 0.5f ? -0.22f
                                               : 0.22f;
    for (int i = 0; i < s->count; i++) {
        Player *a = add_player(p, s->noun, s->colour);
        if (a == NULL)
            return false;
        Slot slot = group_slot(p, i);
        a->parallax = leap && follow ? 0 : 1;
        float cx = p->ground.width * (0.5f + (leap ? 0 : side)) + slot.dx,
              start = rng_uniform(&p->rng) * period;
        for (int f = 0; f < p->frames; f++) {
            Pose *q = &a->poses[f];
            float t = seconds(p, f) + start;
            stand(p, q, cx + (float)dir * d * (progress(p, f) - 0.5f), p->ground.lane + slot.dy, slot.size);
            q->y -= height * hop(t, period, &q->squash);
            if (leap)
                face(p, a, f, dir);
        }
    }
    return true;
}

/* On the spot: idle, dance, spin, grow, shrink, come near. */
static void pose_on_spot(Play *p, Player *a, int f, float x, const Slot *slot, float start)
{
    const StageScene *s = &p->scene;
    Pose *q = &a->poses[f];
    float u = progress(p, f), t = seconds(p, f), size = slot->size, y = p->ground.lane + slot->dy;
    bool hangs = floats(p, a->noun) || p->ground.open;
    if (s->action == ACTION_GROW)
        size *= 0.4f + 0.85f * u;
    if (s->action == ACTION_SHRINK)
        size *= 1.25f - 0.85f * u;
    if (s->action == ACTION_COME) {
        float near = 0.5f + 1.0f * u * u;
        size *= near;
        y = p->ground.horizon + (p->ground.height - p->ground.horizon) * (0.28f + 0.6f * u * u);
    }
    if (s->action == ACTION_DANCE)
        x += sinf(start + t * 6) * 0.03f * p->ground.unit;
    if (hangs)
        hang(p, a, q, x,
             p->ground.air + slot->dy + sinf(start + t * 3) * 0.02f * p->ground.unit +
                 (s->action == ACTION_COME ? 0.1f * p->ground.height * u : 0),
             size);
    else
        stand(p, q, x, y, size);
    if (s->action == ACTION_SPIN) {
        q->rotation = start + t * 4.5f;
        if (!hangs) /* turns about its centre: lift it so that no corner digs into the ground */
            q->y -= (size - art_height(p, a->noun, size)) / 2;
    }
    if (s->action == ACTION_DANCE)
        q->rotation = 0.08f * sinf(start + t * 6);
}

static bool plan_on_spot(Play *p)
{
    const StageScene *s = &p->scene;
    float side = s->other < 0                  ? rng_range(&p->rng, -0.12f, 0.12f)
                 : rng_uniform(&p->rng) < 0.5f ? -0.22f
                                               : 0.22f;
    for (int i = 0; i < s->count; i++) {
        Player *a = add_player(p, s->noun, s->colour);
        if (a == NULL)
            return false;
        Slot slot = group_slot(p, i);
        float x = p->ground.width * (0.5f + side) + slot.dx, start = rng_range(&p->rng, 0, TAU);
        for (int f = 0; f < p->frames; f++) {
            pose_on_spot(p, a, f, x, &slot, start);
            if (noun_of(p, s->noun)->facing == FACING_UP_RIGHT && s->action != ACTION_SPIN)
                a->poses[f].rotation = 0;
        }
    }
    return true;
}

/* Height above the ground at time t of something let go at height h with gravity g that keeps the share e
 * of its speed at every bounce. *bounces counts the contacts so far. */
static float bounce_height(float t, float h, float g, float e, int *bounces)
{
    float fall = sqrtf(2 * h / g), v = g * fall;
    *bounces = 0;
    if (t < fall)
        return h - g * t * t / 2;
    t -= fall;
    for (*bounces = 1; *bounces < 12; ++*bounces) {
        v *= e;
        float flight = 2 * v / g;
        if (t < flight)
            return v * t - g * t * t / 2;
        t -= flight;
    }
    return 0;
}

static bool plan_fall(Play *p)
{
    const StageScene *s = &p->scene;
    bool sideways = s->action == ACTION_BOUNCE, lively = noun_of(p, s->noun)->flags & NOUN_ROUND;
    bool follow = s->camera == CAMERA_FOLLOW;
    int dir = sign_of(s->direction);
    float d = !sideways ? 0 : follow ? p->ground.width * 0.08f : travel(p);
    float e = sideways ? rng_range(&p->rng, 0.72f, 0.82f) : lively ? rng_range(&p->rng, 0.55f, 0.66f) : 0.36f;
    for (int i = 0; i < s->count; i++) {
        Player *a = add_player(p, s->noun, s->colour);
        if (a == NULL)
            return false;
        Slot slot = group_slot(p, i);
        a->parallax = follow ? 0 : 1;
        slot.size *= 0.82f;
        float y = p->ground.lane + slot.dy, h = y - slot.size - p->ground.height * (sideways ? 0.14f : 0.02f);
        h = fmaxf(h, 0.2f * p->ground.unit);
        float fall = sideways ? rng_range(&p->rng, 0.26f, 0.34f) : rng_range(&p->rng, 0.36f, 0.46f);
        float g = 2 * h / (fall * fall), cx = p->ground.width * rng_range(&p->rng, 0.42f, 0.58f) + slot.dx;
        float spin = lively ? (float)dir * (sideways ? 5 : 1.2f) : 0,
              delay = s->count > 1 ? 0.1f * (float)i : 0;
        for (int f = 0; f < p->frames; f++) {
            Pose *q = &a->poses[f];
            int bounces;
            float t = fmaxf(0, seconds(p, f) - delay), up = bounce_height(t, h, g, e, &bounces);
            stand(p, q, cx + (float)dir * d * (progress(p, f) - 0.5f), y, slot.size);
            q->y -= up;
            q->rotation = spin * t;
            q->squash = bounces > 0 && bounces < 5 ? 1 - 0.1f * fmaxf(0, 1 - up / (0.08f * h)) : 1;
        }
    }
    return true;
}

static float roll_angle(float distance, float radius)
{
    return distance / radius; /* rolls without slipping */
}

static bool plan_roll(Play *p)
{
    const StageScene *s = &p->scene;
    bool follow = s->camera == CAMERA_FOLLOW;
    int dir = sign_of(s->direction);
    float d = travel(p), shown = follow ? p->ground.width * 0.08f : d;
    for (int i = 0; i < s->count; i++) {
        Player *a = add_player(p, s->noun, s->colour);
        if (a == NULL)
            return false;
        Slot slot = group_slot(p, i);
        slot.size *= 0.85f;
        a->parallax = follow ? 0 : 1;
        float start = rng_range(&p->rng, 0, TAU);
        for (int f = 0; f < p->frames; f++) {
            float u = progress(p, f) - 0.5f;
            stand(p, &a->poses[f], p->ground.width * 0.5f + slot.dx + (float)dir * shown * u,
                  p->ground.lane + slot.dy, slot.size);
            a->poses[f].rotation = start + (float)dir * roll_angle(d * u, slot.size / 2);
        }
    }
    return true;
}

static bool plan_throw(Play *p)
{
    const StageScene *s = &p->scene;
    int dir = sign_of(s->direction);
    float d = p->ground.width * rng_range(&p->rng, 0.55f, 0.75f),
          peak = p->ground.unit * rng_range(&p->rng, 0.35f, 0.45f);
    for (int i = 0; i < s->count; i++) {
        Player *a = add_player(p, s->noun, s->colour);
        if (a == NULL)
            return false;
        Slot slot = group_slot(p, i);
        slot.size *= 0.8f;
        for (int f = 0; f < p->frames; f++) {
            float u = progress(p, f);
            Pose *q = &a->poses[f];
            stand(p, q, p->ground.width * 0.5f + slot.dx * 0.6f + (float)dir * d * (u - 0.5f),
                  p->ground.lane + slot.dy, slot.size);
            q->y -= peak * 4 * u * (1 - u) + 0.06f * p->ground.unit;
            q->rotation = (float)dir * 4 * u;
        }
    }
    return true;
}

static bool plan_rise(Play *p)
{
    const StageScene *s = &p->scene;
    bool rocket = s->action == ACTION_FLY_UP;
    float d = p->ground.height * rng_range(&p->rng, 0.45f, 0.62f);
    float aside =
        s->other >= 0 ? (rng_uniform(&p->rng) < 0.5f ? -0.16f : 0.16f) : rng_range(&p->rng, -0.08f, 0.08f);
    for (int i = 0; i < s->count; i++) {
        Player *a = add_player(p, s->noun, s->colour);
        if (a == NULL)
            return false;
        Slot slot = group_slot(p, i);
        float x = p->ground.width * (0.5f + aside) + slot.dx, start = rng_range(&p->rng, 0, TAU);
        float dy = s->count > 1 ? rng_range(&p->rng, -0.07f, 0.07f) * p->ground.height : 0;
        for (int f = 0; f < p->frames; f++) {
            float u = progress(p, f), t = seconds(p, f);
            float sway = rocket ? 0 : sinf(start + t * 2.5f) * 0.025f * p->ground.unit;
            hang(p, a, &a->poses[f], x + sway, p->ground.height * 0.5f + dy - d * (u - 0.5f), slot.size);
            a->poses[f].rotation = rocket ? -TAU / 8 : 0.08f * sinf(start + t * 2.5f);
            a->poses[f].mirror = false;
            if (p->ground.lane < a->poses[f].y)
                a->poses[f].shadow_y = -1;
        }
    }
    return true;
}

/* The second actor where it just stands. */
static Player *add_other(Play *p, float x, float size)
{
    Player *o = add_player(p, p->scene.other, p->scene.other_colour);
    if (o == NULL)
        return NULL;
    for (int f = 0; f < p->frames; f++) {
        if (p->ground.open)
            hang(p, o, &o->poses[f], x, p->ground.height * 0.4f, size);
        else
            stand(p, &o->poses[f], x, p->ground.lane, size);
        if (p->scene.place == PLACE_UNDERWATER)
            o->poses[f].y = fmaxf(p->ground.lane, p->ground.height * 0.93f);
    }
    return o;
}

static bool plan_circle(Play *p)
{
    const StageScene *s = &p->scene;
    Player *a = add_player(p, s->noun, s->colour);
    float size = p->ground.unit * 0.27f * noun_of(p, s->noun)->scale;
    float other = p->ground.unit * fminf(0.62f, 0.4f * noun_of(p, s->other)->scale);
    float cx = p->ground.width * 0.5f;
    Player *o = a != NULL ? add_other(p, cx, other) : NULL;
    if (o == NULL)
        return false;
    float start = rng_range(&p->rng, 0, TAU), turn = rng_uniform(&p->rng) < 0.5f ? 1 : -1;
    float rx = art_width(p, s->other, other) * 0.5f + size * 0.42f, ry = 0.1f * p->ground.unit;
    float speed = TAU * rng_range(&p->rng, 0.85f, 1.1f);
    float centre = o->poses[0].y - art_height(p, s->other, other) * 0.4f;
    for (int f = 0; f < p->frames; f++) {
        float angle = start + turn * speed * progress(p, f), near = sinf(angle);
        Pose *q = &a->poses[f];
        float scaled = size * (1 + 0.14f * near);
        if (floats(p, s->noun))
            hang(p, a, q, cx + rx * cosf(angle), centre + ry * near, scaled);
        else
            stand(p, q, cx + rx * cosf(angle), o->poses[f].y + ry * near, scaled);
        q->order = o->poses[f].order + (near > 0 ? 1 : -1);
        if (floats(p, s->noun))
            q->shadow_y = casts(p, p->ground.lane + ry * near + 2);
        face(p, a, f, -sinf(angle) * turn > 0 ? 1 : -1);
    }
    return true;
}

/* One-dimensional collision with restitution e: masses go with the square of the radius. */
static bool plan_knock(Play *p)
{
    const StageScene *s = &p->scene;
    Player *a = add_player(p, s->noun, s->colour),
           *b = a != NULL ? add_player(p, s->other, s->other_colour) : NULL;
    if (b == NULL)
        return false;
    int dir = sign_of(s->direction), hit = -1;
    float ra = p->ground.unit * 0.145f * noun_of(p, s->noun)->scale,
          rb = p->ground.unit * 0.145f * noun_of(p, s->other)->scale;
    float w = p->ground.width, xa = w * (0.5f - (float)dir * rng_range(&p->rng, 0.44f, 0.48f));
    float xb = w * (0.5f + (float)dir * rng_range(&p->rng, -0.02f, 0.06f)),
          tc = rng_range(&p->rng, 0.34f, 0.44f);
    float v = (fabsf(xb - xa) - ra - rb) / tc, ma = ra * ra, mb = rb * rb,
          e = rng_range(&p->rng, 0.8f, 0.95f);
    float va = v * (ma - e * mb) / (ma + mb), vb = v * (1 + e) * ma / (ma + mb);
    for (int f = 0; f < p->frames; f++) {
        float u = progress(p, f), da = u < tc ? v * u : v * tc + va * (u - tc),
              db = u < tc ? 0 : vb * (u - tc);
        stand(p, &a->poses[f], xa + (float)dir * da, p->ground.lane, 2 * ra);
        stand(p, &b->poses[f], xb + (float)dir * db, p->ground.lane, 2 * rb);
        a->poses[f].rotation = (float)dir * roll_angle(da, ra);
        b->poses[f].rotation = (float)dir * roll_angle(db, rb);
        if (u >= tc && hit < 0) {
            hit = f;
            a->contacts[f] = 1;
            b->contacts[f] = 0;
        }
    }
    return true;
}

static bool plan_behind(Play *p)
{
    const StageScene *s = &p->scene;
    Player *a = add_player(p, s->noun, s->colour);
    int dir = sign_of(s->direction);
    float size = p->ground.unit * 0.32f * noun_of(p, s->noun)->scale, u = p->ground.unit;
    float hider = u * fminf(0.64f, 0.44f * noun_of(p, s->other)->scale),
          cx = p->ground.width * rng_range(&p->rng, 0.46f, 0.54f);
    hider = fminf(hider, hider * 0.44f * p->ground.width /
                             art_width(p, s->other, hider)); /* room to be seen on both sides */
    Player *o = a != NULL ? add_other(p, cx, hider) : NULL;
    if (o == NULL)
        return false;
    float d = p->ground.width * rng_range(&p->rng, 0.8f, 0.9f), foot = p->ground.lane - 0.05f * u;
    for (int f = 0; f < p->frames; f++) {
        Pose *q = &a->poses[f], *h = &o->poses[f];
        float x = cx + (float)dir * d * (progress(p, f) - 0.5f);
        h->y = fminf(p->ground.lane + 0.13f * u, p->ground.height * 0.97f);
        h->shadow_y = casts(p, h->y);
        h->order = p->ground.height;
        if (floats(p, s->noun))
            hang(p, a, q, x, h->y - art_height(p, s->other, hider) * 0.5f, size);
        else
            stand(p, q, x, foot, size);
        if (s->noun >= 0 && noun_of(p, s->noun)->role == ROLE_HOPPER)
            q->y -= 0.12f * u * hop(seconds(p, f), 0.5f, &q->squash);
        face(p, a, f, dir);
    }
    return true;
}

static bool plan_chase(Play *p)
{
    const StageScene *s = &p->scene;
    Player *a = add_player(p, s->noun, s->colour),
           *b = a != NULL ? add_player(p, s->other, s->other_colour) : NULL;
    if (b == NULL)
        return false;
    Player *both[2] = {a, b};
    int dir = sign_of(s->direction);
    float d = p->ground.width * rng_range(&p->rng, 0.34f, 0.44f),
          gap = p->ground.width * rng_range(&p->rng, 0.38f, 0.44f);
    for (int i = 0; i < 2; i++)
        for (int f = 0; f < p->frames; f++) {
            Pose *q = &both[i]->poses[f];
            float size = p->ground.unit * 0.32f * noun_of(p, both[i]->noun)->scale, t = seconds(p, f);
            float close = gap * (1 - 0.2f * progress(p, f)),
                  x = p->ground.width * 0.5f + (float)dir * d * (progress(p, f) - 0.5f);
            x += (float)dir * close * (i == 0 ? -0.5f : 0.5f);
            if (floats(p, both[i]->noun))
                hang(p, both[i], q, x, p->ground.air + sinf(t * 5 + (float)i) * 0.02f * p->ground.unit, size);
            else
                stand(p, q, x, p->ground.lane, size);
            q->phase += t * 6;
            face(p, both[i], f, dir);
        }
    return true;
}

/* In the air on the spot; above the second actor when there is one. */
static bool plan_hover(Play *p)
{
    const StageScene *s = &p->scene;
    if (s->other < 0)
        return plan_on_spot(p);
    Player *a = add_player(p, s->noun, s->colour);
    float size = p->ground.unit * 0.32f * noun_of(p, s->noun)->scale;
    float other = p->ground.unit * fminf(0.5f, 0.38f * noun_of(p, s->other)->scale);
    float cx = p->ground.width * rng_range(&p->rng, 0.4f, 0.6f), start = rng_range(&p->rng, 0, TAU);
    Player *o = a != NULL ? add_other(p, cx, other) : NULL;
    if (o == NULL)
        return false;
    float top = o->poses[0].y - art_height(p, s->other, other);
    for (int f = 0; f < p->frames; f++) {
        float t = seconds(p, f), u = p->ground.unit;
        float y = fmaxf(top - size * 0.42f, art_height(p, s->noun, size) * 0.5f);
        hang(p, a, &a->poses[f], cx + sinf(start + t * 2.6f) * 0.16f * u,
             y + sinf(start + t * 4.7f) * 0.03f * u, size);
        a->poses[f].order = o->poses[f].order + 1;
        face(p, a, f, cosf(start + t * 2.6f) > 0 ? 1 : -1);
    }
    return true;
}

static bool plan_action(Play *p)
{
    switch (p->scene.action) {
    case ACTION_HOP:
    case ACTION_LEAP:
        return plan_hop(p);
    case ACTION_FALL:
    case ACTION_BOUNCE:
        return plan_fall(p);
    case ACTION_ROLL:
        return plan_roll(p);
    case ACTION_THROW:
        return plan_throw(p);
    case ACTION_FLOAT_UP:
    case ACTION_FLY_UP:
        return plan_rise(p);
    case ACTION_CIRCLE:
        return plan_circle(p);
    case ACTION_KNOCK:
        return plan_knock(p);
    case ACTION_BEHIND:
        return plan_behind(p);
    case ACTION_CHASE:
        return plan_chase(p);
    case ACTION_HOVER:
        return plan_hover(p);
    default:
        return scene_moves(p->scene.action) ? plan_travel(p) : plan_on_spot(p);
    }
}

/* A second actor that no action placed stands beside the subject. */
static bool plan_bystander(Play *p)
{
    const StageScene *s = &p->scene;
    if (s->other < 0 || p->player_count > s->count)
        return true;
    float sx = p->players[0].poses[p->frames / 2].x, w = p->ground.width;
    float size = p->ground.unit * fminf(0.6f, 0.38f * noun_of(p, s->other)->scale);
    return add_other(p, sx < w / 2 ? sx + w * 0.44f : sx - w * 0.44f, size) != NULL;
}

static void plan_camera(Play *p)
{
    const StageScene *s = &p->scene;
    float w = p->ground.width, h = p->ground.height, amount = rng_range(&p->rng, 0.2f, 0.3f);
    float follow = travel(p) * 1.25f;
    for (int f = 0; f < p->frames; f++) {
        float u = progress(p, f), c = u - 0.5f;
        p->zoom[f] = s->camera == CAMERA_ZOOM_IN    ? 1 + amount * u
                     : s->camera == CAMERA_ZOOM_OUT ? 1 + amount * (1 - u)
                                                    : 1;
        p->pan_x[f] = s->camera == CAMERA_PAN_RIGHT  ? c * amount * w
                      : s->camera == CAMERA_PAN_LEFT ? -c * amount * w
                      : s->camera == CAMERA_FOLLOW   ? (float)sign_of(s->direction) * follow * c
                                                     : 0;
        p->pan_y[f] = s->camera == CAMERA_RISE ? -c * 0.6f * amount * h : 0;
    }
}

/* Scenery behind the action. */
static const char *const PROPS[PLACE_COUNT][4] = {
    {"tree", "tree", "sunflower", "house"},
    {"tree", "pine tree", "mushroom", "pine tree"},
    {"palm tree", "palm tree", "umbrella", "rock"},
    {"cactus", "cactus", "rock", "palm tree"},
    {"pine tree", "pine tree", "snowman", "house"},
    {"tree", "tree", "tree", "tree"},
    {"", "", "", ""},
    {"coral", "coral", "rock", "coral"},
    {"ringed planet", "Earth", "full moon", "satellite"},
    {"rock", "rock", "Earth", "rock"},
    {"couch", "potted plant", "chair", "television"},
    {"drum", "potted plant", "", ""},
    {"", "", "", ""},
    {"house", "tree", "tractor", "tree"},
    {"trophy", "tree", "tree", "tree"},
};

bool motion_is_prop(const char *noun)
{
    for (int p = 0; p < PLACE_COUNT; p++)
        for (int i = 0; i < 4; i++)
            if (strcmp(PROPS[p][i], noun) == 0)
                return true;
    return false;
}

/* Up to two pieces of it. */
static bool plan_props(Play *p)
{
    int place = p->scene.place, count = rng_int(&p->rng, place == PLACE_CITY ? 2 : 3);
    if (place == PLACE_UNDERWATER)
        count = 1 + rng_int(&p->rng, 2);
    for (int k = 0; k < count; k++) {
        int noun = stage_noun_find(p->stage, PROPS[place][rng_int(&p->rng, 4)]);
        float at = rng_range(&p->rng, 0.08f, 0.3f), depth = rng_range(&p->rng, 0.12f, 0.3f);
        StageScene check = {.noun = noun, .other = STAGE_NOBODY, .place = place, .action = -1};
        if (noun < 0 || noun == p->scene.noun || noun == p->scene.other ||
            stage_scene_held_out(p->stage, &check))
            continue;
        bool sky = p->ground.open || strcmp(noun_of(p, noun)->en, "Earth") == 0;
        float size = p->ground.unit * 0.27f * noun_of(p, noun)->scale * (1 + depth);
        float x = p->ground.width * (k == 0 ? at : 1 - at),
              y = p->ground.horizon + depth * (p->ground.lane - p->ground.horizon);
        Player *a = add_player(p, noun, COLOUR_NATIVE);
        if (a == NULL)
            return false;
        a->prop = true;
        a->parallax = sky ? 0.15f : 0.4f + 0.5f * depth;
        if (place == PLACE_UNDERWATER)
            y = p->ground.horizon + 0.05f * p->ground.height, size *= 0.8f;
        for (int f = 0; f < p->frames; f++) {
            stand(p, &a->poses[f], x, y, size);
            if (sky)
                hang(p, a, &a->poses[f], x, p->ground.height * (0.12f + 0.5f * at), size * 0.8f);
            a->poses[f].order = y - p->ground.height;
            a->poses[f].shadow_y = sky ? -1 : a->poses[f].shadow_y;
        }
    }
    return true;
}

bool motion_plan(Play *p)
{
    size_t n = (size_t)p->frames * sizeof(float);
    p->pan_x = arena_alloc(p->arena, n);
    p->pan_y = arena_alloc(p->arena, n);
    p->zoom = arena_alloc(p->arena, n);
    if (p->pan_x == NULL || p->pan_y == NULL || p->zoom == NULL)
        return false;
    float u = rng_uniform(&p->rng);
    p->speed = p->scene.count > 1 || p->scene.action == ACTION_RUN || p->scene.camera != CAMERA_STATIC ? 1
               : u < 0.1f                                                                              ? 0
               : u > 0.9f                                                                              ? 2
                                                                                                       : 1;
    plan_ground(p);
    if (!plan_action(p) || !plan_bystander(p))
        return false;
    plan_camera(p);
    return plan_props(p);
}
