#include "train/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "train/checkpoint.h"
#include "train/estimate.h"
#include "train/gradient_sum.h"

enum { MAX_PATH = 4096, MAX_LOG = 1 << 30 };

static const char TEAM_HEADER[] = "step\tranks\tseconds\twaited\tmegabytes\n";
static const char HEADER[] = "step\tloss\tlearning_rate\tgradient_norm\tseconds\tsamples_per_second\tgflops_per_second\n";

/* Where a run is. */
typedef struct Position {
    Team *team;
    GradientSum *gradients; /* NULL in a team of one */
    FILE *log, *team_log;   /* rank 0's */
    double waited, sent;    /* of the team, when the log's next line began */
    CheckpointState state;
    int64_t first; /* the step that this run began with */
    double window_begun, window_samples, window_flops; /* when the log's next line began, and what was done until then */
    TrainProgress last;                  /* what was reported last */
    double begun;
} Position;

/* The averaged weights as a model. */
static bool export(TrainRun *run, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/model", run->options->folder);
    if (!dir_make(path, err))
        return false;
    adamw_swap_ema(run->optimizer); /* save_model sees the average as the weights */
    bool ok = run->save_model(run->self, path, err);
    adamw_swap_ema(run->optimizer);
    return ok;
}

static bool save(TrainRun *run, const CheckpointState *state, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run->options->folder);
    return checkpoint_save(run->optimizer, state, run->config, path, err) && export(run, err);
}

static bool load(TrainRun *run, CheckpointState *state, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run->options->folder);
    *state = (CheckpointState){0};
    if (!file_exists(path))
        return true;
    if (!run->options->resume)
        return error_set(err, SORA_ERROR_INPUT, "%s is there: give --resume to go on from it, or another --out", path);
    return checkpoint_load(run->optimizer, state, path, err);
}

/* --- the team --- */

Team *run_team(const TrainOptions *options)
{
    return options->team != NULL ? options->team : team_solo();
}

bool run_open(TrainSettings *s, const TrainOptions *o, TrainerKind trainer, SoraError *err)
{
    Team *team = run_team(o);
    uint64_t clips = 0;
    if ((o->estimate == NULL && !dir_make(o->folder, err)) || !settings_load(s, o->config_path, trainer, err))
        return false;
    ClipSourceConfig source = s->source;
    source.stage_pack = o->stage_pack;
    team->half = s->half;
    return team->size == 1 ||
           (team_agree(team, "another configuration", settings_hash(s), err) && clip_source_fingerprint(&source, &clips, err) &&
            team_agree(team, s->source.folder != NULL ? "other training videos" : "another pack of Emoji Stage", clips, err));
}

static uint64_t hash_weights(const AdamW *o)
{
    uint64_t hash = HASH64_START;
    for (int i = 0; i < o->count; i++)
        hash = hash64_words(hash, (const uint32_t *)(const void *)o->slots[i].value, (size_t)o->slots[i].count);
    return hash;
}

/* Rank 0 writes; the others see that they have what it writes. */
static bool save_together(TrainRun *run, const Position *at, SoraError *err)
{
    if (at->team->size > 1 && !team_agree(at->team, "other weights", hash_weights(run->optimizer), err))
        return error_wrap(err, "after step %" PRId64 ", which is not saved", at->state.step);
    return at->team->rank != 0 || save(run, &at->state, err);
}

/* From rank 0's checkpoint, or anew: everybody has then what rank 0 has. */
static bool start(TrainRun *run, Position *at, SoraError *err)
{
    Team *team = at->team;
    AdamW *o = run->optimizer;
    uint64_t sizes = HASH64_START;
    for (int i = 0; i < o->count; i++)
        sizes = hash64(sizes, &o->slots[i].count, sizeof o->slots[i].count);
    if (!team_agree(team, "another network", sizes, err) || (team->rank == 0 && !load(run, &at->state, err)) ||
        !team->share(team, 0, &at->state, sizeof at->state, err))
        return false;
    bool ok = true;
    for (int i = 0; ok && i < o->count && team->size > 1; i++) {
        const AdamWSlot *s = &o->slots[i];
        size_t bytes = (size_t)s->count * sizeof(float);
        ok = team->share(team, 0, s->value, bytes, err) && team->share(team, 0, s->m, bytes, err) &&
             team->share(team, 0, s->v, bytes, err) && team->share(team, 0, s->ema, bytes, err);
    }
    if (ok && team->size > 1)
        ok = (at->gradients = gradient_sum_new(o, team, err)) != NULL;
    return ok;
}

