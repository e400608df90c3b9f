#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/cmd_stage.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "media/lettering.h"
#include "media/video_writer.h"
#include "stage/stage.h"

typedef struct StageArgs {
    const char *pack, *art;
    const char *noun, *other;
    int colour, other_colour, action, direction, place, time, weather,
        camera; /* 0: any; else 1 + the stage's number */
    int style;
    int subjects;
    int count, frames, split;
    OptionSize size;
    double fps;
    uint64_t seed, first;
} StageArgs;

static const StageArgs defaults = {.style = 1 + STYLE_PLAIN, .count = 12, .frames = 17, .size = {128, 128}, .fps = 12};

/* clang-format off: one option a line */
#define PACK_OPTION                                                                                                      \
    {0, "pack", OPTION_STRING, offsetof(StageArgs, pack), "FILE", .help = "the packed art (default: where fetch puts it)"}
#define WORD_OPTION(word, field, list, what)                                                                             \
    {0, word, OPTION_CHOICE, offsetof(StageArgs, field), .help = what, .choices = "any" list(STAGE_CHOICE)}
#define CLIP_OPTIONS                                                                                                     \
    {0, "count", OPTION_INT, offsetof(StageArgs, count), "N", .help = "how many clips (default 12)", .min = 1,           \
     .max = 10000000},                                                                                                   \
    {0, "size", OPTION_SIZE, offsetof(StageArgs, size), .help = "pixels (default 128x128)", .min = 32, .max = 1024},     \
    {0, "frames", OPTION_INT, offsetof(StageArgs, frames), "N", .help = "of each clip (default 17)", .min = 1,           \
     .max = 1024},                                                                                                       \
    {0, "fps", OPTION_DOUBLE, offsetof(StageArgs, fps), "N", .help = "frames a second (default 12)", .min = 1,           \
     .max = 120},                                                                                                        \
    {0, "seed", OPTION_U64, offsetof(StageArgs, seed), "N", .help = "of the world (default 0)"},                         \
    {0, "first", OPTION_U64, offsetof(StageArgs, first), "N", .help = "number of the first clip (default 0)"},           \
    {0, "split", OPTION_CHOICE, offsetof(StageArgs, split), .help = "training, or its held-out relatives",               \
     .choices = "train|seen|unseen"},                                                                                    \
    {0, "noun", OPTION_STRING, offsetof(StageArgs, noun), "NAME", .help = "who acts: dog, car, soccer ball ..."},        \
    {0, "subjects", OPTION_INT, offsetof(StageArgs, subjects), "N", .help = "how many of them", .min = 1, .max = 5},     \
    WORD_OPTION("colour", colour, STAGE_COLOURS, "of the noun"),                                                         \
    WORD_OPTION("action", action, STAGE_ACTIONS, "what happens"),                                                        \
    WORD_OPTION("direction", direction, STAGE_DIRECTIONS, "of the motion"),                                              \
    {0, "other", OPTION_STRING, offsetof(StageArgs, other), "NAME", .help = "the second actor; \"nobody\": none"},       \
    WORD_OPTION("other-colour", other_colour, STAGE_COLOURS, "of the second actor"),                                     \
    WORD_OPTION("place", place, STAGE_PLACES, "where"),                                                                  \
    WORD_OPTION("time", time, STAGE_TIMES, "of the day"),                                                                \
    WORD_OPTION("weather", weather, STAGE_WEATHERS, "above it"),                                                         \
    WORD_OPTION("camera", camera, STAGE_CAMERAS, "how it moves"),                                                        \
    WORD_OPTION("style", style, STAGE_STYLES, "how it is painted (default plain)")
/* clang-format on */

static bool find_noun(const Stage *stage, const char *name, int *noun, SoraError *err)
{
    if (name == NULL)
        return true;
    *noun = strcmp(name, "nobody") == 0 ? STAGE_NOBODY : stage_noun_find(stage, name);
    return *noun >= 0 || strcmp(name, "nobody") == 0 ||
           error_set(err, SORA_ERROR_INPUT, "\"%.60s\": no such noun; `sora stage nouns` lists them", name);
}

