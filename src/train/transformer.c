#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "train/batch.h"
#include "train/checkpoint.h"
#include "train/classes.h"
#include "train/codec.h"
#include "train/estimate.h"
#include "train/run.h"
#include "train/words.h"
#include "weights/param_sources.h"

enum { MAX_PATH = 4096 };

typedef struct DitTrainer {
    TrainSettings settings;
    const TrainOptions *options;
    DitConfig dit_config;
    Umt5Config text_config;
    Dit dit;
    Umt5 text;
    Tokenizer *tokenizer;
    Codec codec;
    RandomSource random;
    Params dit_params, text_params;
    AdamW optimizer;
    Graph *graph;
    ClipSource *source;
    LatentCache *latents;
    Bucket buckets[MAX_BUCKETS];
    int bucket_count;
    BatchRules rules;
    ClassRule class_rule;
    ClassHeads heads;
    double samples;
} DitTrainer;

/* --- a step --- */

static Tensor *forward(DitTrainer *t, const Batch *b, DitTap *tap)
{
    Graph *g = t->graph;
    Umt5Batch texts = {.samples = b->samples, .rows = b->rows, .ids = b->ids};
    DitBatch batch = {.samples = b->samples, .grid = b->grid, .text_rows = b->rows, .tap = tap};
    batch.text = umt5_forward(g, &t->text, &texts);
    batch.patches = graph_input(g, DTYPE_F32, SHAPE(b->tokens, b->in_width), b->patches);
    batch.timesteps = graph_input(g, DTYPE_F32, SHAPE(2 * b->samples), b->timesteps);
    batch.t_sample = graph_input(g, DTYPE_I32, SHAPE(2 * b->samples), b->t_sample);
    batch.t_index = graph_input(g, DTYPE_I32, SHAPE(b->tokens), b->t_index);
    return dit_forward(g, &t->dit, &batch);
}

/* A batch of a step. */
typedef struct DitPart {
    int64_t step;
    Batch batch;
} DitPart;

enum { SUM_VELOCITY, SUM_CLASSES }; /* of RUN_SUMS */

static void dit_drop(void *drawn)
{
    if (drawn != NULL)
        batch_deinit(&((DitPart *)drawn)->batch);
    free(drawn);
}

static void *dit_draw(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err)
{
    DitTrainer *t = self;
    DitPart *p = calloc(1, sizeof *p);
    if (p == NULL) {
        error_no_memory(err);
        return NULL;
    }
    p->step = part->step;
    if (!batch_draw(&t->rules, part, &p->batch, err)) {
        dit_drop(p);
        return NULL;
    }
    sums[SUM_VELOCITY] += p->batch.weight_sum;
    sums[SUM_CLASSES] += class_weights(&t->class_rule, &p->batch);
    return p;
}

static void *dit_blank(void *self, int kind, double *share, SoraError *err)
{
    DitTrainer *t = self;
    if (kind >= t->bucket_count)
        return NULL;
    *share = t->buckets[kind].weight;
    DitPart *p = calloc(1, sizeof *p);
    if (p != NULL && batch_blank(&t->rules, kind, &p->batch, err))
        return p;
    dit_drop(p);
    error_no_memory(err);
    return NULL;
}

static bool dit_estimate(void *self, TrainEstimate *e, SoraError *err)
{
    const DitTrainer *t = self;
    int64_t used = t->rules.first_shards + t->settings.adamw.steps / t->rules.shard_every;
    e->latents = e->latent_seconds = 0;
    for (int i = 0; i < t->bucket_count; i++) {
        double bytes = 0, seconds = 0;
        if (!latent_cache_estimate(t->latents, i, used, &bytes, e->timed ? &seconds : NULL, err))
            return false;
        const Bucket *b = &t->buckets[i];
        double frames = (double)b->frames * LATENT_BATCH * 3, host = frames * (4.0 * b->width * b->height + b->drawn_width * b->drawn_height);
        e->host = fmax(e->host, host);
        e->latents += bytes;
        e->latent_seconds += seconds;
    }
    return true;
}

static bool dit_learn(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err)
{
    DitTrainer *t = self;
    DitPart *p = drawn;
    const Batch *b = &p->batch;
    Graph *g = t->graph;
    graph_reset(g); /* drawing may have encoded clips */
    graph_record(g, true);
    DitTap tap = {.block = t->class_rule.block};
    Tensor *v = forward(t, b, &tap);
    Tensor *d = op_sub(g, v, graph_input(g, DTYPE_F32, SHAPE(b->tokens, b->out_width), b->target));
    Tensor *w = graph_input(g, DTYPE_F32, SHAPE(b->tokens, b->out_width), b->weight);
    Tensor *l = op_scale(g, op_sum(g, op_mul(g, op_mul(g, d, d), w)), 1 / fmax(1, sums[SUM_VELOCITY]), 0);
    float value = 0;
    graph_download(g, l, &value); /* the velocity's alone, so that it can be compared */
    Tensor *classes = class_loss(g, &t->heads, &t->class_rule, tap.tokens, b, p->step, sums[SUM_CLASSES]);
    graph_backward(g, classes == NULL ? l : op_add(g, l, classes));
    graph_record(g, false);
    *loss = value;
    t->samples += b->samples;
    return graph_ok(g, err);
}

