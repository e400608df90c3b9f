#include "adapt/lora.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/examples.h"
#include "base/rng.h"
#include "train/checkpoint.h"
#include "train/estimate.h"
#include "train/run.h"

enum { MAX_PATH = 4096, MAX_TARGETS = 32, STREAMS_OF_A_STEP = 1 << 20 };
static const int64_t LARGE = 200000000; /* weights from which on blocks are computed again, unless it is said */

typedef struct LoraTrainer {
    TrainSettings settings;
    const TrainOptions *options;
    Base *base;
    Dit *dit; /* the base's */
    CanvasShape shape; /* of a latent */
    RandomSource random;
    Params params;
    AdamW optimizer;
    Backend *backend; /* the base's, or one that only counts */
    Graph *graph;
    ClipSource *source;
    Examples examples;
    NoiseRule noise;
    const char *targets[MAX_TARGETS];
    int target_count, rank, batch, width, height, frames;
    double alpha, fps, dropout;
    double samples;
} LoraTrainer;

/* --- a step --- */

/* Samples of a part, stacked along the frames, as the network's functions take them. */
typedef struct LoraBatch {
    int samples, parts;
    int64_t shape[4];  /* C, all frames, h, w */
    float *noisy, *target;
    float *timesteps;  /* [samples] */
    int32_t *t_sample; /* [samples] */
    int32_t *t_index;  /* [tokens] */
    int64_t tokens, text_dim;
    int64_t (*grid)[3], *rows;
    float *text; /* [rows, text_dim] of all */
} LoraBatch;

static void lora_drop(void *drawn)
{
    LoraBatch *b = drawn;
    if (b == NULL)
        return;
    free(b->noisy);
    free(b->timesteps);
    free(b->t_sample);
    free(b->t_index);
    free(b->grid);
    free(b->rows);
    free(b->text);
    free(b);
}

