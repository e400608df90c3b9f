#include "engine/manifest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_file.h"
#include "sample/sampler.h"

enum { MAX_SIDE = 2048, MAX_FRAMES = 1025 }; /* unless the manifest says otherwise */

static const char *const SOLVER_NAMES[] = {"auto", "unipc", "dpmpp", "euler"};

const char *solver_name(SoraSolver solver)
{
    return SOLVER_NAMES[solver];
}

bool solver_parse(const char *name, SoraSolver *solver)
{
    for (int i = 0; i <= SORA_SOLVER_EULER; i++)
        if (strcmp(name, SOLVER_NAMES[i]) == 0) {
            *solver = (SoraSolver)i;
            return true;
        }
    return false;
}

typedef struct Number {
    const char *key;
    double min, max, fallback;
} Number;

static bool read_number(const json_t *object, Number n, double *out, SoraError *err)
{
    const json_t *value = json_object_get(object, n.key);
    *out = value != NULL ? json_number_value(value) : n.fallback;
    if (value != NULL && !json_is_number(value))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is no number", n.key);
    return (*out >= n.min && *out <= n.max) ||
           error_set(err, SORA_ERROR_INPUT, "\"%s\" is %g, expected %g to %g", n.key, *out, n.min, n.max);
}

static bool read_int(const json_t *object, Number n, int *out, SoraError *err)
{
    double value;
    if (!read_number(object, n, &value, err))
        return false;
    *out = (int)value;
    return *out == value ||
           error_set(err, SORA_ERROR_INPUT, "\"%s\" is %g, expected an integer", n.key, value);
}

/* A copy on the heap; fallback NULL: the key must be there. */
static bool read_string(const json_t *object, const char *key, const char *fallback, char **out,
                        SoraError *err)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL && fallback == NULL)
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is missing", key);
    if (value != NULL && !json_is_string(value))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is no string", key);
    *out = strdup(value != NULL ? json_string_value(value) : fallback);
    return *out != NULL || error_set(err, SORA_ERROR_MEMORY, "no memory for \"%s\"", key);
}

static bool read_solver(const json_t *object, SoraSolver *out, SoraError *err)
{
    const json_t *value = json_object_get(object, "solver");
    *out = SORA_SOLVER_UNIPC;
    if (value == NULL)
        return true;
    const char *name = json_string_value(value);
    if (name == NULL || !solver_parse(name, out) || *out == SORA_SOLVER_AUTO)
        return error_set(err, SORA_ERROR_INPUT, "\"solver\" is none of unipc, dpmpp, euler");
    return true;
}

static bool read_object(const json_t *root, const char *key, const json_t **out, SoraError *err)
{
    *out = json_object_get(root, key);
    return *out == NULL || json_is_object(*out) ||
           error_set(err, SORA_ERROR_INPUT, "\"%s\" is no object", key);
}

static bool read_bool(const json_t *object, const char *key, bool fallback, bool *out, SoraError *err)
{
    const json_t *value = json_object_get(object, key);
    *out = value != NULL ? json_is_true(value) : fallback;
    return value == NULL || json_is_boolean(value) ||
           error_set(err, SORA_ERROR_INPUT, "\"%s\" is no boolean", key);
}

/* The published model that the folder holds, whose defaults it takes. */
static bool read_variant(const json_t *root, const Variant **out, SoraError *err)
{
    const json_t *value = json_object_get(root, "variant");
    const char *name = json_string_value(value);
    *out = &VARIANT_PLAIN;
    if (value == NULL)
        return true;
    *out = name != NULL ? variant_find(name) : NULL;
    return *out != NULL || error_set(err, SORA_ERROR_INPUT, "\"variant\" is none that is known");
}

static bool read_defaults(Manifest *m, const json_t *defaults, const Variant *v, SoraError *err)
{
    double side = m->max_side, frames = m->max_frames, guidance = v->guidance_scale;
    return read_int(defaults, (Number){"width", 1, side, v->width}, &m->width, err) &&
           read_int(defaults, (Number){"height", 1, side, v->height}, &m->height, err) &&
           read_int(defaults, (Number){"frames", 1, frames, v->frames}, &m->frames, err) &&
           read_number(defaults, (Number){"fps", 1, 120, v->fps}, &m->fps, err) &&
           read_int(defaults, (Number){"steps", 1, SAMPLER_MAX_STEPS, v->steps}, &m->steps, err) &&
           read_number(defaults, (Number){"shift", SAMPLER_MIN_SHIFT, SAMPLER_MAX_SHIFT, v->shift}, &m->shift,
                       err) &&
           read_number(defaults, (Number){"guidance_scale", 0, 100, guidance}, &m->guidance_scale, err) &&
           read_number(defaults, (Number){"low_guidance_scale", 0, 100, v->low_guidance_scale},
                       &m->low_guidance_scale, err) &&
           read_bool(defaults, "follow_picture", v->follow_picture, &m->follow_picture, err) &&
           read_string(defaults, "negative_prompt", v->negative_prompt, &m->negative_prompt, err) &&
           read_solver(defaults, &m->solver, err);
}

static bool read_manifest(Manifest *m, const json_t *root, SoraError *err)
{
    const json_t *defaults, *limits;
    const Variant *variant;
    int format;
    if (!read_int(root, (Number){"format", 1, 1, 1}, &format, err) || !read_variant(root, &variant, err) ||
        !read_object(root, "defaults", &defaults, err) || !read_object(root, "limits", &limits, err) ||
        !read_string(root, "name", variant->name[0] != 0 ? variant->name : NULL, &m->name, err))
        return false;
    if (!read_int(limits, (Number){"side", 1, 16384, MAX_SIDE}, &m->max_side, err) ||
        !read_int(limits, (Number){"frames", 1, 4093, MAX_FRAMES}, &m->max_frames, err))
        return error_wrap(err, "limits");
    if (!read_defaults(m, defaults, variant, err))
        return error_wrap(err, "defaults");
    return read_number(root, (Number){"boundary", 0, 1, variant->boundary}, &m->boundary, err) &&
           read_number(root, (Number){"train_timesteps", 1, 1e6, 1000}, &m->train_timesteps, err);
}

bool manifest_load(Manifest *m, const char *path, SoraError *err)
{
    *m = (Manifest){0};
    json_t *root = json_file_read(path, err);
    if (root == NULL)
        return false;
    bool ok = read_manifest(m, root, err) || error_wrap(err, "%s", path);
    json_decref(root);
    if (!ok)
        manifest_deinit(m);
    return ok;
}

bool manifest_init(Manifest *m, const Variant *variant, SoraError *err)
{
    *m = (Manifest){0};
    json_t *root = json_pack("{s:s}", "variant", variant->name);
    bool ok = root != NULL ? read_manifest(m, root, err)
                           : error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", variant->name);
    json_decref(root);
    if (!ok)
        manifest_deinit(m);
    return ok;
}

void manifest_deinit(Manifest *m)
{
    free(m->name);
    free(m->negative_prompt);
    m->name = m->negative_prompt = NULL;
}
