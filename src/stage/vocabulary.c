/* Names of words and nouns. */
#include "stage/world.h"

#include <string.h>

#define X(id, name, ...) name,
static const char *const COLOURS[] = {STAGE_COLOURS(X)};
static const char *const ACTIONS[] = {STAGE_ACTIONS(X)};
static const char *const PLACES[] = {STAGE_PLACES(X)};
static const char *const TIMES[] = {STAGE_TIMES(X)};
static const char *const WEATHERS[] = {STAGE_WEATHERS(X)};
static const char *const CAMERAS[] = {STAGE_CAMERAS(X)};
static const char *const DIRECTIONS[] = {STAGE_DIRECTIONS(X)};
static const char *const STYLES[] = {STAGE_STYLES(X)};
#undef X

static const char *name_of(const char *const *names, int count, int i)
{
    return i >= 0 && i < count ? names[i] : NULL;
}

const char *stage_colour_name(int colour)
{
    return name_of(COLOURS, COLOUR_COUNT, colour);
}

const char *stage_action_name(int action)
{
    return name_of(ACTIONS, ACTION_COUNT, action);
}

const char *stage_place_name(int place)
{
    return name_of(PLACES, PLACE_COUNT, place);
}

const char *stage_time_name(int time)
{
    return name_of(TIMES, TIME_COUNT, time);
}

const char *stage_weather_name(int weather)
{
    return name_of(WEATHERS, WEATHER_COUNT, weather);
}

const char *stage_camera_name(int camera)
{
    return name_of(CAMERAS, CAMERA_COUNT, camera);
}

const char *stage_direction_name(int direction)
{
    return name_of(DIRECTIONS, DIRECTION_COUNT, direction);
}

const char *stage_style_name(int style)
{
    return name_of(STYLES, STYLE_COUNT, style);
}

bool stage_outdoors(int place)
{
    return STAGE_OUTDOORS >> place & 1;
}

void stage_scene_init(StageScene *s)
{
    *s = (StageScene){STAGE_ANY, STAGE_ANY, STAGE_ANY, STAGE_ANY, STAGE_ANY, STAGE_ANY,
                      STAGE_ANY, STAGE_ANY, STAGE_ANY, STAGE_ANY, STAGE_ANY};
}

int stage_noun_count(const Stage *stage)
{
    return pack_count(stage->pack);
}

const char *stage_noun_name(const Stage *stage, int noun)
{
    return noun >= 0 && noun < pack_count(stage->pack) ? pack_noun(stage->pack, noun)->en : NULL;
}

int stage_noun_find(const Stage *stage, const char *english)
{
    for (int i = 0; i < pack_count(stage->pack); i++)
        if (strcmp(pack_noun(stage->pack, i)->en, english) == 0)
            return i;
    return STAGE_NOBODY;
}
