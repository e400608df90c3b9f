/* A bar on stderr with step, rate and time left. When stderr is not a terminal: nothing at all, or a line now and then for
 * work of hours. */
#ifndef SORA_CLI_PROGRESS_H
#define SORA_CLI_PROGRESS_H

#include <stdbool.h>

typedef struct Progress {
    bool visible;
    const char *label;   /* of the bar that is shown; NULL: none yet */
    double began, drawn; /* clock_seconds() */
    double pause;        /* seconds between lines without a terminal; 0: no lines */
    int first;           /* done when the bar began */
} Progress;

typedef struct ProgressStep {
    const char *label; /* "denoise"; another one begins another bar. Must stay valid till the next step */
    const char *unit;  /* of the rate: "steps" */
    int done, total;
} ProgressStep;

void progress_begin(Progress *p);
/* The same, but without a terminal there is a line for the first step and then at most one in so many seconds. */
void progress_begin_lines(Progress *p, double pause);
void progress_show(Progress *p, const ProgressStep *step); /* cheap: draws ten times a second at most */
void progress_end(Progress *p);                            /* removes the bar */

/* The text of the bar, for a terminal of so many columns; seconds: since done was 0. */
void progress_format(char *text, int size, const ProgressStep *step, double seconds, int columns);

#endif