static bool make_spec(const StageArgs *a, const Stage *stage, StageSpec *spec, SoraError *err)
{
    stage_spec_init(spec);
    spec->width = a->size.width;
    spec->height = a->size.height;
    spec->frames = a->frames;
    spec->fps = a->fps;
    spec->seed = a->seed;
    spec->index = a->first;
    spec->split = (StageSplit)a->split;
    StageScene *s = &spec->scene;
    s->colour = a->colour - 1;
    s->other_colour = a->other_colour - 1;
    s->action = a->action - 1;
    s->direction = a->direction - 1;
    s->place = a->place - 1;
    s->time = a->time - 1;
    s->weather = a->weather - 1;
    s->camera = a->camera - 1;
    spec->style = a->style - 1;
    spec->styled = 1; /* of any */
    s->count = a->subjects > 0 ? a->subjects : STAGE_ANY;
    if (!find_noun(stage, a->noun, &s->noun, err) || !find_noun(stage, a->other, &s->other, err))
        return false;
    return s->noun != STAGE_NOBODY || error_set(err, SORA_ERROR_INPUT, "--noun: somebody must act");
}

/* Opens the stage and reads the options; what a command needs before its first clip. */
static Stage *begin(const StageArgs *a, StageSpec *spec, SoraError *err)
{
    Stage *stage = stage_open(a->pack, err);
    if (stage == NULL) {
        if (err->code == SORA_ERROR_NOT_FOUND)
            error_wrap(err, "run `sora stage fetch` first");
        return NULL;
    }
    if (make_spec(a, stage, spec, err))
        return stage;
    stage_close(stage);
    return NULL;
}

static const char *caption_of(const StageClip *clip, StageLanguage language, StageCaptionKind kind)
{
    for (int i = 0; i < clip->caption_count; i++)
        if (clip->captions[i].language == language && clip->captions[i].kind == kind)
            return clip->captions[i].text;
    return "";
}

enum { SHOWN = 7, GAP = 2, TEXT_ROWS = 4 };

static void draw_clip(Image *sheet, Lettering *letters, int y, const StageClip *clip)
{
    TextBox box = {caption_of(clip, LANGUAGE_EN, CAPTION_SHORT), GAP, y + GAP, (sheet->width - 2 * GAP) / TEXT_WIDTH, 1, 0x203080};
    lettering_draw(letters, sheet, &box);
    box.text = caption_of(clip, LANGUAGE_EN, CAPTION_DETAILED);
    box.y += TEXT_HEIGHT;
    box.lines = TEXT_ROWS - 2;
    box.color = 0x202024;
    lettering_draw(letters, sheet, &box);
    box.y += TEXT_HEIGHT * lettering_lines(box.text, box.columns);
    box.text = caption_of(clip, LANGUAGE_JA, CAPTION_SHORT);
    box.lines = 1;
    box.color = 0x203080;
    lettering_draw(letters, sheet, &box);
    y += TEXT_ROWS * TEXT_HEIGHT + GAP;
    for (int i = 0; i < SHOWN; i++) {
        int f = clip->frames > 1 ? (i * (clip->frames - 1) + (SHOWN - 1) / 2) / (SHOWN - 1) : 0;
        for (int row = 0; row < clip->height; row++)
            memcpy(sheet->rgb +
                       ((size_t)(y + row) * (size_t)sheet->width + (size_t)(GAP + i * (clip->width + GAP))) *
                           3,
                   clip->rgb + ((size_t)f * (size_t)clip->height + (size_t)row) * (size_t)clip->width * 3,
                   (size_t)clip->width * 3);
    }
}

