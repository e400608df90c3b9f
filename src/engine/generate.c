#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "engine/video.h"
#include "safety/watermark.h"

enum { NOISE_STREAM = 0 };

/* One call of sora_generate(). */
typedef struct Generation {
    SoraEngine *engine;
    const SoraRequest *request;
    Plan plan;
    double start;
    TextRows prompt, negative;
    Canvas canvas;
    float *latent;
    SoraVideo *video;
    Watermark *watermark; /* NULL: none is wanted */
    int frames_done;
} Generation;

static bool report(const Generation *n, SoraStage stage, int done, int total, SoraError *err)
{
    SoraProgress progress = {stage, done, total, clock_seconds() - n->start};
    if (n->request->progress == NULL || n->request->progress(&progress, n->request->user))
        return true;
    return error_set(err, SORA_ERROR_CANCELLED, "cancelled");
}

/* The picture that the video begins with becomes the first latent frame. */
static bool give_image(Generation *n, SoraError *err)
{
    const Plan *p = &n->plan;
    Image file = {0}, image = {0};
    float *latent = NULL;
    bool ok = image_read(&file, p->image_path, err) && image_cover(&image, &file, p->width, p->height, err) &&
              (latent = pipeline_encode_image(&n->engine->pipeline, &image, err)) != NULL;
    if (ok)
        canvas_give_frames(&n->canvas, 0, 1, latent);
    free(latent);
    image_deinit(&file);
    image_deinit(&image);
    return ok;
}

/* The texts and the picture: everything that is known before the first step. */
static bool encode_inputs(Generation *n, SoraError *err)
{
    const Pipeline *pipeline = &n->engine->pipeline;
    bool guided = n->plan.guidance_scale != 1;
    int done = 0, total = 1 + guided + (n->plan.image_path != NULL);
    if (!report(n, SORA_STAGE_TEXT, done, total, err))
        return false;
    if (n->plan.image_path != NULL &&
        (!give_image(n, err) || !report(n, SORA_STAGE_TEXT, ++done, total, err)))
        return false;
    if (!pipeline_encode_text(pipeline, n->plan.prompt, &n->prompt, err) ||
        !report(n, SORA_STAGE_TEXT, ++done, total, err))
        return false;
    return !guided || (pipeline_encode_text(pipeline, n->plan.negative_prompt, &n->negative, err) &&
                       report(n, SORA_STAGE_TEXT, ++done, total, err));
}

static bool after_step(void *user, int done, const float *latent)
{
    Generation *n = user;
    return report(n, SORA_STAGE_DENOISE, done, n->plan.steps, NULL);
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
        .canvas = &n->canvas,
        .prompt = n->prompt,
        .negative = n->negative,
        .after_step = after_step,
        .user = n,
    };
    return report(n, SORA_STAGE_DENOISE, 0, p->steps, err) &&
           pipeline_denoise(&n->engine->pipeline, &d, n->latent, err);
}

static bool take_frames(void *user, const float *frames, int count, SoraError *err)
{
    Generation *n = user;
    SoraVideo *v = n->video;
    if (count > v->frames - n->frames_done)
        return error_set(err, SORA_ERROR_INTERNAL, "autoencoder: more than %d frames", v->frames);
    size_t frame = (size_t)v->width * (size_t)v->height * 3;
    pixels_to_bytes(frames, v->rgb + (size_t)n->frames_done * frame, (size_t)count * frame);
    for (int i = n->frames_done; n->watermark != NULL && i < n->frames_done + count; i++)
        watermark_draw(n->watermark, v->rgb + (size_t)i * frame, &(WatermarkTime){i / v->fps, v->frames / v->fps});
    n->frames_done += count;
    int latents = 1 + (n->frames_done - 1) / n->engine->grid.stride_time;
    return report(n, SORA_STAGE_DECODE, latents, (int)n->plan.latent.frames, err);
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
    v->rgb = calloc((size_t)p->frames, (size_t)p->width * (size_t)p->height * 3);
    v->title = strdup(p->prompt);
    v->parameters = plan_json(p, n->engine->manifest.name);
    if (!generation_id_make(v->id, err))
        return false;
    if (p->watermark && (n->watermark = watermark_new(p->width, p->height, err)) == NULL)
        return false;
    return (v->rgb != NULL && v->title != NULL && v->parameters != NULL) ||
           error_set(err, SORA_ERROR_MEMORY, "video: out of memory");
}

static bool run(Generation *n, SoraError *err)
{
    const SoraEngine *e = n->engine;
    if (!plan_make(&n->plan, n->request, &e->manifest, &e->grid, err) || !init_video(n, err) ||
        !canvas_init(&n->canvas, &n->plan.latent, err) || !encode_inputs(n, err) || !denoise(n, err) ||
        !report(n, SORA_STAGE_DECODE, 0, (int)n->plan.latent.frames, err))
        return false;
    return pipeline_decode(&e->pipeline, &n->plan.latent, n->latent, take_frames, n, err);
}

SoraVideo *sora_generate(SoraEngine *engine, const SoraRequest *request, SoraError *err)
{
    Generation n = {.engine = engine, .request = request, .start = clock_seconds()};
    if (!run(&n, err)) {
        sora_video_free(n.video);
        n.video = NULL;
    }
    text_rows_free(&n.prompt);
    text_rows_free(&n.negative);
    canvas_deinit(&n.canvas);
    watermark_free(n.watermark);
    free(n.latent);
    return n.video;
}
