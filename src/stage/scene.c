/* What happens: choosing noun, action, place and the rest so that they fit each other. */
#include "stage/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

typedef struct Weighted {
    int value;
    float weight;
} Weighted;

static const float EVERYDAY_SHARE = 0.14f, EVERYDAY_SHARE_OF_NOUN = 0.3f;

/* Actions of a role, the most natural first; ends with weight 0. */
static const Weighted ACTIONS[ROLE_COUNT][12] = {
    [ROLE_WALKER] = {{ACTION_WALK, 6},
                     {ACTION_RUN, 4},
                     {ACTION_HOP, 1.2f},
                     {ACTION_LEAP, 1},
                     {ACTION_IDLE, 1},
                     {ACTION_BEHIND, 1.8f},
                     {ACTION_CHASE, 1.2f},
                     {ACTION_COME, 0.8f},
                     {ACTION_CIRCLE, 0.8f}},
    [ROLE_CRAWLER] = {{ACTION_CRAWL, 6}, {ACTION_BEHIND, 1}, {ACTION_IDLE, 1}, {ACTION_COME, 0.5f}},
    [ROLE_HOPPER] = {{ACTION_HOP, 4},
                     {ACTION_LEAP, 3},
                     {ACTION_IDLE, 1.5f},
                     {ACTION_BEHIND, 1},
                     {ACTION_SPIN, 0.8f},
                     {ACTION_COME, 1},
                     {ACTION_GROW, 0.5f},
                     {ACTION_SHRINK, 0.5f},
                     {ACTION_HOVER, 1}},
    [ROLE_FLYER] = {{ACTION_FLY, 5},
                    {ACTION_HOVER, 3},
                    {ACTION_CIRCLE, 2},
                    {ACTION_BEHIND, 0.8f},
                    {ACTION_CHASE, 0.8f},
                    {ACTION_COME, 0.6f}},
    [ROLE_AIRCRAFT] =
        {{ACTION_FLY, 6}, {ACTION_HOVER, 1}, {ACTION_CIRCLE, 1}, {ACTION_BEHIND, 0.6f}, {ACTION_CHASE, 0.5f}},
    [ROLE_ROCKET] = {{ACTION_FLY_UP, 5}, {ACTION_FLY, 2}},
    [ROLE_FLOATER] = {{ACTION_FLOAT_UP, 6}, {ACTION_HOVER, 1}, {ACTION_FLY, 1}},
    [ROLE_SWIMMER] = {{ACTION_SWIM, 7},
                      {ACTION_CIRCLE, 1},
                      {ACTION_CHASE, 1},
                      {ACTION_BEHIND, 1},
                      {ACTION_HOVER, 0.6f},
                      {ACTION_COME, 0.7f}},
    [ROLE_BOAT] = {{ACTION_SAIL, 6}, {ACTION_IDLE, 1}},
    [ROLE_VEHICLE] = {{ACTION_DRIVE, 7},
                      {ACTION_BEHIND, 1.2f},
                      {ACTION_CHASE, 1},
                      {ACTION_COME, 0.7f},
                      {ACTION_IDLE, 0.7f}},
    [ROLE_RIDER] = {{ACTION_RIDE, 6}, {ACTION_BEHIND, 1}, {ACTION_CHASE, 1}},
    [ROLE_PERSON] = {{ACTION_DANCE, 2},
                     {ACTION_HOP, 2},
                     {ACTION_IDLE, 1.5f},
                     {ACTION_SPIN, 0.7f},
                     {ACTION_COME, 1},
                     {ACTION_HOVER, 2}},
    [ROLE_BALL] = {{ACTION_ROLL, 4},
                   {ACTION_BOUNCE, 3},
                   {ACTION_FALL, 2.5f},
                   {ACTION_KNOCK, 3},
                   {ACTION_THROW, 1.2f},
                   {ACTION_SPIN, 0.8f}},
    [ROLE_FRUIT] = {{ACTION_FALL, 4},
                    {ACTION_ROLL, 2},
                    {ACTION_KNOCK, 2},
                    {ACTION_BOUNCE, 1},
                    {ACTION_SPIN, 1},
                    {ACTION_GROW, 0.6f},
                    {ACTION_SHRINK, 0.6f},
                    {ACTION_THROW, 1},
                    {ACTION_IDLE, 0.5f}},
    [ROLE_THING] = {{ACTION_FALL, 3},
                    {ACTION_SPIN, 2},
                    {ACTION_GROW, 1.2f},
                    {ACTION_SHRINK, 1},
                    {ACTION_IDLE, 1},
                    {ACTION_HOP, 1.2f},
                    {ACTION_THROW, 1}},
    [ROLE_PLANT] = {{ACTION_GROW, 2}, {ACTION_IDLE, 2}, {ACTION_SHRINK, 0.5f}},
    [ROLE_BUILDING] = {{ACTION_IDLE, 2}, {ACTION_GROW, 0.4f}},
    [ROLE_CELESTIAL] = {{ACTION_HOVER, 2}, {ACTION_SPIN, 1.5f}, {ACTION_FLY, 2}, {ACTION_COME, 1}},
};

