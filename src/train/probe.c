/* Training the probe (model/probe.h) on clips of Emoji Stage: a softmax and its cross-entropy for each question. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/rng.h"
#include "train/checkpoint.h"
#include "train/estimate.h"
#include "train/probe_clips.h"
#include "train/run.h"
#include "weights/param_sources.h"

enum { MAX_PATH = 4096, MAX_BATCH = 1024, STILLS_FACTOR = 4 };
static const uint64_t HELD_OUT = 2000003;
static const float NATIVE_WEIGHT = 0.3f; /* most clips have native colours */
static const float NOBODY_WEIGHT = 0.1f; /* at most places nobody is seen */

typedef struct ProbeTrainer {
    TrainSettings settings;
    const TrainOptions *options;
    ProbeConfig config;
    Answers answers;
    Probe probe;
    RandomSource random;
    Params params;
    AdamW optimizer;
    Graph *graph, *codec_graph;
    Stage *stage;
    Codec codec;
    ProbeClips clips;
    int batch, test_clips;
    double stills; /* share of steps that see single pictures, STILLS_FACTOR times as many: what things look like, for less */
    int64_t step; /* how many are done, for accuracy.tsv */
    double samples;
} ProbeTrainer;

/* What a step sees. */
typedef struct Seen {
    ProbeClips clips;
    uint64_t first; /* number of its first clip */
    int count;
    float *looks;   /* [count, frames, side, side, 3] */
    Labels *labels; /* [count] */
    uint8_t *places; /* [count, frames, h, w]: who is seen there */
} Seen;

static float answer_weight(Question q, int answer)
{
    return answer == NO_ANSWER ? 0 : q == Q_COLOUR && answer == COLOUR_NATIVE ? NATIVE_WEIGHT : 1;
}

static float place_weight(int who)
{
    return who == 0 ? NOBODY_WEIGHT : 1;
}

static int place_count(const Seen *seen)
{
    int side = probe_places(&seen->clips.config);
    return seen->count * seen->clips.config.frames * side * side;
}

/* What the answers to each question count together, then places. */
static void add_weights(const Seen *seen, double sums[RUN_SUMS])
{
    for (int q = 0; q < QUESTIONS; q++)
        for (int i = 0; i < seen->count; i++)
            sums[q] += (double)answer_weight((Question)q, seen->labels[i].answer[q]);
    for (int i = 0; i < place_count(seen); i++)
        sums[QUESTIONS] += (double)place_weight(seen->places[i]);
}

/* The mean cross-entropy of a question over the clips that have an answer to it; sum: their weights, in the whole step. */
static Tensor *question_loss(ProbeTrainer *t, Question q, Tensor *logits, const Seen *seen, double sum)
{
    int32_t want[MAX_BATCH * STILLS_FACTOR];
    float weight[MAX_BATCH * STILLS_FACTOR];
    const Labels *labels = seen->labels;
    for (int i = 0; i < seen->count; i++) {
        int answer = labels[i].answer[q];
        want[i] = answer == NO_ANSWER ? 0 : answer;
        weight[i] = answer_weight(q, answer) / (sum > 0 ? (float)sum : 1);
    }
    return op_cross_entropy(t->graph, logits, graph_input(t->graph, DTYPE_I32, SHAPE(seen->count), want),
                            graph_input(t->graph, DTYPE_F32, SHAPE(seen->count), weight));
}

/* The mean cross-entropy of who is seen where. */
static Tensor *place_loss(ProbeTrainer *t, Tensor *logits, const Seen *seen, double sum)
{
    int count = place_count(seen);
    int32_t *want = malloc((size_t)count * sizeof *want);
    float *weight = malloc((size_t)count * sizeof *weight);
    Tensor *loss = NULL;
    if (want == NULL || weight == NULL) {
        graph_fail(t->graph, SORA_ERROR_MEMORY, "out of memory");
    } else {
        for (int i = 0; i < count; i++) {
            want[i] = seen->places[i];
            weight[i] = place_weight(want[i]) / (float)sum;
        }
        loss = op_cross_entropy(t->graph, logits, graph_input(t->graph, DTYPE_I32, SHAPE(count), want),
                                graph_input(t->graph, DTYPE_F32, SHAPE(count), weight));
    }
    free(want);
    free(weight);
    return loss;
}

static bool probe_learn(void *self, void *drawn, const double sums[RUN_SUMS], double *loss, SoraError *err)
{
    ProbeTrainer *t = self;
    const Seen *seen = drawn;
    Graph *g = t->graph;
    const ProbeConfig *c = &seen->clips.config;
    Tensor *logits[PROBE_MAX_QUESTIONS], *who, *sum;
    graph_reset(g);
    graph_record(g, true);
    probe_forward(g, &t->probe, graph_input(g, DTYPE_F32, SHAPE(seen->count, c->frames, c->side, c->side, 3), seen->looks), logits,
                  &who);
    sum = place_loss(t, who, seen, sums[QUESTIONS]);
    for (int q = 0; q < QUESTIONS; q++)
        sum = op_add(g, sum, question_loss(t, (Question)q, logits[q], seen, sums[q]));
    float value = 0;
    graph_download(g, sum, &value);
    *loss = value;
    graph_backward(g, sum);
    graph_record(g, false);
    t->samples += seen->count;
    return graph_ok(g, err);
}

