/* The studio's public functions. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_file.h"
#include "base/shortage.h"
#include "studio/studio.h"

static const char *const NAMES[] = {"new", "extend", "loop", "blend", "remix", "fill", "interpolate", "recut"};

void sora_edit_init(SoraEdit *edit)
{
    *edit = (SoraEdit){.strength = 0.8};
}

static bool check_there(const void *engine, const void *edit, const void *request, SoraError *err)
{
    const char *missing = engine == NULL ? "engine" : edit == NULL ? "edit" : request == NULL ? "request" : NULL;
    return missing == NULL || error_set(err, SORA_ERROR_INPUT, "%s: there is none", missing);
}

bool sora_edit_check(SoraEngine *engine, const SoraEdit *edit, const SoraRequest *request, SoraFormat *format, SoraError *err)
{
    Notes notes = {0};
    if (!check_there(engine, edit, request, err))
        return false;
    Studio *s = studio_new(engine, request, err);
    bool ok = s != NULL && studio_plan(s, edit, &notes, err);
    if (ok && format != NULL)
        *format = (SoraFormat){s->line.width, s->line.height, (int)s->line.frames, s->line.fps};
    notes_deinit(&notes);
    return studio_free(s, err) && ok;
}

/* What made the first window, and the video that it is one of. */
static char *parameters_of(const Studio *s, const SoraEdit *e)
{
    const SoraRequest *r = s->request;
    shortage_begin();
    json_t *o = json_load_bytes(s->parameters, strlen(s->parameters), 0, &(json_error_t){0});
    json_object_del(o, "given");
    json_object_set_new(o, "frames", json_integer((json_int_t)s->line.frames));
    json_object_set_new(o, "edit", json_string(NAMES[e->kind]));
    if (e->kind == SORA_EDIT_REMIX)
        json_object_set_new(o, "strength", json_real(e->strength));
    if (r->passage_count > 0) {
        json_t *list = json_array();
        for (int i = 0; i < r->passage_count; i++)
            json_array_append_new(list, json_pack("{s:s*, s:f}", "prompt", r->private_prompt ? NULL : r->passages[i].prompt, "from",
                                                  r->passages[i].from));
        json_object_del(o, "prompt");
        json_object_set_new(o, "passages", list);
    }
    if (s->line.layer_count > 0 || s->line.frames > 1 + (int64_t)s->window * s->stride)
        json_object_set_new(o, "window", json_integer(1 + (json_int_t)s->window * s->stride));
    json_object_set_new(o, "watermark", json_boolean(r->watermark));
    char *text = shortage_seen() ? NULL : json_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(o);
    return text;
}

/* "a dog runs | it rains"; heap. */
static char *title_of(const Studio *s)
{
    const SoraRequest *r = s->request;
    size_t size = strlen(s->prompt) + 1;
    for (int i = 0; i < r->passage_count; i++)
        size += strlen(r->passages[i].prompt) + 3;
    char *title = malloc(size), *at = title;
    if (title == NULL)
        return NULL;
    if (r->passage_count == 0)
        strcpy(title, s->prompt);
    for (int i = 0; i < r->passage_count; i++)
        at = stpcpy(stpcpy(at, i > 0 ? " | " : ""), r->passages[i].prompt);
    return title;
}

static bool init_video(Studio *s, const SoraEdit *e, SoraError *err)
{
    SoraVideo *v = s->video;
    const SoraRequest *r = s->request;
    v->width = s->line.width;
    v->height = s->line.height;
    v->frames = (int)s->line.frames;
    v->fps = s->line.fps;
    v->sound = s->line.sound;
    s->line.sound = NULL;
    v->prompt = r->private_prompt ? NULL : title_of(s);
    v->parameters = parameters_of(s, e);
    if (v->parameters == NULL || (v->prompt == NULL && !r->private_prompt))
        return error_no_memory(err);
    if (!video_init_frames(v, err) || !uuid_make_v7(v->id, err))
        return false;
    return !r->watermark || (s->watermark = watermark_new(v->width, v->height, err)) != NULL;
}

static bool take_frame(Studio *s, const uint8_t *rgb, SoraError *err)
{
    SoraVideo *v = s->video;
    int i = (int)s->done;
    memcpy(video_frame(v, i), rgb, 3 * (size_t)v->width * (size_t)v->height);
    if (s->watermark != NULL)
        watermark_draw(s->watermark, video_frame(v, i), &(WatermarkTime){i / v->fps, v->frames / v->fps});
    bool ok = s->request->frame == NULL || s->request->frame(v, i, s->request->user, err);
    video_leave(v, i);
    return ok;
}

