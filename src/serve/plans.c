#include "serve/plans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_file.h"

enum { MOST = 64 };

struct Plans {
    Plan plans[MOST];
    int count;
};

static const char BUILT_IN[] =
    "{\"unlimited\": {\"priority\": true},"
    " \"free\": {\"at_once\": 2, \"videos_a_day\": 20, \"credits_a_day\": 100, \"credits_per_second\": 10, \"largest_pixels\": "
    "307200,"
    " \"longest_seconds\": 4, \"requests_a_minute\": 120, \"watermark\": true},"
    " \"pro\": {\"at_once\": 8, \"videos_a_day\": 500, \"credits_a_day\": 10000, \"credits_per_second\": 10,"
    " \"largest_pixels\": 2073600, \"longest_seconds\": 20, \"requests_a_minute\": 1200, \"priority\": true}}";

typedef struct Member {
    const char *name;
    enum { WHOLE, WHOLE64, REAL, FLAG } type;
    size_t offset;
} Member;

static const Member MEMBERS[] = {
    {"at_once", WHOLE, offsetof(Plan, at_once)},
    {"videos_a_day", WHOLE, offsetof(Plan, videos_a_day)},
    {"credits_a_day", WHOLE64, offsetof(Plan, credits_a_day)},
    {"credits_per_second", REAL, offsetof(Plan, credits_per_second)},
    {"largest_pixels", WHOLE64, offsetof(Plan, largest_pixels)},
    {"longest_seconds", REAL, offsetof(Plan, longest_seconds)},
    {"requests_a_minute", WHOLE, offsetof(Plan, requests_a_minute)},
    {"priority", FLAG, offsetof(Plan, priority)},
    {"watermark", FLAG, offsetof(Plan, watermark)},
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof *MEMBERS };

static bool set(Plan *p, const Member *m, const json_t *v)
{
    void *at = (char *)p + m->offset;
    double n = json_number_value(v);
    if (m->type == FLAG ? !json_is_boolean(v) : !json_is_number(v) || n < 0 || n > 1e12)
        return false;
    if (m->type != REAL && m->type != FLAG && (!json_is_integer(v) || (m->type == WHOLE && n > 1e9)))
        return false;
    if (m->type == WHOLE)
        *(int *)at = (int)json_integer_value(v);
    else if (m->type == WHOLE64)
        *(int64_t *)at = json_integer_value(v);
    else if (m->type == REAL)
        *(double *)at = n;
    else
        *(bool *)at = json_is_true(v);
    return true;
}

static bool read_plan(Plan *p, const json_t *o, const char *file, SoraError *err)
{
    const char *key;
    json_t *v;
    if (!json_is_object(o))
        return error_set(err, SORA_ERROR_INPUT, "%s: plan \"%.40s\" is not an object", file, p->name);
    json_object_foreach ((json_t *)o, key, v) {
        int i = 0;
        while (i < MEMBER_COUNT && strcmp(MEMBERS[i].name, key) != 0)
            i++;
        if (i == MEMBER_COUNT)
            return error_set(err, SORA_ERROR_INPUT, "%s: plan \"%.40s\": \"%.40s\" is no member of a plan", file, p->name, key);
        if (!set(p, &MEMBERS[i], v))
            return error_set(err, SORA_ERROR_INPUT, "%s: plan \"%.40s\": \"%s\" has a wrong value", file, p->name, key);
    }
    return true;
}

Plans *plans_open_json(const json_t *root, const char *file, SoraError *err)
{
    const char *key;
    json_t *v;
    Plans *plans = calloc(1, sizeof *plans);
    bool ok = plans != NULL || error_no_memory(err);
    json_object_foreach ((json_t *)root, key, v) {
        if (ok && plans->count == MOST)
            ok = error_set(err, SORA_ERROR_INPUT, "%s: more than %d plans", file, MOST);
        if (!ok)
            break;
        Plan *p = &plans->plans[plans->count];
        p->name = strdup(key);
        ok = (p->name != NULL || error_no_memory(err)) && read_plan(p, v, file, err);
        plans->count++;
    }
    if (ok && plans_find(plans, "unlimited") == NULL)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: there must be a plan \"unlimited\", for who needs no key", file);
    if (ok)
        return plans;
    plans_close(plans);
    return NULL;
}

Plans *plans_open(const char *path, SoraError *err)
{
    json_t *root = path != NULL ? json_file_read(path, err) : json_loads(BUILT_IN, 0, NULL);
    Plans *plans = root != NULL ? plans_open_json(root, path != NULL ? path : "plans", err) : NULL;
    json_decref(root);
    return plans;
}

void plans_close(Plans *plans)
{
    for (int i = 0; plans != NULL && i < plans->count; i++)
        free((char *)plans->plans[i].name);
    free(plans);
}

const Plan *plans_at(const Plans *plans, int i)
{
    return i < plans->count ? &plans->plans[i] : NULL;
}

const Plan *plans_find(const Plans *plans, const char *name)
{
    for (int i = 0; i < plans->count; i++)
        if (strcmp(plans->plans[i].name, name) == 0)
            return &plans->plans[i];
    return NULL;
}

json_t *plans_json(const Plan *p)
{
    return json_pack("{ss si si sI sf sI sf si sb sb}", "name", p->name, "at_once", p->at_once, "videos_a_day", p->videos_a_day,
                     "credits_a_day", (json_int_t)p->credits_a_day, "credits_per_second", p->credits_per_second, "largest_pixels",
                     (json_int_t)p->largest_pixels, "longest_seconds", p->longest_seconds, "requests_a_minute",
                     p->requests_a_minute, "priority", p->priority, "watermark", p->watermark);
}

int64_t plan_credits(const Plan *p, int width, int height, double seconds)
{
    double n = ceil(p->credits_per_second * seconds * width * height / 1e6);
    return n > 1 ? (int64_t)n : 1;
}