enum {
    GROUND_PLACES = 1 << PLACE_MEADOW | 1 << PLACE_FOREST | 1 << PLACE_BEACH | 1 << PLACE_DESERT |
                    1 << PLACE_SNOW | 1 << PLACE_CITY | 1 << PLACE_MOON | 1 << PLACE_ROOM |
                    1 << PLACE_THEATRE | 1 << PLACE_FARM | 1 << PLACE_PITCH
};

static int place_mask(const Noun *n)
{
    int space = n->flags & NOUN_SPACE ? 1 << PLACE_SPACE : 0;
    switch (n->role) {
    case ROLE_FLYER:
        return GROUND_PLACES | 1 << PLACE_SKY | 1 << PLACE_LAKE;
    case ROLE_AIRCRAFT:
        return STAGE_OUTDOORS | 1 << PLACE_MOON | space;
    case ROLE_ROCKET:
        return 1 << PLACE_SPACE | 1 << PLACE_MOON | 1 << PLACE_SKY | 1 << PLACE_DESERT | 1 << PLACE_CITY;
    case ROLE_FLOATER:
        return GROUND_PLACES | 1 << PLACE_SKY | 1 << PLACE_LAKE;
    case ROLE_SWIMMER:
        return 1 << PLACE_UNDERWATER;
    case ROLE_BOAT:
        return 1 << PLACE_LAKE;
    case ROLE_VEHICLE:
        return GROUND_PLACES & ~(1 << PLACE_ROOM | 1 << PLACE_THEATRE);
    case ROLE_BUILDING:
        return GROUND_PLACES & ~(1 << PLACE_ROOM);
    case ROLE_CELESTIAL:
        return 1 << PLACE_SPACE | 1 << PLACE_MOON;
    case ROLE_CRAWLER:
        return GROUND_PLACES | 1 << PLACE_UNDERWATER;
    default:
        return GROUND_PLACES | space;
    }
}

bool scene_place_fits(const Noun *noun, int place)
{
    if (strcmp(noun->en, "coral") == 0)
        return place == PLACE_UNDERWATER;
    if (strcmp(noun->en, "rock") == 0 && place == PLACE_UNDERWATER)
        return true;
    return place_mask(noun) >> place & 1;
}

/* Weights of places: the natural one of a role counts more. */
static float place_weight(const Noun *n, int place)
{
    static const float BASE[PLACE_COUNT] = {3, 2, 2, 2, 2, 2.2f, 2, 3, 2, 1.3f, 1.5f, 1.3f, 2, 1.5f, 1.2f};
    if (!scene_place_fits(n, place))
        return 0;
    float w = BASE[place];
    if (n->role == ROLE_VEHICLE && place == PLACE_CITY)
        w *= 4;
    if (n->role == ROLE_AIRCRAFT && (place == PLACE_CITY || place == PLACE_SKY))
        w *= 2;
    if ((n->role == ROLE_ROCKET || n->role == ROLE_CELESTIAL || n->flags & NOUN_SPACE) &&
        place == PLACE_SPACE)
        w *= 3;
    if (n->role == ROLE_FLOATER && place == PLACE_SKY)
        w *= 3;
    if (n->role == ROLE_BALL && (place == PLACE_ROOM || place == PLACE_BEACH || place == PLACE_PITCH))
        w *= 2;
    if (n->role == ROLE_PERSON && place == PLACE_THEATRE)
        w *= 2;
    return w;
}

