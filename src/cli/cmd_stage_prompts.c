/* sora stage prompts: what sora score asks for. */
#include <stdio.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/cmd_stage.h"
#include "train/asks.h"
#include "train/settings.h"

typedef struct PromptsArgs {
    const char *pack;
    int count, flips;
    uint64_t seed;
} PromptsArgs;

static const PromptsArgs defaults = {.count = 400, .flips = 24, .seed = 4000037};

static const Option options[] = {
    {0, "count", OPTION_INT, offsetof(PromptsArgs, count), "N", .help = "how many prompts (default 400)", .min = 1, .max = 100000},
    {0, "flips", OPTION_INT, offsetof(PromptsArgs, flips), "N",
     .help = "more that differ from one in a word, N of a kind (default 24)", .min = 0,
     .max = 100000},
    {0, "seed", OPTION_U64, offsetof(PromptsArgs, seed), "N", .help = "of the scenes (default 4000037)"},
    {0, "pack", OPTION_STRING, offsetof(PromptsArgs, pack), "FILE", .help = "the packed art (default: where fetch puts it)"},
    {0},
};

static bool make(const PromptsArgs *a, const TrainSettings *settings, Stage *stage, const char *path, SoraError *err)
{
    Answers answers;
    FileWriter w;
    if (!answers_init(&answers, settings->source.nouns, settings->source.noun_count, err) ||
        !answers_find_nouns(&answers, stage, err) || !file_writer_open(&w, path, err))
        return false;
    AskMaking making = {.stage = stage, .answers = &answers, .seed = a->seed, .count = a->count, .flips = a->flips};
    if (asks_make(&making, w.stream, err))
        return file_writer_commit(&w, err);
    file_writer_abort(&w);
    return false;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const PromptsArgs *a = values;
    TrainSettings settings;
    if (!settings_load(&settings, arguments[0], TRAINER_ANY, err))
        return false;
    Stage *stage = stage_open(a->pack, err);
    bool ok = stage != NULL && make(a, &settings, stage, arguments[1], err);
    stage_close(stage);
    settings_deinit(&settings);
    return ok;
}

const Command CMD_STAGE_PROMPTS = {
    .name = "prompts",
    .summary = "prompts of held-out scenes with what each asks for",
    .arguments = "CONFIG FILE.tsv",
    .description = "CONFIG is a configuration of `sora train`: its nouns take turns.",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
    .examples = "  sora stage prompts models/probe/train/probe.json prompts.tsv\n"};
