/* A score as a table for people, and as JSON. */
#ifndef SORA_CLI_SCORE_PRINT_H
#define SORA_CLI_SCORE_PRINT_H

#include <jansson.h>
#include "train/score.h"

typedef struct ScoreReport {
    const char *model;
    int prompts, seeds;
    ScorePart made, real, coded; /* the model's videos; clips of the same scenes; those through the model's codec */
    bool has_real, has_coded;
} ScoreReport;

/* A row of a table of shares, for `sora measure` too. */
typedef struct ScoreRow {
    const char *name, *eye; /* eye: who looks; NULL: not said */
    const Tally *made;      /* [SCORE_GROUPS] */
    Tally real, coded;
} ScoreRow;
void score_print_rows(const ScoreRow *rows, int count); /* under a line of heads; those that nobody was asked are left out */
void score_print_flips(const ScorePart *made, const ScorePart *real, const ScorePart *coded); /* nothing without pairs */
/* NULL: out of memory. */
json_t *score_tally_json(Tally t);
json_t *score_groups_json(const Tally *groups); /* [SCORE_GROUPS] */
json_t *score_flips_json(const ScorePart *part);

void score_print_table(const ScoreReport *report);
bool score_print_json(const ScoreReport *report, SoraError *err);

#endif
