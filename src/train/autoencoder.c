#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "base/rng.h"
#include "train/checkpoint.h"
#include "train/estimate.h"
#include "train/linear_start.h"
#include "train/run.h"
#include "weights/param_sources.h"

enum { MAX_PATH = 4096 };

/* Crops of clips in, the same crops out. */
typedef struct CodecTrainer {
    TrainSettings settings;
    VaeConfig config;
    Vae vae;
    RandomSource random;
    Params params;
    AdamW optimizer;
    Graph *graph;
    ClipSource *source;
    int width, height, frames; /* of the clips */
    double fps;
    const char *init; /* folder of a codec to begin with, or NULL */
    int start_clips; /* that the linear start looks at */
    int crop, crop_frames, batch;
    double l1, actor_weight;   /* loss = squared error + l1 |error|, with more weight in the subject's box */
    bool train_encoder, linear_start;
    double samples;
} CodecTrainer;

static bool read_codec_settings(CodecTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json;
    bool ok = vae_config_read(&t->config, json_object_get(o, "model"), err) &&
              settings_integer(o, (NumberRule){"width", 128, 16, 4096}, &t->width, err) &&
              settings_integer(o, (NumberRule){"height", 128, 16, 4096}, &t->height, err) &&
              settings_integer(o, (NumberRule){"frames", 17, 1, 1025}, &t->frames, err) &&
              settings_number(o, (NumberRule){"fps", 12, 1, 120}, &t->fps, err) &&
              settings_integer(o, (NumberRule){"crop", 64, 16, 4096}, &t->crop, err) &&
              settings_integer(o, (NumberRule){"crop_frames", 9, 1, 1025}, &t->crop_frames, err) &&
              settings_integer(o, (NumberRule){"batch", 4, 1, 1024}, &t->batch, err) &&
              settings_integer(o, (NumberRule){"start_clips", t->config.linear_code ? 256 : 16, 1, 100000}, &t->start_clips, err) &&
              settings_number(o, (NumberRule){"l1", 0, 0, 100}, &t->l1, err) &&
              settings_number(o, (NumberRule){"actor_weight", 2, 1, 100}, &t->actor_weight, err) &&
              settings_flag(o, "linear_start", true, &t->linear_start, err) &&
              settings_flag(o, "train_encoder", false, &t->train_encoder, err);
    if (!ok)
        return false;
    const json_t *init = json_object_get(o, "init");
    t->init = json_string_value(init);
    if (init != NULL && t->init == NULL)
        return error_set(err, SORA_ERROR_INPUT, "\"init\": a codec's folder is expected");
    int space = vae_stride_space(&t->config), time = vae_stride_time(&t->config);
    if (t->crop > t->width || t->crop > t->height || t->crop % space != 0 || t->crop_frames > t->frames ||
        (t->crop_frames - 1) % time != 0)
        return error_set(err, SORA_ERROR_INPUT, "crops of %d px and %d frames do not fit: multiples of %d px, 1+%dn frames",
                         t->crop, t->crop_frames, space, time);
    return true;
}

/* A clip of the linear start, whole. */
typedef struct StartClips {
    ClipInput base;
    CodecTrainer *trainer;
} StartClips;

static bool start_clip(ClipInput *base, int index, Clip *clip, SoraError *err)
{
    CodecTrainer *t = ((StartClips *)base)->trainer;
    ClipRequest request = {.width = t->width, .height = t->height, .frames = t->frames, .fps = t->fps,
                           .index = ((uint64_t)1 << 40) + (uint64_t)index};
    return clip_source_get(t->source, &request, clip, err);
}

/* Crops of a part of a step, and how much their pixels count: [batch, crop_frames, crop, crop, 3] each, one after the other. */
typedef struct Crops {
    int parts; /* of the step */
    float *weight, video[];
} Crops;

/* Crop number `number`, of all that training sees. */
static bool draw_crop(CodecTrainer *t, uint64_t number, float *video, float *weight, SoraError *err)
{
    Rng rng;
    rng_init(&rng, t->settings.seed, number);
    ClipRequest request = {.width = t->width, .height = t->height, .frames = t->frames, .fps = t->fps, .index = rng_u32(&rng)};
    Clip clip;
    if (!clip_source_get(t->source, &request, &clip, err))
        return false;
    ClipCrop c = {.width = t->crop, .height = t->crop, .count = t->crop_frames};
    c.x = rng_int(&rng, t->width - t->crop + 1);
    c.y = rng_int(&rng, t->height - t->crop + 1);
    c.first = rng_int(&rng, t->frames - t->crop_frames + 1);
    clip_to_float(&clip, &c, video);
    for (int f = 0; f < c.count; f++)
        for (int y = 0; y < c.height; y++)
            for (int x = 0; x < c.width; x++) {
                const ClipBox *box = clip.boxes != NULL ? &clip.boxes[c.first + f] : NULL;
                bool actor = box != NULL && c.x + x >= box->x0 && c.x + x < box->x1 && c.y + y >= box->y0 && c.y + y < box->y1;
                for (int k = 0; k < 3; k++)
                    *weight++ = actor ? (float)t->actor_weight : 1.0f;
            }
    clip_deinit(&clip);
    return true;
}

