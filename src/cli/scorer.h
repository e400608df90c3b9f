/* What a model's videos, those of a folder, and clips of the same scenes are seen to be: for `sora score` and `sora measure`. */
#ifndef SORA_CLI_SCORER_H
#define SORA_CLI_SCORER_H

#include "cli/progress.h"
#include "cpu/backend.h"
#include "train/probe_clips.h"
#include "train/sights.h"

typedef struct ScorerOptions {
    const char *command; /* "sora score", for messages */
    const char *model;   /* NULL: the default; with foreign not opened */
    const char *prompts; /* NULL: the judge's own */
    const char *probe, *cache, *stage; /* NULL: the default places */
    const char *videos;  /* where made videos are kept; NULL: nowhere */
    const char *foreign; /* a folder of somebody's videos, which are seen instead of a model's; NULL: none */
    int seeds, quick, steps, threads;
    double guidance;     /* negative: the model's own */
    bool no_real;        /* the judge is not measured */
} ScorerOptions;

/* Of made videos, of clips of the same scenes, of those through the model's codec. */
typedef enum ShotKind { SHOT_MADE, SHOT_REAL, SHOT_CODED, SHOT_KINDS } ShotKind;

typedef struct Shot {
    ShotKind kind;
    int row, seed; /* of the asks; seed only of what is made */
} Shot;

/* Frames of width x height one after the other, packed RGB; heap, freed by strip_deinit(). */
typedef struct Strip {
    uint8_t *rgb;
    int width, height, frames;
    double fps;
} Strip;
void strip_deinit(Strip *strip); /* a zeroed one is allowed */

struct ScorerFolder;

/* Fields are for reading. */
typedef struct Scorer {
    ScorerOptions options;
    char *model, *probe;
    Backend *backend;
    Judge *judge;
    SoraEngine *engine; /* NULL with foreign videos */
    SoraRequest own;    /* the model's defaults */
    Stage *stage;       /* NULL: the judge is not measured */
    Codec codec;
    bool has_codec;
    Graph *graph; /* the codec's */
    Asks asks;
    bool *taken; /* [asks.count]: these rows are scored */
    Sights *sights;
    struct ScorerFolder *folder; /* of foreign videos; NULL: the model's */
    uint64_t model_hash, probe_hash;
    Progress bar;
} Scorer;

/* The judge's folder: that one, or the installed one; heap. NULL on failure. */
char *scorer_probe(const char *folder, SoraError *err);

/* Give it to scorer_close() also after a failure. */
bool scorer_open(Scorer *s, const ScorerOptions *options, SoraError *err);
void scorer_close(Scorer *s);
bool scorer_has(const Scorer *s, ShotKind kind);
bool scorer_has_shot(const Scorer *s, const Shot *shot); /* a foreign video may not be there */
int scorer_taken(const Scorer *s); /* how many rows */

/* The frames of it: made, taken from where they are kept, or drawn. */
bool scorer_strip(Scorer *s, const Shot *shot, Strip *strip, SoraError *err);
/* What the eyes say of it; of what they have seen they say it again. strip: its frames if they are there already, else NULL. */
bool scorer_look(Scorer *s, const Shot *shot, const Strip *strip, Sight *sight, SoraError *err);
/* All taken rows of all seeds (of SHOT_MADE), counted into part. Shows progress. */
bool scorer_score(Scorer *s, ShotKind kind, ScorePart *part, SoraError *err);

#endif
