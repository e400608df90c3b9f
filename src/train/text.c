/* Lessons for a text encoder before a transformer listens to it: from the mean of a caption's rows, linear heads say what the
 * clip shows. Captions are the stage's; of the clips only words and classes are used, so they are drawn small. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "model/umt5.h"
#include "train/batch.h"
#include "train/checkpoint.h"
#include "train/classes.h"
#include "train/estimate.h"
#include "train/run.h"
#include "weights/param_sources.h"

enum { MAX_PATH = 4096, CLIP_SIZE = 32, HELD_OUT_TEXTS = 1000, HELD_OUT_BATCH = 50 };

static const char *const CLASS_NAMES[CLIP_CLASSES] = {
    [CLASS_NOUN] = "noun",           [CLASS_COLOUR] = "colour", [CLASS_COUNT] = "count", [CLASS_ACTION] = "action",
    [CLASS_DIRECTION] = "direction", [CLASS_PLACE] = "place",   [CLASS_TIME] = "time",   [CLASS_WEATHER] = "weather",
    [CLASS_CAMERA] = "camera",
};

typedef struct TextTrainer {
    TrainSettings settings;
    const TrainOptions *options;
    Umt5Config config;
    Umt5 text;
    RandomSource random;
    Params params;
    ClassHeads heads;
    Tokenizer *tokenizer;
    ClipSource *source, *held_out;
    Graph *graph;
    AdamW optimizer;
    int batch, text_len, frames;
    double samples;
} TextTrainer;

/* Texts, their ids one after the other, and what each is about. */
typedef struct Lesson {
    int count;
    int64_t *rows;
    int32_t *ids, *classes; /* classes [CLIP_CLASSES, count]; -1: unknown */
} Lesson;

static bool lesson_init(Lesson *l, int count, int text_len)
{
    size_t n = (size_t)count;
    *l = (Lesson){count, malloc(n * sizeof *l->rows), malloc(n * (size_t)text_len * sizeof *l->ids),
                  malloc(n * CLIP_CLASSES * sizeof *l->classes)};
    return l->rows != NULL && l->ids != NULL && l->classes != NULL;
}

static void lesson_deinit(Lesson *l)
{
    free(l->rows);
    free(l->ids);
    free(l->classes);
}

/* Clip `index`'s caption number `which` (any number) becomes text i. */
static bool add_text(const TextTrainer *t, ClipSource *source, uint64_t index, uint32_t which, Lesson *l, int i, SoraError *err)
{
    ClipRequest request = {.width = CLIP_SIZE, .height = CLIP_SIZE, .frames = t->frames, .fps = 12, .index = index};
    Clip clip;
    if (!clip_source_get(source, &request, &clip, err))
        return false;
    int64_t start = 0;
    for (int k = 0; k < i; k++)
        start += l->rows[k];
    const char *caption = clip.caption_count > 0 ? clip.captions[which % (uint32_t)clip.caption_count] : "";
    l->rows[i] = batch_encode_text(t->tokenizer, caption, l->ids + start, t->text_len, err);
    for (int k = 0; k < CLIP_CLASSES; k++)
        l->classes[k * l->count + i] = clip.classes[k];
    clip_deinit(&clip);
    return l->rows[i] > 0;
}

/* [texts, dim] */
static Tensor *encode(TextTrainer *t, const Lesson *l)
{
    Graph *g = t->graph;
    Umt5Batch batch = {.samples = l->count, .rows = l->rows, .ids = l->ids};
    Tensor *rows = umt5_forward(g, &t->text, &batch);
    return umt5_mean(g, rows, l->count, l->rows);
}

static Tensor *head(TextTrainer *t, Tensor *pooled, int kind)
{
    return op_linear(t->graph, pooled, t->heads.w[kind], t->heads.b[kind], UNARY_NONE);
}

/* texts: in the whole step. */
static Tensor *lesson_loss(TextTrainer *t, const Lesson *l, double texts)
{
    Graph *g = t->graph;
    Tensor *pooled = encode(t, l), *loss = NULL;
    float *weight = malloc((size_t)l->count * sizeof *weight);
    int32_t *label = malloc((size_t)l->count * sizeof *label);
    for (int k = 0; k < CLIP_CLASSES && weight != NULL && label != NULL; k++) {
        for (int i = 0; i < l->count; i++) {
            int32_t value = l->classes[k * l->count + i];
            weight[i] = value >= 0 ? 1 : 0;
            label[i] = value >= 0 ? value : 0;
        }
        Tensor *one = op_cross_entropy(g, head(t, pooled, k), graph_input(g, DTYPE_I32, SHAPE(l->count), label),
                                       graph_input(g, DTYPE_F32, SHAPE(l->count), weight));
        loss = loss == NULL ? one : op_add(g, loss, one);
    }
    free(weight);
    free(label);
    return op_scale(g, loss, 1.0 / (CLIP_CLASSES * texts), 0);
}

