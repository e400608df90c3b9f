/* How well videos have what their prompts asked for. */
#ifndef SORA_TRAIN_SCORE_H
#define SORA_TRAIN_SCORE_H

#include "train/asks.h"
#include "train/track.h"

/* right of asked */
typedef struct Tally {
    int right, asked;
} Tally;

/* Wilson's score interval of a share at 95 per cent, from 0 to 1; of nothing asked it is all of that. */
typedef struct Interval {
    double low, high;
} Interval;
Interval tally_interval(Tally t);

/* What a video is seen to be. */
typedef struct Sight {
    Verdict verdict;
    Track track;
    bool seen; /* false: not looked at */
} Sight;

bool sight_take(Judge *judge, const JudgeVideo *video, Sight *sight, SoraError *err);

/* The rows of the table: the questions, then counts of one to three apart, then by the track the direction once more and, of
 * what was asked to fall, bounce or rise, the law of its motion. Directions are signed and of what was asked to move: left,
 * right, up, down or near; the track has no near. */
enum { ROW_FEW = QUESTIONS, ROW_TRACK, ROW_LAW, SCORE_ROWS };
const char *score_row_name(int row);

bool score_asked(const Ask *ask, int row); /* of this prompt? */
bool score_right(const Ask *ask, const Sight *sight, int row);

typedef enum ScoreGroup { GROUP_ALL, GROUP_SEEN, GROUP_UNSEEN, GROUP_EN, GROUP_JA, SCORE_GROUPS } ScoreGroup;

/* Pairs of videos with one seed whose prompts differ in one word. */
typedef struct FlipTally {
    Tally both;   /* both videos have what they were asked for */
    Tally turned; /* they are not seen to be the same */
} FlipTally;
enum { FLIP_THING, FLIP_COLOUR, FLIP_DIRECTION, FLIP_TRACK, FLIPS };
const char *score_flip_name(int flip);

bool score_in_group(const Ask *ask, int group);

typedef struct ScorePart {
    Tally rows[SCORE_ROWS][SCORE_GROUPS];
    FlipTally flips[FLIPS];
    int still, opposite; /* of GROUP_ALL of ROW_TRACK: left, right, up or down was asked, and it stays, or goes the other way */
    int videos;
} ScorePart;

/* sights: [asks->count], of one seed; adds to part. Rows that are flips count among the flips only. */
void score_add(ScorePart *part, const Asks *asks, const Sight *sights);

#endif
