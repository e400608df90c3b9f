#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "media/video_list.h"

enum { MAX_JOBS = 64, MAX_PATH = 4096 };

typedef struct CaptionArgs {
    const char *model;
    int language, beams, jobs, threads;
    double temperature;
    uint64_t seed;
    bool detailed, again, recaption, json;
} CaptionArgs;

static const CaptionArgs defaults = {.beams = 3, .jobs = 1};

static const Option options[] = {
    {'m', "model", OPTION_STRING, offsetof(CaptionArgs, model), "DIR",
     .help = "the model whose captioner it is, or the name of an installed one (default: $SORA_MODEL, else nano)"},
    {0, "detailed", OPTION_FLAG, offsetof(CaptionArgs, detailed), .help = "several sentences, with light, scenery and camera"},
    {0, "language", OPTION_CHOICE, offsetof(CaptionArgs, language), .help = "English or Japanese", .choices = "en|ja"},
    {0, "beams", OPTION_INT, offsetof(CaptionArgs, beams), "N", .help = "beginnings that are followed (default 3)", .min = 1, .max = 16},
    {0, "temperature", OPTION_DOUBLE, offsetof(CaptionArgs, temperature), "N",
     .help = "draw words at random; 0, the default, takes the most probable ones", .min = 0, .max = 100},
    {0, "seed", OPTION_SEED, offsetof(CaptionArgs, seed), "N", .help = "of the drawing"},
    {0, "again", OPTION_FLAG, offsetof(CaptionArgs, again), .help = "of a folder: replace captions that are there"},
    {0, "recaption", OPTION_FLAG, offsetof(CaptionArgs, recaption),
     .help = "of a folder: write NAME.captioner.txt beside captions that stay, for \"captions\" of a training"},
    {'j', "jobs", OPTION_INT, offsetof(CaptionArgs, jobs), "N", .help = "of a folder: videos at a time (default 1)", .min = 1, .max = MAX_JOBS},
    {0, "threads", OPTION_INT, offsetof(CaptionArgs, threads), "N", .help = "0: all cores, shared by the jobs (default)", .min = 0,
     .max = 4096},
    {0, "json", OPTION_FLAG, offsetof(CaptionArgs, json), .help = "of a file: print one JSON object"},
    {0},
};

static SoraCaptionRequest request_of(const CaptionArgs *a, const char *path)
{
    return (SoraCaptionRequest){.path = path, .language = (SoraLanguage)a->language, .detailed = a->detailed,
                                .beams = a->temperature > 0 ? 1 : a->beams, .temperature = a->temperature, .seed = a->seed};
}

/* --- one file --- */

static bool print_one(const CaptionArgs *a, const char *path, SoraError *err)
{
    SoraEngine *engine = sora_engine_open(a->model, &(SoraOptions){.threads = a->threads}, err);
    SoraCaptionRequest r = request_of(a, path);
    SoraCaption c = {0};
    bool ok = engine != NULL && sora_caption(engine, &r, &c, err);
    if (ok && a->json)
        ok = json_print(json_pack("{ss sf sf sb}", "caption", c.text, "confidence", c.confidence, "strangeness", c.strangeness, "foreign",
                                  c.foreign), JSON_INDENT(2), err);
    else if (ok && c.foreign)
        printf("cannot tell: this is not the captioner's world (strangeness %.1f, where 1 is the limit)\n", c.strangeness);
    else if (ok)
        puts(c.text);
    if (ok && c.foreign)
        command_exit_code(EXIT_ANSWER_NO);
    sora_caption_deinit(&c);
    sora_engine_close(engine);
    return ok;
}

/* --- a folder --- */

typedef enum Outcome { OUTCOME_OPEN = 0, OUTCOME_WRITTEN, OUTCOME_THERE, OUTCOME_FOREIGN, OUTCOME_FAILED } Outcome;

typedef struct FolderJob {
    const CaptionArgs *args;
    SoraEngine *engines[MAX_JOBS];
    VideoList videos;
    int first, last; /* of the batch */
    Outcome *outcomes;
    SoraError *errors;
} FolderJob;

static void text_path(const CaptionArgs *a, const char *video, char path[MAX_PATH])
{
    snprintf(path, MAX_PATH, "%.*s%s", (int)(strrchr(video, '.') - video), video, a->recaption ? ".captioner.txt" : ".txt");
}

static bool write_caption(const char *path, const char *text, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, path, err))
        return false;
    fprintf(w.stream, "%s\n", text); /* commit finds its errors */
    return file_writer_commit(&w, err);
}

static void caption_video(void *arg, int64_t i, int worker)
{
    FolderJob *f = arg;
    int which = f->first + (int)i;
    char path[MAX_PATH];
    SoraCaption c = {0};
    SoraCaptionRequest r = request_of(f->args, f->videos.paths[which]);
    text_path(f->args, r.path, path);
    if (!f->args->again && file_exists(path)) {
        f->outcomes[which] = OUTCOME_THERE;
        return;
    }
    bool ok = sora_caption(f->engines[worker], &r, &c, &f->errors[which]);
    if (ok && !c.foreign)
        ok = write_caption(path, c.text, &f->errors[which]);
    f->outcomes[which] = !ok ? OUTCOME_FAILED : c.foreign ? OUTCOME_FOREIGN : OUTCOME_WRITTEN;
    sora_caption_deinit(&c);
}

