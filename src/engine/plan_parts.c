#include "engine/plan_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/clean.h"
#include "text/utf8.h"

/* --- words --- */

bool plan_check_text(const char *text, const char *what, SoraError *err)
{
    size_t n = strnlen(text, PROMPT_MAX_BYTES + 1);
    if (n > PROMPT_MAX_BYTES)
        return error_set(err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %d are accepted", what, strlen(text),
                         PROMPT_MAX_BYTES);
    return utf8_check(text, n, what, err);
}

/* Something must be left of it after cleaning, unless nothing was to be said. */
static bool check_prompt(const char *prompt, bool silence, SoraError *err)
{
    size_t size;
    if (prompt == NULL)
        return error_set(err, SORA_ERROR_INPUT, "prompt: there is none");
    if (silence && *prompt == 0)
        return true;
    if (!plan_check_text(prompt, "prompt", err))
        return false;
    char *clean = clean_prompt(prompt, strlen(prompt), &size, err);
    if (clean == NULL)
        return error_wrap(err, "prompt");
    free(clean);
    return size > 0 || error_set(err, SORA_ERROR_INPUT, "prompt: is empty");
}

/* "a dog runs | it rains". */
static bool join_words(Plan *p, SoraError *err)
{
    size_t size = 1;
    for (int i = 0; i < p->passage_count; i++)
        size += strlen(p->passages[i].prompt) + 3;
    char *at = p->words = malloc(size);
    for (int i = 0; at != NULL && i < p->passage_count; i++) {
        at = stpcpy(at, i > 0 ? " | " : "");
        at = stpcpy(at, p->passages[i].prompt);
    }
    return at != NULL || error_set(err, SORA_ERROR_MEMORY, "prompt: out of memory");
}

static bool check_passage(const Plan *p, int i, double from, SoraError *err)
{
    bool first = i == 0 && from != 0, order = i > 0 && !(from * p->fps > p->passages[i - 1].first);
    if (!(from >= 0 && from <= 1e6))
        return error_set(err, SORA_ERROR_INPUT, "begins at %g seconds, which is out of range", from);
    if (first)
        return error_set(err, SORA_ERROR_INPUT, "begins at %g seconds, the first one at 0", from);
    return !order || error_set(err, SORA_ERROR_INPUT, "begins at %g seconds, not after passage %d", from, i);
}

bool plan_takes_passages(const SoraRequest *r, SoraError *err)
{
    if (r->passage_count < 0 || r->passage_count > PLAN_MAX_PASSAGES || r->passages == NULL)
        return error_set(err, SORA_ERROR_INPUT, "passages: %d%s, at most %d are accepted", r->passage_count,
                         r->passages == NULL ? " of none" : "", PLAN_MAX_PASSAGES);
    if (r->prompt != NULL)
        return error_set(err, SORA_ERROR_INPUT, "prompt: there are passages, which have words of their own");
    return true;
}

bool plan_passages(Plan *p, const SoraRequest *r, SoraError *err)
{
    if (r->passage_count == 0) {
        p->passages[p->passage_count++] = (PlannedPassage){.prompt = r->prompt};
        return check_prompt(r->prompt, !plan_is_guided(p), err) && join_words(p, err);
    }
    if (!plan_takes_passages(r, err))
        return false;
    for (int i = 0; i < r->passage_count; i++) {
        const SoraPassage *a = &r->passages[i];
        if (!check_prompt(a->prompt, !plan_is_guided(p), err) || !check_passage(p, i, a->from, err))
            return error_wrap(err, "passage %d", i + 1);
        p->passages[p->passage_count++] = (PlannedPassage){a->prompt, (int)lround(fmin(a->from * p->fps, 1e9)), 0};
    }
    return join_words(p, err);
}

/* The video's frame with which a latent one begins. */
static int frame_of(const LatentGrid *g, int64_t latent)
{
    return latent == 0 ? 0 : (int)(1 + (latent - 1) * g->stride_time);
}

