/* From an edit to a timeline. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plan_parts.h"
#include "engine/request_notes.h"
#include "studio/run.h"
#include "text/clean.h"
#include "text/utf8.h"

enum { MAX_FRAMES = 1000000000, DEFAULT_SECONDS = 2 };
#define LEAD_LEVEL 0.7 /* the noise level of what leads from one picture to another */

typedef struct Planning {
    Studio *s;
    const SoraEdit *edit;
    Notes *notes;
    ForeignLimits limits;
    int keep;          /* frames that a source remembers */
    int width, height; /* of the first input */
    bool sized;        /* they are known */
} Planning;

static int64_t frames_of(const Planning *p, double seconds)
{
    return llround(seconds * p->s->line.fps);
}

/* --- inputs --- */

/* What the file says of itself. */
typedef struct InputFacts {
    int width, height;
    double fps; /* 0: a picture, or it does not say */
} InputFacts;

static bool words_of(Planning *p, const char *title, SoraError *err)
{
    Timeline *line = &p->s->line;
    size_t size = strlen(title);
    if (line->words != NULL || size == 0 || !utf8_check(title, size, "title", NULL))
        return true;
    return (line->words = strdup(title)) != NULL || error_no_memory(err);
}

/* Where a video begins as its input does, and all that is seen of the input comes at its own time, the sound goes along. */
static bool keeps_sound(const SoraEdit *e)
{
    return (e->kind == SORA_EDIT_EXTEND && !e->at_start) || e->kind == SORA_EDIT_LOOP || e->kind == SORA_EDIT_REMIX ||
           e->kind == SORA_EDIT_FILL;
}

static bool note_traits(Planning *p, const char *path, unsigned traits, SoraError *err)
{
    Timeline *line = &p->s->line;
    if (traits & VIDEO_ALPHA)
        notes_add(p->notes, "alpha", "%s has transparent places, which are shown as if they were not", path);
    if (traits & VIDEO_HDR)
        notes_add(p->notes, "hdr", "%s is HDR and is shown as if it were not, greyish: convert it before for true colours", path);
    if (traits & VIDEO_VARIABLE)
        notes_add(p->notes, "fps", "%s has no even rate: its frames are repeated and left out for an even one", path);
    if (!(traits & VIDEO_SOUND))
        return true;
    if (keeps_sound(p->edit) && path == p->edit->inputs[0])
        return (line->sound = strdup(path)) != NULL || error_no_memory(err);
    notes_add(p->notes, "sound", "%s has sound, which is left out: %s", path, p->edit->kind == SORA_EDIT_EXTEND
                                 ? "the video begins before it" : "what is seen comes at another time");
    return true;
}

static bool look_at_video(Planning *p, const char *path, InputFacts *facts, SoraError *err)
{
    ForeignVideo *v = foreign_video_open(path, &(VideoReaderOptions){0}, &p->limits, err);
    if (v == NULL)
        return false;
    *facts = (InputFacts){foreign_video_width(v), foreign_video_height(v), foreign_video_fps(v)};
    bool ok = words_of(p, foreign_video_title(v), err) && note_traits(p, path, foreign_video_traits(v), err);
    foreign_video_close(v);
    return ok;
}

