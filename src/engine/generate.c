#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "engine/checks.h"
#include "engine/engine.h"
#include "engine/request_notes.h"
#include "engine/video.h"
#include "media/watermark.h"

enum { NOISE_STREAM = 0 };

/* One call of sora_generate(). */
typedef struct Generation {
    SoraEngine *engine;
    const SoraRequest *request;
    Plan plan;
    double start;
    Image first, last; /* the request's pictures, as they are in their files */
    ContextRows prompt, negative, pictures;
    Canvas canvas;
    float *latent;
    SoraVideo *video;
    Watermark *watermark; /* NULL: none is wanted */
    SoraError stopped;    /* why the sampling was ended after a step */
    bool refused;         /* the caller did not take a frame, and said why */
} Generation;

static bool report(const Generation *n, SoraPhase phase, int done, int total, SoraError *err)
{
    SoraProgress progress = {phase, done, total, clock_seconds() - n->start};
    if (n->request->progress == NULL || n->request->progress(&progress, n->request->user))
        return true;
    return error_set(err, SORA_ERROR_CANCELLED, "cancelled");
}

static void give_frames(Generation *n, int64_t first, int64_t count, const float *latent)
{
    GivenPart part = given_frames(n->canvas.grid, first, count, 0);
    canvas_give(&n->canvas, &part, latent);
}

/* The picture that the video begins with becomes the first latent frame. */
static bool give_first_frame(Generation *n, SoraError *err)
{
    const Plan *p = &n->plan;
    Image image = {0};
    Pixels pixels = {0};
    float *latent = NULL;
    bool ok =
        image_cover(&image, &n->first, p->width, p->height, err) && pixels_from_image(&pixels, &image, err) &&
        (latent = pipeline_encode_known(&n->engine->pipeline, &(KnownFrames){&pixels, NULL, 1}, err)) != NULL;
    if (ok)
        give_frames(n, 0, 1, latent);
    free(latent);
    image_deinit(&image);
    pixels_deinit(&pixels);
    return ok;
}

/* The largest part from the middle of a picture that has that shape. */
static bool cut(Pixels *out, const Image *in, Size shape, SoraError *err)
{
    Size s = {in->width, in->height};
    if ((int64_t)in->width * shape.height > (int64_t)in->height * shape.width)
        s.width = (int)((int64_t)in->height * shape.width / shape.height);
    else
        s.height = (int)((int64_t)in->width * shape.height / shape.width);
    s.width += s.width == 0;
    s.height += s.height == 0;
    Image image;
    bool ok = image_crop(&image, in, (in->width - s.width) / 2, (in->height - s.height) / 2, s.width,
                         s.height, err) &&
              pixels_from_image(out, &image, err);
    image_deinit(&image);
    return ok;
}

/* Pictures that the transformer sees beside the latent and, with an image encoder, hears. A video that has
 * the first one's shape takes the whole of it and stretches it a little, as Wan does; else it is cut. */
static bool give_condition(Generation *n, SoraError *err)
{
    const Plan *p = &n->plan;
    const Pipeline *pipeline = &n->engine->pipeline;
    const Image *images[2] = {&n->first, &n->last};
    int count = p->last_image_path != NULL ? 2 : 1;
    Size shape = p->sized_by_picture ? (Size){n->first.width, n->first.height} : (Size){p->width, p->height};
    Pixels whole[2] = {{0}}, resized[2] = {{0}};
    bool ok = true;
    for (int i = 0; i < count && ok; i++)
        ok = cut(&whole[i], images[i], shape, err) &&
             pixels_resize(&resized[i], &whole[i], p->width, p->height, err);
    KnownFrames known = {&resized[0], count == 2 ? &resized[1] : NULL, p->frames};
    ok = ok && pipeline_condition(pipeline, &known, &n->canvas, err);
    if (ok && pipeline->image_encoder != NULL && pipeline->transformer->config.clip_dim > 0)
        ok = pipeline_encode_pictures(pipeline, (const Pixels *const[]){&whole[0], &whole[1]}, count,
                                      &n->pictures, err);
    for (int i = 0; i < 2; i++) {
        pixels_deinit(&whole[i]);
        pixels_deinit(&resized[i]);
    }
    return ok;
}

static bool give_pictures(Generation *n, SoraError *err)
{
    return pipeline_has_condition(&n->engine->pipeline) ? give_condition(n, err) : give_first_frame(n, err);
}

/* What the encoders made. */
static bool check_inputs(const Generation *n, SoraError *err)
{
    const Canvas *c = &n->canvas;
    const ContextRows *rows[3] = {&n->prompt, &n->negative, &n->pictures};
    static const char *const WHAT[3] = {"the encoded prompt", "the encoded negative prompt", "the encoded picture"};
    bool ok = true;
    for (int i = 0; i < 3 && ok; i++)
        ok = rows[i]->data == NULL || check_numbers(n->engine, i < 2 ? SLOT_TEXT_ENCODER : SLOT_IMAGE_ENCODER, WHAT[i],
                                                    rows[i]->data, (size_t)(rows[i]->rows * rows[i]->dim), err);
    size_t condition = (size_t)(c->cells / c->shape.channels * c->condition_channels);
    return ok && check_numbers(n->engine, SLOT_AUTOENCODER, "the picture's latent", c->known, (size_t)c->cells, err) &&
           (c->condition == NULL ||
            check_numbers(n->engine, SLOT_AUTOENCODER, "the picture's latent", c->condition, condition, err));
}