bool plan_span(Plan *p, const LatentGrid *g, SoraError *err)
{
    int64_t all = p->latent.frames / g->patch[0], begin = 0;
    for (int i = 0; i < p->passage_count; i++) {
        int64_t end = all;
        if (i + 1 < p->passage_count) {
            double next = p->passages[i + 1].first;
            end = llround(((next - 1) / g->stride_time + 1) / g->patch[0]);
        }
        if (end > all || (i > 0 && begin >= all))
            return error_set(err, SORA_ERROR_INPUT, "passage %d: begins at frame %d of %d", i + (end > all) + 1,
                             p->passages[i + (end > all)].first, p->frames);
        if (end <= begin)
            return error_set(err, SORA_ERROR_INPUT,
                             "passage %d: is shorter than the %d frames that hear the same words", i + 1,
                             g->stride_time * g->patch[0]);
        p->passages[i].first = frame_of(g, begin * g->patch[0]);
        p->passages[i].frames = end - begin;
        begin = end;
    }
    return true;
}

json_t *plan_passages_json(const Plan *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->passage_count; i++)
        json_array_append_new(list, json_pack("{s:s*, s:f}", "prompt", p->private_prompt ? NULL : p->passages[i].prompt,
                                              "from", p->passages[i].first / p->fps));
    return list;
}

/* --- what is given --- */

/* Its first frame of the video, which may lie outside. */
static int64_t first_frame(const Plan *p, const GivenClip *c)
{
    int64_t offset = llround(c->given->at * p->fps) + c->given->at_frame;
    return c->given->at_end ? p->frames - c->frames - offset : offset;
}

int plan_first_picture(const Plan *p, const GivenClip *clips)
{
    int found = -1;
    for (int i = 0; i < p->given_count; i++)
        if (first_frame(p, &clips[i]) == 0)
            found = i;
    return found;
}

/* In whole groups of frames, and of those in whole patches. */
static bool place_in_groups(PlannedGiven *at, const LatentGrid *g, bool still, SoraError *err)
{
    int patch = g->patch[0], end = at->first + at->frames;
    int64_t begin_latent, end_latent;
    if (still) {
        begin_latent = at->first == 0 ? 0 : 1 + (at->first - 1) / g->stride_time;
        begin_latent -= begin_latent % patch;
        end_latent = begin_latent + patch;
    } else {
        begin_latent = at->first == 0 ? 0 : 1 + (at->first - 1 + g->stride_time - 1) / g->stride_time;
        begin_latent = (begin_latent + patch - 1) / patch * patch;
        end_latent = (1 + (end - 1) / g->stride_time) / patch * patch;
        if (end_latent <= begin_latent)
            return error_set(err, SORA_ERROR_INPUT, "frames %d to %d fill no group of %d frames; %d to %d would", at->first,
                             end - 1, g->stride_time * patch, frame_of(g, begin_latent),
                             frame_of(g, begin_latent + patch) - 1);
        at->skip = frame_of(g, begin_latent) - at->first;
    }
    at->first = frame_of(g, begin_latent);
    at->frames = frame_of(g, end_latent) - at->first;
    at->latent = begin_latent;
    at->latents = end_latent - begin_latent;
    return true;
}

/* Models that see frames beside the latent see whole and clean ones, some at the ends alone. */
static bool check_condition(const Plan *p, const LatentGrid *g, const PlannedGiven *at, const GivenClip *c, SoraError *err)
{
    if (c->given->level > 0 || c->mask.rgb != NULL)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "this model takes whole frames, without a mask or a level");
    bool first = at->first == 0 && at->frames == 1, last = at->first == p->frames - 1 && at->frames == 1;
    if (g->last_frame == NEED_NONE && !first)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "this model takes a picture for the first frame and nothing else");
    return g->last_frame != NEED_REQUIRED || first || last ||
           error_set(err, SORA_ERROR_UNSUPPORTED, "this model takes pictures for the first and the last frame alone");
}