static bool look_at(Planning *p, const char *path, InputFacts *facts, SoraError *err)
{
    FileMap map;
    if (dir_exists(path))
        return error_set(err, SORA_ERROR_INPUT, "%s: not a picture or a video: it is a folder", path);
    if (!file_map_open(&map, path, err))
        return false;
    bool picture = image_recognised(map.data, map.size) && !(map.size >= 4 && memcmp(map.data, "GIF8", 4) == 0);
    Image image = {0};
    bool ok = true;
    if (picture && (ok = foreign_picture_memory(&image, map.data, map.size, path, &p->limits, err)))
        *facts = (InputFacts){image.width, image.height, 0};
    image_deinit(&image);
    file_map_close(&map);
    if (picture)
        return ok;
    SoraError why = {0};
    if (look_at_video(p, path, facts, &why))
        return true;
    if (why.code == SORA_ERROR_INPUT && strstr(why.message, ": not a video") != NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: not a picture or a video that can be read", path);
    if (err != NULL)
        *err = why;
    return false;
}

/* --- size and rate --- */

static bool is_possible(const Planning *p, int width, int height)
{
    const LatentGrid *g = &p->s->engine->grid;
    const Manifest *m = &p->s->engine->manifest;
    int column = g->stride_space * g->patch[2], row = g->stride_space * g->patch[1];
    double area = (double)m->width * m->height, own = (double)width * height;
    return width % column == 0 && height % row == 0 && width <= m->max_side && height <= m->max_side && own >= area / 3 &&
           own <= area * 1.5;
}

/* The request's, else the first input's where the model makes it, else the nearest of its shape. */
static void choose_size(Planning *p, const InputFacts *first)
{
    const SoraRequest *r = p->s->request;
    const LatentGrid *g = &p->s->engine->grid;
    const Manifest *m = &p->s->engine->manifest;
    Timeline *line = &p->s->line;
    line->width = r->width > 0 ? r->width : m->width;
    line->height = r->height > 0 ? r->height : m->height;
    if (first == NULL || (r->width > 0 && r->height > 0))
        return;
    if (r->width > 0 || r->height > 0)
        return;
    Size size = {first->width, first->height};
    if (!is_possible(p, size.width, size.height)) {
        Size unit = {g->stride_space * g->patch[2], g->stride_space * g->patch[1]};
        size = size_to_cut(size, unit, (int64_t)m->width * m->height);
        notes_add(p->notes, "size", "%s is %dx%d and becomes %dx%d, which %s makes", p->edit->inputs[0], first->width,
                  first->height, size.width, size.height, m->name);
    }
    line->width = size.width;
    line->height = size.height;
}

static bool choose_rate(Planning *p, const InputFacts *first, SoraError *err)
{
    const Manifest *m = &p->s->engine->manifest;
    Timeline *line = &p->s->line;
    if (!plan_fps(p->s->request, m, &line->fps, err))
        return false;
    if (p->s->request->fps > 0 || first == NULL || first->fps <= 0)
        return true;
    line->fps = first->fps < 1 ? 1 : first->fps > 120 ? 120 : first->fps;
    double ratio = line->fps / m->fps;
    if (ratio > 1.3 || ratio < 1 / 1.3)
        notes_add(p->notes, "fps", "%s has %g frames a second and %s moves things for %g: what it makes moves %.1f times as fast; "
                                   "--fps %g changes the rate of all", p->edit->inputs[0], line->fps, m->name, m->fps, ratio, m->fps);
    return true;
}

/* --- layers --- */

static Layer *add_layer(Planning *p, SoraError *err)
{
    Timeline *line = &p->s->line;
    if (line->layer_count == STUDIO_MAX_LAYERS) {
        error_set(err, SORA_ERROR_INPUT, "inputs: at most %d are accepted", STUDIO_MAX_LAYERS);
        return NULL;
    }
    Layer *l = &line->layers[line->layer_count++];
    l->source = (FrameSource){.width = line->width, .height = line->height, .keep = p->keep};
    return l;
}

static bool open_source(Planning *p, FrameSource *source, const SoraGiven *given, SoraError *err)
{
    source->width = p->s->line.width;
    source->height = p->s->line.height;
    source->keep = p->keep;
    source->given = *given;
    return frame_source_open(source, p->s->line.fps, &p->limits, err);
}

/* A layer that shows all of an input, or its part from..to, from frame `first` on. NULL on failure. */
static Layer *show(Planning *p, const SoraGiven *given, int64_t first, SoraError *err)
{
    Layer *l = add_layer(p, err);
    if (l == NULL || !open_source(p, &l->source, given, err))
        return NULL;
    l->first = first;
    l->frames = l->source.clip.frames;
    l->kept = true;
    return l;
}

static SoraGiven file_of(const char *path)
{
    return (SoraGiven){.path = path};
}

/* Something longer than nothing and shorter than a day. */
static bool check_seconds(const char *what, double seconds, SoraError *err)
{
    return (seconds >= 0 && seconds <= 86400) ||
           error_set(err, SORA_ERROR_INPUT, "%s: %g is not between 0 and 86400 seconds", what, seconds);
}

static bool frames_to_make(const Planning *p, const char *what, double seconds, int64_t *frames, SoraError *err)
{
    if (!check_seconds(what, seconds, err))
        return false;
    *frames = frames_of(p, seconds);
    return *frames > 0 || error_set(err, SORA_ERROR_INPUT, "%s: %g seconds are less than a frame", what, seconds);
}

static double seconds_or(double seconds, double otherwise)
{
    return seconds != 0 ? seconds : otherwise;
}

/* Between the last frame of one file and the first of another: a beginning that goes evenly from one to the other, for between
 * places that have nothing in common a model would rather go on with the first and jump. */
static bool lead_over(Planning *p, const char *from, const char *to, int64_t first, int64_t frames, SoraError *err)
{
    SoraGiven last = {.path = from, .still = true, .from = -1 / p->s->line.fps}, next = {.path = to, .still = true};
    if (p->s->condition || frames < 1)
        return true;
    for (int i = 0; i < p->s->line.layer_count; i++) /* a picture has one frame */
        if (p->s->line.layers[i].source.clip.still && strcmp(p->s->line.layers[i].source.given.path, from) == 0)
            last.from = 0;
    Layer *l = show(p, &last, first, err);
    if (l == NULL || !open_source(p, &l->other, &next, err))
        return false;
    l->frames = frames;
    l->kept = false;
    l->mixed = true;
    l->curve = SORA_CURVE_SMOOTH;
    l->level = LEAD_LEVEL;
    return true;
}

/* The last groups before a video: beginnings that are its first frame, the nearer the more. A model that was taught to go on from
 * a frame hardly knows how to arrive at one. */
static bool lead_up(Planning *p, const char *to, int64_t end, SoraError *err)
{
    static const double LEVELS[] = {0.8, 0.9};
    SoraGiven next = {.path = to, .still = true};
    int stride = p->s->stride;
    if (p->s->condition)
        return true;
    for (int i = 0; i < 2 && end >= (i + 1) * stride; i++) {
        Layer *l = show(p, &next, end - (i + 1) * stride, err);
        if (l == NULL)
            return false;
        l->frames = stride;
        l->kept = false;
        l->level = LEVELS[i];
    }
    return true;
}

/* --- kinds --- */

static bool plan_extend(Planning *p, SoraError *err)
{
    int64_t frames;
    SoraGiven given = file_of(p->edit->inputs[0]);
    if (!frames_to_make(p, "seconds", seconds_or(p->edit->seconds, DEFAULT_SECONDS), &frames, err))
        return false;
    Layer *l = show(p, &given, p->edit->at_start ? frames : 0, err);
    if (l != NULL)
        p->s->line.frames = l->frames + frames;
    return l != NULL && (!p->edit->at_start || lead_up(p, p->edit->inputs[0], frames, err));
}

static bool plan_new_loop(Planning *p, SoraError *err)
{
    Timeline *line = &p->s->line;
    const SoraRequest *r = p->s->request;
    int stride = p->s->stride, own = p->s->window * stride;
    if (p->s->condition)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s sees frames beside the latent and cannot close a video on itself; nano, "
                                                      "T2V and TI2V models can", p->s->engine->manifest.name);
    if (r->passage_count > 1)
        return error_set(err, SORA_ERROR_INPUT, "passages: a video that closes on itself hears one text");
    if (!check_seconds("seconds", p->edit->seconds, err))
        return false;
    line->frames = p->edit->seconds > 0 ? frames_of(p, p->edit->seconds) : r->frames > 0 ? r->frames : own;
    int64_t nearest = (line->frames + stride / 2) / stride * stride;
    nearest = nearest < 2 * stride ? 2 * stride : nearest;
    if (line->frames % stride != 0 || line->frames < 2 * stride)
        return error_set(err, SORA_ERROR_INPUT, "frames: a loop of %lld does not close; %lld do, %g seconds", (long long)line->frames,
                         (long long)nearest, (double)nearest / line->fps);
    if (line->frames > MAX_FRAMES || line->frames > 64 * own)
        return error_set(err, SORA_ERROR_INPUT, "frames: a loop has at most %d", 64 * own);
    line->ring = line->closed = true;
    if (r->preview != NULL)
        notes_add(p->notes, "preview", "there is no preview of a video that closes on itself: its windows begin elsewhere at each step");
    return true;
}

