#include "adapt/base.h"

#include <stdlib.h>

#include "engine/encode.h"
#include "engine/engine.h"
#include "weights/convert.h"

/* A Base is the engine itself. */
static SoraEngine *engine_of(const Base *b)
{
    return (SoraEngine *)(uintptr_t)b;
}

Base *base_open(const char *name, const TrainOptions *o, SoraError *err)
{
    SoraOptions options = {.threads = o->threads, .precision = (SoraPrecision)o->precision, .memory = o->memory};
    SoraEngine *e = sora_engine_open(name, &options, err);
    if (e != NULL && (e->pipeline.low_noise != NULL || pipeline_has_condition(&e->pipeline) || e->pipeline.image_encoder != NULL)) {
        error_set(err, SORA_ERROR_UNSUPPORTED, "%s: LoRAs are trained for models of text to video with one transformer", e->manifest.name);
        sora_engine_close(e);
        return NULL;
    }
    return (Base *)e;
}

void base_close(Base *b)
{
    sora_engine_close(engine_of(b));
}

Dit *base_transformer(Base *b)
{
    return &engine_of(b)->transformer;
}

int64_t base_weights(const Base *b)
{
    return params_numel(&engine_of(b)->parts[SLOT_TRANSFORMER].params);
}

double base_bytes(const Base *b)
{
    return (double)part_convert_bytes(engine_of(b)->parts[SLOT_TRANSFORMER].part);
}

Backend *base_backend(Base *b)
{
    return &engine_of(b)->pager.base;
}

Graph *base_graph(Base *b)
{
    return engine_of(b)->pipeline.graph;
}

bool base_shape(const Base *b, int width, int height, int frames, CanvasShape *shape, SoraError *err)
{
    const LatentGrid *g = &engine_of(b)->grid;
    *shape = (CanvasShape){.channels = g->channels, .frames = 1 + (frames - 1) / g->stride_time, .height = height / g->stride_space,
                           .width = width / g->stride_space, .patch = {g->patch[0], g->patch[1], g->patch[2]}};
    bool fits = width % (g->stride_space * g->patch[2]) == 0 && height % (g->stride_space * g->patch[1]) == 0 &&
                (frames - 1) % g->stride_time == 0 && shape->frames % g->patch[0] == 0;
    return fits || error_set(err, SORA_ERROR_INPUT, "%dx%d, %d frames: multiples of %dx%d px and 1+%dn frames are needed", width, height,
                             frames, g->stride_space * g->patch[2], g->stride_space * g->patch[1], g->stride_time);
}

float *base_encode(Base *b, const float *video, int width, int height, int frames, SoraError *err)
{
    const SoraEngine *e = engine_of(b);
    LatentClip out = {0};
    EncodeJob job = {.width = width, .height = height, .sink = latent_clip_take, .user = &out};
    if (!latent_clip_init(&out, &e->autoencoder.config, &job, 1 + (frames - 1) / e->grid.stride_time, err))
        return NULL;
    Encoder *encoder = encoder_open(&e->pipeline, &job, err);
    bool ok = encoder != NULL;
    for (int f = 0; ok && f < frames; f++)
        ok = encoder_push(encoder, video + (size_t)f * (size_t)width * (size_t)height * 3, err);
    ok = ok && encoder_finish(encoder, err);
    encoder_close(encoder);
    if (ok)
        return out.data;
    latent_clip_deinit(&out);
    return NULL;
}

bool base_text(Base *b, const char *text, TextRows *out, SoraError *err)
{
    ContextRows rows;
    bool ok = pipeline_encode_text(&engine_of(b)->pipeline, text, &rows, err);
    *out = (TextRows){.rows = ok ? rows.rows : 0, .data = ok ? rows.data : NULL};
    return ok;
}

double base_guidance(const Base *b)
{
    return engine_of(b)->manifest.guidance_scale;
}

static bool keep_going(const SoraProgress *progress, void *user)
{
    const BaseClip *clip = user;
    return clip->keep_going == NULL || clip->keep_going(clip->user);
}

float *base_make(Base *b, const BaseClip *clip, SoraError *err)
{
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = clip->prompt;
    r.width = clip->width;
    r.height = clip->height;
    r.frames = clip->frames;
    r.seed = clip->seed;
    r.progress = keep_going;
    r.user = (void *)(uintptr_t)clip;
    SoraVideo *v = sora_generate(engine_of(b), &r, err);
    if (v == NULL)
        return NULL;
    size_t frame = (size_t)clip->width * (size_t)clip->height * 3;
    float *video = malloc(frame * (size_t)clip->frames * sizeof *video), *latent = NULL;
    for (int f = 0; video != NULL && f < clip->frames; f++)
        for (size_t i = 0; i < frame; i++)
            video[(size_t)f * frame + i] = (float)sora_video_frame(v, f)[i] / 127.5f - 1;
    sora_video_free(v);
    if (video == NULL)
        error_no_memory(err);
    else
        latent = base_encode(b, video, clip->width, clip->height, clip->frames, err);
    free(video);
    return latent;
}

void base_rest(Base *b)
{
    graph_trim(engine_of(b)->pipeline.graph);
}
