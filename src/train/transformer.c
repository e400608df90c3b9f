#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "model/transformer.h"
#include "model/umt5.h"
#include "text/clean.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"
#include "train/codec.h"
#include "train/run.h"
#include "weights/param_sources.h"

enum { MAX_PATH = 4096, MAX_BATCH = 4096, NO_CLEAN = -1 };

/* How noise levels are drawn: sigma = shift s / (1 + (shift - 1) s), s uniform or the sigmoid of a normal number. */
typedef struct NoiseRule {
    bool logit_normal;
    double mean, std, shift;
} NoiseRule;

/* Shares of samples of which a part is given clean, so that the network learns to continue and to fill in. */
typedef struct GivenRule {
    double first_frame, both_ends, region;
} GivenRule;

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
    int64_t first_shards, shard_every; /* of each bucket at first, and steps until one more is used */
    NoiseRule noise;
    GivenRule given;
    double condition_dropout, actor_weight;
    double samples;
} DitTrainer;

/* One step's batch in host memory. Tokens of all samples lie one after the other. */
typedef struct Batch {
    int samples, bucket;
    int64_t tokens, in_width, out_width; /* a patch's numbers */
    float *patches, *target, *weight;    /* [tokens, in_width], [tokens, out_width] twice */
    int32_t *t_index;                    /* [tokens] */
    float *timesteps;                    /* [samples + 1]: each sample's, and 0 for clean patches */
    int64_t (*grid)[3];
    int32_t *ids;                        /* of all texts */
    int64_t *rows;                       /* ids of each text */
    double weight_sum;
} Batch;

static void batch_deinit(Batch *b)
{
    free(b->patches);
    free(b->t_index);
    free(b->timesteps);
    free(b->grid);
    free(b->ids);
    free(b->rows);
}

static bool batch_init(Batch *b, const DitTrainer *t, int samples, const int64_t grid[3])
{
    const int *p = t->dit_config.patch_size;
    int64_t cells = (int64_t)p[0] * p[1] * p[2], n = samples;
    *b = (Batch){.samples = samples, .tokens = n * grid[0] * grid[1] * grid[2],
                 .in_width = cells * t->dit_config.in_dim, .out_width = cells * t->dit_config.out_dim};
    size_t in = (size_t)(b->tokens * b->in_width), out = (size_t)(b->tokens * b->out_width);
    b->patches = malloc((in + 2 * out) * sizeof *b->patches);
    b->target = b->patches + in;
    b->weight = b->target + out;
    b->t_index = malloc((size_t)b->tokens * sizeof *b->t_index);
    b->timesteps = calloc((size_t)n + 1, sizeof *b->timesteps);
    b->grid = malloc((size_t)n * sizeof *b->grid);
    b->ids = malloc((size_t)n * (size_t)t->dit_config.text_len * sizeof *b->ids);
    b->rows = malloc((size_t)n * sizeof *b->rows);
    return b->patches && b->t_index && b->timesteps && b->grid && b->ids && b->rows;
}

/* --- one sample --- */

static double draw_sigma(const NoiseRule *rule, double shift, Rng *rng)
{
    double s = rng_uniform(rng);
    if (rule->logit_normal)
        s = 1 / (1 + exp(-(rule->mean + rule->std * (double)rng_normal(rng))));
    return shift * s / (1 + (shift - 1) * s);
}

/* Which patches are given clean. */
typedef struct Given {
    enum { GIVEN_NONE, GIVEN_FIRST, GIVEN_ENDS, GIVEN_REGION } kind;
    int64_t frames, row, column, rows, columns;
} Given;

static Given draw_given(const GivenRule *rule, const int64_t grid[3], Rng *rng)
{
    Given given = {.frames = grid[0]};
    double u = rng_uniform(rng);
    given.rows = 1 + rng_int(rng, (int)grid[1]);
    given.columns = 1 + rng_int(rng, (int)grid[2]);
    given.row = rng_int(rng, (int)(grid[1] - given.rows) + 1);
    given.column = rng_int(rng, (int)(grid[2] - given.columns) + 1);
    if (grid[0] > 1 && u < rule->first_frame)
        given.kind = GIVEN_FIRST;
    else if (grid[0] > 2 && u < rule->first_frame + rule->both_ends)
        given.kind = GIVEN_ENDS;
    else if (given.rows * given.columns < grid[1] * grid[2] && u >= 1 - rule->region)
        given.kind = GIVEN_REGION;
    return given;
}

