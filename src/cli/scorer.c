#include "cli/scorer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/scorer_folder.h"
#include "engine/model_path.h"
#include "media/image.h"

enum { MAX_PATH = 4096, MAX_FRAMES = 1024 };
static const uint64_t REAL_SEED = 3000017; /* of the clips that the judge is measured on: no training has it */

void strip_deinit(Strip *strip)
{
    free(strip->rgb);
    *strip = (Strip){0};
}

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

static SoraRequest request_of(const Scorer *s, const Shot *shot)
{
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = s->asks.items[shot->row].prompt;
    r.seed = (uint64_t)shot->seed;
    r.steps = s->options.steps;
    r.guidance_scale = s->options.guidance;
    r.progress = keep_going;
    return r;
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

static uint64_t made_key(const Scorer *s, const SoraRequest *r)
{
    return key_of("made", s->model_hash, r->prompt, (double[]){(double)r->seed, r->steps, r->guidance_scale}, 3);
}

/* The video of a request: the one that was kept, if there is one. */
static bool made_strip(Scorer *s, const Shot *shot, Strip *out, SoraError *err)
{
    SoraRequest r = request_of(s, shot);
    Image image = {0};
    char path[MAX_PATH] = "";
    if (s->options.videos != NULL)
        snprintf(path, sizeof path, "%s/%016" PRIx64 ".png", s->options.videos, made_key(s, &r));
    bool ok = path[0] != 0 && file_exists(path) ? image_read(&image, path, err)
              : generate(s, &r, &image, err) && (path[0] == 0 || image_write_png(&image, path, s->options.command, r.prompt, err));
    int height = s->own.height;
    ok = ok && ((height > 0 && image.height % height == 0) ||
                error_set(err, SORA_ERROR_INPUT, "\"%.60s\": the video is not of the model's size", r.prompt));
    if (!ok) {
        image_deinit(&image);
        return false;
    }
    *out = (Strip){image.rgb, image.width, height, image.height / height, s->own.fps};
    return true;
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

static bool real_scene(const Scorer *s, const Shot *shot, StageSpec *spec, SoraError *err)
{
    real_spec(s, shot->row, spec);
    return asks_scene(&s->asks.items[shot->row], judge_answers(s->judge), s->stage, &spec->scene, err);
}

static uint64_t real_key(const Scorer *s, const Shot *shot, const StageSpec *spec)
{
    const StageScene *c = &spec->scene;
    bool coded = shot->kind == SHOT_CODED;
    const double numbers[] = {spec->width, spec->height, spec->frames, spec->fps, (double)spec->split, shot->row, c->noun, c->colour,
                              c->count, c->action, c->direction, c->other, c->other_colour, c->place, c->time, c->weather, c->camera};
    int count = sizeof numbers / sizeof *numbers - (c->camera == CAMERA_STATIC); /* keys are older than the camera's */
    return key_of(coded ? "codec" : "real", coded ? s->model_hash : 0, "", numbers, count);
}

/* coded: through the model's codec. */
static bool real_strip(Scorer *s, const Shot *shot, Strip *out, SoraError *err)
{
    StageSpec spec;
    StageClip clip;
    if (!real_scene(s, shot, &spec, err) || !stage_render(s->stage, &spec, &clip, err))
        return false;
    bool ok = shot->kind != SHOT_CODED || codec_pass(&s->codec, s->graph, clip.rgb, clip.width, clip.height, clip.frames, err);
    if (ok) {
        *out = (Strip){clip.rgb, clip.width, clip.height, clip.frames, clip.fps};
        clip.rgb = NULL;
    }
    stage_clip_deinit(&clip);
    return ok;
}

/* --- a shot --- */

bool scorer_has(const Scorer *s, ShotKind kind)
{
    return kind == SHOT_MADE || (s->stage != NULL && (kind == SHOT_REAL || s->has_codec));
}

bool scorer_has_shot(const Scorer *s, const Shot *shot)
{
    return shot->kind != SHOT_MADE || s->folder == NULL || scorer_folder_path(s->folder, shot->row, shot->seed) != NULL;
}

bool scorer_strip(Scorer *s, const Shot *shot, Strip *strip, SoraError *err)
{
    *strip = (Strip){0};
    if (shot->kind != SHOT_MADE)
        return real_strip(s, shot, strip, err);
    return s->folder != NULL ? scorer_folder_read(s->folder, shot->row, shot->seed, strip, err) : made_strip(s, shot, strip, err);
}

static bool shot_key(const Scorer *s, const Shot *shot, uint64_t *key, SoraError *err)
{
    StageSpec spec;
    if (shot->kind == SHOT_MADE && s->folder != NULL)
        return file_hash(scorer_folder_path(s->folder, shot->row, shot->seed), key, err);
    if (shot->kind != SHOT_MADE && !real_scene(s, shot, &spec, err))
        return false;
    SoraRequest r = request_of(s, shot);
    *key = shot->kind == SHOT_MADE ? made_key(s, &r) : real_key(s, shot, &spec);
    return true;
}

static bool look_at(Scorer *s, const Strip *strip, Sight *sight, SoraError *err)
{
    const uint8_t *frames[MAX_FRAMES];
    int count = strip->frames < MAX_FRAMES ? strip->frames : MAX_FRAMES;
    for (int i = 0; i < count; i++)
        frames[i] = strip->rgb + (size_t)i * (size_t)strip->width * (size_t)strip->height * 3;
    return sight_take(s->judge, &(JudgeVideo){frames, count, strip->width, strip->height}, sight, err);
}

bool scorer_look(Scorer *s, const Shot *shot, const Strip *strip, Sight *sight, SoraError *err)
{
    uint64_t key;
    if (!shot_key(s, shot, &key, err))
        return false;
    key = sight_key(s, key);
    if (sights_find(s->sights, key, sight))
        return true;
    Strip own = {0};
    bool ok = strip != NULL || scorer_strip(s, shot, &own, err);
    ok = ok && look_at(s, strip != NULL ? strip : &own, sight, err) && sights_add(s->sights, key, sight, err);
    strip_deinit(&own);
    return ok;
}

/* --- a score --- */

int scorer_taken(const Scorer *s)
{
    int total = 0;
    for (int i = 0; i < s->asks.count; i++)
        total += s->taken[i];
    return total;
}

bool scorer_score(Scorer *s, ShotKind kind, ScorePart *part, SoraError *err)
{
    static const char *const LABELS[SHOT_KINDS] = {"videos", "real clips", "coded clips"};
    int total = scorer_taken(s), done = 0, seeds = kind == SHOT_MADE ? s->options.seeds : 1;
    Sight *sights = malloc((size_t)s->asks.count * sizeof *sights);
    bool ok = sights != NULL || error_no_memory(err);
    for (int seed = 0; ok && seed < seeds; seed++) {
        memset(sights, 0, (size_t)s->asks.count * sizeof *sights);
        for (int i = 0; ok && i < s->asks.count; i++) {
            if (!s->taken[i])
                continue;
            progress_show(&s->bar, &(ProgressStep){LABELS[kind], LABELS[kind], done++, total * seeds});
            ok = !interrupt_requested() || error_set(err, SORA_ERROR_CANCELLED, "stopped; the same command goes on");
            ok = ok && scorer_look(s, &(Shot){kind, i, seed}, NULL, &sights[i], err);
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
    int bases = 0, k = 0, quick = s->options.quick;
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
    if (s->options.cache != NULL)
        snprintf(path, sizeof path - 16, "%s", s->options.cache);
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
    if (s->options.no_real)
        return true;
    s->stage = stage_open(s->options.stage, &why);
    if (s->stage == NULL && s->options.stage == NULL && why.code == SORA_ERROR_NOT_FOUND) {
        fprintf(stderr, "%s: the judge is not measured: %s; run `sora stage fetch`\n", s->options.command, why.message);
        return true;
    }
    if (s->stage == NULL) {
        *err = why;
        return false;
    }
    if (!judge_find_nouns(s->judge, s->stage, err))
        return false;
    if (s->model == NULL)
        return true;
    snprintf(vae, sizeof vae, "%s/vae", s->model);
    s->has_codec = codec_load(&s->codec, vae, &why);
    if (!s->has_codec)
        fprintf(stderr, "%s: the judge is not measured through the model's autoencoder: %s\n", s->options.command, why.message);
    s->graph = graph_new(s->backend);
    return s->graph != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

/* Rows without a video are not asked. */
static bool open_folder(Scorer *s, SoraError *err)
{
    s->folder = scorer_folder_open(s->options.command, s->options.foreign, &s->asks, s->options.seeds, err);
    for (int i = 0; s->folder != NULL && i < s->asks.count; i++)
        s->taken[i] = s->taken[i] && scorer_has_shot(s, &(Shot){SHOT_MADE, i, 0});
    return s->folder != NULL;
}

static bool open_model(Scorer *s, SoraError *err)
{
    if (s->options.foreign != NULL)
        return open_folder(s, err);
    if ((s->model = model_path_find(s->options.model, err)) == NULL || !hash_model(s->model, &s->model_hash, err) ||
        (s->engine = sora_engine_open(s->model, &(SoraOptions){.threads = s->options.threads}, err)) == NULL)
        return false;
    sora_engine_defaults(s->engine, &s->own);
    return s->options.videos == NULL || dir_make(s->options.videos, err);
}

char *scorer_probe(const char *folder, SoraError *err)
{
    return model_path_find(folder != NULL ? folder : "probe", err);
}

bool scorer_open(Scorer *s, const ScorerOptions *options, SoraError *err)
{
    char prompts[MAX_PATH];
    *s = (Scorer){.options = *options};
    progress_begin(&s->bar);
    s->probe = scorer_probe(options->probe, err);
    s->backend = s->probe != NULL ? cpu_backend_new(&(CpuOptions){.threads = options->threads}, err) : NULL;
    s->judge = s->backend != NULL ? judge_open(s->probe, s->backend, err) : NULL;
    if (s->judge == NULL)
        return false;
    snprintf(prompts, sizeof prompts, "%s/prompts.tsv", s->probe);
    return asks_load(&s->asks, options->prompts != NULL ? options->prompts : prompts, judge_answers(s->judge), err) &&
           take_rows(s, err) && open_cache(s, err) && hash_model(s->probe, &s->probe_hash, err) && open_model(s, err) && open_real(s, err);
}

void scorer_close(Scorer *s)
{
    progress_end(&s->bar);
    sora_engine_close(s->engine);
    scorer_folder_close(s->folder);
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