/* The texts and the pictures: everything that is known before the first step. */
static bool encode_inputs(Generation *n, SoraError *err)
{
    const Pipeline *pipeline = &n->engine->pipeline;
    bool guided = plan_is_guided(&n->plan);
    int done = 0, total = 1 + guided + (n->plan.image_path != NULL);
    if (!report(n, SORA_PHASE_TEXT, done, total, err))
        return false;
    if (n->plan.image_path != NULL &&
        (!give_pictures(n, err) || !report(n, SORA_PHASE_TEXT, ++done, total, err)))
        return false;
    if (!pipeline_encode_text(pipeline, n->plan.prompt, &n->prompt, err) ||
        !report(n, SORA_PHASE_TEXT, ++done, total, err))
        return false;
    if (guided && (!pipeline_encode_text(pipeline, n->plan.negative_prompt, &n->negative, err) ||
                   !report(n, SORA_PHASE_TEXT, ++done, total, err)))
        return false;
    return check_inputs(n, err);
}

static bool after_step(void *user, int done, const float *latent)
{
    Generation *n = user;
    char what[32];
    snprintf(what, sizeof what, "step %d: the latent", done);
    return check_numbers(n->engine, SLOT_TRANSFORMER, what, latent, (size_t)n->canvas.cells, &n->stopped) &&
           report(n, SORA_PHASE_DENOISE, done, n->plan.steps, &n->stopped);
}

static bool denoise(Generation *n, SoraError *err)
{
    const Plan *p = &n->plan;
    n->latent = malloc((size_t)n->canvas.cells * sizeof *n->latent);
    if (n->latent == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "latent: out of memory");
    Rng rng;
    rng_init(&rng, p->seed, NOISE_STREAM);
    rng_fill_normal(&rng, n->latent, (size_t)n->canvas.cells);
    Denoising d = {
        .sampler = {p->solver, p->steps, p->shift, n->engine->manifest.train_timesteps, 0},
        .guidance_scale = p->guidance_scale,
        .low_guidance_scale = p->low_guidance_scale,
        .canvas = &n->canvas,
        .passages = &(Passage){n->prompt, n->canvas.grid[0]},
        .passage_count = 1,
        .negative = n->negative,
        .pictures = n->pictures,
        .cache_threshold = p->cache_threshold,
        .steps_computed = &n->plan.steps_computed,
        .after_step = after_step,
        .user = n,
    };
    if (!report(n, SORA_PHASE_DENOISE, 0, p->steps, err))
        return false;
    bool ok = pipeline_denoise(&n->engine->pipeline, &d, n->latent, err);
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
    v->prompt = p->private_prompt ? NULL : strdup(p->prompt);
    if (!video_init_frames(v, err) || !uuid_make_v7(v->id, err))
        return false;
    if (p->watermark && (n->watermark = watermark_new(p->width, p->height, err)) == NULL)
        return false;
    return v->prompt != NULL || p->private_prompt || error_set(err, SORA_ERROR_MEMORY, "video: out of memory");
}

/* The pictures come first, for the size may follow from theirs. */
static bool make_plan(Generation *n, SoraError *err)
{
    const SoraRequest *r = n->request;
    const SoraEngine *e = n->engine;
    if ((r->image_path != NULL && !image_read(&n->first, r->image_path, err)) ||
        (r->last_image_path != NULL && !image_read(&n->last, r->last_image_path, err)))
        return false;
    Size size = {n->first.width, n->first.height};
    return plan_make(&n->plan, r, &e->manifest, &e->grid, r->image_path != NULL ? &size : NULL, err);
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

static bool run(Generation *n, SoraError *err)
{
    const SoraEngine *e = n->engine;
    if (!make_plan(n, err) || !init_video(n, err) || !tell_notes(n, err) || !canvas_init(&n->canvas, &n->plan.latent, err) ||
        !encode_inputs(n, err))
        return false;
    graph_trim(e->pipeline.graph); /* the text encoder has done its work */
    if (!denoise(n, err) || !report(n, SORA_PHASE_DECODE, 0, (int)n->plan.latent.frames, err))
        return false;
    graph_trim(e->pipeline.graph);
    n->video->parameters = plan_json(&n->plan, e->manifest.name, sora_engine_loras(e)); /* it says how many steps were computed */
    return (n->video->parameters != NULL || error_set(err, SORA_ERROR_MEMORY, "video: out of memory")) &&
           decode(n, err);
}

SoraVideo *sora_generate(SoraEngine *engine, const SoraRequest *request, SoraError *err)
{
    Generation n = {.engine = engine, .request = request, .start = clock_seconds()};
    if (!run(&n, err)) {
        sora_video_free(n.video);
        n.video = NULL;
    }
    context_rows_free(&n.prompt);
    context_rows_free(&n.negative);
    context_rows_free(&n.pictures);
    image_deinit(&n.first);
    image_deinit(&n.last);
    canvas_deinit(&n.canvas);
    watermark_free(n.watermark);
    free(n.latent);
    return n.video;
}
