#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "cli/measuring.h"

enum { MAX_PATH = 4096, MAX_FRAMES = 1024 };

typedef struct MeasureArgs {
    const char *prompts, *videos, *out, *probe, *stage;
    int suite, seeds, quick, steps, threads;
    double guidance;
    bool json, no_real;
} MeasureArgs;

static const MeasureArgs defaults = {.seeds = 1, .guidance = -1};

static const Option options[] = {
    {0, "suite", OPTION_CHOICE, offsetof(MeasureArgs, suite), .choices = "stage|camera|physics",
     .help = "what is asked for: things, colours, counts, ways (stage, the default), the camera's words, laws of motion"},
    {0, "prompts", OPTION_STRING, offsetof(MeasureArgs, prompts), "FILE", .help = "these instead of the suite's: docs/measure.md"},
    {0, "seeds", OPTION_INT, offsetof(MeasureArgs, seeds), "N", .help = "videos of each prompt (default 1)", .min = 1, .max = 100},
    {0, "videos", OPTION_STRING, offsetof(MeasureArgs, videos), "DIR",
     .help = "look at these videos and make none: ID.mp4, ID-SEED.mp4, or beside each a .txt with its prompt"},
    {'o', "out", OPTION_STRING, offsetof(MeasureArgs, out), "DIR",
     .help = "where videos, what was seen and report.html are kept (default: measure)"},
    {0, "quick", OPTION_INT, offsetof(MeasureArgs, quick), "N", .help = "only N of the prompts, evenly taken, and their pairs",
     .min = 1, .max = 100000},
    {0, "steps", OPTION_INT, offsetof(MeasureArgs, steps), "N", .help = "sampling steps", .min = 1, .max = 1000},
    {0, "guidance", OPTION_DOUBLE, offsetof(MeasureArgs, guidance), "N", .help = "how closely the prompt is followed", .min = 0,
     .max = 100},
    {0, "probe", OPTION_STRING, offsetof(MeasureArgs, probe), "DIR", .help = "the judge (default: probe, where nano is)"},
    {0, "no-real", OPTION_FLAG, offsetof(MeasureArgs, no_real), .help = "do not measure the eyes themselves beside it"},
    {0, "stage", OPTION_STRING, offsetof(MeasureArgs, stage), "PACK", .help = "the art of Emoji Stage, for measuring the eyes"},
    {0, "threads", OPTION_INT, offsetof(MeasureArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0, "json", OPTION_FLAG, offsetof(MeasureArgs, json), .help = "print one JSON object"},
    {0},
};

static const char *const SUITES[] = {"stage", "camera", "physics"}, *const FILES[] = {"prompts", "camera", "physics"};

static bool see(Scorer *s, const Shot *shot, Seen *seen, SoraError *err)
{
    Strip strip = {0};
    Sight sight;
    const uint8_t *frames[MAX_FRAMES];
    bool ok = scorer_strip(s, shot, &strip, err) && scorer_look(s, shot, &strip, &sight, err);
    int count = strip.frames < MAX_FRAMES ? strip.frames : MAX_FRAMES;
    for (int i = 0; ok && i < count; i++)
        frames[i] = strip.rgb + (size_t)i * (size_t)strip.width * (size_t)strip.height * 3;
    ok = ok && measure_take(s->judge, &(JudgeVideo){frames, count, strip.width, strip.height}, strip.fps, &s->asks.items[shot->row],
                            &sight, seen, err);
    strip_deinit(&strip);
    return ok;
}

/* One of somebody's videos that cannot be read is named and left out; whatever else fails ends it. */
static bool see_or_skip(MeasureReport *r, const Shot *shot, Seen *seen, SoraError *err)
{
    SoraError why = {0};
    if (see(r->scorer, shot, seen, &why))
        return true;
    *seen = (Seen){0};
    if (r->scorer->folder == NULL || shot->kind != SHOT_MADE || why.code == SORA_ERROR_MEMORY || why.code == SORA_ERROR_CANCELLED) {
        *err = why;
        return false;
    }
    progress_end(&r->scorer->bar);
    fprintf(stderr, "sora measure: %s: skipped\n", why.message);
    progress_begin(&r->scorer->bar);
    r->failed++;
    return true;
}

static bool see_all(MeasureReport *r, ShotKind kind, SoraError *err)
{
    static const char *const LABELS[SHOT_KINDS] = {"videos", "real clips", "coded clips"};
    Scorer *s = r->scorer;
    int count = s->asks.count, seeds = kind == SHOT_MADE ? r->seeds : 1, total = scorer_taken(s) * seeds, done = 0;
    r->seen[kind] = calloc((size_t)count * (size_t)seeds + 1, sizeof *r->seen[kind]);
    if (r->seen[kind] == NULL)
        return error_no_memory(err);
    for (int i = 0; i < count * seeds; i++) {
        Shot shot = {kind, i % count, i / count};
        if (!s->taken[shot.row] || !scorer_has_shot(s, &shot))
            continue;
        progress_show(&s->bar, &(ProgressStep){LABELS[kind], LABELS[kind], done++, total});
        if (interrupt_requested())
            return error_set(err, SORA_ERROR_CANCELLED, "stopped; the same command goes on");
        if (!see_or_skip(r, &shot, &r->seen[kind][i], err))
            return false;
    }
    return true;
}

/* Rows that are flips count among the flips only, as in sora score. */
static bool count_all(MeasureReport *r, ShotKind kind, SoraError *err)
{
    const Asks *asks = &r->scorer->asks;
    int seeds = kind == SHOT_MADE ? r->seeds : 1;
    Sight *sights = calloc((size_t)asks->count + 1, sizeof *sights);
    if (sights == NULL)
        return error_no_memory(err);
    for (int seed = 0; seed < seeds; seed++) {
        const Seen *seen = r->seen[kind] + (size_t)seed * (size_t)asks->count;
        for (int i = 0; i < asks->count; i++) {
            const Ask *a = &asks->items[i];
            sights[i] = seen[i].seen ? seen[i].sight : (Sight){0};
            for (int row = 0; row < MEASURE_ROWS && seen[i].seen && a->of < 0; row++)
                for (int g = 0; g < SCORE_GROUPS && measure_asked(a, row); g++) {
                    r->rows[kind][row][g].asked += score_in_group(a, g);
                    r->rows[kind][row][g].right += score_in_group(a, g) && measure_right(a, &seen[i], row);
                }
        }
        score_add(&r->score[kind], asks, sights);
    }
    free(sights);
    r->videos += kind == SHOT_MADE ? r->score[kind].videos : 0;
    return true;
}

static bool measure(MeasureReport *r, SoraError *err)
{
    for (int kind = 0; kind < SHOT_KINDS; kind++)
        if (scorer_has(r->scorer, (ShotKind)kind) && (!see_all(r, (ShotKind)kind, err) || !count_all(r, (ShotKind)kind, err)))
            return false;
    return true;
}

static bool report(const MeasureReport *r, const MeasureArgs *a, const char *folder, SoraError *err)
{
    char page[MAX_PATH + 32];
    snprintf(page, sizeof page, "%s/report.html", folder);
    if (!measure_write_page(r, page, err))
        return false;
    if (!a->json) {
        measure_print_table(r);
        printf("the page: %s\n", page);
    } else {
        shortage_begin();
        if (!json_print(measure_json(r), JSON_INDENT(1) | JSON_REAL_PRECISION(6), err))
            return false;
    }
    if (r->failed > 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: %d of %d videos could not be read and are not counted", a->videos, r->failed,
                         r->failed + r->videos);
    return true;
}

static bool check(const MeasureArgs *a, int count, SoraError *err)
{
    if (a->videos == NULL)
        return true;
    if (count > 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: these are looked at instead of a model's; name no model", a->videos);
    if (a->steps > 0 || a->guidance >= 0)
        return error_set(err, SORA_ERROR_INPUT, "--steps and --guidance have no effect with --videos, where nothing is made");
    return true;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const MeasureArgs *a = values;
    const char *folder = a->out != NULL ? a->out : "measure";
    char videos[MAX_PATH], prompts[MAX_PATH], *probe = NULL;
    Scorer s = {0};
    MeasureReport r = {.suite = a->prompts != NULL ? a->prompts : SUITES[a->suite], .scorer = &s, .seeds = a->seeds};
    interrupt_catch();
    snprintf(videos, sizeof videos, "%s/videos", folder);
    if (!check(a, count, err) || (probe = scorer_probe(a->probe, err)) == NULL)
        return false;
    snprintf(prompts, sizeof prompts, "%s/%s.tsv", probe, FILES[a->suite]);
    ScorerOptions o = {.command = "sora measure", .model = count > 0 ? arguments[0] : NULL, .prompts = a->prompts != NULL ? a->prompts : prompts,
                       .probe = probe, .cache = folder, .stage = a->stage, .videos = videos, .foreign = a->videos, .seeds = a->seeds,
                       .quick = a->quick, .steps = a->steps, .threads = a->threads, .guidance = a->guidance, .no_real = a->no_real};
    bool ok = scorer_open(&s, &o, err) && measure(&r, err);
    progress_end(&s.bar);
    r.title = a->videos != NULL ? a->videos : s.model;
    ok = ok && report(&r, a, folder, err);
    for (int kind = 0; kind < SHOT_KINDS; kind++)
        free(r.seen[kind]);
    scorer_close(&s);
    free(probe);
    return ok;
}

const Command CMD_MEASURE = {
    .name = "measure",
    .summary = "what a model can and cannot, with pictures",
    .arguments = "[MODEL]",
    .description = "Makes a video of each prompt of a suite, or takes a folder's, and looks at them: by a small network that knows Emoji "
                   "Stage, by the track of what moves, and by how blocks of the picture move. Prints a table with each eye's own share of "
                   "right answers on drawn clips beside it, and writes a page with plots and pictures. Videos and what was seen are kept: "
                   "one that was stopped goes on. The captioner is none of the eyes, since it has no weights yet.",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
    .examples = "  sora measure --suite physics --out measure/physics\n  sora measure train-out/nano/model --quick 60\n"
                "  sora measure --videos others/ --prompts prompts.tsv --json\n"};
