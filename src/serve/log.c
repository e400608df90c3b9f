#include "serve/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int wanted;

void log_begin(int what)
{
    wanted = what;
}

bool log_wants_requests(void)
{
    return wanted == LOG_ALL;
}

void log_line(const char *level, const char *message, json_t *fields)
{
    bool error = strcmp(level, "error") == 0 || strcmp(level, "warning") == 0;
    struct timespec now;
    struct tm parts;
    char when[64], text[32];
    if (wanted == LOG_NOTHING || (wanted == LOG_ERRORS && !error)) {
        json_decref(fields);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(when, sizeof when, "%s.%03ldZ", text, now.tv_nsec / 1000000);
    json_t *line = json_pack("{ss ss ss}", "time", when, "level", level, "message", message);
    if (line != NULL && fields != NULL)
        json_object_update(line, fields);
    char *dump = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    if (dump != NULL) {
        size_t n = strlen(dump);
        dump[n] = '\n'; /* one write, so that lines of several threads do not mix */
        if (write(STDERR_FILENO, dump, n + 1) < 0)
            wanted = LOG_NOTHING; /* nobody reads */
    }
    free(dump);
    json_decref(line);
    json_decref(fields);
}
