#include "engine/plan.h"
#include "base/json_file.h"
#include "base/shortage.h"
#include "engine/plan_parts.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sample/sampler.h"

enum { MAX_TOKENS = 1 << 26 /* index tensors hold 32-bit numbers */, MOST_EARLIER = 64 };

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

/* Without a size of its own the video takes the shape of the picture that it begins with, at the area of the model's
 * default. */
static void follow_picture(Plan *p, const Manifest *m, const LatentGrid *g, Size picture)
{
    Size unit = {g->stride_space * g->patch[2], g->stride_space * g->patch[1]};
    int64_t area = (int64_t)m->width * m->height;
    Size size = g->condition ? size_to_stretch(picture, unit, area) : size_to_cut(picture, unit, area);
    p->width = size.width;
    p->height = size.height;
    p->shape = picture;
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

bool plan_fps(const SoraRequest *r, const Manifest *m, double *fps, SoraError *err)
{
    *fps = r->fps != 0 ? r->fps : m->fps;
    return check_range("fps", *fps, 1, 120, err);
}

static void fill(Plan *p, const SoraRequest *r, const Manifest *m)
{
    *p = (Plan){
        .negative_prompt = r->negative_prompt != NULL ? r->negative_prompt : m->negative_prompt,
        .given = r->given,
        .given_count = r->given_count,
        .width = r->width != 0 ? r->width : m->width,
        .height = r->height != 0 ? r->height : m->height,
        .frames = r->frames != 0 ? r->frames : m->frames,
        .steps = r->steps != 0 ? r->steps : m->steps,
        .shift = r->shift != 0 ? r->shift : m->shift,
        .solver = r->solver != SORA_SOLVER_AUTO ? r->solver : m->solver,
        .seed = r->seed,
        .cache_threshold = r->cache_threshold,
        .watermark = r->watermark,
        .asked = r->asked,
        .earlier = r->earlier,
        .earlier_count = r->earlier_count < MOST_EARLIER ? r->earlier_count : MOST_EARLIER,
        .private_prompt = r->private_prompt,
        .policy = r->policy,
    };
    p->shape = (Size){p->width, p->height};
    choose_guidance(p, r, m);
}

static bool check_ranges(const Plan *p, SoraError *err)
{
    if ((int)p->solver < SORA_SOLVER_AUTO || p->solver > SORA_SOLVER_EULER)
        return error_set(err, SORA_ERROR_INPUT, "solver: %d is none", (int)p->solver);
    return check_range("steps", p->steps, 1, SAMPLER_MAX_STEPS, err) &&
           check_range("guidance", p->guidance_scale, 0, 100, err) &&
           (p->low_guidance_scale == -1 || check_range("low-noise guidance", p->low_guidance_scale, 0, 100, err)) &&
           check_range("shift", p->shift, SAMPLER_MIN_SHIFT, SAMPLER_MAX_SHIFT, err) &&
           check_range("cache", p->cache_threshold, 0, 1, err);
}

bool plan_make(Plan *p, const SoraRequest *r, const Manifest *m, const LatentGrid *grid, const GivenClip *clips,
               SoraError *err)
{
    fill(p, r, m);
    if (!plan_fps(r, m, &p->fps, err) || !plan_passages(p, r, err) ||
        !plan_check_text(p->negative_prompt, "negative prompt", err))
        return false;
    int begins = plan_first_picture(p, clips);
    if (begins >= 0 && m->follow_picture && r->width == 0 && r->height == 0)
        follow_picture(p, m, grid, (Size){clips[begins].width, clips[begins].height});
    return check_sizes(p, m, grid, err) && plan_place(p, grid, clips, err) && plan_span(p, grid, err) &&
           check_ranges(p, err);
}

void plan_deinit(Plan *p)
{
    free(p->words);
    p->words = NULL;
}

/* Readers of JSON keep 53 bits of a number: larger seeds are strings. */
static json_t *seed_json(uint64_t seed)
{
    return seed >> 53 == 0 ? json_integer((json_int_t)seed) : json_sprintf("%" PRIu64, seed);
}

static json_t *earlier_json(const Plan *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->earlier_count; i++)
        json_array_append_new(list, json_string(p->earlier[i]));
    return list;
}

bool plan_is_guided(const Plan *p)
{
    return p->guidance_scale != 1 || (p->low_guidance_scale != -1 && p->low_guidance_scale != 1);
}

char *plan_json(const Plan *p, const char *model, const char *const *loras)
{
    const char *prompt = p->private_prompt || p->passage_count > 1 ? NULL : p->passages[0].prompt;
    const char *negative = p->private_prompt ? NULL : p->negative_prompt;
    shortage_begin();
    json_t *root = json_pack("{s:s, s:s, s:s*, s:s*, s:o, s:i, s:i, s:i, s:f, s:i, s:f, s:f, s:s, s:b}", "generator",
                             "sora " SORA_VERSION, "model", model, "prompt", prompt, "negative_prompt", negative,
                             "seed", seed_json(p->seed), "width", p->width, "height", p->height, "frames", p->frames, "fps", p->fps,
                             "steps", p->steps, "guidance_scale", p->guidance_scale, "shift", p->shift, "solver",
                             solver_name(p->solver), "watermark", p->watermark);
    if (root == NULL)
        return NULL;
    if (p->asked != NULL && prompt != NULL)
        json_object_set_new(root, "asked", json_string(p->asked));
    if (p->earlier_count > 0 && !p->private_prompt)
        json_object_set_new(root, "earlier", earlier_json(p));
    if (p->passage_count > 1)
        json_object_set_new(root, "passages", plan_passages_json(p));
    if (p->given_count > 0)
        json_object_set_new(root, "given", plan_given_json(p));
    if (p->low_guidance_scale != -1)
        json_object_set_new(root, "low_guidance_scale", json_real(p->low_guidance_scale));
    if (p->policy != NULL)
        json_object_set_new(root, "policy", json_sprintf("%.64s", p->policy));
    if (p->cache_threshold > 0) {
        json_object_set_new(root, "cache", json_real(p->cache_threshold));
        json_object_set_new(root, "steps_computed", json_integer(p->steps_computed));
    }
    if (loras[0] != NULL) {
        json_t *list = json_array();
        for (int i = 0; loras[i] != NULL; i++)
            json_array_append_new(list, json_string(loras[i]));
        json_object_set_new(root, "loras", list);
    }
    char *text = shortage_seen() ? NULL : json_text(root, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(root);
    return text;
}