static bool action_place_fits(const Noun *n, int action, int place)
{
    bool airy = n->role == ROLE_FLYER || n->role == ROLE_AIRCRAFT || n->role == ROLE_ROCKET ||
                n->role == ROLE_FLOATER || n->role == ROLE_CELESTIAL;
    switch (place) {
    case PLACE_SPACE:
        return action == ACTION_FLY || action == ACTION_FLY_UP || action == ACTION_HOVER ||
               action == ACTION_SPIN || action == ACTION_COME || action == ACTION_CIRCLE;
    case PLACE_SKY:
        return airy && action != ACTION_BEHIND && action != ACTION_CIRCLE;
    case PLACE_LAKE:
        return (airy || n->role == ROLE_BOAT) && action != ACTION_BEHIND && action != ACTION_CIRCLE;
    default: /* what floats by itself does so only in space or by nature */
        return action != ACTION_HOVER || airy || n->role == ROLE_SWIMMER;
    }
}

bool scene_action_fits(const Noun *noun, int action)
{
    for (const Weighted *w = ACTIONS[noun->role]; w->weight > 0; w++)
        if (w->value == action) {
            if (action == ACTION_ROLL || action == ACTION_KNOCK)
                return noun->flags & NOUN_ROUND;
            if (action == ACTION_DANCE)
                return strstr(noun->syn_en, "dancing") != NULL;
            if (action == ACTION_HOVER && noun->role == ROLE_HOPPER)
                return noun->flags & NOUN_SPACE;
            if (action == ACTION_HOVER && noun->role == ROLE_PERSON)
                return noun->flags & NOUN_SPACE;
            return true;
        }
    return false;
}

bool scene_needs_other(int action)
{
    return action == ACTION_CIRCLE || action == ACTION_KNOCK || action == ACTION_BEHIND ||
           action == ACTION_CHASE;
}

bool scene_moves(int action)
{
    switch (action) {
    case ACTION_WALK:
    case ACTION_RUN:
    case ACTION_CRAWL:
    case ACTION_DRIVE:
    case ACTION_RIDE:
    case ACTION_FLY:
    case ACTION_SWIM:
    case ACTION_SAIL:
    case ACTION_LEAP:
    case ACTION_BOUNCE:
    case ACTION_ROLL:
    case ACTION_KNOCK:
    case ACTION_BEHIND:
    case ACTION_CHASE:
    case ACTION_THROW:
        return true;
    default:
        return false;
    }
}

/* Who may be the second actor, by place; '|' between. */
static const char *const HIDERS[PLACE_COUNT] = {
    "tree|tree|pine tree|house|castle",
    "tree|pine tree|tree",
    "palm tree|hut",
    "palm tree|hut|circus tent",
    "pine tree|Christmas tree|house",
    "tree|house|tree",
    "",
    "rock|coral",
    "",
    "rock|castle",
    "couch|Christmas tree",
    "castle|tree|Christmas tree",
    "",
    "tree|house|pine tree",
    "tree|circus tent",
};
static const char *const LANDMARKS[PLACE_COUNT] = {
    "castle|tree|house|sunflower|rose|tent",
    "tree|pine tree|tent|mushroom|fire",
    "palm tree|crab|umbrella|chair",
    "cactus|palm tree|rock|tent",
    "snowman|pine tree|Christmas tree|house",
    "house|tree|castle|Ferris wheel",
    "",
    "coral|rock",
    "ringed planet|Earth|satellite|full moon",
    "rock|astronaut|rocket|castle",
    "potted plant|chair|teddy bear|couch",
    "drum|castle|snowman|top hat",
    "",
    "house|tree|tractor|sunflower",
    "soccer ball|trophy|circus tent|tent",
};
static const char FLOWERS[] = "sunflower|sunflower|tulip|rose|cactus|tree|house|potted plant";
static const char ROUND_THINGS[] =
    "ball|ball|apple|soccer ball|basketball|tangerine|tomato|peach|ball of yarn";