static bool plan_loop(Planning *p, SoraError *err)
{
    int64_t frames;
    if (p->edit->input_count == 0)
        return plan_new_loop(p, err);
    SoraGiven given = file_of(p->edit->inputs[0]);
    if (!frames_to_make(p, "seconds", seconds_or(p->edit->seconds, DEFAULT_SECONDS), &frames, err))
        return false;
    Layer *l = show(p, &given, 0, err);
    if (l != NULL)
        p->s->line.frames = l->frames + frames;
    p->s->line.closed = true;
    return l != NULL && lead_over(p, p->edit->inputs[0], p->edit->inputs[0], l->frames, frames, err);
}

static bool plan_mix(Planning *p, SoraError *err)
{
    const SoraEdit *e = p->edit;
    SoraGiven a = file_of(e->inputs[0]), b = file_of(e->inputs[1]);
    Layer *l = show(p, &a, 0, err);
    if (l == NULL || !open_source(p, &l->other, &b, err))
        return false;
    int64_t other = l->other.clip.frames;
    if (l->source.clip.still && l->other.clip.still)
        l->frames = frames_of(p, seconds_or(e->seconds, DEFAULT_SECONDS));
    else if (e->seconds > 0)
        l->frames = frames_of(p, e->seconds);
    else
        l->frames = l->frames > other ? l->frames : other;
    l->mixed = true;
    l->kept = false;
    l->curve = e->curve;
    l->level = e->strength;
    p->s->line.frames = l->frames;
    return l->frames > 0 || error_set(err, SORA_ERROR_INPUT, "seconds: %g are less than a frame", e->seconds);
}

