/* sora train score-captioner: a model's captioner against the ground truth of clips that no training has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "media/image.h"
#include "media/video_writer.h"
#include "train/caption_score.h"

enum { SIDE = 256, FRAMES = 17, MAX_PATH = 4096 };
static const uint64_t HELD_OUT = 5000011; /* no training has it */

typedef struct CaptionScoreArgs {
    const char *stage;
    int clips, language, beams, threads;
    bool detailed, plain, show;
} CaptionScoreArgs;

static const CaptionScoreArgs defaults = {.clips = 200, .beams = 3};

static const Option options[] = {
    {0, "clips", OPTION_INT, offsetof(CaptionScoreArgs, clips), "N", .help = "held-out clips (default 200)", .min = 1, .max = 100000},
    {0, "detailed", OPTION_FLAG, offsetof(CaptionScoreArgs, detailed), .help = "captions in detail"},
    {0, "language", OPTION_CHOICE, offsetof(CaptionScoreArgs, language), .help = "English or Japanese", .choices = "en|ja"},
    {0, "beams", OPTION_INT, offsetof(CaptionScoreArgs, beams), "N", .help = "beginnings that are followed (default 3)", .min = 1, .max = 16},
    {0, "plain", OPTION_FLAG, offsetof(CaptionScoreArgs, plain), .help = "clips as they are drawn alone"},
    {0, "show", OPTION_FLAG, offsetof(CaptionScoreArgs, show), .help = "print the captions, with what the stage says"},
    {0, "stage", OPTION_STRING, offsetof(CaptionScoreArgs, stage), "PACK", .help = "the art of Emoji Stage"},
    {0, "threads", OPTION_INT, offsetof(CaptionScoreArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0},
};

/* In which way a clip is shown. */
typedef enum Variant { AS_DRAWN, H264, SMALLER, CROPPED, SLOWER, FASTER, VARIANTS } Variant;
static const char *const VARIANT_NAMES[VARIANTS] = {"as drawn", "H.264", "160 px", "cropped", "slower", "faster"};

typedef struct Scoring {
    const CaptionScoreArgs *args;
    SoraEngine *engine;
    Stage *stage;
    CaptionScorer *scorer;
    CaptionTally rows[VARIANTS][CAPTION_ROWS];
    int foreign[VARIANTS];
} Scoring;

static StageSpec spec_of(const Scoring *s, int i, Variant v)
{
    const int *nouns;
    int count = caption_scorer_nouns(s->scorer, &nouns);
    Rng rng;
    StageSpec spec;
    rng_init(&rng, HELD_OUT, (uint64_t)i);
    stage_spec_init(&spec);
    spec.width = spec.height = v == SMALLER ? 160 : v == CROPPED ? 288 : SIDE;
    spec.frames = FRAMES;
    spec.fps = v == SLOWER ? 18 : v == FASTER ? 9 : 12;
    spec.seed = HELD_OUT;
    spec.index = (uint64_t)i;
    spec.split = i % 2 ? SPLIT_UNSEEN : SPLIT_SEEN;
    spec.everyday = 0.5f;
    spec.scene.noun = nouns[rng_int(&rng, count)];
    return spec;
}

/* The middle of each frame, in place. */
static void crop(StageClip *clip, int side)
{
    size_t row = (size_t)side * 3;
    int x = (clip->width - side) / 2, y = (clip->height - side) / 2;
    uint8_t *to = clip->rgb;
    for (int f = 0; f < clip->frames; f++)
        for (int i = 0; i < side; i++, to += row)
            memmove(to, clip->rgb + (((size_t)f * (size_t)clip->height + (size_t)(y + i)) * (size_t)clip->width + (size_t)x) * 3, row);
    clip->width = clip->height = side;
}

/* As an MP4 with pixels twice through another encoder; the caption is of the file. */
static bool caption_file(Scoring *s, const StageClip *clip, SoraCaptionRequest *r, SoraCaption *c, SoraError *err)
{
    char folder[] = "/tmp/sora-score-XXXXXX", path[64];
    if (mkdtemp(folder) == NULL)
        return error_set(err, SORA_ERROR_IO, "/tmp: cannot make a folder");
    snprintf(path, sizeof path, "%s/clip.mp4", folder);
    VideoWriter *w = video_writer_open(path, &(VideoFormat){clip->width, clip->height, clip->fps, NULL, NULL}, err);
    bool ok = w != NULL;
    for (int f = 0; ok && f < clip->frames; f++)
        if (!video_writer_write(w, clip->rgb + (size_t)f * (size_t)clip->width * (size_t)clip->height * 3, err)) {
            video_writer_abort(w);
            w = NULL;
            ok = false;
        }
    ok = ok && video_writer_commit(w, err);
    r->path = path;
    ok = ok && sora_caption(s->engine, r, c, err);
    unlink(path);
    rmdir(folder);
    return ok;
}

static bool score_clip(Scoring *s, int i, Variant v, SoraError *err)
{
    const CaptionScoreArgs *a = s->args;
    StageSpec spec = spec_of(s, i, v);
    StageClip clip;
    SoraCaption c = {0};
    if (!stage_render(s->stage, &spec, &clip, err))
        return false;
    if (v == CROPPED)
        crop(&clip, SIDE);
    SoraCaptionRequest r = {.language = (SoraLanguage)a->language, .detailed = a->detailed, .beams = a->beams};
    bool ok;
    if (v == H264) {
        ok = caption_file(s, &clip, &r, &c, err);
    } else {
        r.pixels = clip.rgb;
        r.frames = clip.frames;
        r.width = clip.width;
        r.height = clip.height;
        ok = sora_caption(s->engine, &r, &c, err);
    }
    if (ok) {
        caption_scorer_add(s->scorer, &clip.scene, c.text, s->rows[v]);
        s->foreign[v] += c.foreign;
        if (a->show)
            printf("%d\t%s\t%.3f\t%.2f\t%s\t%s\n", i, VARIANT_NAMES[v], c.confidence, c.strangeness, clip.captions[0].text, c.text);
    }
    sora_caption_deinit(&c);
    stage_clip_deinit(&clip);
    return ok;
}

static double percent(Tally t)
{
    return t.asked > 0 ? 100.0 * t.right / t.asked : 0;
}

static void print_share(Tally t)
{
    Interval i = tally_interval(t);
    char text[40];
    snprintf(text, sizeof text, "%.1f (%.0f-%.0f)", percent(t), 100 * i.low, 100 * i.high);
    printf("  %-15s", t.asked > 0 ? text : "-");
}

static void print_scores(const Scoring *s)
{
    printf("%d held-out clips, half of them with a held-out pair; per cent, Wilson intervals at 95 %%\n\n", s->args->clips);
    printf("%-10s  %-15s  %-15s  %-15s\n", "", "precision", "coverage", "contradictions");
    for (int row = 0; row < CAPTION_ROWS; row++) {
        const CaptionTally *t = &s->rows[AS_DRAWN][row];
        printf("%-10s", caption_row_name((CaptionRow)row));
        print_share(t->precision);
        print_share(t->coverage);
        print_share(t->contradiction);
        printf("  of %d, %d, %d\n", t->precision.asked, t->coverage.asked, t->contradiction.asked);
    }
    if (!s->args->plain)
        printf("\nprecision / coverage\n%-10s", "");
    for (int v = 0; v < VARIANTS && !s->args->plain; v++)
        printf("  %13s", VARIANT_NAMES[v]);
    for (int row = 0; row < CAPTION_ROWS && !s->args->plain; row++) {
        printf("\n%-10s", caption_row_name((CaptionRow)row));
        for (int v = 0; v < VARIANTS; v++)
            printf("  %5.1f / %5.1f", percent(s->rows[v][row].precision), percent(s->rows[v][row].coverage));
    }
    printf("\n%-10s", "foreign");
    for (int v = 0; v < (s->args->plain ? 1 : VARIANTS); v++)
        printf("  %13d", s->foreign[v]);
    printf("\n");
}

static bool score_all(Scoring *s, SoraError *err)
{
    Progress bar;
    int variants = s->args->plain ? 1 : VARIANTS, total = s->args->clips * variants;
    bool ok = true;
    progress_begin(&bar);
    for (int i = 0; ok && i < total; i++) {
        progress_show(&bar, &(ProgressStep){"captions", "clips", i, total});
        ok = !interrupt_requested() || error_set(err, SORA_ERROR_CANCELLED, "stopped");
        ok = ok && score_clip(s, i / variants, (Variant)(i % variants), err);
    }
    progress_end(&bar);
    return ok;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    Scoring s = {.args = values};
    interrupt_catch();
    s.engine = sora_engine_open(count > 0 ? arguments[0] : NULL, &(SoraOptions){.threads = s.args->threads}, err);
    const char *words = s.engine != NULL ? sora_engine_words(s.engine) : NULL;
    bool ok = s.engine != NULL && (words != NULL || error_set(err, SORA_ERROR_NOT_FOUND, "the model does not say what it knows"));
    s.stage = ok ? stage_open(s.args->stage, err) : NULL;
    s.scorer = s.stage != NULL ? caption_scorer_new(words, s.stage, err) : NULL;
    ok = s.scorer != NULL && score_all(&s, err);
    if (ok)
        print_scores(&s);
    caption_scorer_free(s.scorer);
    stage_close(s.stage);
    sora_engine_close(s.engine);
    return ok;
}

const Command CMD_SCORE_CAPTIONER = {
    .name = "score-captioner",
    .summary = "a model's captioner against the truth of held-out clips",
    .arguments = "[MODEL]",
    .description = "Counts what captions say of clips of Emoji Stage that no training has, attribute by attribute: precision (of what is said, "
                   "what is right), coverage (of what could be said, what is said rightly) and contradictions. Then the same of these clips "
                   "through another encoder, of another size, cropped, slower and faster.",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .max_arguments = 1,
    .run = run,
    .examples = "  sora train score-captioner my-nano\n  sora train score-captioner my-nano --detailed --language ja\n"};
