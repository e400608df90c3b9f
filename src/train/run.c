#include "train/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "train/checkpoint.h"

enum { MAX_PATH = 4096, MAX_LOG = 1 << 30 };

static const char HEADER[] = "step\tloss\tlearning_rate\tgradient_norm\tseconds\tsamples_per_second\tgflops_per_second\n";

/* Where a run is. */
typedef struct Position {
    CheckpointState state;
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

static bool start(TrainRun *run, CheckpointState *state, SoraError *err)
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
static FILE *open_log(const char *path, int64_t step, SoraError *err)
{
    FileWriter w;
    char *text = step > 0 && file_exists(path) ? file_read(path, MAX_LOG, NULL, err) : NULL;
    if ((text == NULL && step > 0 && file_exists(path)) || !file_writer_open(&w, path, err)) {
        free(text);
        return NULL;
    }
    fputs(HEADER, w.stream); /* commit finds its errors */
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

/* The log's next line. */
static void write_line(TrainRun *run, FILE *log, Position *at)
{
    double now = clock_seconds(), samples = run->samples(run->self);
    TrainProgress *p = &at->last;
    p->loss = at->state.loss / (double)at->state.losses;
    p->rate = adamw_rate(run->optimizer, at->state.step - 1);
    p->gradient_norm = run->optimizer->gradient_norm;
    p->samples = (samples - at->window_samples) / (now - at->window_begun);
    double flops = graph_flops(*run->graph);
    fprintf(log, "%" PRId64 "\t%.6f\t%.3e\t%.4f\t%.1f\t%.2f\t%.1f\n", at->state.step, p->loss, p->rate, p->gradient_norm,
            now - at->begun, p->samples, (flops - at->window_flops) / (now - at->window_begun) / 1e9);
    fflush(log);
    at->window_begun = now;
    at->window_samples = samples;
    at->window_flops = flops;
    at->state.loss = 0;
    at->state.losses = 0;
}

/* --- the loop --- */

static bool step(TrainRun *run, Position *at, SoraError *err)
{
    double loss = 0;
    if (!run->step(run->self, at->state.step, &loss, err)) {
        SoraError ignored = {0}; /* the first error counts; what was learnt is kept when the user stops */
        if (err != NULL && err->code == SORA_ERROR_CANCELLED)
            save(run, &at->state, &ignored);
        return false;
    }
    adamw_step(run->optimizer, at->state.step);
    at->state.step++;
    at->state.loss += loss;
    at->state.losses++;
    return true;
}

static bool loop(TrainRun *run, FILE *log, Position *at, SoraError *err)
{
    const TrainSettings *s = run->settings;
    int64_t total = run->optimizer->config.steps;
    tell(run, at);
    /* The steps may be done, and the run have been killed before its model was complete. */
    if (at->state.step >= total)
        return export(run, err);
    while (at->state.step < total && !run->stopped) {
        if (!step(run, at, err))
            return false;
        int64_t done = at->state.step;
        if (done % s->log_every == 0 || done == total)
            write_line(run, log, at);
        tell(run, at);
        bool out_of_time = run->options->max_seconds > 0 && clock_seconds() - at->begun > run->options->max_seconds;
        bool preview = s->preview_every > 0 && done % s->preview_every == 0;
        if (done % s->checkpoint_every == 0 || preview || done == total || run->stopped || out_of_time)
            if (!save(run, &at->state, err))
                return false;
        if (preview && run->options->hooks.preview != NULL)
            run->options->hooks.preview(run->options->hooks.user, run->options->folder, done);
        if (out_of_time)
            return true;
    }
    return !run->stopped || at->state.step >= total || error_set(err, SORA_ERROR_CANCELLED, "stopped; go on with --resume");
}

bool train_run(TrainRun *run, SoraError *err)
{
    Position at = {0};
    if (!start(run, &at.state, err))
        return false;
    scratch_sweep(run->options->folder); /* what a run that was killed left */
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/log.tsv", run->options->folder);
    FILE *log = open_log(path, at.state.step, err);
    if (log == NULL)
        return false;
    at.begun = at.window_begun = clock_seconds();
    at.window_samples = run->samples(run->self);
    at.window_flops = graph_flops(*run->graph);
    bool ok = loop(run, log, &at, err);
    fclose(log);
    return ok;
}
