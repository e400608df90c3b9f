#include "train/questions.h"

#include <string.h>

static const char *const NAMES[QUESTIONS] = {"thing", "colour", "count", "place", "time", "weather", "action", "direction",
                                              "start", "end"};

const char *question_name(Question q)
{
    return q < QUESTIONS ? NAMES[q] : "?";
}

Question question_find(const char *name)
{
    int q = 0;
    while (q < QUESTIONS && strcmp(NAMES[q], name) != 0)
        q++;
    return (Question)q;
}

/* The stage's names of a question's answers: those of numbers from 0 on, until there are no more. */
static const char *stage_name(Question q, int i)
{
    static const char *const NUMBERS[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    switch (q) {
    case Q_COLOUR:
        return stage_colour_name(i);
    case Q_COUNT:
        return i < 5 ? NUMBERS[i] : NULL;
    case Q_PLACE:
        return stage_place_name(i);
    case Q_TIME:
        return stage_time_name(i);
    case Q_WEATHER:
        return stage_weather_name(i);
    case Q_ACTION:
        return stage_action_name(i);
    case Q_DIRECTION:
        return stage_direction_name(i);
    case Q_START:
    case Q_END:
        return i < COLUMNS_ACROSS ? NUMBERS[i] : NULL;
    default:
        return NULL;
    }
}

bool answers_init(Answers *a, const char *const *nouns, int count, SoraError *err)
{
    memset(a, 0, sizeof *a);
    for (int i = 0; i < count; i++) {
        if (answers_find(a, Q_THING, nouns[i]) != NO_ANSWER)
            continue;
        if (a->count[Q_THING] == MAX_ANSWERS)
            return error_set(err, SORA_ERROR_INPUT, "more than %d nouns", MAX_ANSWERS);
        a->noun[a->count[Q_THING]] = STAGE_NOBODY;
        a->names[Q_THING][a->count[Q_THING]++] = nouns[i];
    }
    if (a->count[Q_THING] < 2)
        return error_set(err, SORA_ERROR_INPUT, "a probe needs at least two nouns to tell apart");
    for (int q = Q_THING + 1; q < QUESTIONS; q++)
        for (const char *name; (name = stage_name((Question)q, a->count[q])) != NULL;)
            a->names[q][a->count[q]++] = name;
    return true;
}

bool answers_find_nouns(Answers *a, const Stage *stage, SoraError *err)
{
    for (int i = 0; i < a->count[Q_THING]; i++) {
        a->noun[i] = stage_noun_find(stage, a->names[Q_THING][i]);
        if (a->noun[i] < 0)
            return error_set(err, SORA_ERROR_INPUT, "the stage has no noun \"%.60s\"", a->names[Q_THING][i]);
    }
    return true;
}

int answers_find(const Answers *a, Question q, const char *name)
{
    for (int i = 0; i < a->count[q]; i++)
        if (strcmp(a->names[q][i], name) == 0)
            return i;
    return NO_ANSWER;
}

void answers_set_classes(const Answers *a, ProbeConfig *c)
{
    c->questions = QUESTIONS;
    memcpy(c->classes, a->count, sizeof a->count);
}

bool answers_read(Answers *a, ProbeConfig *c, const json_t *json, SoraError *err)
{
    const char *type = json_string_value(json_object_get(json, "model_type"));
    if (type == NULL || strcmp(type, "probe") != 0)
        return error_set(err, SORA_ERROR_INPUT, "\"model_type\" is not \"probe\"");
    const json_t *answers = json_object_get(json, "answers"), *things = json_object_get(answers, "thing"), *value;
    const char *nouns[MAX_ANSWERS];
    size_t i;
    if (json_array_size(things) > MAX_ANSWERS)
        return error_set(err, SORA_ERROR_INPUT, "probe config: more than %d things", MAX_ANSWERS);
    json_array_foreach(things, i, value) {
        nouns[i] = json_string_value(value);
        if (nouns[i] == NULL)
            return error_set(err, SORA_ERROR_INPUT, "probe config: \"answers\".\"thing\"[%zu] is no name", i);
    }
    if (!probe_config_read(c, json, err) || !answers_init(a, nouns, (int)json_array_size(things), err))
        return error_wrap(err, "probe config");
    bool same = (size_t)a->count[Q_THING] == json_array_size(things);
    for (int q = Q_THING + 1; same && q < QUESTIONS; q++) {
        const json_t *list = json_object_get(answers, NAMES[q]);
        same = json_array_size(list) == (size_t)a->count[q];
        for (int k = 0; same && k < a->count[q]; k++) {
            const char *name = json_string_value(json_array_get(list, (size_t)k));
            same = name != NULL && strcmp(name, a->names[q][k]) == 0;
        }
        if (!same)
            return error_set(err, SORA_ERROR_INPUT, "probe config: the answers of \"%s\" are not this program's: train it anew",
                             NAMES[q]);
    }
    answers_set_classes(a, c);
    return same || error_set(err, SORA_ERROR_INPUT, "probe config: a thing is listed twice");
}

json_t *answers_write(const Answers *a, json_t *json)
{
    json_t *all = json_object();
    for (int q = 0; q < QUESTIONS; q++) {
        json_t *list = json_array();
        for (int i = 0; i < a->count[q]; i++)
            json_array_append_new(list, json_string(a->names[q][i]));
        json_object_set_new(all, NAMES[q], list);
    }
    if (json != NULL && json_object_set_new(json, "answers", all) == 0)
        return json;
    json_decref(json);
    return NULL;
}

static bool indoors(int place)
{
    return place == PLACE_UNDERWATER || place == PLACE_SPACE || place == PLACE_MOON || place == PLACE_ROOM ||
           place == PLACE_THEATRE;
}

/* The column that the middle of the subjects is in. */
static int column_of(const StageClip *clip, int frame)
{
    float x = 0;
    int seen = 0;
    for (int i = 0; i < clip->scene.count && i < clip->actor_count; i++) {
        const StageState *s = &clip->actors[i].states[frame];
        if (s->x1 <= s->x0)
            continue;
        x += (float)(s->x0 + s->x1) / 2;
        seen++;
    }
    int column = seen > 0 ? (int)(x / (float)seen / (float)clip->width * COLUMNS_ACROSS) : NO_ANSWER;
    return column < COLUMNS_ACROSS ? column : COLUMNS_ACROSS - 1;
}

static int thing_of(const Answers *a, int noun)
{
    for (int i = 0; i < a->count[Q_THING]; i++)
        if (a->noun[i] == noun)
            return i;
    return NO_ANSWER;
}

void labels_of_places(const Answers *a, const StageClip *clip, int frame, int side, uint8_t *out)
{
    memset(out, 0, (size_t)(side * side));
    for (int i = clip->actor_count - 1; i >= 0; i--) { /* the subjects last, so that they count where boxes meet */
        const StageState *s = &clip->actors[i].states[frame];
        int thing = thing_of(a, clip->actors[i].noun);
        for (int k = 0; k < side * side && thing != NO_ANSWER; k++) {
            int x = (2 * (k % side) + 1) * clip->width / (2 * side), y = (2 * (k / side) + 1) * clip->height / (2 * side);
            if (x >= s->x0 && x < s->x1 && y >= s->y0 && y < s->y1)
                out[k] = (uint8_t)(1 + thing);
        }
    }
}

Labels labels_of(const Answers *a, const StageClip *clip)
{
    const StageScene *s = &clip->scene;
    bool inside = indoors(s->place), still = clip->frames < 2;
    return (Labels){{[Q_THING] = thing_of(a, s->noun), [Q_COLOUR] = s->colour, [Q_COUNT] = s->count - 1, [Q_PLACE] = s->place,
                     [Q_TIME] = inside ? NO_ANSWER : s->time, [Q_WEATHER] = inside ? NO_ANSWER : s->weather,
                     [Q_ACTION] = still ? NO_ANSWER : s->action, [Q_DIRECTION] = still ? NO_ANSWER : s->direction,
                     [Q_START] = column_of(clip, 0), [Q_END] = column_of(clip, clip->frames - 1)}};
}

Labels labels_mirrored(Labels l)
{
    int d = l.answer[Q_DIRECTION];
    if (d == DIRECTION_LEFT || d == DIRECTION_RIGHT)
        l.answer[Q_DIRECTION] = d == DIRECTION_LEFT ? DIRECTION_RIGHT : DIRECTION_LEFT;
    for (int q = Q_START; q <= Q_END; q++)
        if (l.answer[q] != NO_ANSWER)
            l.answer[q] = COLUMNS_ACROSS - 1 - l.answer[q];
    return l;
}