/* A random item of a '|' list; "" from an empty one. */
static int pick_name(const Stage *stage, Rng *rng, const char *list)
{
    int items = list[0] != 0;
    for (const char *s = list; *s; s++)
        items += *s == '|';
    if (items == 0)
        return STAGE_NOBODY;
    for (int k = rng_int(rng, items); k > 0; k--)
        list = strchr(list, '|') + 1;
    char name[64];
    size_t n = strcspn(list, "|");
    if (n >= sizeof name)
        return STAGE_NOBODY;
    memcpy(name, list, n);
    name[n] = 0;
    return stage_noun_find(stage, name);
}

static bool list_has(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *s = list; *s != 0; s += strcspn(s, "|"), s += *s == '|')
        if (strncmp(s, name, n) == 0 && (s[n] == '|' || s[n] == 0))
            return true;
    return false;
}

bool scene_stands_by(const char *name)
{
    for (int p = 0; p < PLACE_COUNT; p++)
        if (list_has(HIDERS[p], name) || list_has(LANDMARKS[p], name))
            return true;
    return list_has(FLOWERS, name) || list_has(ROUND_THINGS, name);
}

static bool mobile_alike(const Noun *a, const Noun *b)
{
    if (a->role == ROLE_WALKER || a->role == ROLE_RIDER)
        return b->role == ROLE_WALKER || b->role == ROLE_RIDER;
    return a->role == b->role;
}

static int pick_other(const Stage *stage, Rng *rng, const StageScene *s)
{
    const Noun *n = pack_noun(stage->pack, s->noun);
    switch (s->action) {
    case ACTION_BEHIND:
        return pick_name(stage, rng, HIDERS[s->place]);
    case ACTION_CIRCLE:
        return pick_name(stage, rng, LANDMARKS[s->place]);
    case ACTION_KNOCK:
        return pick_name(stage, rng, ROUND_THINGS);
    case ACTION_CHASE:
        for (int k = 0; k < 200; k++) {
            int o = stage->lots[rng_int(rng, stage->lot_count)];
            if (o != s->noun && mobile_alike(n, pack_noun(stage->pack, o)))
                return o;
        }
        return STAGE_NOBODY;
    case ACTION_HOVER:
        if (n->role == ROLE_FLYER && GROUND_PLACES >> s->place & 1 && rng_uniform(rng) < 0.7f)
            return pick_name(stage, rng, FLOWERS);
        return STAGE_NOBODY;
    case ACTION_FLY_UP:
        return s->place == PLACE_SPACE && rng_uniform(rng) < 0.6f ? pick_name(stage, rng, LANDMARKS[s->place])
                                                                  : STAGE_NOBODY;
    case ACTION_HOP:
    case ACTION_IDLE:
    case ACTION_DANCE:
    case ACTION_SPIN:
        return rng_uniform(rng) < 0.4f ? pick_name(stage, rng, LANDMARKS[s->place]) : STAGE_NOBODY;
    default:
        return STAGE_NOBODY;
    }
}

static int pick_weighted(Rng *rng, const float *weights, int n)
{
    float total = 0;
    for (int i = 0; i < n; i++)
        total += weights[i];
    float u = rng_uniform(rng) * total;
    for (int i = 0; i < n; i++)
        if ((u -= weights[i]) < 0 && weights[i] > 0)
            return i;
    for (int i = n - 1; i >= 0; i--)
        if (weights[i] > 0)
            return i;
    return -1;
}

