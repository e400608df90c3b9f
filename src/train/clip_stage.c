/* Clips of Emoji Stage. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "stage/stage.h"
#include "train/clip_sources.h"

const int CLIP_CLASS_SIZES[CLIP_CLASSES] = {
    [CLASS_NOUN] = MAX_CLASS_NOUNS,  [CLASS_COLOUR] = COLOUR_COUNT,       [CLASS_COUNT] = 6,
    [CLASS_ACTION] = ACTION_COUNT,   [CLASS_DIRECTION] = DIRECTION_COUNT, [CLASS_PLACE] = PLACE_COUNT,
    [CLASS_TIME] = TIME_COUNT,       [CLASS_WEATHER] = WEATHER_COUNT,     [CLASS_CAMERA] = CAMERA_COUNT,
};

typedef struct StageSource {
    ClipSource base;
    Stage *stage;
    uint64_t seed;
    bool held_out;
    int *nouns, noun_count;
    double everyday, styled;
} StageSource;

static bool find_nouns(StageSource *s, const ClipSourceConfig *c, SoraError *err)
{
    if (c->noun_count == 0)
        return true;
    s->nouns = malloc((size_t)c->noun_count * sizeof *s->nouns);
    if (s->nouns == NULL)
        return error_no_memory(err);
    for (int i = 0; i < c->noun_count; i++) {
        s->nouns[i] = stage_noun_find(s->stage, c->nouns[i]);
        if (s->nouns[i] < 0)
            return error_set(err, SORA_ERROR_INPUT, "the stage has no noun \"%s\"", c->nouns[i]);
    }
    s->noun_count = c->noun_count;
    return true;
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
static bool change_scene(const StageSource *s, ClipChange change, StageSpec *spec, SoraError *err)
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

static bool get_stage(ClipSource *source, const ClipRequest *r, Clip *clip, SoraError *err)
{
    const StageSource *s = (const StageSource *)source;
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = r->width;
    spec.height = r->height;
    spec.frames = r->frames;
    spec.fps = r->fps;
    spec.seed = s->seed;
    spec.index = r->index;
    spec.everyday = (float)s->everyday;
    spec.style = STAGE_ANY;
    spec.styled = (float)s->styled;
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
    return ok || error_no_memory(err);
}

static void close_stage(ClipSource *source)
{
    StageSource *s = (StageSource *)source;
    free(s->nouns);
    stage_close(s->stage);
    free(s);
}

ClipSource *clip_stage_open(const ClipSourceConfig *config, SoraError *err)
{
    StageSource *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *s = (StageSource){.base = {.get = get_stage, .close = close_stage}, .seed = config->seed, .held_out = config->held_out,
                       .everyday = config->everyday, .styled = config->styled, .stage = stage_open(config->stage_pack, err)};
    if (s->stage != NULL && find_nouns(s, config, err) &&
        (stage_noun_count(s->stage) <= MAX_CLASS_NOUNS ||
         error_set(err, SORA_ERROR_UNSUPPORTED, "the stage's pack has %d nouns, training takes %d", stage_noun_count(s->stage),
                   MAX_CLASS_NOUNS)))
        return &s->base;
    close_stage(&s->base);
    return NULL;
}