/* --- the log --- */

/* Its lines up to that step; a run that was killed wrote more than its checkpoint knows of. */
static void keep_lines(char *text, int64_t step, FILE *out)
{
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char *after;
        long long at = strtoll(line, &after, 10);
        if (after > line && *after == '\t' && at <= step)
            fwrite(line, 1, (size_t)(end - line) + 1, out);
    }
}

/* For lines after that step's. */
static FILE *open_log(const char *path, const char *header, int64_t step, SoraError *err)
{
    FileWriter w;
    char *text = step > 0 && file_exists(path) ? file_read(path, MAX_LOG, NULL, err) : NULL;
    if ((text == NULL && step > 0 && file_exists(path)) || !file_writer_open(&w, path, err)) {
        free(text);
        return NULL;
    }
    fputs(header, w.stream); /* commit finds its errors */
    if (text != NULL)
        keep_lines(text, step, w.stream);
    free(text);
    if (!file_writer_commit(&w, err))
        return NULL;
    FILE *log = fopen(path, "ae");
    if (log == NULL)
        error_system(err, path, "cannot write");
    return log;
}

/* Tells the caller how far the run is. */
static void tell(TrainRun *run, Position *at)
{
    const TrainHooks *h = &run->options->hooks;
    at->last.phase = "training";
    at->last.done = at->state.step;
    at->last.total = run->optimizer->config.steps;
    at->last.seconds = clock_seconds() - at->begun;
    if (h->progress != NULL && !h->progress(h->user, &at->last))
        run->stopped = true;
}

/* The log's next line. Ranks have equal shares of samples and work, so rank 0's, times their number, are the team's. */
static void write_line(TrainRun *run, Position *at)
{
    double now = clock_seconds(), samples = run->samples(run->self), flops = graph_flops(*run->graph), ranks = at->team->size;
    TrainProgress *p = &at->last;
    double seconds = now - at->window_begun;
    p->loss = at->state.loss / (double)at->state.losses;
    p->rate = adamw_rate(run->optimizer, at->state.step - 1);
    p->gradient_norm = run->optimizer->gradient_norm;
    p->samples = ranks * (samples - at->window_samples) / seconds;
    if (at->log != NULL) {
        fprintf(at->log, "%" PRId64 "\t%.6f\t%.3e\t%.4f\t%.1f\t%.2f\t%.1f\n", at->state.step, p->loss, p->rate, p->gradient_norm,
                now - at->begun, p->samples, ranks * (flops - at->window_flops) / seconds / 1e9);
        fflush(at->log);
    }
    if (at->team_log != NULL) {
        fprintf(at->team_log, "%" PRId64 "\t%d\t%.3f\t%.3f\t%.3f\n", at->state.step, at->team->size, seconds,
                at->team->waited - at->waited, (at->team->sent - at->sent) / 1e6);
        fflush(at->team_log);
    }
    at->waited = at->team->waited;
    at->sent = at->team->sent;
    at->window_begun = now;
    at->window_samples = samples;
    at->window_flops = flops;
    at->state.loss = 0;
    at->state.losses = 0;
}

/* --- the loop --- */

/* This rank's parts of a step, all drawn before the first is learnt: what they are divided by is known then. */
typedef struct Parts {
    void **drawn;
    int count;
    double sums[RUN_SUMS];
} Parts;

static bool draw_parts(TrainRun *run, const Position *at, Parts *p, SoraError *err)
{
    p->drawn = calloc((size_t)p->count, sizeof *p->drawn);
    if (p->drawn == NULL)
        return error_no_memory(err);
    for (int i = 0; i < p->count; i++) {
        StepPart part = {at->state.step, at->team->rank * p->count + i, at->team->size * p->count};
        if ((p->drawn[i] = run->draw(run->self, &part, p->sums, err)) == NULL)
            return false;
        at->team->beat(at->team);
    }
    return at->team->sum(at->team, p->sums, RUN_SUMS, err);
}

static bool learn_parts(TrainRun *run, Position *at, Parts *p, double *loss, SoraError *err)
{
    for (int i = 0; i < p->count; i++) {
        double one = 0;
        bool last = i == p->count - 1 && at->gradients != NULL;
        if (last)
            gradient_sum_begin(at->gradients, *run->graph);
        bool ok = run->learn(run->self, p->drawn[i], p->sums, &one, err);
        if (last && ok)
            ok = gradient_sum_end(at->gradients, *run->graph, err);
        if (!ok)
            return false;
        *loss += one;
        at->team->beat(at->team);
    }
    return at->team->sum(at->team, loss, 1, err);
}

