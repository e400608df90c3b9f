#include "adapt/lora.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/lora_batch.h"
#include "base/file.h"
#include "train/checkpoint.h"
#include "train/estimate.h"
#include "train/run.h"

enum { MAX_PATH = 4096, MAX_TARGETS = 32, MAX_PROMPTS = 1 << 20, STREAMS_OF_A_STEP = 1 << 20 };
static const int64_t LARGE = 200000000; /* weights from which on blocks are computed again, unless it is said */

typedef struct LoraTrainer {
    TrainSettings settings;
    const TrainOptions *options;
    Base *base;
    Dit *dit; /* the base's */
    Dit bare; /* the same without the LoRA; it owns its blocks */
    CanvasShape shape, prior_shape; /* of a latent; of one of the model's own */
    RandomSource random;
    Params params;
    AdamW optimizer;
    Backend *backend; /* the base's, or one that only counts */
    Graph *graph;
    ClipSource *source;
    Examples examples, prior; /* prior: the model's own, of which count is 0 without "prior" */
    NoiseRule noise;
    const char *targets[MAX_TARGETS];
    int target_count, rank, batch, width, height, frames;
    double alpha, fps, dropout, plain_share, guidance;
    const char *trigger; /* or NULL */
    char *prior_text, *prompts[MAX_EXAMPLES]; /* lines of prior_text */
    int prior_count, prior_frames, prior_batch;
    double samples;
} LoraTrainer;

/* --- a step --- */

static void lora_drop(void *drawn)
{
    lora_batch_free(drawn);
}

/* The trainer's part of a step's samples: `number` is theirs among all of the step's. All examples in turn, so that each is seen as
 * often as the others. */
static LoraSample begin_sample(const LoraTrainer *t, const Examples *e, int64_t step, uint64_t stream, int64_t turn)
{
    LoraSample s = {.example = &e->items[(uint64_t)turn % (uint64_t)e->count], .share = 1};
    rng_init(&s.rng, t->settings.seed, (uint64_t)step * STREAMS_OF_A_STEP + 1 + stream % (STREAMS_OF_A_STEP - 1));
    return s;
}

/* With a trigger, pictures change what is said with it, and nothing else: the empty text and captions without it stay the base's.
 * Guidance makes the difference that words make `guidance` times as large, so they are to make that part of it. */
static void choose_text(const LoraTrainer *t, LoraSample *s)
{
    const Example *x = s->example;
    int which = rng_int(&s->rng, x->text_count);
    double chance = (double)rng_uniform(&s->rng);
    bool empty = chance < t->dropout, plain = chance < t->dropout + t->plain_share;
    s->sigma = (float)noise_draw(&t->noise, 0, &s->rng);
    s->text = empty ? &t->examples.empty : x->texts == NULL || plain ? &x->plain[which] : &x->texts[which];
    if (t->trigger != NULL)
        s->share = empty || plain ? 0 : (float)(1 / t->guidance);
}

static void *lora_draw(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err)
{
    LoraTrainer *t = self;
    int n = t->batch, m = t->prior.count > 0 ? t->prior_batch : 0;
    LoraSample *samples = calloc((size_t)(n + m), sizeof *samples);
    if (samples == NULL) {
        error_no_memory(err);
        return NULL;
    }
    uint64_t parts = (uint64_t)part->step * (uint64_t)part->parts + (uint64_t)part->part;
    for (int i = 0; i < n + m; i++) {
        int64_t stream = (int64_t)part->part * (n + m) + i;
        bool own = i >= n;
        int64_t turn = own ? (int64_t)parts * m + i - n : (int64_t)parts * n + i;
        samples[i] = begin_sample(t, own ? &t->prior : &t->examples, part->step, (uint64_t)stream, turn);
        choose_text(t, &samples[i]);
        if (own)
            samples[i].share = 0;
    }
    LoraBatch *b = lora_batch_new(&t->dit->config, &t->shape, samples, n + m, err);
    free(samples);
    if (b != NULL)
        b->parts = part->parts;
    return b;
}

static void *lora_blank(void *self, int kind, double *share, SoraError *err)
{
    const LoraTrainer *t = self;
    int n = t->batch, m = t->prior_count > 0 ? t->prior_batch : 0;
    LoraSample *samples = kind == 0 ? calloc((size_t)(n + m), sizeof *samples) : NULL;
    if (samples == NULL)
        return NULL;
    Example clip = {.frames = t->shape.frames}, own = {.frames = t->prior_shape.frames};
    for (int i = 0; i < n + m; i++)
        samples[i] = (LoraSample){.example = i < n ? &clip : &own, .share = t->trigger != NULL || m > 0 ? 0 : 1};
    LoraBatch *b = lora_batch_new(&t->dit->config, &t->shape, samples, n + m, err);
    free(samples);
    return b;
}