static bool draw_looks(Seen *seen, SoraError *err)
{
    const ProbeConfig *c = &seen->clips.config;
    size_t one = (size_t)c->frames * (size_t)c->side * (size_t)c->side * 3;
    seen->looks = malloc((size_t)seen->count * one * sizeof *seen->looks);
    seen->labels = malloc((size_t)seen->count * sizeof *seen->labels);
    size_t places = (size_t)(c->frames * probe_places(c) * probe_places(c));
    seen->places = malloc((size_t)seen->count * places);
    bool ok = (seen->looks != NULL && seen->labels != NULL && seen->places != NULL) ||
              error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int i = 0; ok && i < seen->count; i++) {
        ProbeClip clip = {.looks = seen->looks + (size_t)i * one, .places = seen->places + (size_t)i * places};
        ok = probe_clip_draw(&seen->clips, seen->first + (uint64_t)i, &clip, err);
        seen->labels[i] = clip.labels;
    }
    return ok;
}

static void probe_drop(void *drawn)
{
    Seen *seen = drawn;
    if (seen == NULL)
        return;
    free(seen->looks);
    free(seen->labels);
    free(seen->places);
    free(seen);
}

/* Kind 0: clips; kind 1: stills. */
static void *probe_blank(void *self, int kind, double *share, SoraError *err)
{
    ProbeTrainer *t = self;
    *share = kind == 0 ? 1 - t->stills : t->stills;
    if (kind > 1 || (kind == 1 && t->stills == 0))
        return NULL;
    Seen *seen = calloc(1, sizeof *seen);
    if (seen != NULL) {
        *seen = (Seen){.clips = t->clips, .count = kind == 0 ? t->batch : STILLS_FACTOR * t->batch};
        seen->clips.config.frames = kind == 0 ? t->config.frames : 1;
        const ProbeConfig *c = &seen->clips.config;
        seen->looks = calloc((size_t)seen->count, (size_t)(c->frames * c->side * c->side * 3) * sizeof *seen->looks);
        seen->labels = calloc((size_t)seen->count, sizeof *seen->labels);
        seen->places = calloc((size_t)place_count(seen), 1);
    }
    if (seen != NULL && seen->looks != NULL && seen->labels != NULL && seen->places != NULL)
        return seen;
    probe_drop(seen);
    error_no_memory(err);
    return NULL;
}

static void *probe_draw(void *self, const StepPart *part, double sums[RUN_SUMS], SoraError *err)
{
    ProbeTrainer *t = self;
    Rng rng;
    Seen *seen = calloc(1, sizeof *seen);
    if (seen == NULL) {
        error_no_memory(err);
        return NULL;
    }
    rng_init(&rng, t->settings.seed, (uint64_t)part->step); /* the same in all parts */
    *seen = (Seen){.clips = t->clips, .count = t->batch};
    if (rng_uniform(&rng) < (float)t->stills) {
        seen->clips.config.frames = 1;
        seen->clips.seed++; /* other clips than those that are seen whole */
        seen->count *= STILLS_FACTOR;
    }
    seen->first = ((uint64_t)part->step * (uint64_t)part->parts + (uint64_t)part->part) * (uint64_t)seen->count;
    t->step = part->step + 1;
    if (!draw_looks(seen, err)) {
        probe_drop(seen);
        return NULL;
    }
    add_weights(seen, sums);
    return seen;
}

static double probe_samples(void *self)
{
    return ((ProbeTrainer *)self)->samples;
}

/* A line of accuracy.tsv: held-out clips as they are drawn. */
static bool note_accuracy(ProbeTrainer *t, SoraError *err)
{
    ProbeClips clips = t->clips;
    ProbeScore s;
    clips.seed = HELD_OUT;
    clips.change = false;
    clips.codec = NULL;
    if (!probe_measure(&clips, t->graph, &t->probe, t->test_clips, &s, err))
        return false;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/accuracy.tsv", t->options->folder);
    bool fresh = !file_exists(path);
    FILE *f = fopen(path, "ae");
    if (f == NULL)
        return error_set(err, SORA_ERROR_IO, "%s: cannot write", path);
    if (fresh)
        fputs("step\tclips", f);
    for (int q = 0; fresh && q < QUESTIONS; q++)
        fprintf(f, "\t%s%s", question_name((Question)q), q + 1 < QUESTIONS ? "" : "\n");
    fprintf(f, "%lld\t%d", (long long)t->step, t->test_clips);
    for (int q = 0; q < QUESTIONS; q++)
        fprintf(f, "\t%.4f", s.asked[q] > 0 ? (double)s.right[q] / s.asked[q] : 0);
    fputc('\n', f);
    return fclose(f) == 0 || error_set(err, SORA_ERROR_IO, "%s: cannot write", path);
}

