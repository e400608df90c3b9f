/* Training the captioner (model/captioner.h) on clips of Emoji Stage: the cross-entropy of several of a clip's captions, and
 * that of what linear heads say of it, which are thrown away afterwards: who is in each place, who goes where in each patch,
 * and the classes of the whole clip. The heads teach the half that looks before the half that speaks listens to it. */
#include "model/captioner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "train/batch.h"
#include "train/checkpoint.h"
#include "train/classes.h"
#include "train/codec.h"
#include "train/eigen.h"
#include "train/estimate.h"
#include "train/run.h"
#include "weights/param_sources.h"
#include "weights/safetensors.h"

enum { MAX_PATH = 4096, PLACE_HEADS = 2, STAGE_CAPTIONS = 10, MAX_TEXTS = STAGE_CAPTIONS };
static const uint64_t STREAMS_OF_A_STEP = 1 << 20;
static const float NOBODY = 0.1f; /* weight of places where nobody acts */

typedef struct CaptionerTrainer {
    TrainSettings settings;
    const TrainOptions *options;
    CaptionerConfig config;
    Captioner model;
    RandomSource random;
    Params params;
    ClassHeads place_heads, patch_heads, clip_heads;
    AdamW optimizer;
    Tokenizer *tokenizer;
    Codec codec;
    ClipSource *source;
    LatentCache *latents;
    Graph *graph;
    Bucket buckets[MAX_BUCKETS];
    int bucket_count, texts; /* captions of each clip in a step */
    double look_weight, noise;
    double samples;
} CaptionerTrainer;

/* What a step sees. */
typedef struct Lesson {
    int clips, texts;
    int64_t shape[4]; /* of a latent */
    int64_t ids;
    float *latents;      /* [clips, shape] */
    CellLabel *labels;   /* [clips, F, h, w] */
    int32_t *classes;    /* [CLIP_CLASSES, clips] */
    int32_t *of_clip, *rows, *input, *target;
} Lesson;

static int64_t lesson_cells(const Lesson *l)
{
    return l->clips * l->shape[0] * l->shape[1] * l->shape[2];
}

static bool lesson_init(Lesson *l, const CaptionerTrainer *t)
{
    size_t clips = (size_t)l->clips, texts = clips * (size_t)t->texts, cells = (size_t)lesson_cells(l);
    l->latents = malloc(cells * (size_t)l->shape[3] * sizeof *l->latents);
    l->labels = malloc(cells * sizeof *l->labels);
    l->classes = malloc(clips * CLIP_CLASSES * sizeof *l->classes);
    l->of_clip = malloc(clips * sizeof *l->of_clip);
    l->rows = malloc(texts * sizeof *l->rows);
    l->input = malloc(texts * (size_t)t->config.text_len * sizeof *l->input);
    l->target = malloc(texts * (size_t)t->config.text_len * sizeof *l->target);
    return l->latents != NULL && l->labels != NULL && l->classes != NULL && l->of_clip != NULL && l->rows != NULL && l->input != NULL &&
           l->target != NULL;
}

/* --- a step's clips and captions --- */

/* The control token of the stage's caption number i: of each language two short ones, a medium one, a detailed one, and tags. */
static int32_t control_of(const CaptionerTrainer *t, int i)
{
    static const CaptionForm FORMS[STAGE_CAPTIONS / 2] = {FORM_SHORT, FORM_SHORT, FORM_MEDIUM, FORM_DETAILED, FORM_TAGS};
    return captioner_control(&t->config, i / (STAGE_CAPTIONS / 2), FORMS[i % (STAGE_CAPTIONS / 2)]);
}

static bool add_text(CaptionerTrainer *t, Lesson *l, const char *caption, int32_t control, SoraError *err)
{
    int32_t ids[CAPTIONER_MAX_TEXT];
    int n = batch_encode_text(t->tokenizer, caption, ids, t->config.text_len, err);
    if (n <= 0)
        return false;
    l->rows[l->texts++] = n;
    for (int i = 0; i < n; i++) {
        l->input[l->ids + i] = i == 0 ? control : ids[i - 1];
        l->target[l->ids + i] = ids[i];
    }
    l->ids += n;
    return true;
}