/* rows: of text of all samples. */
static LoraBatch *new_batch(const LoraTrainer *t, int64_t rows, SoraError *err)
{
    const CanvasShape *shape = &t->shape;
    const int *patch = t->dit->config.patch_size;
    int n = t->batch, frames = shape->frames;
    LoraBatch *b = calloc(1, sizeof *b);
    if (b == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *b = (LoraBatch){.samples = n, .shape = {shape->channels, (int64_t)n * frames, shape->height, shape->width},
                     .text_dim = t->dit->config.text_dim};
    size_t numbers = (size_t)(b->shape[0] * b->shape[1] * b->shape[2] * b->shape[3]);
    int64_t grid[3] = {frames / patch[0], shape->height / patch[1], shape->width / patch[2]}, one = grid[0] * grid[1] * grid[2];
    b->tokens = n * one;
    b->noisy = calloc(2 * numbers, sizeof *b->noisy);
    b->timesteps = calloc((size_t)n, sizeof *b->timesteps);
    b->t_sample = calloc((size_t)n, sizeof *b->t_sample);
    b->t_index = calloc((size_t)b->tokens, sizeof *b->t_index);
    b->grid = calloc((size_t)n, sizeof *b->grid);
    b->rows = calloc((size_t)n, sizeof *b->rows);
    b->text = calloc((size_t)(rows * b->text_dim) + 1, sizeof *b->text);
    if (b->noisy == NULL || b->timesteps == NULL || b->t_sample == NULL || b->t_index == NULL || b->grid == NULL || b->rows == NULL ||
        b->text == NULL) {
        lora_drop(b);
        error_no_memory(err);
        return NULL;
    }
    b->target = b->noisy + numbers;
    for (int i = 0; i < n; i++) {
        b->t_sample[i] = i;
        memcpy(b->grid[i], grid, sizeof grid);
        for (int64_t k = 0; k < one; k++)
            b->t_index[i * one + k] = i;
    }
    return b;
}

/* x = (1 - sigma) x0 + sigma noise, and noise - x0, at sample i's frames. */
static void add_noise(LoraBatch *b, int i, const float *x0, float sigma, Rng *rng)
{
    int64_t frames = b->shape[1] / b->samples, frame = b->shape[2] * b->shape[3];
    for (int64_t c = 0; c < b->shape[0]; c++)
        for (int64_t k = 0; k < frames * frame; k++) {
            float noise = rng_normal(rng), clean = x0[c * frames * frame + k];
            int64_t at = (c * b->shape[1] + i * frames) * frame + k;
            b->noisy[at] = (1 - sigma) * clean + sigma * noise;
            b->target[at] = noise - clean;
        }
}

static void *lora_draw(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err)
{
    LoraTrainer *t = self;
    const Examples *e = &t->examples;
    LoraBatch *b = new_batch(t, (int64_t)t->batch * t->dit->config.text_len, err);
    int64_t rows = 0;
    for (int i = 0; b != NULL && i < t->batch; i++) {
        Rng rng;
        int64_t number = (int64_t)part->part * t->batch + i;
        rng_init(&rng, t->settings.seed, (uint64_t)part->step * STREAMS_OF_A_STEP + 1 + (uint64_t)number % (STREAMS_OF_A_STEP - 1));
        /* All examples in turn, so that each is seen as often as the others. */
        const Example *x = &e->items[((uint64_t)part->step * (uint64_t)part->parts * (uint64_t)t->batch + (uint64_t)number) % (uint64_t)e->count];
        int which = rng_int(&rng, x->text_count);
        const TextRows *text = rng_uniform(&rng) < (float)t->dropout ? &e->empty : &x->texts[which];
        float sigma = (float)noise_draw(&t->noise, 0, &rng);
        add_noise(b, i, x->latent, sigma, &rng);
        b->timesteps[i] = 1000 * sigma;
        memcpy(b->text + rows * b->text_dim, text->data, (size_t)(text->rows * b->text_dim) * sizeof(float));
        b->rows[i] = text->rows;
        rows += text->rows;
    }
    if (b != NULL)
        b->parts = part->parts;
    return b;
}

static void *lora_blank(void *self, int kind, double *share, SoraError *err)
{
    const LoraTrainer *t = self;
    int length = t->dit->config.text_len;
    if (kind > 0)
        return NULL;
    LoraBatch *b = new_batch(t, (int64_t)t->batch * length, err);
    for (int i = 0; b != NULL && i < t->batch; i++)
        b->rows[i] = length;
    if (b != NULL)
        b->parts = 1;
    return b;
}

static bool lora_learn(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err)
{
    LoraTrainer *t = self;
    const LoraBatch *b = drawn;
    Graph *g = t->graph;
    int64_t rows = 0;
    for (int i = 0; i < b->samples; i++)
        rows += b->rows[i];
    graph_reset(g);
    graph_record(g, true);
    DitBatch batch = {.samples = b->samples, .grid = (const int64_t (*)[3])b->grid, .text_rows = b->rows};
    batch.text = graph_input(g, DTYPE_F32, SHAPE(rows, b->text_dim), b->text);
    batch.patches = dit_patchify(g, &t->dit->config, graph_input(g, DTYPE_F32, 4, b->shape, b->noisy));
    batch.timesteps = graph_input(g, DTYPE_F32, SHAPE(b->samples), b->timesteps);
    batch.t_sample = graph_input(g, DTYPE_I32, SHAPE(b->samples), b->t_sample);
    batch.t_index = graph_input(g, DTYPE_I32, SHAPE(b->tokens), b->t_index);
    Tensor *target = dit_patchify_head(g, &t->dit->config, graph_input(g, DTYPE_F32, 4, b->shape, b->target));
    Tensor *d = op_sub(g, dit_forward(g, t->dit, &batch), target);
    Tensor *l = op_scale(g, op_mean(g, op_mul(g, d, d)), 1.0 / b->parts, 0);
    float value = 0;
    graph_download(g, l, &value);
    graph_backward(g, l);
    graph_record(g, false);
    *loss = (double)value;
    t->samples += b->samples;
    return graph_ok(g, err);
}

static double lora_samples(void *self)
{
    return ((LoraTrainer *)self)->samples;
}

/* alpha is in it already (see read_lora()), so whoever loads it multiplies by one. */
static bool save_lora(void *self, const char *folder, SoraError *err)
{
    LoraTrainer *t = self;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/lora.safetensors", folder);
    return checkpoint_export(&t->optimizer, "lora", path, err);
}

/* The base's weights lie in files that are mapped. */
static bool lora_estimate(void *self, TrainEstimate *e, SoraError *err)
{
    const LoraTrainer *t = self;
    e->weights += base_bytes(t->base);
    return true;
}

/* --- setting up --- */

static bool read_targets(LoraTrainer *t, const json_t *list, SoraError *err)
{
    static const char *const ALL[] = {"self_attn", "cross_attn", "ffn"};
    t->target_count = list == NULL ? 3 : (int)json_array_size(list);
    if (t->target_count < 1 || t->target_count > MAX_TARGETS)
        return error_set(err, SORA_ERROR_INPUT, "\"targets\" is no list of 1 to %d names", MAX_TARGETS);
    for (int i = 0; i < t->target_count; i++) {
        t->targets[i] = list == NULL ? ALL[i] : json_string_value(json_array_get(list, (size_t)i));
        if (t->targets[i] == NULL)
            return error_set(err, SORA_ERROR_INPUT, "\"targets\": entry %d is not a text", i + 1);
    }
    return true;
}

static bool read_lora(LoraTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json;
    const char *size = NULL;
    int end = 0;
    bool ok = settings_integer(o, (NumberRule){"rank", 16, 1, 4096}, &t->rank, err) &&
              settings_number(o, (NumberRule){"alpha", t->rank, 1e-3, 1e5}, &t->alpha, err) &&
              settings_integer(o, (NumberRule){"frames", 1, 1, 1025}, &t->frames, err) &&
              settings_number(o, (NumberRule){"fps", 12, 1, 120}, &t->fps, err) &&
              settings_integer(o, (NumberRule){"batch", 1, 1, 1024}, &t->batch, err) &&
              settings_number(o, (NumberRule){"condition_dropout", 0.1, 0, 1}, &t->dropout, err) &&
              settings_noise(json_object_get(o, "timesteps"), &t->noise, err) &&
              read_targets(t, json_object_get(o, "targets"), err) && settings_text(o, "size", &size, err);
    if (!ok)
        return false;
    if (size == NULL || sscanf(size, "%dx%d%n", &t->width, &t->height, &end) != 2 || size[end] != 0 || t->width < 16 || t->height < 16 ||
        t->width > 4096 || t->height > 4096)
        return error_set(err, SORA_ERROR_INPUT, "\"size\" like \"256x256\" expected");
    if (t->settings.source.folder == NULL)
        return error_set(err, SORA_ERROR_INPUT, "\"data\": a \"folder\" of pictures or videos with captions beside them is expected");
    return t->settings.preview_every == 0 ||
           error_set(err, SORA_ERROR_INPUT, "\"preview_every\": a LoRA has no previews; look with sora generate --lora");
}

static bool open_base(LoraTrainer *t, SoraError *err)
{
    const TrainOptions *o = t->options;
    const char *name = NULL;
    if (!settings_text(t->settings.json, "base", &name, err) || (t->base = base_open(name, o, err)) == NULL ||
        !base_shape(t->base, t->width, t->height, t->frames, &t->shape, err))
        return false;
    t->dit = base_transformer(t->base);
    t->optimizer.pool = base_backend(t->base)->pool;
    t->backend = estimate_backend(o, base_backend(t->base), err);
    if (t->backend == NULL)
        return false;
    t->graph = t->backend == base_backend(t->base) ? base_graph(t->base) : graph_new(t->backend);
    return t->graph != NULL || error_no_memory(err);
}

/* Every rank has the same base and encodes the same clips. alpha scales what up adds by alpha / rank. Steps of AdamW do not depend on
 * a gradient's size, so that is the same as its learning rate times so much, and nothing is left to multiply by in the file. */
static bool bind_lora(LoraTrainer *t, SoraError *err)
{
    DitLoraConfig c = {t->rank, t->targets, t->target_count};
    bool recompute;
    if (!settings_flag(t->settings.json, "recompute", base_weights(t->base) > LARGE, &recompute, err))
        return false;
    t->dit->recompute = recompute;
    dit_bind_lora(t->dit, &c, &t->params);
    if (!params_ok(&t->params, err) || !adamw_add(&t->optimizer, "lora", &t->params, err))
        return false;
    for (int i = 0; i < t->optimizer.count; i++)
        if (strstr(t->optimizer.slots[i].name, ".lora_B.") != NULL)
            t->optimizer.slots[i].rate = t->alpha / t->rank;
    return true;
}

static bool encode_examples(LoraTrainer *t, SoraError *err)
{
    ClipSourceConfig source = t->settings.source;
    t->source = clip_source_open(&source, err);
    ExamplesConfig c = {.base = t->base, .source = t->source,
                        .clip = {.width = t->width, .height = t->height, .frames = t->frames, .fps = t->fps},
                        .hooks = &t->options->hooks, .team = run_team(t->options)};
    return t->source != NULL && (t->options->estimate != NULL || examples_init(&t->examples, &c, err));
}

bool train_lora(Backend *backend, const TrainOptions *o, SoraError *err)
{
    LoraTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_no_memory(err);
    t->options = o;
    bool ok = run_open(&t->settings, o, TRAINER_LORA, err);
    random_source_init(&t->random, t->settings.seed);
    params_init(&t->params, &t->random.source);
    adamw_init(&t->optimizer, &t->settings.adamw, NULL);
    estimate_prepare(o, &t->random, &t->optimizer);
    TrainRun run = {.options = o, .settings = &t->settings, .optimizer = &t->optimizer, .self = t, .graph = &t->graph,
                    .blank = lora_blank, .estimate = lora_estimate, .draw = lora_draw, .learn = lora_learn, .drop = lora_drop,
                    .save_model = save_lora, .samples = lora_samples};
    ok = ok && (read_lora(t, err) || error_wrap(err, "%s", o->config_path)) && open_base(t, err) && bind_lora(t, err) &&
         encode_examples(t, err) && train_run(&run, err);
    adamw_deinit(&t->optimizer);
    examples_deinit(&t->examples);
    clip_source_close(t->source);
    if (t->base != NULL && t->backend != NULL && t->backend != base_backend(t->base)) {
        graph_free(t->graph);
        estimate_backend_free(t->backend, base_backend(t->base));
    }
    base_close(t->base);
    params_deinit(&t->params);
    random_source_deinit(&t->random);
    settings_deinit(&t->settings);
    free(t);
    return ok;
}