static void *codec_draw(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err)
{
    CodecTrainer *t = self;
    size_t one = (size_t)t->crop_frames * (size_t)t->crop * (size_t)t->crop * 3;
    Crops *c = malloc(sizeof *c + 2 * (size_t)t->batch * one * sizeof *c->video);
    if (c == NULL) {
        error_no_memory(err);
        return NULL;
    }
    c->parts = part->parts;
    c->weight = c->video + (size_t)t->batch * one;
    uint64_t first = ((uint64_t)part->step * (uint64_t)part->parts + (uint64_t)part->part) * (uint64_t)t->batch;
    for (int i = 0; i < t->batch; i++)
        if (!draw_crop(t, first + (uint64_t)i, c->video + (size_t)i * one, c->weight + (size_t)i * one, err)) {
            free(c);
            return NULL;
        }
    return c;
}

static void *codec_blank(void *self, int kind, double *share, SoraError *err)
{
    const CodecTrainer *t = self;
    size_t numbers = (size_t)t->batch * (size_t)t->crop_frames * (size_t)t->crop * (size_t)t->crop * 3;
    if (kind > 0)
        return NULL;
    Crops *c = calloc(1, sizeof *c + 2 * numbers * sizeof *c->video);
    if (c == NULL) {
        error_no_memory(err);
        return NULL;
    }
    c->parts = 1;
    c->weight = c->video + numbers;
    return c;
}

static bool codec_learn(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err)
{
    CodecTrainer *t = self;
    const Crops *c = drawn;
    Graph *g = t->graph;
    graph_reset(g);
    graph_record(g, true);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(t->batch, t->crop_frames, t->crop, t->crop, 3), c->video);
    Tensor *w = x ? graph_input(g, DTYPE_F32, x->ndim, x->shape, c->weight) : NULL;
    Tensor *d = op_sub(g, vae_decode(g, &t->vae, vae_encode(g, &t->vae, x)), x);
    Tensor *error = op_mul(g, d, d);
    if (t->l1 > 0)
        error = op_add(g, error, op_scale(g, op_unary(g, UNARY_ABS, d), t->l1, 0));
    Tensor *l = op_mean(g, op_mul(g, error, w));
    if (c->parts > 1)
        l = op_scale(g, l, 1.0 / c->parts, 0);
    float value = 0;
    graph_download(g, l, &value);
    graph_backward(g, l);
    graph_record(g, false);
    *loss = value;
    t->samples += t->batch;
    return graph_ok(g, err);
}

static double codec_samples(void *self)
{
    return ((CodecTrainer *)self)->samples;
}

static bool save_codec(void *self, const char *folder, SoraError *err)
{
    CodecTrainer *t = self;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/vae", folder);
    if (!dir_make(path, err))
        return false;
    snprintf(path, sizeof path, "%s/vae/config.json", folder);
    json_t *config = vae_config_write(&t->vae.config);
    bool ok = settings_write(config, path, err);
    json_decref(config);
    if (!ok)
        return false;
    snprintf(path, sizeof path, "%s/vae/model.safetensors", folder);
    return checkpoint_export(&t->optimizer, "vae", path, err);
}

/* The decoders may differ. */
static bool same_encoder(const VaeConfig *a, const VaeConfig *b)
{
    bool same = a->z_dim == b->z_dim && a->levels == b->levels && a->patchify == b->patchify && a->flat == b->flat &&
                a->linear_code == b->linear_code;
    for (int i = 0; same && i + 1 < a->levels; i++)
        same = a->temperal_downsample[i] == b->temperal_downsample[i];
    if (a->linear_code)
        return same;
    for (int i = 0; same && i < a->levels; i++)
        same = a->dim_mult[i] == b->dim_mult[i];
    return same && a->dim == b->dim && a->num_res_blocks == b->num_res_blocks;
}

static void take_statistics(CodecTrainer *t, const VaeConfig *from)
{
    memcpy(t->config.mean, from->mean, sizeof from->mean);
    memcpy(t->config.std, from->std, sizeof from->std);
    t->vae.config = t->config;
}

/* The latents' mean and std of a run that goes on; what else the text says is not believed. */
static bool resume_config(CodecTrainer *t, const char *checkpoint, SoraError *err)
{
    char *text = checkpoint_config(checkpoint, err);
    if (text == NULL)
        return false;
    json_t *json = json_loads(text, 0, NULL);
    VaeConfig config;
    bool ok = vae_config_read(&config, json, err) || error_wrap(err, "%s", checkpoint);
    json_decref(json);
    free(text);
    if (ok && !same_encoder(&config, &t->config))
        return error_set(err, SORA_ERROR_INPUT, "%s: of another encoder than \"model\" says", checkpoint);
    if (ok)
        take_statistics(t, &config);
    return ok;
}

