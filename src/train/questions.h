/* What the probe is asked about a clip, and the answers that there are. */
#ifndef SORA_TRAIN_QUESTIONS_H
#define SORA_TRAIN_QUESTIONS_H

#include <jansson.h>
#include "base/error.h"
#include "model/probe.h"
#include "stage/stage.h"

typedef enum Question {
    Q_THING = 0, /* the subject's noun */
    Q_COLOUR,    /* of the subject; answer 0 is native, its own */
    Q_COUNT,     /* of subjects: "1" to "5" */
    Q_PLACE,
    Q_TIME,      /* of the day */
    Q_WEATHER,
    Q_ACTION,
    Q_DIRECTION, /* answer 0 is none */
    Q_START,     /* which eighth of the width the subjects' middle is in at first; in training they make motion easier */
    Q_END,       /* and at last */
    QUESTIONS,
} Question;

enum { NO_ANSWER = -1, MAX_ANSWERS = 250, COLUMNS_ACROSS = 8 };

const char *question_name(Question q); /* "thing" */
Question question_find(const char *name); /* QUESTIONS when there is none of that name */

/* The answers to each question by name; the nouns are the caller's choice, the rest is the stage's. */
typedef struct Answers {
    int count[QUESTIONS];
    const char *names[QUESTIONS][MAX_ANSWERS];
    int noun[MAX_ANSWERS]; /* the stage's number of a thing; STAGE_NOBODY before answers_find_nouns() */
} Answers;

/* nouns: kept as pointers; a name that comes twice counts once. */
bool answers_init(Answers *a, const char *const *nouns, int count, SoraError *err);
/* False when the stage lacks one of the nouns. */
bool answers_find_nouns(Answers *a, const Stage *stage, SoraError *err);
/* The answer of that name, or NO_ANSWER. */
int answers_find(const Answers *a, Question q, const char *name);

/* config.json of a probe: the network's sizes, and "answers": {"thing": [...], ...}. The strings are json's. The lists
 * but that of things must be the stage's own. */
bool answers_read(Answers *a, ProbeConfig *c, const json_t *json, SoraError *err);
/* json: from probe_config_write(). NULL when out of memory; *json is taken over. */
json_t *answers_write(const Answers *a, json_t *json);
void answers_set_classes(const Answers *a, ProbeConfig *c);

/* An answer for each question; NO_ANSWER where it has none: time and weather indoors, motion in a single frame, and the
 * place of who is not seen. */
typedef struct Labels {
    int answer[QUESTIONS];
} Labels;
Labels labels_of(const Answers *a, const StageClip *clip);
/* Who is seen at each place of frame's grid [side, side]: 1 + the thing's number, or 0 where there is none of them. An actor is
 * wherever its box is. */
void labels_of_places(const Answers *a, const StageClip *clip, int frame, int side, uint8_t *out);
Labels labels_mirrored(Labels l); /* of the clip with left and right exchanged */

#endif