static int pick_action(const Noun *n, Rng *rng, int place, int direction)
{
    float weights[ACTION_COUNT] = {0};
    for (const Weighted *w = ACTIONS[n->role]; w->weight > 0; w++) {
        bool sideways = direction == DIRECTION_LEFT || direction == DIRECTION_RIGHT;
        if (scene_action_fits(n, w->value) && action_place_fits(n, w->value, place) &&
            (!sideways || scene_moves(w->value)))
            weights[w->value] = w->weight;
    }
    return pick_weighted(rng, weights, ACTION_COUNT);
}

static int pick_place(const Noun *n, Rng *rng, int action)
{
    float weights[PLACE_COUNT];
    for (int p = 0; p < PLACE_COUNT; p++) {
        weights[p] = place_weight(n, p);
        if (action >= 0 && !action_place_fits(n, action, p))
            weights[p] = 0;
        bool landmark = action == ACTION_CIRCLE || action == ACTION_BEHIND;
        if (landmark && (action == ACTION_BEHIND ? HIDERS : LANDMARKS)[p][0] == 0)
            weights[p] = 0;
    }
    return pick_weighted(rng, weights, PLACE_COUNT);
}

static int pick_colour(const Noun *n, Rng *rng)
{
    if (!(n->flags & (NOUN_HUE | NOUN_TINT)))
        return COLOUR_NATIVE;
    if (!(n->flags & NOUN_COLOURED) && rng_uniform(rng) < 0.45f)
        return COLOUR_NATIVE;
    return 1 + rng_int(rng, COLOUR_COUNT - 1);
}

static int pick_direction(Rng *rng, int action)
{
    if (scene_moves(action))
        return rng_uniform(rng) < 0.5f ? DIRECTION_LEFT : DIRECTION_RIGHT;
    return action == ACTION_FALL                                  ? DIRECTION_DOWN
           : action == ACTION_FLOAT_UP || action == ACTION_FLY_UP ? DIRECTION_UP
           : action == ACTION_COME                                ? DIRECTION_NEAR
                                                                  : DIRECTION_NONE;
}

static int pick_count(Rng *rng, const StageScene *s, const Noun *n)
{
    bool crowd = !scene_needs_other(s->action) && s->action != ACTION_HOVER && s->action != ACTION_COME &&
                 s->action != ACTION_GROW && s->action != ACTION_SHRINK && s->action != ACTION_BOUNCE;
    if (!crowd || s->other >= 0 || n->role >= ROLE_PLANT || n->role == ROLE_BOAT)
        return 1;
    static const float WEIGHTS[5] = {72, 12, 9, 4, 3};
    static const float FLOATING[5] = {35, 20, 25, 10, 10};
    return 1 + pick_weighted(
                   rng, s->action == ACTION_FLOAT_UP || s->action == ACTION_SWIM ? FLOATING : WEIGHTS, 5);
}

static void pick_light(Rng *rng, StageScene *s)
{
    bool inside = !stage_outdoors(s->place);
    static const float TIMES[TIME_COUNT] = {52, 16, 20, 12};
    float weather[WEATHER_COUNT] = {86, 5.5f, 3.5f, 5};
    if (s->place == PLACE_SNOW) {
        weather[WEATHER_RAIN] = 0;
        weather[WEATHER_SNOW] = 14;
    }
    if (s->place == PLACE_DESERT || s->place == PLACE_BEACH)
        weather[WEATHER_SNOW] = 0;
    if (s->time == STAGE_ANY)
        s->time = inside ? TIME_DAY : pick_weighted(rng, TIMES, TIME_COUNT);
    if (s->weather == STAGE_ANY)
        s->weather = inside ? WEATHER_CLEAR : pick_weighted(rng, weather, WEATHER_COUNT);
}

