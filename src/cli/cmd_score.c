#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/score_print.h"
#include "cpu/backend.h"
#include "engine/model_path.h"
#include "media/image.h"
#include "base/hash.h"
#include "train/probe_clips.h"
#include "train/sights.h"

enum { MAX_PATH = 4096, MAX_FRAMES = 1024 };
static const uint64_t REAL_SEED = 3000017; /* of the clips that the judge is measured on: no training has it */

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

/* Everything that a score needs. */
typedef struct Scorer {
    const ScoreArgs *args;
    char *model, *probe;
    Backend *backend;
    Judge *judge;
    SoraEngine *engine;
    SoraRequest own; /* the model's defaults */
    Stage *stage;    /* NULL: the judge is not measured */
    Codec codec;
    bool has_codec;
    Graph *graph; /* the codec's */
    Asks asks;
    bool *taken; /* [asks.count]: these rows are scored */
    Sights *sights;
    uint64_t model_hash, probe_hash;
    Progress bar;
} Scorer;

/* --- keys of what was seen --- */

/* What a video or clip depends on. */
static uint64_t key_of(const char *kind, uint64_t model, const char *text, const double *numbers, int count)
{
    uint64_t h = hash64(HASH64_START, kind, strlen(kind) + 1);
    h = hash64(h, &model, sizeof model);
    h = hash64(h, text, strlen(text) + 1);
    return hash64(h, numbers, (size_t)count * sizeof *numbers);
}

/* What is seen of it depends on the judge besides. */
static uint64_t sight_key(const Scorer *s, uint64_t key)
{
    return hash64(key, &s->probe_hash, sizeof s->probe_hash);
}

/* --- the model's videos --- */

static bool keep_going(const SoraProgress *progress, void *user)
{
    return !interrupt_requested();
}

/* Frames of width x height that lie one after the other. */
typedef struct Strip {
    const uint8_t *rgb;
    int width, height, frames;
} Strip;

static bool look_at(Scorer *s, const Strip *strip, Sight *sight, SoraError *err)
{
    const uint8_t *frames[MAX_FRAMES];
    int count = strip->frames < MAX_FRAMES ? strip->frames : MAX_FRAMES;
    for (int i = 0; i < count; i++)
        frames[i] = strip->rgb + (size_t)i * (size_t)strip->width * (size_t)strip->height * 3;
    return sight_take(s->judge, &(JudgeVideo){frames, count, strip->width, strip->height}, sight, err);
}

/* All frames below each other in one picture. */
static bool generate(Scorer *s, const SoraRequest *r, Image *out, SoraError *err)
{
    SoraVideo *video = sora_generate(s->engine, r, err);
    if (video == NULL)
        return err->code == SORA_ERROR_CANCELLED ? false : error_wrap(err, "\"%.60s\"", r->prompt);
    int width = sora_video_width(video), height = sora_video_height(video), frames = sora_video_frames(video);
    size_t size = (size_t)width * (size_t)height * 3;
    bool ok = image_init(out, width, height * frames, err);
    for (int i = 0; ok && i < frames; i++)
        memcpy(out->rgb + size * (size_t)i, sora_video_frame(video, i), size);
    sora_video_free(video);
    return ok;
}

/* The video of a request: the one that was kept, if there is one. */
static bool get_video(Scorer *s, const SoraRequest *r, uint64_t key, Image *out, SoraError *err)
{
    char path[MAX_PATH];
    if (s->args->videos == NULL)
        return generate(s, r, out, err);
    snprintf(path, sizeof path, "%s/%016" PRIx64 ".png", s->args->videos, key);
    if (file_exists(path))
        return image_read(out, path, err);
    return generate(s, r, out, err) && image_write_png(out, path, "sora score", r->prompt, err);
}

static bool see_made(Scorer *s, int i, int seed, Sight *sight, SoraError *err)
{
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = s->asks.items[i].prompt;
    r.seed = (uint64_t)seed;
    r.steps = s->args->steps;
    r.guidance_scale = s->args->guidance;
    r.progress = keep_going;
    uint64_t video = key_of("made", s->model_hash, r.prompt, (double[]){seed, r.steps, r.guidance_scale}, 3);
    uint64_t key = sight_key(s, video);
    if (sights_find(s->sights, key, sight))
        return true;
    Image strip = {0};
    bool ok = get_video(s, &r, video, &strip, err);
    int height = s->own.height;
    ok = ok && ((height > 0 && strip.height % height == 0) ||
                error_set(err, SORA_ERROR_INPUT, "\"%.60s\": the video is not of the model's size", r.prompt));
    ok = ok && look_at(s, &(Strip){strip.rgb, strip.width, height, strip.height / height}, sight, err) &&
         sights_add(s->sights, key, sight, err);
    image_deinit(&strip);
    return ok;
}