static double dit_samples(void *self)
{
    return ((DitTrainer *)self)->samples;
}

static bool export(DitTrainer *t, const char *folder, const char *part, const char *config_key, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, part);
    if (!dir_make(path, err))
        return false;
    snprintf(path, sizeof path, "%s/%s/config.json", folder, part);
    if (!settings_write(json_object_get(t->settings.json, config_key), path, err))
        return false;
    snprintf(path, sizeof path, "%s/%s/model.safetensors", folder, part);
    return checkpoint_export(&t->optimizer, part, path, err);
}

static bool save_model(void *self, const char *folder, SoraError *err)
{
    DitTrainer *t = self;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/model.json", folder);
    const json_t *manifest = json_object_get(t->settings.json, "manifest");
    ClipSourceConfig source = t->settings.source;
    source.stage_pack = t->options->stage_pack;
    char words[MAX_PATH];
    snprintf(words, sizeof words, "%s/words.json", folder);
    return settings_write(manifest, path, err) && words_write(&source, words, err) && export(t, folder, "transformer", "transformer", err) &&
           export(t, folder, "text_encoder", "text_encoder", err) && settings_copy_parts(&t->settings, folder, err);
}

/* --- setting up --- */

static bool read_class_rule(const json_t *o, int layers, ClassRule *r, SoraError *err)
{
    int fade = 0, middle = layers > 1 ? layers / 2 - 1 : 0;
    bool ok = settings_number(o, (NumberRule){"weight", 0, 0, 100}, &r->weight, err) &&
              settings_number(o, (NumberRule){"nobody", 0.2, 0, 1}, &r->nobody, err) &&
              settings_number(o, (NumberRule){"above", 0, 0, 1}, &r->above, err) &&
              settings_integer(o, (NumberRule){"fade", 0, 0, 1e9}, &fade, err) &&
              settings_integer(o, (NumberRule){"block", middle, 0, layers - 1}, &r->block, err);
    r->fade = fade;
    return ok;
}

static bool read_rules(DitTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json, *given = json_object_get(o, "given");
    BatchRules *r = &t->rules;
    *r = (BatchRules){.dit = &t->dit_config, .buckets = t->buckets, .bucket_count = t->bucket_count,
                      .seed = t->settings.seed};
    int first = 1, every = 100;
    bool ok = settings_noise(json_object_get(o, "timesteps"), &r->noise, err) &&
              read_class_rule(json_object_get(o, "classes"), t->dit_config.num_layers, &t->class_rule, err) &&
              settings_number(given, (NumberRule){"first_frame", 0.1, 0, 1}, &r->given.first_frame, err) &&
              settings_number(given, (NumberRule){"both_ends", 0.05, 0, 1}, &r->given.both_ends, err) &&
              settings_number(given, (NumberRule){"last_frame", 0, 0, 1}, &r->given.last_frame, err) &&
              settings_number(given, (NumberRule){"region", 0.05, 0, 1}, &r->given.region, err) &&
              settings_number(o, (NumberRule){"actor_weight", 1, 1, 100}, &r->actor_weight, err) &&
              settings_number(o, (NumberRule){"condition_dropout", 0.1, 0, 1}, &r->condition_dropout, err) &&
              settings_integer(o, (NumberRule){"first_shards", 1, 1, 9999}, &first, err) &&
              settings_integer(o, (NumberRule){"shard_every", 100, 1, 1e9}, &every, err);
    r->first_shards = first;
    r->shard_every = every;
    return ok;
}

static bool check_buckets(const DitTrainer *t, SoraError *err)
{
    const VaeConfig *v = &t->codec.vae.config;
    const int *patch = t->dit_config.patch_size;
    int space = vae_stride_space(v), time = vae_stride_time(v);
    for (int i = 0; i < t->bucket_count; i++) {
        const Bucket *b = &t->buckets[i];
        if (b->height % (space * patch[1]) || b->width % (space * patch[2]) || (b->frames - 1) % time ||
            (1 + (b->frames - 1) / time) % patch[0])
            return error_set(err, SORA_ERROR_INPUT, "bucket %dx%d, %d frames: multiples of %dx%d px and 1+%dn frames are needed",
                             b->width, b->height, b->frames, space * patch[2], space * patch[1], time);
    }
    return true;
}