/* Ended by the progress callback: is it to be kept as far as it is? */
static bool keep_partial(Studio *s, const SoraEdit *e, const SoraError *why)
{
    SoraVideo *v = s->video;
    if (!e->keep_partial || why->code != SORA_ERROR_CANCELLED || s->done == 0 || s->refused)
        return false;
    notes_add(&v->notes, "partial", "stopped after %" PRId64 " of %d frames", s->done, v->frames);
    if (s->request->note != NULL)
        s->request->note(&v->notes.items[v->notes.count - 1], s->request->user);
    v->frames = (int)s->done;
    shortage_begin();
    json_t *o = json_load_bytes(v->parameters, strlen(v->parameters), 0, &(json_error_t){0});
    json_object_set_new(o, "frames", json_integer(v->frames));
    free(v->parameters);
    v->parameters = shortage_seen() ? NULL : json_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(o);
    return v->parameters != NULL;
}

static bool make(Studio *s, const SoraEdit *e, SoraError *err)
{
    SoraError why = {0};
    Notes *notes = &s->video->notes;
    if (!studio_plan(s, e, notes, err) || !init_video(s, e, err))
        return false;
    for (int i = 0; i < notes->count && s->request->note != NULL; i++)
        s->request->note(&notes->items[i], s->request->user);
    if (studio_run(s, &why) || keep_partial(s, e, &why))
        return true;
    if (err != NULL)
        *err = why;
    return false;
}

SoraVideo *sora_edit(SoraEngine *engine, const SoraEdit *edit, const SoraRequest *request, SoraError *err)
{
    if (!check_there(engine, edit, request, err))
        return NULL;
    Studio *s = studio_new(engine, request, err);
    if (s == NULL)
        return NULL;
    s->take = take_frame;
    SoraVideo *video = s->video = calloc(1, sizeof *video);
    bool ok = (video != NULL || error_no_memory(err)) && make(s, edit, err);
    ok = studio_free(s, err) && ok;
    if (ok)
        return video;
    sora_video_free(video);
    return NULL;
}

int sora_edit_inputs(const SoraEdit *edit, const SoraRequest *request, SoraInput *list, int max)
{
    int count = edit->kind == SORA_EDIT_NEW ? sora_request_inputs(request, list, max) : 0;
    bool parts = edit->kind == SORA_EDIT_BLEND || edit->kind == SORA_EDIT_INTERPOLATE;
    for (int i = 0; i < edit->input_count && count < max; i++) {
        bool again = false;
        for (int k = 0; k < count; k++)
            again = again || strcmp(list[k].path, edit->inputs[i]) == 0;
        if (!again)
            list[count++] = (SoraInput){.path = edit->inputs[i], .role = parts ? SORA_INPUT_COMPONENT : SORA_INPUT_PARENT};
    }
    if (edit->mask_path != NULL && count < max)
        list[count++] = (SoraInput){.path = edit->mask_path, .role = SORA_INPUT_SOURCE};
    return count;
}

void sora_edit_operation(const SoraEdit *e, char *text, size_t size)
{
    double seconds = e->seconds != 0 ? e->seconds : 2;
    switch (e->kind) {
    case SORA_EDIT_NEW:
        snprintf(text, size, "made in windows");
        break;
    case SORA_EDIT_EXTEND:
        snprintf(text, size, "extended by %g s%s", seconds, e->at_start ? " before its beginning" : "");
        break;
    case SORA_EDIT_LOOP:
        snprintf(text, size, e->input_count > 0 ? "closed to a loop by %g s" : "made as a loop", seconds);
        break;
    case SORA_EDIT_BLEND:
        if (e->curve == SORA_CURVE_BRIDGE)
            snprintf(text, size, "two videos joined by %g s", seconds);
        else
            snprintf(text, size, "two videos mixed over their length");
        break;
    case SORA_EDIT_REMIX:
        snprintf(text, size, "made anew, strength %g", e->strength);
        break;
    case SORA_EDIT_FILL:
        snprintf(text, size, e->mask_path != NULL ? "a region made anew" : "made larger around its frame");
        break;
    case SORA_EDIT_INTERPOLATE:
        snprintf(text, size, "what lies between %d pictures", e->input_count);
        break;
    case SORA_EDIT_RECUT:
        snprintf(text, size, "cut to %g to %g s, with %g s before and %g s after", e->from, e->to, e->before, e->after);
        break;
    }
}
