/* Captions in English. */
#include "stage/caption.h"

#include <ctype.h>
#include <string.h>

#include "stage/scene.h"
#include "stage/style.h"

static const char *const COLOURS[COLOUR_COUNT] = {"",       "red",  "orange", "yellow", "green", "blue",
                                                  "purple", "pink", "brown",  "black",  "white"};
static const char *const COUNTS[6] = {"", "one", "two", "three", "four", "five"};

static const char *const PLACES[PLACE_COUNT] = {
    "meadow", "forest", "beach",       "desert", "snow", "city", "lake",        "underwater",
    "space",  "moon",   "living room", "stage",  "sky",  "farm", "soccer field"};
static const char *const TIMES[TIME_COUNT] = {"day", "sunset", "night", "dawn"};
static const char *const AT_TIME[TIME_COUNT] = {"", "at sunset", "at night", "at dawn"};
static const char *const LIGHT[TIME_COUNT] = {
    "It is day. |It is daytime. ", "The sun is setting and the light is warm. |It is sunset. ",
    "It is night. |It is dark. ", "It is early morning. |It is dawn. "};
static const char *const WEATHERS[WEATHER_COUNT] = {"", "rain", "snowfall", "fog"};
static const char *const IN_WEATHER[WEATHER_COUNT] = {"", "in the rain", "in falling snow", "in the fog"};
static const char *const WHILE_WEATHER[WEATHER_COUNT] = {"", "while it rains", "while it snows", "on a foggy day"};
static const char *const WEATHER[WEATHER_COUNT] = {"", "It is raining. ", "Snow is falling. ", "There is fog. "};
static const char *const AND_CAMERA[CAMERA_COUNT] = {"",
                                                     ", the camera pans left",
                                                     ", the camera pans right",
                                                     ", the camera moves closer|, the camera zooms in",
                                                     ", the camera moves back|, the camera zooms out",
                                                     ", the camera rises|, the camera moves up",
                                                     ", the camera follows|, tracking shot"};
static const char *const CAMERA[CAMERA_COUNT] = {"The camera does not move.|Static camera.",
                                                 "The camera pans to the left.",
                                                 "The camera pans to the right.",
                                                 "The camera slowly moves closer.",
                                                 "The camera slowly moves back.",
                                                 "The camera moves up.",
                                                 "The camera follows the movement."};

static bool chance(Facts *f, float p)
{
    return rng_uniform(&f->rng) < p;
}

static bool proper(const char *name)
{
    return strcmp(name, "Santa Claus") == 0 || strcmp(name, "Santa") == 0 || strcmp(name, "Saturn") == 0;
}

static const char *article(const char *word)
{
    if (strncmp(word, "uni", 3) == 0 || strncmp(word, "UFO", 3) == 0)
        return "a";
    return strchr("aeiouAEIOS", word[0]) != NULL &&
                   (islower((unsigned char)word[0]) || strncmp(word, "SUV", 3) == 0 || word[0] == 'E')
               ? "an"
               : "a";
}

static void add_noun(Facts *f, Text *t, const Noun *n, int colour, int count)
{
    char buffer[128];
    const char *name = n->en;
    if (count > 1)
        name = n->plural;
    else if (n->syn_en[0] != 0 && chance(f, 0.15f))
        name = text_pick(&f->rng, n->syn_en, buffer);
    const char *tint = COLOURS[colour];
    if (count > 1) {
        if (chance(f, 0.08f))
            text_add(t, "%d ", count);
        else
            text_add(t, "%s ", COUNTS[count]);
    } else if (strcmp(name, "Earth") == 0 || strcmp(name, "full moon") == 0) {
        text_add(t, "the ");
    } else if (!proper(name)) {
        text_add(t, "%s ", article(tint[0] ? tint : name));
    }
    if (tint[0])
        text_add(t, "%s ", tint);
    text_add(t, "%s", name);
}