static bool plan_blend(Planning *p, SoraError *err)
{
    int64_t frames;
    const SoraEdit *e = p->edit;
    if (e->curve != SORA_CURVE_BRIDGE)
        return check_seconds("seconds", e->seconds, err) && plan_mix(p, err);
    SoraGiven a = file_of(e->inputs[0]), b = file_of(e->inputs[1]);
    if (!frames_to_make(p, "seconds", seconds_or(e->seconds, DEFAULT_SECONDS), &frames, err))
        return false;
    Layer *from = show(p, &a, 0, err), *to = from != NULL ? show(p, &b, from->frames + frames, err) : NULL;
    if (to != NULL)
        p->s->line.frames = to->first + to->frames;
    return to != NULL && lead_over(p, e->inputs[0], e->inputs[1], from->frames, frames, err);
}

static bool plan_remix(Planning *p, SoraError *err)
{
    const SoraEdit *e = p->edit;
    SoraGiven given = file_of(e->inputs[0]);
    if (!(e->strength > 0 && e->strength <= 1))
        return error_set(err, SORA_ERROR_INPUT, "strength: %g is not above 0 and at most 1", e->strength);
    if (!check_seconds("seconds", e->seconds, err))
        return false;
    Layer *l = show(p, &given, 0, err);
    if (l == NULL)
        return false;
    l->kept = false;
    l->level = e->strength;
    if (e->seconds > 0 && !l->source.clip.still && frames_of(p, e->seconds) > l->frames)
        return error_set(err, SORA_ERROR_INPUT, "%s: has %g seconds, %g were asked for; extend makes more", e->inputs[0],
                         (double)l->frames / p->s->line.fps, e->seconds);
    if (e->seconds > 0)
        l->frames = frames_of(p, e->seconds);
    p->s->line.frames = l->frames;
    return l->frames > 0 || error_set(err, SORA_ERROR_INPUT, "seconds: %g are less than a frame", e->seconds);
}

/* The mask has the size of what it masks; one frame is for all. */
static bool open_mask(Planning *p, Layer *l, SoraError *err)
{
    SoraGiven given = file_of(p->edit->mask_path);
    l->mask.middle = l->source.middle;
    if (!open_source(p, &l->mask, &given, err))
        return false;
    l->masked = true;
    const GivenClip *mask = &l->mask.clip, *clip = &l->source.clip;
    if (mask->width != clip->width || mask->height != clip->height)
        return error_set(err, SORA_ERROR_INPUT, "%s: is %dx%d, and what it masks %dx%d", p->edit->mask_path, mask->width, mask->height,
                         clip->width, clip->height);
    if (!mask->still && mask->frames < l->frames)
        notes_add(p->notes, "mask", "%s has %d frames of %lld: the last one is for the rest", p->edit->mask_path, mask->frames,
                  (long long)l->frames);
    return true;
}

