/* A bar on stderr with step, rate and time left; nothing at all when stderr is not a terminal. */
#ifndef SORA_CLI_PROGRESS_H
#define SORA_CLI_PROGRESS_H

#include <stdbool.h>

typedef struct Progress {
    bool visible;
    const char *label;   /* of the bar that is shown; NULL: none yet */
    double began, drawn; /* clock_seconds() */
} Progress;

typedef struct ProgressStep {
    const char *label; /* "denoise"; another one begins another bar. Must stay valid till the next step */
    const char *unit;  /* of the rate: "steps" */
    int done, total;
} ProgressStep;

void progress_begin(Progress *p);
void progress_show(Progress *p, const ProgressStep *step); /* cheap: draws ten times a second at most */
void progress_end(Progress *p);                            /* removes the bar */

/* The text of the bar, for a terminal of so many columns; seconds: since done was 0. */
void progress_format(char *text, int size, const ProgressStep *step, double seconds, int columns);

#endif