static bool airy(const Noun *n)
{
    return n->role == ROLE_FLYER || n->role == ROLE_AIRCRAFT || n->role == ROLE_ROCKET ||
           n->role == ROLE_FLOATER;
}

static bool flutters(const Noun *n)
{
    return strcmp(n->en, "butterfly") == 0 || strcmp(n->en, "fairy") == 0 || strcmp(n->en, "ladybug") == 0;
}

static bool on_rails(const Noun *n)
{
    return strcmp(n->en, "train") == 0 || strcmp(n->en, "tram") == 0 ||
           strcmp(n->en, "steam locomotive") == 0;
}

/* "walks|strolls": third person; `bare` takes the plural form from the second list. */
typedef struct Verb {
    const char *one, *many, *ing;
} Verb;

static Verb base_verb(const Noun *n)
{
    switch (n->role) {
    case ROLE_FLYER:
        return flutters(n) ? (Verb){"flutters|flies", "flutter|fly", "fluttering"}
                           : (Verb){"flies", "fly", "flying"};
    case ROLE_AIRCRAFT:
    case ROLE_ROCKET:
        return (Verb){"flies", "fly", "flying"};
    case ROLE_FLOATER:
        return (Verb){"drifts|floats", "drift|float", "drifting"};
    case ROLE_CELESTIAL:
        return (Verb){"drifts|moves", "drift|move", "drifting"};
    case ROLE_SWIMMER:
        return (Verb){"swims", "swim", "swimming"};
    case ROLE_VEHICLE:
        if (on_rails(n))
            return (Verb){"travels|moves|runs", "travel|move|run", "travelling"};
        return (Verb){"drives|drives|drives|travels", "drive|drive|drive|travel", "driving"};
    case ROLE_BOAT:
        return strcmp(n->en, "swan") == 0 ? (Verb){"swims|glides", "swim|glide", "swimming"}
                                          : (Verb){"sails|glides", "sail|glide", "sailing"};
    case ROLE_CRAWLER:
        return (Verb){"crawls", "crawl", "crawling"};
    case ROLE_HOPPER:
    case ROLE_PERSON:
        return (Verb){"hops|jumps", "hop|jump", "hopping"};
    default:
        return (Verb){"walks", "walk", "walking"};
    }
}

static Verb action_verb(const Noun *n, int action)
{
    switch (action) {
    case ACTION_WALK:
        return (Verb){"walks|walks|walks|strolls", "walk|walk|walk|stroll", "walking"};
    case ACTION_RUN:
        return (Verb){"runs|runs|runs|dashes", "run|run|run|dash", "running"};
    case ACTION_CHASE:
        return n->role == ROLE_WALKER ? (Verb){"chases|runs after", "chase|run after", "chasing"}
                                      : (Verb){"chases", "chase", "chasing"};
    case ACTION_HOP:
        return (Verb){"hops|jumps up and down|hops up and down|jumps",
                      "hop|jump up and down|hop up and down|jump", "hopping"};
    case ACTION_LEAP:
        return (Verb){"hops|leaps|jumps", "hop|leap|jump", "hopping"};
    case ACTION_BOUNCE:
        return (Verb){"bounces", "bounce", "bouncing"};
    case ACTION_ROLL:
        return (Verb){"rolls", "roll", "rolling"};
    case ACTION_SPIN:
        return (Verb){"spins|spins around|turns around and around", "spin|spin around|turn around and around",
                      "spinning"};
    case ACTION_GROW:
        return (Verb){"grows|grows bigger|gets bigger", "grow|grow bigger|get bigger", "growing"};
    case ACTION_SHRINK:
        return (Verb){"shrinks|gets smaller", "shrink|get smaller", "shrinking"};
    case ACTION_COME:
        return (Verb){"comes closer|comes toward the camera|approaches the camera",
                      "come closer|come toward the camera|approach the camera", "coming closer"};
    case ACTION_DANCE:
        return (Verb){"dances", "dance", "dancing"};
    case ACTION_FALL:
        return (Verb){"falls to the ground and bounces|falls down and bounces|falls to the ground|drops to "
                      "the ground and bounces",
                      "fall to the ground and bounce|fall down and bounce|fall to the ground|drop to the "
                      "ground and bounce",
                      "falling"};
    case ACTION_FLOAT_UP:
        return (Verb){"floats up|rises|floats upward|floats up into the air",
                      "float up|rise|float upward|float up into the air", "floating up"};
    case ACTION_FLY_UP:
        return (Verb){"flies up|flies upward|takes off", "fly up|fly upward|take off", "flying up"};
    case ACTION_THROW:
        return (Verb){"is thrown|flies in an arc", "are thrown|fly in an arc", "flying in an arc"};
    case ACTION_HOVER:
        if (n->role == ROLE_FLYER)
            return flutters(n) ? (Verb){"flutters|hovers", "flutter|hover", "fluttering"}
                               : (Verb){"hovers|flies on the spot", "hover|fly on the spot", "hovering"};
        return n->role == ROLE_AIRCRAFT ? (Verb){"hovers", "hover", "hovering"}
                                        : (Verb){"floats", "float", "floating"};
    case ACTION_IDLE:
        if (n->role == ROLE_VEHICLE)
            return (Verb){"stands still|is parked", "stand still|are parked", "parked"};
        return n->role == ROLE_BOAT ? (Verb){"floats", "float", "floating"}
                                    : (Verb){"stands|stands still", "stand|stand still", "standing"};
    default:
        return base_verb(n);
    }
}

