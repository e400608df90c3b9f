#include "engine/plan.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sample/sampler.h"
#include "text/clean.h"
#include "text/utf8.h"

enum { MAX_TOKENS = 1 << 26 }; /* index tensors hold 32-bit numbers */

static bool check_text(const char *text, const char *what, SoraError *err)
{
    size_t n = strnlen(text, PROMPT_MAX_BYTES + 1);
    if (n > PROMPT_MAX_BYTES)
        return error_set(err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %d are accepted", what, strlen(text),
                         PROMPT_MAX_BYTES);
    return utf8_check(text, n, what, err);
}

/* Something must be left of it after cleaning. */
static bool check_prompt(const char *prompt, SoraError *err)
{
    size_t size;
    if (!check_text(prompt, "prompt", err))
        return false;
    char *clean = clean_prompt(prompt, strlen(prompt), &size, err);
    if (clean == NULL)
        return error_wrap(err, "prompt");
    free(clean);
    return size > 0 || error_set(err, SORA_ERROR_INPUT, "prompt: is empty");
}

/* Sizes that work are first, first + step ... up to max. */
typedef struct Lattice {
    const char *field;
    int first, step, max;
} Lattice;

static bool check_lattice(Lattice l, int value, SoraError *err)
{
    int last = l.max < l.first ? l.first : l.max - (l.max - l.first) % l.step;
    if (value >= l.first && value <= last && (value - l.first) % l.step == 0)
        return true;
    int nearest = last;
    if (value < l.first)
        nearest = l.first;
    else if (value < last)
        nearest = l.first + (value - l.first + l.step / 2) / l.step * l.step;
    if (value < l.first)
        return error_set(err, SORA_ERROR_INPUT, "%s: %d is too small; %d works", l.field, value, nearest);
    if (value > last)
        return error_set(err, SORA_ERROR_INPUT, "%s: %d is more than this model makes; %d works", l.field,
                         value, nearest);
    if (l.first == l.step)
        return error_set(err, SORA_ERROR_INPUT, "%s: %d is not a multiple of %d; %d works", l.field, value,
                         l.step, nearest);
    return error_set(err, SORA_ERROR_INPUT, "%s: %d is not %d + a multiple of %d; %d works", l.field, value,
                     l.first, l.step, nearest);
}

static bool check_sizes(Plan *p, const Manifest *m, const LatentGrid *g, SoraError *err)
{
    const int *patch = g->patch;
    int column = g->stride_space * patch[2], row = g->stride_space * patch[1];
    Lattice width = {"width", column, column, m->max_side};
    Lattice height = {"height", row, row, m->max_side};
    Lattice frames = {"frames", 1 + g->stride_time * (patch[0] - 1), g->stride_time * patch[0],
                      m->max_frames};
    if (!check_lattice(width, p->width, err) || !check_lattice(height, p->height, err) ||
        !check_lattice(frames, p->frames, err))
        return false;
    p->latent = (CanvasShape){g->channels,
                              1 + (p->frames - 1) / g->stride_time,
                              p->height / g->stride_space,
                              p->width / g->stride_space,
                              {patch[0], patch[1], patch[2]}};
    int64_t tokens = (int64_t)(p->width / column) * (p->height / row) * (p->latent.frames / patch[0]);
    return tokens <= MAX_TOKENS || error_set(err, SORA_ERROR_INPUT, "size: %dx%d with %d frames is too much",
                                             p->width, p->height, p->frames);
}

static bool check_need(Need need, const char *path, const char *field, SoraError *err)
{
    if (path == NULL && need == NEED_REQUIRED)
        return error_set(err, SORA_ERROR_INPUT, "%s: this model needs one", field);
    return path == NULL || need != NEED_NONE ||
           error_set(err, SORA_ERROR_INPUT, "%s: this model does not take one", field);
}

static bool check_pictures(const Plan *p, const LatentGrid *g, SoraError *err)
{
    if (!check_need(g->picture, p->image_path, "image", err) ||
        !check_need(g->last_picture, p->last_image_path, "last image", err))
        return false;
    if (p->last_image_path != NULL && p->image_path == NULL)
        return error_set(err, SORA_ERROR_INPUT, "last image: there is no first one");
    return p->last_image_path == NULL || p->frames > 1 ||
           error_set(err, SORA_ERROR_INPUT, "last image: a video of one frame has a first one alone");
}

/* Without a size of its own the video takes the picture's shape, at the area of the model's default. */
static void follow_picture(Plan *p, const Manifest *m, const LatentGrid *g, Size picture)
{
    Size unit = {g->stride_space * g->patch[2], g->stride_space * g->patch[1]};
    int64_t area = (int64_t)m->width * m->height;
    Size size = g->stretch ? size_to_stretch(picture, unit, area) : size_to_cut(picture, unit, area);
    p->width = size.width;
    p->height = size.height;
    p->sized_by_picture = true;
}