static int pick_camera(Rng *rng, const StageScene *s)
{
    float weights[CAMERA_COUNT] = {[CAMERA_STATIC] = 60, [CAMERA_ZOOM_IN] = 9, [CAMERA_ZOOM_OUT] = 7};
    if (scene_moves(s->action) && s->other < 0 && s->action != ACTION_THROW)
        weights[CAMERA_FOLLOW] = 18;
    if (!scene_moves(s->action) && s->action != ACTION_FLOAT_UP && s->action != ACTION_FLY_UP) {
        weights[CAMERA_PAN_LEFT] = weights[CAMERA_PAN_RIGHT] = 9;
        weights[CAMERA_RISE] = s->action == ACTION_FALL ? 0 : 4;
    }
    if (s->action == ACTION_COME || s->action == ACTION_GROW || s->action == ACTION_SHRINK)
        weights[CAMERA_ZOOM_IN] = weights[CAMERA_ZOOM_OUT] = 0;
    return pick_weighted(rng, weights, CAMERA_COUNT);
}

/* One draw; fields that are given stay. */
static void draw_scene(const Stage *stage, Rng *rng, StageScene *s)
{
    bool any_direction = s->direction == STAGE_ANY;
    if (s->noun < 0)
        s->noun = stage->lots[rng_int(rng, stage->lot_count)];
    const Noun *n = pack_noun(stage->pack, s->noun);
    if (s->place == STAGE_ANY)
        s->place = pick_place(n, rng, s->action);
    if (s->place < 0)
        s->place = PLACE_MEADOW;
    if (s->action == STAGE_ANY)
        s->action = pick_action(n, rng, s->place, s->direction);
    if (s->action < 0)
        s->action = ACTION_IDLE;
    if (s->direction == STAGE_ANY)
        s->direction = pick_direction(rng, s->action);
    if (s->colour == STAGE_ANY)
        s->colour = pick_colour(n, rng);
    if (s->other == STAGE_ANY)
        s->other = s->count > 1 ? STAGE_NOBODY : pick_other(stage, rng, s);
    if (s->other == s->noun && s->action != ACTION_KNOCK)
        s->other = STAGE_NOBODY;
    if (s->other < 0 && scene_needs_other(s->action)) {
        s->action = ACTIONS[n->role][0].value;
        if (any_direction) /* that of the action that it was */
            s->direction = pick_direction(rng, s->action);
    }
    if (s->other_colour == STAGE_ANY || s->other < 0)
        s->other_colour = s->other >= 0 ? pick_colour(pack_noun(stage->pack, s->other), rng) : COLOUR_NATIVE;
    if (s->other == s->noun && s->other_colour == s->colour) /* two balls need two colours */
        s->other_colour = 1 + (s->colour + rng_int(rng, COLOUR_COUNT - 2)) % (COLOUR_COUNT - 1);
    if (s->count == STAGE_ANY)
        s->count = pick_count(rng, s, n);
    if (s->other >= 0 && (scene_needs_other(s->action) || s->action == ACTION_HOVER))
        s->count = 1; /* these are for two */
    pick_light(rng, s);
    if (s->camera == STAGE_ANY)
        s->camera = pick_camera(rng, s);
}

/* Of two names: which pairs are held out never changes with the order of the lexicon. */
static uint32_t pair_hash(const char *a, const char *b)
{
    uint32_t h = hash32(HASH32_START, a, strlen(a));
    h = hash32(h, "\xff", 1);
    h = hash32(h, b, strlen(b));
    h ^= h >> 15;
    return h * 2246822519u >> 8;
}

/* The pairs that the project's prompts rely on stay in training; one combination is kept out by name. */
static bool pair_held_out(const char *noun, const char *what)
{
    static const char *const KEPT[] = {
        "dog meadow",         "car red",         "car blue",
        "car yellow",         "car city",        "soccer ball beach",
        "soccer ball bounce", "rocket space",    "rocket fly up",
        "dolphin underwater", "balloon sky",     "balloon float up",
        "horse snow",         "horse run",       "cat forest",
        "cat pass behind",    "penguin snow",    "penguin hop",
        "apple meadow",       "apple fall",      "ball green",
        "ball purple",        "ball knock",      "ball room",
        "butterfly meadow",   "butterfly hover", "elephant desert",
        "elephant walk",      "helicopter city", "helicopter fly",
        "ghost meadow",       "ghost circle",    "bus city",
        "bus drive",          "fish underwater", "fish swim",
        "tree forest",        "tree meadow",     "sunflower meadow",
        "castle meadow",      "snowman snow",
    };
    char pair[128];
    snprintf(pair, sizeof pair, "%s %s", noun, what);
    if (strcmp(pair, "elephant pink") == 0 || strcmp(pair, "elephant moon") == 0)
        return true;
    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++)
        if (strcmp(pair, KEPT[i]) == 0)
            return false;
    return pair_hash(noun, what) % 100 < 7;
}