static void add_verb(Facts *f, Text *t, int action)
{
    char buffer[128];
    const Noun *n = f->noun;
    bool many = f->scene.count > 1;
    if (n->verb[0] != 0 && (action == ACTION_RIDE || action == ACTION_BEHIND)) {
        text_add(t, "%s", text_item(n->verb, many ? 0 : 1, buffer));
        return;
    }
    Verb v = action_verb(n, action);
    text_add(t, "%s", text_pick(&f->rng, many ? v.many : v.one, buffer));
}

static void add_direction(Facts *f, Text *t, bool full)
{
    int d = f->scene.direction;
    bool arc = f->scene.action == ACTION_BOUNCE || f->scene.action == ACTION_THROW;
    if ((d != DIRECTION_LEFT && d != DIRECTION_RIGHT) || (!full && chance(f, arc ? 0.35f : 0.06f)))
        return;
    const char *to = d == DIRECTION_LEFT ? "left" : "right", *from = d == DIRECTION_LEFT ? "right" : "left";
    float u = rng_uniform(&f->rng);
    if (full ? u < 0.5f : u < 0.12f)
        text_add(t, " from %s to %s", from, to);
    else if (u < 0.6f)
        text_add(t, " to the %s", to);
    else
        text_add(t, " %s", to);
}

/* Where, for what goes, what stays, and what flies; %s: an adjective. */
static const char *const MOVING[PLACE_COUNT] = {
    "across a %smeadow|across a %smeadow|through a %smeadow|in a %smeadow|across the %sgrass",
    "through a %sforest|through the %sforest|in the %sforest",
    "along the %sbeach|across the %sbeach|on the %sbeach|on a %ssandy beach",
    "through the %sdesert|across the %sdesert|in the %sdesert",
    "across a %ssnowy mountain landscape|through the %ssnow|in the %ssnow|across the %ssnow",
    "on a %scity street|along a %scity street|down a %scity street|through the %scity|in the %scity",
    "across a %slake|on a %slake|on a %smountain lake",
    "underwater|underwater|in the sea|under the sea",
    "through space|in space|in outer space",
    "on the moon|across the moon|over the surface of the moon",
    "across a %sliving room|in a %sliving room|through a %sroom|across the floor of a %sroom",
    "across a %stheatre stage|on a %sstage|across the %sstage",
    "across the %ssky|through the %ssky|in the %ssky",
    "across a %sfarm|on a %sfarm|across a %sfield",
    "across a %ssoccer field|on a %ssoccer field|across a %sfootball pitch"};
