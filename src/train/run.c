#include "train/run.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "train/checkpoint.h"

enum { MAX_PATH = 4096 };

static bool save(TrainRun *run, int64_t step, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run->options->folder);
    if (!checkpoint_save(run->optimizer, step, path, err))
        return false;
    snprintf(path, sizeof path, "%s/model", run->options->folder);
    if (!dir_make(path, err))
        return false;
    adamw_swap_ema(run->optimizer); /* save_model sees the average as the weights */
    bool ok = run->save_model(run->self, path, err);
    adamw_swap_ema(run->optimizer);
    return ok;
}

static bool start(TrainRun *run, int64_t *step, SoraError *err)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run->options->folder);
    *step = 0;
    if (!file_exists(path))
        return true;
    if (!run->options->resume)
        return error_set(err, SORA_ERROR_INPUT, "%s is there: give --resume to go on from it, or another --out", path);
    return checkpoint_load(run->optimizer, step, path, err);
}

/* Sums since the last line of the log. */
typedef struct Window {
    double loss, start, samples;
    int64_t steps;
} Window;

static bool report(TrainRun *run, FILE *log, Window *w, int64_t done, double begun)
{
    double now = clock_seconds(), samples = run->samples(run->self);
    TrainProgress p = {.phase = "training", .done = done, .total = run->optimizer->config.steps,
                       .loss = w->loss / (double)w->steps, .rate = adamw_rate(run->optimizer, done - 1),
                       .gradient_norm = run->optimizer->gradient_norm, .seconds = now - begun,
                       .samples = (samples - w->samples) / (now - w->start)};
    fprintf(log, "%" PRId64 "\t%.6f\t%.3e\t%.4f\t%.1f\t%.2f\n", done, p.loss, p.rate, p.gradient_norm, p.seconds,
            p.samples);
    fflush(log);
    *w = (Window){.start = now, .samples = samples};
    return run->options->hooks.progress == NULL || run->options->hooks.progress(run->options->hooks.user, &p);
}

static bool loop(TrainRun *run, FILE *log, int64_t step, SoraError *err)
{
    const TrainSettings *s = run->settings;
    int64_t total = run->optimizer->config.steps;
    double begun = clock_seconds();
    Window w = {.start = begun, .samples = run->samples(run->self)};
    while (step < total && !run->stopped) {
        double loss = 0;
        if (!run->step(run->self, step, &loss, err)) {
            SoraError ignored = {0}; /* the first error counts; what was learnt is kept when the user stops */
            if (err != NULL && err->code == SORA_ERROR_CANCELLED)
                save(run, step, &ignored);
            return false;
        }
        adamw_step(run->optimizer, step);
        step++;
        w.loss += loss;
        w.steps++;
        if (step % s->log_every == 0 || step == total)
            run->stopped = !report(run, log, &w, step, begun) || run->stopped;
        bool out_of_time = run->options->max_seconds > 0 && clock_seconds() - begun > run->options->max_seconds;
        bool preview = s->preview_every > 0 && step % s->preview_every == 0;
        if (step % s->checkpoint_every == 0 || preview || step == total || run->stopped || out_of_time)
            if (!save(run, step, err))
                return false;
        if (preview && run->options->hooks.preview != NULL)
            run->options->hooks.preview(run->options->hooks.user, run->options->folder, step);
        if (out_of_time)
            return true;
    }
    return !run->stopped || error_set(err, SORA_ERROR_CANCELLED, "stopped; go on with --resume");
}

bool train_run(TrainRun *run, SoraError *err)
{
    int64_t step;
    if (!start(run, &step, err))
        return false;
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/log.tsv", run->options->folder);
    FILE *log = fopen(path, step > 0 ? "ae" : "we");
    if (log == NULL)
        return error_set(err, SORA_ERROR_IO, "%s: cannot write", path);
    if (step == 0)
        fputs("step\tloss\tlearning_rate\tgradient_norm\tseconds\tsamples_per_second\n", log);
    bool ok = loop(run, log, step, err);
    fclose(log);
    return ok;
}
