/* Ground truth as JSON. */
#include "base/json_file.h"
#include "stage/world.h"

#include <jansson.h>

static json_t *number(double v)
{
    return json_real((double)(long long)(v * 100 + (v < 0 ? -0.5 : 0.5)) / 100); /* hundredths */
}

static json_t *scene_json(const Stage *stage, const StageScene *s)
{
    const char *other = stage_noun_name(stage, s->other);
    return json_pack("{s:s,s:s,s:i,s:s,s:s,s:s?,s:s?,s:s,s:s,s:s,s:s}", "noun",
                     stage_noun_name(stage, s->noun), "colour", stage_colour_name(s->colour), "count",
                     s->count, "action", stage_action_name(s->action), "direction",
                     stage_direction_name(s->direction), "other", other, "other_colour",
                     other != NULL ? stage_colour_name(s->other_colour) : NULL, "place",
                     stage_place_name(s->place), "time", stage_time_name(s->time), "weather",
                     stage_weather_name(s->weather), "camera", stage_camera_name(s->camera));
}

static json_t *state_json(const StageState *s)
{
    return json_pack("{s:[o,o],s:[o,o],s:[i,i,i,i],s:o,s:s,s:o}", "centre", number(s->x), number(s->y),
                     "velocity", number(s->vx), number(s->vy), "box", s->x0, s->y0, s->x1, s->y1, "visible",
                     number(s->visible), "facing",
                     s->facing < 0   ? "left"
                     : s->facing > 0 ? "right"
                                     : "front",
                     "contact", s->contact >= 0 ? json_integer(s->contact) : json_null());
}

char *stage_truth_json(const Stage *stage, const StageClip *clip)
{
    static const char *const SPLITS[] = {"train", "seen", "unseen"};
    static const char *const KINDS[] = {"tags", "short", "medium", "detailed"};
    json_t *actors = json_array(), *captions = json_array();
    for (int i = 0; i < clip->actor_count; i++) {
        const StageActor *a = &clip->actors[i];
        json_t *states = json_array();
        for (int f = 0; f < clip->frames; f++)
            json_array_append_new(states, state_json(&a->states[f]));
        json_array_append_new(
            actors, json_pack("{s:i,s:s,s:s,s:b,s:o}", "id", i, "noun", stage_noun_name(stage, a->noun),
                              "colour", stage_colour_name(a->colour), "prop", a->prop, "frames", states));
    }
    for (int i = 0; i < clip->caption_count; i++) {
        const StageCaption *c = &clip->captions[i];
        json_array_append_new(captions,
                              json_pack("{s:s,s:s,s:s}", "language", c->language == LANGUAGE_EN ? "en" : "ja",
                                        "kind", KINDS[c->kind], "text", c->text));
    }
    json_t *root =
        json_pack("{s:i,s:i,s:i,s:f,s:s,s:o,s:o,s:o}", "width", clip->width, "height", clip->height, "frames",
                  clip->frames, "fps", clip->fps, "split", SPLITS[clip->split], "scene",
                  scene_json(stage, &clip->scene), "captions", captions, "actors", actors);
    if (root != NULL && clip->style != STYLE_PLAIN)
        json_object_set_new(root, "style", json_string(stage_style_name(clip->style)));
    char *text = root != NULL ? json_text(root, JSON_COMPACT | JSON_REAL_PRECISION(8)) : NULL;
    json_decref(root);
    return text;
}