static bool is_given(const Given *g, int64_t frame, int64_t row, int64_t column)
{
    switch (g->kind) {
    case GIVEN_FIRST: return frame == 0;
    case GIVEN_ENDS: return frame == 0 || frame == g->frames - 1;
    case GIVEN_REGION:
        return row >= g->row && row < g->row + g->rows && column >= g->column && column < g->column + g->columns;
    default: return false;
    }
}

/* Where element (channel, dt, dy, dx) of the patch at (frame, row, column) is in a latent [F, h, w, z]. */
typedef struct PatchPlace {
    int64_t shape[4], frame, row, column;
    const int *patch;
} PatchPlace;

static int64_t cell(const PatchPlace *p, int64_t dt, int64_t dy, int64_t dx, int64_t channel)
{
    int64_t f = p->frame * p->patch[0] + dt, y = p->row * p->patch[1] + dy, x = p->column * p->patch[2] + dx;
    return ((f * p->shape[1] + y) * p->shape[2] + x) * p->shape[3] + channel;
}

/* x = (1 - sigma) x0 + sigma noise in the order (c, pt, ph, pw); target noise - x0 in the order (pt, ph, pw, c). */
static void write_patch(Batch *b, int64_t token, const PatchPlace *p, const float *x0, const float *noise, float sigma)
{
    float *in = b->patches + token * b->in_width, *out = b->target + token * b->out_width;
    int64_t z = p->shape[3];
    for (int64_t dt = 0, k = 0; dt < p->patch[0]; dt++)
        for (int64_t dy = 0; dy < p->patch[1]; dy++)
            for (int64_t dx = 0; dx < p->patch[2]; dx++, k++) {
                int64_t cells = (int64_t)p->patch[0] * p->patch[1] * p->patch[2];
                for (int64_t c = 0; c < z; c++) {
                    int64_t at = cell(p, dt, dy, dx, c);
                    in[c * cells + k] = (1 - sigma) * x0[at] + sigma * noise[at];
                    *out++ = noise[at] - x0[at];
                }
            }
}

/* How much the loss of a patch counts: more where something acts. */
static float patch_weight(const DitTrainer *t, const PatchPlace *p, const uint8_t *acts)
{
    for (int64_t dt = 0; dt < p->patch[0]; dt++)
        for (int64_t dy = 0; dy < p->patch[1]; dy++)
            for (int64_t dx = 0; dx < p->patch[2]; dx++)
                if (acts[cell(p, dt, dy, dx, 0) / p->shape[3]])
                    return (float)t->actor_weight;
    return 1;
}

static bool fill_video(const DitTrainer *t, Batch *b, int sample, double shift, const LatentSample *from, Rng *rng)
{
    int64_t shape[4];
    latent_cache_shape(t->latents, b->bucket, shape);
    const int64_t *grid = b->grid[sample];
    int64_t cells = shape[0] * shape[1] * shape[2] * shape[3], per_sample = grid[0] * grid[1] * grid[2];
    float *x0 = malloc(2 * (size_t)cells * sizeof *x0), *noise = x0 + cells;
    if (x0 == NULL)
        return false;
    float sigma = (float)draw_sigma(&t->noise, shift, rng);
    Given given = draw_given(&t->given, grid, rng);
    for (int64_t i = 0; i < cells; i++)
        x0[i] = bf16_to_f32(from->latent[i]);
    rng_fill_normal(rng, noise, (size_t)cells);
    b->timesteps[sample] = 1000 * sigma;
    for (int64_t i = 0; i < per_sample; i++) {
        int64_t token = sample * per_sample + i;
        PatchPlace p = {.frame = i / (grid[1] * grid[2]), .row = i / grid[2] % grid[1], .column = i % grid[2],
                        .patch = t->dit_config.patch_size};
        memcpy(p.shape, shape, sizeof p.shape);
        bool clean = is_given(&given, p.frame, p.row, p.column);
        write_patch(b, token, &p, x0, noise, clean ? 0 : sigma);
        b->t_index[token] = clean ? b->samples : sample;
        float weight = clean ? 0 : patch_weight(t, &p, from->acts);
        for (int64_t k = 0; k < b->out_width; k++)
            b->weight[token * b->out_width + k] = weight;
        b->weight_sum += (double)weight * (double)b->out_width;
    }
    free(x0);
    return true;
}