/* --- clips of the same scenes --- */

static void real_spec(const Scorer *s, int i, StageSpec *spec)
{
    const SoraRequest *own = &s->own;
    stage_spec_init(spec);
    if (own->width >= 32 && own->width <= 1024 && own->height >= 32 && own->height <= 1024) {
        spec->width = own->width;
        spec->height = own->height;
    }
    if (own->frames >= 1 && own->frames <= MAX_FRAMES && own->fps >= 1 && own->fps <= 120) {
        spec->frames = own->frames;
        spec->fps = own->fps;
    }
    spec->seed = REAL_SEED;
    spec->index = (uint64_t)i;
    spec->split = s->asks.items[i].unseen ? SPLIT_UNSEEN : SPLIT_SEEN;
}

/* coded: through the model's codec. */
static bool see_real(Scorer *s, int i, bool coded, Sight *sight, SoraError *err)
{
    StageSpec spec;
    StageClip clip;
    real_spec(s, i, &spec);
    if (!asks_scene(&s->asks.items[i], judge_answers(s->judge), s->stage, &spec.scene, err))
        return false;
    const StageScene *c = &spec.scene;
    const double numbers[] = {spec.width, spec.height, spec.frames, spec.fps, (double)spec.split, i, c->noun, c->colour, c->count,
                              c->action, c->direction, c->other, c->other_colour, c->place, c->time, c->weather};
    uint64_t clip_key = key_of(coded ? "codec" : "real", coded ? s->model_hash : 0, "", numbers, sizeof numbers / sizeof *numbers);
    uint64_t key = sight_key(s, clip_key);
    if (sights_find(s->sights, key, sight))
        return true;
    if (!stage_render(s->stage, &spec, &clip, err))
        return false;
    bool ok = (!coded || codec_pass(&s->codec, s->graph, clip.rgb, clip.width, clip.height, clip.frames, err)) &&
              look_at(s, &(Strip){clip.rgb, clip.width, clip.height, clip.frames}, sight, err) && sights_add(s->sights, key, sight, err);
    stage_clip_deinit(&clip);
    return ok;
}

/* --- a score --- */

typedef enum Kind { KIND_MADE, KIND_REAL, KIND_CODED } Kind;

static bool see(Scorer *s, Kind kind, int i, int seed, Sight *sight, SoraError *err)
{
    if (interrupt_requested())
        return error_set(err, SORA_ERROR_CANCELLED, "stopped; the same command goes on");
    return kind == KIND_MADE ? see_made(s, i, seed, sight, err) : see_real(s, i, kind == KIND_CODED, sight, err);
}

static bool score(Scorer *s, Kind kind, int seeds, ScorePart *part, SoraError *err)
{
    static const char *const LABELS[] = {"videos", "real clips", "coded clips"};
    int total = 0, done = 0;
    for (int i = 0; i < s->asks.count; i++)
        total += s->taken[i];
    Sight *sights = malloc((size_t)s->asks.count * sizeof *sights);
    bool ok = sights != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int seed = 0; ok && seed < seeds; seed++) {
        memset(sights, 0, (size_t)s->asks.count * sizeof *sights);
        for (int i = 0; ok && i < s->asks.count; i++) {
            if (!s->taken[i])
                continue;
            progress_show(&s->bar, &(ProgressStep){LABELS[kind], LABELS[kind], done++, total * seeds});
            ok = see(s, kind, i, seed, &sights[i], err);
        }
        if (ok)
            score_add(part, &s->asks, sights);
    }
    free(sights);
    return ok;
}

/* Which rows are scored: all, or `quick` of those that are no flips, evenly, and the flips of these. */
static bool take_rows(Scorer *s, SoraError *err)
{
    int bases = 0, k = 0, quick = s->args->quick;
    s->taken = calloc((size_t)s->asks.count, sizeof *s->taken);
    if (s->taken == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int i = 0; i < s->asks.count; i++)
        bases += s->asks.items[i].of < 0;
    for (int i = 0; i < s->asks.count; i++) {
        int of = s->asks.items[i].of;
        if (of >= 0) {
            s->taken[i] = s->taken[of];
            continue;
        }
        s->taken[i] = quick == 0 || quick >= bases || (int64_t)k * quick / bases != (int64_t)(k + 1) * quick / bases;
        k++;
    }
    return true;
}

