/* An engine in a process of its own, from the side of the server. Lines of JSON go both ways over a socket:
 *
 *     server   {"do": "make", "folder": PATH, "operation": {...}}      {"do": "stop"}
 *              {"do": "live", "operation": {...}}      {"do": "words", "prompt": "..."}
 *     engine   {"is": "ready", "model": {...}}                         once, when the model is open
 *              {"is": "progress", "phase": "denoise", "done": 3, "total": 30}
 *              {"is": "preview", "file": "preview-2.jpg"}              in the folder
 *              {"is": "made", "video": "video.mp4", "thumbnail": ..., "spritesheet": ..., "width": ...}
 *              {"is": "frame", "jpeg": BASE64}                         of a live video, as fast as they are taken
 *              {"is": "ended"}                                         it was stopped
 *              {"is": "failed", "code": 1, "message": "...", "refused": "explicit"}   then it waits for the next; refused: by
 *                                                                      those who look at frames, else absent
 *
 * The engine's process ends when the socket does. What it sends is checked: it decodes files of strangers. */
#ifndef SORA_SERVE_ENGINE_CHILD_H
#define SORA_SERVE_ENGINE_CHILD_H

#include <jansson.h>
#include <sys/types.h>
#include "serve/serve.h"

/* What a model is and can do, as its process found out. */
typedef struct ModelFacts {
    char name[64];                    /* its own */
    int width, height, frames, steps; /* its default */
    double fps;
    int multiple; /* widths and heights are multiples of it */
    int stride;   /* frames are 1 and a multiple of it */
    int most_frames, most_side;
    char *words; /* JSON: what it knows; NULL: it does not say */
} ModelFacts;

typedef struct EngineChild EngineChild;

typedef struct EnginePlan {
    const ServeOptions *options;
    const char *model; /* path */
    float explicit;    /* from which probability a picture is refused; 1: never */
} EnginePlan;

/* Starts the process and waits until its model is open, at most so long. NULL on failure, with the engine's own error. */
EngineChild *engine_child_start(const EnginePlan *plan, int seconds, SoraError *err);
const char *engine_child_model(const EngineChild *child); /* the path */
const ModelFacts *engine_child_facts(const EngineChild *child);

bool engine_child_send(EngineChild *child, const json_t *message, SoraError *err);

typedef enum EngineHeard { HEARD_MESSAGE, HEARD_NOTHING, HEARD_END } EngineHeard;
/* *message: to be decref'd. HEARD_END: the process has ended, or talks nonsense. */
EngineHeard engine_child_hear(EngineChild *child, int milliseconds, json_t **message);
/* How it ended, for people: "killed by signal 9 (Killed)". After HEARD_END. */
void engine_child_explain(EngineChild *child, char *text, size_t size);

/* Ends it, at once. NULL is allowed. */
void engine_child_end(EngineChild *child);

/* The size nearest to the one asked for, with its shape, that the model makes in no more pixels than its default has, unless
 * it makes exactly what was asked for. */
void facts_fit_size(const ModelFacts *facts, int *width, int *height);
/* Frames for so many seconds at the model's own rate; 0: more than it makes at once, so the studio must make them in windows. */
int facts_fit_seconds(const ModelFacts *facts, double seconds);

#endif
