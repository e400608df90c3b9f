/* How well captions say what a clip of Emoji Stage shows. */
#ifndef SORA_TRAIN_CAPTION_SCORE_H
#define SORA_TRAIN_CAPTION_SCORE_H

#include "stage/stage.h"
#include "text/facts.h"
#include "train/score.h"

/* ROW_ORDER: the action, of clips in which one thing follows from another: what knocks, passes behind or chases. */
typedef enum CaptionRow {
    CAPTION_THING, CAPTION_COLOUR, CAPTION_COUNT, CAPTION_PLACE, CAPTION_TIME, CAPTION_WEATHER, CAPTION_ACTION, CAPTION_DIRECTION,
    CAPTION_CAMERA, CAPTION_ORDER, CAPTION_ROWS
} CaptionRow;
const char *caption_row_name(CaptionRow row);

/* Of the captions that say something about a row, how many are right; of the clips that have something to say, of how many it is
 * said rightly; and of all clips, about how many something wrong is said. */
typedef struct CaptionTally {
    Tally precision, coverage, contradiction;
} CaptionTally;

typedef struct CaptionScorer CaptionScorer;

/* words: a model's words.json; stage: the caller's, which outlives it. */
CaptionScorer *caption_scorer_new(const char *words, const Stage *stage, SoraError *err);
void caption_scorer_free(CaptionScorer *s); /* NULL is allowed */
/* The stage's numbers of the model's nouns. */
int caption_scorer_nouns(const CaptionScorer *s, const int **nouns);
/* scene: resolved, with a noun of the model's. */
void caption_scorer_add(const CaptionScorer *s, const StageScene *scene, const char *text, CaptionTally rows[CAPTION_ROWS]);

#endif