static bool step(TrainRun *run, Position *at, SoraError *err)
{
    double loss = 0;
    Parts parts = {.count = run->settings->accumulate};
    bool ok = draw_parts(run, at, &parts, err) && learn_parts(run, at, &parts, &loss, err);
    for (int i = 0; parts.drawn != NULL && i < parts.count; i++)
        run->drop(parts.drawn[i]);
    free(parts.drawn);
    if (!ok) {
        SoraError ignored = {0}; /* the first error counts; what was learnt before this step is kept */
        bool stopped = err != NULL && err->code == SORA_ERROR_CANCELLED;
        if (at->team->rank == 0 && (stopped || at->state.step > at->first))
            save(run, &at->state, &ignored);
        return false;
    }
    adamw_step(run->optimizer, at->state.step);
    at->state.step++;
    at->state.loss += loss;
    at->state.losses++;
    return true;
}

/* What any rank was asked is everybody's to do; the time is rank 0's. */
static bool agree_to_stop(TrainRun *run, const Position *at, bool *out_of_time, SoraError *err)
{
    double limit = run->options->max_seconds;
    bool late = at->team->rank == 0 && limit > 0 && clock_seconds() - at->begun > limit;
    double said[2] = {run->stopped, late};
    if (!at->team->sum(at->team, said, 2, err))
        return false;
    run->stopped = said[0] > 0;
    *out_of_time = said[1] > 0;
    return true;
}

static bool loop(TrainRun *run, Position *at, SoraError *err)
{
    const TrainSettings *s = run->settings;
    int64_t total = run->optimizer->config.steps;
    bool out_of_time = false;
    tell(run, at);
    /* The steps may be done, and the run have been killed before its model was complete. */
    if (at->state.step >= total)
        return at->team->rank != 0 || export(run, err);
    if (!agree_to_stop(run, at, &out_of_time, err))
        return false;
    while (at->state.step < total && !run->stopped) {
        if (!step(run, at, err))
            return false;
        int64_t done = at->state.step;
        if (done % s->log_every == 0 || done == total)
            write_line(run, at);
        tell(run, at);
        if (!agree_to_stop(run, at, &out_of_time, err))
            return false;
        bool preview = s->preview_every > 0 && done % s->preview_every == 0;
        if (done % s->checkpoint_every == 0 || preview || done == total || run->stopped || out_of_time)
            if (!save_together(run, at, err))
                return false;
        if (preview && at->team->rank == 0 && run->options->hooks.preview != NULL)
            run->options->hooks.preview(run->options->hooks.user, run->options->folder, done);
        if (out_of_time)
            return true;
    }
    return !run->stopped || at->state.step >= total || error_set(err, SORA_ERROR_CANCELLED, "stopped; go on with --resume");
}

static bool open_logs(TrainRun *run, Position *at, SoraError *err)
{
    char path[MAX_PATH];
    if (at->team->rank != 0)
        return true;
    scratch_sweep(run->options->folder); /* what a run that was killed left */
    snprintf(path, sizeof path, "%s/log.tsv", run->options->folder);
    at->log = open_log(path, HEADER, at->state.step, err);
    if (at->log != NULL && at->team->size > 1) {
        snprintf(path, sizeof path, "%s/team.tsv", run->options->folder);
        at->team_log = open_log(path, TEAM_HEADER, at->state.step, err);
    }
    return at->log != NULL && (at->team->size == 1 || at->team_log != NULL);
}

bool train_run(TrainRun *run, SoraError *err)
{
    if (run->options->estimate != NULL)
        return estimate_run(run, err);
    Position at = {.team = run_team(run->options)};
    bool ok = start(run, &at, err) && open_logs(run, &at, err);
    at.first = at.state.step;
    at.begun = at.window_begun = clock_seconds();
    at.window_samples = run->samples(run->self);
    at.window_flops = graph_flops(*run->graph);
    at.waited = at.team->waited;
    ok = ok && loop(run, &at, err);
    if (at.log != NULL)
        fclose(at.log);
    if (at.team_log != NULL)
        fclose(at.team_log);
    gradient_sum_free(at.gradients);
    return ok;
}
