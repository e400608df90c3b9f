/* A score as a table for people, and as JSON. */
#ifndef SORA_CLI_SCORE_PRINT_H
#define SORA_CLI_SCORE_PRINT_H

#include "train/score.h"

typedef struct ScoreReport {
    const char *model;
    int prompts, seeds;
    ScorePart made, real, coded; /* the model's videos; clips of the same scenes; those through the model's codec */
    bool has_real, has_coded;
} ScoreReport;

void score_print_table(const ScoreReport *report);
bool score_print_json(const ScoreReport *report, SoraError *err);

#endif