static bool add_texts(CaptionerTrainer *t, Lesson *l, const LatentSample *s, Rng *rng, SoraError *err)
{
    const char *captions[STAGE_CAPTIONS], *at = s->captions;
    int order[STAGE_CAPTIONS];
    if (s->caption_count != STAGE_CAPTIONS)
        return error_set(err, SORA_ERROR_INPUT, "a clip with %d captions, a captioner learns from the %d of Emoji Stage",
                         s->caption_count, STAGE_CAPTIONS);
    for (int i = 0; i < STAGE_CAPTIONS; i++) {
        captions[i] = at;
        at += strlen(at) + 1;
        order[i] = i;
    }
    bool ok = true;
    for (int i = 0; ok && i < t->texts; i++) {
        int k = i + rng_int(rng, STAGE_CAPTIONS - i), which = order[k];
        order[k] = order[i];
        ok = add_text(t, l, captions[which], control_of(t, which), err);
    }
    return ok;
}

/* Half of the clips get noise, as other encoders leave it. */
static void add_noise(const CaptionerTrainer *t, Rng *rng, float *latent, int64_t count)
{
    int64_t z = t->config.z_dim;
    float size = rng_uniform(rng) * (float)t->noise;
    if (t->noise <= 0 || rng_uniform(rng) < 0.5f)
        return;
    for (int64_t i = 0; i < count; i++)
        latent[i] += size * sqrtf(t->config.latent_variance[i % z]) * rng_normal(rng);
}

static bool add_clip(CaptionerTrainer *t, Lesson *l, int i, int bucket, Rng *rng, SoraError *err)
{
    const Bucket *b = &t->buckets[bucket];
    int64_t cells = lesson_cells(l) / l->clips, count = cells * l->shape[3];
    LatentSample s;
    int shard = rng_int(rng, b->shards), clip = rng_int(rng, b->shard_clips);
    if (!latent_cache_get(t->latents, bucket, shard, clip, &s, err))
        return false;
    latent_sample_read(&s, count, l->shape[3], l->latents + i * count);
    add_noise(t, rng, l->latents + i * count, count);
    memcpy(l->labels + i * cells, s.labels, (size_t)cells * sizeof *l->labels);
    for (int k = 0; k < CLIP_CLASSES; k++)
        l->classes[k * l->clips + i] = s.classes[k];
    l->of_clip[i] = t->texts;
    return add_texts(t, l, &s, rng, err);
}

static int draw_bucket(const CaptionerTrainer *t, Rng *rng)
{
    double sum = 0;
    for (int i = 0; i < t->bucket_count; i++)
        sum += t->buckets[i].weight;
    double u = (double)rng_uniform(rng) * sum;
    int i = 0;
    while (i + 1 < t->bucket_count && u >= t->buckets[i].weight)
        u -= t->buckets[i++].weight;
    return i;
}

static void captioner_drop(void *drawn)
{
    Lesson *l = drawn;
    if (l == NULL)
        return;
    free(l->latents);
    free(l->labels);
    free(l->classes);
    free(l->of_clip);
    free(l->rows);
    free(l->input);
    free(l->target);
    free(l);
}

static const CellLabel *patch_label(const Lesson *l, int64_t patch);

static float place_weight(const CellLabel *l)
{
    return l->noun != 0 ? 1 : NOBODY;
}

/* What the losses are divided by. */
enum { SUM_TOKENS, SUM_PLACES, SUM_PATCHES, SUM_CLASSES };

static void add_sums(const Lesson *l, double sums[RUN_SUMS])
{
    sums[SUM_TOKENS] += (double)l->ids;
    for (int64_t i = 0; i < lesson_cells(l); i++)
        sums[SUM_PLACES] += (double)place_weight(&l->labels[i]);
    for (int64_t i = 0; i < lesson_cells(l) / 4; i++)
        sums[SUM_PATCHES] += (double)place_weight(patch_label(l, i));
    for (int k = 0; k < CLIP_CLASSES; k++)
        for (int i = 0; i < l->clips; i++)
            sums[SUM_CLASSES + k] += l->classes[k * l->clips + i] >= 0;
}

