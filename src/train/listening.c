#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_file.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "train/batch.h"
#include "train/codec.h"
#include "train/settings.h"
#include "train/train.h"

enum { MAX_PATH = 4096, GROUP = 8, CAPTIONS = LISTEN_WORDS + 1 };

const double LISTEN_SIGMAS[LISTEN_LEVELS] = {0.97, 0.9, 0.8, 0.6};

/* One network's file of a model folder. */
typedef struct Part {
    Safetensors *file;
    FileSource source;
    Params params;
} Part;

typedef struct Listener {
    const ListenOptions *options;
    TrainSettings settings;
    Bucket bucket;
    Tokenizer *tokenizer;
    Codec codec;
    Part transformer, text_encoder;
    DitConfig dit_config;
    Umt5Config text_config;
    Dit dit;
    Umt5 text;
    ClipSource *source;
    LatentCache *latents;
    BatchRules rules;
    Graph *graph;
} Listener;

/* The part's config.json, and its file as a source of tensors; NULL on failure. */
static json_t *open_part(Part *p, const char *model, const char *name, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s/config.json", model, name);
    json_t *config = json_file_read(path, err);
    snprintf(path, sizeof path, "%s/%s/model.safetensors", model, name);
    p->file = config != NULL ? safetensors_open(path, err) : NULL;
    if (p->file == NULL) {
        json_decref(config);
        return NULL;
    }
    file_source_init(&p->source, p->file, FILE_SOURCE_MAPPED);
    params_init(&p->params, &p->source.source);
    return config;
}

static void close_part(Part *p)
{
    if (p->file != NULL) {
        params_deinit(&p->params);
        file_source_deinit(&p->source);
    }
    safetensors_close(p->file);
}

static bool open_model(Listener *l, SoraError *err)
{
    const char *model = l->options->model;
    char path[MAX_PATH];
    json_t *config = open_part(&l->transformer, model, "transformer", err);
    bool ok = config != NULL && dit_config_parse(&l->dit_config, config, err);
    json_decref(config);
    config = ok ? open_part(&l->text_encoder, model, "text_encoder", err) : NULL;
    ok = config != NULL && umt5_config_parse(&l->text_config, config, err);
    json_decref(config);
    snprintf(path, sizeof path, "%s/vae", model);
    if (!ok || !codec_load(&l->codec, path, err))
        return false;
    snprintf(path, sizeof path, "%s/tokenizer.model", model);
    l->tokenizer = tokenizer_open(path, err);
    if (l->tokenizer == NULL)
        return false;
    dit_bind(&l->dit, &l->dit_config, &l->transformer.params);
    umt5_bind(&l->text, &l->text_config, &l->text_encoder.params);
    return params_ok(&l->transformer.params, err) && params_ok(&l->text_encoder.params, err);
}

/* Held-out clips of the training's nouns, as its most frequent videos are. */
static bool open_clips(Listener *l, SoraError *err)
{
    Bucket buckets[MAX_BUCKETS];
    int count = 0;
    if (!settings_buckets(json_object_get(l->settings.json, "buckets"), buckets, &count, err))
        return false;
    l->bucket = buckets[0];
    for (int i = 1; i < count; i++)
        if (buckets[i].frames > 1 && (l->bucket.frames == 1 || buckets[i].weight > l->bucket.weight))
            l->bucket = buckets[i];
    l->bucket.shards = 1;
    l->bucket.shard_clips = l->options->clips;
    ClipSourceConfig source = l->settings.source;
    source.stage_pack = l->options->stage_pack;
    source.held_out = true;
    l->source = clip_source_open(&source, err);
    LatentCacheConfig cache = {.folder = l->options->folder, .source = l->source, .codec = &l->codec.vae, .graph = l->graph,
                               .buckets = &l->bucket, .bucket_count = 1,
                               .fingerprint = codec_fingerprint(&l->codec)};
    if (l->source == NULL || (l->latents = latent_cache_new(&cache, err)) == NULL)
        return false;
    l->rules = (BatchRules){.dit = &l->dit_config, .tokenizer = l->tokenizer, .latents = l->latents, .buckets = &l->bucket,
                            .bucket_count = 1, .seed = 1, .actor_weight = 1};
    return true;
}

/* Clip i's captions: as it is, and with each word changed; free each. */
static bool write_captions(const Listener *l, int i, char *captions[CAPTIONS], SoraError *err)
{
    enum { SMALL = 32 };
    for (int k = 0; k < CAPTIONS; k++) {
        ClipRequest request = {.width = SMALL, .height = SMALL, .frames = l->bucket.frames, .fps = l->bucket.fps,
                               .index = (uint64_t)i, .change = (ClipChange)(CHANGE_NOTHING + k)};
        Clip clip;
        if (!clip_source_get(l->source, &request, &clip, err))
            return false;
        captions[k] = strdup(clip.captions[i % clip.caption_count]);
        clip_deinit(&clip);
        if (captions[k] == NULL)
            return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    }
    return true;
}