static void text_drop(void *drawn)
{
    if (drawn != NULL)
        lesson_deinit(drawn);
    free(drawn);
}

static void *text_draw(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err)
{
    TextTrainer *t = self;
    Lesson *l = calloc(1, sizeof *l);
    bool ok = (l != NULL && lesson_init(l, t->batch, t->text_len)) || error_no_memory(err);
    uint64_t first = ((uint64_t)part->step * (uint64_t)part->parts + (uint64_t)part->part) * (uint64_t)t->batch;
    for (int i = 0; ok && i < t->batch; i++) {
        Rng rng;
        rng_init(&rng, t->settings.seed, first + (uint64_t)i);
        uint64_t index = rng_u32(&rng);
        ok = add_text(t, t->source, index, rng_u32(&rng), l, i, err);
    }
    sums[0] += t->batch;
    if (ok)
        return l;
    text_drop(l);
    return NULL;
}

static void *text_blank(void *self, int kind, double *share, SoraError *err)
{
    const TextTrainer *t = self;
    if (kind > 0)
        return NULL;
    Lesson *l = calloc(1, sizeof *l);
    if (l == NULL || !lesson_init(l, t->batch, t->text_len)) {
        text_drop(l);
        error_no_memory(err);
        return NULL;
    }
    memset(l->ids, 0, (size_t)(t->batch * t->text_len) * sizeof *l->ids);
    memset(l->classes, 0, (size_t)(t->batch * CLIP_CLASSES) * sizeof *l->classes);
    for (int i = 0; i < t->batch; i++)
        l->rows[i] = t->text_len;
    return l;
}

static bool text_learn(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err)
{
    TextTrainer *t = self;
    Graph *g = t->graph;
    graph_reset(g);
    graph_record(g, true);
    Tensor *sum = lesson_loss(t, drawn, sums[0]);
    float value = 0;
    graph_download(g, sum, &value);
    graph_backward(g, sum);
    graph_record(g, false);
    *loss = (double)value;
    t->samples += t->batch;
    return graph_ok(g, err);
}

static double text_samples(void *self)
{
    return ((TextTrainer *)self)->samples;
}

/* Counts the texts of a lesson whose class is the head's largest. */
static bool count_right(TextTrainer *t, const Lesson *l, int right[CLIP_CLASSES], int all[CLIP_CLASSES], SoraError *err)
{
    graph_reset(t->graph);
    Tensor *pooled = encode(t, l);
    for (int k = 0; k < CLIP_CLASSES; k++) {
        int size = CLIP_CLASS_SIZES[k];
        float *score = malloc((size_t)(l->count * size) * sizeof *score);
        if (score == NULL)
            return error_set(err, SORA_ERROR_MEMORY, "out of memory");
        graph_download(t->graph, head(t, pooled, k), score);
        for (int i = 0; i < l->count; i++) {
            int best = 0, truth = l->classes[k * l->count + i];
            for (int c = 1; c < size; c++)
                if (score[i * size + c] > score[i * size + best])
                    best = c;
            all[k] += truth >= 0;
            right[k] += best == truth;
        }
        free(score);
    }
    return graph_ok(t->graph, err);
}

/* DIR/accuracy.tsv: how many captions of clips that training never sees are understood, class by class. Captions that do
 * not say it count too. */
static bool write_accuracy(TextTrainer *t, SoraError *err)
{
    int right[CLIP_CLASSES] = {0}, all[CLIP_CLASSES] = {0};
    Lesson l;
    bool ok = lesson_init(&l, HELD_OUT_BATCH, t->text_len) || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int first = 0; ok && first < HELD_OUT_TEXTS; first += HELD_OUT_BATCH) {
        for (int i = 0; ok && i < HELD_OUT_BATCH; i++) /* seen pairs: even numbers */
            ok = add_text(t, t->held_out, 2 * (uint64_t)(first + i), (uint32_t)(first + i), &l, i, err);
        ok = ok && count_right(t, &l, right, all, err);
    }
    lesson_deinit(&l);
    char path[MAX_PATH], text[1024];
    int n = snprintf(text, sizeof text, "class\tright\tof\n");
    for (int k = 0; k < CLIP_CLASSES; k++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s\t%d\t%d\n", CLASS_NAMES[k], right[k], all[k]);
    snprintf(path, sizeof path, "%s/accuracy.tsv", t->options->folder);
    FileWriter w;
    if (!ok || !file_writer_open(&w, path, err))
        return false;
    fwrite(text, 1, (size_t)n, w.stream);
    return file_writer_commit(&w, err);
}

