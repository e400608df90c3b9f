/* sora_caption(): what a model's captioner says of a clip. Its networks are in the model's folder: captioner/ beside the
 * autoencoder whose latents it reads and the tokenizer whose words it speaks. They are opened when they are first asked for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "engine/caption.h"
#include "engine/encode.h"
#include "engine/engine.h"
#include "media/foreign.h"
#include "sample/say.h"
#include "weights/file_source.h"
#include "weights/safetensors.h"

enum { MAX_PATH = 4096 };

/* How clips of its world look to it: (x - mean) through rows, squared and summed, is 1 on average. Of a clip of its world it is
 * hardly ever above limit. */
typedef struct World {
    const float *mean, *rows; /* [dim], [count, dim]; NULL: the folder does not say */
    int64_t count;
    double limit;
} World;

struct CaptionPart {
    Safetensors *file, *world_file;
    FileSource source;
    Params params;
    Captioner model;
    World world;
};

static bool open_world(CaptionPart *p, const char *folder, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/captioner/world.safetensors", folder);
    if (!file_exists(path))
        return true;
    p->world_file = safetensors_open(path, err);
    if (p->world_file == NULL)
        return false;
    const Tensor *mean = safetensors_find(p->world_file, "mean"), *rows = safetensors_find(p->world_file, "rows");
    const Tensor *limit = safetensors_find(p->world_file, "limit");
    int64_t dim = p->model.config.dim;
    if (mean == NULL || rows == NULL || limit == NULL || mean->dtype != DTYPE_F32 || rows->dtype != DTYPE_F32 ||
        limit->dtype != DTYPE_F32 || mean->ndim != 1 || mean->shape[0] != dim || rows->ndim != 2 || rows->shape[1] != dim ||
        limit->ndim != 1 || limit->shape[0] != 1)
        return error_set(err, SORA_ERROR_INPUT, "%s: not of a captioner of width %lld", path, (long long)dim);
    float edge;
    memcpy(&edge, limit->data, sizeof edge);
    p->world = (World){mean->data, rows->data, rows->shape[0], (double)edge};
    return (edge > 0 && isfinite(edge)) || error_set(err, SORA_ERROR_INPUT, "%s: \"limit\" is %g", path, (double)edge);
}

static bool open_captioner(CaptionPart *p, const SoraEngine *e, SoraError *err)
{
    char path[MAX_PATH];
    CaptionerConfig c;
    snprintf(path, sizeof path, "%s/captioner/config.json", e->folder);
    if (!file_exists(path))
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: the model has no captioner: there is no folder captioner in it (sora train captioner)",
                         e->folder);
    json_t *json = json_file_read(path, err);
    bool ok = json != NULL && (captioner_config_parse(&c, json, err) || error_wrap(err, "%s", path));
    json_decref(json);
    if (!ok)
        return false;
    const VaeConfig *v = &e->autoencoder.config;
    if (v->z_dim != c.z_dim)
        return error_set(err, SORA_ERROR_INPUT, "%s: latents of %d channels, the model's have %d", path, c.z_dim, v->z_dim);
    if (tokenizer_vocab_size(e->tokenizer) > c.vocab || tokenizer_eos_id(e->tokenizer) < 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: a vocabulary of %d, the model's has %d", path, c.vocab,
                         tokenizer_vocab_size(e->tokenizer));
    snprintf(path, sizeof path, "%s/captioner/model.safetensors", e->folder);
    p->file = safetensors_open(path, err);
    if (p->file == NULL)
        return false;
    file_source_init(&p->source, p->file, FILE_SOURCE_MAPPED);
    params_init(&p->params, &p->source.source);
    captioner_bind(&p->model, &c, &p->params);
    return params_ok(&p->params, err) && open_world(p, e->folder, err);
}

void caption_part_close(CaptionPart *p)
{
    if (p == NULL)
        return;
    if (p->file != NULL) {
        params_deinit(&p->params);
        file_source_deinit(&p->source);
    }
    safetensors_close(p->file);
    safetensors_close(p->world_file);
    free(p);
}