static bool plan_fill(Planning *p, SoraError *err)
{
    const SoraEdit *e = p->edit;
    Timeline *line = &p->s->line;
    SoraGiven given = file_of(e->inputs[0]);
    bool larger = p->s->request->width > p->width || p->s->request->height > p->height;
    if (e->mask_path == NULL && !larger)
        return error_set(err, SORA_ERROR_INPUT, "mask: there is none, and no larger size: nothing is to be filled in");
    if (larger && (line->width < p->width || line->height < p->height))
        return error_set(err, SORA_ERROR_INPUT, "size: %dx%d is smaller than the %dx%d of %s along one side", line->width, line->height,
                         p->width, p->height, e->inputs[0]);
    Layer *l = add_layer(p, err);
    if (l == NULL)
        return false;
    l->source.middle = l->outside = larger;
    if (!open_source(p, &l->source, &given, err) || !check_seconds("seconds", e->seconds, err))
        return false;
    bool still = l->source.clip.still;
    const SoraRequest *r = p->s->request;
    l->frames = !still ? l->source.clip.frames : r->frames > 0 ? r->frames : p->s->engine->manifest.frames;
    if (e->seconds > 0 && !still && frames_of(p, e->seconds) > l->frames)
        return error_set(err, SORA_ERROR_INPUT, "%s: has %g seconds, %g were asked for", e->inputs[0], (double)l->frames / line->fps,
                         e->seconds);
    if (e->seconds > 0)
        l->frames = frames_of(p, e->seconds);
    line->frames = l->frames;
    return e->mask_path == NULL || open_mask(p, l, err);
}

static bool plan_interpolate(Planning *p, SoraError *err)
{
    const SoraEdit *e = p->edit;
    int64_t frames, last = -1;
    double seconds = e->seconds != 0 ? e->seconds : e->times != NULL ? e->times[e->input_count - 1] + 1 / p->s->line.fps : DEFAULT_SECONDS;
    if (!frames_to_make(p, "seconds", seconds, &frames, err))
        return false;
    for (int i = 0; i < e->input_count; i++) {
        SoraGiven given = {.path = e->inputs[i], .still = true};
        int64_t at = e->times != NULL ? frames_of(p, e->times[i]) : llround((double)i * (double)(frames - 1) / (e->input_count - 1));
        if (at <= last || at >= frames)
            return error_set(err, SORA_ERROR_INPUT, "%s: frame %lld is not between the one before it, %lld, and the end, %lld", e->inputs[i],
                             (long long)at, (long long)last, (long long)frames - 1);
        if (show(p, &given, at, err) == NULL || (i > 0 && !lead_over(p, e->inputs[i - 1], e->inputs[i], last + 1, at - last - 1, err)))
            return false;
        last = at;
    }
    p->s->line.frames = frames;
    return true;
}

static bool plan_recut(Planning *p, SoraError *err)
{
    const SoraEdit *e = p->edit;
    SoraGiven given = {.path = e->inputs[0], .from = e->from, .to = e->to};
    if (!check_seconds("before", e->before, err) || !check_seconds("after", e->after, err))
        return false;
    int64_t before = frames_of(p, e->before), after = frames_of(p, e->after);
    Layer *l = show(p, &given, before, err);
    if (l != NULL)
        p->s->line.frames = before + l->frames + after;
    return l != NULL;
}

/* The timeline's frame with which something that a request gives begins. */
static int64_t place_of(const Planning *p, const SoraGiven *g, int64_t frames)
{
    int64_t offset = frames_of(p, g->at) + g->at_frame;
    return g->at_end ? p->s->line.frames - frames - offset : offset;
}

static bool give(Planning *p, const SoraGiven *g, SoraError *err)
{
    SoraGiven own = *g;
    Layer *l = show(p, &own, 0, err);
    if (l == NULL)
        return false;
    l->first = place_of(p, g, l->frames);
    l->level = g->level;
    l->kept = g->level == 0 && l->source.clip.mask.rgb == NULL;
    if (l->source.clip.mask.rgb != NULL) {
        SoraGiven mask = {.path = g->mask_path, .pixels = g->mask_path == NULL ? l->source.clip.mask.rgb : NULL, .pixel_frames = 1,
                          .pixel_width = l->source.clip.width, .pixel_height = l->source.clip.height};
        if (!open_source(p, &l->mask, &mask, err))
            return false;
        l->masked = true;
    }
    int64_t end = l->first + l->frames;
    return (l->first >= 0 && end <= p->s->line.frames) ||
           error_set(err, SORA_ERROR_INPUT, "frames %lld to %lld are not within the video's 0 to %lld", (long long)l->first,
                     (long long)end - 1, (long long)p->s->line.frames - 1);
}