static bool run_preview(const void *values, char **arguments, int count, SoraError *err)
{
    const StageArgs *a = values;
    StageSpec spec;
    Place place = {arguments[0], 1};
    if (!place_check(&place, (const char *const[]){a->pack}, 1, err))
        return false;
    Stage *stage = begin(a, &spec, err);
    if (stage == NULL)
        return false;
    place_announce("sora stage preview", &place);
    Image sheet = {0};
    int row = spec.height + TEXT_ROWS * TEXT_HEIGHT + 2 * GAP;
    Lettering *letters = lettering_new();
    bool ok = (letters != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory")) &&
              image_init(&sheet, SHOWN * (spec.width + GAP) + GAP,
                         a->count > 16384 / row ? 16385 : a->count * row, err);
    if (ok)
        memset(sheet.rgb, 0xf6, (size_t)sheet.width * (size_t)sheet.height * 3);
    for (int i = 0; ok && i < a->count; i++, spec.index++) {
        StageClip clip;
        ok = stage_render(stage, &spec, &clip, err);
        if (!ok)
            break;
        draw_clip(&sheet, letters, i * row, &clip);
        printf("%s\n%s\n", caption_of(&clip, LANGUAGE_EN, CAPTION_DETAILED),
               caption_of(&clip, LANGUAGE_JA, CAPTION_DETAILED));
        stage_clip_deinit(&clip);
    }
    ok = ok && image_write_png(&sheet, arguments[0], NULL, NULL, err);
    lettering_free(letters);
    image_deinit(&sheet);
    stage_close(stage);
    return ok;
}

static bool write_text(const char *path, const char *text, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, path, err))
        return false;
    fputs(text, w.stream);
    return file_writer_commit(&w, err);
}

static bool write_captions(const char *path, const StageClip *clip, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, path, err))
        return false;
    for (int i = 0; i < clip->caption_count; i++)
        fprintf(w.stream, "%s\n", clip->captions[i].text);
    return file_writer_commit(&w, err);
}

static bool write_video(const char *path, const StageClip *clip, SoraError *err)
{
    VideoFormat format = {clip->width, clip->height, clip->fps, caption_of(clip, LANGUAGE_EN, CAPTION_SHORT),
                          NULL};
    VideoWriter *w = video_writer_open(path, &format, err);
    size_t size = (size_t)clip->width * (size_t)clip->height * 3;
    for (int f = 0; w != NULL && f < clip->frames; f++)
        if (!video_writer_write(w, clip->rgb + (size_t)f * size, err)) {
            video_writer_abort(w);
            return false;
        }
    return w != NULL && video_writer_commit(w, err);
}

/* "DIR/000007": of a clip's files, without extension. 0: it has no room. */
static size_t clip_path(char *path, size_t size, const char *dir, uint64_t index)
{
    size_t n = (size_t)snprintf(path, size, "%s/%06llu", dir, (unsigned long long)index);
    return n < size - 8 ? n : 0;
}

/* Says on stderr how many files of the clips are there already. */
static void announce_clips(const char *dir, uint64_t first, int count)
{
    static const char *const ENDS[] = {".json", ".txt", ".mp4"};
    int there = 0;
    char path[4096];
    for (int i = 0; i < count; i++)
        for (int e = 0; e < 3; e++) {
            size_t n = clip_path(path, sizeof path, dir, first + (uint64_t)i);
            strcpy(path + n, ENDS[e]);
            there += n > 0 && file_exists(path);
        }
    if (there > 0)
        fprintf(stderr, "sora stage export: %s: %d file%s of these clips %s there and will be replaced\n", dir, there,
                there == 1 ? "" : "s", there == 1 ? "is" : "are");
}