static bool report_encoding(void *user, int done, int total)
{
    DitTrainer *t = user;
    TrainProgress p = {.phase = "encoding clips", .done = done, .total = total};
    const TrainHooks *h = &t->options->hooks;
    return h->progress == NULL || h->progress(h->user, &p);
}

static const char *text_of(const DitTrainer *t, const char *key, SoraError *err)
{
    const char *text = json_string_value(json_object_get(t->settings.json, key));
    if (text == NULL)
        error_set(err, SORA_ERROR_INPUT, "\"%s\": a path is expected", key);
    return text;
}

static bool agree_on_file(Team *team, const char *what, const char *path, SoraError *err)
{
    uint64_t hash = 0;
    return team->size == 1 || (file_hash(path, &hash, err) && team_agree(team, what, hash, err));
}

static bool open_parts(DitTrainer *t, Backend *backend, SoraError *err)
{
    if (!json_is_object(json_object_get(t->settings.json, "manifest")))
        return error_set(err, SORA_ERROR_INPUT, "%s: \"manifest\" is missing: the model.json of the result (docs/model-format.md)",
                         t->options->config_path);
    const char *tokenizer = text_of(t, "tokenizer", err), *codec = text_of(t, "codec", err);
    if (tokenizer == NULL || codec == NULL || (t->tokenizer = tokenizer_open(tokenizer, err)) == NULL ||
        !codec_load(&t->codec, codec, err))
        return false;
    if (t->codec.vae.config.z_dim != t->dit_config.in_dim || t->dit_config.in_dim != t->dit_config.out_dim)
        return error_set(err, SORA_ERROR_INPUT, "the codec has %d channels, the transformer %d in and %d out",
                         t->codec.vae.config.z_dim, t->dit_config.in_dim, t->dit_config.out_dim);
    if (tokenizer_vocab_size(t->tokenizer) > t->text_config.vocab || tokenizer_eos_id(t->tokenizer) < 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: %d pieces (the text encoder has %d) and an end id are needed", tokenizer,
                         tokenizer_vocab_size(t->tokenizer), t->text_config.vocab);
    ClipSourceConfig source = t->settings.source;
    source.stage_pack = t->options->stage_pack;
    t->source = clip_source_open(&source, err);
    if (t->source == NULL)
        return false;
    t->graph = graph_new(backend);
    if (t->graph == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    Team *team = run_team(t->options);
    uint64_t clips = settings_fingerprint(&t->settings, codec_fingerprint(&t->codec));
    if (!team_agree(team, "another codec or source of clips", clips, err) ||
        !agree_on_file(team, "another tokenizer", tokenizer, err))
        return false;
    char folder[MAX_PATH];
    snprintf(folder, sizeof folder, "%s/latents", t->options->folder);
    LatentCacheConfig cache = {.folder = folder, .source = t->source, .codec = &t->codec.vae, .graph = t->graph,
                               .buckets = t->buckets, .bucket_count = t->bucket_count, .fingerprint = clips,
                               .team = run_team(t->options), .dry = t->options->estimate != NULL,
                               .progress = report_encoding, .user = t};
    t->latents = latent_cache_new(&cache, err);
    t->rules.latents = t->latents;
    t->rules.tokenizer = t->tokenizer;
    t->rules.pool = backend->pool;
    return t->latents != NULL;
}

static bool bind_networks(DitTrainer *t, SoraError *err)
{
    dit_bind(&t->dit, &t->dit_config, &t->dit_params);
    umt5_bind(&t->text, &t->text_config, &t->text_params);
    class_heads_init(&t->heads, &t->random.source, t->dit_config.dim, PATCH_HEAD_SIZES, PATCH_HEADS);
    if (!params_ok(&t->dit_params, err) || !params_ok(&t->text_params, err) || !params_ok(&t->heads.params, err) ||
        !adamw_add(&t->optimizer, "transformer", &t->dit_params, err) ||
        !adamw_add(&t->optimizer, "text_encoder", &t->text_params, err) ||
        (t->class_rule.weight > 0 && !adamw_add(&t->optimizer, "classes", &t->heads.params, err)))
        return false;
    double text_rate;
    if (!settings_number(t->settings.json, (NumberRule){"text_encoder_rate", 0.1, 0, 10}, &text_rate, err))
        return false;
    adamw_set_rate(&t->optimizer, "text_encoder", text_rate);
    /* A model's folder, or one for each part: {"transformer": DIR}; a part that is not named starts anew. */
    const json_t *from = json_object_get(t->settings.json, "init");
    static const char *const SETS[] = {"transformer", "text_encoder"};
    for (int i = 0; i < 2; i++) {
        char path[MAX_PATH];
        const char *init = json_string_value(from);
        if (json_is_object(from) && !settings_text(from, SETS[i], &init, err))
            return false;
        if (init == NULL || t->options->estimate != NULL)
            continue;
        int missing = 0, count = i == 0 ? t->dit_params.count : t->text_params.count;
        char own[MAX_PATH];
        snprintf(own, sizeof own, "%s/model/%s/model.safetensors", t->options->folder, SETS[i]);
        snprintf(path, sizeof path, "%s/%s/model.safetensors", init, SETS[i]);
        if (file_same(path, own) && !t->options->resume)
            return error_set(err, SORA_ERROR_INPUT, "%s: \"init\" is what this run would replace; give another --out", path);
        if (!checkpoint_import(&t->optimizer, SETS[i], path, &missing, err))
            return false;
        if (2 * missing > count)
            return error_set(err, SORA_ERROR_INPUT, "%s: %d of %d tensors are missing or have another shape", path, missing,
                             count);
    }
    return true;
}

static bool read_sizes(DitTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json;
    return (dit_config_parse(&t->dit_config, json_object_get(o, "transformer"), err) &&
            umt5_config_parse(&t->text_config, json_object_get(o, "text_encoder"), err) &&
            settings_buckets(json_object_get(o, "buckets"), t->buckets, &t->bucket_count, err) && read_rules(t, err)) ||
           error_wrap(err, "%s", t->options->config_path);
}

static bool prepare(DitTrainer *t, Backend *backend, SoraError *err)
{
    return read_sizes(t, err) && open_parts(t, backend, err) &&
           (check_buckets(t, err) || error_wrap(err, "%s", t->options->config_path)) && bind_networks(t, err);
}

static void release(DitTrainer *t)
{
    adamw_deinit(&t->optimizer);
    latent_cache_free(t->latents);
    graph_free(t->graph);
    clip_source_close(t->source);
    codec_unload(&t->codec);
    tokenizer_close(t->tokenizer);
    params_deinit(&t->dit_params);
    params_deinit(&t->text_params);
    class_heads_deinit(&t->heads);
    random_source_deinit(&t->random);
    settings_deinit(&t->settings);
    free(t);
}

/* Shards of all buckets in turn, as the training will ask for them. */
static bool make_latents(DitTrainer *t, SoraError *err)
{
    Team *team = run_team(t->options);
    int most = 0, done = 0, total = 0, number = 0;
    for (int b = 0; b < t->bucket_count; b++) {
        most = t->buckets[b].shards > most ? t->buckets[b].shards : most;
        total += t->buckets[b].shards;
    }
    total = (total + team->size - 1 - team->rank) / team->size;
    const TrainHooks *h = &t->options->hooks;
    double begun = clock_seconds();
    for (int shard = 0; shard < most; shard++)
        for (int b = 0; b < t->bucket_count; b++) {
            if (shard >= t->buckets[b].shards)
                continue;
            if (number++ % team->size != team->rank) /* others have the others */
                continue;
            if (!latent_cache_make(t->latents, b, shard, err))
                return false;
            TrainProgress p = {.phase = "shards", .done = ++done, .total = total, .seconds = clock_seconds() - begun};
            if (h->progress != NULL && !h->progress(h->user, &p))
                return error_set(err, SORA_ERROR_CANCELLED, "stopped; the shards that are there will be used");
            if (t->options->max_seconds > 0 && p.seconds > t->options->max_seconds)
                return true;
        }
    return true;
}

bool train_latents(Backend *backend, const TrainOptions *o, SoraError *err)
{
    DitTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    t->options = o;
    bool ok = run_open(&t->settings, o, TRAINER_TRANSFORMER, err) &&
              read_sizes(t, err) && open_parts(t, backend, err) &&
              (check_buckets(t, err) || error_wrap(err, "%s", o->config_path)) && make_latents(t, err);
    release(t);
    return ok;
}

bool train_transformer(Backend *backend, const TrainOptions *o, SoraError *err)
{
    DitTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    t->options = o;
    bool ok = run_open(&t->settings, o, TRAINER_TRANSFORMER, err);
    random_source_init(&t->random, t->settings.seed);
    params_init(&t->dit_params, &t->random.source);
    params_init(&t->text_params, &t->random.source);
    adamw_init(&t->optimizer, &t->settings.adamw, backend->pool);
    TrainRun run = {.options = o, .settings = &t->settings, .optimizer = &t->optimizer, .self = t, .graph = &t->graph,
                    .blank = dit_blank, .estimate = dit_estimate, .draw = dit_draw, .learn = dit_learn, .drop = dit_drop,
                    .save_model = save_model, .samples = dit_samples};
    estimate_prepare(o, &t->random, &t->optimizer);
    Backend *used = ok ? estimate_backend(o, backend, err) : backend;
    ok = ok && used != NULL && prepare(t, used, err) && train_run(&run, err);
    release(t);
    estimate_backend_free(used, backend);
    return ok;
}