static void *captioner_draw(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err)
{
    CaptionerTrainer *t = self;
    Rng rng;
    uint64_t stream = (uint64_t)part->step * STREAMS_OF_A_STEP;
    rng_init(&rng, t->settings.seed, stream); /* the same in all parts */
    int bucket = draw_bucket(t, &rng);
    Lesson *l = calloc(1, sizeof *l);
    if (l == NULL) {
        error_no_memory(err);
        return NULL;
    }
    l->clips = t->buckets[bucket].batch;
    latent_cache_shape(t->latents, bucket, l->shape);
    bool ok = lesson_init(l, t) || error_no_memory(err);
    for (int i = 0; ok && i < l->clips; i++) {
        rng_init(&rng, t->settings.seed, stream + 1 + (uint64_t)part->part * (uint64_t)l->clips + (uint64_t)i);
        ok = add_clip(t, l, i, bucket, &rng, err);
    }
    if (ok) {
        add_sums(l, sums);
        return l;
    }
    captioner_drop(l);
    return NULL;
}

/* A whole part of a bucket without data and with the longest texts, for estimates. */
static void *captioner_blank(void *self, int kind, double *share, SoraError *err)
{
    CaptionerTrainer *t = self;
    if (kind >= t->bucket_count)
        return NULL;
    *share = t->buckets[kind].weight;
    Lesson *l = calloc(1, sizeof *l);
    if (l != NULL) {
        l->clips = t->buckets[kind].batch;
        latent_cache_shape(t->latents, kind, l->shape);
    }
    if (l == NULL || !lesson_init(l, t)) {
        captioner_drop(l);
        error_no_memory(err);
        return NULL;
    }
    size_t cells = (size_t)lesson_cells(l);
    memset(l->latents, 0, cells * (size_t)l->shape[3] * sizeof *l->latents);
    memset(l->labels, 0, cells * sizeof *l->labels);
    memset(l->classes, 0, (size_t)l->clips * CLIP_CLASSES * sizeof *l->classes);
    l->texts = l->clips * t->texts;
    l->ids = (int64_t)l->texts * t->config.text_len;
    memset(l->input, 0, (size_t)l->ids * sizeof *l->input);
    memset(l->target, 0, (size_t)l->ids * sizeof *l->target);
    for (int i = 0; i < l->clips; i++)
        l->of_clip[i] = t->texts;
    for (int i = 0; i < l->texts; i++)
        l->rows[i] = t->config.text_len;
    return l;
}

static bool captioner_estimate(void *self, TrainEstimate *e, SoraError *err)
{
    const CaptionerTrainer *t = self;
    e->latents = e->latent_seconds = 0;
    for (int i = 0; i < t->bucket_count; i++) {
        double bytes = 0, seconds = 0;
        if (!latent_cache_estimate(t->latents, i, t->buckets[i].shards, &bytes, e->timed ? &seconds : NULL, err))
            return false;
        e->latents += bytes;
        e->latent_seconds += seconds;
    }
    return true;
}

/* --- losses --- */

/* A head's cross-entropy on rows x, over sum: of the weights of the whole step. */
typedef struct HeadTask {
    const ClassHeads *heads;
    int64_t rows;
    int32_t *labels; /* [rows] */
    float *weights;  /* [rows] */
    double sum;
} HeadTask;

static Tensor *head_loss(Graph *g, const HeadTask *h, int which, Tensor *x)
{
    Tensor *logits = op_linear(g, x, h->heads->w[which], h->heads->b[which], UNARY_NONE);
    Tensor *loss = op_cross_entropy(g, logits, graph_input(g, DTYPE_I32, SHAPE(h->rows), h->labels),
                                    graph_input(g, DTYPE_F32, SHAPE(h->rows), h->weights));
    return op_scale(g, loss, h->sum > 0 ? 1 / h->sum : 0, 0);
}