bool stage_scene_held_out(const Stage *stage, const StageScene *s)
{
    int nouns[2] = {s->noun, s->other}, colours[2] = {s->colour, s->other_colour};
    for (int i = 0; i < 2; i++) {
        if (nouns[i] < 0 || nouns[i] >= pack_count(stage->pack))
            continue;
        const Noun *n = pack_noun(stage->pack, nouns[i]);
        if (colours[i] > COLOUR_NATIVE && pair_held_out(n->en, stage_colour_name(colours[i])))
            return true;
        bool only_place = n->role == ROLE_SWIMMER || n->role == ROLE_BOAT || n->role == ROLE_CELESTIAL;
        if (!only_place && pair_held_out(n->en, stage_place_name(s->place)))
            return true;
        if (i == 0 && s->action >= 0 && s->action != ACTIONS[n->role][0].value &&
            pair_held_out(n->en, stage_action_name(s->action)))
            return true;
    }
    return false;
}

bool stage_scene_fits(const Stage *stage, const StageScene *s)
{
    if (s->noun < 0 || s->noun >= pack_count(stage->pack))
        return false;
    const Noun *n = pack_noun(stage->pack, s->noun);
    bool dyed = s->colour != COLOUR_NATIVE;
    return (dyed ? n->flags & (NOUN_HUE | NOUN_TINT) : !(n->flags & NOUN_COLOURED)) && scene_action_fits(n, s->action) &&
           scene_place_fits(n, s->place) && action_place_fits(n, s->action, s->place);
}

/* Everyday scenes, so that every natural way to use a boosted noun is seen often enough by a small network.
 */
typedef struct Everyday {
    const char *noun;
    int action, place;
    const char *other; /* NULL: nobody */
} Everyday;

static const Everyday EVERYDAY[] = {
    {"dog", ACTION_WALK, PLACE_MEADOW, NULL},         {"dog", ACTION_RUN, PLACE_BEACH, NULL},
    {"car", ACTION_DRIVE, PLACE_CITY, NULL},          {"car", ACTION_DRIVE, PLACE_CITY, NULL},
    {"bus", ACTION_DRIVE, PLACE_CITY, NULL},          {"soccer ball", ACTION_BOUNCE, PLACE_BEACH, NULL},
    {"soccer ball", ACTION_ROLL, PLACE_PITCH, NULL},  {"rocket", ACTION_FLY_UP, PLACE_SPACE, "ringed planet"},
    {"dolphin", ACTION_SWIM, PLACE_UNDERWATER, NULL}, {"fish", ACTION_SWIM, PLACE_UNDERWATER, NULL},
    {"balloon", ACTION_FLOAT_UP, PLACE_SKY, NULL},    {"balloon", ACTION_FLOAT_UP, PLACE_MEADOW, NULL},
    {"horse", ACTION_RUN, PLACE_SNOW, NULL},          {"horse", ACTION_RUN, PLACE_MEADOW, NULL},
    {"cat", ACTION_BEHIND, PLACE_FOREST, "tree"},     {"cat", ACTION_WALK, PLACE_FOREST, NULL},
    {"penguin", ACTION_HOP, PLACE_SNOW, "snowman"},   {"penguin", ACTION_HOP, PLACE_SNOW, NULL},
    {"apple", ACTION_FALL, PLACE_MEADOW, NULL},       {"ball", ACTION_KNOCK, PLACE_ROOM, "ball"},
    {"ball", ACTION_ROLL, PLACE_ROOM, NULL},          {"butterfly", ACTION_HOVER, PLACE_MEADOW, "sunflower"},
    {"elephant", ACTION_WALK, PLACE_DESERT, NULL},    {"helicopter", ACTION_FLY, PLACE_CITY, NULL},
    {"ghost", ACTION_CIRCLE, PLACE_MEADOW, "castle"},
};