static bool plan_new(Planning *p, SoraError *err)
{
    const SoraRequest *r = p->s->request;
    if (r->given_count < 0 || r->given_count > STUDIO_MAX_LAYERS || (r->given_count > 0 && r->given == NULL))
        return error_set(err, SORA_ERROR_INPUT, "given: %d%s, at most %d are accepted", r->given_count,
                         r->given == NULL ? " of none" : "", STUDIO_MAX_LAYERS);
    if (p->edit->seconds != 0 && !frames_to_make(p, "seconds", p->edit->seconds, &p->s->line.frames, err))
        return false;
    if (p->edit->seconds == 0)
        p->s->line.frames = r->frames > 0 ? r->frames : p->s->engine->manifest.frames;
    for (int i = 0; i < r->given_count; i++)
        if (!give(p, &r->given[i], err))
            return error_wrap(err, "given %d", i + 1);
    return true;
}

/* --- all of it --- */

typedef struct Kind {
    int min, max; /* inputs */
    bool (*plan)(Planning *p, SoraError *err);
} Kind;

static const Kind KINDS[] = {
    [SORA_EDIT_NEW] = {0, 0, plan_new},
    [SORA_EDIT_EXTEND] = {1, 1, plan_extend},
    [SORA_EDIT_LOOP] = {0, 1, plan_loop},
    [SORA_EDIT_BLEND] = {2, 2, plan_blend},
    [SORA_EDIT_REMIX] = {1, 1, plan_remix},
    [SORA_EDIT_FILL] = {1, 1, plan_fill},
    [SORA_EDIT_INTERPOLATE] = {2, STUDIO_MAX_INPUTS, plan_interpolate},
    [SORA_EDIT_RECUT] = {1, 1, plan_recut},
};

static bool check_edit(const SoraEdit *e, const SoraRequest *r, SoraError *err)
{
    if ((int)e->kind < 0 || e->kind > SORA_EDIT_RECUT)
        return error_set(err, SORA_ERROR_INPUT, "kind: %d is none", (int)e->kind);
    const Kind *k = &KINDS[e->kind];
    if (e->input_count < k->min || e->input_count > k->max || (e->input_count > 0 && e->inputs == NULL))
        return error_set(err, SORA_ERROR_INPUT, "inputs: %d, %d%s are needed", e->input_count, k->min, k->max > k->min ? " or more" : "");
    for (int i = 0; i < e->input_count; i++)
        if (e->inputs[i] == NULL)
            return error_set(err, SORA_ERROR_INPUT, "inputs: input %d is none", i + 1);
    if (e->kind != SORA_EDIT_NEW && r->given_count > 0)
        return error_set(err, SORA_ERROR_INPUT, "given: this edit takes its inputs and nothing else");
    return (e->kind == SORA_EDIT_BLEND && e->curve != SORA_CURVE_BRIDGE && !(e->strength > 0 && e->strength <= 1))
               ? error_set(err, SORA_ERROR_INPUT, "strength: %g is not above 0 and at most 1", e->strength)
               : true;
}

static bool check_runs(Studio *s, SoraError *err)
{
    if (s->line.frames > MAX_FRAMES)
        return error_set(err, SORA_ERROR_INPUT, "seconds: %lld frames are too many", (long long)s->line.frames);
    for (int64_t t = 0; t < s->line.frames;) {
        Layer *kept = timeline_kept(&s->line, t);
        if (kept != NULL) {
            t = kept->first + kept->frames;
            continue;
        }
        RunPlace place = run_place(s, t);
        if (!run_check(s, &place, err))
            return false;
        t = place.end;
    }
    return true;
}

/* Request r with these words in the place of all that it gives: is it sound, and what is to be noted? A model that needs pictures
 * gets a grey one. */
