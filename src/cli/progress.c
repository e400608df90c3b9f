#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/clock.h"

enum { MAX_COLUMNS = 200, BAR = 30 };

void progress_begin(Progress *p)
{
    const char *term = getenv("TERM");
    *p = (Progress){.visible = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0};
}

void progress_begin_lines(Progress *p, double pause)
{
    progress_begin(p);
    p->pause = pause;
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* 9 -> "0:09", 4000 -> "1:06:40" */
static void format_time(char *text, size_t size, double seconds)
{
    int s = seconds < 360000 ? (int)lround(seconds) : 359999;
    if (s < 3600)
        snprintf(text, size, "%d:%02d", s / 60, s % 60);
    else
        snprintf(text, size, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

void progress_format(char *text, int size, const ProgressStep *step, double seconds, int columns)
{
    int total = step->total > 0 ? step->total : 1;
    int done = step->done < 0 ? 0 : step->done > total ? total : step->done;
    char numbers[160] = "", rate[96] = "", left[32], bar[BAR + 1];
    if (done > 0 && seconds > 0) {
        double each = seconds / done;
        format_time(left, sizeof left, each * (total - done));
        if (each > 1)
            snprintf(rate, sizeof rate, "  %.2f s each  ETA %s", each, left);
        else
            snprintf(rate, sizeof rate, "  %.1f %s/s  ETA %s", 1 / each, step->unit, left);
    }
    snprintf(numbers, sizeof numbers, " %d/%d%s", done, total, rate);
    int room = columns - 1 - (int)strlen(numbers) - 10 - 3;
    int length = room > BAR ? BAR : room;
    if (length < 5) {
        snprintf(text, (size_t)size, "%s%s", step->label, numbers);
    } else {
        int full = (int)((long)length * done / total);
        memset(bar, '#', (size_t)full);
        memset(bar + full, '-', (size_t)(length - full));
        bar[length] = 0;
        snprintf(text, (size_t)size, "%-10s [%s]%s", step->label, bar, numbers);
    }
    if (columns > 1 && columns <= size && (int)strlen(text) >= columns)
        text[columns - 1] = 0; /* a line that wraps could not be drawn over */
}

void progress_show(Progress *p, const ProgressStep *step)
{
    if (!p->visible && p->pause == 0)
        return;
    double now = clock_seconds();
    bool fresh = p->label == NULL || strcmp(p->label, step->label) != 0;
    if (fresh) {
        p->label = step->label;
        p->began = now;
        p->first = step->done;
    }
    bool due = p->visible ? fresh || step->done >= step->total || now - p->drawn >= 0.1
                          : p->drawn == 0 || now - p->drawn >= p->pause;
    if (!due)
        return;
    p->drawn = now;
    char text[MAX_COLUMNS + 1];
    int columns = p->visible ? terminal_columns() : 0;
    /* As long as all steps up to here would have taken, of which some may have been done by an earlier run. */
    double seconds = step->done > p->first ? (now - p->began) * step->done / (step->done - p->first) : 0;
    progress_format(text, sizeof text, step, seconds, columns < MAX_COLUMNS ? columns : MAX_COLUMNS);
    fprintf(stderr, p->visible ? "\r%s\033[K" : "%s\n", text);
    fflush(stderr);
}

void progress_end(Progress *p)
{
    if (p->visible && p->label != NULL)
        fputs("\r\033[K", stderr);
    p->label = NULL;
}
