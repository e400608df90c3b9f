#include "cli/cmd_train.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "policy/fit.h"

typedef struct PolicyArgs {
    const char *out;
    uint64_t seed;
} PolicyArgs;

static const PolicyArgs defaults = {.seed = 1};

static const Option options[] = {
    {'o', "out", OPTION_STRING, offsetof(PolicyArgs, out), "FILE", .help = "where the classifier goes"},
    {0, "seed", OPTION_SEED, offsetof(PolicyArgs, seed), "N", .help = "of the order of prompts (default 1)"},
    {0},
};

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const PolicyArgs *a = values;
    FitSettings settings = fit_settings();
    FitResult result;
    if (a->out == NULL)
        return error_set(err, SORA_ERROR_INPUT, "--out FILE is missing");
    settings.seed = a->seed;
    if (!policy_fit((const char *const *)arguments, count, &settings, &result, err))
        return false;
    for (int i = 0; i < result.categories; i++) {
        const FitFigures *f = &result.figures[i];
        printf("%-10s %4d prompts, threshold %.3f, finds %.1f %% in cross-validation\n", f->category, f->harmful, f->threshold,
               100 * f->found);
    }
    FileWriter w;
    bool ok = file_writer_open(&w, a->out, err);
    if (ok)
        fwrite(result.file.bytes, 1, result.file.size, w.stream);
    ok = ok && file_writer_commit(&w, err);
    if (ok)
        printf("%s: %zu bytes, from %d prompts\n", a->out, result.file.size, result.prompts);
    buffer_deinit(&result.file);
    return ok;
}

const Command TRAIN_POLICY = {
    .name = "policy",
    .summary = "the classifier of `sora check`",
    .arguments = "FILE...",
    .description =
        "Trains the classifier on labelled prompts: lines of harmful or benign, a category and a text, with tabs between. The first file "
        "is your own: its prompts count three times, and thresholds keep its benign ones allowed. The same files give the same bytes.",
    .examples = "  sora train policy src/policy/prompts/development.tsv public.tsv -o src/policy/classifier.bin\n",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 16,
    .run = run,
};