/* What the base says, without the LoRA; heap. */
static float *ask_base(const LoraTrainer *t, const LoraBatch *b, SoraError *err)
{
    Graph *g = t->graph;
    Tensor *y = lora_batch_forward(b, &t->bare, g);
    float *answer = y != NULL ? malloc((size_t)(y->shape[0] * y->shape[1]) * sizeof *answer) : NULL;
    if (y != NULL && answer == NULL)
        error_no_memory(err);
    if (answer != NULL)
        graph_download(g, y, answer);
    if (answer != NULL && graph_ok(g, err))
        return answer;
    free(answer);
    return NULL;
}

static bool lora_learn(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err)
{
    LoraTrainer *t = self;
    const LoraBatch *b = drawn;
    Graph *g = t->graph;
    float *answer = NULL, value = 0;
    graph_reset(g);
    if (b->asks_base && (answer = ask_base(t, b, err)) == NULL)
        return graph_ok(g, err);
    graph_reset(g);
    graph_record(g, true);
    Tensor *target = lora_batch_target(b, t->dit, answer, g);
    Tensor *d = op_sub(g, lora_batch_forward(b, t->dit, g), target);
    Tensor *l = op_scale(g, op_mean(g, op_mul(g, d, d)), 1.0 / b->parts, 0);
    graph_download(g, l, &value);
    graph_backward(g, l);
    graph_record(g, false);
    free(answer);
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

/* A prompt a line. */
static bool read_prompts(LoraTrainer *t, const char *path, SoraError *err)
{
    if ((t->prior_text = file_read(path, MAX_PROMPTS, NULL, err)) == NULL)
        return false;
    char *next = t->prior_text;
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        line[strcspn(line, "\r")] = 0;
        if (*line == 0)
            continue;
        if (t->prior_count == MAX_EXAMPLES)
            return error_set(err, SORA_ERROR_INPUT, "%s: more than %d prompts", path, MAX_EXAMPLES);
        t->prompts[t->prior_count++] = line;
    }
    return t->prior_count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no prompts in it, one a line is expected", path);
}

/* What keeps the other prompts as they are. */
static bool read_prior(LoraTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json, *prior = json_object_get(o, "prior");
    const char *path = NULL;
    t->guidance = 0; /* the base's, which is not open yet */
    if (!settings_text(o, "trigger", &t->trigger, err) ||
        !settings_number(o, (NumberRule){"plain_share", t->trigger != NULL ? 0.25 : 0, 0, 1}, &t->plain_share, err) ||
        (json_object_get(o, "guidance") != NULL && !settings_number(o, (NumberRule){"guidance", 1, 1, 100}, &t->guidance, err)))
        return false;
    if (t->trigger == NULL && (t->plain_share > 0 || t->guidance > 0))
        return error_set(err, SORA_ERROR_INPUT, "\"plain_share\" and \"guidance\" belong to a \"trigger\", which is not there");
    if (t->trigger != NULL && *t->trigger == 0)
        return error_set(err, SORA_ERROR_INPUT, "\"trigger\": words are expected");
    if (prior == NULL)
        return true;
    if (!settings_text(prior, "prompts", &path, err) || !settings_integer(prior, (NumberRule){"frames", t->frames, 1, 1025}, &t->prior_frames, err) ||
        !settings_integer(prior, (NumberRule){"batch", t->batch, 1, 1024}, &t->prior_batch, err))
        return error_wrap(err, "\"prior\"");
    return path != NULL ? read_prompts(t, path, err)
                        : error_set(err, SORA_ERROR_INPUT, "\"prior\": \"prompts\" is expected, a file with a prompt a line");
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
              read_targets(t, json_object_get(o, "targets"), err) && settings_text(o, "size", &size, err) && read_prior(t, err);
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
        !base_shape(t->base, t->width, t->height, t->frames, &t->shape, err) ||
        (t->prior_count > 0 && !base_shape(t->base, t->width, t->height, t->prior_frames, &t->prior_shape, err)))
        return false;
    if (t->guidance == 0)
        t->guidance = fmax(1, base_guidance(t->base));
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
    size_t blocks = (size_t)t->dit->config.num_layers * sizeof t->dit->blocks[0];
    t->dit->recompute = recompute;
    t->bare = *t->dit;
    if ((t->bare.blocks = malloc(blocks)) == NULL)
        return error_no_memory(err);
    memcpy(t->bare.blocks, t->dit->blocks, blocks);
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
    ExamplesConfig c = {.base = t->base, .source = t->source, .frames = t->shape.frames, .trigger = t->trigger,
                        .clip = {.width = t->width, .height = t->height, .frames = t->frames, .fps = t->fps},
                        .hooks = &t->options->hooks, .team = run_team(t->options)};
    if (t->source == NULL || t->options->estimate != NULL)
        return t->source != NULL;
    bool ok = examples_init(&t->examples, &c, err);
    if (ok && t->prior_count > 0) {
        c.clip.frames = t->prior_frames;
        c.frames = t->prior_shape.frames;
        c.trigger = NULL;
        ok = examples_make(&t->prior, &c, t->prompts, t->prior_count, err);
    }
    base_rest(t->base); /* the transformer comes next */
    return ok;
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
    examples_deinit(&t->prior);
    free(t->bare.blocks);
    free(t->prior_text);
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
