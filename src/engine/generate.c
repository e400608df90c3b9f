#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "engine/checks.h"
#include "engine/engine.h"
#include "engine/generation.h"
#include "engine/give.h"
#include "engine/preview.h"
#include "engine/request_notes.h"
#include "media/watermark.h"

enum { NOISE_STREAM = 0 };

static bool report(const Generation *n, SoraPhase phase, int done, int total, SoraError *err)
{
    SoraProgress progress = {phase, done, total, clock_seconds() - n->start};
    if (!lost_check(err))
        return false;
    if (n->request->progress == NULL || n->request->progress(&progress, n->request->user))
        return true;
    return error_set(err, SORA_ERROR_CANCELLED, "cancelled");
}

static bool check_rows(const Generation *n, ModelSlot slot, const char *what, const ContextRows *rows, SoraError *err)
{
    return rows->data == NULL || check_numbers(n->engine, slot, what, rows->data, (size_t)(rows->rows * rows->dim), err);
}

/* What the encoders made. */
static bool check_inputs(const Generation *n, SoraError *err)
{
    const Canvas *c = &n->canvas;
    size_t condition = (size_t)(c->cells / c->shape.channels * c->condition_channels);
    bool ok = true;
    for (int i = 0; i < n->plan.passage_count && ok; i++)
        ok = check_rows(n, SLOT_TEXT_ENCODER, "the encoded prompt", &n->passages[i].text, err);
    ok = ok && check_rows(n, SLOT_TEXT_ENCODER, "the encoded negative prompt", &n->negative, err) &&
         check_rows(n, SLOT_IMAGE_ENCODER, "the encoded picture", &n->pictures, err);
    return ok && check_numbers(n->engine, SLOT_AUTOENCODER, "the picture's latent", c->known, (size_t)c->cells, err) &&
           (c->condition == NULL ||
            check_numbers(n->engine, SLOT_AUTOENCODER, "the picture's latent", c->condition, condition, err));
}

static bool encode_text(Generation *n, const char *text, ContextRows *rows, int done, SoraError *err)
{
    return text_cache_encode(n->texts, &n->engine->pipeline, text, rows, err) &&
           report(n, SORA_PHASE_TEXT, done, n->inputs, err);
}

/* Words and pictures: everything that is known before the first step. */
static bool encode_inputs(Generation *n, SoraError *err)
{
    const Plan *p = &n->plan;
    Giving giving = {.pipeline = &n->engine->pipeline, .plan = p, .clips = n->clips, .canvas = &n->canvas,
                     .heard = &n->pictures, .limit = pager_left(&n->engine->pager)};
    if (n->texts == NULL)
        n->texts = &n->own_texts;
    bool guided = plan_is_guided(p);
    int done = 0;
    n->inputs = p->passage_count + guided + (p->given_count > 0);
    if (!report(n, SORA_PHASE_TEXT, 0, n->inputs, err))
        return false;
    if (p->given_count > 0 && (!give_all(&giving, err) || !report(n, SORA_PHASE_TEXT, ++done, n->inputs, err)))
        return false;
    for (int i = 0; i < p->passage_count; i++) {
        n->passages[i].frames = p->passages[i].frames;
        if (!encode_text(n, p->passages[i].prompt, &n->passages[i].text, ++done, err))
            return false;
    }
    for (int i = 0; i < n->latent_count; i++)
        give_latents(&n->canvas, &n->latents[i]);
    return (!guided || encode_text(n, p->negative_prompt, &n->negative, ++done, err)) && check_inputs(n, err);
}

static bool prepare_preview(Generation *n, SoraError *err)
{
    double began = clock_seconds();
    if (n->request->preview == NULL)
        return true;
    bool ok = preview_init(&n->preview, &n->engine->pipeline, &n->plan.latent, err);
    graph_trim(n->engine->pipeline.graph);
    n->preview_seconds = clock_seconds() - began;
    return ok;
}

/* After the first step, and then whenever previews have not taken more than their part of the time. */
static void show_preview(Generation *n, int done)
{
    static const double PART = 0.02;
    Preview *p = &n->preview;
    double now = clock_seconds();
    if (n->request->preview == NULL || (done > 1 && n->preview_seconds > PART * (now - n->start)))
        return;
    preview_draw(p);
    n->request->preview(&(SoraPreview){done, n->plan.steps, p->frames, p->width, p->height, p->rgb}, n->request->user);
    n->preview_seconds += clock_seconds() - now;
}

