#include "stage/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/caption.h"
#include "stage/motion.h"
#include "stage/render.h"
#include "stage/scene.h"
#include "stage/style.h"

char *stage_default_path(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    bool given = data != NULL && data[0] == '/';
    size_t n = strlen(given ? data : home != NULL ? home : ".") + 64;
    char *path = malloc(n);
    if (path != NULL)
        snprintf(path, n, "%s%s/sora/stage.pack",
                 given          ? data
                 : home != NULL ? home
                                : ".",
                 given ? "" : "/.local/share");
    return path;
}

Stage *stage_open(const char *pack_path, SoraError *err)
{
    Stage *stage = calloc(1, sizeof *stage);
    char *path = pack_path != NULL ? strdup(pack_path) : stage_default_path();
    bool ok = stage != NULL && path != NULL;
    if (!ok) {
        error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    } else {
        stage->pack = pack_open(path, err);
        ok = stage->pack != NULL && scene_lots(stage, err);
    }
    free(path);
    if (ok)
        return stage;
    stage_close(stage);
    return NULL;
}

void stage_close(Stage *stage)
{
    if (stage == NULL)
        return;
    pack_close(stage->pack);
    free(stage->lots);
    free(stage);
}

void stage_spec_init(StageSpec *spec)
{
    *spec = (StageSpec){.width = 128, .height = 128, .frames = 17, .fps = 12, .everyday = -1};
    stage_scene_init(&spec->scene);
}

static bool in_range(int value, int count)
{
    return value >= STAGE_ANY && value < count;
}

static bool check_spec(const Stage *stage, const StageSpec *spec, SoraError *err)
{
    const StageScene *s = &spec->scene;
    int nouns = pack_count(stage->pack);
    if (spec->width < 32 || spec->width > 1024 || spec->height < 32 || spec->height > 1024)
        return error_set(err, SORA_ERROR_INPUT, "stage: size %dx%d, expected 32 to 1024 each way",
                         spec->width, spec->height);
    if (spec->frames < 1 || spec->frames > 1024)
        return error_set(err, SORA_ERROR_INPUT, "stage: %d frames, expected 1 to 1024", spec->frames);
    if (!(spec->fps >= 1 && spec->fps <= 120))
        return error_set(err, SORA_ERROR_INPUT, "stage: %g frames a second, expected 1 to 120", spec->fps);
    bool ok = in_range(s->noun, nouns) && (s->other == STAGE_NOBODY || in_range(s->other, nouns)) &&
              in_range(s->colour, COLOUR_COUNT) && in_range(s->other_colour, COLOUR_COUNT) &&
              in_range(s->action, ACTION_COUNT) && in_range(s->direction, DIRECTION_COUNT) &&
              in_range(s->place, PLACE_COUNT) && in_range(s->time, TIME_COUNT) &&
              in_range(s->weather, WEATHER_COUNT) && in_range(s->camera, CAMERA_COUNT) &&
              in_range(spec->style, STYLE_COUNT) && spec->styled >= 0 && spec->styled <= 1 &&
              (s->count == STAGE_ANY || (s->count >= 1 && s->count <= 5));
    return ok || error_set(err, SORA_ERROR_INPUT, "stage: scene with a value out of range");
}

bool stage_render(const Stage *stage, const StageSpec *spec, StageClip *clip, SoraError *err)
{
    *clip = (StageClip){0};
    if (!check_spec(stage, spec, err))
        return false;
    Arena arena;
    arena_init(&arena, 1 << 20);
    Play *play = arena_calloc(&arena, sizeof *play);
    bool ok = play != NULL || error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
    if (ok) {
        *play = (Play){.stage = stage,
                       .width = spec->width,
                       .height = spec->height,
                       .frames = spec->frames,
                       .fps = spec->fps,
                       .arena = &arena};
        rng_init(&play->rng, spec->seed ^ (spec->split == SPLIT_SEEN ? 0x7e57ull << 48 : 0), spec->index);
        scene_choose(stage, spec, &play->rng, &play->scene);
        play->style = spec->style == STAGE_ANY ? style_draw(play->rng.seed, spec->index, spec->styled) : spec->style;
        clip->style = play->style;
        clip->width = spec->width;
        clip->height = spec->height;
        clip->frames = spec->frames;
        clip->fps = spec->fps;
        clip->scene = play->scene;
        clip->split = stage_scene_held_out(stage, &play->scene) ? SPLIT_UNSEEN : spec->split;
        ok = motion_plan(play) || error_set(err, SORA_ERROR_MEMORY, "stage: out of memory");
        ok = ok && render_play(play, clip, err);
        ok = ok && (caption_clip(play, clip) || error_set(err, SORA_ERROR_MEMORY, "stage: out of memory"));
    }
    arena_deinit(&arena);
    if (!ok)
        stage_clip_deinit(clip);
    return ok;
}

void stage_clip_deinit(StageClip *clip)
{
    for (int i = 0; i < clip->actor_count; i++)
        free(clip->actors[i].states);
    for (int i = 0; i < clip->caption_count; i++)
        free(clip->captions[i].text);
    free(clip->actors);
    free(clip->captions);
    free(clip->rgb);
    *clip = (StageClip){0};
}