static bool save_probe(void *self, const char *folder, SoraError *err)
{
    ProbeTrainer *t = self;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/config.json", folder);
    json_t *json = answers_write(&t->answers, probe_config_write(&t->config));
    bool ok = settings_write(json, path, err);
    json_decref(json);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return ok && checkpoint_export(&t->optimizer, "probe", path, err) && (t->test_clips == 0 || note_accuracy(t, err));
}

static bool read_probe_settings(ProbeTrainer *t, SoraError *err)
{
    const json_t *o = t->settings.json;
    if (t->settings.source.folder != NULL)
        return error_set(err, SORA_ERROR_INPUT, "data: a probe learns from Emoji Stage, not from a \"folder\", which has no answers");
    if (!probe_config_read(&t->config, json_object_get(o, "probe"), err) ||
        !settings_integer(o, (NumberRule){"batch", 24, 1, MAX_BATCH}, &t->batch, err) ||
        !settings_integer(o, (NumberRule){"test_clips", 300, 0, 1e6}, &t->test_clips, err) ||
        !settings_number(o, (NumberRule){"stills", 0, 0, 1}, &t->stills, err) ||
        !settings_number(o, (NumberRule){"codec_share", 0, 0, 1}, &t->clips.codec_share, err) ||
        !answers_init(&t->answers, t->settings.source.nouns, t->settings.source.noun_count, err))
        return false;
    answers_set_classes(&t->answers, &t->config);
    return true;
}

/* "init": begins with the weights of another probe; what it lacks, or has in another shape, starts anew. */
static bool import_probe(ProbeTrainer *t, SoraError *err)
{
    const char *folder = json_string_value(json_object_get(t->settings.json, "init"));
    char path[MAX_PATH];
    int missing = 0;
    if (folder == NULL || t->options->resume || t->options->estimate != NULL)
        return true;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (!checkpoint_import(&t->optimizer, "probe", path, &missing, err))
        return false;
    return missing <= t->params.count / 2 ||
           error_set(err, SORA_ERROR_INPUT, "%s: lacks %d of %d tensors: a probe of another shape", path, missing, t->params.count);
}

static bool prepare_probe(ProbeTrainer *t, Backend *backend, SoraError *err)
{
    const char *codec = json_string_value(json_object_get(t->settings.json, "codec"));
    t->stage = stage_open(t->options->stage_pack, err);
    if (t->stage == NULL || !answers_find_nouns(&t->answers, t->stage, err))
        return false;
    t->graph = graph_new(backend);
    t->codec_graph = graph_new(backend);
    if (t->graph == NULL || t->codec_graph == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    if (t->clips.codec_share > 0) {
        if (codec == NULL)
            return error_set(err, SORA_ERROR_INPUT, "\"codec_share\" needs \"codec\", a folder with an autoencoder");
        if (!codec_load(&t->codec, codec, err))
            return false;
        if ((t->config.frames - 1) % vae_stride_time(&t->codec.vae.config) != 0)
            return error_set(err, SORA_ERROR_INPUT, "\"frames\" of the probe must be 1 + a multiple of the codec's %d",
                             vae_stride_time(&t->codec.vae.config));
        t->clips.codec = &t->codec;
    }
    t->step = t->settings.adamw.steps; /* a run that has nothing left to do saves its model again */
    t->clips.stage = t->stage;
    t->clips.answers = &t->answers;
    t->clips.graph = t->codec_graph;
    t->clips.everyday = t->settings.source.everyday;
    t->clips.change = true;
    t->clips.seed = t->settings.source.seed;
    t->clips.config = t->config;
    probe_bind(&t->probe, &t->config, &t->params);
    return params_ok(&t->params, err) && adamw_add(&t->optimizer, "probe", &t->params, err) && import_probe(t, err);
}

bool train_probe(Backend *backend, const TrainOptions *o, SoraError *err)
{
    ProbeTrainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    t->options = o;
    bool ok = run_open(&t->settings, o, TRAINER_PROBE, err);
    random_source_init(&t->random, t->settings.seed);
    params_init(&t->params, &t->random.source);
    adamw_init(&t->optimizer, &t->settings.adamw, backend->pool);
    estimate_prepare(o, &t->random, &t->optimizer);
    Backend *used = ok ? estimate_backend(o, backend, err) : backend;
    ok = ok && used != NULL && (read_probe_settings(t, err) || error_wrap(err, "%s", o->config_path)) && prepare_probe(t, used, err);
    TrainRun run = {.options = o, .settings = &t->settings, .optimizer = &t->optimizer, .graph = &t->graph, .self = t,
                    .blank = probe_blank, .draw = probe_draw, .learn = probe_learn, .drop = probe_drop,
                    .save_model = save_probe, .samples = probe_samples};
    ok = ok && train_run(&run, err);
    adamw_deinit(&t->optimizer);
    codec_unload(&t->codec);
    graph_free(t->graph);
    graph_free(t->codec_graph);
    stage_close(t->stage);
    params_deinit(&t->params);
    random_source_deinit(&t->random);
    settings_deinit(&t->settings);
    estimate_backend_free(used, backend);
    free(t);
    return ok;
}