static int32_t label_value(const CellLabel *l, int head)
{
    int32_t value = head == 0 ? l->noun : head == 1 ? l->colour : l->motion;
    return value < PATCH_HEAD_SIZES[head] ? value : 0;
}

/* Who is in each place, and in which colour. */
static Tensor *place_loss(CaptionerTrainer *t, const Lesson *l, Tensor *cells, HeadTask task)
{
    Tensor *loss = NULL;
    for (int64_t i = 0; i < task.rows; i++)
        task.weights[i] = place_weight(&l->labels[i]);
    for (int k = 0; k < PLACE_HEADS; k++) {
        for (int64_t i = 0; i < task.rows; i++)
            task.labels[i] = label_value(&l->labels[i], k);
        Tensor *one = head_loss(t->graph, &task, k, cells);
        loss = loss == NULL ? one : op_add(t->graph, loss, one);
    }
    return op_scale(t->graph, loss, 1.0 / PLACE_HEADS, 0);
}

/* The label of a patch of 2x2 places: the first of them in which somebody acts. */
static const CellLabel *patch_label(const Lesson *l, int64_t patch)
{
    int64_t height = l->shape[1] / 2, width = l->shape[2] / 2, frame = patch / (height * width);
    int64_t y = patch / width % height, x = patch % width;
    const CellLabel *at = l->labels + (frame * l->shape[1] + 2 * y) * l->shape[2] + 2 * x;
    const CellLabel *four[] = {at, at + 1, at + l->shape[2], at + l->shape[2] + 1};
    for (int i = 0; i < 4; i++)
        if (four[i]->noun != 0)
            return four[i];
    return at;
}

/* Who is in each patch, in which colour, going where. */
static Tensor *patch_loss(CaptionerTrainer *t, const Lesson *l, Tensor *memory, HeadTask task)
{
    Tensor *loss = NULL;
    for (int k = 0; k < PATCH_HEADS; k++) {
        for (int64_t i = 0; i < task.rows; i++) {
            const CellLabel *label = patch_label(l, i);
            task.labels[i] = label_value(label, k);
            task.weights[i] = place_weight(label);
        }
        Tensor *one = head_loss(t->graph, &task, k, memory);
        loss = loss == NULL ? one : op_add(t->graph, loss, one);
    }
    return op_scale(t->graph, loss, 1.0 / PATCH_HEADS, 0);
}

/* What happens in the clip, from the mean of its patches. */
static Tensor *clip_loss(CaptionerTrainer *t, const Lesson *l, Tensor *memory, const double sums[CLIP_CLASSES], HeadTask task)
{
    Tensor *x = captioner_mean(t->graph, memory, l->clips), *loss = NULL;
    for (int k = 0; k < CLIP_CLASSES; k++) {
        for (int i = 0; i < l->clips; i++) {
            int32_t value = l->classes[k * l->clips + i];
            task.labels[i] = value >= 0 ? value : 0;
            task.weights[i] = value >= 0 ? 1 : 0;
        }
        task.sum = sums[k];
        Tensor *one = head_loss(t->graph, &task, k, x);
        loss = loss == NULL ? one : op_add(t->graph, loss, one);
    }
    return op_scale(t->graph, loss, 1.0 / CLIP_CLASSES, 0);
}

static Tensor *look_loss(CaptionerTrainer *t, const Lesson *l, Tensor *cells, Tensor *memory, const double sums[RUN_SUMS])
{
    int64_t rows = lesson_cells(l);
    int32_t *labels = malloc((size_t)rows * sizeof *labels);
    float *weights = malloc((size_t)rows * sizeof *weights);
    Tensor *loss = NULL;
    if (labels == NULL || weights == NULL) {
        graph_fail(t->graph, SORA_ERROR_MEMORY, "out of memory");
    } else {
        loss = place_loss(t, l, cells, (HeadTask){&t->place_heads, rows, labels, weights, sums[SUM_PLACES]});
        loss = op_add(t->graph, loss, patch_loss(t, l, memory, (HeadTask){&t->patch_heads, rows / 4, labels, weights, sums[SUM_PATCHES]}));
        loss = op_add(t->graph, loss,
                      clip_loss(t, l, memory, sums + SUM_CLASSES, (HeadTask){&t->clip_heads, l->clips, labels, weights, 0}));
    }
    free(labels);
    free(weights);
    return loss;
}