static bool open_cache(Scorer *s, SoraError *err)
{
    char path[MAX_PATH];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (s->args->cache != NULL)
        snprintf(path, sizeof path - 16, "%s", s->args->cache);
    else if (cache != NULL && cache[0] == '/')
        snprintf(path, sizeof path - 16, "%s/sora/score", cache);
    else
        snprintf(path, sizeof path - 16, "%s/.cache/sora/score", home != NULL ? home : ".");
    if (!dir_make(path, err))
        return false;
    strcat(path, "/sights.tsv");
    s->sights = sights_open(path, err);
    return s->sights != NULL;
}

/* What the judge is measured with. Without the art there is a line about it, and a score all the same. */
static bool open_real(Scorer *s, SoraError *err)
{
    SoraError why = {0};
    char vae[MAX_PATH];
    if (s->args->no_real)
        return true;
    s->stage = stage_open(s->args->stage, &why);
    if (s->stage == NULL && s->args->stage == NULL && why.code == SORA_ERROR_NOT_FOUND) {
        fprintf(stderr, "sora score: the judge is not measured: %s; run `sora stage fetch`\n", why.message);
        return true;
    }
    if (s->stage == NULL) {
        *err = why;
        return false;
    }
    if (!judge_find_nouns(s->judge, s->stage, err))
        return false;
    snprintf(vae, sizeof vae, "%s/vae", s->model);
    s->has_codec = codec_load(&s->codec, vae, &why);
    if (!s->has_codec)
        fprintf(stderr, "sora score: the judge is not measured through the model's autoencoder: %s\n", why.message);
    s->graph = graph_new(s->backend);
    return s->graph != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

static bool open_all(Scorer *s, const char *model, SoraError *err)
{
    char prompts[MAX_PATH];
    s->model = model_path_find(model, err);
    s->probe = s->model != NULL ? model_path_find(s->args->probe != NULL ? s->args->probe : "probe", err) : NULL;
    if (s->probe == NULL)
        return false;
    s->backend = cpu_backend_new(&(CpuOptions){.threads = s->args->threads}, err);
    s->judge = s->backend != NULL ? judge_open(s->probe, s->backend, err) : NULL;
    if (s->judge == NULL)
        return false;
    snprintf(prompts, sizeof prompts, "%s/prompts.tsv", s->probe);
    return asks_load(&s->asks, s->args->prompts != NULL ? s->args->prompts : prompts, judge_answers(s->judge), err) &&
           take_rows(s, err) && open_cache(s, err) && hash_model(s->model, &s->model_hash, err) &&
           hash_model(s->probe, &s->probe_hash, err) && open_real(s, err) &&
           (s->args->videos == NULL || dir_make(s->args->videos, err)) &&
           (s->engine = sora_engine_open(s->model, &(SoraOptions){.threads = s->args->threads}, err)) != NULL;
}

static void close_all(Scorer *s)
{
    sora_engine_close(s->engine);
    sights_close(s->sights);
    graph_free(s->graph);
    codec_unload(&s->codec);
    stage_close(s->stage);
    asks_deinit(&s->asks);
    judge_close(s->judge);
    cpu_backend_free(s->backend);
    free(s->taken);
    free(s->model);
    free(s->probe);
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    Scorer s = {.args = values};
    ScoreReport r = {.seeds = s.args->seeds};
    interrupt_catch();
    bool ok = open_all(&s, count > 0 ? arguments[0] : NULL, err);
    progress_begin(&s.bar);
    if (ok) {
        sora_engine_defaults(s.engine, &s.own);
        ok = score(&s, KIND_MADE, s.args->seeds, &r.made, err);
    }
    if (ok && s.stage != NULL) {
        r.has_real = true;
        r.has_coded = s.has_codec;
        ok = score(&s, KIND_REAL, 1, &r.real, err) && (!s.has_codec || score(&s, KIND_CODED, 1, &r.coded, err));
    }
    progress_end(&s.bar);
    if (ok) {
        r.model = s.model;
        for (int i = 0; i < s.asks.count; i++)
            r.prompts += s.taken[i];
        if (s.args->json)
            ok = score_print_json(&r, err);
        else
            score_print_table(&r);
    }
    close_all(&s);
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
