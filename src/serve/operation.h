/* What is to be made, in one struct: written by the API, kept as JSON in the job, read by the engine's process. */
#ifndef SORA_SERVE_OPERATION_H
#define SORA_SERVE_OPERATION_H

#include <jansson.h>
#include <stdint.h>
#include "base/error.h"

enum { OPERATION_MOST_INPUTS = 8, OPERATION_MOST_PASSAGES = 64, OPERATION_MOST_EARLIER = 64 };

typedef enum OperationKind {
    OPERATION_GENERATE = 0, /* from words, and perhaps a first and a last picture */
    OPERATION_EXTEND,       /* the video goes on */
    OPERATION_LOOP,
    OPERATION_BLEND,
    OPERATION_REMIX,       /* the video made anew by other words */
    OPERATION_FILL,        /* a part of it made anew */
    OPERATION_INTERPOLATE, /* from picture to picture */
    OPERATION_RECUT,
    OPERATION_KINDS,
} OperationKind;

const char *operation_name(OperationKind kind);
bool operation_find(const char *name, OperationKind *kind);

/* What each input is for. */
typedef enum InputUse { INPUT_FIRST, INPUT_LAST, INPUT_VIDEO, INPUT_MASK, INPUT_USES } InputUse;

typedef struct OperationInput {
    InputUse use;
    const char *file; /* in the store, and in the engine's process its path */
} OperationInput;

/* Fields left 0 or NULL are the model's own choice. Strings are borrowed. */
typedef struct Operation {
    OperationKind kind;
    const char *model; /* as sora_engine_open() has it */
    const char *prompt, *negative;
    struct {
        const char *prompt;
        double from;
    } passages[OPERATION_MOST_PASSAGES]; /* a storyboard */
    int passage_count;
    int width, height, frames, steps;
    double fps, seconds, guidance; /* guidance below 0: the model's own */
    uint64_t seed;
    double strength, from, to, before, after;
    const char *policy;                          /* the version of the policy that judged the words; NULL: none did */
    const char *earlier[OPERATION_MOST_EARLIER]; /* words that led to the inputs, the oldest first */
    int earlier_count;
    const char *curve;                 /* of a blend */
    bool at_start, watermark, picture; /* picture: one frame, a PNG */
    OperationInput inputs[OPERATION_MOST_INPUTS];
    int input_count;
} Operation;

json_t *operation_json(const Operation *o); /* NULL: no memory */
/* The strings are root's. */
bool operation_read(Operation *o, const json_t *root, SoraError *err);

#endif