static bool need_captioner(SoraEngine *e, SoraError *err)
{
    if (e->captioner != NULL)
        return true;
    if (e->folder == NULL)
        return error_set(err, SORA_ERROR_NOT_FOUND, "the model has no folder, so no captioner");
    CaptionPart *p = calloc(1, sizeof *p);
    if (p == NULL)
        return error_no_memory(err);
    if (open_captioner(p, e, err)) {
        e->captioner = p;
        return true;
    }
    caption_part_close(p);
    return false;
}

/* --- the clip --- */

/* Frames as the captioner takes them. */
typedef struct Looking {
    SoraEngine *engine;
    int side;    /* pixels */
    int longest; /* frames at most */
    float *rgb;  /* [longest, side, side, 3] */
    int count;
} Looking;

static bool look_at(Looking *l, const uint8_t *rgb, int width, int height, SoraError *err)
{
    Image image, in = {width, height, (uint8_t *)rgb};
    size_t n = (size_t)l->side * (size_t)l->side * 3;
    if (!image_cover(&image, &in, l->side, l->side, err))
        return false;
    float *out = l->rgb + (size_t)l->count++ * n;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)image.rgb[i] / 127.5f - 1;
    image_deinit(&image);
    return true;
}

static bool read_film(Looking *l, const char *path, double fps, SoraError *err)
{
    ForeignVideo *v = foreign_video_open(path, &(VideoReaderOptions){.fps = fps}, NULL, err);
    bool ok = v != NULL;
    const uint8_t *rgb = NULL;
    while (ok && l->count < l->longest) {
        ok = foreign_video_read(v, &rgb, err);
        if (!ok || rgb == NULL)
            break;
        ok = look_at(l, rgb, foreign_video_width(v), foreign_video_height(v), err);
    }
    foreign_video_close(v);
    return ok && (l->count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no frames", path));
}

static bool read_file(Looking *l, const char *path, double fps, SoraError *err)
{
    FileMap map;
    if (!file_map_open(&map, path, err))
        return false;
    bool gif = map.size >= 4 && memcmp(map.data, "GIF8", 4) == 0, picture = !gif && image_recognised(map.data, map.size);
    Image image = {0};
    bool ok = !picture || foreign_picture_memory(&image, map.data, map.size, path, NULL, err);
    file_map_close(&map);
    if (!picture)
        return read_film(l, path, fps, err);
    ok = ok && look_at(l, image.rgb, image.width, image.height, err);
    image_deinit(&image);
    return ok;
}

static bool read_pixels(Looking *l, const SoraCaptionRequest *r, SoraError *err)
{
    Image probe; /* checks the size */
    if (r->frames < 1)
        return error_set(err, SORA_ERROR_INPUT, "pixels: %d frames", r->frames);
    if (!image_init(&probe, r->width, r->height, err))
        return error_wrap(err, "pixels");
    image_deinit(&probe);
    size_t size = (size_t)r->width * (size_t)r->height * 3;
    bool ok = true;
    for (int i = 0; ok && i < r->frames && i < l->longest; i++)
        ok = look_at(l, r->pixels + size * (size_t)i, r->width, r->height, err);
    return ok;
}

/* --- the words --- */

static double strangeness(const World *w, const float *mean, int64_t dim)
{
    double sum = 0;
    for (int64_t k = 0; k < w->count; k++) {
        double dot = 0;
        for (int64_t i = 0; i < dim; i++)
            dot += (double)w->rows[k * dim + i] * (double)(mean[i] - w->mean[i]);
        sum += dot * dot;
    }
    return sum / w->limit;
}

static bool judge_strangeness(SoraEngine *e, Tensor *memory, SoraCaption *out, SoraError *err)
{
    const CaptionPart *p = e->captioner;
    int64_t dim = p->model.config.dim;
    if (p->world.mean == NULL)
        return true;
    float *mean = malloc((size_t)dim * sizeof *mean);
    if (mean == NULL)
        return error_no_memory(err);
    graph_download(e->pipeline.graph, captioner_mean(e->pipeline.graph, memory, 1), mean);
    bool ok = graph_ok(e->pipeline.graph, err);
    out->strangeness = ok ? strangeness(&p->world, mean, dim) : 0;
    out->foreign = !(out->strangeness <= 1);
    free(mean);
    return ok;
}

static bool speak(SoraEngine *e, const SoraCaptionRequest *r, const float *latent, int64_t frames, SoraCaption *out, SoraError *err)
{
    const CaptionPart *p = e->captioner;
    const CaptionerConfig *c = &p->model.config;
    Graph *g = e->pipeline.graph;
    graph_reset(g);
    /* [C, F, h, w] -> [1, F, h, w, C] */
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, c->z_dim, frames, c->side, c->side), latent);
    Tensor *memory = captioner_look(g, &p->model, op_permute(g, x, (int[]){0, 2, 3, 4, 1}), NULL);
    CaptionForm form = r->detailed ? FORM_DETAILED : FORM_SHORT;
    SayRules rules = {.control = captioner_control(c, r->language == SORA_LANGUAGE_JA, form), .end = tokenizer_eos_id(e->tokenizer),
                      .beams = r->beams > 0 ? r->beams : 1, .temperature = r->temperature, .seed = r->seed};
    Said said;
    if (!judge_strangeness(e, memory, out, err) || !say(g, &p->model, memory, &rules, &said, err))
        return false;
    out->confidence = exp(said.mean_log);
    out->text = tokenizer_decode(e->tokenizer, said.ids, said.count, NULL, err);
    graph_reset(g);
    return out->text != NULL;
}

