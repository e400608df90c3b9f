#include "cli/cli.h"
#include "cli/making.h"

typedef struct RecutArgs {
    MakingArgs making;
    double from, to, before, after;
} RecutArgs;

static const RecutArgs defaults = {.making = MAKING_DEFAULTS};

static const Option options[] = {
    {0, "from", OPTION_DOUBLE, offsetof(RecutArgs, from), "S",
     .help = "seconds where the part begins; below 0 from the end (default 0)", .min = -86400, .max = 86400},
    {0, "to", OPTION_DOUBLE, offsetof(RecutArgs, to), "S",
     .help = "seconds where it ends; below 0 from the end (default: the end)", .min = -86400, .max = 86400},
    {0, "before", OPTION_DOUBLE, offsetof(RecutArgs, before), "N",
     .help = "seconds that are made before it (default 0)", .max = 86400},
    {0, "after", OPTION_DOUBLE, offsetof(RecutArgs, after), "N", .help = "seconds that are made after it (default 0)",
     .max = 86400},
    MAKING_OPTIONS(RecutArgs, making),
    {0},
};

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const RecutArgs *a = values;
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = SORA_EDIT_RECUT;
    edit.from = a->from;
    edit.to = a->to;
    edit.before = a->before;
    edit.after = a->after;
    return making_edit(&a->making, &edit, arguments, count, err);
}

const Command CMD_RECUT = {
    .name = "recut",
    .summary = "keep the best part of a video and extend it",
    .arguments = "VIDEO",
    .description = "A part of the video stays as it is; what leads up to it and what comes after it is made anew.",
    .examples = "  sora recut dog.mp4 --from 1.2 --to 2.4 --before 1 --after 2 -p \"the dog runs left\"\n"
                "  sora recut dog.mp4 --to -1 -o shorter.mp4",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