static bool place(const Plan *p, const LatentGrid *g, const GivenClip *c, PlannedGiven *at, SoraError *err)
{
    int64_t first = first_frame(p, c);
    if (first < 0 || first > p->frames - c->frames)
        return error_set(err, SORA_ERROR_INPUT, "frames %lld to %lld are not within the video's 0 to %d", (long long)first,
                         (long long)first + c->frames - 1, p->frames - 1);
    *at = (PlannedGiven){.first = (int)first, .frames = c->frames};
    return g->condition ? check_condition(p, g, at, c, err) : place_in_groups(at, g, c->still, err);
}

static bool is_shown(const Plan *p, int frame)
{
    for (int i = 0; i < p->given_count; i++)
        if (frame >= p->placed[i].first && frame < p->placed[i].first + p->placed[i].frames)
            return true;
    return false;
}

/* Nothing of a given is seen when a later one lies over all of it. */
static bool check_covered(const Plan *p, const GivenClip *clips, SoraError *err)
{
    for (int i = 0; i < p->given_count; i++)
        for (int k = i + 1; k < p->given_count; k++) {
            const PlannedGiven *a = &p->placed[i], *b = &p->placed[k];
            bool covers = b->first <= a->first && b->first + b->frames >= a->first + a->frames;
            if (covers && clips[k].mask.rgb == NULL && clips[k].given->level < 1)
                return error_set(err, SORA_ERROR_INPUT, "given %d: given %d lies over all of it", i + 1, k + 1);
        }
    return true;
}

bool plan_place(Plan *p, const LatentGrid *g, const GivenClip *clips, SoraError *err)
{
    for (int i = 0; i < p->given_count; i++)
        if (!place(p, g, &clips[i], &p->placed[i], err))
            return error_wrap(err, "given %d", i + 1);
    if (!is_shown(p, 0) && g->first_frame == NEED_REQUIRED)
        return error_set(err, SORA_ERROR_INPUT, "image: this model needs one for the first frame");
    if (g->last_frame == NEED_REQUIRED && (p->frames == 1 || !is_shown(p, p->frames - 1)))
        return error_set(err, SORA_ERROR_INPUT, p->frames == 1 ? "frames: this model needs 2 or more, a first and a last one"
                                                               : "last image: this model needs one for the last frame");
    return check_covered(p, clips, err);
}

json_t *plan_given_json(const Plan *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->given_count; i++) {
        const SoraGiven *g = &p->given[i];
        json_array_append_new(list, json_pack("{s:i, s:i, s:f, s:b}", "first_frame", p->placed[i].first, "frames",
                                              p->placed[i].frames, "level", g->level, "mask",
                                              g->mask != NULL || g->mask_path != NULL));
    }
    return list;
}

static int add_input(SoraInput *list, int count, int max, SoraInput input)
{
    if (input.path == NULL || count >= max)
        return count;
    for (int i = 0; i < count; i++)
        if (strcmp(list[i].path, input.path) == 0)
            return count;
    list[count] = input;
    return count + 1;
}

int sora_request_inputs(const SoraRequest *request, SoraInput *list, int max)
{
    int count = 0;
    bool parent = false;
    for (int i = 0; i < request->given_count; i++) {
        const SoraGiven *g = &request->given[i];
        bool begins = !parent && g->path != NULL && !g->at_end && g->at == 0 && g->at_frame == 0;
        parent = parent || begins;
        count = add_input(list, count, max, (SoraInput){.path = g->path, .role = begins ? SORA_INPUT_PARENT : SORA_INPUT_COMPONENT});
    }
    for (int i = 0; i < request->given_count; i++)
        count = add_input(list, count, max, (SoraInput){.path = request->given[i].mask_path, .role = SORA_INPUT_SOURCE});
    return count;
}