/* Mean and std of another codec's latents; its weights come when the optimiser is there. */
static bool init_config(CodecTrainer *t, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/config.json", t->init);
    json_t *json = json_file_read(path, err);
    if (json == NULL)
        return false;
    VaeConfig config;
    bool ok = vae_config_read(&config, json, err) || error_wrap(err, "%s", path);
    json_decref(json);
    if (ok && !same_encoder(&config, &t->config))
        return error_set(err, SORA_ERROR_INPUT, "%s: another encoder than \"model\" says", path);
    if (ok)
        take_statistics(t, &config);
    return ok;
}

/* Tensors that are not there, or have another shape, start anew. */
static bool init_weights(CodecTrainer *t, SoraError *err)
{
    char path[MAX_PATH];
    int missing = 0;
    snprintf(path, sizeof path, "%s/model.safetensors", t->init);
    if (!checkpoint_import(&t->optimizer, "vae", path, &missing, err))
        return false;
    return 2 * missing <= t->params.count ||
           error_set(err, SORA_ERROR_INPUT, "%s: %d of %d tensors are missing or have another shape", path, missing, t->params.count);
}

static bool prepare_codec(CodecTrainer *t, Backend *backend, const TrainOptions *o, SoraError *err)
{
    ClipSourceConfig source = t->settings.source;
    source.stage_pack = o->stage_pack;
    t->source = clip_source_open(&source, err);
    t->graph = graph_new(backend);
    if (t->source == NULL || t->graph == NULL)
        return t->source == NULL ? false : error_set(err, SORA_ERROR_MEMORY, "out of memory");
    vae_bind(&t->vae, &t->config, &t->params);
    if (!params_ok(&t->params, err))
        return false;
    char checkpoint[MAX_PATH];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", o->folder);
    if (o->estimate != NULL) {
        t->init = NULL; /* weights do not matter */
    } else if (o->resume && file_exists(checkpoint)) {
        t->init = NULL;
        if (!resume_config(t, checkpoint, err))
            return false;
    } else if (t->init != NULL) {
        if (!init_config(t, err))
            return false;
    } else if (t->linear_start) {
        StartClips clips = {{start_clip, t->start_clips, t->actor_weight}, t};
        if (!linear_start(t->graph, &t->vae, &t->config, &clips.base, err))
            return false;
    }
    /* Machines that round otherwise find another mean and deviation; rank 0's count. */
    Team *team = run_team(o);
    if (!team->share(team, 0, t->config.mean, sizeof t->config.mean, err) || !team->share(team, 0, t->config.std, sizeof t->config.std, err))
        return false;
    t->vae.config = t->config;
    if (!adamw_add(&t->optimizer, "vae", &t->params, err) || (t->init != NULL && !init_weights(t, err)))
        return false;
    if (!t->train_encoder) {
        adamw_freeze(&t->optimizer, "encoder.");
        if (!t->config.linear_code)
            adamw_freeze(&t->optimizer, "conv1.");
        /* Of thousands of numbers each, they would be shaken rather than taught by steps that suit the network. */
        adamw_freeze(&t->optimizer, "decoder.code.first.");
        adamw_freeze(&t->optimizer, "decoder.code.rest.");
    }
    return true;
}

bool train_autoencoder(Backend *backend, const TrainOptions *o, SoraError *err)
{
    CodecTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    bool ok = run_open(&t->settings, o, TRAINER_AUTOENCODER, err);
    random_source_init(&t->random, t->settings.seed);
    params_init(&t->params, &t->random.source);
    adamw_init(&t->optimizer, &t->settings.adamw, backend->pool);
    estimate_prepare(o, &t->random, &t->optimizer);
    Backend *used = ok ? estimate_backend(o, backend, err) : backend;
    ok = ok && used != NULL && (read_codec_settings(t, err) || error_wrap(err, "%s", o->config_path)) && prepare_codec(t, used, o, err);
    json_t *config = ok ? vae_config_write(&t->vae.config) : NULL;
    char *text = config != NULL ? json_text(config, JSON_COMPACT) : NULL;
    if (ok && text == NULL)
        ok = error_set(err, SORA_ERROR_MEMORY, "out of memory");
    TrainRun run = {.options = o, .settings = &t->settings, .optimizer = &t->optimizer, .config = text, .self = t, .graph = &t->graph,
                    .blank = codec_blank, .draw = codec_draw, .learn = codec_learn, .drop = free, .save_model = save_codec, .samples = codec_samples};
    ok = ok && train_run(&run, err);
    free(text);
    json_decref(config);
    adamw_deinit(&t->optimizer);
    graph_free(t->graph);
    clip_source_close(t->source);
    params_deinit(&t->params);
    random_source_deinit(&t->random);
    settings_deinit(&t->settings);
    estimate_backend_free(used, backend);
    free(t);
    return ok;
}