static bool export_clip(const Stage *stage, const StageSpec *spec, const char *dir, SoraError *err)
{
    StageClip clip;
    if (!stage_render(stage, spec, &clip, err))
        return false;
    char path[4096];
    size_t n = clip_path(path, sizeof path, dir, spec->index);
    char *json = stage_truth_json(stage, &clip);
    bool ok = n > 0 || error_set(err, SORA_ERROR_INPUT, "%.100s...: path too long", dir);
    ok = ok && (json != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
    if (ok) {
        strcpy(path + n, ".json");
        ok = write_text(path, json, err);
    }
    if (ok) {
        strcpy(path + n, ".txt");
        ok = write_captions(path, &clip, err);
    }
    if (ok) {
        strcpy(path + n, ".mp4");
        ok = write_video(path, &clip, err);
    }
    free(json);
    stage_clip_deinit(&clip);
    return ok;
}

static bool run_export(const void *values, char **arguments, int count, SoraError *err)
{
    const StageArgs *a = values;
    StageSpec spec;
    VideoFormat format = {a->size.width, a->size.height, a->fps, NULL, NULL};
    char probe[4096];
    snprintf(probe, sizeof probe, "%s/000000.mp4", arguments[0]);
    if (!dir_make(arguments[0], err) || !video_writer_check(probe, &format, err))
        return false;
    Stage *stage = begin(a, &spec, err);
    if (stage == NULL)
        return false;
    announce_clips(arguments[0], spec.index, a->count);
    Progress bar;
    progress_begin(&bar);
    interrupt_catch();
    bool ok = true;
    for (int i = 0; ok && i < a->count; i++, spec.index++) {
        ok = export_clip(stage, &spec, arguments[0], err);
        progress_show(&bar, &(ProgressStep){"export", "clips", i + 1, a->count});
        if (ok && interrupt_requested() && i + 1 < a->count)
            ok = error_set(err, SORA_ERROR_CANCELLED, "cancelled after %d of %d clips", i + 1, a->count);
    }
    progress_end(&bar);
    stage_close(stage);
    return ok;
}

static bool show_step(const char *what, int done, int total, void *user)
{
    progress_show(user, &(ProgressStep){what, "packages", done, total});
    return !interrupt_requested();
}

static bool run_fetch(const void *values, char **arguments, int count, SoraError *err)
{
    const StageArgs *a = values;
    Progress bar;
    progress_begin(&bar);
    interrupt_catch();
    StageFetch fetch = {.out_path = a->pack, .art = a->art, .note = show_step, .user = &bar};
    bool ok = stage_fetch(&fetch, err);
    if (!ok && interrupt_requested()) /* Ctrl-C ends npm too, which then looks like a failure of its own */
        error_set(err, SORA_ERROR_CANCELLED, "cancelled");
    progress_end(&bar);
    char *path = a->pack != NULL ? strdup(a->pack) : stage_default_path();
    if (ok && path != NULL)
        printf("%s\n", path);
    free(path);
    return ok;
}

static bool run_nouns(const void *values, char **arguments, int count, SoraError *err)
{
    const StageArgs *a = values;
    StageSpec spec;
    Stage *stage = begin(a, &spec, err);
    for (int i = 0; stage != NULL && i < stage_noun_count(stage); i++)
        printf("%s\n", stage_noun_name(stage, i));
    stage_close(stage);
    return stage != NULL;
}

static bool run_captions(const void *values, char **arguments, int count, SoraError *err)
{
    const StageArgs *a = values;
    StageSpec spec;
    Stage *stage = begin(a, &spec, err);
    bool ok = stage != NULL;
    for (int i = 0; ok && i < a->count; i++, spec.index++) {
        StageClip clip;
        ok = stage_render(stage, &spec, &clip, err);
        for (int k = 0; ok && k < clip.caption_count; k++)
            puts(clip.captions[k].text);
        if (ok)
            stage_clip_deinit(&clip);
    }
    stage_close(stage);
    return ok;
}

/* One thread; the art is decoded before the clock starts. */
static bool run_bench(const void *values, char **arguments, int count, SoraError *err)
{
    const StageArgs *a = values;
    StageSpec spec;
    Stage *stage = begin(a, &spec, err);
    bool ok = stage != NULL;
    double seconds = 0;
    for (int pass = 0; ok && pass < 2; pass++) {
        seconds = clock_seconds();
        for (int i = 0; ok && i < a->count; i++) {
            StageClip clip;
            spec.index = a->first + (uint64_t)i;
            ok = stage_render(stage, &spec, &clip, err);
            if (ok)
                stage_clip_deinit(&clip);
        }
        seconds = clock_seconds() - seconds;
    }
    if (ok)
        printf("%d clips of %d frames %dx%d: %.1f clips/s, %.0f frames/s on one core\n", a->count,
               spec.frames, spec.width, spec.height, a->count / seconds, a->count * spec.frames / seconds);
    stage_close(stage);
    return ok;
}

static const Option clip_options[] = {PACK_OPTION, CLIP_OPTIONS, {0}};
static const Option pack_options[] = {PACK_OPTION, {0}};
static const Option fetch_options[] = {{0, "pack", OPTION_STRING, offsetof(StageArgs, pack), "FILE",
                                        .help = "where to put it (default: ~/.local/share/sora/stage.pack)"},
                                       {0, "art", OPTION_STRING, offsetof(StageArgs, art), "DIR",
                                        .help = "a node_modules folder that has the packages already"},
                                       {0}};

static const Command FETCH = {.name = "fetch",
                              .summary = "bring the art with npm (750 MB) and pack it (16 MB)",
                              .options = fetch_options,
                              .defaults = &defaults,
                              .size = sizeof defaults,
                              .run = run_fetch,
                              .examples = "  sora stage fetch\n"};
static const Command PREVIEW = {
    .name = "preview",
    .summary = "a contact sheet of clips with their captions",
    .arguments = "SHEET.png",
    .options = clip_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_preview,
    .examples =
        "  sora stage preview --count 12 sheet.png\n"
        "  sora stage preview --noun dog --action walk --place meadow --direction left --count 4 dog.png\n"};
static const Command EXPORT = {.name = "export",
                               .summary = "a dataset: MP4, captions as .txt, truth as .json",
                               .arguments = "DIR",
                               .options = clip_options,
                               .defaults = &defaults,
                               .size = sizeof defaults,
                               .min_arguments = 1,
                               .max_arguments = 1,
                               .run = run_export,
                               .examples = "  sora stage export --count 1000 clips\n"};
static const Command NOUNS = {.name = "nouns",
                              .summary = "who can act",
                              .options = pack_options,
                              .defaults = &defaults,
                              .size = sizeof defaults,
                              .run = run_nouns,
                              .examples = "  sora stage nouns\n"};
static const Command CAPTIONS = {.name = "captions",
                                 .summary = "their captions, one a line: text for a tokenizer",
                                 .options = clip_options,
                                 .defaults = &defaults,
                                 .size = sizeof defaults,
                                 .run = run_captions,
                                 .examples = "  sora stage captions --count 12000 --size 32x32 > captions.txt\n"};
static const Command BENCH = {.name = "bench",
                              .summary = "clips rendered per second on one core",
                              .options = clip_options,
                              .defaults = &defaults,
                              .size = sizeof defaults,
                              .run = run_bench,
                              .examples = "  sora stage bench --count 400\n"};

static const Command *const SUBCOMMANDS[] = {&FETCH, &PREVIEW, &EXPORT, &CAPTIONS, &CMD_STAGE_PROMPTS, &NOUNS, &BENCH, NULL};

const Command CMD_STAGE = {
    .name = "stage",
    .summary = "Emoji Stage, the world that nano learns",
    .subcommands = SUBCOMMANDS,
    .description = "Clips are drawn on the fly from a seed and a number, with exact captions and truth.",
    .examples = "  sora stage fetch\n  sora stage preview --count 12 sheet.png\n"};