/* Guidance of both experts, or of the only one. */
static void choose_guidance(Plan *p, const SoraRequest *r, const Manifest *m)
{
    bool given = !(r->guidance_scale < 0);
    p->guidance_scale = given ? r->guidance_scale : m->guidance_scale;
    p->low_guidance_scale = -1;
    if (m->boundary > 0)
        p->low_guidance_scale = !(r->low_guidance_scale < 0) ? r->low_guidance_scale
                                : given                      ? r->guidance_scale
                                                             : m->low_guidance_scale;
}

static bool check_range(const char *field, double value, double min, double max, SoraError *err)
{
    return (value >= min && value <= max) ||
           error_set(err, SORA_ERROR_INPUT, "%s: %g is not between %g and %g", field, value, min, max);
}

bool plan_make(Plan *p, const SoraRequest *r, const Manifest *m, const LatentGrid *grid, const Size *picture,
               SoraError *err)
{
    *p = (Plan){
        .prompt = r->prompt,
        .negative_prompt = r->negative_prompt != NULL ? r->negative_prompt : m->negative_prompt,
        .image_path = r->image_path,
        .last_image_path = r->last_image_path,
        .width = r->width != 0 ? r->width : m->width,
        .height = r->height != 0 ? r->height : m->height,
        .frames = r->frames != 0 ? r->frames : m->frames,
        .fps = r->fps != 0 ? r->fps : m->fps,
        .steps = r->steps != 0 ? r->steps : m->steps,
        .shift = r->shift != 0 ? r->shift : m->shift,
        .solver = r->solver != SORA_SOLVER_AUTO ? r->solver : m->solver,
        .seed = r->seed,
        .cache_threshold = r->cache_threshold,
        .watermark = r->watermark,
        .private_prompt = r->private_prompt,
    };
    choose_guidance(p, r, m);
    if (picture != NULL && m->follow_picture && r->width == 0 && r->height == 0)
        follow_picture(p, m, grid, *picture);
    if (p->prompt == NULL)
        return error_set(err, SORA_ERROR_INPUT, "prompt: there is none");
    if ((int)p->solver < SORA_SOLVER_AUTO || p->solver > SORA_SOLVER_EULER)
        return error_set(err, SORA_ERROR_INPUT, "solver: %d is none", (int)p->solver);
    return check_prompt(p->prompt, err) && check_text(p->negative_prompt, "negative prompt", err) &&
           check_pictures(p, grid, err) && check_sizes(p, m, grid, err) &&
           check_range("fps", p->fps, 1, 120, err) &&
           check_range("steps", p->steps, 1, SAMPLER_MAX_STEPS, err) &&
           check_range("guidance", p->guidance_scale, 0, 100, err) &&
           (p->low_guidance_scale == -1 ||
            check_range("low-noise guidance", p->low_guidance_scale, 0, 100, err)) &&
           check_range("shift", p->shift, SAMPLER_MIN_SHIFT, SAMPLER_MAX_SHIFT, err) &&
           check_range("cache", p->cache_threshold, 0, 1, err);
}

bool plan_is_guided(const Plan *p)
{
    return p->guidance_scale != 1 || (p->low_guidance_scale != -1 && p->low_guidance_scale != 1);
}

char *plan_json(const Plan *p, const char *model, const char *const *loras)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, p->seed);
    /* Readers of JSON keep 53 bits of a number: larger seeds are strings. */
    const char *prompt = p->private_prompt ? NULL : p->prompt, *negative = p->private_prompt ? NULL : p->negative_prompt;
    json_t *root = json_pack("{s:s, s:s, s:s*, s:s*, s:o, s:i, s:i, s:i, s:f, s:i, s:f, s:f, s:s, s:b, s:b}", //
                             "generator", "sora " SORA_VERSION, "model", model, "prompt", prompt,
                             "negative_prompt", negative, "seed",
                             p->seed >> 53 == 0 ? json_integer((json_int_t)p->seed) : json_string(seed),
                             "width", p->width, "height", p->height, "frames", p->frames, "fps", p->fps,
                             "steps", p->steps, "guidance_scale", p->guidance_scale, "shift", p->shift,
                             "solver", solver_name(p->solver), "image", p->image_path != NULL, "watermark", p->watermark);
    if (root != NULL && p->last_image_path != NULL)
        json_object_set_new(root, "last_image", json_true());
    if (root != NULL && p->low_guidance_scale != -1)
        json_object_set_new(root, "low_guidance_scale", json_real(p->low_guidance_scale));
    if (root != NULL && p->cache_threshold > 0) {
        json_object_set_new(root, "cache", json_real(p->cache_threshold));
        json_object_set_new(root, "steps_computed", json_integer(p->steps_computed));
    }
    if (root != NULL && loras[0] != NULL) {
        json_t *list = json_array();
        for (int i = 0; loras[i] != NULL; i++)
            json_array_append_new(list, json_string(loras[i]));
        json_object_set_new(root, "loras", list);
    }
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(root);
    return text;
}
