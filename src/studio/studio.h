/* A video of any length in the making: a timeline of layers is gone through once, from its first frame to its last. Frames that
 * a layer keeps are handed on as they are; runs of others are made in windows (studio/run.h). Private to src/studio. */
#ifndef SORA_STUDIO_STUDIO_H
#define SORA_STUDIO_STUDIO_H

#include "engine/decode.h"
#include "engine/generation.h"
#include "studio/layer.h"

enum { STUDIO_MAX_LAYERS = 64, STUDIO_MAX_INPUTS = 32 };
#define STUDIO_ENDLESS (INT64_MAX / 4)

/* What the video is to be. */
typedef struct Timeline {
    int width, height;
    double fps;
    int64_t frames; /* STUDIO_ENDLESS: it never ends */
    Layer layers[STUDIO_MAX_LAYERS]; /* the later one lies over the earlier */
    int layer_count;
    bool closed; /* after the last frame comes the first */
    bool ring;   /* nothing is given, and it closes on itself */
    char *words; /* heap; those of the first input, where the request has none; NULL: none */
    char *sound; /* heap; the input whose sound goes along; NULL: none */
} Timeline;

typedef struct Studio {
    SoraEngine *engine;
    const SoraRequest *request;
    const char *prompt; /* of the whole, where there are no passages; "": nothing is said */
    Timeline line;
    int window;  /* groups of frames that the model makes at once, after a first frame */
    int overlap; /* groups that a window is given of the one before */
    int stride;  /* frames of a group */
    bool condition; /* the model sees frames beside the latent: no more than the first and the last one */
    TextCache texts;
    int64_t windows; /* that were made */
    int64_t done;    /* frames that were handed on */
    int64_t making;  /* frames that the window in the making adds */
    int64_t ahead;   /* frames that are made and not handed on yet */
    double start;
    bool (*take)(struct Studio *s, const uint8_t *rgb, SoraError *err); /* frame `done` of the video */
    SoraVideo *video;
    Watermark *watermark;
    const SoraLive *live;
    char *live_words; /* heap */
    char *last_words; /* heap; that the last window heard at its end */
    bool new_words;   /* the window that was made hears others at its beginning */
    bool refused;     /* whoever takes the frames said why */
    bool enough;      /* whoever listens has had enough */
    Losses losses;    /* of the files that it reads */
    char *parameters; /* heap; of a window, as JSON */
} Studio;

/* What it reads is its own or the engine's to lose (base/lost.h). NULL on failure. */
Studio *studio_new(SoraEngine *engine, const SoraRequest *request, SoraError *err);
/* But for the video. False when a file lost its end: then nothing of it is to be trusted. NULL is allowed, and false. */
bool studio_free(Studio *s, SoraError *err);

/* Makes the timeline of an edit: opens what it is made from. Notes go to notes; s has engine and request. */
bool studio_plan(Studio *s, const SoraEdit *edit, Notes *notes, SoraError *err);
/* All frames, in their order, to s->take. */
bool studio_run(Studio *s, SoraError *err);

/* The layer whose own frame t is; NULL: it is made. */
Layer *timeline_kept(Timeline *line, int64_t t);

/* Hands the next frame on. */
bool studio_hand_on(Studio *s, const uint8_t *rgb, SoraError *err);
bool studio_progress(Studio *s, double part, SoraError *err); /* part: of the window in the making, 0 to 1 */

#endif