static bool check_request(const SoraCaptionRequest *r, SoraError *err)
{
    if ((r->path != NULL) == (r->pixels != NULL))
        return error_set(err, SORA_ERROR_INPUT, "%s of path and pixels", r->path == NULL ? "none" : "more than one");
    if (r->language != SORA_LANGUAGE_EN && r->language != SORA_LANGUAGE_JA)
        return error_set(err, SORA_ERROR_INPUT, "language: %d is none", (int)r->language);
    if (r->beams < 0 || r->beams > SAY_MAX_BEAMS)
        return error_set(err, SORA_ERROR_INPUT, "beams: %d is not between 1 and %d", r->beams, SAY_MAX_BEAMS);
    return (r->temperature >= 0 && r->temperature <= 100) ||
           error_set(err, SORA_ERROR_INPUT, "temperature: %g is not between 0 and 100", r->temperature);
}

bool sora_caption(SoraEngine *e, const SoraCaptionRequest *r, SoraCaption *out, SoraError *err)
{
    *out = (SoraCaption){0};
    if (!check_request(r, err) || !need_captioner(e, err))
        return false;
    const CaptionerConfig *c = &e->captioner->model.config;
    const VaeConfig *v = &e->autoencoder.config;
    int stride = vae_stride_time(v);
    Looking l = {.engine = e, .side = c->side * vae_stride_space(v), .longest = 1 + (c->frames - 1) * stride};
    size_t frame = (size_t)l.side * (size_t)l.side * 3;
    l.rgb = malloc((size_t)l.longest * frame * sizeof *l.rgb);
    EncodeJob job = {.width = l.side, .height = l.side};
    LatentClip latents = {0};
    bool ok = (l.rgb != NULL || error_no_memory(err)) &&
              (r->path != NULL ? read_file(&l, r->path, c->fps, err) : read_pixels(&l, r, err));
    int64_t frames = ok ? 1 + (l.count - 1) / stride : 0;
    ok = ok && latent_clip_init(&latents, v, &job, frames, err);
    job.sink = latent_clip_take;
    job.user = &latents;
    Encoder *encoder = ok ? encoder_open(&e->pipeline, &job, err) : NULL;
    ok = encoder != NULL;
    for (int i = 0; ok && i < 1 + (frames - 1) * stride; i++)
        ok = encoder_push(encoder, l.rgb + (size_t)i * frame, err);
    ok = ok && encoder_finish(encoder, err);
    encoder_close(encoder);
    ok = ok && speak(e, r, latents.data, frames, out, err);
    latent_clip_deinit(&latents);
    free(l.rgb);
    return ok;
}

void sora_caption_deinit(SoraCaption *caption)
{
    free(caption->text);
    *caption = (SoraCaption){0};
}