static const char *const STANDING[PLACE_COUNT] = {
    "in a %smeadow|on a %smeadow|on the %sgrass",
    "in a %sforest|in the %sforest",
    "on the %sbeach|on a %sbeach",
    "in the %sdesert|in a %sdesert",
    "in the %ssnow|in a %ssnowy mountain landscape|in front of %ssnowy mountains",
    "on a %scity street|in the %scity|on a %sstreet",
    "on a %slake|on a %smountain lake",
    "underwater|in the sea|under the sea",
    "in space|in outer space",
    "on the moon",
    "in a %sliving room|in a %sroom",
    "on a %sstage|on a %stheatre stage|in front of a red curtain",
    "in the %ssky",
    "on a %sfarm|in a %sfield",
    "on a %ssoccer field|on a %sfootball pitch"};
static const char *const ABOVE[PLACE_COUNT] = {"over a %smeadow|above a %smeadow",
                                               "over a %sforest|through a %sforest",
                                               "over the %sbeach|above the %sbeach",
                                               "over the %sdesert|above the %sdesert",
                                               "over a %ssnowy mountain landscape|above the %ssnow",
                                               "over the %scity|above the %scity|over a %scity street",
                                               "over a %slake|above a %slake",
                                               "underwater",
                                               "in space|through space",
                                               "over the moon|above the moon",
                                               "in a %sliving room|through a %sroom",
                                               "over a %sstage|above a %sstage",
                                               "in the %ssky|across the %ssky",
                                               "over a %sfarm|above a %sfield",
                                               "over a %ssoccer field|above a %ssoccer field"};

static void add_place(Facts *f, Text *t)
{
    const StageScene *s = &f->scene;
    char buffer[128];
    bool above = airy(f->noun) && !f->still && s->place != PLACE_SKY && s->action != ACTION_CIRCLE &&
                 s->action != ACTION_BEHIND && s->other < 0;
    const char *list = (above                                                 ? ABOVE
                        : scene_moves(s->action) && s->other < 0 && !f->still ? MOVING
                                                                              : STANDING)[s->place];
    const char *phrase = text_pick(&f->rng, list, buffer), *adjective = "";
    if (f->sunny && s->place != PLACE_SKY && s->place != PLACE_SNOW && chance(f, 0.4f))
        adjective = "sunny ";
    else if (f->sunny && s->place == PLACE_SKY && chance(f, 0.4f))
        adjective = "blue ";
    else if (s->time == TIME_DAY && s->place == PLACE_MEADOW && chance(f, 0.25f))
        adjective = "green ";
    else if (s->place == PLACE_DESERT && chance(f, 0.15f))
        adjective = "sandy ";
    Text place = {0};
    const char *hole = strstr(phrase, "%s");
    if (hole == NULL)
        text_add(&place, "%s", phrase);
    else if (adjective[0] == 0 && hole - phrase >= 2 && hole[-2] == 'a' &&
             (hole == phrase + 2 || hole[-3] == ' '))
        text_add(&place, "%.*s%s %s", (int)(hole - phrase - 2), phrase, article(hole + 2), hole + 2);
    else
        text_add(&place, "%.*s%s%s", (int)(hole - phrase), phrase, adjective, hole + 2);
    text_add(t, " %s", place.s);
}

static const char *time_phrase(Facts *f)
{
    return stage_outdoors(f->scene.place) ? AT_TIME[f->scene.time] : "";
}

static const char *weather_phrase(Facts *f)
{
    if (f->scene.weather == WEATHER_FOG && f->scene.time != TIME_DAY)
        return IN_WEATHER[WEATHER_FOG];
    return (chance(f, 0.6f) ? IN_WEATHER : WHILE_WEATHER)[f->scene.weather];
}

