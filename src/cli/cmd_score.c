#include <stdio.h>

#include "cli/cli.h"
#include "cli/score_print.h"
#include "cli/scorer.h"

typedef struct ScoreArgs {
    const char *prompts, *probe, *cache, *videos, *stage;
    int seeds, quick, steps, threads;
    double guidance;
    bool json, no_real;
} ScoreArgs;

static const ScoreArgs defaults = {.seeds = 1, .guidance = -1};

static const Option options[] = {
    {0, "prompts", OPTION_STRING, offsetof(ScoreArgs, prompts), "FILE", .help = "what to ask for (default: the probe's own)"},
    {0, "seeds", OPTION_INT, offsetof(ScoreArgs, seeds), "N", .help = "videos of each prompt (default 1)", .min = 1, .max = 100},
    {0, "quick", OPTION_INT, offsetof(ScoreArgs, quick), "N", .help = "only N of the prompts, evenly taken, and their pairs",
     .min = 1, .max = 100000},
    {0, "steps", OPTION_INT, offsetof(ScoreArgs, steps), "N", .help = "sampling steps", .min = 1, .max = 1000},
    {0, "guidance", OPTION_DOUBLE, offsetof(ScoreArgs, guidance), "N", .help = "how closely the prompt is followed", .min = 0,
     .max = 100},
    {0, "probe", OPTION_STRING, offsetof(ScoreArgs, probe), "DIR", .help = "the judge (default: probe, where nano is)"},
    {0, "cache", OPTION_STRING, offsetof(ScoreArgs, cache), "DIR",
     .help = "keeps what was seen (default: ~/.cache/sora/score)"},
    {0, "videos", OPTION_STRING, offsetof(ScoreArgs, videos), "DIR",
     .help = "keep the videos too, as PNG with the frames below each other, and judge those that are there"},
    {0, "no-real", OPTION_FLAG, offsetof(ScoreArgs, no_real), .help = "do not measure the judge itself beside it"},
    {0, "stage", OPTION_STRING, offsetof(ScoreArgs, stage), "PACK", .help = "the art of Emoji Stage, for measuring the judge"},
    {0, "threads", OPTION_INT, offsetof(ScoreArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0, "json", OPTION_FLAG, offsetof(ScoreArgs, json), .help = "print one JSON object"},
    {0},
};

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const ScoreArgs *a = values;
    ScorerOptions o = {.command = "sora score", .model = count > 0 ? arguments[0] : NULL, .prompts = a->prompts, .probe = a->probe,
                       .cache = a->cache, .stage = a->stage, .videos = a->videos, .seeds = a->seeds, .quick = a->quick, .steps = a->steps,
                       .threads = a->threads, .guidance = a->guidance, .no_real = a->no_real};
    Scorer s;
    ScoreReport r = {.seeds = a->seeds};
    interrupt_catch();
    bool ok = scorer_open(&s, &o, err) && scorer_score(&s, SHOT_MADE, &r.made, err);
    r.has_real = ok && scorer_has(&s, SHOT_REAL);
    r.has_coded = ok && scorer_has(&s, SHOT_CODED);
    ok = ok && (!r.has_real || scorer_score(&s, SHOT_REAL, &r.real, err)) && (!r.has_coded || scorer_score(&s, SHOT_CODED, &r.coded, err));
    progress_end(&s.bar);
    if (ok) {
        r.model = s.model;
        r.prompts = scorer_taken(&s);
        if (a->json)
            ok = score_print_json(&r, err);
        else
            score_print_table(&r);
    }
    scorer_close(&s);
    return ok;
}

const Command CMD_SCORE = {
    .name = "score",
    .summary = "whether a model's videos have what their prompts ask for",
    .arguments = "[MODEL]",
    .description = "Makes a video of each prompt and lets a small network that knows Emoji Stage say what is in it. What it "
                   "said is kept: a score that was stopped goes on, and a second one of the same model is there at once.",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
    .examples = "  sora score\n  sora score train-out/nano/model --quick 60\n  sora score models/nano --seeds 3 --json\n"};