static bool check_words(Planning *p, const char *words, int passage, SoraError *err)
{
    Studio *s = p->s;
    const LatentGrid *g = &s->engine->grid;
    SoraRequest r = *s->request;
    int frames = 1 + s->window * s->stride;
    uint8_t *grey = calloc(3 * (size_t)s->line.width, (size_t)s->line.height);
    if (grey == NULL)
        return error_no_memory(err);
    SoraGiven still = {.pixels = grey, .pixel_frames = 1, .pixel_width = s->line.width, .pixel_height = s->line.height, .still = true};
    SoraGiven stills[2] = {still, still};
    stills[1].at_end = true;
    r.prompt = words;
    r.passage_count = 0;
    r.given = stills;
    r.given_count = (g->first_frame == NEED_REQUIRED) + (g->last_frame == NEED_REQUIRED);
    r.width = s->line.width;
    r.height = s->line.height;
    r.fps = s->line.fps;
    r.frames = frames;
    if (*words == 0)
        r.guidance_scale = 1, r.low_guidance_scale = -1;
    Generation n = {.engine = s->engine, .request = &r};
    Notes notes = {0};
    bool ok = generation_plan(&n, err) && request_notes(&notes, s->engine, &r, &n.plan, err);
    for (int i = 0; i < notes.count && ok; i++)
        if (passage == 0 || strcmp(notes.items[i].about, "words") == 0 || strcmp(notes.items[i].about, "prompt") == 0)
            notes_add(p->notes, notes.items[i].about, "%s", notes.items[i].text);
    if (ok && s->parameters == NULL) {
        s->parameters = plan_json(&n.plan, s->engine->manifest.name, sora_engine_loras(s->engine));
        ok = s->parameters != NULL || error_no_memory(err);
    }
    notes_deinit(&notes);
    generation_deinit(&n);
    free(grey);
    return ok;
}

static bool check_passages(Planning *p, SoraError *err)
{
    const SoraRequest *r = p->s->request;
    if (r->passage_count == 0)
        return check_words(p, p->s->prompt, 0, err);
    if (!plan_takes_passages(r, err))
        return false;
    for (int i = 0; i < r->passage_count; i++) {
        const SoraPassage *a = &r->passages[i];
        double end = (double)p->s->line.frames / p->s->line.fps;
        if (i == 0 ? a->from != 0 : !(a->from > a[-1].from))
            return error_set(err, SORA_ERROR_INPUT, "passage %d: begins at %g seconds, %s", i + 1, a->from,
                             i == 0 ? "the first one at 0" : "not after the one before it");
        if (!(a->from < end))
            return error_set(err, SORA_ERROR_INPUT, "passage %d: begins at %g seconds, the video ends at %g", i + 1, a->from, end);
        if (a->prompt == NULL)
            return error_set(err, SORA_ERROR_INPUT, "passage %d: has no words", i + 1);
        if (!check_words(p, a->prompt, i, err))
            return error_wrap(err, "passage %d", i + 1);
    }
    return true;
}

/* What the model does at once. */
static void measure_model(Studio *s)
{
    const Manifest *m = &s->engine->manifest;
    const LatentGrid *g = &s->engine->grid;
    s->stride = g->stride_time;
    s->condition = g->condition;
    s->window = (m->frames - 1) / g->stride_time;
    s->window = s->window < 2 ? 2 : s->window > 60 ? 60 : s->window;
    /* Those that take a timestep for every patch were taught to go on from a first frame: groups besides it make seams worse. */
    s->overlap = s->condition || s->engine->pipeline.timestep_per_patch ? 0 : s->window / 8 < 1 ? 1 : s->window / 8;
}

bool studio_plan(Studio *s, const SoraEdit *edit, Notes *notes, SoraError *err)
{
    Planning p = {.s = s, .edit = edit, .notes = notes, .limits = {.memory = pager_left(&s->engine->pager)}};
    InputFacts facts[STUDIO_MAX_INPUTS];
    if (!check_edit(edit, s->request, err))
        return false;
    measure_model(s);
    p.keep = s->window * s->stride + 1 + 2 * s->stride;
    for (int i = 0; i < edit->input_count; i++)
        if (!look_at(&p, edit->inputs[i], &facts[i], err))
            return false;
    const InputFacts *first = edit->input_count > 0 ? &facts[0] : NULL;
    if (first != NULL) {
        p.width = first->width;
        p.height = first->height;
    }
    choose_size(&p, first);
    if (!choose_rate(&p, first, err) || !KINDS[edit->kind].plan(&p, err))
        return false;
    s->prompt = s->request->prompt != NULL ? s->request->prompt : s->line.words != NULL ? s->line.words : NULL;
    if (s->prompt == NULL && s->request->passage_count == 0 && edit->input_count == 0)
        return error_set(err, SORA_ERROR_INPUT, "prompt: there is none");
    s->prompt = s->prompt != NULL ? s->prompt : "";
    return check_passages(&p, err) && check_runs(s, err) && notes_ok(notes, err);
}