static void add_other(Facts *f, Text *t)
{
    add_noun(f, t, f->other_noun, f->scene.other_colour, 1);
}

/* Verb, speed, direction, and who is near. */
static void add_plain(Facts *f, Text *t, bool full)
{
    const StageScene *s = &f->scene;
    add_verb(f, t, s->action);
    if (f->play->speed > 1.5f && chance(f, 0.4f) && scene_moves(s->action))
        text_add(t, " quickly");
    if (f->play->speed < 0.5f && chance(f, 0.4f) && scene_moves(s->action) && s->action != ACTION_RUN)
        text_add(t, " slowly");
    add_direction(f, t, full);
    if (s->other < 0)
        return;
    if (s->action == ACTION_FLY_UP)
        text_add(t, " past ");
    else if (f->other_side != 0 && chance(f, 0.3f))
        text_add(t, " to the %s of ", f->other_side < 0 ? "right" : "left");
    else
        text_add(t, " next to ");
    add_other(f, t);
}

/* The verb with all that belongs to it, without the place. */
static void add_predicate(Facts *f, Text *t, bool full)
{
    const StageScene *s = &f->scene;
    char buffer[128];
    switch (s->action) {
    case ACTION_CIRCLE:
        if (chance(f, 0.5f)) {
            text_add(t, "circles ");
        } else {
            Verb v = action_verb(f->noun, f->noun->role == ROLE_WALKER ? ACTION_WALK : s->action);
            text_add(t, "%s around ", text_pick(&f->rng, v.one, buffer));
        }
        add_other(f, t);
        return;
    case ACTION_KNOCK: {
        text_add(t, "rolls");
        add_direction(f, t, full);
        static const char *const HIT[3] = {" and knocks ", " and hits ", " into "};
        int k = rng_int(&f->rng, 3);
        text_add(t, "%s", HIT[k]);
        add_other(f, t);
        text_add(t, k == 0 ? " away" : k == 1 ? ", which rolls away" : " and knocks it away");
        return;
    }
    case ACTION_BEHIND:
        add_verb(f, t, ACTION_BEHIND);
        add_direction(f, t, full);
        text_add(t, " behind ");
        add_other(f, t);
        if (chance(f, 0.6f))
            text_add(t, " and comes out on the %s",
                     chance(f, 0.7f)                  ? "other side"
                     : s->direction == DIRECTION_LEFT ? "left"
                                                      : "right");
        return;
    case ACTION_CHASE:
        add_verb(f, t, ACTION_CHASE);
        text_add(t, " ");
        add_other(f, t);
        add_direction(f, t, full);
        return;
    case ACTION_HOVER:
        add_verb(f, t, ACTION_HOVER);
        if (s->other >= 0) {
            text_add(t, chance(f, 0.7f) ? " above " : " over ");
            add_other(f, t);
        }
        return;
    default:
        add_plain(f, t, full);
    }
}

static void add_camera(Facts *f, Text *t)
{
    char buffer[128];
    if (!f->still)
        text_add(t, "%s", text_pick(&f->rng, AND_CAMERA[f->scene.camera], buffer));
}

static void add_clause(Facts *f, Text *t, bool full)
{
    add_noun(f, t, f->noun, f->scene.colour, f->scene.count);
    if (!f->still) {
        text_add(t, " ");
        add_predicate(f, t, full);
    } else if (f->scene.other >= 0) {
        text_add(t, " and ");
        add_other(f, t);
    }
}

static void add_place_and_time(Facts *f, Text *t, float p_time, float p_weather)
{
    if (f->scene.place == PLACE_SKY && f->scene.action == ACTION_FLOAT_UP && !f->still && chance(f, 0.6f))
        text_add(t, " into the sky");
    else
        add_place(f, t);
    const char *time = time_phrase(f);
    if (f->scene.weather != WEATHER_CLEAR && chance(f, p_weather))
        text_add(t, " %s", weather_phrase(f));
    if (time[0] != 0 && chance(f, p_time))
        text_add(t, " %s", time);
}