static Tensor *say_loss(CaptionerTrainer *t, const Lesson *l, Tensor *memory, double tokens)
{
    Graph *g = t->graph;
    CaptionTexts texts = {l->clips, l->texts, l->of_clip, l->rows, l->input};
    Tensor *logits = captioner_say(g, &t->model, memory, &texts);
    Tensor *weight = op_fill(g, SHAPE(l->ids), (float)(1 / tokens));
    return op_cross_entropy(g, logits, graph_input(g, DTYPE_I32, SHAPE(l->ids), l->target), weight);
}

static bool captioner_learn(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err)
{
    CaptionerTrainer *t = self;
    const Lesson *l = drawn;
    Graph *g = t->graph;
    graph_reset(g);
    graph_record(g, true);
    Tensor *cells, *x = graph_input(g, DTYPE_F32, SHAPE(l->clips, l->shape[0], l->shape[1], l->shape[2], l->shape[3]), l->latents);
    Tensor *memory = captioner_look(g, &t->model, x, &cells);
    Tensor *sum = say_loss(t, l, memory, sums[SUM_TOKENS]);
    float value = 0;
    graph_download(g, sum, &value);
    *loss = (double)value;
    if (t->look_weight > 0)
        sum = op_add(g, sum, op_scale(g, look_loss(t, l, cells, memory, sums), t->look_weight, 0));
    graph_backward(g, sum);
    graph_record(g, false);
    t->samples += l->clips;
    return graph_ok(g, err);
}

/* --- what its world looks like --- */

enum { WORLD_CLIPS = 768, WORLD_FIT = 512, WORLD_LEAST = 1000 };
static const double WORLD_MARGIN = 1.25; /* the limit is so many times the largest distance of clips that were not fitted */

/* The mean of memory of clips of all buckets in turn, [WORLD_CLIPS, dim]; clips, captions and noise do not matter. */
static bool see_world(CaptionerTrainer *t, float *means, SoraError *err)
{
    Graph *g = t->graph;
    int64_t dim = t->config.dim;
    bool ok = true;
    for (int i = 0; ok && i < WORLD_CLIPS; i++) {
        int bucket = i % t->bucket_count;
        const Bucket *b = &t->buckets[bucket];
        int64_t shape[4];
        Rng rng;
        LatentSample s;
        latent_cache_shape(t->latents, bucket, shape);
        int64_t count = shape[0] * shape[1] * shape[2] * shape[3];
        float *latent = malloc((size_t)count * sizeof *latent);
        rng_init(&rng, t->settings.seed, (uint64_t)WORLD_LEAST + (uint64_t)i);
        ok = latent != NULL || error_no_memory(err);
        ok = ok && latent_cache_get(t->latents, bucket, rng_int(&rng, b->shards), rng_int(&rng, b->shard_clips), &s, err);
        if (ok) {
            latent_sample_read(&s, count, shape[3], latent);
            graph_reset(g);
            Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, shape[0], shape[1], shape[2], shape[3]), latent);
            Tensor *memory = captioner_look(g, &t->model, x, NULL);
            graph_download(g, captioner_mean(g, memory, 1), means + i * dim);
            ok = graph_ok(g, err);
        }
        free(latent);
    }
    return ok;
}

static double world_distance(const float *x, const double *mean, const float *rows, int dim)
{
    double sum = 0;
    for (int k = 0; k < dim; k++) {
        double dot = 0;
        for (int i = 0; i < dim; i++)
            dot += (double)rows[k * dim + i] * ((double)x[i] - mean[i]);
        sum += dot * dot;
    }
    return sum;
}

