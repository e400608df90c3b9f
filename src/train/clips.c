#include "train/clips.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "media/video_reader.h"
#include "stage/stage.h"

enum { MAX_FILES = 1 << 20, MAX_CAPTIONS = 1 << 20 };

const int CLIP_CLASS_SIZES[CLIP_CLASSES] = {
    [CLASS_NOUN] = MAX_CLASS_NOUNS,  [CLASS_COLOUR] = COLOUR_COUNT,       [CLASS_COUNT] = 6,
    [CLASS_ACTION] = ACTION_COUNT,   [CLASS_DIRECTION] = DIRECTION_COUNT, [CLASS_PLACE] = PLACE_COUNT,
    [CLASS_TIME] = TIME_COUNT,       [CLASS_WEATHER] = WEATHER_COUNT,     [CLASS_CAMERA] = CAMERA_COUNT,
};

struct ClipSource {
    Stage *stage;
    uint64_t seed;
    bool held_out;
    int *nouns, noun_count;
    double everyday;
    char **files; /* videos of a folder, sorted */
    int file_count;
};

static bool is_video(const char *name)
{
    static const char *const ENDINGS[] = {".mp4", ".webm", ".mov", ".mkv", ".gif", ".avi"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof ENDINGS / sizeof ENDINGS[0]; i++)
        if (strcmp(dot, ENDINGS[i]) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_file(ClipSource *s, const char *folder, const char *name)
{
    char **files = realloc(s->files, (size_t)(s->file_count + 1) * sizeof *files);
    if (files == NULL)
        return false;
    s->files = files;
    size_t n = strlen(folder) + strlen(name) + 2;
    files[s->file_count] = malloc(n);
    if (files[s->file_count] == NULL)
        return false;
    snprintf(files[s->file_count++], n, "%s/%s", folder, name);
    return true;
}

static bool open_folder(ClipSource *s, const char *folder, SoraError *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: cannot open the folder of training videos", folder);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(dir)) != NULL && s->file_count < MAX_FILES;)
        if (is_video(e->d_name))
            ok = add_file(s, folder, e->d_name) || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", folder);
    closedir(dir);
    if (ok && s->file_count == 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: no video files (.mp4 .webm .mov .mkv .gif .avi)", folder);
    if (ok)
        qsort(s->files, (size_t)s->file_count, sizeof *s->files, by_name);
    return ok;
}

static bool find_nouns(ClipSource *s, const ClipSourceConfig *c, SoraError *err)
{
    if (c->noun_count == 0)
        return true;
    s->nouns = malloc((size_t)c->noun_count * sizeof *s->nouns);
    if (s->nouns == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int i = 0; i < c->noun_count; i++) {
        s->nouns[i] = stage_noun_find(s->stage, c->nouns[i]);
        if (s->nouns[i] < 0)
            return error_set(err, SORA_ERROR_INPUT, "the stage has no noun \"%s\"", c->nouns[i]);
    }
    s->noun_count = c->noun_count;
    return true;
}

ClipSource *clip_source_open(const ClipSourceConfig *config, SoraError *err)
{
    ClipSource *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    s->seed = config->seed;
    s->held_out = config->held_out;
    s->everyday = config->everyday;
    bool ok;
    if (config->folder != NULL) {
        ok = open_folder(s, config->folder, err);
    } else {
        s->stage = stage_open(config->stage_pack, err);
        ok = s->stage != NULL && find_nouns(s, config, err) &&
             (stage_noun_count(s->stage) <= MAX_CLASS_NOUNS ||
              error_set(err, SORA_ERROR_UNSUPPORTED, "the stage's pack has %d nouns, training takes %d",
                        stage_noun_count(s->stage), MAX_CLASS_NOUNS));
    }
    if (ok)
        return s;
    clip_source_close(s);
    return NULL;
}

void clip_source_close(ClipSource *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < s->file_count; i++)
        free(s->files[i]);
    free(s->files);
    free(s->nouns);
    stage_close(s->stage);
    free(s);
}

/* Left, right, up or down by the larger part of the mean velocity; less than a tenth of the width a second is still. */
static ClipMotion seen_motion(const StageClip *clip, const StageActor *a)
{
    float x = 0, y = 0, still = 0.1f * (float)clip->width;
    for (int f = 0; f < clip->frames; f++) {
        x += a->states[f].vx / (float)clip->frames;
        y += a->states[f].vy / (float)clip->frames;
    }
    if (fabsf(x) < still && fabsf(y) < still)
        return MOTION_STILL;
    if (fabsf(x) >= fabsf(y))
        return x < 0 ? MOTION_LEFT : MOTION_RIGHT;
    return y < 0 ? MOTION_UP : MOTION_DOWN;
}

static ClipMotion named_motion(int direction)
{
    switch (direction) {
    case DIRECTION_LEFT: return MOTION_LEFT;
    case DIRECTION_RIGHT: return MOTION_RIGHT;
    case DIRECTION_UP: return MOTION_UP;
    case DIRECTION_DOWN: return MOTION_DOWN;
    default: return MOTION_STILL;
    }
}

static void take_classes(const StageScene *s, Clip *clip)
{
    const int classes[CLIP_CLASSES] = {
        [CLASS_NOUN] = s->noun,           [CLASS_COLOUR] = s->colour, [CLASS_COUNT] = s->count, [CLASS_ACTION] = s->action,
        [CLASS_DIRECTION] = s->direction, [CLASS_PLACE] = s->place,   [CLASS_TIME] = s->time,   [CLASS_WEATHER] = s->weather,
        [CLASS_CAMERA] = s->camera,
    };
    memcpy(clip->classes, classes, sizeof classes);
}

static bool take_stage(StageClip *from, Clip *clip)
{
    *clip = (Clip){.width = from->width, .height = from->height, .frames = from->frames, .rgb = from->rgb,
                   .calm = from->scene.weather == WEATHER_CLEAR};
    from->rgb = NULL; /* now the clip's */
    clip->captions = calloc((size_t)from->caption_count + 1, sizeof *clip->captions);
    for (int i = 0; i < from->actor_count; i++)
        clip->actors += !from->actors[i].prop;
    clip->boxes = calloc((size_t)clip->actors * (size_t)from->frames + 1, sizeof *clip->boxes);
    clip->cast = calloc((size_t)clip->actors + 1, sizeof *clip->cast);
    if (clip->captions == NULL || clip->boxes == NULL || clip->cast == NULL)
        return false;
    take_classes(&from->scene, clip);
    for (int i = 0; i < from->caption_count; i++) {
        clip->captions[i] = from->captions[i].text;
        from->captions[i].text = NULL;
        clip->caption_count++;
    }
    ClipBox *box = clip->boxes;
    ClipActor *actor = clip->cast;
    for (int i = 0; i < from->actor_count; i++) {
        const StageActor *a = &from->actors[i];
        if (a->prop)
            continue;
        *actor++ = (ClipActor){a->noun, a->colour,
                               i < from->scene.count ? named_motion(from->scene.direction) : seen_motion(from, a)};
        for (int t = 0; t < from->frames; t++)
            *box++ = (ClipBox){a->states[t].x0, a->states[t].y0, a->states[t].x1, a->states[t].y1};
    }
    return true;
}

/* Fills the whole scene in as the spec draws it, then changes a word. */
static bool change_scene(const ClipSource *s, ClipChange change, StageSpec *spec, SoraError *err)
{
    enum { SMALL = 32 };
    StageSpec small = *spec;
    small.width = small.height = SMALL;
    StageClip clip;
    if (!stage_render(s->stage, &small, &clip, err))
        return false;
    StageScene *scene = &spec->scene;
    *scene = clip.scene;
    stage_clip_deinit(&clip);
    Rng rng;
    rng_init(&rng, s->seed, ~spec->index);
    if (change == CHANGE_DIRECTION)
        scene->direction = scene->direction == DIRECTION_LEFT    ? DIRECTION_RIGHT
                           : scene->direction == DIRECTION_RIGHT ? DIRECTION_LEFT
                                                                 : scene->direction;
    if (change == CHANGE_COLOUR)
        scene->colour = 1 + (scene->colour + rng_int(&rng, COLOUR_COUNT - 2)) % (COLOUR_COUNT - 1);
    for (int old = scene->noun, tries = 0; change == CHANGE_NOUN && scene->noun == old && tries < 100; tries++)
        scene->noun = s->noun_count > 0 ? s->nouns[rng_int(&rng, s->noun_count)] : rng_int(&rng, stage_noun_count(s->stage));
    return true;
}

static bool get_stage(ClipSource *s, const ClipRequest *r, Clip *clip, SoraError *err)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = r->width;
    spec.height = r->height;
    spec.frames = r->frames;
    spec.fps = r->fps;
    spec.seed = s->seed;
    spec.index = r->index;
    spec.everyday = (float)s->everyday;
    if (s->held_out)
        spec.split = r->index % 2 ? SPLIT_UNSEEN : SPLIT_SEEN;
    if (s->noun_count > 0) {
        Rng rng;
        rng_init(&rng, s->seed, r->index);
        spec.scene.noun = s->nouns[rng_int(&rng, s->noun_count)];
    }
    StageClip stage_clip;
    if (r->change != CHANGE_NONE && !change_scene(s, r->change, &spec, err))
        return false;
    if (!stage_render(s->stage, &spec, &stage_clip, err))
        return false;
    bool ok = take_stage(&stage_clip, clip);
    stage_clip_deinit(&stage_clip);
    if (!ok)
        clip_deinit(clip);
    return ok || error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

/* The lines of FILE.txt, without empty ones. */
static bool read_captions(const char *video, Clip *clip, SoraError *err)
{
    size_t stem = (size_t)(strrchr(video, '.') - video);
    char path[4096];
    snprintf(path, sizeof path, "%.*s.txt", (int)stem, video);
    char *text = file_read(path, MAX_CAPTIONS, NULL, err), *save = NULL;
    if (text == NULL)
        return error_wrap(err, "%s: no captions", video);
    bool ok = true;
    for (char *line = strtok_r(text, "\r\n", &save); ok && line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        char **captions = realloc(clip->captions, (size_t)(clip->caption_count + 1) * sizeof *captions);
        ok = captions != NULL;
        if (ok) {
            clip->captions = captions;
            ok = (captions[clip->caption_count] = strdup(line)) != NULL;
            clip->caption_count += ok;
        }
    }
    free(text);
    if (!ok)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    return clip->caption_count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no caption in it", path);
}

static bool get_file(ClipSource *s, const ClipRequest *r, Clip *clip, SoraError *err)
{
    const char *path = s->files[r->index % (uint64_t)s->file_count];
    if (r->change != CHANGE_NONE)
        return error_set(err, SORA_ERROR_INPUT, "%s: words can be changed on Emoji Stage alone", path);
    size_t frame = (size_t)r->width * (size_t)r->height * 3;
    *clip = (Clip){.width = r->width, .height = r->height, .frames = r->frames, .calm = true,
                   .rgb = malloc(frame * (size_t)r->frames)};
    for (int i = 0; i < CLIP_CLASSES; i++)
        clip->classes[i] = -1;
    if (clip->rgb == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    VideoReaderOptions options = {r->width, r->height, r->fps};
    VideoReader *reader = video_reader_open(path, &options, err);
    bool ok = reader != NULL;
    int got = 0;
    while (ok && got < r->frames) {
        const uint8_t *rgb;
        ok = video_reader_read(reader, &rgb, err);
        if (!ok || rgb == NULL)
            break;
        memcpy(clip->rgb + frame * (size_t)got++, rgb, frame);
    }
    video_reader_close(reader);
    if (ok && got == 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no frames", path);
    for (; ok && got < r->frames; got++) /* a short one holds its last frame */
        memcpy(clip->rgb + frame * (size_t)got, clip->rgb + frame * (size_t)(got - 1), frame);
    ok = ok && read_captions(path, clip, err);
    if (!ok)
        clip_deinit(clip);
    return ok;
}

bool clip_source_get(ClipSource *s, const ClipRequest *request, Clip *clip, SoraError *err)
{
    *clip = (Clip){0};
    return s->stage != NULL ? get_stage(s, request, clip, err) : get_file(s, request, clip, err);
}

void clip_deinit(Clip *clip)
{
    for (int i = 0; i < clip->caption_count; i++)
        free(clip->captions[i]);
    free(clip->captions);
    free(clip->boxes);
    free(clip->cast);
    free(clip->rgb);
    *clip = (Clip){0};
}

void clip_to_float(const Clip *clip, const ClipCrop *c, float *out)
{
    for (int t = 0; t < c->count; t++)
        for (int y = 0; y < c->height; y++) {
            const uint8_t *row =
                clip->rgb + (((size_t)(c->first + t) * (size_t)clip->height + (size_t)(c->y + y)) * (size_t)clip->width +
                             (size_t)c->x) * 3;
            for (int i = 0; i < c->width * 3; i++)
                *out++ = (float)row[i] / 127.5f - 1;
        }
}