static void capitalise(Text *t, size_t at)
{
    t->s[at] = (char)toupper((unsigned char)t->s[at]);
}

static void write_short(Facts *f, Text *t)
{
    if (f->scene.weather == WEATHER_RAIN && !f->still && chance(f, 0.35f)) {
        text_add(t, "rain falls");
        StageScene keep = f->scene;
        f->scene.action = ACTION_IDLE; /* the place stands */
        const Noun *noun = f->noun;
        Noun nobody = *noun;
        nobody.role = ROLE_THING;
        f->noun = &nobody;
        add_place(f, t);
        f->noun = noun;
        f->scene = keep;
        if (time_phrase(f)[0] != 0 && chance(f, 0.5f))
            text_add(t, " %s", time_phrase(f));
        text_add(t, " while ");
        add_clause(f, t, false);
        return;
    }
    add_clause(f, t, false);
    const char *time = time_phrase(f);
    if (chance(f, 0.85f))
        add_place_and_time(f, t, 0.75f, 0.7f);
    else if (time[0] != 0 && chance(f, 0.5f))
        text_add(t, " %s", time);
    if (f->scene.camera != CAMERA_STATIC && chance(f, 0.4f))
        add_camera(f, t);
}

static void write_medium(Facts *f, Text *t)
{
    const char *time = time_phrase(f);
    bool front = time[0] != 0 && chance(f, 0.3f);
    if (front) {
        text_add(t, "%s, ", time);
        capitalise(t, 0);
    }
    size_t at = t->n;
    add_clause(f, t, true);
    if (!front)
        capitalise(t, at);
    add_place_and_time(f, t, front ? 0 : 1, 1);
    if (f->sunny && chance(f, 0.2f) && strstr(t->s, "sunny") == NULL)
        text_add(t, " on a sunny day");
    if (f->scene.camera != CAMERA_STATIC && chance(f, 0.7f))
        add_camera(f, t);
    text_add(t, ".");
}

static void write_detailed(Facts *f, Text *t)
{
    char buffer[128];
    size_t at = t->n;
    add_clause(f, t, true);
    capitalise(t, at);
    add_place_and_time(f, t, 0.6f, 0.5f);
    text_add(t, ". ");
    if (f->prop >= 0 && chance(f, 0.85f)) {
        at = t->n;
        add_noun(f, t, pack_noun(f->play->stage->pack, f->prop), COLOUR_NATIVE, 1);
        capitalise(t, at);
        text_add(t, " %s on the %s. ",
                 f->scene.place == PLACE_SPACE ? "can be seen" : "stands in the background",
                 f->prop_side < 0 ? "left" : "right");
    }
    if (stage_outdoors(f->scene.place)) {
        text_add(t, "%s",
                 f->sunny && chance(f, 0.6f) ? "It is a sunny day. "
                                             : text_pick(&f->rng, LIGHT[f->scene.time], buffer));
        text_add(t, "%s", WEATHER[f->scene.weather]);
    }
    if (!f->still)
        text_add(t, "%s", text_pick(&f->rng, CAMERA[f->scene.camera], buffer));
    while (t->n > 0 && t->s[t->n - 1] == ' ')
        t->s[--t->n] = 0;
}