/* Mahalanobis' distance: rows are the covariance's eigenvectors, each over the root of its eigenvalue and a little more. */
static bool fit_world(const float *means, int dim, double *mean, float *rows)
{
    double *cov = calloc((size_t)(dim * dim), sizeof *cov), *vectors = malloc((size_t)(dim * dim) * sizeof *vectors);
    double *values = malloc((size_t)dim * sizeof *values), trace = 0;
    bool ok = cov != NULL && vectors != NULL && values != NULL;
    for (int i = 0; ok && i < dim; i++) {
        mean[i] = 0;
        for (int c = 0; c < WORLD_FIT; c++)
            mean[i] += (double)means[c * dim + i] / WORLD_FIT;
    }
    for (int c = 0; ok && c < WORLD_FIT; c++)
        for (int i = 0; i < dim; i++)
            for (int k = 0; k < dim; k++)
                cov[i * dim + k] += ((double)means[c * dim + i] - mean[i]) * ((double)means[c * dim + k] - mean[k]) / WORLD_FIT;
    for (int i = 0; ok && i < dim; i++)
        trace += cov[i * dim + i] / dim;
    if (ok)
        eigen_symmetric(dim, cov, values, vectors);
    for (int i = 0; ok && i < dim * dim; i++)
        rows[i] = (float)(vectors[i] / sqrt(fmax(values[i / dim], 0) + 0.01 * trace + 1e-12));
    free(cov);
    free(vectors);
    free(values);
    return ok;
}

/* captioner/world.safetensors: by what sora_caption() knows clips of another world. */
static bool write_world(CaptionerTrainer *t, const char *path, SoraError *err)
{
    int dim = t->config.dim;
    float *means = malloc((size_t)(WORLD_CLIPS * dim) * sizeof *means), *rows = malloc((size_t)(dim * dim) * sizeof *rows);
    float *centre = malloc((size_t)dim * sizeof *centre), limit = 0;
    double *mean = malloc((size_t)dim * sizeof *mean);
    bool ok = (means != NULL && rows != NULL && centre != NULL && mean != NULL) || error_no_memory(err);
    ok = ok && see_world(t, means, err) && (fit_world(means, dim, mean, rows) || error_no_memory(err));
    for (int i = WORLD_FIT; ok && i < WORLD_CLIPS; i++)
        limit = fmaxf(limit, (float)(WORLD_MARGIN * world_distance(means + i * dim, mean, rows, dim)));
    for (int i = 0; ok && i < dim; i++)
        centre[i] = (float)mean[i];
    SafetensorsWriter *w = ok ? safetensors_writer_new(err) : NULL;
    const int64_t n = dim, square[2] = {n, n}, one = 1;
    Tensor centre_tensor = tensor_over(centre, DTYPE_F32, 1, &n), rows_tensor = tensor_over(rows, DTYPE_F32, 2, square);
    Tensor limit_tensor = tensor_over(&limit, DTYPE_F32, 1, &one);
    ok = w != NULL && safetensors_writer_add(w, "mean", &centre_tensor, err) && safetensors_writer_add(w, "rows", &rows_tensor, err) &&
         safetensors_writer_add(w, "limit", &limit_tensor, err) && safetensors_writer_save(w, path, err);
    safetensors_writer_free(w);
    free(means);
    free(rows);
    free(centre);
    free(mean);
    return ok;
}

static double captioner_samples(void *self)
{
    return ((CaptionerTrainer *)self)->samples;
}

static bool save_captioner(void *self, const char *folder, SoraError *err)
{
    CaptionerTrainer *t = self;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/captioner", folder);
    if (!dir_make(path, err))
        return false;
    snprintf(path, sizeof path, "%s/captioner/config.json", folder);
    if (!settings_write(json_object_get(t->settings.json, "captioner"), path, err))
        return false;
    snprintf(path, sizeof path, "%s/captioner/model.safetensors", folder);
    if (!checkpoint_export(&t->optimizer, "captioner", path, err) || !settings_copy_parts(&t->settings, folder, err))
        return false;
    snprintf(path, sizeof path, "%s/captioner/world.safetensors", folder);
    return write_world(t, path, err);
}

