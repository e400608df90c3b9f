/* Emoji Stage: a small world rendered on the fly, with captions and ground truth. A clip depends on
 * nothing but the pack, the sizes, and (seed, index); it is the same on every machine and thread.
 *
 *     Stage *stage = stage_open(NULL, &err);
 *     StageSpec spec;
 *     stage_spec_init(&spec);
 *     spec.seed = 7;
 *     spec.index = 42;
 *     StageClip clip;
 *     if (stage_render(stage, &spec, &clip, &err)) {
 *         ... clip.rgb, clip.captions[0].text ...
 *         stage_clip_deinit(&clip);
 *     }
 *     stage_close(stage);
 *
 * One Stage may be used by many threads at once. */
#ifndef SORA_STAGE_STAGE_H
#define SORA_STAGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "stage/vocabulary.h"

typedef struct Stage Stage;

/* pack_path NULL: stage_default_path(). NULL with *err when it is missing or damaged. */
Stage *stage_open(const char *pack_path, SoraError *err);
void stage_close(Stage *stage);
/* $XDG_DATA_HOME/sora/stage.pack, else ~/.local/share/sora/stage.pack; free() it. */
char *stage_default_path(void);

enum { STAGE_ANY = -1, STAGE_NOBODY = -2 };

/* What happens, in words. Fields that are STAGE_ANY are drawn at random so that they fit the rest.
 * Nouns are numbers below stage_noun_count(); `other` may be STAGE_NOBODY. */
typedef struct StageScene {
    int noun, colour, count, action, direction;
    int other, other_colour; /* the second actor of hover, circle, knock, behind, chase; or stands by */
    int place, time, weather, camera;
} StageScene;

void stage_scene_init(StageScene *scene); /* all STAGE_ANY */

/* A part of the noun x colour, noun x place and noun x action pairs (about 7 %) is kept out of training. */
typedef enum StageSplit {
    SPLIT_TRAIN = 0, /* no held-out pair */
    SPLIT_SEEN,      /* the same distribution, other random numbers */
    SPLIT_UNSEEN,    /* at least one held-out pair */
} StageSplit;

typedef struct StageSpec {
    int width, height; /* pixels, 32 .. 1024; default 128 x 128 */
    int frames;        /* 1 .. 1024; default 17 */
    double fps;        /* 1 .. 120; default 12 */
    uint64_t seed, index;
    StageSplit split; /* default: train */
    float everyday;   /* share of scenes that are everyday ones of their noun (a dog on a meadow); default: 0.14, of a given
                         noun 0.3. Not used where more than the noun is given, or when the split is unseen */
    int style;        /* how it is painted; default: STYLE_PLAIN. STAGE_ANY: `styled` of the clips in a style, the others plain */
    float styled;     /* default: 0. Other draws are the same whatever the style */
    StageScene scene; /* default: all STAGE_ANY. What is given is kept, even where it breaks the split */
} StageSpec;

void stage_spec_init(StageSpec *spec);

typedef enum StageCaptionKind {
    CAPTION_TAGS = 0,
    CAPTION_SHORT,
    CAPTION_MEDIUM,
    CAPTION_DETAILED
} StageCaptionKind;
typedef enum StageLanguage { LANGUAGE_EN = 0, LANGUAGE_JA } StageLanguage;

typedef struct StageCaption {
    StageLanguage language;
    StageCaptionKind kind;
    char *text; /* UTF-8 */
} StageCaption;

/* One actor in one frame. Pixels; the box holds what is drawn of it inside the picture. */
typedef struct StageState {
    float x, y;         /* centre */
    float vx, vy;       /* pixels per second */
    int x0, y0, x1, y1; /* box, x1 and y1 exclusive; all 0 when nothing is visible */
    float visible;      /* visible part of its whole area, 0..1 */
    int facing;         /* -1 left, 1 right, 0 front */
    int contact;        /* id of the actor that it touches by design in this frame, or -1 */
} StageState;

typedef struct StageActor {
    int noun, colour;
    bool prop;          /* scenery, not part of the action */
    StageState *states; /* [frames] */
} StageActor;

typedef struct StageClip {
    int width, height, frames;
    double fps;
    uint8_t *rgb;     /* [frames, height, width, 3] */
    StageScene scene; /* resolved: no STAGE_ANY left */
    int style;        /* likewise */
    StageSplit split; /* SPLIT_UNSEEN when a held-out pair is in it */
    StageActor *actors;
    int actor_count; /* id of an actor = its place here; the first scene.count are the subject */
    StageCaption *captions;
    int caption_count;
} StageClip;

bool stage_render(const Stage *stage, const StageSpec *spec, StageClip *clip, SoraError *err);
void stage_clip_deinit(StageClip *clip);

/* Ground truth as JSON text; free() it. NULL when out of memory. */
char *stage_truth_json(const Stage *stage, const StageClip *clip);

int stage_noun_count(const Stage *stage);
const char *stage_noun_name(const Stage *stage, int noun);    /* English */
int stage_noun_find(const Stage *stage, const char *english); /* STAGE_NOBODY when unknown */
/* Names of the enums of stage/vocabulary.h, as used in JSON and by the command line; NULL out of range. */
const char *stage_colour_name(int colour);
const char *stage_action_name(int action);
const char *stage_place_name(int place);
const char *stage_time_name(int time);
const char *stage_weather_name(int weather);
const char *stage_camera_name(int camera);
const char *stage_direction_name(int direction);
const char *stage_style_name(int style);
bool stage_outdoors(int place); /* where there is daylight and weather */

/* True when the scene (all fields set) is one that the stage would draw: its noun does such things, there, and comes in
 * that colour. */
bool stage_scene_fits(const Stage *stage, const StageScene *scene);
/* True when the scene (all fields set) holds a held-out pair. */
bool stage_scene_held_out(const Stage *stage, const StageScene *scene);

/* Which of its words a vocabulary has. */
typedef struct StageWords {
    const int *nouns; /* only these */
    int count;
    bool styles;
} StageWords;
/* What captions may say, in English and Japanese, as words.json of a model's folder has it (docs/model-format.md). A new
 * object; NULL when out of memory. */
struct json_t *stage_words(const Stage *stage, const StageWords *which);

typedef struct StageFetch {
    const char *out_path; /* NULL: stage_default_path() */
    const char *art;      /* a node_modules folder that has the packages already; NULL: bring them with npm */
    /* Often: what is brought or packed at the moment; false cancels; may be NULL. */
    bool (*note)(const char *what, int done, int total, void *user);
    void *user;
} StageFetch;

/* Brings the art (750 MB) with the npm client into a temporary folder beside out_path, checks each package
 * against its pinned SHA-512, packs what is needed (16 MB) and removes the rest, npm's cache of it included. */
bool stage_fetch(const StageFetch *fetch, SoraError *err);

#endif