/* Of the canvas, or of the ring and the still before it. */
static size_t latent_cells(const Generation *n)
{
    size_t frame = (size_t)(n->canvas.cells / n->canvas.shape.frames);
    return n->ring > 0 ? frame * (size_t)n->ring : (size_t)n->canvas.cells;
}

static bool after_step(void *user, int done, const float *latent)
{
    Generation *n = user;
    char what[32];
    snprintf(what, sizeof what, "step %d: the latent", done);
    if (!check_numbers(n->engine, SLOT_TRANSFORMER, what, latent, latent_cells(n), &n->stopped))
        return false;
    show_preview(n, done);
    return report(n, SORA_PHASE_DENOISE, done, n->plan.steps, &n->stopped);
}

static bool denoise(Generation *n, SoraError *err)
{
    const Plan *p = &n->plan;
    size_t cells = latent_cells(n);
    n->latent = malloc(cells * sizeof *n->latent);
    if (n->latent == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "latent: out of memory");
    Rng rng;
    rng_init(&rng, p->seed, NOISE_STREAM);
    rng_fill_normal(&rng, n->latent, cells);
    Denoising d = {
        .sampler = {p->solver, p->steps, p->shift, n->engine->manifest.train_timesteps, 0},
        .guidance_scale = p->guidance_scale,
        .low_guidance_scale = p->low_guidance_scale,
        .canvas = &n->canvas,
        .passages = n->passages,
        .passage_count = p->passage_count,
        .negative = n->negative,
        .pictures = n->pictures,
        .cache_threshold = p->cache_threshold,
        .steps_computed = &n->plan.steps_computed,
        .estimate = n->preview.estimate,
        .after_step = after_step,
        .user = n,
    };
    if (!report(n, SORA_PHASE_DENOISE, 0, p->steps, err))
        return false;
    bool ok = n->ring > 0 ? pipeline_denoise_ring(&n->engine->pipeline, &d, n->ring, n->latent, err)
                          : pipeline_denoise(&n->engine->pipeline, &d, n->latent, err);
    if (!ok && n->stopped.code != SORA_OK && n->stopped.code != SORA_ERROR_CANCELLED && err != NULL)
        *err = n->stopped;
    return ok;
}

/* Frame i is there; nothing more happens to it. */
static bool finish_frame(Generation *n, int i, SoraError *err)
{
    SoraVideo *v = n->video;
    if (n->watermark != NULL)
        watermark_draw(n->watermark, video_frame(v, i), &(WatermarkTime){i / v->fps, v->frames / v->fps});
    bool ok = n->request->frame == NULL || n->request->frame(v, i, n->request->user, err);
    video_leave(v, i);
    n->refused = !ok;
    return ok;
}

static bool take_part(void *user, const DecodedPart *part, SoraError *err)
{
    Generation *n = user;
    size_t numbers = (size_t)part->count * (size_t)part->width * (size_t)part->height * 3;
    bool ok = check_numbers(n->engine, SLOT_AUTOENCODER, "a frame", part->pixels, numbers, err) &&
              video_put(n->video, part, err),
         complete = ok && video_completes(n->video, part);
    /* The caller's own work with the frames, such as encoding, takes memory that is not counted. */
    if (complete && n->request->frame != NULL && n->engine->pager.limit > 0)
        graph_trim(n->engine->pipeline.graph);
    for (int i = part->first; complete && ok && i < part->first + part->count; i++)
        ok = finish_frame(n, i, err);
    return ok && report(n, SORA_PHASE_DECODE, part->done, part->total, err);
}

static bool decode(Generation *n, SoraError *err)
{
    DecodeJob job = {n->plan.latent, n->latent, pager_left(&n->engine->pager), take_part, n};
    bool ok = pipeline_decode(&n->engine->pipeline, &job, err);
    if (!ok && !n->refused)
        error_wrap(err, "decode");
    return ok;
}

static bool init_video(Generation *n, SoraError *err)
{
    const Plan *p = &n->plan;
    SoraVideo *v = n->video = calloc(1, sizeof *v);
    if (v == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "video: out of memory");
    v->width = p->width;
    v->height = p->height;
    v->frames = p->frames;
    v->fps = p->fps;
    v->prompt = p->private_prompt ? NULL : strdup(p->words);
    if (!video_init_frames(v, err) || !uuid_make_v7(v->id, err))
        return false;
    if (p->watermark && (n->watermark = watermark_new(p->width, p->height, err)) == NULL)
        return false;
    return v->prompt != NULL || p->private_prompt || error_set(err, SORA_ERROR_MEMORY, "video: out of memory");
}