/* --- setting up --- */

static bool read_captioner_settings(CaptionerTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json;
    if (t->settings.source.folder != NULL)
        return error_set(err, SORA_ERROR_INPUT, "data: a captioner learns from Emoji Stage, not from a \"folder\"");
    if (!captioner_config_parse(&t->config, json_object_get(o, "captioner"), err) ||
        !settings_buckets(json_object_get(o, "buckets"), t->buckets, &t->bucket_count, err) ||
        !settings_integer(o, (NumberRule){"texts", 4, 1, MAX_TEXTS}, &t->texts, err) ||
        !settings_number(o, (NumberRule){"look_weight", 0.5, 0, 100}, &t->look_weight, err) ||
        !settings_number(o, (NumberRule){"noise", 0, 0, 1}, &t->noise, err))
        return false;
    static const char *const PATHS[] = {"codec", "tokenizer"};
    for (int i = 0; i < 2; i++)
        if (!json_is_string(json_object_get(o, PATHS[i])))
            return error_set(err, SORA_ERROR_INPUT, "\"%s\": a path is expected", PATHS[i]);
    return true;
}

static bool check_captioner_buckets(const CaptionerTrainer *t, SoraError *err)
{
    const VaeConfig *v = &t->codec.vae.config;
    const CaptionerConfig *c = &t->config;
    int side = c->side * vae_stride_space(v), longest = 1 + (c->frames - 1) * vae_stride_time(v);
    if (v->z_dim != c->z_dim)
        return error_set(err, SORA_ERROR_INPUT, "\"captioner\": \"z_dim\" is %d, the codec has %d", c->z_dim, v->z_dim);
    for (int i = 0; i < t->bucket_count; i++) {
        const Bucket *b = &t->buckets[i];
        if (b->width != side || b->height != side || b->frames > longest || (b->frames - 1) % vae_stride_time(v) != 0)
            return error_set(err, SORA_ERROR_INPUT, "bucket %dx%d, %d frames: the captioner sees %dx%d and 1+%dn frames, %d at most",
                             b->width, b->height, b->frames, side, side, vae_stride_time(v), longest);
    }
    return true;
}

static bool report_encoding(void *user, int done, int total)
{
    CaptionerTrainer *t = user;
    TrainProgress p = {.phase = "encoding clips", .done = done, .total = total};
    const TrainHooks *h = &t->options->hooks;
    return h->progress == NULL || h->progress(h->user, &p);
}

static bool open_captioner_parts(CaptionerTrainer *t, Backend *backend, SoraError *err)
{
    const json_t *o = t->settings.json;
    const char *tokenizer = json_string_value(json_object_get(o, "tokenizer")), *latents;
    char folder[MAX_PATH];
    ClipSourceConfig source = t->settings.source;
    source.stage_pack = t->options->stage_pack;
    if (!settings_text(o, "latents", &latents, err) || (t->tokenizer = tokenizer_open(tokenizer, err)) == NULL ||
        !codec_load(&t->codec, json_string_value(json_object_get(o, "codec")), err) || !check_captioner_buckets(t, err) ||
        (t->source = clip_source_open(&source, err)) == NULL)
        return false;
    if (tokenizer_vocab_size(t->tokenizer) > t->config.vocab || tokenizer_eos_id(t->tokenizer) < 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: %d pieces (the captioner has %d) and an end id are needed", tokenizer,
                         tokenizer_vocab_size(t->tokenizer), t->config.vocab);
    t->graph = graph_new(backend);
    if (t->graph == NULL)
        return error_no_memory(err);
    uint64_t clips = settings_fingerprint(&t->settings, codec_fingerprint(&t->codec));
    if (!team_agree(run_team(t->options), "another codec or source of clips", clips, err))
        return false;
    snprintf(folder, sizeof folder, "%s/latents", t->options->folder);
    LatentCacheConfig cache = {.folder = latents != NULL ? latents : folder, .source = t->source, .codec = &t->codec.vae,
                               .graph = t->graph, .buckets = t->buckets, .bucket_count = t->bucket_count,
                               .fingerprint = clips, .team = run_team(t->options),
                               .dry = t->options->estimate != NULL, .progress = report_encoding, .user = t};
    t->latents = latent_cache_new(&cache, err);
    return t->latents != NULL;
}