static void name_trouble(const FolderJob *f, int i)
{
    if (f->outcomes[i] == OUTCOME_FAILED)
        fprintf(stderr, "sora caption: %s: skipped\n", f->errors[i].message);
    if (f->outcomes[i] == OUTCOME_FOREIGN)
        fprintf(stderr, "sora caption: %s: skipped: cannot tell, this is not the captioner's world\n", f->videos.paths[i]);
}

/* Batch by batch, so that Ctrl-C ends it between two; every caption that was written stays. */
static bool caption_all(FolderJob *f, Pool *pool, int jobs, SoraError *err)
{
    Progress bar;
    bool ok = true;
    progress_begin(&bar);
    for (f->first = 0; ok && f->first < f->videos.count; f->first += jobs) {
        if (interrupt_requested()) {
            ok = error_set(err, SORA_ERROR_CANCELLED, "stopped; the same command goes on");
            break;
        }
        int left = f->videos.count - f->first, count = left < jobs ? left : jobs;
        progress_show(&bar, &(ProgressStep){"captions", "videos", f->first, f->videos.count});
        pool_run(pool, count, caption_video, f);
        for (int i = f->first; i < f->first + count; i++)
            if (f->outcomes[i] >= OUTCOME_FOREIGN) {
                progress_end(&bar);
                name_trouble(f, i);
            }
    }
    progress_end(&bar);
    return ok;
}

static bool report_folder(const FolderJob *f, const char *folder, SoraError *err)
{
    int counts[OUTCOME_FAILED + 1] = {0}, first = -1;
    for (int i = 0; i < f->videos.count; i++) {
        counts[f->outcomes[i]]++;
        if (f->outcomes[i] == OUTCOME_FAILED && first < 0)
            first = i;
    }
    printf("%s: %d captions written, %d were there, %d videos of another world, %d not read\n", folder, counts[OUTCOME_WRITTEN],
           counts[OUTCOME_THERE], counts[OUTCOME_FOREIGN], counts[OUTCOME_FAILED]);
    if (counts[OUTCOME_FAILED] > 0)
        return error_set(err, f->errors[first].code, "%s: %d of %d videos have no caption, since they could not be read", folder,
                         counts[OUTCOME_FAILED], f->videos.count);
    if (counts[OUTCOME_FOREIGN] > 0)
        command_exit_code(EXIT_ANSWER_NO);
    return true;
}

static bool caption_folder(const CaptionArgs *a, const char *folder, SoraError *err)
{
    FolderJob f = {.args = a};
    Pool *pool = NULL;
    bool ok = video_list_read(&f.videos, folder, err);
    int jobs = a->jobs < f.videos.count ? a->jobs : f.videos.count, threads = a->jobs > 1 && a->threads == 0 ? 1 : a->threads;
    for (int i = 0; ok && i < jobs; i++)
        ok = (f.engines[i] = sora_engine_open(a->model, &(SoraOptions){.threads = threads}, err)) != NULL;
    if (ok) {
        f.outcomes = calloc((size_t)f.videos.count, sizeof *f.outcomes);
        f.errors = calloc((size_t)f.videos.count, sizeof *f.errors);
        pool = pool_new(jobs);
        ok = (f.outcomes != NULL && f.errors != NULL && pool != NULL) || error_no_memory(err);
    }
    ok = ok && caption_all(&f, pool, jobs, err) && report_folder(&f, folder, err);
    pool_free(pool);
    for (int i = 0; i < jobs; i++)
        sora_engine_close(f.engines[i]);
    free(f.outcomes);
    free(f.errors);
    video_list_deinit(&f.videos);
    return ok;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const CaptionArgs *a = values;
    interrupt_catch();
    return dir_exists(arguments[0]) ? caption_folder(a, arguments[0], err) : print_one(a, arguments[0], err);
}

const Command CMD_CAPTION = {
    .name = "caption",
    .summary = "says what is in a video",
    .arguments = "FILE|DIR",
    .description = "Describes a video or picture of Emoji Stage, with the captioner in the model's folder; the nano that is shipped has none "
                   "(docs/captioner.md). Of a folder it writes a text file beside each "
                   "video (fox.mp4, fox.txt), as training reads them; those that are there stay, so a command that was stopped goes on. "
                   "Videos that cannot be read are named and skipped.\n\n"
                   "Exit codes: 0 all described, 1 it cannot tell: this is another world; others as in sora --help.",
    .examples = "  sora caption fox.mp4 -m my-nano\n"
                "  sora caption fox.mp4 -m my-nano --detailed --language ja\n"
                "  sora caption clips -m my-nano --jobs 4\n",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
