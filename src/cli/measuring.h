/* What `sora measure` knows when it is done, for the table, the page and JSON. */
#ifndef SORA_CLI_MEASURING_H
#define SORA_CLI_MEASURING_H

#include <jansson.h>
#include "cli/scorer.h"
#include "train/measures.h"

typedef struct MeasureReport {
    const char *suite, *title; /* title: the model, or the folder of videos */
    Scorer *scorer;
    int seeds, videos, failed; /* failed: videos that could not be read */
    Seen *seen[SHOT_KINDS];    /* [seeds * asks]; of real and coded clips [asks]; NULL: not looked at */
    Tally rows[SHOT_KINDS][MEASURE_ROWS][SCORE_GROUPS];
    ScorePart score[SHOT_KINDS]; /* for the flips */
} MeasureReport;

/* Middle values of falls that are seen as such. */
typedef struct FallFigures {
    int count;
    double gravity, restitution; /* medians */
} FallFigures;
FallFigures measure_falls(const MeasureReport *r, ShotKind kind, int action);

void measure_print_table(const MeasureReport *r);
json_t *measure_json(const MeasureReport *r); /* NULL: out of memory */
/* A page that needs no other file. Reads the frames of its examples again. */
bool measure_write_page(const MeasureReport *r, const char *path, SoraError *err);

#endif