static bool bind_captioner(CaptionerTrainer *t, SoraError *err)
{
    captioner_bind(&t->model, &t->config, &t->params);
    class_heads_init(&t->place_heads, &t->random.source, t->config.channels, PATCH_HEAD_SIZES, PLACE_HEADS);
    class_heads_init(&t->patch_heads, &t->random.source, t->config.dim, PATCH_HEAD_SIZES, PATCH_HEADS);
    class_heads_init(&t->clip_heads, &t->random.source, t->config.dim, CLIP_CLASS_SIZES, CLIP_CLASSES);
    return params_ok(&t->params, err) && params_ok(&t->place_heads.params, err) && params_ok(&t->patch_heads.params, err) &&
           params_ok(&t->clip_heads.params, err) && adamw_add(&t->optimizer, "captioner", &t->params, err) &&
           adamw_add(&t->optimizer, "place_classes", &t->place_heads.params, err) &&
           adamw_add(&t->optimizer, "patch_classes", &t->patch_heads.params, err) &&
           adamw_add(&t->optimizer, "clip_classes", &t->clip_heads.params, err);
}

/* "init": begins with the weights of another captioner; what it lacks, or has in another shape, starts anew. */
static bool import_captioner(CaptionerTrainer *t, SoraError *err)
{
    const char *folder;
    char path[MAX_PATH];
    int missing = 0;
    if (!settings_text(t->settings.json, "init", &folder, err))
        return false;
    if (folder == NULL || t->options->resume || t->options->estimate != NULL)
        return true;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (!checkpoint_import(&t->optimizer, "captioner", path, &missing, err))
        return false;
    return missing <= t->params.count / 2 ||
           error_set(err, SORA_ERROR_INPUT, "%s: lacks %d of %d tensors: a captioner of another shape", path, missing, t->params.count);
}

static void release(CaptionerTrainer *t)
{
    adamw_deinit(&t->optimizer);
    latent_cache_free(t->latents);
    graph_free(t->graph);
    clip_source_close(t->source);
    codec_unload(&t->codec);
    tokenizer_close(t->tokenizer);
    params_deinit(&t->params);
    class_heads_deinit(&t->place_heads);
    class_heads_deinit(&t->patch_heads);
    class_heads_deinit(&t->clip_heads);
    random_source_deinit(&t->random);
    settings_deinit(&t->settings);
    free(t);
}

bool train_captioner(Backend *backend, const TrainOptions *o, SoraError *err)
{
    CaptionerTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_no_memory(err);
    t->options = o;
    bool ok = run_open(&t->settings, o, TRAINER_CAPTIONER, err);
    random_source_init(&t->random, t->settings.seed);
    params_init(&t->params, &t->random.source);
    adamw_init(&t->optimizer, &t->settings.adamw, backend->pool);
    estimate_prepare(o, &t->random, &t->optimizer);
    Backend *used = ok ? estimate_backend(o, backend, err) : backend;
    ok = ok && used != NULL && (read_captioner_settings(t, err) || error_wrap(err, "%s", o->config_path)) &&
         open_captioner_parts(t, used, err) && bind_captioner(t, err) && import_captioner(t, err);
    TrainRun run = {.options = o, .settings = &t->settings, .optimizer = &t->optimizer, .graph = &t->graph, .self = t,
                    .blank = captioner_blank, .estimate = captioner_estimate, .draw = captioner_draw, .learn = captioner_learn,
                    .drop = captioner_drop, .save_model = save_captioner, .samples = captioner_samples};
    ok = ok && train_run(&run, err);
    release(t);
    estimate_backend_free(used, backend);
    return ok;
}