/* One of the captions, or nothing: the ids with the end id, at most text_len. */
static bool fill_text(const DitTrainer *t, Batch *b, int sample, const LatentSample *s, Rng *rng, SoraError *err)
{
    bool drop = rng_uniform(rng) < (float)t->condition_dropout;
    int which = s->caption_count > 0 ? rng_int(rng, s->caption_count) : 0;
    const char *caption = s->captions;
    for (int i = 0; i < which; i++)
        caption += strlen(caption) + 1;
    if (drop || s->caption_count == 0)
        caption = "";
    int64_t start = 0;
    for (int i = 0; i < sample; i++)
        start += b->rows[i];
    int room = t->dit_config.text_len - 1;
    size_t size = 0;
    char *clean = clean_prompt(caption, strlen(caption), &size, err);
    if (clean == NULL)
        return error_wrap(err, "caption \"%.40s\"", caption);
    int n = tokenizer_encode(t->tokenizer, clean, size, b->ids + start, room);
    free(clean);
    if (n < 0)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    n = n < room ? n : room;
    b->ids[start + n] = tokenizer_eos_id(t->tokenizer);
    b->rows[sample] = n + 1;
    return true;
}

static int draw_bucket(const DitTrainer *t, Rng *rng)
{
    double sum = 0, u;
    for (int i = 0; i < t->bucket_count; i++)
        sum += t->buckets[i].weight;
    u = (double)rng_uniform(rng) * sum;
    int i = 0;
    while (i + 1 < t->bucket_count && u >= t->buckets[i].weight)
        u -= t->buckets[i++].weight;
    return i;
}