/* The squared error of each sample's acting patches, at one noise level, with these captions. */
static bool measure(Listener *l, const BatchSamples *from, double *out, SoraError *err)
{
    Batch b = {0};
    Graph *g = l->graph;
    bool ok = batch_make(&l->rules, from, &b, err);
    float *v = ok ? malloc((size_t)(b.tokens * b.out_width) * sizeof *v) : NULL;
    if (ok && (v != NULL || (ok = error_set(err, SORA_ERROR_MEMORY, "out of memory")))) {
        graph_reset(g);
        Umt5Batch texts = {.samples = b.samples, .rows = b.rows, .ids = b.ids};
        DitBatch batch = {.samples = b.samples, .grid = b.grid, .text_rows = b.rows};
        batch.text = umt5_forward(g, &l->text, &texts);
        batch.patches = graph_input(g, DTYPE_F32, SHAPE(b.tokens, b.in_width), b.patches);
        batch.timesteps = graph_input(g, DTYPE_F32, SHAPE(2 * b.samples), b.timesteps);
        batch.t_sample = graph_input(g, DTYPE_I32, SHAPE(2 * b.samples), b.t_sample);
        batch.t_index = graph_input(g, DTYPE_I32, SHAPE(b.tokens), b.t_index);
        graph_download(g, dit_forward(g, &l->dit, &batch), v);
        ok = graph_ok(g, err);
    }
    int64_t per_sample = ok ? b.tokens / b.samples : 0;
    for (int i = 0; ok && i < b.samples; i++)
        out[i] = 0;
    for (int64_t token = 0; token < per_sample * from->count; token++)
        for (int64_t k = 0; b.labels[token].noun != 0 && k < b.out_width; k++) {
            double d = (double)v[token * b.out_width + k] - (double)b.target[token * b.out_width + k];
            out[token / per_sample] += d * d;
        }
    free(v);
    batch_deinit(&b);
    return ok;
}

/* Sums over clips: of all (for the loss), and of those whose word can be changed. */
typedef struct Sums {
    double all[LISTEN_LEVELS], cells, right[LISTEN_WORDS][LISTEN_LEVELS], wrong[LISTEN_WORDS][LISTEN_LEVELS];
    int clips[LISTEN_WORDS];
} Sums;

static void add_group(const Listener *l, Sums *sums, int level, const LatentSample *samples, char *captions[][CAPTIONS], int count,
                      double errors[CAPTIONS][GROUP])
{
    int64_t shape[4];
    latent_cache_shape(l->latents, 0, shape);
    for (int i = 0; i < count; i++) {
        sums->all[level] += errors[0][i];
        for (int64_t c = 0; level == 0 && c < shape[0] * shape[1] * shape[2]; c++)
            sums->cells += samples[i].labels[c].noun != 0 ? (double)shape[3] : 0;
        for (int w = 0; w < LISTEN_WORDS; w++) {
            if (strcmp(captions[i][0], captions[i][1 + w]) == 0)
                continue;
            sums->right[w][level] += errors[0][i];
            sums->wrong[w][level] += errors[1 + w][i];
            sums->clips[w] += level == 0;
        }
    }
}

static bool listen_to_group(Listener *l, int first, int count, Sums *sums, SoraError *err)
{
    LatentSample samples[GROUP];
    char *captions[GROUP][CAPTIONS] = {{NULL}};
    double errors[CAPTIONS][GROUP];
    bool ok = true;
    for (int i = 0; ok && i < count; i++)
        ok = latent_cache_get(l->latents, 0, 0, first + i, &samples[i], err) && write_captions(l, first + i, captions[i], err);
    for (int level = 0; ok && level < LISTEN_LEVELS; level++) {
        for (int k = 0; ok && k < CAPTIONS; k++) {
            const char *texts[GROUP];
            for (int i = 0; i < count; i++)
                texts[i] = captions[i][k];
            ok = measure(l, &(BatchSamples){samples, texts, count, 0, (float)LISTEN_SIGMAS[level]}, errors[k], err);
        }
        if (ok)
            add_group(l, sums, level, samples, captions, count, errors);
    }
    for (int i = 0; i < GROUP; i++)
        for (int k = 0; k < CAPTIONS; k++)
            free(captions[i][k]);
    return ok;
}

static void close_listener(Listener *l)
{
    latent_cache_free(l->latents);
    clip_source_close(l->source);
    graph_free(l->graph);
    codec_unload(&l->codec);
    tokenizer_close(l->tokenizer);
    close_part(&l->transformer);
    close_part(&l->text_encoder);
    settings_deinit(&l->settings);
    free(l);
}

bool evaluate_listening(Backend *backend, const ListenOptions *options, ListenScore *score, SoraError *err)
{
    Listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    l->options = options;
    l->graph = graph_new(backend);
    Sums sums = {0};
    bool ok = (l->graph != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory")) &&
              settings_load(&l->settings, options->config_path, TRAINER_TRANSFORMER, err) && open_model(l, err) && open_clips(l, err);
    for (int first = 0; ok && first < options->clips; first += GROUP) {
        int left = options->clips - first;
        ok = listen_to_group(l, first, left < GROUP ? left : GROUP, &sums, err);
    }
    for (int level = 0; ok && level < LISTEN_LEVELS; level++) {
        score->loss[level] = sums.cells > 0 ? sums.all[level] / sums.cells : 0;
        for (int w = 0; w < LISTEN_WORDS; w++) {
            score->clips[w] = sums.clips[w];
            score->rise[w][level] = sums.right[w][level] > 0 ? 100 * (sums.wrong[w][level] / sums.right[w][level] - 1) : 0;
        }
    }
    close_listener(l);
    return ok;
}
