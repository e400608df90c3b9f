#include <stdlib.h>

#include "cli/cli.h"
#include "cli/making.h"

typedef struct InterpolateArgs {
    MakingArgs making;
    double seconds;
    const char *at;
} InterpolateArgs;

static const InterpolateArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    MAKING_SECONDS(InterpolateArgs, seconds, "of the whole (default 2)"),
    {0, "at", OPTION_STRING, offsetof(InterpolateArgs, at), "S,S,...",
     .help = "seconds of each picture, rising from 0 (default: equal distances, the last one at the end)"},
    MAKING_OPTIONS(InterpolateArgs, making),
    {0},
};

enum { MAX_PICTURES = 32 };

static bool parse_times(const char *text, double *times, int count, SoraError *err)
{
    const char *s = text;
    for (int i = 0; i < count; i++) {
        char *end;
        times[i] = strtod(s, &end);
        bool rises = i == 0 ? times[0] == 0 : times[i] > times[i - 1] && times[i] <= 86400;
        if (end == s || (i + 1 < count ? *end != ',' : *end != 0))
            return error_set(err, SORA_ERROR_INPUT, "--at %.60s: %d numbers with commas between them are expected",
                             text, count);
        if (!rises)
            return error_set(err, SORA_ERROR_INPUT, "--at %.60s: %g %s", text, times[i],
                             i == 0 ? "is not 0, where the first picture is" : "is not after the one before it");
        s = end + 1;
    }
    return true;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const InterpolateArgs *a = values;
    SoraEdit edit;
    sora_edit_init(&edit);
    double times[MAX_PICTURES];
    edit.kind = SORA_EDIT_INTERPOLATE;
    edit.seconds = a->seconds;
    if (a->at != NULL && !parse_times(a->at, times, count, err))
        return false;
    edit.times = a->at != NULL ? times : NULL;
    return making_edit(&a->making, &edit, arguments, count, err);
}

const Command CMD_INTERPOLATE = {
    .name = "interpolate",
    .summary = "go from one picture to another",
    .arguments = "A.png B.png ...",
    .description = "Makes what lies between two or more pictures. Each one is in the video as it is.",
    .examples = "  sora interpolate bud.png flower.png -p \"a flower opens\" --seconds 2\n"
                "  sora interpolate a.png b.png c.png --at 0,1,2.5 -o abc.mp4",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 2,
    .max_arguments = 32,
    .run = run,
};