static bool save_text(void *self, const char *folder, SoraError *err)
{
    TextTrainer *t = self;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/text_encoder", folder);
    if (!dir_make(path, err))
        return false;
    snprintf(path, sizeof path, "%s/text_encoder/config.json", folder);
    if (!settings_write(json_object_get(t->settings.json, "text_encoder"), path, err))
        return false;
    snprintf(path, sizeof path, "%s/text_encoder/model.safetensors", folder);
    return checkpoint_export(&t->optimizer, "text_encoder", path, err) && write_accuracy(t, err);
}

/* --- setting up --- */

static bool prepare(TextTrainer *t, Backend *backend, SoraError *err)
{
    const json_t *o = t->settings.json;
    const char *tokenizer = json_string_value(json_object_get(o, "tokenizer"));
    bool ok = umt5_config_parse(&t->config, json_object_get(o, "text_encoder"), err) &&
              settings_integer(o, (NumberRule){"batch", 64, 1, 4096}, &t->batch, err) &&
              settings_integer(o, (NumberRule){"text_len", 64, 2, 65536}, &t->text_len, err) &&
              settings_integer(o, (NumberRule){"frames", 17, 1, 1025}, &t->frames, err) &&
              (tokenizer != NULL || error_set(err, SORA_ERROR_INPUT, "\"tokenizer\": a path is expected"));
    if (!ok)
        return error_wrap(err, "%s", t->options->config_path);
    if (t->settings.source.folder != NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: a text encoder is taught on Emoji Stage, since a folder of videos has no classes",
                         t->options->config_path);
    ClipSourceConfig source = t->settings.source;
    source.stage_pack = t->options->stage_pack;
    t->tokenizer = tokenizer_open(tokenizer, err);
    t->source = t->tokenizer != NULL ? clip_source_open(&source, err) : NULL;
    source.held_out = true;
    t->held_out = t->source != NULL ? clip_source_open(&source, err) : NULL;
    if (t->held_out == NULL)
        return false;
    if (tokenizer_vocab_size(t->tokenizer) > t->config.vocab || tokenizer_eos_id(t->tokenizer) < 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: %d pieces (the text encoder has %d) and an end id are needed", tokenizer,
                         tokenizer_vocab_size(t->tokenizer), t->config.vocab);
    umt5_bind(&t->text, &t->config, &t->params);
    class_heads_init(&t->heads, &t->random.source, t->config.dim, CLIP_CLASS_SIZES, CLIP_CLASSES);
    t->graph = graph_new(backend);
    return params_ok(&t->params, err) && params_ok(&t->heads.params, err) &&
           adamw_add(&t->optimizer, "text_encoder", &t->params, err) &&
           adamw_add(&t->optimizer, "classes", &t->heads.params, err) &&
           (t->graph != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
}

static void release(TextTrainer *t)
{
    adamw_deinit(&t->optimizer);
    graph_free(t->graph);
    clip_source_close(t->source);
    clip_source_close(t->held_out);
    tokenizer_close(t->tokenizer);
    params_deinit(&t->params);
    class_heads_deinit(&t->heads);
    random_source_deinit(&t->random);
    settings_deinit(&t->settings);
    free(t);
}

bool train_text_encoder(Backend *backend, const TrainOptions *o, SoraError *err)
{
    TextTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    t->options = o;
    bool ok = run_open(&t->settings, o, TRAINER_TEXT, err);
    random_source_init(&t->random, t->settings.seed);
    params_init(&t->params, &t->random.source);
    adamw_init(&t->optimizer, &t->settings.adamw, backend->pool);
    TrainRun run = {.options = o, .settings = &t->settings, .optimizer = &t->optimizer, .self = t, .graph = &t->graph,
                    .blank = text_blank, .draw = text_draw, .learn = text_learn, .drop = text_drop, .save_model = save_text, .samples = text_samples};
    estimate_prepare(o, &t->random, &t->optimizer);
    Backend *used = ok ? estimate_backend(o, backend, err) : backend;
    ok = ok && used != NULL && prepare(t, used, err) && train_run(&run, err);
    release(t);
    estimate_backend_free(used, backend);
    return ok;
}