enum { EVERYDAY_COUNT = sizeof EVERYDAY / sizeof EVERYDAY[0] };

/* One of the everyday scenes, of the noun if one is given. False, with *s as it was, when it has none. */
static bool draw_everyday(const Stage *stage, Rng *rng, StageScene *s)
{
    const Everyday *fits[EVERYDAY_COUNT], *e;
    int count = 0;
    for (int i = 0; i < EVERYDAY_COUNT; i++)
        if (s->noun < 0 || strcmp(EVERYDAY[i].noun, pack_noun(stage->pack, s->noun)->en) == 0)
            fits[count++] = &EVERYDAY[i];
    if (count == 0)
        return false;
    e = fits[rng_int(rng, count)];
    s->noun = stage_noun_find(stage, e->noun);
    s->action = e->action;
    s->place = e->place;
    s->other = e->other != NULL ? stage_noun_find(stage, e->other) : STAGE_NOBODY;
    return true;
}

void scene_choose(const Stage *stage, const StageSpec *spec, Rng *rng, StageScene *scene)
{
    StageScene given = spec->scene, any;
    stage_scene_init(&any);
    any.noun = given.noun;
    bool free_noun = given.noun < 0, free_scene = memcmp(&given, &any, sizeof any) == 0;
    float share = spec->everyday >= 0 ? spec->everyday : free_noun ? EVERYDAY_SHARE : EVERYDAY_SHARE_OF_NOUN;
    bool everyday = free_scene && spec->split != SPLIT_UNSEEN &&
                    rng_uniform(rng) < share;
    int noun = stage->lots[rng_int(rng, stage->lot_count)];
    for (int tries = 0; tries < 2048; tries++) {
        if (free_noun && tries % 64 == 63) /* this noun has no such scene: another one */
            noun = stage->lots[rng_int(rng, stage->lot_count)];
        *scene = given;
        if (!(everyday && draw_everyday(stage, rng, scene)) && free_noun)
            scene->noun = noun;
        draw_scene(stage, rng, scene);
        if (stage_scene_held_out(stage, scene) == (spec->split == SPLIT_UNSEEN))
            return;
    }
}

bool scene_lots(Stage *stage, SoraError *err)
{
    /* tickets of a role: plants and buildings rarely are the subject */
    static const int TICKETS[ROLE_COUNT] = {
        [ROLE_WALKER] = 4, [ROLE_CRAWLER] = 3,  [ROLE_HOPPER] = 3,   [ROLE_FLYER] = 5, [ROLE_AIRCRAFT] = 5,
        [ROLE_ROCKET] = 6, [ROLE_FLOATER] = 4,  [ROLE_SWIMMER] = 5,  [ROLE_BOAT] = 4,  [ROLE_VEHICLE] = 4,
        [ROLE_RIDER] = 4,  [ROLE_PERSON] = 2,   [ROLE_BALL] = 5,     [ROLE_FRUIT] = 2, [ROLE_THING] = 2,
        [ROLE_PLANT] = 1,  [ROLE_BUILDING] = 1, [ROLE_CELESTIAL] = 2};
    int n = pack_count(stage->pack);
    stage->lots = malloc((size_t)n * 32 * sizeof *stage->lots);
    if (stage->lots == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    for (int i = 0; i < n; i++) {
        const Noun *noun = pack_noun(stage->pack, i);
        int tickets = TICKETS[noun->role] * (noun->flags & NOUN_BOOST ? 4 : 1);
        for (int k = 0; k < tickets; k++)
            stage->lots[stage->lot_count++] = i;
    }
    return true;
}