static bool draw_batch(DitTrainer *t, int64_t step, Batch *b, SoraError *err)
{
    Rng rng;
    rng_init(&rng, t->settings.seed, (uint64_t)step);
    int bucket = draw_bucket(t, &rng);
    const Bucket *k = &t->buckets[bucket];
    const int *patch = t->dit_config.patch_size;
    int64_t shape[4], ready = t->first_shards + step / t->shard_every;
    latent_cache_shape(t->latents, bucket, shape);
    int64_t grid[3] = {shape[0] / patch[0], shape[1] / patch[1], shape[2] / patch[2]};
    int shards = (int)(ready < k->shards ? ready : k->shards);
    if (!batch_init(b, t, k->batch, grid))
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    b->bucket = bucket;
    double shift = k->shift > 0 ? k->shift : t->noise.shift;
    bool ok = true;
    for (int i = 0; ok && i < k->batch; i++) {
        LatentSample sample;
        memcpy(b->grid[i], grid, sizeof grid);
        int shard = rng_int(&rng, shards), clip = rng_int(&rng, k->shard_clips);
        ok = latent_cache_get(t->latents, bucket, shard, clip, &sample, err) &&
             fill_text(t, b, i, &sample, &rng, err) &&
             (fill_video(t, b, i, shift, &sample, &rng) || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
    }
    return ok;
}

/* --- a step --- */

static Tensor *forward(DitTrainer *t, const Batch *b)
{
    Graph *g = t->graph;
    Umt5Batch texts = {.samples = b->samples, .rows = b->rows, .ids = b->ids};
    DitBatch batch = {.samples = b->samples, .grid = b->grid, .text_rows = b->rows};
    batch.text = umt5_forward(g, &t->text, &texts);
    batch.patches = graph_input(g, DTYPE_F32, SHAPE(b->tokens, b->in_width), b->patches);
    batch.timesteps = graph_input(g, DTYPE_F32, SHAPE(b->samples + 1), b->timesteps);
    batch.t_index = graph_input(g, DTYPE_I32, SHAPE(b->tokens), b->t_index);
    return dit_forward(g, &t->dit, &batch);
}

static bool dit_train_step(void *self, int64_t step, double *loss, SoraError *err)
{
    DitTrainer *t = self;
    Batch b = {0};
    bool ok = draw_batch(t, step, &b, err);
    if (ok) {
        Graph *g = t->graph;
        graph_reset(g); /* drawing may have encoded clips */
        graph_record(g, true);
        Tensor *v = forward(t, &b);
        Tensor *d = op_sub(g, v, graph_input(g, DTYPE_F32, SHAPE(b.tokens, b.out_width), b.target));
        Tensor *w = graph_input(g, DTYPE_F32, SHAPE(b.tokens, b.out_width), b.weight);
        Tensor *l = op_scale(g, op_sum(g, op_mul(g, op_mul(g, d, d), w)), 1 / fmax(1, b.weight_sum), 0);
        float value = 0;
        graph_download(g, l, &value);
        graph_backward(g, l);
        graph_record(g, false);
        ok = graph_ok(g, err);
        *loss = value;
        t->samples += b.samples;
    }
    batch_deinit(&b);
    return ok;
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

/* The parts that this training does not change, so that the folder is a whole model. */
static bool copy_parts(const DitTrainer *t, const char *folder, SoraError *err)
{
    static const char *const FILES[] = {"config.json", "model.safetensors"};
    const char *codec = json_string_value(json_object_get(t->settings.json, "codec"));
    char from[MAX_PATH], to[MAX_PATH];
    snprintf(to, sizeof to, "%s/vae", folder);
    bool ok = dir_make(to, err);
    for (int i = 0; ok && i < 2; i++) {
        snprintf(from, sizeof from, "%s/%s", codec, FILES[i]);
        snprintf(to, sizeof to, "%s/vae/%s", folder, FILES[i]);
        ok = file_copy(from, to, err);
    }
    snprintf(to, sizeof to, "%s/tokenizer.model", folder);
    return ok && file_copy(json_string_value(json_object_get(t->settings.json, "tokenizer")), to, err);
}

static bool save_model(void *self, const char *folder, SoraError *err)
{
    DitTrainer *t = self;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/model.json", folder);
    const json_t *manifest = json_object_get(t->settings.json, "manifest");
    return settings_write(manifest, path, err) && export(t, folder, "transformer", "transformer", err) &&
           export(t, folder, "text_encoder", "text_encoder", err) && copy_parts(t, folder, err);
}

/* --- setting up --- */

static bool read_rules(DitTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json, *noise = json_object_get(o, "timesteps"), *given = json_object_get(o, "given");
    const char *kind = json_string_value(json_object_get(noise, "distribution"));
    int first = 1, every = 100;
    t->noise.logit_normal = kind == NULL || strcmp(kind, "logit-normal") == 0;
    if (kind != NULL && !t->noise.logit_normal && strcmp(kind, "uniform") != 0)
        return error_set(err, SORA_ERROR_INPUT, "timesteps: \"distribution\" is \"logit-normal\" or \"uniform\"");
    bool ok = settings_number(noise, (NumberRule){"mean", 0, -10, 10}, &t->noise.mean, err) &&
              settings_number(noise, (NumberRule){"std", 1, 0.01, 10}, &t->noise.std, err) &&
              settings_number(noise, (NumberRule){"shift", 1, 0.1, 100}, &t->noise.shift, err) &&
              settings_number(given, (NumberRule){"first_frame", 0.1, 0, 1}, &t->given.first_frame, err) &&
              settings_number(given, (NumberRule){"both_ends", 0.05, 0, 1}, &t->given.both_ends, err) &&
              settings_number(given, (NumberRule){"region", 0.05, 0, 1}, &t->given.region, err) &&
              settings_number(o, (NumberRule){"actor_weight", 1, 1, 100}, &t->actor_weight, err) &&
              settings_number(o, (NumberRule){"condition_dropout", 0.1, 0, 1}, &t->condition_dropout, err) &&
              settings_integer(o, (NumberRule){"first_shards", 1, 1, 9999}, &first, err) &&
              settings_integer(o, (NumberRule){"shard_every", 100, 1, 1e9}, &every, err);
    t->first_shards = first;
    t->shard_every = every;
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

/* Of what latents depend on besides bucket and number: the codec and the source of clips. */
static uint64_t fingerprint(const DitTrainer *t)
{
    uint64_t hash = latent_hash(LATENT_HASH_START, t->codec.vae.config.mean, sizeof t->codec.vae.config.mean);
    hash = latent_hash(hash, t->codec.vae.config.std, sizeof t->codec.vae.config.std);
    const Tensor *last = t->codec.vae.encoder.head.w;
    hash = latent_hash(hash, last->data, tensor_bytes(last));
    hash = latent_hash(hash, &t->settings.source.seed, sizeof t->settings.source.seed);
    char *data = json_dumps(json_object_get(t->settings.json, "data"), JSON_SORT_KEYS | JSON_COMPACT);
    hash = latent_hash(hash, data, data != NULL ? strlen(data) : 0);
    free(data);
    return hash;
}

static const char *text_of(const DitTrainer *t, const char *key, SoraError *err)
{
    const char *text = json_string_value(json_object_get(t->settings.json, key));
    if (text == NULL)
        error_set(err, SORA_ERROR_INPUT, "\"%s\": a path is expected", key);
    return text;
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
    char folder[MAX_PATH];
    snprintf(folder, sizeof folder, "%s/latents", t->options->folder);
    LatentCacheConfig cache = {.folder = folder, .source = t->source, .codec = &t->codec.vae, .graph = t->graph,
                               .buckets = t->buckets, .bucket_count = t->bucket_count, .fingerprint = fingerprint(t),
                               .progress = report_encoding, .user = t};
    t->latents = latent_cache_new(&cache, err);
    return t->latents != NULL;
}

static bool bind_networks(DitTrainer *t, SoraError *err)
{
    dit_bind(&t->dit, &t->dit_config, &t->dit_params);
    umt5_bind(&t->text, &t->text_config, &t->text_params);
    if (!params_ok(&t->dit_params, err) || !params_ok(&t->text_params, err) ||
        !adamw_add(&t->optimizer, "transformer", &t->dit_params, err) ||
        !adamw_add(&t->optimizer, "text_encoder", &t->text_params, err))
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
        const char *init = json_string_value(json_is_object(from) ? json_object_get(from, SETS[i]) : from);
        if (init == NULL)
            continue;
        int missing = 0, count = i == 0 ? t->dit_params.count : t->text_params.count;
        snprintf(path, sizeof path, "%s/%s/model.safetensors", init, SETS[i]);
        if (!checkpoint_import(&t->optimizer, SETS[i], path, &missing, err))
            return false;
        if (2 * missing > count)
            return error_set(err, SORA_ERROR_INPUT, "%s: %d of %d tensors are missing or have another shape", path, missing,
                             count);
    }
    return true;
}

static bool prepare(DitTrainer *t, Backend *backend, SoraError *err)
{
    const json_t *o = t->settings.json;
    bool ok = (dit_config_parse(&t->dit_config, json_object_get(o, "transformer"), err) &&
               umt5_config_parse(&t->text_config, json_object_get(o, "text_encoder"), err) &&
               settings_buckets(json_object_get(o, "buckets"), t->buckets, &t->bucket_count, err) && read_rules(t, err)) ||
              error_wrap(err, "%s", t->options->config_path);
    return ok && open_parts(t, backend, err) &&
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
    random_source_deinit(&t->random);
    settings_deinit(&t->settings);
    free(t);
}

bool train_transformer(Backend *backend, const TrainOptions *o, SoraError *err)
{
    DitTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    t->options = o;
    bool ok = dir_make(o->folder, err) && settings_load(&t->settings, o->config_path, err);
    random_source_init(&t->random, t->settings.seed);
    params_init(&t->dit_params, &t->random.source);
    params_init(&t->text_params, &t->random.source);
    adamw_init(&t->optimizer, &t->settings.adamw);
    TrainRun run = {.options = o, .settings = &t->settings, .optimizer = &t->optimizer, .self = t, .step = dit_train_step,
                    .save_model = save_model, .samples = dit_samples};
    ok = ok && prepare(t, backend, err) && train_run(&run, err);
    release(t);
    return ok;
}