static void write_tags(Facts *f, Text *t)
{
    const StageScene *s = &f->scene;
    char buffer[128];
    if (s->count > 1)
        text_add(t, "%s ", COUNTS[s->count]);
    text_add(t, "%s%s%s", COLOURS[s->colour], s->colour ? " " : "",
             s->count > 1 ? f->noun->plural : f->noun->en);
    if (!f->still) {
        if (f->noun->verb[0] != 0 && s->action == ACTION_RIDE)
            text_add(t, ", %s", text_item(f->noun->verb, 0, buffer));
        else
            text_add(t, ", %s",
                     s->action == ACTION_KNOCK    ? "rolling"
                     : s->action == ACTION_CIRCLE ? "circling"
                                                  : action_verb(f->noun, s->action).ing);
        if (s->direction == DIRECTION_LEFT || s->direction == DIRECTION_RIGHT)
            text_add(t, ", %s", s->direction == DIRECTION_LEFT ? "left" : "right");
    }
    if (s->other >= 0)
        text_add(t, ", %s%s%s", COLOURS[s->other_colour], s->other_colour ? " " : "", f->other_noun->en);
    text_add(t, ", %s", PLACES[s->place]);
    if (stage_outdoors(f->scene.place))
        text_add(t, ", %s", TIMES[s->time]);
    if (s->weather != WEATHER_CLEAR)
        text_add(t, ", %s", WEATHERS[s->weather]);
}

void caption_english(Facts *f, StageCaptionKind kind, Text *t)
{
    switch (kind) {
    case CAPTION_TAGS:
        write_tags(f, t);
        break;
    case CAPTION_SHORT:
        write_short(f, t);
        break;
    case CAPTION_MEDIUM:
        write_medium(f, t);
        break;
    case CAPTION_DETAILED:
        write_detailed(f, t);
        break;
    }
}

/* The verbs of those actions whose sentences are made piece by piece. */
static const char *own_verbs(int action)
{
    switch (action) {
    case ACTION_CIRCLE:
        return "circling|circles|around";
    case ACTION_KNOCK:
        return "knocks|rolls|rolling|hits|into|away";
    case ACTION_BEHIND:
        return "behind|comes out on the other side";
    default:
        return "";
    }
}

void caption_english_words(WordClass class, int value, const Noun *noun, Text *out)
{
    char ride[128];
    Verb v;
    switch (class) {
    case WORDS_NOUNS:
    case WORDS_SCENERY:
        text_add(out, "%s|%s|%s", noun->en, noun->plural, noun->syn_en);
        break;
    case WORDS_COLOURS:
        text_add(out, "%s", COLOURS[value]);
        break;
    case WORDS_COUNTS:
        if (value > 0)
            text_add(out, "%s|%d", COUNTS[value], value);
        break;
    case WORDS_ACTIONS:
        if (value == ACTION_RIDE && noun->verb[0] != 0) {
            text_add(out, "%s|", text_item(noun->verb, 1, ride));
            text_add(out, "%s", text_item(noun->verb, 0, ride));
            break;
        }
        v = action_verb(noun, value);
        text_add(out, "%s", own_verbs(value));
        if (out->n == 0)
            text_add(out, "%s|%s|%s", v.one, v.many, v.ing);
        break;
    case WORDS_DIRECTIONS:
        text_add(out, "%s", value == DIRECTION_LEFT ? "left" : value == DIRECTION_RIGHT ? "right" : "");
        break;
    case WORDS_PLACES:
        text_add(out, "%s|%s|%s|%s", PLACES[value], MOVING[value], STANDING[value], ABOVE[value]);
        break;
    case WORDS_TIMES:
        text_add(out, "%s|%s|%s", TIMES[value], AT_TIME[value], LIGHT[value]);
        break;
    case WORDS_WEATHERS:
        text_add(out, "%s|%s|%s|%s", WEATHERS[value], IN_WEATHER[value], WHILE_WEATHER[value], WEATHER[value]);
        break;
    case WORDS_CAMERAS:
        text_add(out, "%s|%s", CAMERA[value], AND_CAMERA[value]);
        break;
    case WORDS_STYLES:
        text_add(out, "%s", style_words(value, LANGUAGE_EN));
        break;
    case WORDS_OTHERS:
        text_add(out, "quickly|slowly|sunny|green|blue sky|sandy|next to|past|above|over|stands in the background|"
                      "can be seen|it is a sunny day|rain falls");
        break;
    }
}
