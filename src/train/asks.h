/* Prompts with what each asks for, so that a judge can say whether a video has it. */
#ifndef SORA_TRAIN_ASKS_H
#define SORA_TRAIN_ASKS_H

#include <stdio.h>
#include "train/questions.h"

typedef struct Ask {
    const char *id, *prompt;
    StageLanguage language;
    bool unseen;         /* a pair of noun and colour, place or action that training keeps out is in it */
    int want[QUESTIONS]; /* an answer's number, or NO_ANSWER: not asked */
    int camera;          /* a StageCamera that is asked for, or NO_ANSWER */
    const char *other, *other_colour; /* who else is there, for drawing the scene; NULL: nobody, native */
    int of;              /* the row that this one differs from in one word, or -1 */
    Question flip;       /* what that word is about; with of >= 0 */
} Ask;

typedef struct Asks {
    char *text; /* owns the strings */
    Ask *items;
    int count;
} Asks;

/* TSV. The first line names the columns: "prompt" and any of id, lang (en, ja), split (seen, unseen), the questions' names,
 * camera, other, other_colour, flip (thing, colour or direction) and of (the id of an earlier row), note. An empty cell asks for
 * nothing. What is wrong is an error that names the line. */
bool asks_load(Asks *asks, const char *path, const Answers *answers, SoraError *err);
void asks_deinit(Asks *asks);

/* A scene that has what the row asks for; what it leaves open is plain: one, native colours, day, clear, camera still. */
bool asks_scene(const Ask *ask, const Answers *answers, const Stage *stage, StageScene *scene, SoraError *err);

/* How a file of asks is made from captions of the stage. */
typedef struct AskMaking {
    const Stage *stage;
    const Answers *answers; /* with nouns found, which take turns */
    uint64_t seed;
    int count;              /* of prompts, half of them in each language, two of five unseen */
    int flips;              /* of each kind and language: more rows */
} AskMaking;
/* The rows, below a line with the columns. */
bool asks_make(const AskMaking *making, FILE *out, SoraError *err);

#endif
