/* Where training clips come from: Emoji Stage, or a folder of videos and pictures with captions beside them (fox.mp4, fox.txt: one
 * caption a line). A clip is a pure function of the request. */
#ifndef SORA_TRAIN_CLIPS_H
#define SORA_TRAIN_CLIPS_H

#include <stdint.h>
#include "base/error.h"

/* Of the stage: a clip may be asked for with one word changed and everything else as it is. */
typedef enum ClipChange {
    CHANGE_NONE = 0,
    CHANGE_NOTHING,   /* drawn in the way of the changed ones, whose captions it is to be compared with */
    CHANGE_DIRECTION, /* left and right exchanged; other directions stay */
    CHANGE_NOUN,
    CHANGE_COLOUR,
    CHANGE_COUNT
} ClipChange;

typedef struct ClipRequest {
    int width, height, frames;
    double fps;
    uint64_t index; /* which clip; a folder starts again after its last */
    ClipChange change;
} ClipRequest;

typedef struct ClipBox {
    int x0, y0, x1, y1; /* pixels, x1 and y1 exclusive; empty when nothing is visible */
} ClipBox;

/* What happens in a clip, as classes: numbers of the stage's enums, nouns in the order of its pack. -1: unknown. */
enum ClipClass {
    CLASS_NOUN,
    CLASS_COLOUR,
    CLASS_COUNT, /* of the subject: 1 to 5 */
    CLASS_ACTION,
    CLASS_DIRECTION,
    CLASS_PLACE,
    CLASS_TIME,
    CLASS_WEATHER,
    CLASS_CAMERA,
    CLIP_CLASSES
};
enum { MAX_CLASS_NOUNS = 254 };
/* How many values each has; unknown is not one of them. */
extern const int CLIP_CLASS_SIZES[CLIP_CLASSES];

/* Where something goes, over a whole clip or in a frame. */
typedef enum ClipMotion { MOTION_STILL = 0, MOTION_LEFT, MOTION_RIGHT, MOTION_UP, MOTION_DOWN, MOTION_COUNT } ClipMotion;

typedef struct ClipActor {
    int noun, colour;
    ClipMotion motion; /* of the subject: the scene's, which words name; of others: what most frames show */
} ClipActor;

typedef struct Clip {
    int width, height, frames;
    uint8_t *rgb;      /* [frames, height, width, 3] */
    char **captions;   /* UTF-8 */
    int caption_count;
    ClipBox *boxes;    /* [actors, frames]: the subject first, then others that act; NULL if unknown */
    ClipActor *cast;   /* [actors]; NULL if unknown */
    int actors;
    int classes[CLIP_CLASSES];
    bool calm;         /* no weather; true if unknown */
} Clip;

/* A kind of source: get() is called by many threads at once. A failed get() may leave parts of the clip, which clip_source_get() frees. */
typedef struct ClipSource ClipSource;
struct ClipSource {
    bool (*get)(ClipSource *source, const ClipRequest *request, Clip *clip, SoraError *err);
    void (*close)(ClipSource *source);
    int count; /* different clips: a folder's files; 0: more than are ever seen */
};

/* Of a folder: fox.txt, fox.captioner.txt, or now one and now the other. */
typedef enum ClipCaptions { CAPTIONS_OWN = 0, CAPTIONS_CAPTIONER, CAPTIONS_MIX } ClipCaptions;

typedef struct ClipSourceConfig {
    const char *folder;     /* of videos; NULL: the stage */
    const char *stage_pack; /* NULL: the default place */
    uint64_t seed;          /* of the stage */
    bool held_out;          /* clips that training never sees: other random numbers and held-out pairs */
    const char *const *nouns; /* of the stage: only these, repeated for weight; NULL: all */
    int noun_count;
    double everyday;          /* of the stage: share of everyday scenes; negative: the stage's own */
    double styled;            /* of the stage: share of clips that are painted in a style */
    ClipCaptions captions;    /* of a folder */
    double own_share;         /* of CAPTIONS_MIX: share of clips whose own captions are taken, as people type */
} ClipSourceConfig;

ClipSource *clip_source_open(const ClipSourceConfig *config, SoraError *err);
/* Of the files behind a source: names, sizes and, of the stage's pack, all bytes. */
bool clip_source_fingerprint(const ClipSourceConfig *config, uint64_t *fingerprint, SoraError *err);
void clip_source_close(ClipSource *s); /* NULL is allowed */
/* clip is empty after a failure; else give it to clip_deinit(). */
bool clip_source_get(ClipSource *s, const ClipRequest *request, Clip *clip, SoraError *err);
void clip_deinit(Clip *clip);

/* Frames first .. first+count-1, cropped to width x height at (x, y), as F32 in [-1, 1]: out [count, height, width, 3]. */
typedef struct ClipCrop {
    int x, y, width, height, first, count;
} ClipCrop;
void clip_to_float(const Clip *clip, const ClipCrop *crop, float *out);

#endif