static bool check_lists(const SoraEngine *e, const SoraRequest *r, SoraError *err)
{
    if (e == NULL || r == NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: there is none", e == NULL ? "engine" : "request");
    return (r->given_count >= 0 && r->given_count <= PLAN_MAX_GIVEN && (r->given_count == 0 || r->given != NULL)) ||
           error_set(err, SORA_ERROR_INPUT, "given: %d%s, at most %d are accepted", r->given_count,
                     r->given == NULL ? " of none" : "", PLAN_MAX_GIVEN);
}

/* What is given comes first, for the size may follow from a picture's. */
bool generation_plan(Generation *n, SoraError *err)
{
    const SoraRequest *r = n->request;
    const SoraEngine *e = n->engine;
    double fps;
    if (!check_lists(e, r, err) || !plan_fps(r, &e->manifest, &fps, err))
        return false;
    for (int i = 0; i < r->given_count; i++) {
        /* Copies in other forms are made of frames, which count too: bytes, a crop of it, and floating numbers of that. */
        ForeignLimits limits = {.memory = pager_left(&e->pager),
                                .bytes_per_pixel = pipeline_has_condition(&e->pipeline) ? 3 + 3 * sizeof(float) : 3};
        bool sound = given_clip_check(&r->given[i], err);
        if (sound && given_clip_open(&n->clips[i], &r->given[i], fps, &limits, err))
            continue;
        return sound && r->given[i].path != NULL ? false : error_wrap(err, "given %d", i + 1); /* a file has a name */
    }
    return plan_make(&n->plan, r, &e->manifest, &e->grid, n->clips, err);
}

static bool tell_notes(Generation *n, SoraError *err)
{
    Notes *notes = &n->video->notes;
    if (!request_notes(notes, n->engine, n->request, &n->plan, err))
        return false;
    for (int i = 0; i < notes->count && n->request->note != NULL; i++)
        n->request->note(&notes->items[i], n->request->user);
    return true;
}

bool generation_sample(Generation *n, SoraError *err)
{
    if (!canvas_init(&n->canvas, &n->plan.latent, err) || !encode_inputs(n, err))
        return false;
    graph_trim(n->engine->pipeline.graph); /* the text encoder has done its work */
    return prepare_preview(n, err) && denoise(n, err);
}

static bool run(Generation *n, SoraError *err)
{
    const SoraEngine *e = n->engine;
    if (!generation_plan(n, err) || !init_video(n, err) || !tell_notes(n, err) || !generation_sample(n, err) ||
        !report(n, SORA_PHASE_DECODE, 0, (int)n->plan.latent.frames, err))
        return false;
    graph_trim(e->pipeline.graph);
    n->video->parameters = plan_json(&n->plan, e->manifest.name, sora_engine_loras(e)); /* it says how many steps were computed */
    return (n->video->parameters != NULL || error_set(err, SORA_ERROR_MEMORY, "video: out of memory")) &&
           decode(n, err);
}

void generation_deinit(Generation *n)
{
    for (int i = 0; i < PLAN_MAX_GIVEN; i++)
        given_clip_close(&n->clips[i]);
    text_cache_deinit(&n->own_texts);
    context_rows_free(&n->pictures);
    canvas_deinit(&n->canvas);
    watermark_free(n->watermark);
    preview_deinit(&n->preview);
    free(n->latent);
    plan_deinit(&n->plan);
}

/* Runs `work`. When a file of the engine or one that is given lost its end, that is the error, whatever came of it. */
static bool on_whole_files(Generation *n, bool (*work)(Generation *n, SoraError *err), SoraError *err)
{
    SoraEngine *e = n->engine;
    if (e != NULL)
        lost_begin(&e->losses);
    lost_begin(&n->losses);
    bool ok = work(n, err);
    ok = lost_check(err) && ok;
    generation_deinit(n);
    lost_end(&n->losses);
    if (e != NULL)
        lost_end(&e->losses);
    return ok;
}

SoraVideo *sora_generate(SoraEngine *engine, const SoraRequest *request, SoraError *err)
{
    Generation n = {.engine = engine, .request = request, .start = clock_seconds()};
    if (!on_whole_files(&n, run, err)) {
        sora_video_free(n.video);
        n.video = NULL;
    }
    return n.video;
}

bool sora_request_check(const SoraEngine *engine, const SoraRequest *request, SoraError *err)
{
    Generation n = {.engine = (SoraEngine *)engine, .request = request};
    return on_whole_files(&n, generation_plan, err);
}
